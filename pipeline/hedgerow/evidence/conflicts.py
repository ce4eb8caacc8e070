"""Pairs of claims that disagree, and which of them are worth reading first.

A pair's score is a product of factors between 0 and 1, each for one reason a reader would have
to pass it over:

    kind        direction 1, strength 0.95, status 0.8, certainty 0.7, or 0.4 where both are on one
                side and one is hedged
    sides       the geometric mean of both sides' standing: confidence that the claim was read
                right, how assertive it is, and the evidence that it names
    clarity     for each side, whether its words and confidence intervals bear it out: 0.3 to 1
    place       how sure it is that both speak of the same subject and outcome
    population  1 the same, 0.85 not stated, 0.75 one of them healthy people, 0.7 other words, 0.55
                other conditions, 0.5 patients against healthy people, 0.35 people against animals
                or cells
    outcome     of claims that meet in a condition: 1 the same, 0.85 not stated, 0.5 others
    type        less where claims of opposite sides may both hold: a benefit and a side effect
    sources     1 different publishers, 0.6 the same publisher, 0.25 the same document; 0.9 where
                both rest on the same study or copy each other
    studies     1 where both sides name or cite one, 0.95 one of them, 0.9 neither
    reading     0.75 without a verb or result, 0.6 for fewer than six words, and for rows of
                numbers without a result

Pairs are then taken one by one, the best first; every pair already taken that shares a claim
halves a score, a shared document pair takes a tenth, and a shared cell a third, so that no
claim, page or topic fills the top of the list.
"""

from __future__ import annotations

import heapq
import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from hedgerow.evidence.placing import Place, Statement
from hedgerow.ids import make_id
from hedgerow.nlp.phrases import split_words

PAIRS_PER_CELL = 20

_KIND_WEIGHT = {"direction": 1.0, "strength": 0.95, "status": 0.8, "certainty": 0.7}
_SAME_SIDE_WEIGHT = 0.4
"""Weight of a pair of claims for one thing, of which one is hedged."""
_ASSERTIVE = {"certain": 1.0, "probable": 0.9, "possible": 0.6, "uncommitted": 0.5}
_EVIDENCE_WEIGHT = {
    "meta_analysis": 1.0,
    "rct": 0.97,
    "human": 0.88,
    "regulator": 0.95,
    "expert": 0.85,
    "animal": 0.65,
    "in_vitro": 0.55,
    "anecdote": 0.6,
    "none": 0.7,
}
_STRONG = frozenset({"meta_analysis", "rct"})
_IN_PATIENTS = frozenset({"meta_analysis", "rct", "human"})
"""Evidence that, where nothing else is said, comes from people who have a condition."""
_WEAK = frozenset({"none", "anecdote", "expert", "animal", "in_vitro"})
_INTERESTED = frozenset({"vendor", "clinic", "manufacturer", "blog", "forum"})
_FAVOUR = ("benefit", "approved", "no_effect", "mixed", "harm", "not_approved", "doubt")
"""Stances from the most to the least favourable; the first claim of a pair is the former."""
_OPPOSED = {
    ("benefit", "harm"): "direction",
    ("benefit", "no_effect"): "direction",
    ("no_effect", "harm"): "direction",
    ("benefit", "mixed"): "certainty",
    ("benefit", "doubt"): "strength",
    ("approved", "not_approved"): "status",
}
_DENYING = frozenset({"no_effect", "not_approved", "doubt"})
_UNBORNE = {"approved": 0.4, "not_approved": 0.4, "no_effect": 0.6, "benefit": 0.75}
"""Factor of a side that its claim's words do not bear out; 0.85 for the others."""
_UNCLEAR = 0.6
"""Factor of a side that no effect on an outcome, or no plain doubt, puts there."""
_UNSAID = ("benefit", "negated")
"""A benefit that is denied is none."""
_DENIED = 0.4
"""Factor of a benefit or harm where the very clause that names the outcome denies."""
_NULL_INTERVAL = 0.3
"""Factor of a benefit or harm whose confidence intervals all hold the value of no effect."""
_SAME_SIDE = frozenset({"benefit", "harm"})
_FIRM = frozenset({"certain", "probable"})
_OPEN = frozenset({"possible", "uncommitted"})
_LEAST_WORDS = 6
_LEAST_PLAIN = 0.6
"""Share of words made of letters below which a text reads as a row of numbers."""
_CLAIM_SHARE, _SOURCE_SHARE, _CELL_SHARE = 0.5, 0.9, 0.65
_DIGITS = 6
_AXIS_WEIGHT = {"outcome": 1.0, "condition": 0.85}

