"""A document's text with its claims, cues, entities and citations marked."""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of text inside which nothing begins or ends; cue, entity, citation: innermost."""

    text: str
    cue: Row | None
    entity: Row | None
    citation: Row | None


@dataclass(frozen=True, slots=True)
class Run:
    """Consecutive pieces of one claim, or of none.

    first: whether the claim begins here; its anchor stands only there.
    """

    claim: Row | None
    first: bool
    pieces: tuple[Piece, ...]


@dataclass(frozen=True, slots=True)
class Spans:
    """Rows of one document with start and end, to be cut by blocks."""

    rows: Sequence[Row]
    starts: Sequence[int]

    @classmethod
    def of(cls, rows: Iterable[Row]) -> Spans:
        """Return the rows, sorted by place."""
        ordered = sorted(rows, key=lambda row: (row["start"], row["end"]))
        return cls(ordered, [row["start"] for row in ordered])

    def within(self, start: int, end: int) -> Sequence[Row]:
        """Return the rows that begin inside a stretch."""
        return self.rows[bisect_left(self.starts, start) : bisect_left(self.starts, end)]


def runs(
    text: str,
    start: int,
    end: int,
    *,
    claims: Spans,
    cues: Spans,
    entities: Spans,
    citations: Spans,
) -> tuple[Run, ...]:
    """Return text[start:end] cut into runs, in order; their texts joined are that text again."""
    kinds = [spans.within(start, end) for spans in (claims, cues, entities, citations)]
    cuts = {start, end}
    for rows in kinds:
        for row in rows:
            cuts |= {row["start"], min(row["end"], end)}
    bounds = sorted(cuts)
    covering = [_covering(rows, bounds) for rows in kinds]
    found: list[Run] = []
    seen: set[str] = set()
    current: list[Piece] = []
    claim: Row | None = None
    for at, (low, high) in enumerate(pairwise(bounds)):
        here, cue, entity, citation = (by_bound.get(at) for by_bound in covering)
        if current and here is not claim:
            found.append(_run(claim, current, seen))
            current = []
        claim = here
        current.append(Piece(text[low:high], cue, entity, citation))
    if current:
        found.append(_run(claim, current, seen))
    return tuple(found)


def _run(claim: Row | None, pieces: list[Piece], seen: set[str]) -> Run:
    first = claim is not None and claim["claim_id"] not in seen
    if claim is not None:
        seen.add(claim["claim_id"])
    return Run(claim, first, tuple(pieces))


def _covering(rows: Sequence[Row], bounds: Sequence[int]) -> dict[int, Row]:
    """Return for each stretch between bounds the shortest row that covers it."""
    found: dict[int, Row] = {}
    for row in sorted(rows, key=lambda r: (r["start"] - r["end"], r["start"])):
        low = bisect_left(bounds, row["start"])
        high = bisect_left(bounds, min(row["end"], bounds[-1]))
        for at in range(low, high):
            found[at] = row  # Longest rows come first, so that shorter ones lie over them.
    return found


def by_document(rows: Iterable[Row]) -> defaultdict[str, list[Row]]:
    """Return the rows of each document."""
    found: defaultdict[str, list[Row]] = defaultdict(list)
    for row in rows:
        found[row["doc_id"]].append(row)
    return found


def grouped(blocks: Sequence[Row]) -> Iterator[tuple[str, list[Row]]]:
    """Yield ("list", items) or ("table", rows) for neighbours, and (kind, [block]) for others."""
    wrapped = {"list_item": "list", "table_row": "table"}
    pending: list[Row] = []
    for block in blocks:
        if pending and block["block"] != pending[0]["block"]:
            yield wrapped[pending[0]["block"]], pending
            pending = []
        if block["block"] in wrapped:
            pending.append(block)
        else:
            yield block["block"], [block]
    if pending:
        yield wrapped[pending[0]["block"]], pending
