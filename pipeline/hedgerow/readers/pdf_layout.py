"""The lines of a PDF's pages in reading order, without running heads.

Heads and footers are told by their repetition at one height, columns by the white gutter between
them, and lines by their baselines. A numeric superscript is a citation and reads "[1]", unless it
follows a number or a unit, as in HTML.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise

import numpy as np

from hedgerow.errors import RejectedDocument
from hedgerow.readers.base import one_line
from hedgerow.readers.pdf_words import Page, Word

MAX_LINES = 500_000
"""Lines of text that a document may have."""


@dataclass
class Line:
    """Words on one baseline of one column.

    left, right: edges of the column's lines of this size. edge: left edge of the whole column.
    column: number of the column, over all pages.
    """

    words: list[Word]
    page: int
    column: int
    left: float = 0.0
    right: float = 0.0
    edge: float = 0.0

    @cached_property
    def text(self) -> str:
        """The line's text; a soft hyphen stays at its end."""
        return joined(self.words)

    @cached_property
    def size(self) -> float:
        """The font size of most characters."""
        return usual_size(self.words)

    @cached_property
    def bold(self) -> bool:
        """Whether nearly all characters are bold."""
        letters = sum(len(word.text) for word in self.words)
        return 10 * sum(len(word.text) for word in self.words if word.bold) >= 9 * letters

    @property
    def x0(self) -> float:
        """Where the first word begins."""
        return self.words[0].x0

    @cached_property
    def x1(self) -> float:
        """Where the last word ends."""
        return max(word.x1 for word in self.words)

    @property
    def y(self) -> float:
        """The baseline."""
        return self.words[0].y

    def has_room_for(self, word: Word) -> bool:
        """Whether the word would have fitted at this line's end."""
        return self.x1 + 0.3 * self.size + (word.x1 - word.x0) < self.right - 0.1 * self.size


def usual_size(words: Sequence[Word]) -> float:
    """Return the font size of most characters, to a tenth of a point; the smaller of equals."""
    counts: Counter[float] = Counter()
    for word in words:
        if not word.raised:
            counts[round(word.size, 1)] += len(word.text)
    return min(counts, key=lambda size: (-counts[size], size)) if counts else words[0].size


# -- text of a line -------------------------------------------------------------------------------

