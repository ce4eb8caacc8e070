"""The evidence map as a picture: rows are outcomes, columns sources, marks claims."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Row = Mapping[str, Any]

MAX_SUBJECTS = 6
MAX_ROWS = 18
MIN_ROWS = 6
"""Outcomes that only one source speaks of fill up to so many rows."""
MAX_COLUMNS = 18
MAX_MARKS = 4
"""Marks drawn in one field; where there are more, the last seat holds their number."""

_LABEL, _COLUMN, _ROW, _GAP = 214, 46, 34, 26
_LETTER = 5.6
"""Rough width of a letter at 11 units."""
_SIZE = {"certain": 7.0, "probable": 5.8, "possible": 4.8, "uncommitted": 3.8}
_ENDS = frozenset(":–—|,")
"""Marks that may end a subject that stands in front of a title."""
_HEDGED = frozenset({"possible", "uncommitted"})

WORDS = {
    "benefit": "benefit",
    "harm": "harm",
    "no_effect": "no effect",
    "mixed": "mixed",
    "neutral": "effect of no clear value",
    "doubt": "doubt of the evidence",
    "approved": "approved",
    "not_approved": "not approved",
    "none": "takes no side",
}
GLYPHS = {
    "benefit": "▲",
    "harm": "▼",
    "no_effect": "■",
    "mixed": "◆",
    "neutral": "●",
    "doubt": "✕",
    "approved": "✚",
    "not_approved": "▬",
    "none": "○",
}


@dataclass(frozen=True, slots=True)
class Mark:
    """One claim in the picture; `path` is drawn round (x, y)."""

    x: float
    y: float
    path: str
    stance: str
    hedged: bool
    claim: Row


@dataclass(frozen=True, slots=True)
class Field:
    """The marks where an outcome meets a source, and how many did not fit."""

    marks: tuple[Mark, ...]
    more: int
    x: float
    y: float
    target: str


@dataclass(frozen=True, slots=True)
class Line:
    """An outcome's row. heading: set where a new group of rows begins above it."""

    cell: Row
    label: str
    y: float
    fields: tuple[Field, ...]
    heading: str | None


@dataclass(frozen=True, slots=True)
class Column:
    """A source: its label, where it stands, and the document's id (None for a kind of source)."""

    key: str
    label: str
    detail: str
    x: float
    doc_id: str | None


@dataclass(frozen=True, slots=True)
class Chart:
    """The picture of one subject. hidden: outcomes that did not fit."""

    subject: str
    width: float
    height: float
    top: float
    columns: tuple[Column, ...]
    lines: tuple[Line, ...]
    hidden: int


def shape(stance: str, radius: float) -> str:
    """Return an SVG path round the origin: a shape for each stance, of about the same area."""
    r = radius
    if stance == "benefit":
        return f"M0 {-1.15 * r:.2f}L{1.1 * r:.2f} {0.85 * r:.2f}H{-1.1 * r:.2f}Z"
    if stance == "harm":
        return f"M0 {1.15 * r:.2f}L{1.1 * r:.2f} {-0.85 * r:.2f}H{-1.1 * r:.2f}Z"
    if stance == "no_effect":
        return f"M{-0.88 * r:.2f} {-0.88 * r:.2f}H{0.88 * r:.2f}V{0.88 * r:.2f}H{-0.88 * r:.2f}Z"
    if stance == "mixed":
        return f"M0 {-1.2 * r:.2f}L{1.1 * r:.2f} 0L0 {1.2 * r:.2f}L{-1.1 * r:.2f} 0Z"
    if stance == "not_approved":
        return f"M{-0.95 * r:.2f} {-0.42 * r:.2f}H{0.95 * r:.2f}V{0.42 * r:.2f}H{-0.95 * r:.2f}Z"
    if stance in ("approved", "doubt"):
        return _cross(r, 0.0 if stance == "approved" else math.pi / 4)
    return f"M{-r:.2f} 0A{r:.2f} {r:.2f} 0 1 0 {r:.2f} 0A{r:.2f} {r:.2f} 0 1 0 {-r:.2f} 0Z"