Member = tuple[Statement, Place]
"""A statement and its place in a cell."""


@dataclass(frozen=True, slots=True)
class Conflict:
    """Two statements that disagree; `first` is the more favourable or the more certain one.

    explained: they differ in population, place, dose or time, which may be all there is to it.
    """

    conflict_id: str
    kind: str
    cell: Place
    first: Statement
    second: Statement
    aligns: str
    differs: str
    explained: bool
    score: float


def kind_of(first: Statement, second: Statement, axis: str) -> str | None:
    """Return what two statements disagree in, the more favourable given first, else None."""
    if "harm" in (first.stance, second.stance) and axis == "condition":
        return None  # A harm to people with a condition does not deny a benefit for it.
    if "no_effect" in (first.stance, second.stance) and _is_null(first) and _is_null(second):
        return None  # A benefit or harm whose intervals hold the value of no effect is none.
    if first.stance == second.stance:
        hedged = first.certainty == "certain" and second.certainty in _OPEN
        return "certainty" if hedged and first.stance in _SAME_SIDE else None
    kind = _OPPOSED.get((first.stance, second.stance))
    if kind in {"direction", "certainty"} and _is_oversold(first, second):
        return "strength"
    if kind == "direction" and "uncommitted" in (first.certainty, second.certainty):
        return "certainty"  # Leaving a question open does not contradict an answer.
    return kind


def _is_null(statement: Statement) -> bool:
    return statement.stance == "no_effect" or bool(statement.null_interval)


def _is_oversold(first: Statement, second: Statement) -> bool:
    """Return whether an interested party asserts, on nothing, what strong evidence leaves open."""
    return (
        first.stance == "benefit"
        and first.certainty in _FIRM
        and first.interest in _INTERESTED
        and first.evidence in _WEAK
        and not first.studies
        and second.evidence in _STRONG
        and second.interest not in _INTERESTED
    )


def _standing(statement: Statement, kind: str, *, asserting: bool) -> float:
    """Return how much a side is worth reading, 0 to 1."""
    evidence = _EVIDENCE_WEIGHT[statement.evidence]
    if (kind == "strength" and asserting) or statement.stance == "doubt":
        evidence = 1.0  # That it names no evidence is the point.
    certainty = _ASSERTIVE[statement.certainty]
    if kind == "certainty" and not asserting:
        certainty = 1.0  # That it is open is the point.
    if statement.studies:
        evidence = min(1.0, evidence + 0.05)
    return statement.confidence * certainty * evidence


def _borne_out(statement: Statement, place: Place) -> float:
    """Return how far the claim's words and numbers agree with the side that it is put on.

    A label alone is easily wrong; a pair of which one side is unclear is not worth a reader's
    time, so these factors weigh in whole, not by their root.
    """
    valued = statement.stance in ("benefit", "harm")
    if statement.null_interval and valued:
        return _NULL_INTERVAL
    if statement.null_interval and statement.stance == "no_effect":
        return 1.0
    if valued and (place.denied or (statement.stance, statement.polarity) == _UNSAID):
        return _DENIED
    if statement.stance == "doubt":
        return 1.0 if statement.clear else _UNCLEAR
    if statement.stance == "harm" and statement.lessened and place.outcome.bad:
        return _UNCLEAR
    if statement.denies == (statement.stance in _DENYING):
        return _UNCLEAR if valued and not statement.clear else 1.0
    return _UNBORNE.get(statement.stance, 0.85)


