"""Sentence bounds inside a block, by rule.

One pattern finds every place where a sentence could end: a run of stops with its closing quotes
and brackets and the citation markers after it ("[1]", "(1)", "¹"). The words on either side
decide. The word lists are data: `nlp/data/sentences.toml`.

A block is one line or paragraph, so bounds never cross a block, and the rules need no model: a
statistical splitter breaks the short, verbless units that lists and tables are made of.
"""

from __future__ import annotations

import re
from functools import cache

from hedgerow.nlp.rules import load_data

WHOLE_BLOCKS = frozenset({"title", "table_row", "reference"})
"""Kinds of block that are one unit, whatever stops they hold."""
_WHOLE_FURNITURE = 20
"""Blanks up to which page furniture is one unit too: "Got a question? Write to us"."""

_NUMBERS = r"\d{1,3}[a-z]?(?:\s?[,;–-]\s?\d{1,3})*"
_RAISED = "[¹²³⁰-⁹⁻]"
_CANDIDATE = re.compile(
    rf"""
    (?<![.!?…])(?P<stop>[.!?…]+(?:\s[.!?]{{1,9}}){{0,3}})
    (?P<close>["'”’»)\]*]*)
    (?P<cite>(?:
        \s?\[(?:{_NUMBERS}|[a-z])\]
      | \s?\({_NUMBERS}\)(?=\s+[A-Z"“]|\s*$|[A-Z])
      | \[(?:citation|clarification)\s[^\]]*\]
      | {_RAISED}+(?:[,–-]{_RAISED}+)*
      | \^\d{{1,3}}
      | (?<=[^\W\d].|[)\]%].){_NUMBERS}(?=\s+["“(]?[A-Z]|\s*$)
    )*)
    (?:(?P<gap>\s+)|(?=[A-Z])|\Z)
    """,
    re.VERBOSE,
)
_LABEL = re.compile(
    r"\(?(?:\d{1,3}[a-z]?|[a-zA-Z]\d{0,2}|[ivx]{1,4})"  # 1. (a) Q3. iv.
    r"|(?:supplementary )?(?:fig(?:ure)?s?\.?|table|box|chart|video|panel|appendix|step|question)"
    r"\s?[A-Z]?[\d.-]*[A-Za-z]?",
    re.IGNORECASE,
)
_LAST_WORD = re.compile(r"[^\s(\[“\"'‘/—–]*$")
_NEXT_WORD = re.compile(r"[\"'“‘«(\[•*_]*([^\W_][\w’'-]*)?")
_INITIALS = re.compile(r"(?:[A-Z]\.)+[A-Z]")
_DASHES = "—–-"
_LOOK_BACK = 40
_REACH = 500
"""Characters before a candidate that are looked at, so that time grows as the text does."""
_LOOK_AHEAD = 300
"""Characters in which an open bracket or quotation must close to hold sentences together."""


@cache
def _words(name: str) -> frozenset[str]:
    return frozenset(load_data("sentences")[name])


def bounds(text: str, block: str) -> list[tuple[int, int]]:
    """Return the (start, end) of each sentence of a block, half-open, in code points of `text`.

    text: the block's text, with no blank at either end. block: one of `tables.BLOCKS`. Sentences
    are not empty, have no blank at either end, and leave out nothing but blanks.
    """
    if block in WHOLE_BLOCKS or (block == "boilerplate" and text.count(" ") < _WHOLE_FURNITURE):
        return [(0, len(text))]
    result: list[tuple[int, int]] = []
    start = 0
    for match in _CANDIDATE.finditer(text):
        if match.end() >= len(text):
            break
        if _ends(text, start, match):
            result.append((start, match.end() - len(match["gap"] or "")))
            start = match.end()
    result.append((start, len(text)))
    return result


def _ends(text: str, start: int, match: re.Match[str]) -> bool:
    """Return whether a candidate ends the sentence that begins at `start`."""
    stop, close, cite = match["stop"], match["close"], match["cite"]
    left = text[max(start, match.start() - _REACH) : match.start()]
    found = _LAST_WORD.search(left, max(0, len(left) - _LOOK_BACK))
    word = found.group() if found else ""
    following = _NEXT_WORD.match(text, match.end())
    nxt = (following[1] or "") if following else ""
    first = text[match.end()]
    if _LABEL.fullmatch(left) or first in _DASHES:
        return False
    if _is_open(left + close, text, match.end("close")):
        return False
    if match["gap"] is None:
        return _joined(stop, close, cite, word, nxt, text, match.end())
    if stop == "." and not close:
        initial = len(nxt) == 1 and text.startswith(".", following.end() if following else 0)
        verdict = _after_abbreviation(left, word, "" if initial else nxt, first)
        if verdict is not None:
            return verdict
    if nxt[:1].islower():
        return _lower_start(stop, close, cite, left, word, nxt)
    return True


def _after_abbreviation(left: str, word: str, nxt: str, first: str) -> bool | None:
    """Return what an abbreviation before the stop decides; None where it is none."""
    lower = word.lower() if len(word) > 1 else word  # "c." is circa, "C." is not
    if word in _words("never") or lower in _words("never"):
        return False
    if word in ("No", "no"):  # "No. 5", but "No. It does not."
        return False if first.isdigit() or first == "#" else None
    if word in _words("sometimes") or lower in _words("sometimes") or _INITIALS.fullmatch(word):
        return nxt in _words("starters")
    if len(word) == 1 and word.isalpha() and word.isupper():
        before = left[:-1].split()
        noun = before[-1].lower().strip(",;(") if before else ""
        return nxt in _words("starters") or (nxt[:1].isupper() and noun in _words("before_letters"))
    return None


def _lower_start(stop: str, close: str, cite: str, left: str, word: str, nxt: str) -> bool:
    """Return whether a sentence may begin in lower case: "mRNA is", or after a plain word."""
    if any(map(str.isupper, nxt)) or any(map(str.isdigit, nxt)):
        return True
    if stop != "." or close or cite:
        return False
    if word.isdigit():  # a citation without brackets, "in rats 4. it"
        before = left[: -len(word)].split()
        return bool(before) and before[-1].isalpha() and before[-1].islower()
    return word.isalpha() and len(word) > 3


def _joined(
    stop: str, close: str, cite: str, word: str, nxt: str, text: str, position: int
) -> bool:
    """Return whether a stop with no blank after it ends a sentence: "treatment.The next"."""
    after = text[position + len(nxt) : position + len(nxt) + 1]
    plain = len(word) > 2 and word.isalpha() and word.islower()
    return (
        stop in (".", "?", "!")
        and (plain or bool(cite) or word[-1:] in (")", "]"))
        and (len(nxt) == 1 or (len(nxt) > 1 and nxt[1:].islower()))
        and after in (" ", ",")
    )


def _is_open(left: str, text: str, position: int) -> bool:
    """Return whether brackets or quotes opened inside the sentence close only after `position`.

    Those that the sentence begins with may hold several.
    """
    ahead = text[position : position + _LOOK_AHEAD]
    for opening, closing in (("(", ")"), ("“", "”")):
        opened = left.rfind(opening)
        if opened > left.rfind(closing) and (opened > 0 or opening == "“"):
            end = ahead.find(closing)
            if end >= 0 and not 0 <= ahead.find(opening) < end:
                return True
    return False
