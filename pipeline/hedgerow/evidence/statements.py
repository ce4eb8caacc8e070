"""What the map and the conflicts need of each claim, as far as its own document tells.

One row a claim, and one a reference: the tables `statements` and `works`. What depends on other
documents, such as which names meet and which sentences are copies, is in `placing`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from hashlib import blake2b
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from hedgerow import tables as contract
from hedgerow.evidence.names import Names
from hedgerow.evidence.studies import (
    bands,
    identifier_key,
    is_review,
    reference_keys,
    study_name,
    trial_names,
)
from hedgerow.tables import DIRECTED

MAPPED_TYPES = ("efficacy", "safety", "mechanism", "regulatory", "evidence_quality")
"""Types of claims that have a place in the map; the others are about makers, prices and history."""

_HUMAN_EVIDENCE = frozenset({"meta_analysis", "rct", "human"})
_SPECIES_OF_EVIDENCE = {
    "animal": "animal",
    "in_vitro": "cells",
    **dict.fromkeys(_HUMAN_EVIDENCE, "human"),
}
_NULL_VALUE = {"OR": 1.0, "RR": 1.0, "HR": 1.0, "MD": 0.0, "SMD": 0.0}
"""The value of no effect, by measure."""
_OF_THRESHOLD = {"increase": "benefit", "decrease": "harm"}
"""What a raised or lowered threshold of a symptom is to the person."""
_ELSEWHERE = 0.7
"""Exactness of a subject that neither the claim nor its context names."""
_CLASS = 0.6
"""Exactness of a subject that is a class of remedies: two texts may mean two of them."""
_CONTEXT_MEASURES = ("dose", "duration", "follow-up", "age")


def stance_of(row: Mapping[str, Any], names: Names) -> str:
    """Return the side that a row of `claims` takes."""
    kind = row["claim_type"]
    if kind == "regulatory":
        return "not_approved" if row["polarity"] == "negated" else "approved"
    if kind == "evidence_quality":
        denied = row["polarity"] == "negated" and names.names_evidence(row["text"])
        return "doubt" if denied or names.is_doubt(row["text"]) else "none"
    direction: str = row["direction"]
    if direction == "benefit" and row["polarity"] == "negated" and names.is_doubt(row["text"]):
        return "doubt"  # "No good evidence that it helps" is said of the evidence.
    if row["outcome"] and row["effect"] in _OF_THRESHOLD and names.is_threshold(row["outcome"]):
        direction = _OF_THRESHOLD[row["effect"]]
    return direction if kind in DIRECTED else "none"


def statements_of(tables: Mapping[str, pa.Table], names: Names) -> pa.Table:
    """Return the table `statements`.

    tables: claims, claim_outcomes, claim_references, works, statistics and entities.
    A claim without a subject, or of a type outside `MAPPED_TYPES`, makes no statement.
    """
    rows = [
        row
        for row in tables["claims"].to_pylist()
        if row["subject"] and row["claim_type"] in MAPPED_TYPES
    ]
    outcomes = _outcomes(rows, tables["claim_outcomes"])
    diseases = _diseases(rows, tables["entities"])
    works = {row["reference_id"]: row["keys"][0] for row in tables["works"].to_pylist()}
    cited = _cited(tables["claim_references"], works)
    numbers, intervals, measured = _numbers(tables["statistics"])
    found = []
    for row in rows:
        claim_id = row["claim_id"]
        facts = {
            **_stand(row, names),
            "outcomes": _outcome_rows(row, outcomes[claim_id], names),
            "mentions": _mention_rows(row, diseases.get(row["sentence_id"], ()), names),
            **_study(row, cited.get(claim_id, []), names),
            "numbers": numbers.get(claim_id, []),
            "null_interval": intervals.get(claim_id),
            "measured": claim_id in measured,
        }
        content = repr((sorted(facts.items()), sorted(row.items()))).encode("utf-8")
        found.append(
            {
                "claim_id": claim_id,
                "doc_id": row["doc_id"],
                **facts,
                **_signature(row["text"], names),
                "digest": blake2b(content, digest_size=8).digest(),
            }
        )
    return contract.conform("statements", contract.from_rows("statements", found))


def _stand(row: Mapping[str, Any], names: Names) -> dict[str, Any]:
    """Return what a claim is about, which side it takes, and of whom it speaks."""
    text, population = row["text"], row["population"] or ""
    stance = stance_of(row, names)
    folded = names.fold(text)
    wide, narrow = names.within(folded), names.within(folded, narrow=True)
    doubts = stance == "doubt"
    exactness = 1.0 if row["subject"].casefold() in row["context"].casefold() else _ELSEWHERE
    group = names.condition_of(row["population"], row["outcome"], text)
    return {
        "stance": stance,
        "subject_key": names.key(row["subject"], "subject"),
        "exactness": exactness * (_CLASS if names.is_class(row["subject"]) else 1.0),
        "of_evidence": doubts and names.is_evidence(row["subject"]),
        "approval": row["claim_type"] == "regulatory"
        and wide is not None
        and wide.id == "approval",
        "narrow": narrow.id if narrow else None,
        "population_group": group.id if group else None,
        "population_words": sorted(names.telling_words(population)),
        "species": names.species_of(population) or _SPECIES_OF_EVIDENCE.get(row["evidence"]),
        "place": names.place(text) if stance in ("approved", "not_approved") else None,
        "clear": names.is_doubt(text) if doubts else bool(row["effect"]),
        "denies": names.is_denial(text),
    }


def _outcome_rows(
    row: Mapping[str, Any], outcomes: Iterable[tuple[str, str | None]], names: Names
) -> list[dict[str, Any]]:
    found = []
    for text, kb_id in outcomes:
        clause = names.clause_of(row["text"], text)
        denied = names.is_denial(clause) or names.is_doubt(clause)
        key = names.key(text, "outcome")
        found.append({"text": text, "kb_id": kb_id, "key": key, "denied": denied})
    return found


def _outcomes(
    rows: Iterable[Mapping[str, Any]], further: pa.Table
) -> dict[str, list[tuple[str, str | None]]]:
    """Return claim id -> its (outcome, id) pairs, the first outcome first, each once."""
    found = {
        row["claim_id"]: [(row["outcome"], row["outcome_id"])] if row["outcome"] else []
        for row in rows
    }
    for row in sorted(
        further.select(["claim_id", "index", "outcome", "outcome_id"]).to_pylist(),
        key=lambda r: (r["claim_id"], r["index"]),
    ):
        pair = (row["outcome"], row["outcome_id"])
        pairs = found.get(row["claim_id"])
        if pairs is not None and row["outcome"] and pair not in pairs:
            pairs.append(pair)
    return found


def _diseases(
    rows: Iterable[Mapping[str, Any]], entities: pa.Table
) -> dict[str, list[Mapping[str, Any]]]:
    """Return sentence id -> the diseases that it names, in order, the longer of two first."""
    wanted = pa.array(sorted({row["sentence_id"] for row in rows}), pa.string())
    mask = pc.and_(
        pc.equal(entities.column("label").cast(pa.string()), "DISEASE"),
        pc.is_in(entities.column("sentence_id"), wanted),
    )
    found: defaultdict[str, list[Mapping[str, Any]]] = defaultdict(list)
    columns = ["sentence_id", "start", "end", "text", "kb_id"]
    for row in entities.filter(mask).select(columns).to_pylist():
        found[row["sentence_id"]].append(row)
    for mentions in found.values():
        mentions.sort(key=lambda m: (m["start"], -m["end"], m["text"]))
    return found


def _mention_rows(
    row: Mapping[str, Any], mentions: Sequence[Mapping[str, Any]], names: Names
) -> list[dict[str, Any]]:
    """Return the diseases that a claim may be about: those of its population first.

    A claim of efficacy or approval without any is about those that its outcome names, else its
    text.
    """
    places = [("population", row["population_start"], row["population_end"])]
    if row["claim_type"] in ("efficacy", "regulatory"):
        places += [
            ("outcome", row["outcome_start"], row["outcome_end"]),
            ("text", row["start"], row["end"]),
        ]
    return [
        {"place": place, "text": m["text"], "kb_id": m["kb_id"], "key": _condition(m, names)}
        for place, start, end in places
        if start is not None and end is not None
        for m in mentions
        if start <= m["start"] and m["end"] <= end
    ]


def _condition(mention: Mapping[str, Any], names: Names) -> str:
    return names.key(mention["text"], "condition")


def _cited(table: pa.Table, works: Mapping[str, str]) -> dict[str, list[str]]:
    """Return claim id -> the keys of the works that it cites, in order, each once."""
    cited: defaultdict[str, list[str]] = defaultdict(list)
    columns = ["claim_id", "index", "reference_id", "identifier"]
    for row in sorted(table.select(columns).to_pylist(), key=lambda r: (r["claim_id"], r["index"])):
        key = works.get(row["reference_id"]) if row["reference_id"] else None
        if key is None and row["identifier"]:
            key = identifier_key(row["identifier"])
        if key is not None and key not in cited[row["claim_id"]]:
            cited[row["claim_id"]].append(key)
    return cited


def _study(row: Mapping[str, Any], cited: Sequence[str], names: Names) -> dict[str, Any]:
    key, alone = study_name(row["study"], names)
    return {"cited": list(cited), "study_key": key, "study_alone": alone}


def _numbers(
    table: pa.Table,
) -> tuple[dict[str, list[dict[str, str]]], dict[str, bool], frozenset[str]]:
    """Return what the statistics of claims tell.

    Claim id -> doses, durations, follow-up times and ages, as printed; claim id -> whether all
    intervals that it reports hold the value of no effect; the claims that report a P value or
    confidence interval.
    """
    printed: defaultdict[str, set[tuple[int, str]]] = defaultdict(set)
    null: dict[str, bool] = {}
    measured = set()
    for row in table.filter(pc.is_valid(table.column("claim_id"))).to_pylist():
        claim_id, measure = row["claim_id"], row["measure"]
        if measure in _CONTEXT_MEASURES:
            printed[claim_id].add((_CONTEXT_MEASURES.index(measure), row["text"]))
        if row["p_value"] is not None or row["ci_low"] is not None:
            measured.add(claim_id)
        value = _NULL_VALUE.get(measure)
        if value is None or row["ci_low"] is None or row["ci_high"] is None:
            continue
        holds = row["ci_low"] <= value <= row["ci_high"]
        null[claim_id] = holds and null.get(claim_id, True)
    numbers = {
        claim_id: [{"measure": _CONTEXT_MEASURES[at], "text": text} for at, text in sorted(found)]
        for claim_id, found in printed.items()
    }
    return numbers, null, frozenset(measured)


def _signature(text: str, names: Names) -> dict[str, Any]:
    folded = names.fold(text)
    key = blake2b(folded.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return {"text_key": key, "bands": bands(folded)}


def works_of(references: pa.Table, names: Names) -> pa.Table:
    """Return the table `works`: what tells that entries of two reference lists are one work."""
    return contract.conform(
        "works", contract.from_rows("works", _work_rows(references.to_pylist(), names))
    )


def _work_rows(rows: Iterable[Mapping[str, Any]], names: Names) -> Iterator[dict[str, Any]]:
    for row in rows:
        yield {
            "reference_id": row["reference_id"],
            "doc_id": row["doc_id"],
            "keys": reference_keys(row, names),
            "trials": trial_names(row["raw"]),
            "review": is_review(row),
        }
