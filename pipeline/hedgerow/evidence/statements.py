"""What is known of a claim across documents: its stance, its people, its cells, its studies."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from hedgerow.evidence.names import Meeting, Names, Resolver, commonest
from hedgerow.evidence.studies import Studies, copied, study_name
from hedgerow.ids import make_id
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
_OF_PAGE = 0.8
"""Exactness of the page's subject for a doubt of "the evidence"."""
_LEAST_SHARE = 0.5
"""Share of a page's claims that its subject has."""
_CONTEXT_MEASURES = ("dose", "duration", "follow-up", "age")


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
    context_numbers: measure -> printed numbers, such as dose -> ("30 mL",).
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
    context_numbers: tuple[tuple[str, tuple[str, ...]], ...]
    outcomes: tuple[tuple[str, str], ...]
    study: str | None
    studies: frozenset[str]
    clear: bool
    lessened: bool
    measured: bool
    denies: bool
    null_interval: bool | None
    copy_of: str
    cells: tuple[Place, ...]


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


def read(tables: Mapping[str, pa.Table], names: Names) -> list[Statement]:
    """Return the statements of a whole corpus in the order of their ids.

    tables: claims, claim_outcomes, claim_references, references, statistics and entities.
    A claim without a subject, or of a type outside `MAPPED_TYPES`, makes no statement.
    """
    rows = [
        row
        for row in tables["claims"].to_pylist()
        if row["subject"] and row["claim_type"] in MAPPED_TYPES
    ]
    rows.sort(key=lambda row: row["claim_id"])
    outcomes = _outcomes(rows, tables["claim_outcomes"])
    subjects = Resolver(names, "subject", [(r["subject"], r["subject_id"]) for r in rows])
    of_page = _page_subjects(rows, subjects)
    meeting = Resolver(names, "outcome", [pair for pairs in outcomes.values() for pair in pairs])
    conditions = _Conditions(rows, tables["entities"], names)
    copies = copied({r["claim_id"]: (r["doc_id"], names.fold(r["text"])) for r in rows})
    studies = Studies(
        tables["references"].to_pylist(),
        _cited(tables["claim_references"]),
        {r["claim_id"]: r["study"] for r in rows},
        names,
    )
    groups: defaultdict[str, list[str]] = defaultdict(list)
    for claim_id in sorted(copies):
        groups[copies[claim_id]].append(claim_id)
    studies.join_copies(group for group in groups.values() if len(group) > 1)
    numbers = _context_numbers(tables["statistics"])
    intervals = _null_intervals(tables["statistics"])
    measured = _measured(tables["statistics"])
    statements = []
    for row in rows:
        stance = stance_of(row, names)
        subject = _subject(row, stance, subjects, of_page, names)
        if subject is None:
            continue
        people = conditions.of(row)
        cells = _cells(row, stance, subject, outcomes[row["claim_id"]], meeting, people, names)
        if not cells:
            continue
        species = names.species_of(row["population"] or "") or _SPECIES_OF_EVIDENCE.get(
            row["evidence"]
        )
        statements.append(
            Statement(
                claim_id=row["claim_id"],
                doc_id=row["doc_id"],
                text=row["text"],
                claim_type=row["claim_type"],
                stance=stance,
                certainty=row["certainty"],
                polarity=row["polarity"],
                confidence=row["confidence"],
                attribution=row["attribution"],
                attributed_to=row["attributed_to"],
                evidence=row["evidence"],
                publisher=row["publisher"],
                interest=row["interest"],
                population=row["population"],
                population_words=names.telling_words(row["population"] or ""),
                species=species,
                conditions=tuple((m.key, m.name) for m in people),
                place=names.place(row["text"]) if stance in ("approved", "not_approved") else None,
                context_numbers=numbers.get(row["claim_id"], ()),
                outcomes=_telling(cells, row["text"], names),
                study=row["study"] if study_name(row["study"], names)[0] else None,
                clear=names.is_doubt(row["text"]) if stance == "doubt" else bool(row["effect"]),
                lessened=row["effect"] == "decrease",
                measured=row["claim_id"] in measured,
                studies=studies.of(row["claim_id"]),
                denies=names.is_denial(row["text"]),
                null_interval=intervals.get(row["claim_id"]),
                copy_of=copies[row["claim_id"]],
                cells=cells,
            )
        )
    return statements


def _page_subjects(rows: Iterable[Mapping[str, Any]], subjects: Resolver) -> dict[str, Meeting]:
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


