"""Words, verb groups and noun chunks of a sentence, without a parser.

Closed word classes and a list of common verbs (`phrases.toml`) cut a sentence into chunks; what
lies between two cuts is a noun chunk. It errs on the side of too many chunks: whoever picks one
weighs them (`ranking.py`).
"""

from __future__ import annotations

import itertools
import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

from hedgerow.nlp.rules import load_data, words_of

_WORD = re.compile(r"\d{1,3}(?:,\d{3})+(?![\d,])|[^\W_]+(?:[-'’/.‐+&@][^\W_]+)*[®™]?|[^\w\s]")
_SEAM = re.compile(
    r"(?<=[a-z]{4})(?=[A-Z]{2}|\d)|(?<=[a-z]{3})(?=[A-Z][a-z]{6})|(?<=\d{2})(?=[A-Z][a-z])"
    r"|(?<=\b[a-z]{4})(?=[A-Z][a-z]{3})|(?<=\b[a-z]{5})(?=[A-Z][a-z]{3})"
)
"""Where two cells of a table, or two words, have been run together: "deathRR", "day 90No"."""
_SEAM_HINT = re.compile(r"[A-Z\d](?<=[a-z\d][A-Z]|[a-z]\d)")
"""What is at every seam, and fast to look for."""

_POSSESSIVE = ("'s", "’s")

DETERMINERS = words_of("phrases", "determiners")
PREPOSITIONS = words_of("phrases", "prepositions")
CONJUNCTIONS = words_of("phrases", "conjunctions")
PRONOUNS = words_of("phrases", "pronouns")
AUXILIARIES = words_of("phrases", "auxiliaries")
ADVERBS = words_of("phrases", "adverbs")
_NOT_ADVERBS = words_of("phrases", "not_adverbs")
_AMBIGUOUS = words_of("phrases", "ambiguous")
_TO_PREPOSITION = words_of("phrases", "to_preposition")
_SELDOM_VERBS = words_of("phrases", "seldom_verbs")
_NAMING_GERUNDS = words_of("phrases", "naming_gerunds")
_NUMBER_WORDS = words_of("phrases", "number_words")
_FRONT_WORDS = words_of("phrases", "front_words")
_UNITS = words_of("phrases", "units")
_MEASURE_MARKS = words_of("phrases", "measure_marks")
_ADJECTIVES = words_of("phrases", "adjectives")
_ADJECTIVE_ENDINGS = tuple(sorted(words_of("phrases", "adjective_endings")))
_ENDING_EXCEPTIONS = words_of("phrases", "ending_exceptions")
_PEOPLE = words_of("attribution", "party_nouns") | words_of("arguments", "population_nouns")
_STUDIES = words_of("attribution", "study_nouns")
_YEAR = re.compile(r"(?:19|20)\d\d")
_AMOUNT = re.compile(r"\d[\d.,]*(?:[-‐–]\d[\d.,]*)?(?:[-‐]?(?P<unit>[a-zµμ%/]+))?")


def inflections(verb: str) -> tuple[str, ...]:
    """Return the finite and past forms of a regular verb, the base form first; no -ing form."""
    if verb.endswith("e"):
        return verb, verb + "s", verb + "d"
    if verb.endswith("y") and verb[-2] not in "aeiou":
        return verb, verb[:-1] + "ies", verb[:-1] + "ied"
    third = verb + ("es" if verb.endswith(("s", "x", "ch", "sh", "o")) else "s")
    return verb, third, verb + "ed"


def _verb_forms() -> Mapping[str, str]:
    data = load_data("phrases")
    irregular: Mapping[str, Sequence[str]] = data["irregular"]
    forms: dict[str, str] = {}
    for verb in data["verbs"]:
        regular = inflections(verb)
        past = irregular.get(verb)
        for form in (*regular[:2], *(regular[2:] if past is None else past)):
            forms.setdefault(form, verb)
    return forms


VERBS: Mapping[str, str] = _verb_forms()
"""Form to base form of the verbs that are known."""

_ENDINGS = ("s", "ed")
_OPENERS = words_of("phrases", "openers")

_BREAKERS = PREPOSITIONS | CONJUNCTIONS | PRONOUNS | AUXILIARIES | ADVERBS | DETERMINERS


class Word(NamedTuple):
    """A word or punctuation mark; text[start:end] is it. tag: its class.

    tag: one of "det", "prep", "conj", "pron", "aux", "adv", "verb", "punct", "noun" (the rest).
    """

    start: int
    end: int
    lower: str
    tag: str


