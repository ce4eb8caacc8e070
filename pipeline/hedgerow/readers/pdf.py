"""PDF: words with places on pages in, blocks in reading order out.

A PDF says where characters stand and nothing of what they are. So paragraphs are told by leading,
indents and how full a line is, headings by size and weight, lists by their markers, and tables by
cells that stand below each other.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby, pairwise

from hedgerow.errors import RejectedDocument
from hedgerow.limits import Limits
from hedgerow.readers import metadata
from hedgerow.readers.base import DEFAULTS, BlockBuilder, Document, Item, Options, require_letters
from hedgerow.readers.lines import is_caption, is_reference, is_reference_heading, marker_of
from hedgerow.readers.pdf_layout import (
    Hyphens,
    Line,
    cells_of,
    ends_in_hyphen,
    gap_between,
    is_mark,
    joined,
    lines_of,
    usual_size,
)
from hedgerow.readers.pdf_words import UNKNOWN, Page, Word, pages_of

_STOP = re.compile(r"""[.!?…:;]["'”’»)\]]*(?:\s?\[[\d,;\s–-]+\])*$""")
_SENTENCE_STOP = re.compile(r"""[.!?…:]["'”’»)\]]*(?:\s?\[[\d,;\s–-]+\])*$""")

# -- tables ---------------------------------------------------------------------------------------

_COLUMN_GAP = 0.15
_ROW_STEP = 1.3
_MIDWAY = 0.9
"""Steps to the next line, as shares of the leading: above the first begins a row of a table set
with white between rows; below the second, a line is set midway between those of another cell."""


@dataclass
class _Table:
    """Rows of cells, each the texts of its lines; pages: that of each row."""

    rows: list[list[list[str]]]
    pages: list[int]

    def go_on(self, rest: _Table) -> None:
        """Append the rows of the table's part in the next column or on the next page.

        A header printed again is left out. A first row without a first cell, and with hardly any
        other, ends the last row.
        """
        rows, pages = rest.rows, rest.pages
        pairs = list(zip(rows[0], self.rows[0], strict=True))
        if all(cell[: len(named)] == named for cell, named in pairs):
            rows[0] = [cell[len(named) :] for cell, named in pairs]
        if not any(rows[0]):
            rows, pages = rows[1:], pages[1:]
        filled = sum(map(bool, rows[0])) if rows else 0
        if rows and not rows[0][0] and 2 * filled <= len(rows[0]) and len(self.rows) > 1:
            for cell, lines in zip(self.rows[-1], rows[0], strict=True):
                cell += lines
            rows, pages = rows[1:], pages[1:]
        self.rows += rows
        self.pages += pages


Span = tuple[float, float]


def _merged(spans: Sequence[Span], gap: float) -> list[Span]:
    """Return the union of intervals, those less than a gap apart as one."""
    result: list[Span] = []
    for a, b in sorted(spans):
        if result and a - result[-1][1] < gap:
            result[-1] = (result[-1][0], max(result[-1][1], b))
        else:
            result.append((a, b))
    return result


def _spans(line: Line) -> list[Span]:
    """Return where the cells of a line stand, from the left edge of its column."""
    return [
        (cell[0].x0 - line.edge, max(w.x1 for w in cell) - line.edge)
        for cell in cells_of(line.words)
    ]


def _step(above: Line, below: Line, leading: float) -> float:
    """Return how far a line is below another; a wide step where it is in another column."""
    return below.y - above.y if above.column == below.column else 2 * leading


