"""Pick a claim's subject, outcome and party among noun chunks, by a linear ranking model.

Candidates are the chunks of the sentence, of what leads it in, of the sentence before and of the
section's heading, and the document's main topics; candidates with the same head are one. Each has
sparse binary features, and a role's weights (`argument_weights.json`, trained by
`models/training/arguments.py`) score them: a conditional logit, as in learning to rank (Cao and
others 2007, ListNet, with one relevant item).
"""

from __future__ import annotations

import json
import re
from bisect import bisect_left, bisect_right
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache, cached_property, lru_cache
from importlib import resources
from typing import Any, NamedTuple

from hedgerow.nlp.lexicon import lowered
from hedgerow.nlp.phrases import Chunk, Word, base_form, chunks_of, split_words, stem
from hedgerow.nlp.rules import load_rules, words_of

CLAIM_ROLES = ("subject", "outcome", "party")
TOPIC = "topic"
"""The role of a document's main subject, which is picked once a document."""

_TOPICS = 12
"""So many of the document's commonest heads may be its main subject."""

_MAIN = 4
"""So many of the likeliest main subjects are candidates everywhere in the document."""

_REPORT_VERBS = words_of("attribution", "report_verbs")
_STUDY_NOUNS = words_of("attribution", "study_nouns")
_PARTY_NOUNS = words_of("attribution", "party_nouns")
_FRAMES = [(r.id, r.lower, r.case, str(r.fields["side"])) for r in load_rules("attribution")]
_RARITY = (3, 6, 15, 50)
"""Edges of the classes of rarity: documents of the training set that a head occurs in."""

_VERBAL = frozenset({"verb", "aux", "adv"})
"""Classes of words that may open a verb group."""

_NAME_LIKE = re.compile(r"[A-Z][A-Za-z]*[A-Z]|[A-Z]{2,}|[A-Z][a-z]+-?\d")


Scores = tuple[int, int, int]
"""Scores as subject, outcome and party."""


@dataclass(frozen=True)
class Unit:
    """A sentence, taken apart once. start: where it stands in the document.

    labels: the entity label of each chunk, empty where it holds no entity's last word.
    """

    start: int
    text: str
    block: str
    words: Sequence[Word]
    chunks: Sequence[Chunk]
    labels: Sequence[str]

    @cached_property
    def lower(self) -> str:
        """The text in lower case, each character in its place."""
        return lowered(self.text)

    @cached_property
    def starts(self) -> Sequence[int]:
        """Where the words start."""
        return [word.start for word in self.words]


class Candidate(NamedTuple):
    """A noun chunk that may fill a role; documents.text[start:end] is its text.

    start, end: None for a chunk of the section's heading.
    where: "sentence", "lead_in", "previous", "section" or "topic": the nearest place it stands in.
    place, standing, joint: its features: of the places it stands in, of its head in the document,
        and of both with the sentence's labels. No feature is in two of them.
    """

    key: str
    text: str
    start: int | None
    end: int | None
    where: str
    place: tuple[str, ...]
    standing: tuple[str, ...]
    joint: tuple[str, ...]

    @property
    def features(self) -> tuple[str, ...]:
        """All features."""
        return (*self.place, *self.standing, *self.joint)


@dataclass(frozen=True)
class Profile:
    """What a document is about: its commonest heads with their first mention, and its title's.

    frequency: of heads in the training set. rank, count: of the document's own.
    main: heads by how likely they are the document's main subject, the likeliest first.
    alias: head of an abbreviation to head of its long form.
    label: the entity label that a head mostly has; heads without are left out.
    starts: how many sentences open with a head.
    standing: features of a candidate in this document, kept once they are made.
    """

    frequency: Mapping[str, int]
    rank: Mapping[str, int]
    count: Mapping[str, int]
    mention: Mapping[str, tuple[str, int, int]]
    title: frozenset[str]
    opening: str
    main: tuple[str, ...] = ()
    alias: Mapping[str, str] = field(default_factory=dict)
    label: Mapping[str, str] = field(default_factory=dict)
    starts: Mapping[str, int] = field(default_factory=dict)
    standing: dict[tuple[str, str, str], tuple[str, ...]] = field(default_factory=dict, repr=False)


