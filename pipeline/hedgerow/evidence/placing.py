"""Where claims meet: the cells of the map that each belongs to, its studies and its copies.

Everything here depends on other documents: which names meet, which sentences are copies, which
references are one work. It is done for every claim at each run, so it only joins what `statements`
holds; `Statement`, all that is known of a claim, is made only for cells that changed.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from hashlib import blake2b
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from hedgerow.evidence.names import Meeting, Names, Resolver, commonest
from hedgerow.evidence.studies import Studies, copied
from hedgerow.ids import make_id
from hedgerow.tables import DIRECTED

_OF_PAGE = 0.8
"""Exactness of the page's subject for a doubt of "the evidence"."""
_LEAST_SHARE = 0.5
"""Share of a page's claims that its subject has."""
_WITHIN_TEXT = 0.8
"""Exactness of a condition that neither population nor outcome names."""

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Place:
    """A claim's place in the map.

    axis: "outcome", or "condition": what the treatment is for, or whom it is given to.
    exactness: how sure it is that the claim belongs here, 0 to 1.
    denied: the clause that names the outcome has a word that denies.
    """

    cell_id: str
    axis: str
    subject: Meeting
    outcome: Meeting
    exactness: float
    denied: bool


@dataclass(frozen=True, slots=True)
class Placed:
    """A claim and what the corpus makes of it.

    row: its row of `statements`, with the claim's columns that placing needs.
    conditions: the diseases or groups of people that it is about.
    copy_of: the least id among the claims that copy each other's sentence.
    studies: those behind it; equal strings are one study, in every document.
    digest: of all that is known of it, the places included.
    """

    row: Row
    cells: tuple[Place, ...]
    conditions: tuple[Meeting, ...]
    copy_of: str
    studies: tuple[str, ...]
    digest: bytes


@dataclass(frozen=True, slots=True)
class Statement:
    """A claim as the map and the conflicts see it.

    stance: benefit, no_effect, mixed, harm, neutral; doubt (of the evidence); approved or
        not_approved; none where it takes no side.
    conditions: keys and names of the diseases or groups of people that it is about.
    population_words: the words of its population that say which people, not that they are people.
    outcomes: keys and names of the outcomes that are sure to be some; none are broad.
    study: the study that it names, if the name tells it from others.
    clear: whether its words say which side it takes: an effect on an outcome, or a plain doubt.
    lessened: whether it says that there is less of the outcome.
    measured: whether it reports a P value or confidence interval.
    denies: whether its words deny something, or say that two things are alike.
    null_interval: whether all confidence intervals that it reports hold the value of no effect;
        None where it reports none.
    copy_of: the least id among the claims that copy each other's sentence.
    numbers: measure -> printed numbers, such as dose -> ("30 mL",).
    """

    claim_id: str
    doc_id: str
    text: str
    claim_type: str
    stance: str
    certainty: str
    polarity: str
    confidence: float
    attribution: str
    attributed_to: str | None
    evidence: str
    publisher: str | None
    interest: str
    population: str | None
    population_words: frozenset[str]
    species: str | None
    conditions: tuple[tuple[str, str], ...]
    place: str | None
    numbers: Mapping[str, tuple[str, ...]]
    outcomes: tuple[tuple[str, str], ...]
    study: str | None
    studies: frozenset[str]
    clear: bool
    lessened: bool
    measured: bool
    denies: bool
    null_interval: bool | None
    copy_of: str


_PLACING = ("claim_id", "claim_type", "subject", "subject_id")
"""Columns of `claims` that placing needs; the others are read for changed cells only."""
_JOINED = "claim_id"