def _table_at(lines: Sequence[Line], start: int, leading: float) -> tuple[int, _Table] | None:
    """Return (end, table) where a table begins at a line of several cells; else None."""

    def is_midway(i: int) -> bool:
        """Whether a line is set midway between those of another cell: cells may be centred."""
        return i < len(lines) and 0 < _step(lines[i - 1], lines[i], leading) < _MIDWAY * leading

    def is_drawn_before(i: int) -> bool:
        """Whether a line is drawn before the end of the one above: cell by cell, not by line."""
        return lines[i].words[0].order < lines[i - 1].words[-1].order

    first = lines[start]
    gap = _COLUMN_GAP * first.size
    columns = _spans(first)
    if len(columns) == 1 and is_midway(start + 1):
        columns = _merged([*columns, *_spans(lines[start + 1])], gap)
    if len(columns) < 2 or (len(columns) == 2 and is_mark(_first_cell(first))):
        return None
    end, full, wide, most = start + 1, 0, False, 2
    full += len(_spans(first)) > 1
    while end < len(lines):
        line = lines[end]
        spans = _spans(line)
        joined = _merged([*columns, *spans], gap)
        step = _step(lines[end - 1], line, leading)
        most = max(most, len(spans))
        if len(joined) < most or not 0 < step <= 4 * leading:
            break
        if len(spans) == 1 and not (
            (line.column == lines[end - 1].column or is_midway(end + 1))
            and _is_within(spans[0], columns, gap)
            and (
                spans[0][0] >= columns[0][1]
                or is_midway(end)
                or is_midway(end + 1)
                or is_drawn_before(end)
                or (wide and step <= _ROW_STEP * leading)
            )
        ):
            break
        columns = joined
        full += len(spans) > 1
        wide = wide or step > _ROW_STEP * leading
        end += 1
    group = lines[start:end]
    drawn_apart = most > 2 and any(word.apart for word in first.words[1:])
    if (full < 2 and not drawn_apart) or _is_list(group, columns):
        return None
    return end, _rows(group, columns, leading)


def _is_within(span: Span, columns: Sequence[Span], gap: float) -> bool:
    """Return whether a lone cell stands in one column, or beside all of them."""
    return sum(a - gap < span[1] and span[0] < b + gap for a, b in columns) <= 1


def _is_list(group: Sequence[Line], columns: Sequence[Span]) -> bool:
    """Return whether the first of two columns holds only list markers."""
    if len(columns) > 2:
        return False
    first = [_first_cell(line) for line in group if len(_spans(line)) > 1]
    return all(map(is_mark, first))


def _first_cell(line: Line) -> str:
    return joined(cells_of(line.words)[0])


def _rows(group: Sequence[Line], columns: Sequence[Span], leading: float) -> _Table:
    """Return the table in lines.

    A row begins where the drawing goes back to an earlier column, if the rows so found stand below
    each other; else where the white above a line is wide; else, in a table set without such white,
    at each line with a first cell.
    """
    rows = _rows_as_drawn(group, columns, leading) or _rows_by_white(group, columns, leading)
    tables: list[_Table] = []
    for _, part in groupby(rows, key=lambda lines: lines[0].column):
        table = _Table([], [])
        for lines in part:
            table.rows.append([[] for _ in columns])
            table.pages.append(lines[0].page)
            for line in lines:
                for cell, text in zip(table.rows[-1], _placed(line, columns), strict=True):
                    cell += [text] if text else []
        tables.append(table)
    for rest in tables[1:]:
        tables[0].go_on(rest)
    return tables[0]


def _rows_as_drawn(
    group: Sequence[Line], columns: Sequence[Span], leading: float
) -> list[list[Line]] | None:
    """Return the lines of each row by the order of drawing; None where rows would overlap."""
    drawn = sorted(
        (
            (line.column, word.order, _column_of(word, line, columns), word.y, i)
            for i, line in enumerate(group)
            for word in line.words
        )
    )
    row = 0
    row_of: dict[int, int] = {}
    for before, (place, _, column, y, i) in zip([drawn[0], *drawn], drawn, strict=False):
        down = y - before[3] if place == before[0] else 2 * leading
        if down > 0 and (column < before[2] or (column == before[2] and down > 1.25 * leading)):
            row += 1
        if row_of.setdefault(i, row) != row:
            return None
    if any(row_of[i] > row_of[i + 1] for i in range(len(group) - 1)):
        return None
    rows: dict[int, list[Line]] = defaultdict(list)
    for i, line in enumerate(group):
        rows[row_of[i]].append(line)
    return list(rows.values())


def _rows_by_white(
    group: Sequence[Line], columns: Sequence[Span], leading: float
) -> list[list[Line]]:
    """Return the lines of each row by the white between them."""
    steps = [_step(a, b, leading) for a, b in pairwise(group)]
    wide = _ROW_STEP * leading
    spaced = max(steps, default=0.0) > wide
    rows = [[group[0]]]
    for step, line in zip(steps, group[1:], strict=True):
        if step > wide if spaced else _column_of(line.words[0], line, columns) == 0:
            rows.append([line])
        else:
            rows[-1].append(line)
    return rows


