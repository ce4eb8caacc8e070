"""The tables `evidence_map`, `evidence_claims` and `conflicts` of a whole corpus."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pyarrow as pa

from hedgerow import tables as contract
from hedgerow.evidence.conflicts import PAIRS_PER_CELL, Conflict, find
from hedgerow.evidence.names import shipped
from hedgerow.evidence.statements import Place, Statement, read

_FOR = frozenset({"benefit"})
_AGAINST = frozenset({"harm", "no_effect"})
_FIRM = frozenset({"certain", "probable"})


def build(tables: Mapping[str, pa.Table], *, per_cell: int = PAIRS_PER_CELL) -> dict[str, pa.Table]:
    """Return the tables `evidence_map`, `evidence_claims` and `conflicts` of a whole corpus.

    tables: the stage's inputs, each with the rows of all documents in any order.
    per_cell: the most pairs kept for one subject and outcome.
    """
    cells: defaultdict[str, list[tuple[Statement, Place]]] = defaultdict(list)
    for statement in read(tables, shipped()):
        for place in statement.cells:
            cells[place.cell_id].append((statement, place))
    ranked = find(cells, per_cell)
    return {
        "evidence_map": contract.conform(
            "evidence_map",
            contract.from_rows("evidence_map", (_cell_row(cells[c]) for c in sorted(cells))),
        ),
        "evidence_claims": contract.conform(
            "evidence_claims",
            contract.from_rows(
                "evidence_claims",
                (_claim_row(cell_id, s) for cell_id in sorted(cells) for s, _ in cells[cell_id]),
            ),
        ),
        "conflicts": contract.conform(
            "conflicts",
            contract.from_rows(
                "conflicts",
                (_conflict_row(conflict, rank) for rank, conflict in enumerate(ranked, start=1)),
            ),
        ),
    }


def _cell_row(members: Sequence[tuple[Statement, Place]]) -> dict[str, Any]:
    statements = [statement for statement, _ in members]
    place = members[0][1]
    directions = Counter(_direction(s) for s in statements)
    certainties = Counter(s.certainty for s in statements)
    return {
        "cell_id": place.cell_id,
        "subject": place.subject.name,
        "subject_id": place.subject.kb_id,
        "axis": place.axis,
        "outcome": place.outcome.name,
        "outcome_id": min((p.outcome.kb_id for _, p in members if p.outcome.kb_id), default=None),
        "claims": len(statements),
        "documents": len({s.doc_id for s in statements}),
        "statements": len({s.copy_of for s in statements}),
        **{f"direction_{name}": directions[name] for name in contract.DIRECTIONS},
        **{name: certainties[name] for name in contract.CERTAINTIES},
        "studies": len(frozenset().union(*(s.studies for s in statements))),
        "strongest_evidence": min((s.evidence for s in statements), key=contract.EVIDENCE.index),
        "agreement": agreement(statements),
        "favourable": _interests(s for s in statements if s.stance in _FOR),
        "unfavourable": _interests(s for s in statements if s.stance in _AGAINST),
    }


def _claim_row(cell_id: str, statement: Statement) -> dict[str, Any]:
    return {
        "cell_id": cell_id,
        "claim_id": statement.claim_id,
        "doc_id": statement.doc_id,
        "stance": statement.stance,
        "copy_of": statement.copy_of,
        "studies": ", ".join(sorted(statement.studies)),
    }


def _direction(statement: Statement) -> str:
    return statement.stance if statement.stance in contract.DIRECTIONS else "none"


def agreement(statements: Iterable[Statement]) -> str:
    """Return how far the claims of a cell agree.

    single: all in one document, or copies of one sentence. conflict: a firm claim (certain or
    probable) on each of two sides. mixed: two sides, one of them hedged; or a claim of mixed
    effects, or doubt beside a benefit. agree: everything else.
    """
    members = list(statements)
    if len({s.doc_id for s in members}) < 2 or len({s.copy_of for s in members}) < 2:
        return "single"
    sides = {s.stance for s in members} - {"none", "neutral"}
    firm = {s.stance for s in members if s.certainty in _FIRM} - {"none", "neutral"}
    if _opposed(firm):
        return "conflict"
    return (
        "mixed"
        if _opposed(sides) or "mixed" in sides or {"benefit", "doubt"} <= sides
        else ("agree")
    )


def _opposed(stances: set[str]) -> bool:
    return len(stances & {"benefit", "harm", "no_effect"}) > 1 or (
        {"approved", "not_approved"} <= stances
    )


def _interests(statements: Iterable[Statement]) -> str:
    """Return the interests that make these claims, most frequent first: "vendor 3, blog 1"."""
    counts = Counter(s.interest for s in statements)
    order = contract.INTERESTS.index
    ranked = sorted(counts.items(), key=lambda item: (-item[1], order(item[0])))
    return ", ".join(f"{interest} {count}" for interest, count in ranked)


def _conflict_row(conflict: Conflict, rank: int) -> dict[str, Any]:
    row: dict[str, Any] = {
        "conflict_id": conflict.conflict_id,
        "rank": rank,
        "kind": conflict.kind,
        "cell_id": conflict.cell.cell_id,
        "subject": conflict.cell.subject.name,
        "outcome": conflict.cell.outcome.name,
        "aligns": conflict.aligns,
        "differs": conflict.differs,
        "explained": conflict.explained,
        "score": conflict.score,
    }
    for side, statement in (("a", conflict.first), ("b", conflict.second)):
        row |= {
            f"claim_{side}": statement.claim_id,
            f"quote_{side}": statement.text,
            f"doc_{side}": statement.doc_id,
            f"publisher_{side}": statement.publisher,
            f"interest_{side}": statement.interest,
            f"evidence_{side}": statement.evidence,
        }
    return row