def _cross(radius: float, turn: float) -> str:
    long, thin = 1.15 * radius, 0.36 * radius
    corners = [(thin, long), (thin, thin), (long, thin), (long, -thin), (thin, -thin)]
    corners += [(thin, -long), (-thin, -long), (-thin, -thin), (-long, -thin), (-long, thin)]
    corners += [(-thin, thin), (-thin, long)]
    turned = (
        (x * math.cos(turn) - y * math.sin(turn), x * math.sin(turn) + y * math.cos(turn))
        for x, y in corners
    )
    return "M" + "L".join(f"{x:.2f} {y:.2f}" for x, y in turned) + "Z"


def select(cells: Sequence[Row]) -> list[list[Row]]:
    """Return the rows of `evidence_map` to draw: for each subject its cells, widest first.

    The subjects are those whose outcomes the most documents speak of; where there is one that
    several documents share, subjects of a single document are left out.
    """
    by_subject: defaultdict[str, list[Row]] = defaultdict(list)
    for cell in cells:
        by_subject[cell["subject"]].append(cell)

    def breadth(subject: str) -> tuple[int, int, str]:
        found = by_subject[subject]
        return (
            -max(cell["documents"] for cell in found),
            -sum(cell["claims"] for cell in found),
            subject,
        )

    ranked = sorted(by_subject, key=breadth)
    shared = [subject for subject in ranked if breadth(subject)[0] < -1]
    return [
        sorted(
            by_subject[subject],
            key=lambda c: (-c["documents"], -c["claims"], c["outcome"], c["cell_id"]),
        )
        for subject in (shared or ranked[:1])[:MAX_SUBJECTS]
    ]


def rows_of(cells: Sequence[Row]) -> list[Row]:
    """Return the cells of a subject that are drawn, in the order that `select` gives them."""
    shared = [cell for cell in cells if cell["documents"] > 1]
    return shared[:MAX_ROWS] if len(shared) >= MIN_ROWS else list(cells[:MIN_ROWS])


def charts(
    selected: Sequence[Sequence[Row]], members: Sequence[Row], claims: Mapping[str, Row]
) -> tuple[Chart, ...]:
    """Return the pictures of selected subjects.

    selected: what `select` returned. members: the rows of `evidence_claims` in these cells.
    claims: claim id -> its row of `claims`. Copied sentences are drawn once for each document.
    """
    in_cell: defaultdict[str, list[Row]] = defaultdict(list)
    for member in members:
        in_cell[member["cell_id"]].append(member)
    return tuple(_chart(cells, in_cell, claims) for cells in selected)


def _chart(
    cells: Sequence[Row], in_cell: Mapping[str, list[Row]], claims: Mapping[str, Row]
) -> Chart:
    shown = sorted(
        rows_of(cells),
        key=lambda c: (c["axis"] != "outcome", -c["documents"], -c["claims"], c["outcome"]),
    )
    docs = {m["doc_id"]: claims[m["claim_id"]] for c in shown for m in in_cell[c["cell_id"]]}
    columns = _columns(docs, cells[0]["subject"])
    place = {column.key: column.x for column in columns}
    by_kind = bool(columns) and columns[0].doc_id is None
    longest = max(len(column.label) for column in columns)
    top = 26 + longest * _LETTER * math.sin(math.radians(52))
    lines: list[Line] = []
    y, axis = top, "outcome"
    for cell in shown:
        heading = None
        if cell["axis"] != axis:
            axis, heading = cell["axis"], "By condition or group"
            y += _GAP
        lines.append(_line(cell, in_cell[cell["cell_id"]], claims, y, place, by_kind, heading))
        y += _ROW
    right = columns[-1].x + _COLUMN / 2
    return Chart(
        subject=cells[0]["subject"],
        width=right + longest * _LETTER * math.cos(math.radians(52)) + 8,
        height=y + 4,
        top=top,
        columns=columns,
        lines=tuple(lines),
        hidden=len(cells) - len(shown),
    )