def _column_of(word: Word, line: Line, columns: Sequence[Span]) -> int:
    """Return the number of the column that a word stands in."""
    middle = (word.x0 + word.x1) / 2 - line.edge
    return min(
        range(len(columns)), key=lambda k: max(columns[k][0] - middle, middle - columns[k][1], 0.0)
    )


def _placed(line: Line, columns: Sequence[Span]) -> list[str]:
    """Return the text of a line in each column."""
    parts: list[list[Word]] = [[] for _ in columns]
    for word in line.words:
        parts[_column_of(word, line, columns)].append(word)
    return [joined(part) for part in parts]


# -- paragraphs -----------------------------------------------------------------------------------


@dataclass
class _Part:
    """What becomes a block: lines that run on, or a table.

    marker, text_x: of a list item, its mark and where its text begins. rest_x0: where it begins
    again in a later column.
    """

    lines: list[Line]
    kind: str = "paragraph"
    marker: str = ""
    text_x: float = 0.0
    rest_x0: float = 0.0
    table: _Table | None = None
    text: str = ""

    @property
    def size(self) -> float:
        return self.lines[0].size

    @property
    def bold(self) -> bool:
        return all(line.bold for line in self.lines)


def _leadings(lines: Sequence[Line]) -> Mapping[float, float]:
    """Return the usual step from one baseline to the next for each font size."""
    steps: dict[float, Counter[float]] = defaultdict(Counter)
    for a, b in pairwise(lines):
        if a.column == b.column and a.size == b.size and a.size < b.y - a.y < 2.2 * a.size:
            steps[a.size][round(b.y - a.y, 1)] += 1
    return {
        size: min(counts, key=lambda step: (-counts[step], step)) for size, counts in steps.items()
    }


def _marker(line: Line) -> str:
    """Return the list marker that the line begins with; "" where it begins with none."""
    text = line.text
    mark = marker_of(text)
    if mark and mark[0] in "-–—*" and len(line.words) > 1 and gap_between(*line.words[:2]) < 0.2:
        return ""
    return mark if mark and mark != text else ""


_MAX_HEADING_LINES = 8
_MOST_LEADING = 1.25