def make_unit(
    start: int, text: str, block: str, entities: Sequence[tuple[int, int, str]] = ()
) -> Unit:
    """Return the sentence at `start` of its document, taken apart.

    entities: start, end (in the sentence) and label of the entities that it mentions.
    """
    words = split_words(text)
    chunks = _with_shorter(text, words, chunks_of(text, words))
    labels = [""] * len(chunks)
    for entity_start, entity_end, label in entities:
        for i, chunk in enumerate(chunks):
            if entity_start < chunk.end <= entity_end:
                labels[i] = label
    return Unit(start, text, block, words, chunks, labels)


def _with_shorter(text: str, words: Sequence[Word], chunks: Sequence[Chunk]) -> list[Chunk]:
    """Add to a chunk that a pronoun or determiner follows the chunk without its last word.

    Its last word may be a verb that the list of verbs lacks: "fans pair it".
    """
    result: list[Chunk] = []
    for chunk in chunks:
        follows = words[chunk.last].tag if chunk.last < len(words) else "punct"
        last = words[chunk.last - 1]
        if (
            chunk.last - chunk.first > 1
            and follows in ("pron", "det", "adv", "prep")
            and last.end - last.start > 1
            and text[last.start : last.end].islower()
        ):
            end = chunk.last - 1
            result.append(
                Chunk(chunk.start, words[end - 1].end, chunk.first, end, stem(words[end - 1].lower))
            )
        result.append(chunk)
    return result


def make_profile(units: Sequence[Unit], title: str | None) -> Profile:
    """Return what a document is about, from all its sentences and its title."""
    return with_main(gather(units, title, _frequency()), units, _weights()[TOPIC])


def with_main(profile: Profile, units: Sequence[Unit], weights: Mapping[str, float]) -> Profile:
    """Return the profile with the heads ranked as the document's main subject."""
    scored = [
        (-sum(weights.get(f, 0.0) for f in topic_features(key, profile, units)), key)
        for key in profile.mention
    ]
    return replace(profile, main=tuple(key for _, key in sorted(scored)))


def gather(units: Sequence[Unit], title: str | None, frequency: Mapping[str, int]) -> Profile:
    """Return a document's profile before its main subject is known.

    frequency: in how many documents of the training set a head occurs.
    """
    alias = _aliases(units)
    counts: Counter[str] = Counter()
    texts: defaultdict[str, Counter[str]] = defaultdict(Counter)
    first: dict[tuple[str, str], tuple[int, int]] = {}
    labels: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for unit in units:
        for chunk, label in zip(unit.chunks, unit.labels, strict=True):
            text = unit.text[chunk.start : chunk.end]
            key = alias.get(chunk.key, chunk.key)
            counts[key] += 1
            if label:
                labels[key][label] += 1
            texts[key][text] += 1
            first.setdefault((key, text), (unit.start + chunk.start, unit.start + chunk.end))
    ranked = sorted(counts, key=lambda k: (-counts[k], k))
    stems = (stem(w.lower) for w in split_words(title or "") if w.tag == "noun")
    keys = frozenset(alias.get(s, s) for s in stems)
    places = {key: i for i, key in enumerate(ranked[:40])}
    topics = [*ranked[:_TOPICS], *(k for k in sorted(keys) if k in counts)]
    mention = {}
    for key in dict.fromkeys(topics):
        text = min(texts[key], key=lambda t: (-texts[key][t], len(t), t))
        mention[key] = (text, *first[key, text])
    opening = next((u.chunks[0].key for u in units if u.block == "paragraph" and u.chunks), "")
    usual = {
        key: min(found, key=lambda x: (-found[x], x))
        for key, found in labels.items()
        if 2 * found.total() >= counts[key]
    }
    return Profile(
        frequency,
        places,
        counts,
        mention,
        keys,
        alias.get(opening, opening),
        alias=alias,
        label=usual,
        starts=Counter(u.chunks[0].key for u in units if u.chunks),
    )