@dataclass(frozen=True, slots=True)
class _Comparison:
    population: float
    outcome: float
    aligns: str
    differs: str
    explained: bool


def compare(first: Statement, second: Statement, cell: Place) -> _Comparison:
    """Return what two statements of a cell have in common and what differs, in words."""
    aligns = [f"subject {cell.subject.name}", f"{cell.axis} {cell.outcome.name}"]
    differs: list[str] = []
    population, other_people = _compare_population(first, second, aligns, differs)
    outcome, other_outcome = (
        _compare_outcomes(first, second, aligns, differs)
        if cell.axis == "condition"
        else (1.0, False)
    )
    explained = other_people or other_outcome
    if first.stance in ("approved", "not_approved") and first.place != second.place:
        differs.append(f"place: {_or_unstated(first.place)} / {_or_unstated(second.place)}")
        explained = explained or bool(first.place and second.place)
    elif first.place and first.place == second.place:
        aligns.append(f"place {first.place}")
    numbers, others = first.numbers, second.numbers
    for measure in sorted(set(numbers) & set(others)):
        if numbers[measure] == others[measure]:
            aligns.append(f"{measure} {', '.join(numbers[measure])}")
        else:
            one, two = ", ".join(numbers[measure]), ", ".join(others[measure])
            differs.append(f"{measure}: {one} / {two}")
            explained = True
    shared = first.studies & second.studies
    if shared:
        aligns.append("the same study")
    elif first.study or second.study:
        differs.append(f"study: {first.study or 'none named'} / {second.study or 'none named'}")
    for label, one, two in (
        ("evidence", first.evidence, second.evidence),
        ("certainty", first.certainty, second.certainty),
        ("attribution", _voice(first), _voice(second)),
        ("interest", first.interest, second.interest),
    ):
        if one == two:
            if two != "unknown":
                aligns.append(f"{label} {_words(one)}")
        else:
            differs.append(f"{label}: {_words(one)} / {_words(two)}")
    return _Comparison(population, outcome, "; ".join(aligns), "; ".join(differs), explained)


def _compare_population(
    first: Statement, second: Statement, aligns: list[str], differs: list[str]
) -> tuple[float, bool]:
    """Note the populations; return their factor, and whether the people are others."""
    one, two = _people(first), _people(second)
    if first.species and second.species and first.species != second.species:
        differs.append(f"population: {one or first.species} / {two or second.species}")
        return 0.35, True
    keys, others = ({k for k, _ in s.conditions} for s in (first, second))
    if keys and others:
        if keys & others:
            common = [name for key, name in first.conditions if key in others]
            aligns.append(f"population {', '.join(common)}")
            return 1.0, False
        differs.append(f"population: {one} / {two}")
        return 0.55, True
    if one == two:
        return 0.85, False
    group = next((k for k in keys ^ others if k.startswith("group:")), None)
    if group is not None:
        differs.append(f"population: {_or_unstated(one)} / {_or_unstated(two)}")
        other = second if group in keys else first
        patients = other.population or other.studies or other.evidence in _IN_PATIENTS
        return (0.5, True) if patients else (0.75, False)
    differs.append(f"population: {_or_unstated(one)} / {_or_unstated(two)}")
    others_named = (
        first.population_words
        and second.population_words
        and not first.population_words & second.population_words
    )
    return (0.7, True) if others_named else (0.85, False)


def _compare_outcomes(
    first: Statement, second: Statement, aligns: list[str], differs: list[str]
) -> tuple[float, bool]:
    """Note the outcomes of two claims of one condition; return their factor, and if they differ."""
    keys, others = ({k for k, _ in s.outcomes} for s in (first, second))
    if keys & others:
        aligns.append(f"outcome {', '.join(n for k, n in first.outcomes if k in others)}")
        return 1.0, False
    one, two = (", ".join(n for _, n in s.outcomes) for s in (first, second))
    if one or two:
        differs.append(f"outcome: {_or_unstated(one)} / {_or_unstated(two)}")
    return (0.5, True) if one and two else (0.85, False)