def _subject(
    row: Mapping[str, Any],
    stance: str,
    subjects: Resolver,
    of_page: Mapping[str, Meeting],
    names: Names,
) -> Meeting | None:
    """Return what a claim is about; a doubt of "the trials" is one of what its page is about."""
    page = of_page.get(row["doc_id"])
    if stance == "doubt" and page is not None and names.is_evidence(row["subject"]):
        return replace(page, exactness=page.exactness * _OF_PAGE)
    met = subjects.resolve(row["subject"], row["subject_id"])
    if met is None:
        return None
    named = row["subject"].casefold() in row["context"].casefold()
    exactness = met.exactness * (1.0 if named else _ELSEWHERE)
    return replace(met, exactness=exactness * (_CLASS if names.is_class(row["subject"]) else 1.0))


def _telling(cells: Iterable[Place], text: str, names: Names) -> tuple[tuple[str, str], ...]:
    """Return keys and names of the outcomes by which claims of one condition are told apart."""
    found = {
        (p.outcome.key, p.outcome.name)
        for p in cells
        if p.axis == "outcome" and p.outcome.is_concept and not p.outcome.broad
    }
    if not found:
        inside = names.within(names.fold(text), narrow=True)
        if inside is not None:
            found = {(met.key, met.name) for met in [inside.meeting(None, 1.0)]}
    return tuple(sorted(found))


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


def _cited(table: pa.Table) -> dict[str, list[tuple[str | None, str | None]]]:
    cited: defaultdict[str, list[tuple[str | None, str | None]]] = defaultdict(list)
    columns = ["claim_id", "index", "reference_id", "identifier"]
    for row in sorted(table.select(columns).to_pylist(), key=lambda r: (r["claim_id"], r["index"])):
        cited[row["claim_id"]].append((row["reference_id"], row["identifier"]))
    return cited