class Chunk(NamedTuple):
    """A noun chunk: words[first:last] of its sentence, without determiner; text[start:end].

    key: its last word in lower case, singular: what chunks are compared by.
    """

    start: int
    end: int
    first: int
    last: int
    key: str


def split_words(text: str) -> list[Word]:
    """Return the words of a text with their classes, in order."""
    found = [(m.start(), m.end(), m.group().lower()) for m in _WORD.finditer(text)]
    seams = [m.start() for m in _SEAM.finditer(text)] if _SEAM_HINT.search(text) else []
    if seams:
        found = list(_split_at(text, found, seams))
    words: list[Word] = []
    previous, before = "punct", ("", "")
    for i, (start, end, lower) in enumerate(found):
        tag = _tag_alone(lower)
        if tag is None:
            following = found[i + 1][2] if i + 1 < len(found) else ""
            tag = _tag(lower, previous, before, following)
        previous = tag
        words.append(Word(start, end, lower, previous))
        before = (before[1], lower)
    return words


def _split_at(
    text: str, found: Sequence[tuple[int, int, str]], seams: Sequence[int]
) -> Iterator[tuple[int, int, str]]:
    """Cut words in two at the seams inside them."""
    for start, end, _ in found:
        inside = seams[bisect_right(seams, start) : bisect_left(seams, end)]
        edges = [start, *inside, end]
        for left, right in itertools.pairwise(edges):
            yield left, right, text[left:right].lower()


@lru_cache(maxsize=100_000)
def _tag_alone(lower: str) -> str | None:
    """The class that a word has wherever it stands; None where the words around it decide."""
    if not lower[0].isalnum():
        return "punct"
    if lower in AUXILIARIES:
        return "aux"
    if lower in PREPOSITIONS:
        return "prep"
    if lower in PRONOUNS:
        return None if lower in DETERMINERS else "pron"
    if lower in DETERMINERS:
        return "det"
    if lower in CONJUNCTIONS:
        return "conj"
    if lower in ADVERBS or (lower.endswith("ly") and lower not in _NOT_ADVERBS):
        return "adv"
    return None if lower in VERBS or lower.endswith(_ENDINGS) else "noun"


def _tag(lower: str, previous: str, before: tuple[str, str], following: str) -> str:
    """The class of a word that depends on where it stands.

    previous: that of the word before. before: the two words before.
    """
    if lower in PRONOUNS:
        return "pron" if _closes(following) else "det"
    if lower in VERBS:
        if before[1] == "to":
            verb = _is_infinitive(lower, before[0], following)
        else:
            verb = previous not in ("det", "prep") and _is_verb(
                lower, previous, before[1], following
            )
    else:
        verb = previous == "noun" and lower.endswith(_ENDINGS) and following in _OPENERS
    return "verb" if verb else "noun"


def base_form(verb: str) -> str:
    """Return the base form of a verb in lower case; of one that is not known, the verb."""
    return VERBS.get(verb, verb)


def _closes(following: str) -> bool:
    """Whether a phrase cannot go on with that word."""
    return (
        not following
        or following in _BREAKERS
        or not following[0].isalnum()
        or (following in VERBS and following not in _AMBIGUOUS)
    )


def _is_infinitive(lower: str, before: str, following: str) -> bool:
    """Whether a word behind "to" is a verb: "to ease pain", but not "due to stress"."""
    if VERBS[lower] != lower or before in _TO_PREPOSITION:
        return False
    return lower not in _AMBIGUOUS or following in DETERMINERS or not _closes(following)


def _is_verb(lower: str, previous: str, before: str, following: str) -> bool:
    """Whether a form of a verb is one, which is neither behind a determiner nor a preposition."""
    if lower not in _AMBIGUOUS:
        return True
    if previous in ("aux", "adv", "pron"):
        return True
    if previous != "noun" or before[0].isdigit() or before in _NUMBER_WORDS:
        return False
    if lower.endswith("ed") or not (lower == VERBS.get(lower, lower) or lower.endswith("s")):
        return True
    if following in DETERMINERS or following == "that" or following in PRONOUNS:
        return True
    if _closes(following) or lower in _SELDOM_VERBS:
        return False
    name = stem(before)
    if lower.endswith("s"):
        return name == before and lower != VERBS.get(lower, lower)
    return name in _PEOPLE and (name != before or before == "people") and lower == VERBS.get(lower)


@lru_cache(maxsize=100_000)
def stem(word: str) -> str:
    """Return a word in lower case without possessive or plural ending, for comparison."""
    word = word.lower().strip("®™")
    for ending in _POSSESSIVE:
        word = word.removesuffix(ending)
    if len(word) > 4 and word.endswith("ies"):
        return word[:-3] + "y"
    if len(word) > 4 and word.endswith(("xes", "ches", "shes", "sses")):
        return word[:-2]
    if len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "us", "is")):
        return word[:-1]
    return word


