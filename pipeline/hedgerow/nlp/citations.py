"""Citation markers: find them in a sentence and resolve them to the document's reference list.

Numbers in brackets are markers wherever they stand; numbers in parentheses, superscripts and bare
numbers only where the document as a whole uses them so (`marker_style`), so that years, doses and
list numbers are never taken for citations. Shapes and identifiers are data (`citations.toml`).
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from hedgerow.nlp.rules import load_rules, words_of

_MAX_RANGE = 40
"""A longer range, such as [1-400], is no list of citations."""

_SUPERSCRIPTS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻", "0123456789-")
_DASH = re.compile(r"\s?[–‑‐-]\s?")
_SEPARATOR = re.compile(r"\s?[,;،˒ʼ]\s?")
_WORD_BEFORE = re.compile(r"([^\W\d_]+)[\s”\"’)%]*$")
_NUMBER_BEFORE = re.compile(r"\d[%)]?\s?$")
_SPREAD_BEFORE = re.compile(r"\b(?:iqr|range|median|mean|interval|CI|sd)\b[^.;]{0,20}$", re.I)
_ENDS = re.compile(r"\s*(?:[.,;:)\]”\"’]|$|\||\n)")
_AFTER_STOP = re.compile(r"[.!?,;:”\"’)]\s?$")

_NAME = r"[^\W\d_][^\W\d_’'‐-]+(?:[-‐’'][^\W\d_]+){0,2}"
_AUTHORS = (
    rf"(?P<name>(?:(?:van|von|de|den|der|del|di|la|le)\s){{0,2}}(?=[^\W\d_a-zß-ÿ]){_NAME})"
    rf"(?P<others>\s(?:et\sal\b\.?|and\s(?:colleagues|co-?workers|others|associates))"
    rf"|,?\s(?:and|&)\s(?=[^\W\d_a-zß-ÿ]){_NAME})?(?:['’]s)?"
)
_AUTHOR_YEAR = re.compile(rf"\b{_AUTHORS}(?:,?\s\(?|\s?[(\[])(?P<year>(?:19|20)\d\d)[a-z]?\b\)?")
_AUTHOR_ALONE = re.compile(rf"\b{_AUTHORS}")

_RULES = load_rules("citations")
_STYLES = {r.id: r.regex for r in _RULES if r.fields["kind"] == "style"}


def _parts_of(prefix: str) -> tuple[str, str]:
    """Return "pmcid:PMC" as its scheme, "pmcid:", and what its values begin with, "PMC"."""
    scheme, _, lead = prefix.partition(":")
    return f"{scheme}:", lead


_SCHEMES: list[tuple[re.Pattern[str], str, str, str]] = [
    (r.regex, *_parts_of(str(r.fields["prefix"])), str(r.fields["column"]))
    for r in _RULES
    if r.fields["kind"] == "scheme"
]
_SCHEME_HINT = re.compile(r"PMC|PubMed|PMID|CD\d|10\.\d|NCT|ISRCTN", re.I)
_LONG_NUMBER = re.compile(r"\d{4}")
_YEAR = re.compile(r"(?:19|20)\d\d")
_NO_BARE_AFTER = words_of("citations", "no_bare_after")
_EXPONENT_AFTER = words_of("citations", "exponent_after")
_SERIES_LENGTH = 3
"""So many numbers in order (1, 2, 3) show that a document without a list cites by number."""


@dataclass(frozen=True)
class Entry:
    """An entry of a reference list, as far as markers can point to it.

    identifiers: column name (doi, pmid, pmcid, cochrane_id, registration) to value.
    """

    reference_id: str
    marker: str | None
    authors: str | None
    year: int | None
    identifiers: Mapping[str, str]


@dataclass(frozen=True)
class Citation:
    """A marker and one thing that it points to; text[start:end] is the marker.

    reference_id: the entry, or None. identifier: such as "pmid:26564102", where there is no entry.
    target: what distinguishes the targets of one marker: the entry's marker, or the identifier.
    """

    start: int
    end: int
    target: str
    reference_id: str | None = None
    identifier: str | None = None


class ReferenceIndex:
    """Looks entries of one document's reference list up by marker, author and identifier."""

    def __init__(self, entries: Sequence[Entry] = ()) -> None:
        self.by_marker: dict[str, str] = {}
        self.by_identifier: dict[str, str] = {}
        self.by_author: dict[str, list[Entry]] = {}
        for entry in entries:
            if entry.marker:
                marker = entry.marker.translate(_SUPERSCRIPTS).strip("[]().").lower()
                self.by_marker.setdefault(marker, entry.reference_id)
            for column, value in entry.identifiers.items():
                self.by_identifier.setdefault(f"{column}:{value}".lower(), entry.reference_id)
            for name in re.findall(_NAME, entry.authors or "")[:3]:
                self.by_author.setdefault(name.lower(), []).append(entry)

    def author_year(self, name: str, year: int | None) -> str | None:
        """Return the entry with that author (and year, unless None), where there is just one."""
        found = {
            e.reference_id
            for e in self.by_author.get(name.split()[-1].lower(), ())
            if year is None or e.year is None or abs(e.year - year) <= (0 if e.year else 9999)
        }
        return found.pop() if len(found) == 1 else None


