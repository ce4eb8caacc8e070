"""Names that meet: how subjects, outcomes, conditions and places of different texts are compared.

All rules stand in `data/names.toml`, each with a source and an example.
"""

from __future__ import annotations

import re
import sys
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from importlib import resources
from typing import Any

from hedgerow.errors import ResourceError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

_WORD = re.compile(r"[^\W_]+")
_POSSESSIVE = re.compile(r"['’]s\b")
_IRREGULAR = {
    "analyses": "analysis",
    "diagnoses": "diagnosis",
    "metastases": "metastasis",
    "crises": "crisis",
    "women": "women",
    "men": "men",
    "mice": "mice",
    "children": "children",
    "indices": "index",
    "vertebrae": "vertebra",
}
_FOLDED = 16_384
"""Texts whose reading is kept: a claim's text is asked for several times, one after the other."""
_ROUNDS = 6
"""How often frames are taken off one name; a name has no more of them."""


@dataclass(frozen=True)
class Frame:
    """Words round a name that do not belong to it; the pattern's first group is what stays."""

    id: str
    axis: str
    pattern: re.Pattern[str]


@dataclass(frozen=True)
class Concept:
    """An outcome that goes by several names.

    broad: it takes in so much that claims of opposite directions may both hold.
    bad: less of it is better.
    """

    id: str
    name: str
    broad: bool = False
    bad: bool = False

    def meeting(self, kb_id: str | None, exactness: float) -> Meeting:
        """Return this outcome as the place where a name is put."""
        sure = exactness * (_BROAD if self.broad else 1.0)
        return Meeting(f"concept:{self.id}", self.name, kb_id, sure, self.broad, self.bad)


_BROAD = 0.75
"""Exactness of a name whose outcome is a broad one."""


@dataclass(frozen=True)
class Pattern:
    """A named pattern: a place, a kind of population, or a way to doubt evidence."""

    id: str
    name: str
    pattern: re.Pattern[str]


@lru_cache(maxsize=65_536)
def fold_plural(word: str) -> str:
    """Return an English noun in one form for singular and plural; the form need not be a word."""
    if word in _IRREGULAR:
        return _IRREGULAR[word]
    if len(word) > 4 and word.endswith("ies"):
        return word[:-3] + "y"
    if len(word) > 4 and word.endswith(("sses", "shes", "ches", "xes")):
        return word[:-2]
    if len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "us", "is")):
        return word[:-1]
    return word


