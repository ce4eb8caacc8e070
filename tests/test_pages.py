"""The labelled pages that the unit classifier learns from, beside the gold."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from hedgerow import tables
from hedgerow.errors import ResourceError

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def pages():
    path = ROOT / "models" / "training" / "pages.py"
    spec = importlib.util.spec_from_file_location("pages", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_unit_of_every_page_has_labels_and_a_place(pages):
    documents = pages.read_pages()
    assert len(documents) > 200
    assert len({document.doc_id for document in documents}) == len(documents)
    for document in documents:
        end = 0
        for unit in document.units:
            assert unit.start >= end, unit.id
            end = unit.end
            assert document.text[unit.start : unit.end] == unit.text, unit.id
            assert all(v in tables.UNIT_LABELS[task] for task, v in unit.labels.items()), unit.id
            directed = unit.labels.get("claim_type") in tables.DIRECTED
            assert directed is (unit.labels.get("direction", "none") != "none"), unit.id


def test_a_page_is_laid_out_by_the_shapes_of_its_units(pages, tmp_path):
    (tmp_path / "1-01.txt").write_text(
        "@ leaflet | Mill Lane | zinc\n"
        "H head :: Zinc\n"
        "P ce+au usa . non :: It is sucked.\n"
        "+ po-ci eff noe rct :: It may not help [1].\n"
        "P lead :: Effects:\n"
        "L ce+au saf har non :: Nausea\n"
        "L ce+au saf har non :: Bad taste\n"
        "N advi :: Stop.\n"
        "N advi :: Ask.\n",
        "utf-8",
    )
    (page,) = pages.read_pages(tmp_path)
    assert page.text == (
        "Zinc\nIt is sucked. It may not help [1].\nEffects:\n- Nausea\n- Bad taste\n"
        "1. Stop.\n2. Ask."
    )
    assert page.units[2].labels == {
        "kind": "claim",
        "certainty": "possible",
        "polarity": "negated",
        "attribution": "cited",
        "claim_type": "efficacy",
        "direction": "no_effect",
        "evidence": "rct",
    }


@pytest.mark.parametrize("line", ["P ce+au eff ben :: It helps.", "P It helps.", "X head :: Zinc"])
def test_a_line_that_is_no_unit_is_named(pages, tmp_path, line):
    (tmp_path / "1-01.txt").write_text(f"@ leaflet | Mill Lane | zinc\n{line}\n", "utf-8")
    with pytest.raises(ResourceError, match="expected"):
        pages.read_pages(tmp_path)