def _people(statement: Statement) -> str | None:
    return statement.population or ", ".join(name for _, name in statement.conditions) or None


def _or_unstated(text: str | None) -> str:
    return text or "not stated"


def _voice(statement: Statement) -> str:
    if statement.attributed_to:
        return f"{statement.attribution} ({statement.attributed_to})"
    return statement.attribution


def _words(value: str) -> str:
    return {"none": "none named", "rct": "randomised trial"}.get(value, value.replace("_", " "))


def pair(member: Member, against: Member) -> Conflict | None:
    """Return the conflict between two statements of a cell, if they disagree."""
    (one, cell), (two, other) = member, against
    if one.claim_id == two.claim_id or one.copy_of == two.copy_of:
        return None
    first, second = sorted((one, two), key=_favour)
    kind = kind_of(first, second, cell.axis)
    if kind is None:
        return None
    told = compare(first, second, cell)
    sides = math.sqrt(
        _standing(first, kind, asserting=True) * _standing(second, kind, asserting=False)
    )
    places = {one.claim_id: cell, two.claim_id: other}
    place = math.sqrt(cell.exactness * other.exactness) * _AXIS_WEIGHT[cell.axis]
    reading = min(_readable(s) for s in (first, second))
    weight = _SAME_SIDE_WEIGHT if first.stance == second.stance else _KIND_WEIGHT[kind]
    score = weight * sides * place * told.population * _sources(first, second) * reading
    score *= _borne_out(first, places[first.claim_id]) * _borne_out(second, places[second.claim_id])
    score *= told.outcome * _types(first, second, cell) * _named(first, second)
    return Conflict(
        conflict_id=make_id(*sorted((first.claim_id, second.claim_id)), kind),
        kind=kind,
        cell=cell,
        first=first,
        second=second,
        aligns=told.aligns,
        differs=told.differs,
        explained=told.explained,
        score=round(score, _DIGITS),
    )


def _favour(statement: Statement) -> tuple[int, float, str]:
    return (
        _FAVOUR.index(statement.stance),
        -_ASSERTIVE[statement.certainty],
        statement.claim_id,
    )


def _types(first: Statement, second: Statement, cell: Place) -> float:
    """Return how alike the two are in what they speak of.

    A benefit (more alertness) and a harm (agitation) may both hold of one outcome where one claim
    is about efficacy and the other about safety, or where the outcome is a broad one. A mechanism
    and a finding do not contradict each other either.
    """
    types = {first.claim_type, second.claim_type}
    if {first.stance, second.stance} == {"benefit", "harm"}:
        return 1.0 if len(types) == 1 and not cell.outcome.broad else 0.4
    if len(types) == 1 or "doubt" in (first.stance, second.stance):
        return 1.0
    return 0.9 if cell.outcome.is_concept and "mechanism" not in types else 0.5


def _named(first: Statement, second: Statement) -> float:
    """Return more for a pair whose sides can be looked up."""
    return (0.9, 0.95, 1.0)[sum(bool(s.study or s.studies) for s in (first, second))]


def _readable(statement: Statement) -> float:
    words = [word.strip("()[],.;:–-'\"“”‘’%") for word in statement.text.split()]
    plain = sum(word.replace("-", "").isalpha() for word in words)
    if len(words) < _LEAST_WORDS or plain < _LEAST_PLAIN * len(words):
        return 0.85 if statement.measured else 0.6
    return 1.0 if statement.measured or _has_verb(statement.text) else 0.75


@lru_cache(maxsize=8192)
def _has_verb(text: str) -> bool:
    return any(word.tag in ("verb", "aux") for word in split_words(text))


