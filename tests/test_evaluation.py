"""Evaluation: what counts as right, how units are matched, figures, intervals, and the output."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from hedgerow import evaluation, tables
from hedgerow.errors import ResourceError
from hedgerow.evaluation import compare, match_units, read_gold, render

TEXT = "Nettle tea\n\nNettle tea may ease hay fever. It is sold in bags.\n\nBuy it here.\n"
CLAIM = {
    "kind": "claim",
    "certainty": "certain",
    "polarity": "affirmed",
    "attribution": "author",
    "claim_type": "market",
    "direction": "",
    "evidence": "none",
}
HEDGED = {**CLAIM, "certainty": "possible", "claim_type": "efficacy", "direction": "benefit"}


def unit(doc: str, text: str, labels: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    start = TEXT.index(text)
    return {"id": f"{doc}-{start}", "doc": doc, "text": text, "start": start,
            "end": start + len(text), **labels, **more}  # fmt: skip


def units(doc: str) -> list[dict[str, Any]]:
    return [
        unit(doc, "Nettle tea", {"kind": "heading"}),
        unit(doc, "Nettle tea may ease hay fever.", HEDGED),
        unit(doc, "It is sold in bags.", CLAIM),
        unit(doc, "Buy it here.", {"kind": "promotional"}),
    ]


def write_gold(folder: Path, name: str, records: Sequence[Mapping[str, Any]]) -> Path:
    path = folder / f"{name}.dev.jsonl"
    path.write_text("".join(json.dumps(r) + "\n" for r in records))
    facts = [{"doc": doc, "text": TEXT} for doc in sorted({r["doc"] for r in records})]
    beside = folder / f"{name}.documents.jsonl"
    beside.write_text("".join(json.dumps(r) + "\n" for r in facts))
    return path


@pytest.fixture
def gold(tmp_path: Path) -> Path:
    return write_gold(tmp_path, "pages", [r for doc in ("a", "b") for r in units(doc)])


def extracted(
    labels: Mapping[str, Mapping[str, Any]], *, spans: Mapping[str, tuple[int, int]] | None = None
) -> evaluation.Extract:
    """A pipeline that finds the given sentences of TEXT with the given labels."""

    def extract(items: Sequence[tuple[str, str, bytes]]) -> dict[str, pa.Table]:
        held: dict[str, list[dict[str, Any]]] = {"documents": [], "sentences": [], "certainty": []}
        for doc_id, path, content in items:
            text = content.decode()
            held["documents"].append(
                {
                    "doc_id": doc_id,
                    "path": path,
                    "media_type": "text/plain",
                    "interest": "unknown",
                    "interest_basis": "test",
                    "source_sha256": "0",
                    "text": text,
                }
            )
            for index, (quote, given) in enumerate(labels.items()):
                start, end = (spans or {}).get(
                    quote, (text.index(quote), text.index(quote) + len(quote))
                )
                sentence_id = f"{doc_id}/{index}"
                held["sentences"].append(
                    {
                        "sentence_id": sentence_id,
                        "doc_id": doc_id,
                        "block_id": sentence_id,
                        "index": index,
                        "start": start,
                        "end": end,
                        "text": text[start:end],
                        "block": "paragraph",
                    }
                )
                probabilities = {c.name: 0.0 for c in tables.CERTAINTY.columns
                                 if c.name.startswith("p_")}  # fmt: skip
                row = {"doc_id": doc_id, "sentence_id": sentence_id, "certainty_score": 0.5,
                       "confidence": 0.95, **probabilities, **given}  # fmt: skip
                row["direction"] = row.get("direction") or (
                    "none" if row["kind"] == "claim" else None
                )
                held["certainty"].append(row)
        return {
            **{name: tables.from_rows(name, rows) for name, rows in held.items()},
            "claims": tables.empty("claims"),
        }

    return extract


RIGHT: Mapping[str, Mapping[str, Any]] = {
    "Nettle tea": {"kind": "heading"},
    "Nettle tea may ease hay fever.": HEDGED,
    "It is sold in bags.": CLAIM,
    "Buy it here.": {"kind": "promotional"},
}


def figures(
    path: Path, labels: Mapping[str, Mapping[str, Any]], **more: Any
) -> Mapping[str, float]:
    return compare([path], extracted(labels, **more), samples=20).figures["pages"]


def test_right_labels_give_full_marks(gold: Path) -> None:
    found = figures(gold, RIGHT)
    assert found["claim_f1"] == found["kind_accuracy"] == found["certainty_accuracy"] == 1.0
    assert found["direction_macro_f1"] == found["evidence_end_to_end"] == 1.0
    assert found["units"] == 8
    assert found["documents"] == 2
    assert found["calibration_error"] == pytest.approx(0.05)


def test_a_claim_that_is_none_costs_precision(gold: Path) -> None:
    found = figures(gold, {**RIGHT, "Buy it here.": CLAIM})
    assert found["claim_precision"] == pytest.approx(2 / 3)
    assert found["claim_recall"] == 1.0
    assert found["kind_accuracy"] == 0.75
    assert found["certainty_accuracy"] == 1.0


def test_a_claim_not_found_costs_recall_and_the_end_to_end_figures(gold: Path) -> None:
    found = figures(gold, {**RIGHT, "It is sold in bags.": {"kind": "promotional"}})
    assert found["claim_recall"] == 0.5
    assert found["claim_precision"] == 1.0
    assert found["certainty_accuracy"] == 1.0
    assert found["certainty_end_to_end"] == 0.5


def test_a_unit_without_a_sentence_is_missed(gold: Path) -> None:
    labels = {k: v for k, v in RIGHT.items() if k != "It is sold in bags."}
    found = figures(gold, labels)
    assert found["kind_accuracy"] == 0.75
    assert found["claim_recall"] == 0.5


def test_pieces_of_a_claim_are_no_wrong_claims(gold: Path) -> None:
    start = TEXT.index("Nettle tea may")
    spans = {"Nettle tea may": (start, start + 14), "ease hay fever.": (start + 15, start + 30)}
    labels = {"Nettle tea": {"kind": "heading"}, "Nettle tea may": HEDGED,
              "ease hay fever.": HEDGED, "It is sold in bags.": CLAIM,
              "Buy it here.": {"kind": "promotional"}}  # fmt: skip
    found = figures(gold, labels, spans=spans)
    assert found["claim_precision"] == found["claim_recall"] == 1.0


def test_a_second_label_is_as_good_as_the_first(tmp_path: Path) -> None:
    records = units("a")
    records[1]["alt"] = {"certainty": "probable"}
    records[3]["alt"] = {"kind": "claim"}
    path = write_gold(tmp_path, "pages", records)
    labels = {**RIGHT, "Nettle tea may ease hay fever.": {**HEDGED, "certainty": "probable"},
              "Buy it here.": CLAIM}  # fmt: skip
    found = figures(path, labels)
    assert found["certainty_accuracy"] == found["kind_accuracy"] == found["claim_f1"] == 1.0
    wrong = figures(path, {**labels, "It is sold in bags.": {**CLAIM, "certainty": "probable"}})
    assert wrong["certainty_accuracy"] == 0.5


def test_macro_f1_is_over_the_classes_in_gold() -> None:
    confusion = np.asarray([[8.0, 2.0, 0.0], [1.0, 4.0, 0.0], [0.0, 0.0, 0.0]])
    assert evaluation.macro_f1(confusion) == pytest.approx((16 / 19 + 8 / 11) / 2)
    assert np.isnan(evaluation.macro_f1(np.zeros((2, 2))))


def test_calibration_error_weighs_bins_by_their_claims() -> None:
    bins = np.asarray([[10.0, 2.0, 4.0], [30.0, 27.0, 24.0]])
    assert evaluation.calibration_error(bins) == pytest.approx((2 + 3) / 40)
    assert np.isnan(evaluation.calibration_error(np.zeros((10, 3))))


def test_confidence_that_is_wrong_shows(gold: Path) -> None:
    labels = {**RIGHT, "It is sold in bags.": {**CLAIM, "certainty": "possible"}}
    report = compare([gold], extracted(labels), samples=20)
    assert report.figures["pages"]["calibration_error"] == pytest.approx(0.45)
    (row,) = [row for row in report.reliability if row["claims"]]
    assert row == {"from": 0.9, "to": 1.0, "claims": 4, "mean_confidence": 0.95,
                   "share_right": 0.5}  # fmt: skip


def test_intervals_hold_the_figure_and_depend_on_the_seed_alone(tmp_path: Path) -> None:
    path = write_gold(tmp_path, "pages", [r for i in range(9) for r in units(f"d{i}")])
    labels = {**RIGHT, "Buy it here.": CLAIM}
    first = compare([path], extracted(labels), samples=50, seed=3)
    again = compare([path], extracted(labels), samples=50, seed=3)
    assert first.intervals == again.intervals
    for name, (low, high) in first.intervals["pages"].items():
        assert low <= first.figures["pages"][name] + 1e-9
        assert first.figures["pages"][name] <= high + 1e-9


def test_files_are_pooled(tmp_path: Path) -> None:
    paths = [write_gold(tmp_path, name, units("a")) for name in ("pages", "notes")]
    report = compare(paths, extracted(RIGHT), samples=5)
    assert list(report.figures) == ["pages", "notes", "pooled"]
    assert report.figures["pooled"]["units"] == 8


def test_the_result_is_plain_data_and_can_be_shown(gold: Path) -> None:
    only_headings = {"Nettle tea": {"kind": "heading"}}
    for labels in (RIGHT, only_headings):
        result = compare([gold], extracted(labels), samples=5).as_json()
        assert json.loads(json.dumps(result, allow_nan=False)) == result
        text = render(result)
        assert "claim f1" in text
        assert "8 units, 2 documents" in text


def test_wrong_labels_are_listed(gold: Path, tmp_path: Path) -> None:
    labels = {**RIGHT, "It is sold in bags.": {**CLAIM, "evidence": "expert"}}
    compare([gold], extracted(labels), samples=5).write_errors(tmp_path / "errors.csv")
    with (tmp_path / "errors.csv").open(newline="") as lines:
        rows = list(csv.DictReader(lines))
    assert [(r["task"], r["gold"], r["found"], r["text"]) for r in rows] == [
        ("evidence", "none", "expert", "It is sold in bags.")
    ] * 2


def test_units_without_a_text_are_joined(tmp_path: Path) -> None:
    path = tmp_path / "loose.train.jsonl"
    records = [{"id": str(i), "doc": "x", "text": t, "kind": "heading"}
               for i, t in enumerate(("One.", "Two and three."))]  # fmt: skip
    path.write_text("".join(json.dumps(r) + "\n" for r in records))
    (document,) = read_gold(path)
    assert document.text == "One.\n\nTwo and three."
    assert [document.text[u.start : u.end] for u in document.units] == ["One.", "Two and three."]


def test_pages_named_by_their_units_are_read(tmp_path: Path) -> None:
    (tmp_path / "gold").mkdir()
    (tmp_path / "seed_pages").mkdir()
    (tmp_path / "seed_pages" / "p.txt").write_text(TEXT)
    path = tmp_path / "gold" / "own.dev.jsonl"
    path.write_text(json.dumps(unit("p", "Buy it here.", {"kind": "other"}, source="p.txt")))
    assert read_gold(path)[0].text == TEXT
    (tmp_path / "seed_pages" / "p.txt").unlink()
    with pytest.raises(ResourceError, match=r"p\.txt"):
        read_gold(path)


def test_a_gold_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(ResourceError, match=r"nowhere\.jsonl"):
        read_gold(tmp_path / "nowhere.jsonl")
    (tmp_path / "bad.jsonl").write_text("{\n")
    with pytest.raises(ResourceError, match=r"bad\.jsonl"):
        read_gold(tmp_path / "bad.jsonl")


def test_offsets_follow_a_text_that_its_reader_changed(gold: Path) -> None:
    document = read_gold(gold)[0]
    changed = TEXT.replace("\n\n", "\r\n  \r\n").replace(" ", "  ")
    quotes = [u.text.replace(" ", "  ") for u in document.units]
    spans = [(changed.rindex(q), changed.rindex(q) + len(q)) for q in quotes]
    spans[0] = (0, len(quotes[0]))
    sentence_of, unit_of = match_units(document, changed, spans)
    assert sentence_of == unit_of == [0, 1, 2, 3]


def test_documents_that_the_pipeline_refuses_are_named(gold: Path) -> None:
    def nothing(items: Sequence[tuple[str, str, bytes]]) -> dict[str, pa.Table]:
        return {
            name: tables.empty(name) for name in ("documents", "sentences", "certainty", "claims")
        }

    with pytest.raises(ResourceError, match="pages/a"):
        compare([gold], nothing)
