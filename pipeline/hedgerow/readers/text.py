"""Plain text: web pages saved as .txt, read line by line into blocks.

A saved page has lost its mark-up, so what a line is must be told from its shape
(`readers/lines.py`) and its neighbours: blank lines, similar lines, the line that leads in. Passes
run in turn, surest first; each names the lines it is sure of and leaves the rest to the next.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from hedgerow.errors import RejectedDocument
from hedgerow.readers import lines as shape
from hedgerow.readers.base import (
    DEFAULTS,
    Block,
    Document,
    Item,
    Options,
    decode,
    normalise,
    require_few_lines,
    require_letters,
)

_TAB_WIDTH = 4


@dataclass(slots=True)
class _Line:
    """A stripped line, or a part of one: text[start:end] of the document, and what it became.

    indent: columns before it. gap: blank lines before it. words: blank-separated words. The rest
    is as in `Block`; kind is "" until a pass has named it.
    """

    start: int
    end: int
    text: str
    indent: int
    gap: int
    kind: str = ""
    level: int | None = None
    parent: int | None = None
    row: int | None = None

    @property
    def words(self) -> int:
        return self.text.count(" ") + 1


_LINE = re.compile(r"[^\n]+")


def _lines(text: str) -> list[_Line]:
    lines: list[_Line] = []
    position = 0
    for match in _LINE.finditer(text):
        raw = match.group()
        content = raw.strip()
        if not content:
            continue
        lead = len(raw) - len(raw.lstrip())
        start = match.start() + lead
        indent = len(raw[:lead].replace("\t", " " * _TAB_WIDTH))
        gap = max(0, text.count("\n", position, start) - 1) if lines else 0
        position = start + len(content)
        lines.append(_Line(start, position, content, indent, gap))
    return lines


# -- lines that are not what a reader of the page saw ---------------------------------------------

_WIDTHS = (38, 120)
"""Columns of the widest line of a hard-wrapped paragraph."""
_LEAST_RUNNING = 1 / 3
_LEAST_WRAPPED = 2
_MOST_WIDER = 0.05
_NEARLY_FULL = 0.75
_UNFINISHED = frozenset({
    "a", "an", "and", "as", "at", "by", "for", "from", "in", "into", "its", "nor", "of", "on", "or",
    "our", "than", "the", "their", "to", "whose", "with", "without",
})  # fmt: skip
"""Words that hardly end a paragraph or a heading: the next line goes on with it."""
_CELLS_APART = re.compile(r"[|¦\t]")


def _join_wrapped(text: str, lines: Sequence[_Line]) -> list[_Line]:
    """Join the lines of hard-wrapped paragraphs and items.

    What is joined are lines so full that the first word of the next had no room. That is sure where
    a third of them run on, as sentences do, and the paragraph ends as one does. Where a text has
    such paragraphs, and hardly a wider line, full lines are enough, and nearly full ones that run
    on.
    """
    sure = [part for part in _filled(lines, 0) if _is_wrapped([lines[i] for i in part])]
    goes_on = {i for part in sure for i in part[1:]}
    if len(goes_on) >= _LEAST_WRAPPED:
        width = max(_width(lines[i]) for part in sure for i in part)
        if sum(_width(line) > width for line in lines) <= _MOST_WIDER * len(lines):
            goes_on.update(i for part in _filled(lines, width) for i in part[1:])
            goes_on.update(
                i
                for i, (a, b) in enumerate(pairwise(lines), 1)
                if not b.gap
                and _width(a) >= _NEARLY_FULL * width
                and _runs_on(a.text, b.text)
                and not _stands_apart(a.text, b.text)
            )
    ends = [i for i in range(1, len(lines) + 1) if i not in goes_on]
    return [
        lines[i]
        if j == i + 1
        else replace(lines[i], end=lines[j - 1].end, text=text[lines[i].start : lines[j - 1].end])
        for i, j in pairwise([0, *ends])
    ]


def _width(line: _Line) -> int:
    return line.indent + len(line.text)


def _filled(lines: Sequence[_Line], width: int) -> Iterator[range]:
    """Yield the runs of adjacent lines that may have been broken at one width, or a greater."""
    start, least, most = 0, width, _WIDTHS[1]
    for i, line in enumerate(lines):
        least = max(least, _width(line))
        if i > start:
            most = min(most, _width(lines[i - 1]) + len(line.text.split(" ", 1)[0]))
            if least > most or line.gap or _stands_apart(lines[i - 1].text, line.text):
                yield _without_heading(lines, range(start, i))
                start, least, most = i, max(width, _width(line)), _WIDTHS[1]
    yield _without_heading(lines, range(start, len(lines)))


def _stands_apart(before: str, text: str) -> bool:
    """Return whether a line shows that it is an item, a row, or below a heading in capitals."""
    return (
        shape.marker_of(text) != ""
        or _CELLS_APART.search(text) is not None
        or (before.isupper() and not text.isupper())
    )


def _without_heading(lines: Sequence[_Line], part: range) -> range:
    """Return a run of lines without the last, where that follows a sentence and ends as none."""
    apart = len(part) > 1 and shape.ends_sentence(lines[part[-2]].text)
    last = lines[part[-1]].text if part else ""
    return part[:-1] if apart and not (shape.ends_with_stop(last) or last[-1] == ":") else part


def _is_wrapped(part: Sequence[_Line]) -> bool:
    """Return whether full lines are surely of one paragraph."""
    running = sum(_runs_on(a.text, b.text) for a, b in pairwise(part))
    return (
        running >= max(1, _LEAST_RUNNING * (len(part) - 1))
        and max(map(_width, part)) >= _WIDTHS[0]
        and not part[0].text.split(" ", 1)[0].islower()
        and (len(part) > 2 or _ends(part[-1].text))
    )


def _runs_on(text: str, below: str) -> bool:
    """Return whether the sentence of one line goes on in the next."""
    if shape.ends_with_stop(text) or text[-1] == ":":
        return False
    return below[0].islower() or text.rsplit(" ", 1)[-1] in _UNFINISHED


def _ends(text: str) -> bool:
    """Return whether a line ends as a paragraph does."""
    return shape.ends_sentence(text) or text[-1] == ":"


_INLINE_BULLET = re.compile(r"\s(?=([•◦▪●✔✓☐→])\s\S)")


def _split_bullets(lines: Sequence[_Line]) -> Iterator[_Line]:
    """Split lines that hold several items with the same bullet."""
    for line in lines:
        mark = line.text[0]
        cuts = [m.end() for m in _INLINE_BULLET.finditer(line.text) if m[1] == mark]
        for i, (a, b) in enumerate(pairwise([0, *cuts, len(line.text) + 1])):
            part = line.text[a : b - 1].rstrip()
            start = line.start + a
            yield _Line(start, start + len(part), part, line.indent, 0 if i else line.gap)


# -- passes ---------------------------------------------------------------------------------------


def _name_references(lines: list[_Line]) -> None:
    """Name reference entries: below a heading such as "Sources", or by their own looks."""
    listed = False
    for i, line in enumerate(lines):
        if line.kind:
            listed = False
            continue
        if shape.is_reference_heading(line.text) and i + 1 < len(lines):
            listed = shape.is_reference(lines[i + 1].text, listed=True)
            if listed:
                line.kind = "heading"
            continue
        after_entry = i > 0 and lines[i - 1].kind == "reference"
        if shape.is_reference(line.text, listed=listed) or (
            after_entry and shape.has_reference_mark(line.text) and not line.gap and listed
        ):
            line.kind = "reference"
        elif after_entry and (line.gap or not shape.is_reference(line.text, listed=True)):
            listed = False
        elif after_entry:
            line.kind = "reference"


_CELLS = (
    # separator, least separators in each row, whether all rows need the same number
    ("tab", re.compile(r"\t"), 1, False),
    ("bar", re.compile(r"(?<=\S)\s?[|¦]\s?(?=\S)"), 1, False),
    ("spaces", re.compile(r"(?<=\S) {2,}(?=\S)"), 1, False),
    ("slash", re.compile(r"(?<=\S) / (?=\S)"), 1, True),
    ("dash", re.compile(r"(?<=\S) [—–] (?=\S)"), 2, True),
    ("dot", re.compile(r"(?<=\S) · (?=\S)"), 2, True),
    ("semicolon", re.compile(r"(?<=\S);(?=\S)"), 2, True),
    ("colon", re.compile(r"(?<=\S) : (?=\S)"), 1, True),
    (
        "joined",  # cells that ran together when the page was saved: "DrugDoseRoute"
        re.compile(
            r"(?<=[a-z)\]%’'.*])(?=[A-Z][a-zA-Z])|(?<=[a-z)%*])(?=[~<>$£±]?\d)|(?<=\d)(?=[A-Z][a-z]{2})"
        ),
        1,
        False,
    ),
)
_MAX_ROW_WORDS = 60
_LEAST_COLLAPSED = 4
"""Separators in a lone line that make it a whole table, its rows run together."""
_JOINED_HEADER = re.compile(r"[a-z)\]%][A-Z]|\b[A-Z]{2,} ?[A-Z]{2,}[A-Z(]")


def _is_prose(line: _Line) -> bool:
    return line.words > 12 and shape.ends_sentence(line.text)


def _name_tables(lines: list[_Line]) -> None:
    """Name rows: adjacent lines that the same separator cuts into cells."""
    for name, pattern, least, equal in _CELLS:
        counts = [
            0
            if line.kind or line.words > _MAX_ROW_WORDS or (name == "joined" and _is_prose(line))
            else len(pattern.findall(line.text))
            for line in lines
        ]
        i = 0
        while i < len(lines):
            j = i + 1
            if counts[i] < least:
                i = j
                continue
            while j < len(lines) and not lines[j].gap and counts[j] >= least:
                if equal and counts[j] != counts[i]:
                    break
                j += 1
            if _is_table(name, lines[i:j]) or (
                j == i + 1 and name in ("tab", "bar") and counts[i] >= _LEAST_COLLAPSED
            ):
                _set_rows(lines, i, j)
            i = j


def _is_table(name: str, group: Sequence[_Line]) -> bool:
    """Return whether adjacent lines with the same separator are the rows of a table."""
    if len(group) < 2 or (name in ("slash", "colon", "spaces") and len(group) < 3):
        return False
    if name == "joined":
        head = group[0].text
        joins = len(_JOINED_HEADER.findall(head))
        return joins >= (1 if len(group) > 2 else 2) and not shape.ends_sentence(head)
    if name in ("dash", "dot", "slash", "spaces"):
        return not any(map(_is_prose, group)) and not shape.is_bulleted(group[0].text)
    return 2 * sum(map(_is_prose, group)) <= len(group)


def _set_rows(lines: list[_Line], first: int, end: int) -> None:
    for row, line in enumerate(lines[first:end]):
        line.kind, line.row = "table_row", row
        line.parent = first if row else None


_JOIN = re.compile(r"(?<=[a-z)\]%])[A-Z]")
_DIGIT = re.compile(r"\d")
_MAX_HEADER_WORDS = 14


def _name_headed_tables(lines: list[_Line]) -> None:
    """Name tables by a header that ran together, such as "DrugDoseRoute".

    Its rows are the adjacent lines that hold a figure or a join: cells that end in a figure or
    bracket were saved a space apart, so not every row shows a join.
    """
    i = 0
    while i < len(lines):
        j = i + 1
        if _is_joined_header(lines[i]):
            while j < len(lines) and _is_headed_row(lines[j]):
                j += 1
            if j - i >= 3:
                _set_rows(lines, i, j)
        i = j


def _is_joined_header(line: _Line) -> bool:
    joins = len(_JOIN.findall(line.text))
    return (
        line.kind in ("", "table_row")
        and line.row in (None, 0)
        and line.words <= _MAX_HEADER_WORDS
        and (joins >= 2 or (joins == 1 and line.words == 1))
        and not shape.ends_with_stop(line.text)
    )


def _is_headed_row(line: _Line) -> bool:
    return (
        not line.gap
        and line.kind in ("", "table_row", "card", "reference")
        and line.words <= _MAX_ROW_WORDS
        and not _is_prose(line)
        and (_DIGIT.search(line.text) or _JOIN.search(line.text)) is not None
    )


_NUMERIC = re.compile(r"(?<!\S)[(~<>+−–-]*\d[\d.,%/()–−-]*(?!\S)|(?<!\S)[–—](?!\S)")


def _name_spaced_tables(lines: list[_Line]) -> None:
    """Name tables whose cells are a space apart: a header, then rows that hold figures."""
    i = 0
    while i < len(lines) - 2:
        head, j = lines[i], i + 1
        while j < len(lines) and _is_spaced_row(lines[j]):
            j += 1
        if (
            j - i >= 3
            and not head.kind
            and 3 <= head.words <= 14
            and not shape.ends_with_stop(head.text)
            and not head.text.endswith(":")
            and not shape.marker_of(head.text)
        ):
            _set_rows(lines, i, j)
            i = j
        else:
            i += 1


def _is_spaced_row(line: _Line) -> bool:
    return (
        not line.gap
        and not line.kind
        and line.words <= 14
        and not shape.marker_of(line.text)
        and not shape.ends_sentence(line.text)
        and len(_NUMERIC.findall(line.text)) >= 2
    )


_PROPERTY = re.compile(r"[A-Z][^:.!?]{1,40}: \S")


def _name_properties(lines: list[_Line]) -> None:
    """Name fact boxes, three adjacent "Name: value" lines or more, as rows of a table."""
    i = 0
    while i < len(lines):
        j = i
        while j < len(lines) and (j == i or not lines[j].gap) and _is_property(lines[j]):
            j += 1
        if j - i >= 3:
            for row, line in enumerate(lines[i:j], 1):
                line.kind, line.row = "table_row", row
        i = max(j, i + 1)


def _is_property(line: _Line) -> bool:
    return (
        not line.kind
        and line.words <= 16
        and _PROPERTY.match(line.text) is not None
        and not shape.marker_of(line.text)
        and ". " not in line.text
        and not shape.ends_sentence(line.text)
    )


_MAX_CARD_WORDS = 16
_CARD_LABELS = 2
"""Lines that may follow a card's figure: what it counts, and where it is from."""