def _sources(first: Statement, second: Statement) -> float:
    if first.doc_id == second.doc_id:
        return 0.25
    same_publisher = bool(first.publisher) and first.publisher == second.publisher
    factor = 0.6 if same_publisher else 1.0
    return factor * 0.9 if first.studies & second.studies else factor


class Candidate(NamedTuple):
    """What ranking needs of a conflict: its place among the others, and whom it is about.

    copies: of both claims, the ids that stand for all their copies. sources: both documents.
    """

    score: float
    conflict_id: str
    cell_id: str
    copies: tuple[str, str]
    sources: tuple[str, str]


def in_cell(members: Sequence[Member], per_cell: int) -> list[Conflict]:
    """Return the conflicts of one cell that are most worth reading, at most `per_cell`.

    Only the `per_cell` statements of highest standing for each stance and certainty are paired,
    so that a cell of n statements costs n log n.
    """
    found = _of_cell(members, per_cell)
    candidates = [
        Candidate(
            c.score,
            c.conflict_id,
            c.cell.cell_id,
            (c.first.copy_of, c.second.copy_of),
            (c.first.doc_id, c.second.doc_id),
        )
        for c in found
    ]
    return [found[at] for at in _spread(candidates, range(len(candidates)), per_cell)]


def ranked(candidates: Sequence[Candidate]) -> list[int]:
    """Return the positions of the conflicts of all cells, the most worth reading first.

    A pair that disagrees in several cells is kept where it scores highest.
    """
    best: dict[str, int] = {}
    for at, candidate in enumerate(candidates):
        known = best.get(candidate.conflict_id)
        if known is None or _order(candidate) < _order(candidates[known]):
            best[candidate.conflict_id] = at
    return _spread(candidates, best.values(), len(best))


def _of_cell(members: Sequence[Member], per_cell: int) -> list[Conflict]:
    sides: defaultdict[tuple[str, bool], list[Member]] = defaultdict(list)
    for statement, place in members:
        if statement.stance in _FAVOUR:
            sides[statement.stance, statement.certainty in _OPEN].append((statement, place))
    if len(sides) < 2:
        return []
    chosen = [
        member
        for side in sorted(sides)
        for member in heapq.nsmallest(per_cell, sides[side], key=_worth)
    ]
    found = []
    for i, one in enumerate(chosen):
        for two in chosen[i + 1 :]:
            conflict = pair(one, two)
            if conflict is not None:
                found.append(conflict)
    return found


def _worth(member: Member) -> tuple[float, str]:
    statement, place = member
    standing = _standing(statement, "direction", asserting=True) * _borne_out(statement, place)
    return (-standing * place.exactness * _readable(statement), statement.claim_id)


def _order(candidate: Candidate) -> tuple[float, str, str]:
    return (-candidate.score, candidate.conflict_id, candidate.cell_id)


def _spread(candidates: Sequence[Candidate], among: Iterable[int], most: int) -> list[int]:
    """Return the positions of the best, each score lowered for what the ones before have shown.

    A score only falls as others are taken, so the head of the heap is re-scored until it stays
    in front (lazy greedy selection, Minoux 1978).
    """
    claims: Counter[str] = Counter()
    sources: Counter[tuple[str, ...]] = Counter()
    cells: Counter[str] = Counter()
    queue = [(*_order(candidates[at]), at) for at in among]
    heapq.heapify(queue)
    chosen: list[int] = []
    while queue and len(chosen) < most:
        before, conflict_id, cell_id, at = heapq.heappop(queue)
        candidate = candidates[at]
        one, two = candidate.copies
        pages = tuple(sorted(candidate.sources))
        now = -round(
            candidate.score
            * _CLAIM_SHARE ** (claims[one] + claims[two])
            * _SOURCE_SHARE ** sources[pages]
            * _CELL_SHARE ** cells[cell_id],
            _DIGITS,
        )
        if now > before:
            heapq.heappush(queue, (now, conflict_id, cell_id, at))
            continue
        chosen.append(at)
        claims.update(candidate.copies)
        sources[pages] += 1
        cells[cell_id] += 1
    return chosen