def marker_style(sentences: Sequence[str], references: ReferenceIndex) -> frozenset[str]:
    """Return which shapes of numeric marker a document uses: ids of `citations.toml`.

    sentences: the texts of the document's sentences, in order, without the reference list's.
    Brackets always count. Of the weaker shapes, the one that occurs most counts, and only where
    at least half of its numbers point into the list, or, where there is no list, its numbers run
    1, 2, 3 in the order of the text.
    """
    if any(_has_marker("brackets", text, references) for text in sentences):
        return frozenset({"brackets"})
    best, most = "", 0
    for style in ("superscript", "parentheses", "glued", "bare"):
        numbers = [
            number
            for text in sentences
            for match in _candidates(style, text)
            for number in _expand(match.group("n"))
        ]
        if _is_citing(style, numbers, references) and len(numbers) > most:
            best, most = style, len(numbers)
    return frozenset({"brackets", best} if best else {"brackets"})


def find_citations(text: str, styles: frozenset[str], references: ReferenceIndex) -> list[Citation]:
    """Return the citations of a sentence, in order; one for each target of each marker.

    text: the sentence. styles: what `marker_style` said of its document.
    """
    found: list[Citation] = []
    taken: list[tuple[int, int]] = []

    def take(start: int, end: int) -> bool:
        """Take a span, unless it overlaps one that is taken; `taken` is sorted."""
        at = bisect_left(taken, (start, end))
        if (at and taken[at - 1][1] > start) or (at < len(taken) and taken[at][0] < end):
            return False
        taken.insert(at, (start, end))
        return True

    for citation in _identifiers(text, references):
        if take(citation.start, citation.end):
            found.append(citation)
    for style in sorted(styles | {"parentheses"}):
        for match in _candidates(style, text):
            targets = _targets(style, match, text, styles, references)
            if targets and take(*match.span()):
                found += targets
    for citation in _author_years(text, references):
        if take(citation.start, citation.end):
            found.append(citation)
    return sorted(found, key=lambda c: (c.start, c.end))


def _targets(
    style: str,
    match: re.Match[str],
    text: str,
    styles: frozenset[str],
    references: ReferenceIndex,
) -> list[Citation]:
    """The citations of one numeric marker; none where it is no marker."""
    numbers = _expand(match.group("n"))
    known = [n for n in numbers if n in references.by_marker]
    after_stop = text.endswith((".", "!", "?"), 0, match.start())
    if style not in styles and not (after_stop and numbers):
        # without a style of the whole document, only straight after a full stop: "events.(1)"
        return []
    if not numbers or (not known and not all(n.isdigit() for n in numbers)):
        return []
    if references.by_marker and not known and style != "brackets":
        # the weaker shapes count only where they point into the list
        return []
    return [Citation(match.start(), match.end(), n, references.by_marker.get(n)) for n in numbers]


def _has_marker(style: str, text: str, references: ReferenceIndex) -> bool:
    none: frozenset[str] = frozenset({style})
    return any(_targets(style, m, text, none, references) for m in _candidates(style, text))


def _is_citing(style: str, numbers: Sequence[str], references: ReferenceIndex) -> bool:
    if not numbers:
        return False
    if references.by_marker:
        known = sum(n in references.by_marker for n in numbers)
        return 2 * known >= len(numbers)
    if style == "superscript":
        return True
    highest = 0
    for number in numbers:
        if not number.isdigit() or int(number) > highest + 1:
            return False
        highest = max(highest, int(number))
    return highest >= _SERIES_LENGTH