def place(tables: Mapping[str, pa.Table], names: Names) -> list[Placed]:
    """Return the claims that have a place in the map, in the order of their ids.

    tables: claims, statements and works, of the whole corpus, in any order.
    """
    local = tables["statements"].sort_by(_JOINED)
    known = tables["claims"].select(list(_PLACING))
    claims = known.take(pc.index_in(local.column(_JOINED), known.column(_JOINED)))
    rows: list[dict[str, Any]] = [
        {**one, **two}
        for one, two in zip(claims.to_pylist(), local.drop(["bands"]).to_pylist(), strict=True)
    ]
    copies = copied(local, tables["claims"], names)
    studies = Studies(tables["works"], rows, copies)
    subjects = Resolver(
        names, "subject", [(r["subject"], r["subject_id"], r["subject_key"]) for r in rows]
    )
    outcomes = Resolver(
        names,
        "outcome",
        [(o["text"], o["kb_id"], o["key"]) for r in rows for o in r["outcomes"]],
    )
    conditions = _Conditions(rows, names)
    of_page = _page_subjects(rows, subjects)
    placed = []
    for row in rows:
        subject = _subject(row, subjects, of_page)
        if subject is None:
            continue
        people = conditions.of(row)
        cells = _cells(row, subject, outcomes, people, names)
        if not cells:
            continue
        claim_id = row["claim_id"]
        copy, behind = copies[claim_id], studies.of(claim_id)
        content = (row["digest"], [_print(c) for c in cells], [_print_of(m) for m in people])
        whole = repr((content, copy, behind)).encode("utf-8", "surrogatepass")
        digest = blake2b(whole, digest_size=8).digest()
        placed.append(Placed(row, cells, tuple(people), copy, behind, digest))
    return placed


def _print(cell: Place) -> tuple[object, ...]:
    return (
        cell.cell_id,
        cell.exactness,
        cell.denied,
        _print_of(cell.subject),
        _print_of(cell.outcome),
    )


def _print_of(meeting: Meeting) -> tuple[object, ...]:
    return (meeting.key, meeting.name, meeting.kb_id, meeting.exactness, meeting.broad, meeting.bad)


def _page_subjects(rows: Iterable[Row], subjects: Resolver) -> dict[str, Meeting]:
    """Return document -> what most of its claims are about, if there is such a thing."""
    votes: defaultdict[str, Counter[str]] = defaultdict(Counter)
    meetings: dict[str, Meeting] = {}
    for row in rows:
        met = subjects.resolve(row["subject"], row["subject_id"])
        if met is not None and row["claim_type"] in DIRECTED:
            votes[row["doc_id"]][met.key] += 1
            meetings[met.key] = met
    found = {}
    for doc_id, keys in votes.items():
        key = commonest(keys)
        if keys[key] >= _LEAST_SHARE * keys.total():
            found[doc_id] = meetings[key]
    return found


def _subject(row: Row, subjects: Resolver, of_page: Mapping[str, Meeting]) -> Meeting | None:
    """Return what a claim is about; a doubt of "the trials" is one of what its page is about."""
    page = of_page.get(row["doc_id"])
    if row["of_evidence"] and page is not None:
        return _weighed(page, _OF_PAGE)
    met = subjects.resolve(row["subject"], row["subject_id"])
    return _weighed(met, row["exactness"]) if met else None


@lru_cache(maxsize=65_536)
def _weighed(meeting: Meeting, factor: float) -> Meeting:
    return replace(meeting, exactness=meeting.exactness * factor)


class _Conditions:
    """The diseases and groups of people that claims are about.

    A disease named inside another's name at its end ("stroke" in "acute ischaemic stroke") takes
    it in, unless that end is a general head such as "disease".
    """

    def __init__(self, rows: Sequence[Row], names: Names) -> None:
        self._names = names
        mentions = [m for row in rows for m in row["mentions"]]
        known = {m["key"] for m in mentions}
        self._root = {key: self._root_of(key, known) for key in known}
        spelled: defaultdict[str, Counter[str]] = defaultdict(Counter)
        for mention in mentions:
            spelled[mention["key"]][mention["text"]] += 1
        self._spelling = {key: commonest(texts) for key, texts in spelled.items()}
        self._resolver = Resolver(
            names,
            "condition",
            [(root, m["kb_id"], root) for m in mentions for root in [self._root[m["key"]]]],
        )

    def _root_of(self, key: str, known: set[str]) -> str:
        words = key.split()
        for size in range(1, len(words)):
            end = " ".join(words[-size:])
            if end in known and end not in self._names.generic:
                return end
        return key

    def of(self, row: Row) -> list[Meeting]:
        """Return the conditions of a claim.

        They are the diseases that its population names, else those that its outcome names, else
        its text; but what can only be an outcome, such as death, is no condition there.
        """
        found: dict[str, Meeting] = {}
        if row["population_group"] is not None:
            group = self._names.group(row["population_group"])
            key = f"group:{group.id}"
            found[key] = Meeting(key, group.name, None, 1.0)
        first = None
        for mention in row["mentions"]:
            place, root = mention["place"], self._root[mention["key"]]
            if place != "population" and self._names.exact(root) is not None:
                continue
            first = first or place
            if place != first:
                break
            met = self._resolver.resolve(root, mention["kb_id"])
            if met is not None:
                key = f"condition:{met.key}"
                name = self._spelling.get(met.name, met.name)
                exactness = _WITHIN_TEXT if place == "text" else 1.0
                found.setdefault(key, Meeting(key, name, met.kb_id, exactness))
        return [found[key] for key in sorted(found)]


