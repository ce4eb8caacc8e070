"""How well the pipeline does on annotated documents: `hedgerow evaluate --gold FILE…`.

The documents of gold files go through the same readers and stages as in a run, and the gold units
are matched with the sentences found. What counts, and how:

- A gold unit is matched with the sentence that overlaps it most. A unit that none overlaps is
  missed: its kind is wrong, and if it is a claim it lowers recall.
- claim: precision over predicted claims that overlap annotated text (right where the unit that they
  overlap most is a claim), recall over gold claims.
- certainty and the other labels: over gold claims that were found as claims; `end_to_end` counts
  the others as wrong. A second acceptable label (`alt`) is as good as the first.
- calibration: `confidence` of predicted claims against whether they are claims with the right
  certainty; expected calibration error over ten bins of equal width (Guo and others 2017).
- intervals: 95%, from resampling documents (percentile bootstrap, seeded).
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from hedgerow import tables
from hedgerow.errors import ResourceError

Counts = npt.NDArray[np.float64]
Extract = Callable[[Sequence[tuple[str, str, bytes]]], Mapping[str, pa.Table]]
"""Takes (doc_id, path, bytes) items, gives the tables documents, sentences, certainty, claims."""

LABELS = {task: labels for task, labels in tables.UNIT_LABELS.items() if task != "kind"}
"""The labels of claims that are scored, with their classes."""

BINS = 10
POOLED = "pooled"


@dataclass(frozen=True)
class GoldUnit:
    """An annotated unit: text[start:end] of its document, its labels, and second labels."""

    id: str
    start: int
    end: int
    text: str
    labels: Mapping[str, str]
    alternatives: Mapping[str, str]

    def accepts(self, task: str, label: str | None) -> bool:
        """Whether a predicted label is one of the unit's labels."""
        return label is not None and label in (self.labels.get(task), self.alternatives.get(task))


@dataclass(frozen=True)
class GoldDocument:
    """An annotated document: its gold file's name, its text and its units in order.

    facts: what its documents file says of it, such as publisher and genre.
    """

    doc_id: str
    file: str
    text: str
    units: tuple[GoldUnit, ...]
    facts: Mapping[str, Any] = field(default_factory=dict)


def read_gold(path: Path) -> list[GoldDocument]:
    """Return the documents of a gold file, in the order of their first unit.

    The texts come from `<name>.documents.jsonl` beside it, or from the file in ../seed_pages that
    the units name as `source`. Where no text is kept, the units, a blank line apart, are the text.
    Raises ResourceError where the file or a text is missing.
    """
    name = path.name.split(".")[0]
    try:
        records = [json.loads(line) for line in path.read_text("utf-8").splitlines() if line]
    except (OSError, ValueError) as error:
        raise ResourceError(
            f"gold file {path}: {error}; expected one JSON object a line"
        ) from error
    companion = path.with_name(f"{name}.documents.jsonl")
    facts: dict[str, dict[str, Any]] = {}
    if companion.is_file():
        lines = companion.read_text("utf-8").splitlines()
        facts = {record["doc"]: record for record in map(json.loads, lines)}
    by_doc: dict[str, list[dict[str, Any]]] = {}
    for record in records:
        by_doc.setdefault(record["doc"], []).append(record)
    return [
        _gold_document(path, name, doc, found, facts.get(doc, {})) for doc, found in by_doc.items()
    ]


def _gold_document(
    path: Path, name: str, doc: str, records: list[dict[str, Any]], facts: dict[str, Any]
) -> GoldDocument:
    text = facts.get("text")
    if text is None and "source" in records[0]:
        page = path.parent.parent / "seed_pages" / records[0]["source"]
        try:
            text = page.read_bytes().decode("utf-8")
        except OSError as error:
            raise ResourceError(f"gold file {path}: {error}; expected the page there") from error
    if text is None:
        records = _joined(records)
        text = "\n\n".join(record["text"] for record in records)
    return GoldDocument(
        doc_id=f"{name}/{doc}",
        file=name,
        text=text,
        units=tuple(_gold_unit(record) for record in records),
        facts={**{k: v for k, v in facts.items() if k != "text"}, **_shared_facts(records)},
    )


