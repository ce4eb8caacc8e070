"""The tables of the evidence stage over a whole corpus, computed anew only where cells changed.

A cell of the map carries a digest of all that its row, its claims and its conflicts are made from.
Where the snapshot before has the same cell with the same digest, its rows are taken from there.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from hashlib import blake2b
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from hedgerow import tables as contract
from hedgerow.evidence.conflicts import PAIRS_PER_CELL, Candidate, Conflict, Member, in_cell, ranked
from hedgerow.evidence.names import shipped
from hedgerow.evidence.placing import Placed, Statement, place, statements

_FOR = frozenset({"benefit"})
_AGAINST = frozenset({"harm", "no_effect"})
_FIRM = frozenset({"certain", "probable"})
_BY_CELL = ("evidence_map", "evidence_claims", "candidates")
"""Tables whose rows depend on one cell each."""


def build(tables: Mapping[str, pa.Table], *, per_cell: int = PAIRS_PER_CELL) -> dict[str, pa.Table]:
    """Return the tables `evidence_map`, `evidence_claims`, `candidates` and `conflicts`.

    tables: claims, statements and works of all documents in any order; and, where there are such,
        "previous evidence_map", "previous evidence_claims" and "previous candidates", made by the
        same code, rules and settings.
    per_cell: the most pairs kept for one subject and outcome.
    """
    cells = _cells(place(tables, shipped()))
    digests = {cell_id: _digest(members) for cell_id, members in cells.items()}
    before = _before(tables)
    same = {cell_id for cell_id, digest in digests.items() if before.get(cell_id) == digest}
    changed = {cell_id: cells[cell_id] for cell_id in sorted(cells.keys() - same)}
    found: dict[str, list[dict[str, Any]]] = {name: [] for name in _BY_CELL}
    for cell_id, members in _statements(changed, tables["claims"]):
        found["evidence_map"].append({"digest": digests[cell_id], **_cell_row(members)})
        found["evidence_claims"] += [_claim_row(cell_id, s) for s, _ in members]
        found["candidates"] += [_candidate_row(c) for c in in_cell(members, per_cell)]
    kept = pa.array(sorted(same), pa.string())
    outputs = {}
    for name in _BY_CELL:
        rows = contract.from_rows(name, found[name])
        old = tables.get(f"previous {name}")
        if old is not None:
            rows = contract.concat(
                name, [rows, old.filter(pc.is_in(old.column("cell_id"), value_set=kept))]
            )
        outputs[name] = contract.conform(name, rows)
    outputs["conflicts"] = _ranked(outputs["candidates"])
    return outputs


Places = dict[str, list[tuple[Placed, int]]]
"""Cell id -> its claims, each with the position of the cell among the claim's."""


def _cells(placed: Iterable[Placed]) -> Places:
    cells: defaultdict[str, list[tuple[Placed, int]]] = defaultdict(list)
    for one in placed:
        for at, cell in enumerate(one.cells):
            cells[cell.cell_id].append((one, at))
    return dict(cells)


def _digest(members: Iterable[tuple[Placed, int]]) -> bytes:
    return blake2b(b"".join(one.digest for one, _ in members), digest_size=8).digest()


def _before(tables: Mapping[str, pa.Table]) -> dict[str, bytes]:
    """Return the digests of the cells of the snapshot before."""
    old = tables.get("previous evidence_map")
    if old is None:
        return {}
    columns = (old.column(name).to_pylist() for name in ("cell_id", "digest"))
    return dict(zip(*columns, strict=True))


def _statements(cells: Places, claims: pa.Table) -> Iterator[tuple[str, list[Member]]]:
    """Yield each cell's statements with their place there, in the order of their ids."""
    placed = {one.row["claim_id"]: one for members in cells.values() for one, _ in members}
    known = {s.claim_id: s for s in statements(list(placed.values()), claims, shipped())}
    for cell_id, members in cells.items():
        yield cell_id, [(known[one.row["claim_id"]], one.cells[at]) for one, at in members]


def _ranked(candidates: pa.Table) -> pa.Table:
    """Return the table `conflicts`: the candidates of all cells in the order of their rank."""
    names = ("score", "conflict_id", "cell_id", "copy_a", "copy_b", "doc_a", "doc_b")
    columns = (candidates.column(name).to_pylist() for name in names)
    order = ranked(
        [
            Candidate(score, conflict_id, cell_id, (copy_a, copy_b), (doc_a, doc_b))
            for score, conflict_id, cell_id, copy_a, copy_b, doc_a, doc_b in zip(
                *columns, strict=True
            )
        ]
    )
    rows = candidates.take(pa.array(order, pa.int64())).drop(["copy_a", "copy_b"])
    rows = rows.append_column("rank", pa.array(range(1, len(order) + 1), pa.int32()))
    names_of = [column.name for column in contract.CONFLICTS.columns]
    return contract.conform("conflicts", rows.select(names_of).cast(contract.CONFLICTS.schema))


def _cell_row(members: Sequence[Member]) -> dict[str, Any]:
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


def _candidate_row(conflict: Conflict) -> dict[str, Any]:
    row: dict[str, Any] = {
        "conflict_id": conflict.conflict_id,
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
            f"copy_{side}": statement.copy_of,
            f"quote_{side}": statement.text,
            f"doc_{side}": statement.doc_id,
            f"publisher_{side}": statement.publisher,
            f"interest_{side}": statement.interest,
            f"evidence_{side}": statement.evidence,
        }
    return row
