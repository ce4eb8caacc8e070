"""Claims for other tools: one wide row a claim (CSV, JSON lines), and W3C Web Annotations.

Documents are read a few at a time, so that memory does not grow with the corpus.
"""

from __future__ import annotations

import csv
import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from hedgerow import tables
from hedgerow.store import Read

SEPARATOR = " | "
"""Stands between outcomes, references or cues that are joined into one text."""

_DOCUMENTS = 200
"""Documents read at a time."""
_CONTEXT = 32
"""Code points of text before and after a quote that make it unique (Web Annotation 4.2.4)."""
_TAGS = (
    "claim_type",
    "certainty",
    "polarity",
    "direction",
    "attribution",
    "evidence",
    "subject",
    "outcome",
    "population",
)

WIDE_COLUMNS = (
    *(column.name for column in tables.CLAIMS.columns),
    "outcomes",
    "references",
    "cues",
)
"""The columns of a wide row: those of `claims`, then all outcomes, references and deciding cues."""


def _batches(read: Read) -> Iterator[list[str]]:
    ids = iter(sorted(read("documents", columns=["doc_id"]).column("doc_id").to_pylist()))
    while batch := list(islice(ids, _DOCUMENTS)):
        yield batch


def wide_claims(read: Read) -> Iterator[dict[str, Any]]:
    """Yield a wide row for each claim, by document and place; see `WIDE_COLUMNS`."""
    names = ("claims", "claim_outcomes", "claim_references", "claim_cues", "references", "cues")
    for batch in _batches(read):
        yield from _widened({name: read(name, doc_ids=batch).to_pylist() for name in names})


def _widened(rows: Mapping[str, Sequence[dict[str, Any]]]) -> Iterator[dict[str, Any]]:
    cue_texts = {row["cue_id"]: row["text"] for row in rows["cues"]}
    entries = {row["reference_id"]: row["raw"] for row in rows["references"]}
    outcomes = _joined(rows["claim_outcomes"], lambda row: row["outcome"])
    cues = _joined(rows["claim_cues"], lambda row: cue_texts[row["cue_id"]])
    references = _joined(
        rows["claim_references"],
        lambda row: entries.get(row["reference_id"], row["identifier"]),
    )
    for claim in rows["claims"]:
        claim_id = claim["claim_id"]
        yield {
            **claim,
            "outcomes": outcomes[claim_id],
            "references": references[claim_id],
            "cues": cues[claim_id],
        }


def _joined(
    rows: Iterable[Mapping[str, Any]], value: Callable[[Mapping[str, Any]], str | None]
) -> defaultdict[str, str | None]:
    """Return claim id -> the values of its rows in their order, joined; None without any."""
    found: defaultdict[str, list[str]] = defaultdict(list)
    for row in sorted(rows, key=lambda row: (row["claim_id"], row["index"])):
        text = value(row)
        if text:
            found[row["claim_id"]].append(text)
    joined: defaultdict[str, str | None] = defaultdict(lambda: None)
    joined.update((claim_id, SEPARATOR.join(texts)) for claim_id, texts in found.items())
    return joined


def write_csv(read: Read, path: Path) -> int:
    """Write wide claims as CSV (UTF-8, all texts quoted, nulls bare); return their number.

    Texts stand as they are in the documents: a spreadsheet may take one that begins with an
    equals sign for a formula, so import such files as text.
    """
    number = 0
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, WIDE_COLUMNS, quoting=csv.QUOTE_NONNUMERIC)
        writer.writeheader()
        for row in wide_claims(read):
            writer.writerow(row)
            number += 1
    return number


def write_jsonl(read: Read, path: Path) -> int:
    """Write wide claims as JSON lines; return their number."""
    number = 0
    with path.open("w", encoding="utf-8", newline="\n") as file:
        for row in wide_claims(read):
            file.write(json.dumps(row, ensure_ascii=False) + "\n")
            number += 1
    return number


def web_annotations(read: Read) -> Iterator[dict[str, Any]]:
    """Yield a W3C Web Annotation (Recommendation of 2017) for each claim.

    The target is the document, selected by quote (exact, prefix, suffix) and by position (code
    points of `documents.text`). The body tags the claim; the model that made it is the generator.
    """
    generator = _generator(read)
    for batch in _batches(read):
        texts = {row["doc_id"]: row for row in read("documents", doc_ids=batch).to_pylist()}
        for claim in read("claims", doc_ids=batch).to_pylist():
            yield _annotation(claim, texts[claim["doc_id"]], generator)


def _generator(read: Read) -> dict[str, Any]:
    runs = read("runs").to_pylist()
    if not runs:
        return {"type": "Software", "name": "Hedgerow"}
    last = runs[-1]
    return {
        "id": f"urn:hedgerow:run:{last['run_id']}",
        "type": "Software",
        "name": "Hedgerow",
        "schema:softwareVersion": last["hedgerow_version"],
        "hedgerow:model": last["model_digest"],
    }


def _annotation(
    claim: Mapping[str, Any], document: Mapping[str, Any], generator: Mapping[str, Any]
) -> dict[str, Any]:
    text, start, end = document["text"], claim["start"], claim["end"]
    return {
        "id": f"urn:hedgerow:claim:{claim['claim_id']}",
        "type": "Annotation",
        "motivation": "classifying",
        "generator": generator,
        "body": [
            {"type": "TextualBody", "purpose": "tagging", "value": f"{name}: {claim[name]}"}
            for name in _TAGS
            if claim[name] not in (None, "none")
        ],
        "hedgerow:certaintyScore": claim["certainty_score"],
        "hedgerow:confidence": claim["confidence"],
        "target": {
            "source": {
                "id": document["url"] or f"urn:hedgerow:document:{claim['doc_id']}",
                "type": "Text",
                "schema:identifier": claim["doc_id"],
                "schema:name": document["title"],
                "schema:sha256": document["source_sha256"],
            },
            "selector": [
                {
                    "type": "TextQuoteSelector",
                    "exact": claim["text"],
                    "prefix": text[max(0, start - _CONTEXT) : start],
                    "suffix": text[end : end + _CONTEXT],
                },
                {"type": "TextPositionSelector", "start": start, "end": end},
            ],
        },
    }


_CONTEXT_DOCUMENT = [
    "http://www.w3.org/ns/anno.jsonld",
    {"schema": "https://schema.org/", "hedgerow": "urn:hedgerow:term:"},
]


def write_annotations(read: Read, path: Path) -> int:
    """Write claims as one page of W3C Web Annotations in JSON-LD; return their number.

    One annotation stands on a line of its own, so that large files can be read by lines too.
    """
    head = {
        "@context": _CONTEXT_DOCUMENT,
        "id": "urn:hedgerow:annotations",
        "type": "AnnotationPage",
    }
    number = 0
    with path.open("w", encoding="utf-8", newline="\n") as file:
        file.write(json.dumps(head, ensure_ascii=False)[:-1] + ', "items": [')
        for item in web_annotations(read):
            file.write(("," if number else "") + "\n" + json.dumps(item, ensure_ascii=False))
            number += 1
        file.write("\n]}\n")
    return number