class Names:
    """The rules of a names file.

    data: its parsed content; see `data/names.toml` for what each section holds.
    Raises ResourceError where a rule has no such key or its pattern cannot be compiled.
    """

    def __init__(self, data: Mapping[str, Any]) -> None:
        self.fold = lru_cache(maxsize=_FOLDED)(self._fold)
        self.is_doubt = lru_cache(maxsize=_FOLDED)(self._is_doubt)
        self.is_denial = lru_cache(maxsize=_FOLDED)(self._is_denial)
        try:
            self._spelling = [(re.compile(r["pattern"]), r["replace"]) for r in data["spelling"]]
            self._any_spelling = re.compile("|".join(r["pattern"] for r in data["spelling"]))
            self._frames = [
                Frame(r["id"], r["axis"], re.compile(r["pattern"])) for r in data["frame"]
            ]
            self.places = _patterns(data["place"])
            self.species = _patterns(data["species"])
            self.conditions = _patterns(data["condition"])
            self.doubts = _patterns(data["doubt"])
            self.denials = _patterns(data["denial"])
            self.thresholds = _patterns(data["threshold"])
            self._contrast = re.compile(data["contrast"]["pattern"])
            self._classes = {self.fold(head) for head in data["class"]["heads"]}
            self._common = {self.fold(word) for word in data["study"]["words"]}
            self._of_evidence = {self.fold(head) for head in data["evidence"]["heads"]}
            self.generic = {self.fold(head) for head in data["generic"]["heads"]}
            self._plain_people = {self.fold(word) for word in data["people"]["words"]}
            self._exact: dict[str, Concept] = {}
            self._within: dict[tuple[str, ...], Concept] = {}
            self._by_id: dict[str, Concept] = {}
            self._concepts: dict[str, Concept] = {}
            self._groups = {group.id: group for group in self.conditions}
            for entry in data["concept"]:
                self._add_concept(entry)
        except (KeyError, re.error) as error:
            raise ResourceError(f"names file: found {error}; expected a whole rule") from error
        self.key = lru_cache(maxsize=_FOLDED)(self._key)
        self._longest = max(map(len, self._within), default=0)
        self._openings = {words[0] for words in self._within if words}

    def _add_concept(self, entry: Mapping[str, Any]) -> None:
        broad, bad = entry.get("broad", False), entry.get("bad", False)
        concept = self._concepts[entry["id"]] = Concept(entry["id"], entry["name"], broad, bad)
        for name in entry["exact"]:
            self._exact[self.fold(name)] = concept
            self._exact.setdefault(self._key(name, "outcome"), concept)
        for name in entry["within"]:
            self._within[tuple(self.fold(name).split())] = concept
        for kb_id in entry.get("kb_ids", ()):
            self._by_id[kb_id] = concept

    def _fold(self, text: str) -> str:
        """Return the text in lower case, words only, with spelling and plurals folded."""
        folded = unicodedata.normalize("NFKC", text).casefold()
        words = _WORD.findall(_POSSESSIVE.sub("", folded))
        name = " ".join(fold_plural(word) for word in words)
        if self._any_spelling.search(name):  # Few names have any, and there are many names.
            for pattern, replace in self._spelling:
                name = pattern.sub(replace, name)
        return name

    def _key(self, text: str, axis: str) -> str:
        """Return the name by which texts of one meaning meet; empty for a text without words.

        axis: "outcome", "subject" or "condition": which frames are taken off.
        """
        name = self.fold(text)
        frames = [frame for frame in self._frames if frame.axis in (axis, "any")]
        for _ in range(_ROUNDS):
            before = name
            for frame in frames:
                if axis == "outcome" and name in self._exact:
                    return name
                name = frame.pattern.sub(r"\1", name)
            if name == before:
                break
        return name

    def exact(self, key: str) -> Concept | None:
        """Return the concept that has this very name."""
        return self._exact.get(key)

    def concept(self, concept_id: str) -> Concept:
        """Return the concept of this id."""
        return self._concepts[concept_id]

    def group(self, group_id: str) -> Pattern:
        """Return the group of people of this id."""
        return self._groups[group_id]

    def of_id(self, kb_id: str) -> Concept | None:
        """Return the concept that has this knowledge-base id."""
        return self._by_id.get(kb_id)

    def within(self, key: str, *, narrow: bool = False) -> Concept | None:
        """Return the concept of the longest phrase inside the name, the first of equals.

        narrow: pass over broad concepts.
        """
        words = tuple(key.split())
        starts = [at for at, word in enumerate(words) if word in self._openings]
        for size in range(min(self._longest, len(words)), 0, -1):
            for at in starts:
                phrase = words[at : at + size]
                concept = self._within.get(phrase) if len(phrase) == size else None
                if concept is not None and not (narrow and concept.broad):
                    return concept
        return None

    def place(self, text: str) -> str | None:
        """Return the places that the text names, joined, in the order of the file."""
        found = [place.name for place in self.places if place.pattern.search(text)]
        return " and ".join(found) or None

    def species_of(self, text: str) -> str | None:
        """Return "animal", "cells" or "human" for the name of a population, else None."""
        return _first(self.species, self.fold(text))

    def telling_words(self, population: str) -> frozenset[str]:
        """Return the words of a population's name, without those that any population may have."""
        return frozenset(self.fold(population).split()) - self._plain_people

    def condition_of(self, *texts: str | None) -> Pattern | None:
        """Return the group of people, such as healthy people, that a text names."""
        folded = [self.fold(text) for text in texts if text]
        found = (c for c in self.conditions for text in folded if c.pattern.search(text))
        return next(found, None)

    def _is_doubt(self, text: str) -> bool:
        """Return whether the text says that the evidence is weak, mixed or missing."""
        return _first(self.doubts, text.casefold()) is not None

    def _is_denial(self, text: str) -> bool:
        """Return whether the text has a word that denies, or says that two things are alike."""
        return _first(self.denials, text.casefold()) is not None

    def is_threshold(self, outcome: str) -> bool:
        """Return whether less of the outcome means more of what it holds back."""
        return _first(self.thresholds, self.fold(outcome)) is not None

    def is_class(self, subject: str) -> bool:
        """Return whether a subject is a whole class of remedies, such as "exercise"."""
        return self.fold(subject) in self._classes

    def is_evidence(self, subject: str) -> bool:
        """Return whether a subject is the evidence itself, such as "the trials"."""
        return bool(words := self.fold(subject).split()) and words[-1] in self._of_evidence

    def names_evidence(self, text: str) -> bool:
        """Return whether the text has a word for studies or what they yield."""
        return not self._of_evidence.isdisjoint(self.fold(text).split())

    def is_common(self, word: str) -> bool:
        """Return whether a folded word of a study's name may stand in the name of any study."""
        return word in self._common

    def clause_of(self, text: str, part: str) -> str:
        """Return the clause of the text that the part stands in, or the text without it."""
        at = text.find(part)
        if at < 0:
            return text
        cuts = [match.span() for match in self._contrast.finditer(text)]
        start = max((end for _, end in cuts if end <= at), default=0)
        return text[start : min((s for s, _ in cuts if s >= at), default=len(text))]