_CITATION = re.compile(r"\[?\d{1,3}(?:\s?[,;–-]\s?\d{1,3})*\]?")
_UNIT_BEFORE = re.compile(r"(?:\d|(?<![a-z])[a-zµ]?m|/m|\bs|\bkg|\bL|\^)$")
_SUPERSCRIPTS = str.maketrans("0123456789+-−", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁻")
_SIGNED = re.compile(r"[+−-]?\d*")
_SPACE = 0.15


def joined(words: Sequence[Word]) -> str:
    """Return the text of words on one line, from left to right."""
    parts: list[str] = []
    i = 0
    while i < len(words):
        word = words[i]
        if word.raised > 0:
            j = i + 1
            while (
                j < len(words) and words[j].raised > 0 and gap_between(words[j - 1], words[j]) < 0.5
            ):
                j += 1
            text = "".join(w.text for w in words[i:j])
            parts.append(_superscript(text, "".join(parts[-2:]).rstrip()))
            i = j
            continue
        if parts and _is_spaced(words[i - 1], word):
            parts.append(" ")
        parts.append(word.text)
        i += 1
    text = "".join(parts)
    return one_line(text) + ("\xad" if text.endswith("\xad") else "")


def gap_between(a: Word, b: Word) -> float:
    """Return the gap between two words as a share of the larger one's size."""
    return (b.x0 - a.x1) / max(a.size, b.size)


def _is_spaced(a: Word, b: Word) -> bool:
    return b.spaced > 0 or gap_between(a, b) > _SPACE or gap_between(a, b) < -1


def _superscript(text: str, before: str) -> str:
    if not _CITATION.fullmatch(text):
        return text.translate(_SUPERSCRIPTS) if _SIGNED.fullmatch(text) else text
    if _UNIT_BEFORE.search(before):
        return text.translate(_SUPERSCRIPTS)
    return text if text.startswith("[") else f"[{text}]"


_HYPHEN = re.compile(r"(?P<left>[^\W\d_]+)(?P<mark>[-‐\xad])$")
_FIRST_WORD = re.compile(r"[^\W\d_]+")
_COMPOUND = re.compile(r"[^\W\d_]+(?:[-‐][^\W\d_]+)+")
_LEFT_OF_COMPOUND = frozenset(
    {
        "all", "self", "non", "well", "long", "short", "high", "low", "double", "single", "placebo",
        "dose", "evidence", "follow", "cross", "half", "one", "two", "three", "four", "five", "six",
        "seven", "eight", "nine", "ten", "twenty", "thirty", "first", "second", "third", "post",
        "pre", "meta", "health", "quality", "risk", "age", "sex", "time", "case", "open", "side",
        "x", "t",
    }
)  # fmt: skip
"""Words that keep their hyphen where a line ends after it, unless the text has them joined."""


_LONGEST_WORD = 200
"""Characters at the end of a paragraph so far that are looked at before the next line is joined."""

_SUSPENDING = frozenset({"and", "or", "to"})
"""Words before which a hyphen stands for the word to come: "short- and long-term"."""

_GLUED = re.compile(r"\S/.|\w-\w|\d–\d")
_CITED_STOP = re.compile(r"""[.!?]["'”’»)]?$""")
_CITATION_FIRST = re.compile(r"\[\d{1,3}[\],;–-]")
_STOP_AND_CITATION = re.compile(r"""[.!?]["'”’»)]?( ?)\[\d{1,3}[\],;–-]""")


@dataclass
class Hyphens:
    """Tells from a document's own words which hyphens at line ends belong to the word."""

    words: set[str] = field(default_factory=set)
    compounds: set[str] = field(default_factory=set)
    spaced_citations: int = 0
    """How many more of the citations after a stop have a blank before them than have none."""

    def learn(self, lines: Sequence[Line]) -> None:
        """Take note of all words but those that may be cut at either end of a line or cell."""
        cut = False
        for line in lines:
            text = line.text.lower()
            for blank in _STOP_AND_CITATION.findall(text):
                self.spaced_citations += 1 if blank else -1
            if cut:
                text = text.partition(" ")[2]
            cut = _HYPHEN.search(text) is not None or len(cells_of(line.words)) > 1
            if cut:
                text = text.rpartition(" ")[0] if len(cells_of(line.words)) == 1 else ""
            self.compounds.update(match.replace("‐", "-") for match in _COMPOUND.findall(text))
            self.words.update(_FIRST_WORD.findall(text))

    def text(self, lines: Sequence[str]) -> str:
        """Return the text of adjacent lines of one paragraph or cell."""
        done, end = [], ""
        for number, line in enumerate(lines):
            joined = self._join(end, line) if number else line
            cut = max(0, len(joined) - _LONGEST_WORD)  # looking at it all would be quadratic
            done.append(joined[:cut])
            end = joined[cut:]
        return one_line("".join((*done, end)))

    def _join(self, before: str, after: str) -> str:
        match = _HYPHEN.search(before)
        following = _FIRST_WORD.match(after)
        if match is None:
            return before + ("" if self._is_glued(before, after) else " ") + after
        if following is None:
            return before + ("" if after[:1].isalnum() else " ") + after
        left, right = match["left"], following.group()
        if match["mark"] == "\xad" or (
            left[-1].islower() and right[0].islower() and self._is_cut(left.lower(), right)
        ):
            return before[:-1] + after
        return f"{before} {after}" if right in _SUSPENDING else before + after

    def _is_glued(self, before: str, after: str) -> bool:
        """Return whether two lines are joined without a blank.

        A cut range, slash or compound is; a citation after a stop is, unless most in the document
        stand a blank apart.
        """
        if _CITED_STOP.search(before) and _CITATION_FIRST.match(after):
            return self.spaced_citations <= 0
        return _GLUED.fullmatch(before[-2:] + after[:1]) is not None

    def _is_cut(self, left: str, right: str) -> bool:
        """Return whether a hyphen between two lower-case parts only marks the line's end."""
        if left + right in self.words:
            return True
        if f"{left}-{right}" in self.compounds or right in _SUSPENDING:
            return False
        if left in _LEFT_OF_COMPOUND:
            return False
        both = left in self.words and right in self.words and min(len(left), len(right)) > 2
        return not both


# -- running heads, footers and page numbers ------------------------------------------------------

_EDGE_LINES = 3
_SAME_HEIGHT = 4.0
_DIGITS = re.compile(r"\d+")
_PAGE_NUMBER = re.compile(
    r"(?i:(?:page |p\. ?)?\d{1,4} ?(?:of|/) ?\d{1,4}|page \d{1,4}|[-–—] ?\d{1,4} ?[-–—])"
)
_PRINTED = re.compile(r"\d{1,2}/\d{1,2}/\d{2,4}, \d{1,2}:\d\d(?: [AP]M)?\b")
"""What browsers print at the head of each page."""

_LAST_PAGE_NUMBER = re.compile(r"\b(\d{1,4})/(\d{1,4})$")


def _without_running_heads(pages: Sequence[Page]) -> list[list[Word]]:
    """Return the words of each page but those of heads and footers.

    One of the three outermost lines is such where it is a page number in words, or where another
    page has it too (two others, in documents of more than five pages), figures aside, at the same
    height. The lines between it and the edge must be such too.
    """
    edges = [_edge_lines(page) for page in pages]
    heights: dict[tuple[bool, str], list[float]] = defaultdict(list)
    for page_edges in edges:
        for top, lines in page_edges:
            for words in lines:
                heights[top, _pattern(words)].append(words[0].y)
    needed = 2 if len(pages) <= 5 else 3
    kept = []
    for page, page_edges in zip(pages, edges, strict=True):
        removed: set[int] = set()
        for top, lines in page_edges:
            for words in lines:
                near = sum(
                    abs(y - words[0].y) <= _SAME_HEIGHT for y in heights[top, _pattern(words)]
                )
                if near < needed and not _is_page_number(words, page.number, len(pages)):
                    break
                removed.update(map(id, words))
        kept.append([word for word in page.words if id(word) not in removed])
    return kept


def _edge_lines(page: Page) -> list[tuple[bool, list[list[Word]]]]:
    """Return (is top, lines from the edge inwards) for both ends of a page."""
    lines = _baselines(page.words)
    half = len(lines) // 2
    count = min(_EDGE_LINES, half)
    if len(lines) == 1:
        return [(True, lines)]
    return [(True, lines[:count]), (False, lines[::-1][:count])]


def _pattern(words: Sequence[Word]) -> str:
    return _DIGITS.sub("#", joined(words).lower())


def _is_page_number(words: Sequence[Word], number: int, total: int) -> bool:
    text = joined(words)
    if _PAGE_NUMBER.fullmatch(text) or text == str(number) or _PRINTED.match(text):
        return True
    match = _LAST_PAGE_NUMBER.search(text)  # browsers print the address and "3/9" on one line
    return match is not None and (int(match[1]), int(match[2])) == (number, total)


def _baselines(words: Sequence[Word]) -> list[list[Word]]:
    """Return words grouped by baseline, from the top; each group from left to right."""
    groups: list[list[Word]] = []
    anchor = 0.0
    for word in sorted(words, key=lambda w: (w.y, w.x0)):
        if groups and word.y - anchor <= 0.3 * min(word.size, groups[-1][0].size):
            groups[-1].append(word)
        else:
            groups.append([word])
            anchor = word.y
    for group in groups:
        group.sort(key=lambda w: w.x0)
    return groups


# -- columns --------------------------------------------------------------------------------------

_GUTTER = 0.8
"""Least width of a gutter, as a share of the usual font size."""

_MAX_PLACES = 400
_UNBROKEN = 0.75
_LEAST_LINES = 4
_LEAST_CHARACTERS = 18
_WRAPPED = (2, 0.1)
_MANY_WRAPPED = (8, 0.4)
"""Least number and share of lines that run on, on either side; many on one side are enough."""

_FULL = 0.25
"""A line whose end is nearer to the right edge than this share of the width is full."""

_MAX_DEPTH = 12


@dataclass(frozen=True)
class _Cut:
    """A gutter: white from x0 to x1 between the baselines top and bottom, neither included."""

    x0: float
    x1: float
    top: float
    bottom: float


def _columns(
    words: list[Word], size: float, known: Sequence[float], depth: int = 0
) -> Iterator[list[Word]]:
    """Yield the words of each column in reading order.

    Text above a gutter comes first, then the column to its left, that to its right, and the text
    below it. known: where gutters of other pages are; there, less evidence is enough.
    """
    cut = _cut(words, size, known) if depth < _MAX_DEPTH else None
    if cut is None:
        if words:
            yield words
        return
    between = [word for word in words if cut.top < word.y < cut.bottom]
    middle = (cut.x0 + cut.x1) / 2
    for part in (
        [word for word in words if word.y <= cut.top],
        [word for word in between if word.x0 < middle],
        [word for word in between if word.x0 >= middle],
        [word for word in words if word.y >= cut.bottom],
    ):
        yield from _columns(part, size, known, depth + 1)


def _cut(words: Sequence[Word], size: float, known: Sequence[float]) -> _Cut | None:
    """Return the gutter that has most text on its lesser side; None where there are no columns.

    Of several, it is the one that has most on both.
    """
    runs = [run for line in _baselines(words) for run in _unbroken(line)]
    if len(runs) < 2:
        return None
    x0 = np.array([run[0].x0 for run in runs])
    x1 = np.array([max(word.x1 for word in run) for run in runs])
    y = np.array([run[0].y for run in runs])
    width = _GUTTER * size
    best: _Cut | None = None
    most = 0
    span = float(x1.max() - x0.min())
    for x in np.arange(x0.min() + size, x1.max() - size, max(2.0, span / _MAX_PLACES)):
        left, right = x1 <= x, x0 >= x + width
        bounds = np.unique(np.concatenate(([-np.inf], y[~left & ~right], [np.inf])))
        at = np.searchsorted(bounds, y)
        inside = ~np.isin(y, bounds)
        count_left = np.bincount(at[left & inside], minlength=len(bounds) + 1)
        count_right = np.bincount(at[right & inside], minlength=len(bounds) + 1)
        lesser = np.minimum(count_left, count_right)
        score = np.sign(lesser) * (lesser * (len(runs) + 1) + count_left + count_right)
        k = int(score.argmax())
        if score[k] <= most:
            continue
        top, bottom = float(bounds[k - 1]), float(bounds[k])
        within = (y > top) & (y < bottom)
        sides = [
            [word for i in np.flatnonzero(side & within) for word in runs[i]]
            for side in (left, right)
        ]
        at_known = any(x - width <= place <= x + 2 * width for place in known)
        if _is_gutter(sides, at_known):
            most = int(score[k])
            best = _Cut(max(w.x1 for w in sides[0]), min(w.x0 for w in sides[1]), top, bottom)
    return best


def _unbroken(line: Sequence[Word]) -> list[list[Word]]:
    """Return the words of a line in runs without a gap that could be a gutter."""
    runs = [[line[0]]]
    for before, word in pairwise(line):
        # a heading in one column may stand beside text in the other
        larger, smaller = max(before.size, word.size), min(before.size, word.size)
        size = larger if before.raised or word.raised else smaller
        if word.joined or word.x0 - before.x1 < _UNBROKEN * size:
            runs[-1].append(word)
        else:
            runs.append([word])
    return runs


def _is_gutter(sides: Sequence[Sequence[Word]], at_known: bool) -> bool:
    """Return whether white space parts columns of text rather than cells of a table."""
    lines = [_baselines(side) for side in sides]
    wraps = [_wraps(side) for side in lines]
    for side, own, other, beside in zip(lines, wraps, wraps[::-1], lines[::-1], strict=True):
        lengths = [sum(len(w.text) + 1 for w in line) for line in side]
        if 2 * sum(_is_row(line) for line in side) > len(side):
            return False
        if at_known:
            if max(lengths) < _LEAST_CHARACTERS:
                return False
            continue
        beside_prose = other >= max(_MANY_WRAPPED[0], _MANY_WRAPPED[1] * len(beside))
        if (
            len(side) < _LEAST_LINES
            or sum(lengths) / len(lengths) < _LEAST_CHARACTERS
            or not (beside_prose or own >= max(_WRAPPED[0], _WRAPPED[1] * len(side)))
        ):
            return False
    return not _rows_agree(lines[0], lines[1])


def _wraps(side: Sequence[Sequence[Word]]) -> int:
    """Return how many full lines go on in lower case, as wrapped prose does and cells do not."""
    right = max(line[-1].x1 for line in side)
    full = right - _FULL * (right - min(line[0].x0 for line in side))
    return sum(
        line[-1].x1 >= full and following[0].text[0].islower() for line, following in pairwise(side)
    )


def _is_row(line: Sequence[Word]) -> bool:
    """Return whether a line has several cells, a list marker aside."""
    cells = cells_of(line)
    return len(cells) - is_mark(joined(cells[0])) > 1


def _rows_agree(left: Sequence[Sequence[Word]], right: Sequence[Sequence[Word]]) -> bool:
    """Return whether both sides break into paragraphs at the same heights, as table rows do."""
    starts = [_starts(side) for side in (left, right)]
    if min(map(len, starts)) < 3:
        return False
    near = left[0][0].size / 2
    shared = sum(any(abs(a - b) < near for b in starts[1]) for a in starts[0])
    return 5 * shared >= 4 * max(map(len, starts))


def _starts(lines: Sequence[Sequence[Word]]) -> list[float]:
    """Return the heights of lines that begin a paragraph, told by the white above them.

    Lines nearer than their size are of cells that stand side by side.
    """
    pairs = [(b[0].y - a[0].y, b[0]) for a, b in pairwise(lines)]
    usual: dict[int, float] = {}
    for step, word in pairs:
        if step >= 0.9 * word.size:
            usual[round(word.size)] = min(step, usual.get(round(word.size), step))
    starts = [word.y for step, word in pairs if step > 1.15 * usual.get(round(word.size), step)]
    return [lines[0][0].y, *starts]


def lines_of(pages: Sequence[Page]) -> list[Line]:
    """Return the lines of all pages in reading order."""
    bodies = _without_running_heads(pages)
    every = [word for words in bodies for word in words]
    if not every:
        return []
    size = usual_size(every)
    gutters = [_cut(words, size, ()) for words in bodies]
    known = sorted({round((cut.x0 + cut.x1) / 2) for cut in gutters if cut is not None})
    lines: list[Line] = []
    column = 0
    for page, words in zip(pages, bodies, strict=True):
        for part in _columns(words, size, known):
            column += 1
            found = [Line(group, page.number, column) for group in _baselines(part)]
            lines += _with_edges(found)
            if len(lines) > MAX_LINES:
                raise RejectedDocument(
                    "too_large",
                    f"found more than {MAX_LINES:,} lines; expected at most that (MAX_LINES, "
                    "which no setting raises); split the document",
                )
    return [line for line in lines if line.text]


def _with_edges(lines: list[Line]) -> list[Line]:
    """Return the lines of a column, with the edges of the lines of their size.

    Tables and lines of one long word may be wider than the column, so they do not tell its right
    edge where other text does.
    """
    edge = min(line.x0 for line in lines)
    middle = (edge + max(line.x1 for line in lines)) / 2
    sizes: dict[float, list[Line]] = defaultdict(list)
    for line in lines:
        sizes[line.size].append(line)
    for group in sizes.values():
        left = min(line.x0 for line in group)
        text = [
            line.x1
            for line in group
            if line.x0 < middle and len(line.words) > 1 and len(cells_of(line.words)) == 1
        ]
        right = max(text or [line.x1 for line in group])
        for line in group:
            line.edge, line.left, line.right = edge, left, right
    return lines


# -- cells -----------------------------------------------------------------------------------------

_CELL_GAP = 1.0
_APART_GAP = 0.18
"""Greatest gaps inside a cell, as shares of the font size: usual, and where no space is drawn."""

_MARK_CELL = re.compile(r"\W{1,2}|\[?\(?[\divx]{1,4}[\].)]*|[a-z][.)]")


def cells_of(words: Sequence[Word]) -> list[list[Word]]:
    """Return the words of a line, cut where the gap is wider than between words."""
    cells = [[words[0]]]
    for before, word in pairwise(words):
        widest = _APART_GAP if word.apart else _CELL_GAP
        is_one = word.joined or word.raised or before.raised
        if is_one or gap_between(before, word) <= widest:
            cells[-1].append(word)
        else:
            cells.append([word])
    return cells


def is_mark(text: str) -> bool:
    """Return whether the text of a cell is only a list marker."""
    return _MARK_CELL.fullmatch(text) is not None


def ends_in_hyphen(text: str) -> bool:
    """Return whether a line ends in a word and a hyphen."""
    return _HYPHEN.search(text) is not None
