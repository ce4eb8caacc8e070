"""The cue lexicon: words that hedge, deny, condition, report or strengthen, as data.

The entries stand in `data/cues.toml`; each has a sentence that it must match and one that it must
not. Matching is one pass of a regular expression built as a trie, so its cost does not grow with
the number of entries.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import cache
from typing import Any

from hedgerow.errors import ResourceError
from hedgerow.nlp.rules import load_data
from hedgerow.tables import CUE_CATEGORIES, CUE_LEVELS

_CHOICE = re.compile(r"\[([^\[\]]*)\]")
_BLANKS = re.compile(r"\s+")
_APOSTROPHES = str.maketrans({"’": "'", "ʼ": "'", "‐": "-", "‑": "-"})
_PIECES = {" ": r"\s+", "'": "['’ʼ]", "-": "[-‐‑]"}
_WORD = re.compile(r"\w+|\W")
_REACH = 60
"""How many characters around a match its conditions can see."""
_MAX_CLAUSE = 2_000
"""Characters that a cue reaches at most; text that goes on longer without a border is no clause."""


def lowered(text: str) -> str:
    """Return `text` in lower case with every character where it was (İ has two in lower case)."""
    lower = text.lower()
    if len(lower) == len(text):
        return lower
    return "".join(c.lower() if len(c.lower()) == 1 else c for c in text)


def folded(text: str) -> str:
    """Return `text` in lower case with plain apostrophes, hyphens and single blanks."""
    return _BLANKS.sub(" ", lowered(text).translate(_APOSTROPHES)).strip()


def expand(form: str) -> list[str]:
    """Return the phrases that a form with choices stands for.

    "[not|never] been [fully |]proven" stands for four; an empty choice leaves the word out.
    """
    parts = _CHOICE.split(form)
    choices = [p.split("|") if i % 2 else [p] for i, p in enumerate(parts)]
    return [folded("".join(choice)) for choice in itertools.product(*choices)]


class Phrases:
    """Finds any of many phrases in a text: leftmost, longest, whole words, in any case.

    forms: the phrases, folded (see `folded`).
    """

    def __init__(self, forms: Iterable[str]) -> None:
        trie: dict[str, Any] = {}
        for form in sorted(set(forms)):
            node = trie
            for char in form:
                node = node.setdefault(char, {})
            node[""] = {}
        self._pattern = re.compile(
            rf"(?<!\w)(?<!\w[-‐‑])(?:{_alternation(trie)})(?!\w)(?![-‐‑]\w)" if trie else r"(?!)"
        )

    def search(self, lower: str, start: int = 0, end: int | None = None) -> re.Match[str] | None:
        """Return the first match in lower[start:end], or None; `lower` is in lower case."""
        return self._pattern.search(lower, start, len(lower) if end is None else end)

    def shorter(self, lower: str, start: int, end: int) -> re.Match[str] | None:
        """Return the longest match at `start` that is at least one word shorter than `end`."""
        words = [m.start() for m in re.finditer(r"(?<!\S)\S", lower[start:end])]
        for cut in reversed(words[1:]):
            match = self._pattern.match(lower, start, start + cut)
            if match:
                return match
        return None


def _alternation(node: Mapping[str, Any]) -> str:
    """Return the pattern of a trie node, longest alternatives first."""
    branches = [
        _PIECES.get(char, re.escape(char)) + _alternation(child)
        for char, child in node.items()
        if char
    ]
    if not branches:
        return ""
    body = branches[0] if len(branches) == 1 else f"(?:{'|'.join(branches)})"
    return f"(?:{body})?" if "" in node else body


@dataclass(frozen=True)
class Cue:
    """An entry of the lexicon.

    id: the entry's name, which is also the lemma of the cues that it finds.
    category, level: what the cue does, and the certainty that it leads to (see `tables`).
    forms: phrases, with choices in brackets (see `expand`).
    source: where the entry comes from.
    example, counterexample: a sentence that it must match, and one that it must not.
    before, after, not_before, not_after: patterns that must, or must not, stand right before or
        after the phrase (in lower case).
    cased: the phrase counts in lower case, at the start of the sentence and in capitals only.
    threshold: the model's probability of a cue that the phrase needs; 0 where it needs none.
    """

    id: str
    category: str
    level: str
    forms: tuple[str, ...]
    source: str
    example: str
    counterexample: str
    before: str = ""
    after: str = ""
    not_before: str = ""
    not_after: str = ""
    cased: bool = False
    threshold: float = 0.0
    _tests: tuple[tuple[re.Pattern[str], bool, bool], ...] = field(
        init=False, repr=False, compare=False
    )

    def __post_init__(self) -> None:
        if self.category not in CUE_CATEGORIES or self.level not in CUE_LEVELS:
            raise ResourceError(
                f"cue lexicon, entry {self.id!r}: found category {self.category!r} and level "
                f"{self.level!r}; expected one of {CUE_CATEGORIES} and of {CUE_LEVELS}"
            )
        conditions = (
            (rf"\b(?:{self.before})\s*$", self.before, True, True),
            (rf"\b(?:{self.not_before})\s*$", self.not_before, True, False),
            (rf"\s*(?:{self.after})", self.after, False, True),
            (rf"\s*(?:{self.not_after})", self.not_after, False, False),
        )
        tests = tuple(
            (re.compile(pattern), left, wanted)
            for pattern, given, left, wanted in conditions
            if given
        )
        object.__setattr__(self, "_tests", tests)

    def fits(self, text: str, lower: str, start: int, end: int) -> bool:
        """Return whether the phrase at text[start:end] is this cue, by what stands around it."""
        if self.cased and not _plainly_written(text, start, end):
            return False
        for pattern, left, wanted in self._tests:
            if left:
                found = pattern.search(lower[max(0, start - _REACH) : start])
            else:
                found = pattern.match(lower[end : end + _REACH])
            if (found is not None) is not wanted:
                return False
        return True


def _plainly_written(text: str, start: int, end: int) -> bool:
    word = text[start:end]
    return (
        word.islower()
        or text[:start].strip("\"'“‘(- ") == ""
        or (word.isupper() and text[:start].isupper())
    )


@dataclass(frozen=True)
class Found:
    """A phrase of the lexicon in a text: text[start:end] is a cue by entry `cue`."""

    start: int
    end: int
    cue: Cue


class CueLexicon:
    """The entries, and one matcher over all their forms.

    Where entries share a form, the first of each category whose conditions fit is taken: "unlikely"
    both hedges and denies.
    """

    def __init__(self, cues: Sequence[Cue], clause_end: str, negation_end: str) -> None:
        self.cues = {cue.id: cue for cue in cues}
        if len(self.cues) != len(cues):
            raise ResourceError("cue lexicon: found an id twice; expected each once")
        self._by_form: dict[str, list[Cue]] = {}
        for cue in cues:
            for form in cue.forms:
                for phrase in expand(form):
                    self._by_form.setdefault(phrase, []).append(cue)
        self._phrases = Phrases(self._by_form)
        self._clause_end = re.compile(clause_end)
        self._negation_end = re.compile(negation_end)

    def find(self, text: str) -> Iterator[Found]:
        """Yield the cues in `text` in order; two overlap only where their spans are equal."""
        lower = lowered(text)
        match = self._phrases.search(lower)
        while match is not None:
            found = self._decide(text, lower, match)
            yield from found
            position = found[0].end if found else _next_word(lower, match.start())
            match = self._phrases.search(lower, position)

    def _decide(self, text: str, lower: str, match: re.Match[str]) -> list[Found]:
        """Return the cues that the longest fitting part of a match stands for."""
        part: re.Match[str] | None = match
        while part is not None:
            start, end = part.span()
            by_category: dict[str, Found] = {}
            for cue in self._by_form[folded(part.group())]:
                if cue.category not in by_category and cue.fits(text, lower, start, end):
                    by_category[cue.category] = Found(start, end, cue)
            if by_category:
                return list(by_category.values())
            part = self._phrases.shorter(lower, start, end)
        return []

    def has(self, phrase: str) -> bool:
        """Return whether some entry has this form, whatever its conditions."""
        return folded(phrase) in self._by_form

    def clause_end(self, text: str, start: int) -> int:
        """Return where the clause that `start` stands in ends."""
        return _end(self._clause_end, text, start)

    def negation_end(self, text: str, start: int) -> int:
        """Return how far a negation that ends at `start` can reach at most."""
        return _end(self._negation_end, text, start)


def _end(pattern: re.Pattern[str], text: str, start: int) -> int:
    match = pattern.search(text, start, start + _MAX_CLAUSE)
    end = match.start() if match else min(len(text), start + _MAX_CLAUSE)
    return start + len(text[start:end].rstrip())


def _next_word(lower: str, start: int) -> int:
    """Return where the word at `start` ends (at least one character on)."""
    match = _WORD.match(lower, start)
    return match.end() if match else start + 1


@cache
def load_cues() -> CueLexicon:
    """Return the lexicon that ships in `data/cues.toml`.

    Raises ResourceError where an entry is malformed.
    """
    data = load_data("cues")
    cues = [_entry(Cue, record) for record in data["cue"]]
    return CueLexicon(cues, **data["scope"])


def _entry(kind: type[Cue], record: Mapping[str, Any]) -> Cue:
    names = {f.name for f in fields(kind) if f.init}
    if unknown := sorted(set(record) - names):
        raise ResourceError(
            f"cue lexicon, entry {record.get('id')!r}: found {unknown}; expected {sorted(names)}"
        )
    try:
        return kind(**{**record, "forms": tuple(record.get("forms", ()))})
    except (TypeError, re.error) as error:
        raise ResourceError(f"cue lexicon, entry {record.get('id')!r}: {error}") from error