class _Paragraphs:
    """Joins lines into parts."""

    def __init__(self, lines: Sequence[Line]) -> None:
        self.lines = lines
        self.leadings = _leadings(lines)
        self.body = usual_size([word for line in lines for word in line.words])
        self.parts: list[_Part] = []
        self.in_references = False
        self.hang = 0.0  # how far the second line of the last reference entry is set in

    def leading(self, line: Line) -> float:
        """Return the usual step to the next line of this size.

        Sizes of which only single lines are set, such as headings', have steps between blocks
        alone; so the step of the body, scaled, bounds it.
        """
        body = self.leadings.get(self.body, 1.2 * self.body)
        scaled = body * line.size / self.body
        return min(self.leadings.get(line.size, scaled), _MOST_LEADING * scaled)

    def run(self) -> list[_Part]:
        i = 0
        while i < len(self.lines):
            line = self.lines[i]
            if self.parts:
                self._close(self.parts[-1])
            found = None
            if not self.in_references:
                found = _table_at(self.lines, i, self.leading(line))
            if found is not None:
                end, table = found
                before = self.parts[-1].table if self.parts else None
                if before is not None and len(before.rows[0]) == len(table.rows[0]):
                    before.go_on(table)
                    i = end
                    continue
                self.parts.append(_Part(list(self.lines[i:end]), "table", table=table))
                i = end
                continue
            self._take(line)
            i += 1
        return self.parts

    def _take(self, line: Line) -> None:
        last = self.parts[-1] if self.parts else None
        if last is not None and last.table is None and self._runs_on(last, line):
            if self.in_references and len(last.lines) == 1:
                self.hang = line.x0 - last.lines[0].x0
            last.lines.append(line)
            return
        opened = self._open_part(line)
        if opened is not None:
            opened.lines.append(line)
            opened.rest_x0 = line.x0
            return
        marker = _marker(line)
        text_x = line.words[1].x0 if marker and len(line.words) > 1 else line.x0
        self.parts.append(_Part([line], "list_item" if marker else "paragraph", marker, text_x))

    def _close(self, part: _Part) -> None:
        """Note where a list of references begins and ends."""
        if part.table is None and self.is_heading_like(part):
            self.in_references = is_reference_heading(" ".join(x.text for x in part.lines))

    def is_heading_like(self, part: _Part) -> bool:
        if len(part.lines) > _MAX_HEADING_LINES:
            return False
        text = " ".join(line.text for line in part.lines)
        if not any(map(str.isalpha, text)) or len(text) > 250:
            return False
        if part.size >= 1.08 * self.body:
            return not text.endswith((".", ",", ";")) or part.size >= 1.3 * self.body
        if len(part.lines) == 1 and is_reference_heading(text):
            return True
        if part.size < 0.95 * self.body or not part.bold:
            return False
        return len(text) <= 150 and (not _STOP.search(text) or text.endswith("?"))

    def _runs_on(self, part: _Part, line: Line) -> bool:
        """Return whether a line goes on with the part before it in the same column."""
        last = part.lines[-1]
        leading = self.leading(last)
        step = line.y - last.y
        if last.column != line.column:
            # a wide title's last line may be short enough to stand in the first column
            wide = last.page == line.page and last.size >= 1.08 * self.body
            return wide and last.size == line.size and 0 < step <= 1.3 * leading
        if abs(line.size - last.size) > 0.08 * last.size or not 0 < step <= 1.3 * leading:
            return False
        first = line.words[0]
        room = last.has_room_for(first)
        stopped = bool(_SENTENCE_STOP.search(last.text))
        if line.bold != last.bold and (room or stopped or step > 1.15 * leading or part.bold):
            return False
        if self.in_references:
            return self._entry_runs_on(part, line, room, step)
        if _marker(line) and (room or stopped or part.marker or line.x0 > last.x0 + 1):
            return False
        indent = line.x0 - last.x0
        if part.marker:
            em = line.size
            if line.x0 < part.lines[0].x0 - 1:
                return False
            if line.x0 < part.text_x - 0.5 * em:
                return not room and not stopped
            return not (room and (stopped or line.text[0].isupper()))
        if last.size >= 1.08 * self.body:
            return True
        if room and (stopped or line.text[0].isupper()):
            return False
        return not (stopped and indent > 0.8 * line.size and line.x0 > line.left + 0.8 * line.size)

    def _entry_runs_on(self, part: _Part, line: Line, room: bool, step: float) -> bool:
        """Return whether a line goes on with a reference entry."""
        first = part.lines[0]
        start = self._entry_x0(part, line.column)
        is_indented = line.x0 > start + 0.5 * line.size
        if _ENTRY_MARK.match(first.text):
            if room and step > 1.15 * self.leading(first) and line.x0 <= start + 1:
                return False
            return is_indented or not _ENTRY_MARK.match(line.text)
        if is_indented:
            return True
        if len(part.lines) > 1 and part.lines[-1].x0 > start + 0.5 * line.size:
            return False
        return not (room and _SENTENCE_STOP.search(part.lines[-1].text)) and not (
            _looks_first(line) and bool(_SENTENCE_STOP.search(part.lines[-1].text))
        )

    def _entry_x0(self, part: _Part, column: int) -> float:
        """Return where reference entries begin in the column that a part's last line stands in."""
        first = part.lines[0]
        return first.x0 if first.column == column else part.rest_x0 - self.hang

    def _open_part(self, line: Line) -> _Part | None:
        """Return the part, in an earlier column or before a float, that the line goes on with."""
        for part in reversed(self.parts[-8:]):
            if part.table is not None or is_caption(part.lines[0].text):
                continue
            if part.size < 0.92 * self.body and line.size > 1.05 * part.size:
                continue
            last = part.lines[-1]
            adjacent = part is self.parts[-1]
            if adjacent and last.column == line.column:
                return None
            if abs(last.size - line.size) > 0.05 * line.size or last.bold != line.bold:
                return None
            if _marker(line) or self.is_heading_like(part):
                return None
            if self.in_references:
                marked = _ENTRY_MARK.match(part.lines[0].text) is not None
                begins = _ENTRY_MARK.match(line.text) or (not marked and _looks_first(line))
                return None if begins else part
            if ends_in_hyphen(last.text):
                return part
            full = not last.has_room_for(line.words[0])
            lower = line.text[0].islower()
            in_sentence = lower and full and last.text[-1] in ":;"
            if _SENTENCE_STOP.search(last.text) and not in_sentence:
                return None
            if lower:
                return part
            flush = line.x0 <= line.left + 0.5 * line.size
            return part if adjacent and full and flush else None
        return None