def _name_cards(lines: list[_Line]) -> None:
    """Name figure cards: a line that is only a figure, then its label and source lines."""
    i = 0
    while i < len(lines):
        j = i + 1
        if lines[i].kind or not (shape.is_figure(lines[i].text) or shape.has_stars(lines[i].text)):
            i = j
            continue
        while j < len(lines) and j - i <= _CARD_LABELS and _is_card_label(lines[j]):
            j += 1
        if j > i + 1 or shape.has_stars(lines[i].text):
            for line in lines[i:j]:
                line.kind = "card"
                line.parent = None if line is lines[i] else i
        i = j


def _is_card_label(line: _Line) -> bool:
    return (
        not line.kind
        and not line.gap
        and line.words <= _MAX_CARD_WORDS
        and not shape.is_figure(line.text)
        and not shape.has_stars(line.text)
        and not shape.marker_of(line.text)
    )


_EDGE = 5
"""Lines from either end of a page where furniture is expected."""
_MAX_CAPTION_WORDS = 60
_MAX_FURNITURE_WORDS = 40
_MAX_ITEM_WORDS = 80


def _name_worded(lines: list[_Line]) -> None:
    """Name captions, cards and page furniture, which their wording tells."""
    for i, line in enumerate(lines):
        if line.kind:
            continue
        edge = i < _EDGE or i >= len(lines) - _EDGE
        if line.words <= _MAX_CAPTION_WORDS and shape.is_caption(line.text):
            line.kind = "caption"
        elif line.words <= _MAX_CARD_WORDS and shape.is_card(line.text):
            line.kind = "card"
        elif not (any(map(str.isalnum, line.text)) or shape.has_stars(line.text)) or (
            line.words <= _MAX_FURNITURE_WORDS and shape.is_furniture(line.text, edge=edge)
        ):
            line.kind = "boilerplate"