def _cells(
    row: Row,
    subject: Meeting,
    resolver: Resolver,
    conditions: Sequence[Meeting],
    names: Names,
) -> tuple[Place, ...]:
    """Return the cells that a claim belongs to, in a fixed order, each once."""
    met, denied = [], {}
    for outcome in row["outcomes"]:
        meeting = resolver.resolve(outcome["text"], outcome["kb_id"])
        if meeting is not None:
            met.append(meeting)
            denied[meeting.key] = outcome["denied"]
    doubt = row["stance"] == "doubt"
    if row["approval"] and not any(m.key == "concept:sport-rules" for m in met):
        met = [names.concept("approval").meeting(None, 0.9)]
    if doubt and all(m.broad or m.key.startswith("name:") for m in met):
        # "There is no good evidence for its use" doubts the benefit at large, if it names no other.
        met = [names.concept(row["narrow"] or "benefit").meeting(None, 0.9)]
    keyed = [("outcome", m) for m in met]
    if row["claim_type"] == "efficacy" or doubt:
        keyed += [("condition", m) for m in conditions]
    cells: dict[str, Place] = {}
    for axis, meeting in keyed:
        cell_id = _cell_id(subject.key, axis, meeting.key)
        exactness = meeting.exactness * subject.exactness
        best = cells.get(cell_id)
        if best is None or exactness > best.exactness:
            cells[cell_id] = Place(
                cell_id, axis, subject, meeting, exactness, denied.get(meeting.key, False)
            )
    return tuple(cells[cell_id] for cell_id in sorted(cells))


_cell_id = lru_cache(maxsize=262_144)(make_id)


def statements(placed: Sequence[Placed], claims: pa.Table, names: Names) -> Iterator[Statement]:
    """Yield the statements of placed claims, in their order; claims: the whole table."""
    wanted = pa.array([p.row["claim_id"] for p in placed], pa.string())
    for one, row in zip(
        placed,
        claims.take(pc.index_in(wanted, claims.column(_JOINED))).to_pylist(),
        strict=True,
    ):
        local = one.row
        numbers: defaultdict[str, tuple[str, ...]] = defaultdict(tuple)
        for number in local["numbers"]:
            numbers[number["measure"]] += (number["text"],)
        yield Statement(
            claim_id=row["claim_id"],
            doc_id=row["doc_id"],
            text=row["text"],
            claim_type=row["claim_type"],
            stance=local["stance"],
            certainty=row["certainty"],
            polarity=row["polarity"],
            confidence=row["confidence"],
            attribution=row["attribution"],
            attributed_to=row["attributed_to"],
            evidence=row["evidence"],
            publisher=row["publisher"],
            interest=row["interest"],
            population=row["population"],
            population_words=frozenset(local["population_words"]),
            species=local["species"],
            conditions=tuple((m.key, m.name) for m in one.conditions),
            place=local["place"],
            numbers=dict(numbers),
            outcomes=_telling(one.cells, local["narrow"], names),
            study=row["study"] if local["study_key"] else None,
            studies=frozenset(one.studies),
            clear=local["clear"],
            lessened=row["effect"] == "decrease",
            measured=local["measured"],
            denies=local["denies"],
            null_interval=local["null_interval"],
            copy_of=one.copy_of,
        )


def _telling(
    cells: Iterable[Place], narrow: str | None, names: Names
) -> tuple[tuple[str, str], ...]:
    """Return keys and names of the outcomes by which claims of one condition are told apart."""
    found = {
        (p.outcome.key, p.outcome.name)
        for p in cells
        if p.axis == "outcome" and p.outcome.is_concept and not p.outcome.broad
    }
    if not found and narrow is not None:
        inside = names.concept(narrow).meeting(None, 1.0)
        found = {(inside.key, inside.name)}
    return tuple(sorted(found))