def topic_features(key: str, profile: Profile, units: Sequence[Unit]) -> list[str]:
    """Features of a head as the document's main subject."""
    text = profile.mention[key][0]
    share = profile.count[key] / max(1, len(units))
    bucket = bisect_left((0.05, 0.1, 0.2, 0.3, 0.5), share)
    often = min(4, 10 * profile.starts.get(key, 0) // max(1, len(units)))
    common = _common(key, text, "topic", profile)
    return [
        *(f for f in common if not f.startswith("h=")),
        f"share={bucket}",
        f"starts={often}",
        *(f"{f}|{common[0]}" for f in (f"share={bucket}", f"starts={often}")),
        *([f"title|{common[0]}"] if key in profile.title else []),
        *(f"{f}|{profile.label.get(key, '')}" for f in (f"share={bucket}", f"starts={often}")),
    ]


def _aliases(units: Sequence[Unit]) -> dict[str, str]:
    """Heads of abbreviations that the document defines: "tranexamic acid (TXA)"."""
    found: dict[str, str] = {}
    for unit in units:
        for long, short in zip(unit.chunks, unit.chunks[1:], strict=False):
            if short.start != long.end + 2 or unit.text[long.end : short.start] != " (":
                continue
            name = unit.text[short.start : short.end]
            initials = [
                w[0].lower() for w in re.findall(r"[^\W_]+", unit.text[long.start : long.end])
            ]
            if _NAME_LIKE.search(name) and name[0].lower() in initials and name.isalnum():
                found.setdefault(short.key, long.key)
    return {s: k for s, k in found.items() if k not in found}


def find_candidates(
    unit: Unit,
    profile: Profile,
    *,
    lead_in: Unit | None,
    previous: Unit | None,
    section: Unit | None,
    labels: Sequence[str],
    carried: str | None = None,
) -> list[Candidate]:
    """Return the candidates of a sentence with their features, the sentence's own first.

    labels: the unit's labels that bear on the choice (its claim type and attribution).
    carried: head of the subject of the claim before.
    """
    places: dict[str, list[str]] = {}
    best: dict[str, tuple[str, int, int, str]] = {}
    alias = profile.alias
    frames = _frames(unit)
    first_verb = next((i for i, w in enumerate(unit.words) if w.tag in ("verb", "aux")), 10**6)
    opener = _opener(unit)
    of_sentence, openings = tuple(labels), (opener, unit.block)
    verbs = _verbs_before(unit.words)
    places_of_main = {key: i for i, key in enumerate(profile.main[:3])}
    for index, chunk in enumerate(unit.chunks):
        found = _in_sentence(unit, chunk, index, first_verb, frames, verbs)
        _add(places, best, unit, chunk, alias, "sentence", found)
    for where, other in (("lead_in", lead_in), ("previous", previous), ("section", section)):
        if other is None:
            continue
        for index, chunk in enumerate(other.chunks):
            _add(places, best, other, chunk, alias, where, _elsewhere(other, chunk, where, index))
    for key in profile.main[:_MAIN]:
        text, start, end = profile.mention[key]
        places.setdefault(key, []).append("topic")
        best.setdefault(key, (text, start, end, "topic"))
    result = []
    for key, place in places.items():
        text, start, end, where = best[key]
        standing = profile.standing.get((key, text, where))
        if standing is None:
            standing = profile.standing[key, text, where] = _common(key, text, where, profile)
        joint = _joint(
            of_sentence,
            openings,
            place[1] if place[0] == "sentence" else f"at={where}",  # as _in_sentence orders them
            f"main={places_of_main.get(key, 3)}|{'carried' if key == carried else ''}",
            standing[-1],
        )
        unique = tuple(dict.fromkeys(place))
        known = where != "section"
        result.append(
            Candidate(
                key,
                text,
                start if known else None,
                end if known else None,
                where,
                unique,
                standing,
                joint,
            )
        )
    return result


@lru_cache(maxsize=50_000)
def _joint(
    labels: tuple[str, ...], openings: tuple[str, str], position: str, main: str, kind: str
) -> tuple[str, ...]:
    """Features of a candidate's place and standing, each with the labels of its sentence.

    openings: how the sentence opens, and its block.
    """
    return (
        *(f"{label}|{of}" for label in labels for of in (position, main, kind)),
        *(f"{opening}|{of}" for opening in openings for of in (position, main)),
        main,
        f"{main}|{position}",
    )


class Ranking:
    """The candidates of a sentence with their scores for every role."""

    def __init__(self, candidates: Sequence[Candidate], labels: Sequence[str]) -> None:
        """labels: those that the candidates' features were made with."""
        self.candidates = candidates
        self._scores = [_total(c) for c in candidates]
        self._nobody = _score(none_features(labels))

    def best(
        self, role: str, fits: Callable[[Candidate], bool] = lambda _: True
    ) -> Candidate | None:
        """Return the candidate that the role puts first among those that fit.

        None where there is none, and for the role "party" where naming nobody scores higher.
        """
        column = CLAIM_ROLES.index(role)
        best: Candidate | None = None
        score: float = self._nobody[column] if role == "party" else float("-inf")
        for candidate, scores in zip(self.candidates, self._scores, strict=True):
            if scores[column] > score and fits(candidate):
                best, score = candidate, scores[column]
        return best


def _total(candidate: Candidate) -> Scores:
    """A candidate's score for every role."""
    place = candidate.place
    subject, outcome, party = _score(place) if candidate.where == "sentence" else _kept(place)
    for part in (candidate.standing, candidate.joint):
        found = _kept(part)
        subject += found[0]
        outcome += found[1]
        party += found[2]
    return subject, outcome, party


def _score(features: Sequence[str]) -> Scores:
    """The sums of the features' weights."""
    known = _joint_weights().get
    subject = outcome = party = 0
    for feature in features:
        found = known(feature)
        if found is not None:
            subject += found[0]
            outcome += found[1]
            party += found[2]
    return subject, outcome, party


@lru_cache(maxsize=100_000)
def _kept(features: tuple[str, ...]) -> Scores:
    """The score of features that many candidates share."""
    return _score(features)


def is_study(candidate: Candidate) -> bool:
    """Whether a party is a piece of research or the name of one."""
    return candidate.key in _STUDY_NOUNS or "kind=name" in candidate.standing


def phrase_of(candidate: Candidate, unit: Unit) -> tuple[str, int | None, int | None]:
    """Return a candidate's text with an "of" phrase that completes it, and where it stands.

    "use" alone says little: "long-term use of neuroleptics".
    """
    if candidate.where != "sentence" or candidate.start is None or candidate.end is None:
        return candidate.text, candidate.start, candidate.end
    end = candidate.end - unit.start
    of, following = (*unit.words[(at := bisect_left(unit.starts, end)) : at + 2], None, None)[:2]
    if of and following and of.lower == "of" and not unit.text[end : of.start].strip():
        start = following.end + 1 if following.tag == "det" else following.start
        chunk = next((c for c in reversed(unit.chunks) if c.start == start), None)
        if chunk is not None:
            end = chunk.end
    start = candidate.start - unit.start
    return unit.text[start:end], candidate.start, unit.start + end


def none_features(labels: Sequence[str]) -> tuple[str, ...]:
    """The features of naming nobody."""
    return ("none", *(f"{label}|none" for label in labels))


@cache
def _frequency() -> Mapping[str, int]:
    """In how many of the documents that the weights were trained on a head occurs."""
    counts: Mapping[str, int] = _file()["frequency"]
    return counts


@cache
def _weights() -> Mapping[str, Mapping[str, float]]:
    weights: Mapping[str, Mapping[str, float]] = _file()["weights"]
    return weights


@cache
def _joint_weights() -> Mapping[str, Scores]:
    """Each feature's weight for subject, outcome and party, in thousandths.

    Whole numbers add up to the same sum in any order, so equal candidates stay equal.
    """
    subject, outcome, party = (_weights()[role] for role in CLAIM_ROLES)
    return {
        f: (_thousandths(subject, f), _thousandths(outcome, f), _thousandths(party, f))
        for f in sorted({*subject, *outcome, *party})
    }


def _thousandths(weights: Mapping[str, float], feature: str) -> int:
    return round(1000 * weights.get(feature, 0.0))


@cache
def _file() -> Mapping[str, Any]:
    path = resources.files("hedgerow.nlp") / "data" / "argument_weights.json"
    content: Mapping[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return content


def _add(
    places: dict[str, list[str]],
    best: dict[str, tuple[str, int, int, str]],
    unit: Unit,
    chunk: Chunk,
    alias: Mapping[str, str],
    where: str,
    features: Iterable[str],
) -> None:
    key = alias.get(chunk.key, chunk.key)
    places.setdefault(key, []).extend(features)
    if key not in best:
        text = unit.text[chunk.start : chunk.end]
        best[key] = (text, unit.start + chunk.start, unit.start + chunk.end, where)


def _in_sentence(
    unit: Unit,
    chunk: Chunk,
    index: int,
    first_verb: int,
    frames: Mapping[int, Sequence[str]],
    verbs: Sequence[str],
) -> list[str]:
    """Features of a chunk's place among the words around it; verbs: the last before each word."""
    words = unit.words
    at = chunk.first - 1
    determiner = ""
    if at >= 0 and words[at].tag == "det":
        determiner, at = words[at].lower, at - 1
    before = words[at] if at >= 0 else None
    after = words[chunk.last] if chunk.last < len(words) else None
    verb_after = _verb(words[chunk.last : chunk.last + 4])
    verb_before = verbs[chunk.first]
    place = "after" if chunk.first > first_verb else "first" if index == 0 else "before"
    return [
        "sentence",
        f"at={place}",
        f"i={min(index, 4)}",
        f"r={min(len(unit.chunks) - index - 1, 3)}",
        f"p={before.lower if before and before.tag != 'noun' else before and before.tag}",
        f"pt={before and before.tag}|{place}",
        f"d={determiner}",
        f"n={after.lower if after and after.tag != 'noun' else after and after.tag}",
        f"nt={after and after.tag}|{place}",
        f"nv={verb_after}",
        f"pv={verb_before}",
        *(["nr"] if verb_after in _REPORT_VERBS else []),
        *(["pr"] if verb_before in _REPORT_VERBS else []),
        *(
            f"frame={f}"
            for f in (*frames.get(-chunk.end, ()), *frames.get(_left(words, chunk), ()))
        ),
        f"size={min(chunk.last - chunk.first, 4)}",
    ]


def _verbs_before(words: Sequence[Word]) -> list[str]:
    """The base form of the last verb before each word, empty where there is none."""
    verbs = [""]
    for word in words:
        verbs.append(base_form(word.lower) if word.tag == "verb" else verbs[-1])
    return verbs


def _left(words: Sequence[Word], chunk: Chunk) -> int:
    """Where a chunk starts with its determiner."""
    at = chunk.first - 1
    return words[at].start if at >= 0 and words[at].tag == "det" else chunk.start


def _verb(words: Sequence[Word]) -> str:
    """The verb that opens a verb group: "may have reduced" -> reduce; else empty."""
    for word in words:
        if word.tag == "verb":
            return base_form(word.lower)
        if word.tag not in ("aux", "adv"):
            return ""
    return "be" if words and words[0].tag == "aux" else ""


def _elsewhere(unit: Unit, chunk: Chunk, where: str, index: int) -> tuple[str, ...]:
    after = unit.words[chunk.last].tag if chunk.last < len(unit.words) else None
    reports = after in _VERBAL and _verb(unit.words[chunk.last : chunk.last + 4]) in _REPORT_VERBS
    return _elsewhere_features(where, min(index, 3), after, reports)


@lru_cache(maxsize=1000)
def _elsewhere_features(
    where: str, index: int, after: str | None, reports: bool
) -> tuple[str, ...]:
    return (
        where,
        f"{where}={index}",
        f"{where}_nt={after}",
        *([f"{where}_nr"] if reports else []),
    )


def _common(key: str, text: str, where: str, profile: Profile) -> tuple[str, ...]:
    """Features of the head and of its standing: how rare a word it is comes first."""
    seen = profile.frequency.get(key, 0)
    rarity = bisect_right(_RARITY, seen)
    rank = profile.rank.get(key, 99)
    count = profile.count.get(key, 0)
    label = profile.label.get(key, "")
    kind = _kind(key, text)
    return (
        f"rarity={rarity}",
        f"rank={rank if rank < 4 else 4 if rank < 8 else 5 if rank < 40 else 6}",
        f"count={count if count < 4 else 4 if count < 8 else 5 if count < 16 else 6}",
        *(["title"] if key in profile.title else []),
        *([f"title|{where}"] if key in profile.title else []),
        *(["opening"] if key == profile.opening else []),
        f"h={key}",
        f"e={key[-3:]}",
        f"label={label}",
        f"label={label}|{where}",
        f"kind={kind}|{where}",
        f"kind={kind}",
    )


@lru_cache(maxsize=50_000)
def _kind(key: str, text: str) -> str:
    """What a candidate is by its looks."""
    return (
        "study" if key in _STUDY_NOUNS
        else "party" if key in _PARTY_NOUNS
        else "name" if _NAME_LIKE.search(text)
        else "capital" if text[:1].isupper()
        else "other"
    )  # fmt: skip


def _opener(unit: Unit) -> str:
    """How a sentence opens: its first word where that points back, else its class."""
    if not unit.words:
        return "open="
    word = unit.words[0]
    return f"open={word.lower}" if word.tag in ("pron", "det") else f"open={word.tag}"


def _frames(unit: Unit) -> dict[int, list[str]]:
    """Frames by where their party starts, or (negative) ends."""
    found: dict[int, list[str]] = {}
    for name, pattern, cased, side in _FRAMES:
        for match in pattern.finditer(unit.text if cased else unit.lower):
            at = match.start("party")
            found.setdefault(at if side == "start" else -at, []).append(name)
    return found


@lru_cache(maxsize=256)
def section_unit(section: str | None) -> Unit | None:
    """Return a section's heading, taken apart; None where there is none."""
    return make_unit(0, section, "heading") if section else None