def _name_lists(lines: list[_Line]) -> None:
    """Name list items by their markers; a short numbered line above other text is a heading."""
    for i, line in enumerate(lines):
        if line.kind or line.words > _MAX_ITEM_WORDS:
            continue
        numbered = shape.is_numbered(line.text) and not _is_numbered_heading(lines, i)
        timed = shape.has_time_code(line.text) and any(
            shape.has_time_code(n.text) for n in _neighbours(lines, i)
        )
        if shape.is_bulleted(line.text) or numbered or timed:
            line.kind = "list_item"


def _neighbours(lines: Sequence[_Line], i: int) -> Sequence[_Line]:
    return (*lines[max(0, i - 1) : i], *lines[i + 1 : i + 2])


def _is_numbered_heading(lines: Sequence[_Line], i: int) -> bool:
    line = lines[i]
    if line.words > 14 or (shape.ends_with_stop(line.text) and not shape.is_question(line.text)):
        return False
    return i + 1 < len(lines) and not any(shape.is_numbered(n.text) for n in _neighbours(lines, i))


def _name_tail(lines: list[_Line]) -> None:
    """Name what stands below a closing reference list as furniture, up to a heading with text."""
    last = max((i for i, line in enumerate(lines) if line.kind == "reference"), default=None)
    if last is None or any(_is_prose(line) and line.words > 30 for line in lines[last + 1 :]):
        return
    for line in lines[last + 1 :]:
        if not line.kind:
            line.kind = "boilerplate"