_ENTRY_MARK = re.compile(r"\[\d{1,3}\]|\(\d{1,3}\)|\d{1,3}[.)]\s|\d{1,3}\s+[A-Z]|[•–-]\s")
_SURNAME = re.compile(r"[A-Z][\w'’-]+,? (?:[A-Z]{1,3}\b|[A-Z]\.)")


def _looks_first(line: Line) -> bool:
    return _SURNAME.match(line.text) is not None


# -- blocks ---------------------------------------------------------------------------------------


_BULLET = re.compile(r"^[•◦▪*–-]\s+")


class _Blocks:
    """Gives parts their kinds and lays them out."""

    def __init__(self, lines: Sequence[Line], limits: Limits) -> None:
        self.builder = BlockBuilder(limits)
        self.paragraphs = _Paragraphs(lines)
        self.parts = self.paragraphs.run()
        self.body = self.paragraphs.body
        self.title: str | None = None
        self._pages: list[int] = []
        self._hyphens = Hyphens()
        self._hyphens.learn(lines)

    def run(self) -> tuple[BlockBuilder, list[int]]:
        self._name_kinds()
        levels = self._levels()
        items: list[tuple[float, int]] = []
        for part in self.parts:
            if part.kind != "list_item":
                items.clear()
            if part.table is not None:
                self._add_table(part.table)
            elif part.kind == "list_item":
                self._add_item(part, items)
            else:
                level = levels[_style(part)] if part.kind == "heading" else None
                self._add(part, part.text, part.kind, level=level)
        return self.builder, self._pages

    def _name_kinds(self) -> None:
        in_references = False
        titled = False
        top = max((p.size for p in self.parts if p.table is None), default=0.0)
        for i, part in enumerate(self.parts):
            if part.table is not None:
                in_references = False
                continue
            part.text = self._hyphens.text([line.text for line in part.lines])
            if self.paragraphs.is_heading_like(part) and not is_caption(part.text):
                largest = part.size >= 0.98 * top and part.size >= 1.15 * self.body
                if largest and not titled and part.lines[0].page == 1:
                    part.kind, titled, self.title = "title", True, part.text
                elif i + 1 < len(self.parts):
                    part.kind = "heading"
                in_references = is_reference_heading(part.text)
            elif in_references:
                part.text = _BULLET.sub("", part.text)
                listed = is_reference(part.text, listed=True) or _ENTRY_MARK.match(part.text)
                part.kind = "reference" if listed else "paragraph"
            elif is_caption(part.text) and len(part.text.split()) <= 80:
                part.kind = "caption"

    def _levels(self) -> Mapping[tuple[float, bool], int]:
        """Return the level of each style of heading: the larger and bolder, the higher."""
        styles = sorted(
            {_style(part) for part in self.parts if part.kind == "heading"},
            key=lambda style: (-style[0], not style[1]),
        )
        first = 1 if self.title is None else 2
        return {style: min(first + i, 6) for i, style in enumerate(styles)}

    def _add(self, part: _Part, text: str, kind: str, **fields: int | None) -> int | None:
        added = self.builder.add(text, kind, **fields)
        if added is not None:
            self._pages.append(part.lines[0].page)
        return added

    def _lead_in(self) -> int | None:
        """Return the block before, where it ends in a colon."""
        last = len(self.builder.blocks) - 1
        return last if last >= 0 and self.builder.text_of(last).endswith(":") else None

    def _add_item(self, part: _Part, items: list[tuple[float, int]]) -> None:
        """Add a list item, below the item before that is less indented, else the lead-in."""
        line = part.lines[0]
        place = line.x0 - line.left
        while items and items[-1][0] >= place + 0.4 * line.size:
            items.pop()
        if items and items[-1][0] > place - 0.4 * line.size:
            sibling = items.pop()[1]
            parent = self.builder.blocks[sibling].parent
        else:
            parent = items[-1][1] if items else self._lead_in()
        added = self._add(
            part, part.text, "list_item", level=min(len(items) + 1, 127), parent=parent
        )
        if added is not None:
            items.append((place, added))

    def _add_table(self, table: _Table) -> None:
        header: int | None = None
        first = ""
        for number, (cells, page) in enumerate(zip(table.rows, table.pages, strict=True)):
            text = " | ".join(map(self._hyphens.text, cells))
            if not text.strip(" |") or text == first:
                continue  # a header is printed again on each page
            first = first or text
            added = self.builder.add(text, "table_row", parent=header, row=number)
            if added is not None:
                self._pages.append(page)
            header = added if header is None else header