def chunks_of(text: str, words: Sequence[Word]) -> list[Chunk]:
    """Return the noun chunks of a sentence, in order.

    A possessor is a chunk of its own and stays part of the longer one.
    """
    chunks: list[Chunk] = []
    first = 0
    while first < len(words):
        if words[first].tag != "noun":
            first += 1
            continue
        last = first
        while last < len(words) and words[last].tag == "noun":
            last += 1
            if last < len(words) and words[last].start == words[last - 1].end:
                break  # a seam: the next cell of a table
        start, end = _trimmed(text, words, first, last)
        chunks += [
            _chunk(words, start, i)
            for i in range(start + 1, end)
            if words[i - 1].lower.endswith(_POSSESSIVE)
        ]
        if end > start:
            chunks.append(_chunk(words, start, end))
        first = last
    return [
        c
        for c in chunks
        if c.end - c.start > 1
        and (text[c.start].isalpha() or any(ch.isalpha() for ch in text[c.start : c.end]))
        and not (words[c.first].lower in _MEASURE_MARKS and text[c.start : c.end].isupper())
    ]


def _trimmed(text: str, words: Sequence[Word], first: int, last: int) -> tuple[int, int]:
    """Where a name starts and ends in a run of nouns.

    Without a participle, adjective, number or measure behind it ("mixture derived (from)",
    "trial 7", "death RR 0.96"), nor an amount or a gerund before it ("5 mL saline", "using gels").
    """
    start, end = first, last
    while end - start > 1 and _is_behind(text, words, start, end):
        end -= 1
    while end > start:
        word = words[start].lower
        amount = _AMOUNT.fullmatch(word) if word[0].isdigit() else None
        if amount is not None and _is_amount(amount, words, start, end):
            start += 1
            while start < end and words[start].lower in _UNITS:
                start += 1
        elif word in _NUMBER_WORDS or (
            end - start > 1
            and (word in _FRONT_WORDS or (word in _UNITS and start == first) or _is_gerund(word))
        ):
            start += 1
        else:
            break
    return start, end


def _is_amount(amount: re.Match[str], words: Sequence[Word], start: int, end: int) -> bool:
    """Whether a number is no part of the name behind it, as a study's year is."""
    unit = amount.group("unit")
    if unit is not None:
        return unit in _UNITS
    return not (
        _YEAR.fullmatch(amount.group())
        and end - start > 1
        and stem(words[end - 1].lower) in _STUDIES
    )


def _is_behind(text: str, words: Sequence[Word], first: int, last: int) -> bool:
    """Whether the last word of a run of nouns is no part of the name."""
    word = words[last - 1].lower
    before = words[last - 2]
    if word in VERBS and word.endswith("ed") and _closes_at(words, last):
        return True
    if word in _UNITS and before.lower[0].isdigit():
        return True
    if word[0].isdigit():
        return _AMOUNT.fullmatch(word) is not None and (
            before.lower in _MEASURE_MARKS
            or text[before.start : before.end].islower()
            or "." in word
        )
    return (
        word in _ADJECTIVES and before.lower not in _ADJECTIVES and not word.endswith("ing")
    ) or (
        word in _MEASURE_MARKS
        and text[words[last - 1].start].isupper()
        and last - first > 1
        and text[before.start : before.end].islower()
    )


@lru_cache(maxsize=100_000)
def is_adjective(word: str) -> bool:
    """Whether a word in lower case is an adjective or participle, and names nothing alone."""
    return word in _ADJECTIVES or (
        word.endswith(_ADJECTIVE_ENDINGS) and word not in _ENDING_EXCEPTIONS
    )


def _is_gerund(word: str) -> bool:
    if not word.endswith("ing") or word in _NAMING_GERUNDS or len(word) < 5:
        return False
    root = word[:-3]
    return root in VERBS or f"{root}e" in VERBS or (root[-1] == root[-2] and root[:-1] in VERBS)


def _closes_at(words: Sequence[Word], index: int) -> bool:
    return index >= len(words) or words[index].tag in ("prep", "punct", "adv", "conj")


def _chunk(words: Sequence[Word], first: int, last: int) -> Chunk:
    end = words[last - 1].end
    for ending in _POSSESSIVE:
        if words[last - 1].lower.endswith(ending):
            end -= len(ending)
    return Chunk(words[first].start, end, first, last, stem(words[last - 1].lower))