# -- title and headings ---------------------------------------------------------------------------

_MAX_HEADING_WORDS = 16
_MAX_HEADING_LENGTH = 120
_MAX_TITLE_WORDS = 30
_MAX_LINES_TO_TITLE = 5
_MAX_LINES_BELOW_TITLE = 3
_DATED = re.compile(
    r"\b(?:19|20)\d\d\b|\b\d{1,2} (?:Jan|Feb|Mar|Apr|May|June?|July?|Aug|Sept?|Oct|Nov|Dec)|^[Bb]y "
)
_CONTENT_WORD = re.compile(r"[^\W\d_]{4,}")


def _is_heading_shaped(line: _Line) -> bool:
    return (
        line.words <= _MAX_HEADING_WORDS
        and len(line.text) <= _MAX_HEADING_LENGTH
        and (not shape.ends_with_stop(line.text) or shape.is_question(line.text))
        and not line.text.endswith(":")
        and any(map(str.isalpha, line.text))
    )


def _find_title(text: str, lines: list[_Line]) -> str | None:
    """Name the title, and what stands above it as furniture; return the title.

    Of the first lines that could be one, up to the first prose, it is the first that shares at
    least half as many of the page's words as the best does: site names and issue numbers do not.
    """
    candidates: list[_Line] = []
    for line in lines[:_MAX_LINES_TO_TITLE]:
        if line.kind in ("boilerplate", "caption"):
            continue
        if line.kind or line.words > _MAX_TITLE_WORDS or _is_prose(line):
            break
        if not _is_heading_shaped(line) and candidates:
            break
        candidates.append(line)
    if not candidates or candidates[-1] is lines[-1]:
        return None
    counts = Counter(_CONTENT_WORD.findall(text.lower()))
    scores = [
        sum(min(counts[word], 4) - 1 for word in set(_CONTENT_WORD.findall(line.text.lower())))
        for line in candidates
    ]
    best = max(scores)
    title = next(line for line, score in zip(candidates, scores, strict=True) if 2 * score >= best)
    for line in candidates[: candidates.index(title)]:
        line.kind = "boilerplate"
    title.kind = "title"
    for line in lines[lines.index(title) + 1 :][:_MAX_LINES_BELOW_TITLE]:
        if line.kind or not _is_heading_shaped(line):
            break
        if _DATED.search(line.text):
            line.kind = "boilerplate"
    return title.text


