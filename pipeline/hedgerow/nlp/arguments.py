"""What a claim is about: subject, outcomes, population and comparator, each with its place.

The subject and the outcome come from the ranking model (`ranking.py`), which also sees the
document's topics, so that a pronoun or a definite phrase ("the drug") resolves to what it stands
for; population and comparator from the patterns of `arguments.toml`. Ids come from the entities
that the phrases hold.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from hedgerow.nlp.phrases import Chunk, is_adjective
from hedgerow.nlp.ranking import Candidate, Ranking, Unit, phrase_of
from hedgerow.nlp.rules import load_rules, words_of

_RULES = load_rules("arguments")
_POPULATION = [r.lower for r in _RULES if r.fields["kind"] == "population"]
_COMPARATOR = [r.lower for r in _RULES if r.fields["kind"] == "comparator"]
_PRONOUN = [r.regex for r in _RULES if r.fields["kind"] == "pronoun"]
_POSSESSIVE = [r.regex for r in _RULES if r.fields["kind"] == "possessive"]
_POPULATIONS = words_of("arguments", "population_nouns")
_EMPTY_OUTCOMES = words_of("arguments", "empty_heads")
_EMPTY_SUBJECTS = _EMPTY_OUTCOMES - words_of("arguments", "subjects_too")
_MAX_OUTCOMES = 8


class Entity(NamedTuple):
    """An entity mention, as far as arguments need it: documents.text[start:end]."""

    start: int
    end: int
    label: str
    kb_id: str | None
    text: str


class Argument(NamedTuple):
    """An argument of a claim; documents.text[start:end] is its text, unless start is None."""

    text: str
    start: int | None = None
    end: int | None = None
    kb_id: str | None = None


@dataclass(frozen=True)
class Arguments:
    """The arguments of a claim; the first outcome is the main one.

    subject_key: the subject's head, which the next claim's candidates are told of.
    """

    subject: Argument | None
    subject_key: str | None
    outcomes: tuple[Argument, ...]
    population: Argument | None
    comparator: Argument | None


def find_arguments(
    unit: Unit,
    span: tuple[int, int],
    ranking: Ranking,
    entities: Sequence[Entity],
    links: Mapping[str, str],
    *,
    listed: bool = False,
) -> Arguments:
    """Return the arguments of the claim at unit.text[span].

    ranking: the unit's candidates. entities: those of the unit.
    links: knowledge-base ids of the document's entity mentions by lower-case text.
    listed: whether the claim is an item that only names something: that is its outcome, and its
        subject stands elsewhere.
    """
    subject = ranking.best(
        "subject",
        lambda c: (
            _names(c, unit, _EMPTY_SUBJECTS)
            and _fits(c, unit, span)
            and not (listed and c.where == "sentence")
        ),
    )
    key = subject.key if subject is not None else None
    outcome = ranking.best(
        "outcome",
        lambda c: c.key != key and _within(c, unit, span) and _names(c, unit, _EMPTY_OUTCOMES),
    )
    if outcome is None:
        outcome = ranking.best(
            "outcome",
            lambda c: c.key != key and c.where == "lead_in" and _names(c, unit, _EMPTY_OUTCOMES),
        )
    taken = {c.key for c in (subject, outcome) if c is not None}
    comparator = _behind(_COMPARATOR, unit, span, frozenset(taken))
    if comparator is not None:
        taken.add(comparator.key)
    population = _population(unit, span, frozenset(taken))
    return Arguments(
        _argument(subject, unit, entities, links) if subject else None,
        key,
        _outcomes(outcome, unit, span, key, entities, links) if outcome else (),
        (
            _from_chunk(population, unit, entities, links)
            if population
            else _mentioned("POPULATION", unit, span, entities)
        ),
        _from_chunk(comparator, unit, entities, links) if comparator else None,
    )


def reads_alone(text: str, subject: str | None) -> str:
    """Return a claim's text with the pronoun that opens it replaced by the subject's name."""
    if not subject:
        return text
    for regexes, ending in ((_PRONOUN, ""), (_POSSESSIVE, "'s")):
        for regex in regexes:
            match = regex.match(text)
            if match:
                name = subject[:1].upper() + subject[1:]
                return f"{name}{ending}{text[match.end('pronoun') :]}"
    return text


def _within(candidate: Candidate, unit: Unit, span: tuple[int, int]) -> bool:
    if candidate.where != "sentence" or candidate.start is None or candidate.end is None:
        return False
    return span[0] <= candidate.start - unit.start and candidate.end - unit.start <= span[1]


def _fits(candidate: Candidate, unit: Unit, span: tuple[int, int]) -> bool:
    """Whether a subject stands in the clause or before it: coordinated clauses share a subject."""
    if candidate.where != "sentence" or candidate.end is None:
        return True
    return candidate.end - unit.start <= span[1]


def _names(candidate: Candidate, unit: Unit, empty: frozenset[str]) -> bool:
    """Whether a candidate names something: adjectives and words such as "week" do not."""
    if candidate.where != "sentence" or candidate.end is None:
        return not is_empty(candidate.key, empty)
    return not is_empty(candidate.key, empty) or _has_complement(unit, candidate.end - unit.start)


def is_empty(key: str, empty: frozenset[str]) -> bool:
    """Whether a head names nothing by itself."""
    return key in empty or is_adjective(key)


def _has_complement(unit: Unit, end: int) -> bool:
    """Whether "of" follows."""
    return unit.text.startswith(" of ", end)


def _argument(
    candidate: Candidate, unit: Unit, entities: Sequence[Entity], links: Mapping[str, str]
) -> Argument:
    text, start, end = phrase_of(candidate, unit)
    return Argument(text, start, end, _link(text, start, end, entities, links))


def _link(
    text: str,
    start: int | None,
    end: int | None,
    entities: Sequence[Entity],
    links: Mapping[str, str],
) -> str | None:
    """The id of the widest entity inside the phrase; of equally wide ones, the last."""
    best: tuple[int, int, str] | None = None
    if start is None or end is None:
        return links.get(text.lower())
    for entity in entities:
        if entity.kb_id is not None and start <= entity.start and entity.end <= end:
            key = (entity.end - entity.start, entity.start, entity.kb_id)
            best = key if best is None or key > best else best
    return best[2] if best is not None else links.get(text.lower())


def _outcomes(
    outcome: Candidate,
    unit: Unit,
    span: tuple[int, int],
    key: str | None,
    entities: Sequence[Entity],
    links: Mapping[str, str],
) -> tuple[Argument, ...]:
    """The outcome and those coordinated with it: "pain, sleep and mood"."""
    first = _argument(outcome, unit, entities, links)
    if outcome.where != "sentence":
        return (first,)
    at = next((i for i, c in enumerate(unit.chunks) if unit.start + c.start == outcome.start), None)
    if at is None:
        return (first,)
    chunks = unit.chunks
    before: list[Chunk] = []
    for i in range(at, 0, -1):
        if len(before) >= _MAX_OUTCOMES or not _coordinated(unit, chunks[i - 1], chunks[i]):
            break
        before.insert(0, chunks[i - 1])
    after: list[Chunk] = []
    for i in range(at + 1, len(chunks)):
        if len(after) >= _MAX_OUTCOMES or not _coordinated(unit, chunks[i - 1], chunks[i]):
            break
        after.append(chunks[i])
    return (
        *(_from_chunk(c, unit, entities, links) for c in before if _inside(c, span, key)),
        first,
        *(_from_chunk(c, unit, entities, links) for c in after if _inside(c, span, key)),
    )


def _inside(chunk: Chunk, span: tuple[int, int], subject: str | None) -> bool:
    if is_empty(chunk.key, _EMPTY_OUTCOMES):
        return False
    return span[0] <= chunk.start and chunk.end <= span[1] and chunk.key != subject


def _coordinated(unit: Unit, first: Chunk, second: Chunk) -> bool:
    between = unit.words[first.last : second.first]
    if any(w.tag == "verb" for w in unit.words[second.last : second.last + 1]):
        return False
    joints = [w.lower for w in between if w.tag != "det"]
    return bool(joints) and all(j in (",", "and", "or", "/", "and/or") for j in joints)


def _behind(
    patterns: Sequence[re.Pattern[str]], unit: Unit, span: tuple[int, int], taken: frozenset[str]
) -> Chunk | None:
    """The chunk that opens straight behind a match of one of the patterns, inside the span."""
    for pattern in patterns:
        for match in pattern.finditer(unit.lower, *span):
            chunk = _opening_at(unit, match.end())
            if chunk is not None and chunk.key not in taken:
                return chunk
    return None


def _population(unit: Unit, span: tuple[int, int], taken: frozenset[str]) -> Chunk | None:
    for pattern in _POPULATION:
        for match in pattern.finditer(unit.lower, *span):
            chunk = _opening_at(unit, match.end())
            if chunk is not None and chunk.key in _POPULATIONS and chunk.key not in taken:
                return _with_condition(unit, chunk)
    return None


def _mentioned(
    label: str, unit: Unit, span: tuple[int, int], entities: Sequence[Entity]
) -> Argument | None:
    """The first entity of that label inside the claim."""
    for entity in entities:
        start, end = entity.start - unit.start, entity.end - unit.start
        if entity.label == label and span[0] <= start and end <= span[1]:
            return Argument(entity.text, entity.start, entity.end, entity.kb_id)
    return None


def _with_condition(unit: Unit, chunk: Chunk) -> Chunk:
    """Patients with a disease are one population: take the "with" phrase in."""
    following = unit.words[chunk.last] if chunk.last < len(unit.words) else None
    if following is None or following.lower not in ("with", "without", "aged", "over", "of"):
        return chunk
    behind = _opening_at(unit, following.end + 1)
    if behind is None:
        return chunk
    return Chunk(chunk.start, behind.end, chunk.first, behind.last, chunk.key)


def _opening_at(unit: Unit, position: int) -> Chunk | None:
    """The longest chunk that starts at a position, or behind a determiner there."""
    best: Chunk | None = None
    at = bisect_left(unit.starts, position)
    for chunk in unit.chunks:
        if chunk.start < position:
            continue
        gap = unit.words[at : chunk.first]
        if len(gap) > 2 or any(w.tag not in ("det", "prep") for w in gap):
            break
        if best is None or chunk.start == best.start:
            best = chunk
    return best


def _from_chunk(
    chunk: Chunk, unit: Unit, entities: Sequence[Entity], links: Mapping[str, str]
) -> Argument:
    start, end = unit.start + chunk.start, unit.start + chunk.end
    text = unit.text[chunk.start : chunk.end]
    return Argument(text, start, end, _link(text, start, end, entities, links))