def _style(part: _Part) -> tuple[float, bool]:
    return (round(2 * part.size) / 2, part.bold)


# -- the reader -----------------------------------------------------------------------------------

_DATE = re.compile(r"(?:D:)?(\d{4})(\d\d)?(\d\d)?")
_NO_TITLE = re.compile(
    r"(?i:untitled.*|(?:microsoft \w+ - .*)|.*\.(?:docx?|indd|tex|dvi|pdf|rtf|odt|qxd|pages|p65)|"
    r"\W*|[\w-]*\d{4,}[\w-]*|\(?(?:anonymous|unspecified|unknown)\)?)"
)


def _date(text: str) -> str | None:
    """Return a PDF date such as D:20240131120000Z as ISO 8601; None where it is none."""
    match = _DATE.match(text)
    if match is None or not "1900" <= match[1] <= "2100":
        return None
    return metadata.iso_date("-".join(filter(None, match.groups()))) if match[2] else match[1]


def _declared(value: str | None) -> str | None:
    text = metadata.clean(value)
    return None if text is None or _NO_TITLE.fullmatch(text) else text


class PdfReader:
    """Reads .pdf files that have a text layer."""

    media_type = "application/pdf"
    suffixes = (".pdf",)

    def split(self, content: bytes, options: Options = DEFAULTS) -> Iterator[Item]:
        """Yield the whole file as one item; a PDF declares no id."""
        yield Item(0, len(content))

    def read(self, content: bytes, *, path: str, options: Options = DEFAULTS) -> Document:
        """Return the document in a PDF file. Each block bears the page that it begins on.

        Raises RejectedDocument "no_text" for scans without a text layer and for fonts that do not
        say what their characters are, "unreadable" for encrypted files, "malformed" for broken
        ones, and "too_large" beyond a limit.
        """
        if not content.strip():
            raise RejectedDocument("empty", "found an empty file; expected a PDF; remove it")
        pages, information = pages_of(content, options.limits)
        _require_text(pages)
        lines = lines_of(pages)
        if not lines:
            raise RejectedDocument(
                "no_text", "found only lines that every page repeats; expected text to read"
            )
        blocks = _Blocks(lines, options.limits)
        builder, numbers = blocks.run()
        require_letters(builder.text, "the PDF's pages")
        return Document(
            text=builder.text,
            blocks=tuple(
                replace(block, page=page)
                for block, page in zip(builder.blocks, numbers, strict=True)
            ),
            media_type=self.media_type,
            title=_declared(information.get("Title")) or blocks.title,
            author=_declared(information.get("Author")),
            published=_date(information.get("CreationDate", "")),
        )


def _require_text(pages: Sequence[Page]) -> None:
    """Raise RejectedDocument "no_text" where the pages hold no text that can be read."""
    letters = unknown = 0
    for page in pages:
        for word in page.words:
            unknown += word.text.count(UNKNOWN)
            letters += sum(map(str.isalpha, word.text))
    if letters == 0 and unknown == 0:
        raise RejectedDocument(
            "no_text",
            f"found {len(pages)} pages without a text layer; expected text; run OCR first",
        )
    if unknown > letters:
        raise RejectedDocument(
            "no_text",
            f"found {unknown} characters whose fonts do not say which they are, and {letters} "
            "letters; expected text; run OCR first",
        )


READER = PdfReader()