def _context_numbers(table: pa.Table) -> dict[str, tuple[tuple[str, tuple[str, ...]], ...]]:
    """Return claim id -> doses, durations, follow-up times and ages, as printed."""
    kept = table.filter(
        pc.and_(
            pc.is_valid(table.column("claim_id")),
            pc.is_in(table.column("measure").cast(pa.string()), pa.array(_CONTEXT_MEASURES)),
        )
    )
    found: defaultdict[str, defaultdict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    for row in kept.select(["claim_id", "measure", "text"]).to_pylist():
        found[row["claim_id"]][row["measure"]].add(row["text"])
    return {
        claim_id: tuple((m, tuple(sorted(by[m]))) for m in _CONTEXT_MEASURES if m in by)
        for claim_id, by in found.items()
    }


def _null_intervals(table: pa.Table) -> dict[str, bool]:
    """Return claim id -> whether all intervals that it reports hold the value of no effect."""
    found: dict[str, bool] = {}
    for row in table.filter(pc.is_valid(table.column("claim_id"))).to_pylist():
        null = _NULL_VALUE.get(row["measure"])
        if null is None or row["ci_low"] is None or row["ci_high"] is None:
            continue
        holds = row["ci_low"] <= null <= row["ci_high"]
        found[row["claim_id"]] = holds and found.get(row["claim_id"], True)
    return found


def _measured(table: pa.Table) -> frozenset[str]:
    """Return the claims that report a P value or confidence interval."""
    tested = pc.or_(pc.is_valid(table.column("p_value")), pc.is_valid(table.column("ci_low")))
    return frozenset(table.filter(tested).column("claim_id").drop_null().to_pylist())


class _Conditions:
    """The diseases and groups of people that claims are about.

    A disease named inside another's name at its end ("stroke" in "acute ischaemic stroke") takes
    it in, unless that end is a general head such as "disease".
    """

    def __init__(self, rows: Sequence[Mapping[str, Any]], entities: pa.Table, names: Names) -> None:
        self._names = names
        wanted = pa.array(sorted({row["sentence_id"] for row in rows}), pa.string())
        mask = pc.and_(
            pc.equal(entities.column("label").cast(pa.string()), "DISEASE"),
            pc.is_in(entities.column("sentence_id"), wanted),
        )
        self._mentions: defaultdict[str, list[tuple[int, int, str, str | None]]] = defaultdict(list)
        columns = ["sentence_id", "start", "end", "text", "kb_id"]
        for row in entities.filter(mask).select(columns).to_pylist():
            mention = (row["start"], row["end"], row["text"], row["kb_id"])
            self._mentions[row["sentence_id"]].append(mention)
        for mentions in self._mentions.values():
            mentions.sort(key=lambda m: (m[0], -m[1], m[2]))
        keys = {
            text: names.key(text, "condition")
            for text in sorted({m[2] for ms in self._mentions.values() for m in ms})
        }
        known = set(keys.values())
        self._roots = {text: self._root(key, known) for text, key in keys.items()}
        spelled: defaultdict[str, Counter[str]] = defaultdict(Counter)
        for mentions in self._mentions.values():
            for mention in mentions:
                spelled[keys[mention[2]]][mention[2]] += 1
        self._spelling = {key: commonest(texts) for key, texts in spelled.items()}
        self._resolver = Resolver(
            names,
            "condition",
            [(self._roots[m[2]], m[3]) for ms in self._mentions.values() for m in ms],
        )

    def _root(self, key: str, known: set[str]) -> str:
        words = key.split()
        for size in range(1, len(words)):
            end = " ".join(words[-size:])
            if end in known and end not in self._names.generic:
                return end
        return key

    def of(self, row: Mapping[str, Any]) -> list[Meeting]:
        """Return the conditions of a claim.

        They are the diseases that its population names. A claim of efficacy or approval without
        any is about those that its outcome names, else its text; but what can only be an outcome,
        such as death, is no condition there.
        """
        group = self._names.condition_of(row["population"], row["outcome"], row["text"])
        found: dict[str, Meeting] = {}
        if group is not None:
            found[f"group:{group.id}"] = Meeting(f"group:{group.id}", group.name, None, 1.0)
        places = [(row["population_start"], row["population_end"], 1.0)]
        if row["claim_type"] in ("efficacy", "regulatory"):
            places += [
                (row["outcome_start"], row["outcome_end"], 1.0),
                (row["start"], row["end"], 0.8),
            ]
        mentions = self._mentions.get(row["sentence_id"], [])
        for at, (start, end, exactness) in enumerate(places):
            if start is None or end is None:
                continue
            inside = [m for m in mentions if start <= m[0] and m[1] <= end]
            if at:
                inside = [m for m in inside if self._names.exact(self._roots[m[2]]) is None]
            for _, _, text, kb_id in inside:
                met = self._resolver.resolve(self._roots[text], kb_id)
                if met is not None:
                    key = f"condition:{met.key}"
                    name = self._spelling.get(met.name, met.name)
                    found.setdefault(key, Meeting(key, name, met.kb_id, exactness))
            if inside:
                break
        return [found[key] for key in sorted(found)]


def _cells(
    row: Mapping[str, Any],
    stance: str,
    subject: Meeting,
    outcomes: Sequence[tuple[str, str | None]],
    resolver: Resolver,
    conditions: Sequence[Meeting],
    names: Names,
) -> tuple[Place, ...]:
    """Return the cells that a claim belongs to, in a fixed order, each once."""
    met, denied = [], {}
    for text, kb_id in outcomes:
        meeting = resolver.resolve(text, kb_id)
        if meeting is not None:
            met.append(meeting)
            clause = names.clause_of(row["text"], text)
            denied[meeting.key] = names.is_denial(clause) or names.is_doubt(clause)
    if row["claim_type"] == "regulatory" and not any(m.key == "concept:sport-rules" for m in met):
        whole = names.within(names.fold(row["text"]))
        if whole is not None and whole.id == "approval":
            met = [whole.meeting(None, 0.9)]
    if stance == "doubt" and all(m.broad or m.key.startswith("name:") for m in met):
        # "There is no good evidence for its use" doubts the benefit at large, if it names no other.
        narrow = names.within(names.fold(row["text"]), narrow=True)
        doubted = narrow or names.exact("benefit")
        met = [doubted.meeting(None, 0.9)] if doubted else met
    keyed = [("outcome", m) for m in met]
    if row["claim_type"] == "efficacy" or stance == "doubt":
        keyed += [("condition", m) for m in conditions]
    cells: dict[str, Place] = {}
    for axis, outcome in keyed:
        cell_id = make_id(subject.key, axis, outcome.key)
        exactness = outcome.exactness * subject.exactness
        best = cells.get(cell_id)
        if best is None or exactness > best.exactness:
            cells[cell_id] = Place(
                cell_id, axis, subject, outcome, exactness, denied.get(outcome.key, False)
            )
    return tuple(cells[cell_id] for cell_id in sorted(cells))