def _patterns(entries: Iterable[Mapping[str, Any]]) -> tuple[Pattern, ...]:
    return tuple(
        Pattern(e["id"], e.get("name", e["id"]), re.compile(e["pattern"])) for e in entries
    )


def _first(patterns: Iterable[Pattern], text: str) -> str | None:
    return next((p.id for p in patterns if p.pattern.search(text)), None)


def read_rules() -> dict[str, Any]:
    """Return the content of the names file that ships with the package."""
    content = resources.files("hedgerow.evidence").joinpath("data/names.toml").read_text("utf-8")
    return tomllib.loads(content)


@lru_cache(maxsize=1)
def shipped() -> Names:
    """Return the rules that ship with the package."""
    return Names(read_rules())


@dataclass(frozen=True)
class Meeting:
    """Where a name is put. key: equal for names that meet. name: for people. kb_id: if linked.

    exactness: 1 for the same id or name, less where a longer name was placed by words inside it.
    broad: claims of opposite directions may both hold there.
    bad: less of it is better.
    """

    key: str
    name: str
    kb_id: str | None
    exactness: float
    broad: bool = False
    bad: bool = False

    @property
    def is_concept(self) -> bool:
        """Whether it is an outcome that goes by many names, and so is certain to be one."""
        return self.key.startswith("concept:")


@dataclass
class Resolver:
    """Puts names of one axis together, knowing all the names of a corpus.

    Linked ids come first, then the knowledge-base id that the same name has elsewhere, then
    concepts, then the normalised name. The order of `mentions` does not matter.

    mentions: every (name, knowledge-base id or None, `Names.key` of the name) of the corpus.
    """

    names: Names
    axis: str
    mentions: Iterable[tuple[str, str | None, str]]
    _cache: dict[tuple[str, str | None], Meeting | None] = field(default_factory=dict)

    @cached_property
    def _counts(self) -> Counter[tuple[str, str | None, str]]:
        return Counter(self.mentions)

    @cached_property
    def _keys(self) -> dict[str, str]:
        return {text: key for text, _, key in self._counts}

    @cached_property
    def _id_of_key(self) -> dict[str, str]:
        return _elected((key, kb_id, n) for (_, kb_id, key), n in self._counts.items() if kb_id)

    @cached_property
    def _key_of_id(self) -> dict[str, str]:
        return _elected((kb_id, key, n) for (_, kb_id, key), n in self._counts.items() if kb_id)

    @cached_property
    def _surface(self) -> dict[str, str]:
        """The commonest spelling of each key."""
        return _elected((key, text, n) for (text, _, key), n in self._counts.items())

    def resolve(self, text: str, kb_id: str | None) -> Meeting | None:
        """Return where the name is put; None for a name without words."""
        pair = (text, kb_id)
        if pair not in self._cache:
            self._cache[pair] = self._resolve(text, kb_id)
        return self._cache[pair]

    def _resolve(self, text: str, kb_id: str | None) -> Meeting | None:
        key = self._keys[text]
        if not key:
            return None
        concept = self._concept(key, kb_id) if self.axis == "outcome" else None
        if concept is not None:
            return concept.meeting(kb_id, 1.0)
        linked = kb_id or self._id_of_key.get(key)
        if linked is not None:
            name = self._surface[self._key_of_id[linked]]
            return Meeting(f"id:{linked}", name, linked, 1.0)
        concept = self.names.within(key) if self.axis == "outcome" else None
        if concept is not None:
            return concept.meeting(None, 0.85)
        return Meeting(f"name:{key}", self._surface[key], None, 0.95)

    def _concept(self, key: str, kb_id: str | None) -> Concept | None:
        exact = self.names.exact(key)
        if exact is not None or kb_id is None:
            return exact
        return (
            self.names.of_id(kb_id)
            or self.names.within(key)
            or self.names.exact(self._key_of_id[kb_id])
        )


def _elected(votes: Iterable[tuple[str, str, int]]) -> dict[str, str]:
    """Return item -> its commonest value; votes: (item, value, number)."""
    counts: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for item, value, number in votes:
        counts[item][value] += number
    return {item: commonest(values) for item, values in counts.items()}


def commonest(votes: Counter[str]) -> str:
    """Return the value with the most votes; of equals the shortest, lower case, first by name."""
    return min(votes, key=lambda value: (-votes[value], len(value), value != value.lower(), value))
