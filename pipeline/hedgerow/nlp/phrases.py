"""Words, verb groups and noun chunks of a sentence, without a parser.

Closed word classes and a list of common verbs (`phrases.toml`) cut a sentence into chunks; what
lies between two cuts is a noun chunk. It errs on the side of too many chunks: whoever picks one
weighs them (`ranking.py`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hedgerow.nlp.rules import load_data, words_of

_WORD = re.compile(r"[^\W_]+(?:[-'’/.‐+&@][^\W_]+)*[®™]?|[^\w\s]")
_POSSESSIVE = ("'s", "’s")

DETERMINERS = words_of("phrases", "determiners")
PREPOSITIONS = words_of("phrases", "prepositions")
CONJUNCTIONS = words_of("phrases", "conjunctions")
PRONOUNS = words_of("phrases", "pronouns")
AUXILIARIES = words_of("phrases", "auxiliaries")
ADVERBS = words_of("phrases", "adverbs")
_NOT_ADVERBS = words_of("phrases", "not_adverbs")
_AMBIGUOUS = words_of("phrases", "ambiguous")


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


@dataclass(frozen=True)
class Word:
    """A word or punctuation mark; text[start:end] is it. tag: its class.

    tag: one of "det", "prep", "conj", "pron", "aux", "adv", "verb", "punct", "noun" (the rest).
    """

    start: int
    end: int
    lower: str
    tag: str


@dataclass(frozen=True)
class Chunk:
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
    tags: list[str] = []
    for i, (start, _, lower) in enumerate(found):
        following = found[i + 1][2] if i + 1 < len(found) else ""
        tags.append(_tag(text[start], lower, tags[-1] if tags else "punct", following))
    return [Word(s, e, w, t) for (s, e, w), t in zip(found, tags, strict=True)]


def _tag(first: str, lower: str, previous: str, following: str) -> str:
    if not lower[0].isalnum():
        return "punct"
    if lower in AUXILIARIES:
        return "aux"
    if lower in PREPOSITIONS:
        return "prep"
    if lower in PRONOUNS and (lower not in DETERMINERS or _closes(following)):
        return "pron"
    if lower in DETERMINERS:
        return "det"
    if lower in CONJUNCTIONS:
        return "conj"
    if lower in ADVERBS or (lower.endswith("ly") and lower not in _NOT_ADVERBS):
        return "adv"
    if lower in VERBS:
        verb = previous not in ("det", "prep") and _is_verb(lower, previous, following)
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


def _is_verb(lower: str, previous: str, following: str) -> bool:
    if lower not in _AMBIGUOUS:
        return True
    if previous in ("aux", "adv", "pron") or (previous == "noun" and lower.endswith("ed")):
        return True
    return previous == "noun" and (
        following in DETERMINERS or following == "that" or following in PRONOUNS
    )


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
            if last > first and words[last - 1].lower.endswith(_POSSESSIVE):
                chunks.append(_chunk(words, first, last))
            last += 1
        end = _trimmed(words, first, last)
        if end > first:
            chunks.append(_chunk(words, first, end))
        first = last
    return [c for c in chunks if any(ch.isalpha() for ch in text[c.start : c.end])]


def _trimmed(words: Sequence[Word], first: int, last: int) -> int:
    """Where a chunk ends without a participle or bare number behind its noun.

    "mixture derived (from)", "trial 7": neither is part of the name.
    """
    while last - first > 1:
        word = words[last - 1].lower
        participle = word in VERBS and word.endswith("ed") and _closes_at(words, last)
        if not participle and not (word.isdigit() and words[last - 2].lower.islower()):
            break
        last -= 1
    return last


def _closes_at(words: Sequence[Word], index: int) -> bool:
    return index >= len(words) or words[index].tag in ("prep", "punct", "adv", "conj")


def _chunk(words: Sequence[Word], first: int, last: int) -> Chunk:
    end = words[last - 1].end
    for ending in _POSSESSIVE:
        if words[last - 1].lower.endswith(ending):
            end -= len(ending)
    return Chunk(words[first].start, end, first, last, stem(words[last - 1].lower))