def _candidates(style: str, text: str) -> Iterator[re.Match[str]]:
    """Yield what looks like a marker of that shape and does not stand where numbers mean more."""
    pattern = _STYLES[style]
    plausible = _PLAUSIBLE[style]
    for match in pattern.finditer(text):
        if plausible(match, text):
            yield match


def _plausible_brackets(match: re.Match[str], text: str) -> bool:
    before = text[max(0, match.start() - 40) : match.start()]
    several = not match.group("n").isalnum()
    return not (several and (_NUMBER_BEFORE.search(before) or _SPREAD_BEFORE.search(before)))


def _plausible_parentheses(match: re.Match[str], text: str) -> bool:
    before = text[max(0, match.start() - 40) : match.start()]
    if not before.strip() or _NUMBER_BEFORE.search(before):
        return False
    closes = _ENDS.match(text, match.end()) or _AFTER_STOP.search(before)
    return bool(closes) and not _SPREAD_BEFORE.search(before)


def _plausible_superscript(match: re.Match[str], text: str) -> bool:
    before = text[max(0, match.start() - 20) : match.start()]
    word = re.search(r"[^\s(),;]*$", before)
    token = word.group().lower() if word else ""
    return bool(token) and token not in _EXPONENT_AFTER and not token[-1:].isdigit()


def _plausible_bare(match: re.Match[str], text: str) -> bool:
    before = text[max(0, match.start() - 40) : match.start()]
    word = _WORD_BEFORE.search(before)
    return word is not None and word.group(1).lower() not in _NO_BARE_AFTER


def _plausible_glued(match: re.Match[str], text: str) -> bool:
    return not match.group("n").startswith("0")


_PLAUSIBLE = {
    "brackets": _plausible_brackets,
    "parentheses": _plausible_parentheses,
    "superscript": _plausible_superscript,
    "bare": _plausible_bare,
    "glued": _plausible_glued,
}


def _expand(numbers: str) -> list[str]:
    """Return "1,3-5" as 1, 3, 4, 5; empty where it is no list of citations."""
    plain = numbers.translate(_SUPERSCRIPTS).lower()
    result: list[str] = []
    for part in _SEPARATOR.split(plain):
        ends = _DASH.split(part)
        if len(ends) == 1:
            result.append(part)
        elif len(ends) == 2 and all(e.isdigit() for e in ends):
            low, high = int(ends[0]), int(ends[1])
            if not low < high <= low + _MAX_RANGE:
                return []
            result += [str(n) for n in range(low, high + 1)]
        else:
            return []
    return list(dict.fromkeys(result))


def _identifiers(text: str, references: ReferenceIndex) -> Iterable[Citation]:
    if not _LONG_NUMBER.search(text) or not _SCHEME_HINT.search(text):
        return
    for pattern, scheme, lead, column in _SCHEMES:
        for match in pattern.finditer(text):
            value = _without_closers(match.group("id"))
            cut = len(match.group("id")) - len(value)
            name = f"{scheme}{lead}{value.lower() if column == 'doi' else value}"
            entry = references.by_identifier.get(f"{column}:{name[len(scheme) :]}".lower())
            yield Citation(match.start(), match.end() - cut, name, entry, None if entry else name)


def _without_closers(value: str) -> str:
    """Drop the sentence's own punctuation from the end of an identifier."""
    value = value.rstrip(".,;:")
    while value.endswith(")") and value.count(")") > value.count("("):
        value = value[:-1].rstrip(".,;:")
    return value


def _author_years(text: str, references: ReferenceIndex) -> Iterable[Citation]:
    seen: set[int] = set()
    for match in _AUTHOR_YEAR.finditer(text) if _YEAR.search(text) else ():
        year = int(match.group("year"))
        entry = references.author_year(match.group("name"), year)
        spelt = (match.group("others") or "").strip().startswith(("et", "and co", "and o", "and a"))
        if entry is None and not spelt:
            continue
        end = match.end()
        if text[end - 1] == ")" and "(" not in match.group():
            end -= 1
        seen.add(match.start())
        yield Citation(match.start(), end, f"{match.group('name')} {year}", entry)
    if not references.by_author:
        return
    for match in _AUTHOR_ALONE.finditer(text):
        if match.start() in seen or not match.group("others"):
            continue
        entry = references.author_year(match.group("name"), None)
        if entry is not None:
            yield Citation(match.start(), match.end(), match.group("name"), entry)
