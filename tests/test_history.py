"""A scripted history of runs gives exactly the expected `changes`, each with its cause."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from hedgerow import changes, settings, store, tables
from hedgerow.nlp import lexicon
from hedgerow.nlp.lexicon import CueLexicon
from hedgerow.nlp.rules import load_data
from tests.conftest import PAGES, rows, write

pytestmark = pytest.mark.usefixtures("small_buckets")

Claims = Mapping[str, Mapping[str, Any]]
IDENTITY = {"claim_id", "sentence_id", "doc_id", "index", "text"}


def claims(outputs: Path) -> dict[str, dict[str, Any]]:
    return {row["claim_id"]: row for row in rows(outputs, "claims")}


def expected(before: Claims, after: Claims, cause: str) -> set[tuple[Any, ...]]:
    """Work out the changes from two tables of claims, without the code under test."""
    found: set[tuple[Any, ...]] = set()
    for claim_id in before.keys() - after.keys():
        found.add((claim_id, "removed", None, None, None, cause))
    for claim_id in after.keys() - before.keys():
        found.add((claim_id, "added", None, None, None, cause))
    for claim_id in before.keys() & after.keys():
        for name, old in before[claim_id].items():
            new = after[claim_id][name]
            place = name in ("start", "end") or name.endswith(("_start", "_end"))
            if name in IDENTITY or place or old == new:
                continue
            told = [None if value is None else str(value) for value in (old, new)]
            found.add((claim_id, "changed", name, *told, cause))
    return found


def told(outputs: Path) -> set[tuple[Any, ...]]:
    names = ("claim_id", "change", "field", "before", "after", "cause")
    listed = [tuple(row[name] for name in names) for row in rows(outputs, "changes")]
    assert len(listed) == len(set(listed))
    return set(listed)


def of(found: Claims, doc_id: str) -> dict[str, Mapping[str, Any]]:
    return {key: row for key, row in found.items() if row["doc_id"] == doc_id}


def test_the_first_run_has_no_changes(run, outputs):
    run()
    assert rows(outputs, "changes") == []


def test_documents_added_edited_and_removed(run, corpus, outputs):
    run()
    first = claims(outputs)

    write(corpus / "five.txt", "Ginger relieves nausea. It may thin the blood.")
    run()
    second = claims(outputs)
    new = of(second, "five.txt")
    assert {row["text"] for row in new.values()} == {
        "Ginger relieves nausea.",
        "It may thin the blood.",
    }
    assert told(outputs) == {(key, "added", None, None, None, "document") for key in new}

    write(corpus / "five.txt", "Ginger relieves nausea. It might thin the blood.")
    run()
    third = claims(outputs)
    texts = {row[:2]: {**second, **third}[row[0]]["text"] for row in told(outputs)}
    assert sorted((change, text) for (_, change), text in texts.items()) == [
        ("added", "It might thin the blood."),
        ("removed", "It may thin the blood."),
    ]
    assert told(outputs) == expected(second, third, "document")

    (corpus / "five.txt").unlink()
    run()
    assert told(outputs) == {
        (key, "removed", None, None, None, "document") for key in of(third, "five.txt")
    }
    assert claims(outputs) == first


def test_text_that_only_moves_is_no_change(run, corpus, outputs):
    write(corpus / "five.txt", "Ginger relieves nausea.")
    run()
    before = claims(outputs)
    write(corpus / "five.txt", "\n\n\nGinger relieves nausea.")
    run()
    assert claims(outputs).keys() == before.keys()
    assert told(outputs) == set()


def test_source_settings(run, corpus, outputs):
    run()
    before = claims(outputs)
    write(
        corpus / "sources.toml",
        '[[source]]\nmatch = "*.txt"\ninterest = "blog"\npublisher = "The Blog"\n',
    )
    run()
    assert told(outputs) == {
        (key, "changed", name, old, new, "source settings")
        for key, row in of(before, "one.txt").items()
        for name, old, new in (
            ("interest", row["interest"], "blog"),
            ("publisher", row["publisher"], "The Blog"),
        )
    }


def test_another_lexicon(run, outputs, monkeypatch):
    run()
    before = claims(outputs)
    shipped = load_data("cues")
    kept = [entry for entry in shipped["cue"] if "may" not in entry["forms"]]
    other = CueLexicon([lexicon._entry(lexicon.Cue, e) for e in kept], **shipped["scope"])
    monkeypatch.setattr(lexicon, "load_cues", lambda: other)
    with_digest(monkeypatch, lexicon="another")
    outcome = run()
    assert outcome.plan.cause == "lexicon"
    found = told(outputs)
    assert found == expected(before, claims(outputs), "lexicon")
    hedged = {key for key, row in before.items() if " may " in row["text"]}
    assert hedged and hedged == {row[0] for row in found}


def test_another_model(run, outputs, tmp_path):
    run()
    before = claims(outputs)
    model = shutil.copytree(settings.shipped_model(), tmp_path / "model")
    units = json.loads((model / "units" / "units.json").read_text("utf-8"))
    for curve in units["calibration"].values():
        curve["y"] = [value / 2 for value in curve["y"]]
    write(model / "units" / "units.json", json.dumps(units))
    outcome = run(model=str(model))
    assert outcome.plan.cause == "model"
    found = told(outputs)
    assert found == expected(before, claims(outputs), "model")
    assert {(key, name) for key, _, name, *_ in found} == {(key, "confidence") for key in before}


def test_another_digest_without_another_row_is_no_change(run, outputs, monkeypatch):
    run()
    with_digest(monkeypatch, model="another")
    outcome = run()
    assert outcome.plan.cause == "model" and outcome.published
    assert rows(outputs, "changes") == []


def test_a_document_has_its_own_cause_beside_another_model(run, corpus, outputs, monkeypatch):
    run()
    before = claims(outputs)
    with_digest(monkeypatch, model="another")
    (corpus / "two.md").unlink()
    run()
    assert told(outputs) == {
        (key, "removed", None, None, None, "document") for key in of(before, "melatonin")
    }


def test_changes_between_any_two_snapshots(run, corpus, outputs):
    run()
    first = claims(outputs)
    write(corpus / "five.txt", "Ginger relieves nausea.")
    run()
    write(corpus / "one.txt", PAGES["one.txt"].replace("lower", "raise"))
    run()
    oldest, *_, newest = sorted(store.Outputs(outputs).all(), key=lambda s: s.path.name)
    table = changes.between(oldest, newest)
    tables.check({"changes": table})
    names = ("claim_id", "change", "field", "before", "after", "cause")
    found = {tuple(row[name] for name in names) for row in table.to_pylist()}
    assert found == expected(first, claims(outputs), "document")
    assert {row["doc_id"] for row in table.to_pylist()} == {"one.txt", "five.txt"}


def with_digest(monkeypatch: pytest.MonkeyPatch, **digests: str) -> None:
    """Let the next runs see other digests of what rows depend on."""
    from hedgerow import fingerprints, plan

    original = fingerprints.resource_digests
    monkeypatch.setattr(plan, "resource_digests", lambda s: {**original(s), **digests})
