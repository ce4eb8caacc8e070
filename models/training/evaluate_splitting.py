"""Measure how sentences are split into claims.

    python models/training/evaluate_splitting.py --data ../shared

Reads `tests/data/splitting.jsonl`: sentences of openly licensed texts, each with its claims as a
reader would quote them, as offsets only; the texts are looked up under `--data`. A claim's head is
the word that predicates: the verb of its clause, or the noun or adjective where there is none.
Claims stand with the main clause's first. Sentences of one document are all in "dev" or in "test".

The records go through the stages of a run, whole. A predicted claim belongs to the sentence that
its middle stands in, and is right where it holds the head of an annotated claim and no other head,
save those of claims that stand inside that claim's own span (a relative clause in a main clause).
Each annotated claim takes one predicted claim, the one that overlaps it most.

Printed for dev and for test, precision, recall and F1 over the sentences with several claims:

- main_first: how often the main clause's claim is the first of the sentence;
- span_overlap: characters shared by right claims and annotated ones, over those of either;
- kept_whole: of the sentences with one claim, how many give one claim; no_claim: how many none;
- certainty, polarity, direction, attribution: accuracy on right claims; subject, outcome: how
  often the text found holds the annotated head word, where there is one.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import json
import lzma
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

SENTENCES = Path(__file__).parents[2] / "tests" / "data" / "splitting.jsonl"
LABELS = ("certainty", "polarity", "direction", "attribution")
ARGUMENTS = ("subject", "outcome")
_OPENERS: Mapping[str, Callable[..., Any]] = {".xz": lzma.open, ".gz": gzip.open}

Row = Mapping[str, Any]
Extract = Callable[[Sequence[tuple[str, str, bytes]]], Mapping[str, pa.Table]]


def read_sentences(path: Path, data: Path) -> list[dict[str, Any]]:
    """Return the annotated sentences, each with the `text` of its record.

    path: the annotation file. data: the folder that holds `data/certainty/<source>/train.jsonl*`.
    Raises FileNotFoundError where a source is missing, ValueError where a text has changed.
    """
    sentences = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    texts: dict[tuple[str, int | str], str] = {}
    for source in sorted({sentence["source"] for sentence in sentences}):
        wanted = {_record(s) for s in sentences if s["source"] == source}
        for number, record in enumerate(_records(data / "data" / "certainty" / source)):
            for name in (number, record["id"]):
                if name in wanted:
                    texts[source, name] = record["text"]
    for sentence in sentences:
        text = texts.get((sentence["source"], _record(sentence)), "")
        found = text[sentence["start"] : sentence["end"]]
        if hashlib.sha256(found.encode()).hexdigest()[:12] != sentence["sha256"]:
            raise ValueError(
                f"{sentence['source']} {sentence['id']}: found another text at "
                f"{sentence['start']}-{sentence['end']}; expected the one that was annotated"
            )
        sentence["text"] = text
    return sentences


def _record(sentence: Row) -> int | str:
    """Return what tells its record: the line from 0 where ids repeat, else the id."""
    found: int | str = sentence.get("record", sentence["id"])
    return found


def _records(folder: Path) -> Iterable[dict[str, Any]]:
    path = next(folder.glob("train.jsonl*"), folder / "train.jsonl")
    with _OPENERS.get(path.suffix, open)(path, "rt", encoding="utf-8") as lines:
        yield from map(json.loads, lines)


def predict(sentences: Sequence[Row], extract: Extract) -> list[list[dict[str, Any]]]:
    """Return each sentence's predicted claims in order, with offsets into the sentence.

    Raises ValueError where the reader has changed a text, so that offsets would be wrong.
    """
    ids = [f"{s['source']}/{s['id']}/{_record(s)}" for s in sentences]
    held = extract(
        [(i, f"{i}.txt", s["text"].encode()) for i, s in zip(ids, sentences, strict=True)]
    )
    texts = {row["doc_id"]: row["text"] for row in held["documents"].to_pylist()}
    claims: dict[str, list[dict[str, Any]]] = {}
    for claim in held["claims"].to_pylist():
        claims.setdefault(claim["doc_id"], []).append(claim)
    predicted = []
    for doc_id, sentence in zip(ids, sentences, strict=True):
        words = sentence["text"][sentence["start"] : sentence["end"]]
        start = texts[doc_id].find(words)
        if start < 0:
            raise ValueError(f"{sentence['id']}: the reader changed the text; offsets are off")
        end = start + len(words)
        inside = [c for c in claims.get(doc_id, []) if start <= (c["start"] + c["end"]) / 2 < end]
        predicted.append(
            [
                {**claim, "start": claim["start"] - start, "end": claim["end"] - start}
                for claim in sorted(inside, key=lambda claim: (claim["start"], claim["end"]))
            ]
        )
    return predicted


def match(gold: Sequence[Row], predicted: Sequence[Row]) -> dict[int, int]:
    """Return which predicted claim each annotated claim takes: index of gold -> of predicted."""
    taken: dict[int, tuple[float, int]] = {}
    for j, found in enumerate(predicted):
        held = [i for i, claim in enumerate(gold) if _holds(found, claim)]
        outer = [i for i in held if all(k == i or _nested(gold[k], gold[i]) for k in held)]
        for i in outer[:1]:
            taken[i] = max(taken.get(i, (-1.0, j)), (overlap(gold[i], found), j))
    return {i: j for i, (_, j) in taken.items()}


def _holds(found: Row, claim: Row) -> bool:
    inside: bool = found["start"] <= claim["head_start"] and claim["head_end"] <= found["end"]
    return inside


def _nested(inner: Row, outer: Row) -> bool:
    inside: bool = outer["start"] <= inner["start"] and inner["end"] <= outer["end"]
    return inside


def overlap(one: Row, other: Row) -> float:
    """Return the characters that two spans share, over those of either, 0..1."""
    shared: int = min(one["end"], other["end"]) - max(one["start"], other["start"])
    either: int = max(one["end"], other["end"]) - min(one["start"], other["start"])
    return max(0, shared) / either


def figures(
    sentences: Sequence[Row], predicted: Sequence[Sequence[Row]]
) -> dict[str, tuple[float, float]]:
    """Return the figures over sentences, each as a count of hits and of what could be hit."""
    hits: dict[str, float] = {}
    total: dict[str, float] = {}

    def count(name: str, hit: float, of: int = 1) -> None:
        hits[name] = hits.get(name, 0) + hit
        total[name] = total.get(name, 0) + of

    for sentence, found in zip(sentences, predicted, strict=True):
        gold = sentence["claims"]
        pairs = match(gold, found)
        if len(gold) > 1:
            count("precision", len(pairs), len(found))
            count("recall", len(pairs), len(gold))
            count("f1", 2 * len(pairs), len(gold) + len(found))
            first = pairs.get(0)
            count("main_first", first is not None and found[first]["index"] == 0)
        else:
            count("kept_whole", len(found) == 1)
            count("no_claim", not found)
        words = sentence["text"][sentence["start"] : sentence["end"]]
        for i, j in pairs.items():
            count("span_overlap", overlap(gold[i], found[j]))
            for label in LABELS:
                count(label, gold[i][label] == found[j][label])
            for name in ARGUMENTS:
                start, end = gold[i][f"{name}_start"], gold[i][f"{name}_end"]
                if start is not None:
                    text = found[j][name] or ""
                    count(name, words[start:end].lower() in text.lower())
    return {name: (hits[name], total[name]) for name in total}


def main() -> None:
    """Print the figures, or with `--errors` also the sentences of dev that are split otherwise."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--data", type=Path, required=True, help="the folder ../shared")
    parser.add_argument("--sentences", type=Path, default=SENTENCES, help="the annotation file")
    parser.add_argument("--errors", type=Path, help="write dev's wrongly split sentences to a file")
    arguments = parser.parse_args()

    from hedgerow import settings
    from hedgerow.resources import Resources
    from hedgerow.tasks import run_stages

    resources = Resources(settings.load())
    sentences = read_sentences(arguments.sentences, arguments.data)
    predicted = predict(sentences, lambda items: run_stages(items, resources, last="claims"))
    for part in ("dev", "test"):
        chosen = [i for i, sentence in enumerate(sentences) if sentence["split"] == part]
        several = sum(len(sentences[i]["claims"]) > 1 for i in chosen)
        print(f"{part}: {several} sentences with several claims, {len(chosen) - several} with one")
        found = figures([sentences[i] for i in chosen], [predicted[i] for i in chosen])
        for name, (hit, of) in found.items():
            print(f"  {name:13} {hit / of if of else float('nan'):.3f}  ({hit:g} of {of:g})")
    if arguments.errors:
        _write_errors(arguments.errors, sentences, predicted)


def _write_errors(path: Path, sentences: Sequence[Row], predicted: Sequence[Sequence[Row]]) -> None:
    """Write dev's sentences in which a claim was missed or invented, as JSON lines."""
    with path.open("w", encoding="utf-8") as out:
        for sentence, found in zip(sentences, predicted, strict=True):
            right = len(match(sentence["claims"], found))
            if sentence["split"] != "dev" or right == len(sentence["claims"]) == len(found):
                continue
            text = sentence["text"][sentence["start"] : sentence["end"]]
            row = {
                "id": sentence["id"],
                "text": text,
                "expected": [text[c["start"] : c["end"]] for c in sentence["claims"]],
                "heads": [text[c["head_start"] : c["head_end"]] for c in sentence["claims"]],
                "found": [c["text"] for c in found],
            }
            out.write(json.dumps(row, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