def _name_headings(lines: list[_Line]) -> None:
    """Name headings: short lines without a final stop, with something below; rest: paragraphs.

    A line that goes on with the one before is none, nor is one whose sentence goes on below.
    """
    something_below = goes_on = False
    for line in reversed(lines):
        follows = line.text[0].islower() and not line.gap
        if not line.kind:
            whole = line.text.isupper() or not goes_on
            shaped = _is_heading_shaped(line) and whole and not follows
            line.kind = "heading" if something_below and shaped else "paragraph"
        something_below = something_below or line.kind != "boilerplate"
        goes_on = follows and line.kind == "paragraph" and shape.ends_sentence(line.text)


_LEADS_IN = frozenset({"paragraph", "heading", "title"})


def _set_parents(lines: list[_Line]) -> None:
    """Give list items their levels, by indentation, and their parents."""
    outer: list[tuple[int, int]] = []
    for i, line in enumerate(lines):
        if line.kind != "list_item":
            outer.clear()
            continue
        while outer and outer[-1][0] > line.indent:
            outer.pop()
        if outer and outer[-1][0] == line.indent:
            line.parent = lines[outer.pop()[1]].parent
        elif outer:
            line.parent = outer[-1][1]
        elif i and lines[i - 1].kind in _LEADS_IN and lines[i - 1].text.endswith(":"):
            line.parent = i - 1
        outer.append((line.indent, i))
        line.level = min(len(outer), 127)