def _joined(records: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the records with offsets into their texts joined by blank lines."""
    placed, position = [], 0
    for record in records:
        end = position + len(record["text"])
        placed.append({**record, "start": position, "end": end})
        position = end + 2
    return placed


def _shared_facts(records: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    group = records[0].get("genre_group")
    return {"genre_group": group} if group else {}


def _gold_unit(record: Mapping[str, Any]) -> GoldUnit:
    labels = {"kind": record["kind"]}
    if record["kind"] == "claim":
        labels |= {task: record.get(task) or "none" for task in LABELS}
    return GoldUnit(
        id=record["id"],
        start=record["start"],
        end=record["end"],
        text=record["text"],
        labels=labels,
        alternatives=record.get("alt") or {},
    )


def items_of(documents: Iterable[GoldDocument]) -> list[tuple[str, str, bytes]]:
    """Return the documents as the items of a run: plain-text files."""
    return [(d.doc_id, f"{d.doc_id}.txt", d.text.encode("utf-8")) for d in documents]


def match_units(
    document: GoldDocument, text: str, spans: Sequence[tuple[int, int]]
) -> tuple[list[int | None], list[int | None]]:
    """Match gold units with sentences by overlap.

    text: the document as the pipeline has it (its reader may have normalised it). spans: (start,
    end) of its sentences, in order.
    Returns for each gold unit its sentence, and for each sentence its gold unit.
    """
    shift = _shift(document.text, text)
    gold = [(shift(unit.start), shift(unit.end)) for unit in document.units]
    return _best_overlaps(gold, spans), _best_overlaps(spans, gold)


def _best_overlaps(
    ours: Sequence[tuple[int, int]], theirs: Sequence[tuple[int, int]]
) -> list[int | None]:
    """Return for each of our spans which of theirs overlaps it most, the first of equals."""
    if not theirs:
        return [None] * len(ours)
    starts = np.asarray([start for start, _ in theirs])
    ends = np.asarray([end for _, end in theirs])
    found: list[int | None] = []
    for start, end in ours:
        overlap = np.minimum(ends, end) - np.maximum(starts, start)
        best = int(np.argmax(overlap))
        found.append(best if overlap[best] > 0 else None)
    return found


def _shift(source: str, target: str) -> Callable[[int], int]:
    """Return how offsets of `source` are found in `target`, which differs in blanks and the like.

    Characters other than blanks are counted; where their numbers differ, places shift in
    proportion.
    """
    if source == target:
        return lambda offset: offset
    before = np.cumsum([0, *(not char.isspace() for char in source)])
    after = np.flatnonzero([not char.isspace() for char in target])
    scale = len(after) / max(1, int(before[-1]))

    def shift(offset: int) -> int:
        rank = min(round(int(before[offset]) * scale), len(after) - 1)
        return int(after[rank]) if rank >= 0 else 0

    return shift


@dataclass(frozen=True)
class _Counts:
    """What is counted in one document; sums over documents give every figure.

    claims: true positives, false positives, false negatives. confusion: task -> (gold, predicted),
    where kind has one more predicted column, for missed units. missed: gold claims not found.
    bins: (BINS, 3): predicted claims, sum of their confidence, how many are right.
    """

    claims: Counts
    confusion: Mapping[str, Counts]
    missed: Counts
    bins: Counts


@dataclass(frozen=True)
class Report:
    """The figures of an evaluation.

    figures: name of a gold file, or "pooled" -> figure -> value. intervals: likewise -> (low,
    high). reliability: rows of predicted claims by confidence, pooled. errors: one row a wrong
    label.
    """

    figures: Mapping[str, Mapping[str, float]]
    intervals: Mapping[str, Mapping[str, tuple[float, float]]]
    reliability: Sequence[Mapping[str, float | None]]
    errors: Sequence[Mapping[str, Any]]

    def as_json(self) -> dict[str, Any]:
        """Return the figures as plain data."""
        return {
            "figures": {
                part: {
                    name: {
                        "value": _rounded(value),
                        "low": _rounded(self.intervals[part][name][0]),
                        "high": _rounded(self.intervals[part][name][1]),
                    }
                    for name, value in figures.items()
                    if name in self.intervals[part]
                }
                | {"units": int(figures["units"]), "documents": int(figures["documents"])}
                for part, figures in self.figures.items()
            },
            "reliability": [dict(row) for row in self.reliability],
        }

    def write_errors(self, path: Path) -> None:
        """Write the wrong labels as CSV, a row a label."""
        names = ("file", "doc_id", "unit", "task", "gold", "found", "confidence", "text")
        with path.open("w", encoding="utf-8", newline="") as out:
            writer = csv.DictWriter(out, names)
            writer.writeheader()
            writer.writerows(self.errors)


def _rounded(value: float) -> float | None:
    return None if np.isnan(value) else round(float(value), 4)


def evaluate(
    paths: Sequence[Path],
    *,
    model: str | None = None,
    errors: Path | None = None,
    samples: int = 1000,
    seed: int = 0,
) -> dict[str, Any]:
    """Run the documents of gold files through the stages of a run and compare; see `Report`.

    model: a model to use in place of the one that ships. errors: a CSV file to write the wrong
    labels to. samples: how often documents are resampled for the intervals.
    Returns the figures as plain data: "figures": file, or "pooled" -> figure -> value, low, high
    (None where there is nothing to measure); "reliability": predicted claims by confidence.
    Raises ResourceError where a gold file cannot be read or a document of it is rejected.
    """
    from hedgerow import settings
    from hedgerow.resources import Resources
    from hedgerow.tasks import run_stages

    resources = Resources(settings.load(model=model))

    def extract(items: Sequence[tuple[str, str, bytes]]) -> Mapping[str, pa.Table]:
        return run_stages(items, resources, last="claims")

    report = compare(paths, extract, samples=samples, seed=seed)
    if errors is not None:
        report.write_errors(errors)
    return report.as_json()


def render(result: Mapping[str, Any]) -> str:
    """Return the result of `evaluate` as text: figures by file, then the calibration."""
    from rich.console import Console
    from rich.table import Table as RichTable

    parts: Mapping[str, Mapping[str, Any]] = result["figures"]
    table = RichTable(title="Figures on gold units, with 95% intervals over documents")
    table.add_column("figure")
    for part, figures in parts.items():
        table.add_column(
            f"{part}\n{figures['units']} units, {figures['documents']} documents", justify="right"
        )
    first = next(iter(parts.values()))
    for name in (name for name, value in first.items() if isinstance(value, dict)):
        table.add_row(name.replace("_", " "), *(_cell(part[name]) for part in parts.values()))
    curve = RichTable(title="Predicted claims by confidence")
    for name in ("confidence", "claims", "mean confidence", "share right"):
        curve.add_column(name, justify="right")
    for row in result["reliability"]:
        if row["claims"]:
            curve.add_row(
                f"{row['from']:.1f}-{row['to']:.1f}",
                str(row["claims"]),
                f"{row['mean_confidence']:.3f}",
                f"{row['share_right']:.3f}",
            )
    out = io.StringIO()
    console = Console(file=out, width=60 + 28 * len(parts), color_system=None)
    console.print(table)
    console.print(curve)
    return out.getvalue()


def _cell(figure: Mapping[str, float | None]) -> str:
    if figure["value"] is None:
        return "-"
    return f"{figure['value']:.3f} ({figure['low']:.3f}-{figure['high']:.3f})"


def compare(
    paths: Sequence[Path], extract: Extract, *, samples: int = 1000, seed: int = 0
) -> Report:
    """Run the documents of gold files through `extract` and compare.

    samples: how often documents are resampled for the intervals.
    Raises ResourceError where a gold file cannot be read or a document of it is rejected.
    """
    documents = [document for path in paths for document in read_gold(path)]
    held = extract(items_of(documents))
    predicted = _by_document(held)
    missing = [d.doc_id for d in documents if d.doc_id not in predicted]
    if missing:
        raise ResourceError(
            f"gold document {missing[0]!r}: found no sentences (of {len(missing)} documents); "
            "expected text that the reader accepts"
        )
    counts, errors = [], []
    for document in documents:
        counted, wrong = _count(document, predicted[document.doc_id])
        counts.append(counted)
        errors += wrong
    parts: dict[str, list[int]] = {}
    for i, document in enumerate(documents):
        parts.setdefault(document.file, []).append(i)
    if len(parts) > 1 or not parts:
        parts[POOLED] = list(range(len(documents)))
    figures, intervals = {}, {}
    for part, chosen in parts.items():
        some = [counts[i] for i in chosen]
        figures[part] = _figures(_summed(some)) | {
            "units": float(sum(len(documents[i].units) for i in chosen)),
            "documents": float(len(chosen)),
        }
        intervals[part] = _intervals(some, samples=samples, seed=seed)
    return Report(figures, intervals, _reliability(_summed(counts).bins), errors)


@dataclass(frozen=True)
class _Predicted:
    """One document's sentences, in order, and their labels: those of `certainty`, and for a claim
    those of the sentence's first claim.
    """

    text: str
    spans: list[tuple[int, int]]
    rows: list[dict[str, Any]]


def _by_document(held: Mapping[str, pa.Table]) -> dict[str, _Predicted]:
    texts = dict(
        zip(
            held["documents"].column("doc_id").to_pylist(),
            held["documents"].column("text").to_pylist(),
            strict=True,
        )
    )
    rows = {row["sentence_id"]: row for row in held["certainty"].to_pylist()}
    for claim in held["claims"].to_pylist():
        if claim["index"] == 0:
            rows[claim["sentence_id"]] |= {task: claim[task] for task in (*LABELS, "confidence")}
    found: dict[str, _Predicted] = {}
    sentences = held["sentences"].select(["doc_id", "index", "sentence_id", "start", "end"])
    for sentence in sorted(sentences.to_pylist(), key=lambda row: (row["doc_id"], row["index"])):
        doc_id = sentence["doc_id"]
        document = found.setdefault(doc_id, _Predicted(texts[doc_id], [], []))
        document.spans.append((sentence["start"], sentence["end"]))
        document.rows.append(rows[sentence["sentence_id"]])
    return found


def _count(document: GoldDocument, predicted: _Predicted) -> tuple[_Counts, list[dict[str, Any]]]:
    sentence_of, unit_of = match_units(document, predicted.text, predicted.spans)
    claims, missed = np.zeros(3), np.zeros(1)
    confusion = {task: np.zeros((len(c), len(c))) for task, c in LABELS.items()}
    confusion["kind"] = np.zeros((len(tables.KINDS), len(tables.KINDS) + 1))
    errors: list[dict[str, Any]] = []

    def note(unit: GoldUnit, task: str, found: str | None, confidence: float | None) -> None:
        errors.append(
            {
                "file": document.file,
                "doc_id": document.doc_id,
                "unit": unit.id,
                "task": task,
                "gold": unit.labels[task],
                "found": found or "missed",
                "confidence": confidence,
                "text": unit.text,
            }
        )

    for unit, sentence in zip(document.units, sentence_of, strict=True):
        row = predicted.rows[sentence] if sentence is not None else None
        kind = row["kind"] if row else None
        gold_kind = kind if row and unit.accepts("kind", kind) else unit.labels["kind"]
        place = tables.KINDS.index(kind) if kind else len(tables.KINDS)
        confusion["kind"][tables.KINDS.index(gold_kind), place] += 1
        if gold_kind != kind:
            note(unit, "kind", kind, None if row is None else row["confidence"])
        if gold_kind != "claim" or unit.labels["kind"] != "claim":
            continue
        if row is None or kind != "claim":
            claims[2] += 1
            missed += 1
            continue
        claims[0] += 1
        for task, classes in LABELS.items():
            label = row[task]
            gold = label if unit.accepts(task, label) else unit.labels[task]
            confusion[task][classes.index(gold), classes.index(label)] += 1
            if gold != label:
                note(unit, task, label, row["confidence"])
    bins = np.zeros((BINS, 3))
    for row, number in zip(predicted.rows, unit_of, strict=True):
        if number is None or row["kind"] != "claim":
            continue
        unit = document.units[number]
        is_claim = unit.accepts("kind", "claim")
        claims[1] += not is_claim
        right = is_claim and (
            unit.labels["kind"] != "claim" or unit.accepts("certainty", row["certainty"])
        )
        bins[min(int(row["confidence"] * BINS), BINS - 1)] += (1.0, row["confidence"], right)
    return _Counts(claims, confusion, missed, bins), errors


def _summed(counts: Sequence[_Counts]) -> _Counts:
    return _Counts(
        claims=np.sum([c.claims for c in counts], axis=0),
        confusion={
            task: np.sum([c.confusion[task] for c in counts], axis=0) for task in ("kind", *LABELS)
        },
        missed=np.sum([c.missed for c in counts], axis=0),
        bins=np.sum([c.bins for c in counts], axis=0),
    )


def _figures(counts: _Counts) -> dict[str, float]:
    hits, wrong, lost = counts.claims
    figures = {
        "claim_precision": _ratio(hits, hits + wrong),
        "claim_recall": _ratio(hits, hits + lost),
        "claim_f1": _ratio(2 * hits, 2 * hits + wrong + lost),
        "kind_accuracy": _ratio(np.trace(counts.confusion["kind"]), counts.confusion["kind"].sum()),
    }
    for task in LABELS:
        confusion = counts.confusion[task]
        right, total = float(np.trace(confusion)), float(confusion.sum())
        figures[f"{task}_accuracy"] = _ratio(right, total)
        figures[f"{task}_macro_f1"] = macro_f1(confusion)
        figures[f"{task}_end_to_end"] = _ratio(right, total + float(counts.missed[0]))
    figures["calibration_error"] = calibration_error(counts.bins)
    return figures


def _ratio(part: float, whole: float) -> float:
    return float(part) / float(whole) if whole else float("nan")


def macro_f1(confusion: Counts) -> float:
    """Return the mean F1 of the classes that occur in gold: confusion[gold, predicted]."""
    gold, predicted = confusion.sum(axis=1), confusion.sum(axis=0)
    occurs = gold > 0
    if not occurs.any():
        return float("nan")
    return float(np.mean(2 * np.diag(confusion)[occurs] / (gold + predicted)[occurs]))


def calibration_error(bins: Counts) -> float:
    """Return the expected calibration error of (n_bins, 3) counts, confidences and hits."""
    total = bins[:, 0].sum()
    return float(np.abs(bins[:, 1] - bins[:, 2]).sum() / total) if total else float("nan")


def _intervals(
    counts: Sequence[_Counts], *, samples: int, seed: int
) -> dict[str, tuple[float, float]]:
    """Return the 2.5th and 97.5th percentile of each figure over resampled documents."""
    random = np.random.default_rng(seed)
    stacked = _Counts(
        claims=np.stack([c.claims for c in counts]),
        confusion={
            task: np.stack([c.confusion[task] for c in counts]) for task in ("kind", *LABELS)
        },
        missed=np.stack([c.missed for c in counts]),
        bins=np.stack([c.bins for c in counts]),
    )
    drawn: dict[str, list[float]] = {}
    for _ in range(samples):
        weights = np.bincount(random.integers(0, len(counts), len(counts)), minlength=len(counts))
        for name, value in _figures(_weighted(stacked, weights.astype(np.float64))).items():
            drawn.setdefault(name, []).append(value)
    intervals = {}
    for name, values in drawn.items():
        known = np.asarray(values)[~np.isnan(values)]
        low, high = np.percentile(known, (2.5, 97.5)) if len(known) else (np.nan, np.nan)
        intervals[name] = (float(low), float(high))
    return intervals


def _weighted(stacked: _Counts, weights: Counts) -> _Counts:
    """Return the sum of stacked counts (n_documents first), each document times its weight."""

    def total(values: Counts) -> Counts:
        return np.tensordot(weights, values, axes=1)

    return _Counts(
        claims=total(stacked.claims),
        confusion={task: total(values) for task, values in stacked.confusion.items()},
        missed=total(stacked.missed),
        bins=total(stacked.bins),
    )


def _reliability(bins: Counts) -> list[dict[str, float | None]]:
    return [
        {
            "from": i / BINS,
            "to": (i + 1) / BINS,
            "claims": int(n),
            "mean_confidence": round(confidence / n, 4) if n else None,
            "share_right": round(right / n, 4) if n else None,
        }
        for i, (n, confidence, right) in enumerate(bins.tolist())
    ]
