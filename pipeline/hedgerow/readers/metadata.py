"""What a document says of itself: clean fields, dates, and the interest behind it.

Declared fields are taken as they stand. Where no interest is declared, the rules in
`data/interest.toml` look for evidence: prices, appointment lines, journal marks and the like.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from functools import cache
from typing import Any
from urllib.parse import urlsplit

from hedgerow import data
from hedgerow.readers.base import Document, one_line
from hedgerow.tables import INTERESTS

FIELDS = ("title", "url", "publisher", "author", "published", "language", "licence", "interest")
"""Fields of `Document` that a document, or the user on its behalf, may declare."""

_SPELLINGS = {
    "lang": "language",
    "license": "licence",
    "date": "published",
    "authors": "author",
    "site": "publisher",
    "link": "url",
}


MAX_ID = 500
"""Characters of a declared id."""


def clean(value: Any) -> str | None:
    """Return a declared value as one line of text; None where it holds none.

    A list is joined with ", ", or with "; " where a part has a comma ("Moe, A.; Berg, B.");
    mappings and other structures hold no text.
    """
    if isinstance(value, list | tuple):
        parts = list(filter(None, map(clean, value)))
        return ("; " if any("," in part for part in parts) else ", ").join(parts) or None
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    return one_line(str(value)) or None


def clean_id(value: Any) -> str | None:
    """Return a declared id, a string or whole number; None where it is neither, blank or too long.

    Every row of the document repeats its id.
    """
    found = clean(value) if isinstance(value, str | int) else None
    return found if found and len(found) <= MAX_ID else None


def declared(fields: Mapping[str, Any]) -> dict[str, str]:
    """Return the `FIELDS` among declared fields, cleaned, under British or American spellings."""
    found: dict[str, str] = {}
    for key, value in fields.items():
        name = key.lower() if isinstance(key, str) else ""
        name = _SPELLINGS.get(name, name)
        text = clean(value)
        if name in FIELDS and text and name not in found:
            found[name] = iso_date(text) if name == "published" else text
    return found


_MONTHS = {
    name: number
    for number, names in enumerate(
        (
            "jan january", "feb february", "mar march", "apr april", "may", "jun june",
            "jul july", "aug august", "sep sept september", "oct october", "nov november",
            "dec december",
        ),
        1,
    )
    for name in names.split()
}  # fmt: skip
_ASIDE = re.compile(  # a weekday before, a time or the like behind
    r"^(?:mon|tues?|wed(?:nes)?|thu(?:rs)?|fri|sat(?:ur)?|sun)(?:day)?[.,]? +"
    r"|(?<=\d{4})[ ,t]+\d{1,2}:.*$|(?<=\d)(?:st|nd|rd|th)\b|\bof\b|[,.](?= |$)"
)
_DATES = (
    re.compile(r"(?P<y>\d{4})(?:[-/. ](?P<m>\d{1,2}|[a-z]+)(?:[-/. ](?P<d>\d{1,2}))?)?"),
    re.compile(r"(?P<y>\d{4})-(?P<m>\d\d)-(?P<d>\d\d)(?:t| ).*"),
    re.compile(r"(?P<y>(?:19|20)\d\d)(?P<m>\d\d)(?P<d>\d\d)"),
    re.compile(r"(?:(?P<d>\d{1,2})[- ])?(?P<m>[a-z]+)[- ](?P<y>\d{4})"),
    re.compile(r"(?P<m>[a-z]+) (?P<d>\d{1,2}) (?P<y>\d{4})"),
    # figures alone: only where one of them can be no month
    re.compile(r"(?P<d>1[3-9]|2\d|3[01])[./-](?P<m>\d{1,2})[./-](?P<y>\d{4})"),
    re.compile(r"(?P<m>\d{1,2})[./-](?P<d>1[3-9]|2\d|3[01])[./-](?P<y>\d{4})"),
)


def iso_date(text: str) -> str:
    """Return a stated date as ISO 8601 (YYYY-MM-DD, YYYY-MM or YYYY); else the text as it is.

    A date in figures such as 03/04/2025 stays: which number is the month is not known.
    """
    plain = " ".join(_ASIDE.sub("", text.strip().lower()).split())
    for pattern in _DATES:
        if match := pattern.fullmatch(plain):
            year, month, day = match["y"], match["m"], match["d"]
            break
    else:
        return text
    if month is None:
        return year
    number = int(month) if month.isdecimal() else _MONTHS.get(month, 0)
    try:
        found = date(int(year), number, int(day or 1))
    except ValueError:  # no day of the calendar
        return text
    return found.isoformat() if day else f"{year}-{number:02}"


@dataclass(frozen=True)
class InterestRule:
    """One kind of evidence for an interest.

    field: where it is looked for: "text", "url", "publisher" or "title".
    weight: how much it says, as points; the interest with most points wins, and the rule with the
        greatest weight (the first of equals) is named as the basis.
    needs: texts of which one stands, in lower case, in all that the pattern matches; it is tried
        only where one is there, as patterns take a hundred times as long. With none, always.
    """

    id: str
    interest: str
    field: str
    weight: int
    pattern: re.Pattern[str]
    needs: tuple[str, ...] = ()

    def holds(self, text: str, lower: str) -> bool:
        """Return whether the pattern is found in a text; lower: the same in lower case."""
        if self.needs and not any(map(lower.__contains__, self.needs)):
            return False
        return self.pattern.search(text) is not None


@cache
def interest_rules() -> tuple[InterestRule, ...]:
    """Return the rules of `data/interest.toml`, in order."""
    return tuple(
        InterestRule(
            rule["id"],
            rule["interest"],
            rule["field"],
            rule["weight"],
            re.compile(rule["pattern"]),
            tuple(rule.get("needs", ())),
        )
        for rule in data.load("interest")["rule"]
    )


_LEAST_POINTS = 3
_HEAD, _TAIL = 5000, 3000
"""Characters of a long text where evidence is looked for: buttons and bylines stand there."""


def interest_of(document: Document) -> tuple[str, str]:
    """Return (interest, basis) of a document.

    The basis is "declared"; "rule:" and the id of the weightiest rule that speaks for it; "none"
    where nothing does (the interest is then unknown); or, where the declared value is no interest
    that the tables know, that value in words (the interest is then unknown too).
    """
    stated = (document.interest or "").strip().lower().replace("_", " ")
    if stated in INTERESTS:
        return stated, "declared"
    if stated:
        return "unknown", f"declared, but not an interest: {document.interest}"
    fields = {
        "text": _edges(document.text),
        "url": _host(document.url or ""),
        "publisher": document.publisher or "",
        "title": document.title or "",
    }
    lower = {field: _lower(text) for field, text in fields.items()}
    points: dict[str, int] = {}
    basis: dict[str, InterestRule] = {}
    for rule in interest_rules():
        if not rule.holds(fields[rule.field], lower[rule.field]):
            continue
        points[rule.interest] = points.get(rule.interest, 0) + rule.weight
        if rule.interest not in basis or basis[rule.interest].weight < rule.weight:
            basis[rule.interest] = rule
    if not points or max(points.values()) < _LEAST_POINTS:
        return "unknown", "none"
    # equal points: the order of tables.INTERESTS, sellers first, decides
    best = max(points, key=lambda interest: (points[interest], -INTERESTS.index(interest)))
    return best, f"rule:{basis[best].id}"


def _lower(text: str) -> str:
    """Return a text in lower case; ı and ſ too are letters of ours to a pattern in any case."""
    return text.lower().replace("ı", "i").replace("ſ", "s")


def _edges(text: str) -> str:
    """Return the beginning and end of a long text, a short one whole."""
    return text if len(text) <= _HEAD + _TAIL else f"{text[:_HEAD]}\n{text[-_TAIL:]}"


def _host(url: str) -> str:
    """Return the host of an address; "" where there is none."""
    try:
        return urlsplit(url).netloc.lower()
    except ValueError:  # urlsplit refuses brackets that are no IPv6 address
        return ""


def override(document: Document, entry: Mapping[str, Any]) -> Document:
    """Return the document with the fields that its entry in sources.toml declares."""
    return replace(document, **declared(entry))  # type: ignore[arg-type]