_LONGEST_SHAPED = 5000
"""Characters beyond which a line is a paragraph, whatever it begins or ends with."""


def blocks_of(text: str) -> tuple[tuple[Block, ...], str | None]:
    """Return the blocks of a normalised plain text, in order, and its title."""
    lines = list(_split_bullets(_join_wrapped(text, _lines(text))))
    for line in lines:
        if len(line.text) > _LONGEST_SHAPED:
            line.kind = "paragraph"
    _name_references(lines)
    _name_tables(lines)
    _name_headed_tables(lines)
    _name_worded(lines)
    _name_cards(lines)
    _name_lists(lines)
    _name_spaced_tables(lines)
    _name_properties(lines)
    title = _find_title(text, lines)
    _name_tail(lines)
    _name_headings(lines)
    _set_parents(lines)
    blocks = tuple(
        Block(line.start, line.end, line.kind, line.level, line.parent, line.row) for line in lines
    )
    return blocks, title


class TextReader:
    """Reads .txt and .text files."""

    media_type = "text/plain"
    suffixes = (".txt", ".text")

    def split(self, content: bytes, options: Options = DEFAULTS) -> Iterator[Item]:
        """Yield the whole file as one item; plain text declares no id."""
        yield Item(0, len(content))

    def read(self, content: bytes, *, path: str, options: Options = DEFAULTS) -> Document:
        """Return the document in a text file; its title is its first title-like line."""
        text = normalise(decode(content))
        if not text.strip():
            raise RejectedDocument("empty", "found only blank text; put text into the file")
        require_few_lines(text, options.limits)
        require_letters(text, "the file")
        blocks, title = blocks_of(text)
        return Document(text=text, blocks=blocks, media_type=self.media_type, title=title)


READER = TextReader()
