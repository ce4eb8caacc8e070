"""Reference lists of JATS articles, and the citations that point into them.

Each entry gets a number and is printed in one form, "[n] Authors (year). “Title.” Venue
volume(issue):pages. doi:… PMID … PMC…", and each cross-reference to it becomes that number in
square brackets. So the reader of reference lists and the finder of markers, which know printed
text only, resolve every citation exactly, whatever style the article is printed in.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from hedgerow.readers.base import one_line
from hedgerow.readers.xmltree import text_of

_NOT_PRINTED = frozenset({"label", "tex-math", "annotation", "annotation-xml", "object-id"})
_CITATIONS = (
    "citation-alternatives",
    "element-citation",
    "mixed-citation",
    "nlm-citation",
    "citation",
    "note",
)
_NAMES = frozenset({"name", "string-name", "name-alternatives", "collab", "collab-alternatives"})
_TITLES = ("article-title", "chapter-title", "part-title", "data-title")
_IDENTIFIER_TYPES = {"doi": "doi", "pmid": "pmid", "pmc": "pmcid", "pmcid": "pmcid"}
_IN_PRINT = {
    "doi": re.compile(r"\b(10\.\d{4,9}/[^\s\"<>“”]*[^\s\"<>“”.,;:)\]])"),
    "pmid": re.compile(r"\bPMID[:\s]*(\d{1,8})\b"),
    "pmcid": re.compile(r"\b(PMC\d{3,9})\b"),
}
_FORMS = {"doi": "doi:{}", "pmid": "PMID {}", "pmcid": "{}"}
_RESOLVER = re.compile(r"^(?:https?://(?:dx\.)?doi\.org/|doi:\s*)", re.IGNORECASE)
_YEAR = re.compile(r"(?:18|19|20)\d\d")
_INITIAL = re.compile(r"[^\W\d_]")
_LEAST_QUOTED = 5
"""A shorter title, such as "Gout", stands without quotation marks."""


@dataclass(frozen=True)
class Entry:
    """An entry of a reference list: its number in the article and how it reads."""

    number: int
    text: str


@dataclass(frozen=True)
class References:
    """The entries of an article by `ref` element, and by every id that points to one."""

    by_element: Mapping[Any, Entry]
    by_id: Mapping[str, Entry]
    labels: Mapping[int, str]
    numbers: frozenset[int]


def references_of(root: Any) -> References:
    """Return the entries of all reference lists of an article; blank entries are left out.

    Where all entries are labelled with different numbers, these are their numbers; else they are
    counted. Lists of sub-articles do not count.
    """
    found = [
        (ref, text)
        for ref in root.iter("ref")
        if next(ref.iterancestors("sub-article", "response"), None) is None
        and (text := _entry_text(ref))
    ]
    labels = [one_line(ref.findtext("label") or "").strip("[]().") for ref, _ in found]
    numbered = all(label.isascii() and label.isdigit() and len(label) < 5 for label in labels)
    if numbered and len({int(label) for label in labels}) == len(labels):
        numbers = [int(label) for label in labels]
    else:
        numbers = list(range(1, len(labels) + 1))
    by_element = {
        ref: Entry(number, f"[{number}] {text}")
        for number, (ref, text) in zip(numbers, found, strict=True)
    }
    by_id: dict[str, Entry] = {}
    for ref, entry in by_element.items():
        for element in ref.iter("ref", *_CITATIONS):
            if element.get("id"):
                by_id.setdefault(element.get("id"), entry)
    return References(
        by_element, by_id, dict(zip(numbers, labels, strict=True)), frozenset(numbers)
    )


# -- entries --------------------------------------------------------------------------------------


def _entry_text(ref: Any) -> str:
    citations = [child for child in ref if child.tag in _CITATIONS]
    return " ".join(filter(None, map(_citation_text, citations or [ref])))


def _citation_text(citation: Any) -> str:
    """Return one citation as text: set from its elements where it has them, else as printed."""
    if citation.tag == "citation-alternatives":
        best = citation.find("element-citation")
        citation = citation[0] if best is None and len(citation) else best
        if citation is None:
            return ""
    printed = one_line(text_of(citation, _NOT_PRINTED))
    identifiers = _identifiers(citation, printed)
    people = _people(citation)
    title, venue = _title_and_venue(citation)
    # text that is mixed with elements is only set anew where the elements tell all that matters
    if (title or venue) and (people or citation.tag in ("element-citation", "nlm-citation")):
        address = "" if "doi" in identifiers else _address(citation)
        parts = [_lead(people, _year(citation)), _quoted(title), _place(citation, venue), address]
        missing = identifiers
    else:
        parts = [printed]
        missing = {kind: value for kind, value in identifiers.items() if value not in printed}
    parts += [_stopped(_FORMS[kind].format(value)) for kind, value in missing.items()]
    return one_line(" ".join(filter(None, parts)))


def _stopped(text: str) -> str:
    return text if not text or text[-1] in ".?!" else f"{text}."


def _lead(people: str, year: str) -> str:
    return _stopped(f"{people} ({year})".strip() if year else people)


def _quoted(title: str) -> str:
    title = re.sub('[“”"]', "'", title.rstrip(". "))
    return f"“{_stopped(title)}”" if len(title) >= _LEAST_QUOTED else _stopped(title)


def _text(element: Any, *names: str) -> str:
    """Return the text of the first element that bears one of the names, in their order."""
    for name in names:
        for found in element.iter(name):
            text = one_line(text_of(found, _NOT_PRINTED))
            if text:
                return text
    return ""


def _year(citation: Any) -> str:
    match = _YEAR.search(_text(citation, "year", "date", "date-in-citation"))
    return match[0] if match else ""


def _title_and_venue(citation: Any) -> tuple[str, str]:
    title, source = _text(citation, *_TITLES), _text(citation, "source").rstrip(".")
    if title:
        return title, source or _text(citation, "conf-name", "publisher-name")
    return source, _text(citation, "publisher-name") if source else ""


def _place(citation: Any, venue: str) -> str:
    """Return venue, volume, issue and pages, such as "Stroke 12(3):45-50."."""
    volume, issue = _text(citation, "volume"), _text(citation, "issue")
    first, last = _text(citation, "fpage", "elocation-id"), _text(citation, "lpage")
    where = f"{volume}({issue})" if volume and issue else volume or issue
    pages = f"{first}-{last}" if first and last and last != first else first
    return _stopped(f"{venue} {where}{':' if where and pages else ' '}{pages}".strip())


def _address(citation: Any) -> str:
    for element in citation.iter("ext-link", "uri"):
        address = element.get("{http://www.w3.org/1999/xlink}href") or element.text or ""
        if address.startswith(("http://", "https://")):
            return one_line(address)
    return ""


def _people(citation: Any) -> str:
    """Return the authors, or the editors where there are none: "Smith J, Jones KL, et al"."""
    groups = list(citation.iter("person-group"))
    authors = [group for group in groups if group.get("person-group-type", "author") == "author"]
    names = list(_names((authors or groups or [citation])[0]))
    return ", ".join(names)


def _names(group: Any) -> Iterator[str]:
    for child in group:
        if child.tag in ("name-alternatives", "collab-alternatives") and len(child):
            child = child[0]
        if child.tag == "etal":
            yield "et al"
        elif child.tag in _NAMES:
            yield _name(child)


def _name(element: Any) -> str:
    """Return a name as "Smith JA Jr"; one that is not told apart as it is printed."""
    surname = one_line(element.findtext("surname") or "")
    if not surname:
        return one_line(text_of(element, _NOT_PRINTED))
    given = one_line(element.findtext("given-names") or "")
    suffix = one_line(element.findtext("suffix") or "").rstrip(".")
    return " ".join(filter(None, (surname, _initials(given), suffix)))


def _initials(given: str) -> str:
    """Return initials without accents, as indexes print them: "José-Ángel" gives "JA"."""
    plain = "".join(c for c in unicodedata.normalize("NFKD", given) if not unicodedata.combining(c))
    words = re.split(r"[\s.‐-]+", plain)
    return "".join(
        word if word.isupper() else match[0].upper()
        for word in words
        if (match := _INITIAL.search(word))
    )


def _identifiers(citation: Any, printed: str) -> dict[str, str]:
    """Return the identifiers of a citation by kind, in a fixed order: tagged, else as printed."""
    found: dict[str, str] = {}
    for element in citation.iter("pub-id", "ext-link", "object-id"):
        stated = element.get("pub-id-type") or element.get("ext-link-type") or ""
        kind = _IDENTIFIER_TYPES.get(stated.lower(), "")
        value = _RESOLVER.sub("", one_line(element.text or ""))
        value = f"PMC{value}" if kind == "pmcid" and value.isdigit() else value
        pattern = _IN_PRINT.get(kind)
        if pattern and (pattern.search(value) or (kind == "pmid" and value.isdigit())):
            found.setdefault(kind, value)
    for kind, pattern in _IN_PRINT.items():
        match = pattern.search(printed)
        if match and kind not in found:
            found[kind] = match[1]
    return {kind: found[kind] for kind in _FORMS if kind in found}


# -- citations ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Citation:
    """A cross-reference to entries, as it stands in running text.

    numbers: the entries. text: how it is printed. replaced: the text is only a number or label,
    which the marker replaces; other text, such as "Smith 2010", stays before the marker.
    joins: the text begins with a dash, so the citation ends a range.
    """

    numbers: tuple[int, ...]
    text: str
    replaced: bool
    joins: bool = False


_DASHES = "‐‑‒–—−-"  # the hyphen last: these go into character classes
_NUMBERS = re.compile(rf"\d{{1,4}}[a-z]?(?:\s?[,;{_DASHES}]\s?\d{{1,4}}[a-z]?)*")
_RANGE = re.compile(rf"(\d{{1,4}})\s?[{_DASHES}]\s?(\d{{1,4}})")
_BETWEEN = re.compile(rf"[\s,;{_DASHES}]*")
_BRACKETS = {"[": "]", "(": ")"}
_LEAST_RANGE = 3
_LONGEST_RANGE = 40
_MOST_PIECES = 30
"""The shapes that a marker may have: see `nlp/data/citations.toml`."""
_MOST_IN_RANGE = 200
"""A printed range that is longer is cut: its ends are then no entries of one list."""
_INTERVAL_BEFORE = re.compile(
    r"\d[%)]?\s?$|\b(?:iqr|range|median|mean|interval|CI|sd)\b[^.;]{0,20}$", re.IGNORECASE
)
"""After a number or such a word, "[3, 5]" reads as an interval."""


def citation(rids: str, text: str, references: References) -> Citation | None:
    """Return the citation that a cross-reference makes; None where it points to no entry.

    rids: the ids that it points to, a blank apart. text: what is printed.
    """
    numbers = [references.by_id[rid].number for rid in rids.split() if rid in references.by_id]
    if not numbers:
        return None
    printed = one_line(text)
    bare = printed.strip("[]() ,;")
    joins = bare.startswith(tuple(_DASHES))
    bare = bare.strip(_DASHES + " ")
    is_year = _YEAR.fullmatch(bare) is not None and int(bare) not in numbers
    is_label = bare == "" or bare == references.labels[numbers[0]]
    if not is_label and (is_year or not _NUMBERS.fullmatch(bare)):
        return Citation(tuple(numbers), printed, replaced=False)
    return Citation(_with_ranges(bare, numbers, references), printed, replaced=True, joins=joins)


def _with_ranges(text: str, numbers: list[int], references: References) -> tuple[int, ...]:
    """Return the numbers, with those between the ends of a printed range that names its first."""
    named = frozenset(numbers)
    found = dict.fromkeys(numbers)
    for match in _RANGE.finditer(text):
        if int(match[1]) in named:
            found |= dict.fromkeys(_between(int(match[1]), int(match[2]), references))
    return tuple(sorted(found)) if len(found) > len(numbers) else tuple(found)


def _between(low: int, high: int, references: References) -> list[int]:
    """Return the entries of a printed range, its ends with it."""
    return [n for n in range(low, min(high, low + _MOST_IN_RANGE) + 1) if n in references.numbers]


def in_words(parts: Iterable[str | Citation], references: References) -> str:
    """Return running text with its citations as markers: "[1,3-5]".

    Citations that follow one another, with only commas and dashes between them, make one marker.
    Brackets printed around it give way to its own.
    """
    pieces = _merged(parts)
    out: list[str] = []
    index = 0
    while index < len(pieces):
        piece = pieces[index]
        index += 1
        if isinstance(piece, str):
            out.append(piece)
        elif not piece.replaced:
            out.append(f"{piece.text} {marker(piece.numbers, piece.text)}")
        else:
            numbers = list(piece.numbers)
            index = _extend(numbers, pieces, index, references)
            opening = out[-1].rstrip()[-1:] if out else ""
            rest = pieces[index] if index < len(pieces) else ""
            closing = rest.lstrip()[:1] if isinstance(rest, str) else ""
            if opening and isinstance(rest, str) and _BRACKETS.get(opening) == closing:
                out[-1] = out[-1].rstrip()[:-1]
                pieces[index] = rest.lstrip()[1:]
            before = "".join(out[-3:])
            out.append(marker(tuple(dict.fromkeys(numbers)), before))
    return "".join(out)


def _merged(parts: Iterable[str | Citation]) -> list[str | Citation]:
    """Return the parts with adjacent strings as one."""
    pieces: list[str | Citation] = []
    for is_text, group in groupby(parts, key=lambda part: isinstance(part, str)):
        if is_text:
            pieces.append("".join(part for part in group if isinstance(part, str)))
        else:
            pieces += group
    return pieces


def _extend(
    numbers: list[int], pieces: Sequence[str | Citation], index: int, references: References
) -> int:
    """Add the citations that go on from a first one to its numbers; return the index after them."""
    while True:
        between, at = "", index
        if at < len(pieces) and isinstance(text := pieces[at], str) and _BETWEEN.fullmatch(text):
            between, at = text, at + 1
        following = pieces[at] if at < len(pieces) else ""
        if isinstance(following, str) or not following.replaced:
            return index
        if following.joins or any(dash in between for dash in _DASHES):
            numbers += _between(numbers[-1], following.numbers[0], references)
        numbers += following.numbers
        index = at + 1


def marker(numbers: Sequence[int], before: str) -> str:
    """Return the marker of entries: "[1,3-5]"; "[3][5]" where it would read as an interval.

    before: the text that it follows.
    """
    if len(numbers) > 1 and _INTERVAL_BEFORE.search(before[-40:]):
        return "".join(f"[{number}]" for number in numbers)
    pieces: list[str] = []
    for run in _runs(numbers):
        pieces += [f"{run[0]}-{run[-1]}"] if len(run) >= _LEAST_RANGE else map(str, run)
    groups = range(0, len(pieces), _MOST_PIECES)
    return "".join(f"[{','.join(pieces[at : at + _MOST_PIECES])}]" for at in groups)


def _runs(numbers: Sequence[int]) -> Iterator[list[int]]:
    """Yield the runs of numbers that count up by one, none longer than a range may be."""
    run: list[int] = []
    for number in numbers:
        if run and (number != run[-1] + 1 or len(run) == _LONGEST_RANGE):
            yield run
            run = []
        run.append(number)
    if run:
        yield run