def _columns(docs: Mapping[str, Row], subject: str) -> tuple[Column, ...]:
    """Return a column a document, or a kind of source where there are too many documents.

    Titles lose the chart's subject in front; documents of one name are told apart by their ids.
    """
    labels: list[tuple[str, str, str, str | None]]
    if len(docs) > MAX_COLUMNS:
        kinds = sorted({claim["interest"] for claim in docs.values()})
        labels = [(kind, kind, f"all sources of the kind {kind}", None) for kind in kinds]
    else:
        order = sorted(docs, key=lambda d: (docs[d]["interest"], docs[d]["publisher"] or d, d))
        names = {d: _source_name(docs[d], d, subject) for d in order}
        counts = Counter(names.values())
        labels = [
            (
                d,
                _source_label(names[d] if counts[names[d]] == 1 else d, docs[d]["interest"]),
                docs[d]["title"] or d,
                d,
            )
            for d in order
        ]
    return tuple(
        Column(key, label, detail, _LABEL + _COLUMN * (i + 0.5), doc_id)
        for i, (key, label, detail, doc_id) in enumerate(labels)
    )


def _source_name(claim: Row, doc_id: str, subject: str) -> str:
    name: str = claim["publisher"] or claim["title"] or doc_id
    mark, rest = name[len(subject) :][:1], name[len(subject) :].lstrip(" :–—|,")
    headed = name.casefold().startswith(subject.casefold()) and mark in _ENDS and rest
    return shorten(rest[0].upper() + rest[1:] if headed else name, 26)


def _source_label(name: str, interest: str) -> str:
    short = shorten(name, 26)
    return short if interest == "unknown" else f"{short} · {interest}"


def _line(
    cell: Row,
    members: Sequence[Row],
    claims: Mapping[str, Row],
    y: float,
    place: Mapping[str, float],
    by_kind: bool,
    heading: str | None,
) -> Line:
    fields: defaultdict[str, dict[str, Row]] = defaultdict(dict)
    for member in members:
        key = claims[member["claim_id"]]["interest"] if by_kind else member["doc_id"]
        fields[key].setdefault(member["copy_of"], member)
    middle = y + _ROW / 2
    drawn = tuple(
        _field(list(fields[key].values()), claims, place[key], middle)
        for key in sorted(fields, key=lambda key: place[key])
    )
    return Line(cell, shorten(cell["outcome"], 32), middle, drawn, heading)


def _field(members: Sequence[Row], claims: Mapping[str, Row], x: float, y: float) -> Field:
    ordered = sorted(
        members,
        key=lambda m: (
            m["stance"] == "none",
            list(_SIZE).index(claims[m["claim_id"]]["certainty"]),
            claims[m["claim_id"]]["start"],
            m["claim_id"],
        ),
    )
    fits = len(ordered) <= MAX_MARKS
    shown = ordered if fits else ordered[: MAX_MARKS - 1]
    marks = []
    seats = _SEATS[len(shown)] if fits else _SEATS[MAX_MARKS][:-1]
    for member, (dx, dy, scale) in zip(shown, seats, strict=True):
        claim = claims[member["claim_id"]]
        radius = _SIZE[claim["certainty"]] * scale
        marks.append(
            Mark(
                x=x + dx,
                y=y + dy,
                path=shape(member["stance"], radius),
                stance=member["stance"],
                hedged=claim["certainty"] in _HEDGED,
                claim=claim,
            )
        )
    return Field(tuple(marks), len(ordered) - len(shown), x, y, members[0]["doc_id"])


_SEATS = {
    1: ((0.0, 0.0, 1.0),),
    2: ((-10.0, 0.0, 1.0), (10.0, 0.0, 1.0)),
    3: ((-14.0, 0.0, 0.84), (0.0, 0.0, 0.84), (14.0, 0.0, 0.84)),
    4: ((-8.0, -7.5, 0.74), (8.0, -7.5, 0.74), (-8.0, 7.5, 0.74), (8.0, 7.5, 0.74)),
}
"""Where marks stand in a field, by their number, and how much smaller they are drawn."""


def shorten(text: str, most: int) -> str:
    """Return the text, cut at a word where it is longer than `most` letters."""
    if len(text) <= most:
        return text
    cut = text[: most - 1]
    return (cut.rsplit(" ", 1)[0] if " " in cut[most // 2 :] else cut).rstrip(" ,;") + "…"
