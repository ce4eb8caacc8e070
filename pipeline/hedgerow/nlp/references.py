"""Entries of reference lists: marker, authors, title, venue, year and identifiers.

Entries are read as they are printed in the common styles (Vancouver, AMA, APA and shorter ones).
What cannot be told apart stays null; nothing is looked up. The identifiers' patterns are data:
`nlp/data/references.toml`.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import cache

from hedgerow.nlp.rules import Rule, load_rules

_MARKER = re.compile(
    r"""(?:[-•*–]\s+)?
    (?: \[\s?(?P<square>\w{1,4})\s?\] | \((?P<round>\d{1,3}|[a-z])\)
      | (?P<plain>\d{1,3})[.):-](?=\s|\D) | (?P<bare>\d{1,3})(?=\s+[A-Z])
      | (?P<raised>[¹²³⁰-⁹]{1,3}) | (?P<sign>[*†‡§^])(?=\s?\w)
      | (?P<letter>[a-z])\.(?=\s) )
    \s*(?:\^\s*)?""",
    re.VERBOSE,
)
_BULLET = re.compile(r"[-•*–]\s+")

_INITIALS = r"(?:(?:[A-Z]\.[\s-]?){1,4}(?<=\.)|[A-Z]{1,3})"
_PARTICLE = r"(?:(?:de|da|del|della|di|du|van|von|der|den|la|le|el|al|bin|ter|ten|St\.?)\s)*"
_SURNAME = r"[A-ZÀ-ÖØ-ÞŁŠŽČ][\w'’-]+(?:\s[A-ZÀ-Þ][\w'’-]+)?"
_PERSON = rf"(?:{_PARTICLE}{_SURNAME},?\s{_INITIALS}(?:,?\s(?:Jr|Sr|II|III)\.?)?)"
_JOIN = r"(?:,\s*(?:&\s|and\s)?|;\s*|\s(?:&|and)\s)"
_ET_AL = r"(?:,?\s(?:et\.?\sal\b\.?|and others))"
_AUTHORS = re.compile(
    rf"(?P<authors>{_PERSON}(?:{_JOIN}{_PERSON})*{_ET_AL}?|{_PARTICLE}{_SURNAME}(?:{_JOIN}{_SURNAME})*{_ET_AL})"
    r"(?=[\s.:;,(]|$)\s*[.:;,]?\s*"
)
_BODY_BEFORE_YEAR = re.compile(r"(?P<authors>[A-Z][^.()\d]{2,80}?)\s*\((?=(?:19|20)\d\d[a-z]?\))")

_YEAR_IN_BRACKETS = re.compile(
    r"\((?:\w+\.?\s)?((?:18|19|20)\d\d)[a-z]?(?:,[^)]{1,20})?\)\.?,?:?\s*"
)
_YEAR_BEFORE_VOLUME = re.compile(
    r"\b((?:18|19|20)\d\d)[a-z]?(?:\s[A-Z][a-z]{2}(?:\s\d{1,2})?)?\s?[;:]"
)
_YEAR = re.compile(r"(?<![\d–-])((?:18|19|20)\d\d)(?![\d–-]|\.\d)")
_TAIL = re.compile(
    r"(?i)\s*[\[(]?\b(?:doi\b|https?://|www\.|PMID\b|PMCID\b|PMC\s?\d|PubMed\b"
    r"|available (?:at|from)|accessed\b|registration\b|CD\d{6}|NCT\d{8}|ISRCTN|cited\b|epub\b)"
)
_VOLUME = re.compile(
    r"[\s,;:]*(?:\bvol\.?\s*)?(?<![\w-])\d{1,4}\s*(?:\([^)]{1,20}\))?\s*[:,;]\s*e?[A-Z]?\d.*$"
    r"|[\s,;:]+\d{1,4}\s*(?:\(\d[^)]{0,15}\))?\s*[:,;.]?\s*$"
)
_PIECE = re.compile(r"(?<=[.?!])[\"”’]?\s+(?=[\"“‘]?[A-Z0-9])")
_QUOTED = re.compile(r"[\"“‘](?P<title>[^\"”]{5,})[\"”’][.,]?\s*")
_SMALL_WORDS = frozenset(
    {"and", "of", "the", "in", "for", "on", "de", "la", "der", "und", "et", "&"}
)


@dataclass(frozen=True)
class Reference:
    """What an entry of a reference list says; None where it does not say it."""

    marker: str | None = None
    authors: str | None = None
    title: str | None = None
    year: int | None = None
    venue: str | None = None
    doi: str | None = None
    pmid: str | None = None
    pmcid: str | None = None
    cochrane_id: str | None = None
    registration: str | None = None


@cache
def _identifiers() -> tuple[tuple[Rule, re.Pattern[str]], ...]:
    return tuple((rule, rule.regex) for rule in load_rules("references"))


def parse(raw: str) -> Reference:
    """Return what the text of one entry says.

    The DOI is lower case without resolver, the PubMed Central id has no blank and the marker no
    brackets; superscript markers are plain digits.
    """
    text = " ".join(raw.split())
    marker, body = split_marker(text)
    identifiers = find_identifiers(body)
    tail = _TAIL.search(body)
    printed = body[: tail.start()] if tail else body
    authors, year, title, venue = _described(printed.strip())
    return Reference(
        marker=marker, authors=authors, title=title, year=year, venue=venue, **identifiers
    )


def split_marker(text: str) -> tuple[str | None, str]:
    """Return (marker, rest) of an entry; the marker is None where it has none."""
    match = _MARKER.match(text)
    if match is None:
        return None, _BULLET.sub("", text, count=1) if _BULLET.match(text) else text
    marker = next(value for value in match.groupdict().values() if value)
    return unicodedata.normalize("NFKC", marker), text[match.end() :]


def find_identifiers(text: str) -> dict[str, str]:
    """Return the identifiers in a text by column name, the first of each kind."""
    found: dict[str, str] = {}
    for rule, pattern in _identifiers():
        match = pattern.search(text)
        field = rule.fields["field"]
        if match and field not in found:
            found[field] = _tidy(field, match[1])
    return found


def _tidy(field: str, value: str) -> str:
    if field == "doi":
        value = value.lower().rstrip(".,;:'’")
        for closing, opening in (")(", "]["):
            while value.endswith(closing) and value.count(closing) > value.count(opening):
                value = value[:-1].rstrip(".,;:")
        return value
    return (
        value.replace(" ", "").upper()
        if field in ("pmcid", "cochrane_id")
        else value.replace(" ", "")
    )


def _described(text: str) -> tuple[str | None, int | None, str | None, str | None]:
    """Return (authors, year, title, venue) of an entry without marker and identifiers."""
    authors: str | None = None
    rest = text
    match = _AUTHORS.match(text) or _BODY_BEFORE_YEAR.match(text)
    if match:
        authors = match["authors"].strip(" ,.;") or None
        rest = text[match.end("authors") :].lstrip(" .,;:")
    year_match = (
        _YEAR_IN_BRACKETS.search(rest) or _YEAR_BEFORE_VOLUME.search(rest) or _last_year(rest)
    )
    year = int(year_match[1]) if year_match else None
    if year_match and year_match.start() <= 2:
        rest = rest[year_match.end() :].lstrip(" .,;:")
    elif year_match:
        rest = rest[: year_match.start()]
    title, venue = _title_and_venue(rest.strip(" ,;("))
    return authors, year, title, venue


def _last_year(text: str) -> re.Match[str] | None:
    return next(reversed(list(_YEAR.finditer(text))), None)


def _title_and_venue(text: str) -> tuple[str | None, str | None]:
    quoted = _QUOTED.match(text)
    if quoted:
        venue = _VOLUME.sub("", text[quoted.end() :]).strip(" .,;:()")
        return quoted["title"].strip(" .,"), venue or None
    pieces = [piece for piece in _PIECE.split(text) if piece.strip(" .")]
    pieces = [piece for piece in pieces if any(map(str.isalpha, piece))]
    if not pieces:
        return None, None
    if len(pieces) == 1:
        only = _VOLUME.sub("", pieces[0]).strip(" .,;:()")
        return (None, only) if _is_venue(only) else (pieces[0].strip(" .,;") or None, None)
    start = len(pieces) - 1
    while start > 1 and len(pieces[start - 1]) <= _SHORT_PIECE:  # "Wien Med. Wochenschr."
        start -= 1
    venue = _VOLUME.sub("", " ".join(pieces[start:])).strip(" .,;:()")
    return " ".join(pieces[:start]).strip(" .") or None, venue or None


_SHORT_PIECE = 8


def _is_venue(text: str) -> bool:
    """Return whether a lone piece is a journal's name: few words, each with a capital."""
    words = [word for word in text.split() if word.lower() not in _SMALL_WORDS]
    return 0 < len(words) <= 8 and all(word[0].isupper() or word[0] == "(" for word in words)
