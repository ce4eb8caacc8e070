"""How the splitting of sentences is scored, and that its annotation is sound."""

from __future__ import annotations

import hashlib
import importlib.util
import json
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import pyarrow as pa
import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def scorer() -> ModuleType:
    path = ROOT / "models" / "training" / "evaluate_splitting.py"
    spec = importlib.util.spec_from_file_location("evaluate_splitting", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def claim(text: str, span: str, head: str, **more: Any) -> dict[str, Any]:
    """An annotated claim of a sentence: its span and head are looked up in the text."""
    start = text.index(span)
    at = text.index(head, start)
    labels = {"certainty": "certain", "polarity": "affirmed", "direction": "benefit",
              "attribution": "author"}  # fmt: skip
    places: dict[str, Any] = {}
    for name in ("subject", "outcome"):
        word = more.pop(name, None)
        places[f"{name}_start"] = None if word is None else text.index(word)
        places[f"{name}_end"] = None if word is None else text.index(word) + len(word)
    return {"start": start, "end": start + len(span), "head_start": at,
            "head_end": at + len(head), **labels, **places, **more}  # fmt: skip


TWO = "Nettle tea eased hay fever but did not shorten colds."
ONE = "Nettle tea eased hay fever and coughs."
INNER = "Nettle tea, which may stain teeth, eased hay fever."
SENTENCES = {
    TWO: [
        claim(TWO, "Nettle tea eased hay fever", "eased", subject="tea", outcome="fever"),
        claim(TWO, "did not shorten colds", "shorten", subject="tea", outcome="colds",
              polarity="negated", direction="no_effect"),
    ],
    ONE: [claim(ONE, "Nettle tea eased hay fever and coughs", "eased")],
    INNER: [
        claim(INNER, INNER[:-1], "eased"),
        claim(INNER, "which may stain teeth", "stain", certainty="possible", direction="harm"),
    ],
}  # fmt: skip


def found(text: str, *spans: str, **more: Any) -> list[dict[str, Any]]:
    """Predicted claims of a sentence, labelled as certain benefits."""
    return [
        {"start": text.index(span), "end": text.index(span) + len(span), "index": index,
         "text": span, "certainty": "certain", "polarity": "affirmed", "direction": "benefit",
         "attribution": "author", "subject": "Nettle tea", "outcome": "hay fever", **more}
        for index, span in enumerate(spans)
    ]  # fmt: skip


def sentence(text: str) -> dict[str, Any]:
    return {"id": text[:9], "text": text, "start": 0, "end": len(text), "claims": SENTENCES[text]}


def test_right_claims_hold_one_head_each(scorer: ModuleType) -> None:
    split = found(TWO, "Nettle tea eased hay fever", "did not shorten colds")
    assert scorer.match(SENTENCES[TWO], split) == {0: 0, 1: 1}
    assert scorer.match(SENTENCES[TWO], found(TWO, TWO)) == {}
    assert scorer.match(SENTENCES[TWO], []) == {}


def test_each_annotated_claim_takes_one_predicted_claim(scorer: ModuleType) -> None:
    twice = found(TWO, "eased", "Nettle tea eased hay fever")
    assert scorer.match(SENTENCES[TWO], twice) == {0: 1}


def test_a_main_clause_may_hold_its_relative_clause(scorer: ModuleType) -> None:
    assert scorer.match(SENTENCES[INNER], found(INNER, INNER)) == {0: 0}
    both = found(INNER, INNER, "which may stain teeth")
    assert scorer.match(SENTENCES[INNER], both) == {0: 0, 1: 1}


def test_figures_count_claims_labels_and_sentences_kept_whole(scorer: ModuleType) -> None:
    predicted = [
        found(TWO, "Nettle tea eased hay fever", "did not shorten colds"),
        found(INNER, INNER),
        found(ONE, ONE[:-1]),
    ]
    figures = scorer.figures([sentence(text) for text in (TWO, INNER, ONE)], predicted)
    assert figures["precision"] == (3, 3)
    assert figures["recall"] == (3, 4)
    assert figures["f1"] == (6, 7)
    assert figures["main_first"] == (2, 2)
    assert figures["kept_whole"] == (1, 1)
    assert figures["no_claim"] == (0, 1)
    assert figures["polarity"] == (3, 4)
    assert figures["certainty"] == (4, 4)
    assert figures["subject"] == (2, 2)
    assert figures["outcome"] == (1, 2)


def test_a_split_sentence_with_one_claim_is_not_kept_whole(scorer: ModuleType) -> None:
    parts = [found(ONE, "Nettle tea eased hay fever", "coughs"), []]
    figures = scorer.figures([sentence(ONE), sentence(ONE)], parts)
    assert figures["kept_whole"] == (0, 2)
    assert figures["no_claim"] == (1, 2)


def write(folder: Path, *, digest: str | None = None) -> Path:
    """An annotation of one sentence that stands second in its record, and the record's file."""
    records = folder / "data" / "certainty" / "invented" / "train.jsonl"
    records.parent.mkdir(parents=True)
    text = f"We grew nettles. {TWO}"
    lines = [{"id": "n1", "text": "Nothing."}, {"id": "n1", "text": text}]
    records.write_text("".join(json.dumps(line) + "\n" for line in lines))
    annotation = {
        "split": "dev", "source": "invented", "id": "n1", "record": 1,
        "start": text.index(TWO), "end": len(text),
        "sha256": digest or hashlib.sha256(TWO.encode()).hexdigest()[:12],
        "claims": SENTENCES[TWO],
    }  # fmt: skip
    path = folder / "splitting.jsonl"
    path.write_text(json.dumps(annotation) + "\n")
    return path


def extracted(items: Sequence[tuple[str, str, bytes]]) -> dict[str, pa.Table]:
    """A pipeline that finds one claim in each sentence of one document."""
    ((doc_id, _, content),) = items
    text = content.decode()
    claims = found(text, "We grew nettles.", TWO)
    return {
        "documents": pa.Table.from_pylist([{"doc_id": doc_id, "text": text}]),
        "claims": pa.Table.from_pylist([{"doc_id": doc_id, **row} for row in claims]),
    }


def test_claims_of_the_sentence_are_taken_from_the_whole_record(
    scorer: ModuleType, tmp_path: Path
) -> None:
    (read,) = scorer.read_sentences(write(tmp_path), tmp_path)
    ((only,),) = scorer.predict([read], extracted)
    assert (only["start"], only["end"], only["text"]) == (0, len(TWO), TWO)


def test_a_changed_text_is_refused(scorer: ModuleType, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="invented n1: found another text"):
        scorer.read_sentences(write(tmp_path, digest="0" * 12), tmp_path)


def test_the_annotation_is_sound(scorer: ModuleType) -> None:
    rows = [json.loads(line) for line in scorer.SENTENCES.read_text("utf-8").splitlines()]
    assert sum(len(row["claims"]) > 1 for row in rows) == 200
    assert sum(len(row["claims"]) == 1 for row in rows) == 100
    assert len({(row["source"], row["id"]) for row in rows}) == len(rows)
    for row in rows:
        length = row["end"] - row["start"]
        for one in row["claims"]:
            assert 0 <= one["start"] <= one["head_start"] < one["head_end"] <= one["end"] <= length
            heads = [other for other in row["claims"] if other is not one]
            for other in heads:
                inside = one["start"] <= other["head_start"] < one["end"]
                nested = one["start"] <= other["start"] and other["end"] <= one["end"]
                assert not inside or nested
