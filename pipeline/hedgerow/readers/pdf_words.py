"""The words of a PDF with their places, taken from pdfminer.six within fixed limits.

This is the one module that knows pdfminer. What it takes from hostile files is bounded by counts
and sizes, never by the clock: streams are decoded by limited decoders, and bytes scanned, content
executed, font tables, objects, pages and characters are counted. Those that an honest document
may meet are settings (`limits.py`); those below guard against files that make the parser work for
nothing, and no honest one comes near them.
"""

from __future__ import annotations

import math
import re
import zlib
from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from io import BytesIO
from itertools import pairwise
from typing import Any

from pdfminer.ascii85 import ascii85decode, asciihexdecode
from pdfminer.cmapdb import CMap, CMapParser
from pdfminer.lzw import LZWDecoder
from pdfminer.pdfdevice import PDFTextDevice
from pdfminer.pdfdocument import (
    PDFDocument,
    PDFEncryptionError,
    PDFPasswordIncorrect,
    PDFXRefStream,
)
from pdfminer.pdffont import PDFFont, PDFUnicodeNotDefined
from pdfminer.pdfinterp import PDFPageInterpreter, PDFResourceManager
from pdfminer.pdfpage import PDFPage
from pdfminer.pdfparser import PDFParser
from pdfminer.pdftypes import PDFStream, int_value, resolve1
from pdfminer.psparser import PSKeyword, literal_name
from pdfminer.utils import (
    apply_matrix_pt,
    apply_png_predictor,
    apply_tiff_predictor,
    choplist,
    decode_text,
    nunpack,
)

from hedgerow.errors import RejectedDocument
from hedgerow.limits import Limits

MAX_CONTENT_BYTES = 64_000_000
"""Bytes of page content that may be executed; a form counts each time that it is drawn."""

MAX_SCAN_FACTOR = 64
"""How often, on the whole, the file's bytes may be looked at."""

MAX_PAGE_WORDS = 50_000
MAX_STRING_BYTES = 200_000
"""Bytes of one string in parentheses; pdfminer's time grows with the square of it."""

MAX_FONT_ENTRIES = 2_000_000
"""Entries of the width and character tables of all fonts together."""

_FORM_COST = 5_000
_SMALL_FILE = 1_000_000


@dataclass(slots=True)
class Word:
    """Adjacent characters of one style on one baseline.

    x0, x1: from the left edge; y: the baseline, from the top edge; size: of the font; all in
    points. spaced: how many spaces are drawn before it. apart: none is, in a document that draws
    spaces. joined: one is, in a document that draws spaces only inside lines; however wide it is,
    such a space parts neither cells nor columns.
    raised: 1 for a superscript, -1 for a subscript, whose y is that of the line they belong to;
    else 0. order: its place in the order of drawing.
    """

    text: str
    x0: float
    x1: float
    y: float
    size: float
    bold: bool
    spaced: int
    raised: int = 0
    apart: bool = False
    joined: bool = False
    order: int = 0


@dataclass(slots=True)
class Page:
    """A page's words, in the order in which they are drawn. number: from 1; height: in points."""

    number: int
    height: float
    words: list[Word]


def pages_of(content: bytes, limits: Limits) -> tuple[list[Page], dict[str, str]]:
    """Return the pages of a PDF and its document information (Title, Author, CreationDate, …).

    Raises RejectedDocument "unreadable" for encrypted files that need a password, "too_large"
    beyond a limit, and "malformed" for what cannot be parsed.
    """
    if b"%PDF-" not in content[:1024]:
        raise RejectedDocument("malformed", "found no %PDF- at the start; expected a PDF file")
    try:
        return _pages(content, limits)
    except RejectedDocument:
        raise
    except (PDFPasswordIncorrect, PDFEncryptionError) as error:
        raise RejectedDocument(
            "unreadable",
            "found an encrypted PDF; expected one that opens without a password; "
            "save it without encryption",
        ) from error
    except Exception as error:  # pdfminer fails on broken files with exceptions of every kind
        raise RejectedDocument(
            "malformed",
            f"the PDF cannot be parsed ({type(error).__name__}: {str(error)[:200]}); mend the file",
        ) from error


def _pages(content: bytes, limits: Limits) -> tuple[list[Page], dict[str, str]]:
    budget = _Budget(len(content), limits)
    document = PDFDocument(_Parser(content, budget))
    objects = sum(
        sum(count for _, count in xref.ranges)
        for xref in document.xrefs
        if isinstance(xref, PDFXRefStream)
    )
    limits.check("objects", objects, "objects")
    device = _Device(budget)
    interpreter = _Interpreter(device.rsrcmgr, device)
    for number, page in enumerate(PDFPage.create_pages(document), 1):
        limits.check("pages", number, "pages or more")
        interpreter.process_page(page)
    if not device.pages:
        raise RejectedDocument("malformed", "found no page; expected a whole PDF; mend the file")
    _note_order(device.pages)
    return device.pages, _information(document.info)


def _note_order(pages: Sequence[Page]) -> None:
    """Number the words of each page as drawn, and note how they stand to the word before."""
    words = [word for page in pages for word in page.words]
    draws_spaces = 2 * sum(word.spaced > 0 for word in words) > len(words)
    starts = [b for page in pages for a, b in pairwise(page.words) if a.y != b.y]
    inside = 2 * sum(word.spaced > 0 for word in starts) < len(starts)
    for page in pages:
        for order, word in enumerate(page.words):
            word.order = order
            word.apart = draws_spaces and not word.spaced
            word.joined = draws_spaces and inside and word.spaced == 1


def _information(trailers: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Return the text fields of the document information; the newest first wins."""
    found: dict[str, str] = {}
    for trailer in trailers:
        for key, value in trailer.items():
            value = resolve1(value)
            if isinstance(value, bytes):
                found.setdefault(key, decode_text(value))
    return found


# -- limits ---------------------------------------------------------------------------------------


def _beyond(what: str, limit: int, name: str) -> RejectedDocument:
    return RejectedDocument(
        "too_large",
        f"found more than {limit:,} {what}; expected at most that ({name}, which no setting "
        "raises); print the document to a new PDF",
    )


@dataclass
class _Budget:
    """What the parsing of one file has used so far; each method raises beyond its limit."""

    file_bytes: int
    limits: Limits
    scanned: int = 0
    decoded: int = 0
    executed: int = 0
    characters: int = 0
    font_entries: int = 0

    def scan(self, count: int) -> None:
        self.scanned += count
        limit = MAX_SCAN_FACTOR * (self.file_bytes + _SMALL_FILE)
        if self.scanned > limit:
            raise _beyond("bytes to look at", limit, "MAX_SCAN_FACTOR")

    def decode(self, count: int) -> None:
        self.decoded += count
        self.limits.check("parts_bytes", self.decoded, "bytes in its streams")

    def execute(self, count: int) -> None:
        self.executed += count
        if self.executed > MAX_CONTENT_BYTES:
            raise _beyond("bytes of page content", MAX_CONTENT_BYTES, "MAX_CONTENT_BYTES")

    def draw(self) -> None:
        self.characters += 1
        self.limits.check("characters", self.characters, "characters")

    def font(self, count: int) -> None:
        self.font_entries += max(0, count)
        if self.font_entries > MAX_FONT_ENTRIES:
            raise _beyond("entries in its fonts", MAX_FONT_ENTRIES, "MAX_FONT_ENTRIES")


def _flate(data: bytes, limit: int) -> bytes:
    """Return zlib data inflated, up to one byte beyond the limit; of damaged data, what is good."""
    try:
        return zlib.decompressobj().decompress(data, limit + 1)
    except zlib.error:
        inflater, parts, length = zlib.decompressobj(), [], 0
        for start in range(0, len(data), 64):
            try:
                parts.append(inflater.decompress(data[start : start + 64], limit + 1))
            except zlib.error:
                break  # the rest cannot be told
            length += len(parts[-1])
            if length > limit:
                break
        return b"".join(parts)


def _limited(parts: Iterator[bytes], limit: int) -> bytes:
    """Return the parts joined, up to a little beyond the limit."""
    kept, length = [], 0
    for part in parts:
        kept.append(part)
        length += len(part)
        if length > limit:
            break
    return b"".join(kept)


def _runs(data: bytes) -> Iterator[bytes]:
    """Yield the runs of run-length encoded data (ISO 32000-1, 7.4.5)."""
    at = 0
    while at < len(data) and data[at] != 128:
        count = data[at]
        if count < 128:
            yield data[at + 1 : at + 2 + count]
            at += 2 + count
        else:
            yield data[at + 1 : at + 2] * (257 - count)
            at += 2


_DECODERS: Mapping[str, Callable[[bytes, int], bytes]] = {
    "FlateDecode": _flate,
    "Fl": _flate,
    "LZWDecode": lambda data, limit: _limited(LZWDecoder(BytesIO(data)).run(), limit),
    "LZW": lambda data, limit: _limited(LZWDecoder(BytesIO(data)).run(), limit),
    "RunLengthDecode": lambda data, limit: _limited(_runs(data), limit),
    "RL": lambda data, limit: _limited(_runs(data), limit),
    "ASCII85Decode": lambda data, limit: ascii85decode(data),
    "A85": lambda data, limit: ascii85decode(data),
    "ASCIIHexDecode": lambda data, limit: asciihexdecode(data),
    "AHx": lambda data, limit: asciihexdecode(data),
    "Crypt": lambda data, limit: data,
}
"""Decoders by filter name, of (data, most bytes out, at which they stop); those of pictures are
left out, as pictures hold no text."""


class _Stream(PDFStream):
    """A stream that is decoded within the limits."""

    budget: _Budget

    def decode(self) -> None:
        data = self.rawdata or b""
        if self.decipher is not None and self.objid is not None and self.genno is not None:
            data = self.decipher(self.objid, self.genno, data, self.attrs)
        for name, parameters in self.get_filters():
            decoder = _DECODERS.get(literal_name(name))
            if decoder is None:
                data = b""
                break
            data = decoder(data, self.budget.limits.part_bytes)
            self.budget.limits.check("part_bytes", len(data), "bytes or more in a stream")
            self.budget.decode(len(data))
            if isinstance(parameters, dict):
                data = _unpredicted(data, parameters)
        _require_short_strings(data)
        self.data = data
        self.rawdata = None


def _unpredicted(data: bytes, parameters: Mapping[str, Any]) -> bytes:
    """Return decoded data with its predictor undone (ISO 32000-1, 7.4.4.4)."""
    predictor = int_value(parameters.get("Predictor", 1))
    if predictor < 2 or not data:
        return data
    colors, columns, bits = (
        int_value(parameters.get(name, default))
        for name, default in (("Colors", 1), ("Columns", 1), ("BitsPerComponent", 8))
    )
    if not 0 < columns <= len(data) or not 0 < colors <= 32:
        raise RejectedDocument("malformed", f"found rows of {columns} columns in {len(data)} bytes")
    if predictor == 2:
        return apply_tiff_predictor(colors, columns, bits, data)
    return apply_png_predictor(predictor, colors, columns, bits, data)


_SPECIAL = re.compile(rb"\\\\.|[()]", re.DOTALL)
_MAX_COPIED = 2 * 10**10


def _require_short_strings(data: bytes) -> None:
    """Raise RejectedDocument where a string in decoded data is so long that parsing it hangs.

    What counts is its length times the number of parentheses and escapes in it: pdfminer copies
    the string at each.
    """
    if (data.count(b"(") + data.count(b")") + data.count(b"\\")) * len(data) <= _MAX_COPIED:
        return
    depth = start = specials = 0
    for match in _SPECIAL.finditer(data):
        specials += 1
        if match[0] == b"(":
            if depth == 0:
                start, specials = match.start(), 0
            depth += 1
        elif match[0] == b")" and depth:
            depth -= 1
        if depth and specials * (match.end() - start) > _MAX_COPIED:
            raise _beyond("bytes in a string", MAX_STRING_BYTES, "MAX_STRING_BYTES")


class _Parser(PDFParser):
    """A parser whose streams are limited, and which counts the bytes that it looks at."""

    def __init__(self, content: bytes, budget: _Budget) -> None:
        self.budget = budget
        super().__init__(BytesIO(content))

    def fillbuf(self) -> bool:
        filled = super().fillbuf()
        if self.charpos == 0:
            self.budget.scan(len(self.buf))
        return filled

    def _parse_string(self, s: bytes, i: int) -> int:
        if len(self._curtoken) > MAX_STRING_BYTES:
            raise _beyond("bytes in a string", MAX_STRING_BYTES, "MAX_STRING_BYTES")
        return super()._parse_string(s, i)

    def push(self, *objs: Any) -> None:
        for _, value in objs:
            if isinstance(value, PDFStream):
                value.__class__ = _Stream  # adds no state but the budget
                value.budget = self.budget  # type: ignore[attr-defined]
                self.budget.scan(len(value.rawdata or b""))
        super().push(*objs)


class _RangeCounter(CMapParser):
    """Counts the entries that the ranges of a character map stand for, without making them."""

    def __init__(self, data: bytes) -> None:
        super().__init__(CMap(), BytesIO(data))
        self.entries = 0

    def do_keyword(self, pos: int, token: PSKeyword) -> None:
        if token in (self.KEYWORD_ENDCIDRANGE, self.KEYWORD_ENDBFRANGE):
            for start, end, _ in choplist(3, [value for _, value in self.popall()]):
                if isinstance(start, bytes) and isinstance(end, bytes):
                    self.entries += max(0, nunpack(end[-4:]) - nunpack(start[-4:]) + 1)
        elif token is self.KEYWORD_USECMAP:
            self.popall()
        else:
            super().do_keyword(pos, token)


class _Fonts(PDFResourceManager):
    """Makes fonts, once their tables are known to be of a sane size."""

    def __init__(self, budget: _Budget) -> None:
        super().__init__()
        self.budget = budget

    def get_font(self, objid: Any, spec: Mapping[str, Any]) -> PDFFont:
        if not (objid and objid in self._cached_fonts):
            self.budget.font(256 + _entries(spec))
            spec = _without_font_file(spec)
        return super().get_font(objid, spec)


def _entries(spec: Mapping[str, Any]) -> int:
    """Return how many entries the tables of a font would have."""
    count = 0
    for key in ("ToUnicode", "Encoding"):
        stream = resolve1(spec.get(key))
        if isinstance(stream, PDFStream):
            counter = _RangeCounter(stream.get_data())
            counter.run()
            count += counter.entries
    for key, step in (("W", 3), ("W2", 5)):
        numbers: list[float] = []
        for value in resolve1(spec.get(key)) or ():
            value = resolve1(value)
            if isinstance(value, int | float):
                numbers.append(value)
                if len(numbers) == step:
                    count += max(0, int(numbers[1] - numbers[0]) + 1)
                    numbers = []
            elif isinstance(value, list):
                count += len(value)
                numbers = []
    return count


def _without_font_file(spec: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the font without its TrueType file.

    Only fonts with neither a known encoding nor a Unicode map would need the file, and its tables
    can stand for any number of entries.
    """
    descriptor = resolve1(spec.get("FontDescriptor"))
    if not isinstance(descriptor, dict) or "FontFile2" not in descriptor:
        return spec
    kept = {key: value for key, value in descriptor.items() if key != "FontFile2"}
    return {**spec, "FontDescriptor": kept}


class _Interpreter(PDFPageInterpreter):
    """Executes page content, each byte of which is counted."""

    def execute(self, streams: Sequence[object]) -> None:
        budget = self.device.budget  # type: ignore[attr-defined]
        for value in streams:
            stream = resolve1(value)
            size = len(stream.get_data()) if isinstance(stream, PDFStream) else 0
            budget.execute(_FORM_COST + size)
        super().execute(streams)


# -- words ----------------------------------------------------------------------------------------

UNKNOWN = "\ufffd"
"""Stands for a character whose font does not say what it is."""

_UNUSED = frozenset({0x7F, 0x81, 0x8D, 0x8F, 0x90, 0x9D})
"""Codes that WinAnsiEncoding leaves unused and that stand for bullets (ISO 32000-1, annex D.2)."""

_BOLD = re.compile(r"(?i:bold|black|heavy|demi|medi(?!um)|cmbx|cmb\d|sfbx|-bd\b)")
_FORCE_BOLD = 1 << 18
_LIGATURES = str.maketrans(
    {"ﬀ": "ff", "ﬁ": "fi", "ﬂ": "fl", "ﬃ": "ffi", "ﬄ": "ffl", "ﬅ": "st", "ﬆ": "st"}
)
_WORD_GAP = 0.18
"""Share of the font size above which a gap between characters is a space."""

_SAME_LINE = 0.08
_SLANT = 0.09
"""Largest tangent of the angle to a page's edge at which text still runs along it."""


@dataclass
class _Run:
    """Builds words from characters of one direction, in the order in which they are drawn."""

    words: list[Word] = field(default_factory=list)
    characters: int = 0
    spaced: int = 1
    last: Word | None = None

    def add(self, text: str, x0: float, x1: float, y: float, size: float, bold: bool) -> None:
        if text.isspace():
            self.spaced, self.last = self.spaced + 1, None
            return
        self.characters += 1
        last = self.last
        if (
            last is not None
            and abs(y - last.y) <= _SAME_LINE * size
            and abs(size - last.size) <= 0.05 * size
            and bold == last.bold
            and -0.5 * size <= x0 - last.x1 <= _WORD_GAP * size
        ):
            last.text += text
            last.x1 = max(last.x1, x1)
            return
        word = Word(text, x0, x1, y, size, bold, self.spaced)
        self.words.append(word)
        self.last, self.spaced = word, 0


class _Device(PDFTextDevice):
    """Collects the words of each page that are visible and run along the page's main direction."""

    rsrcmgr: _Fonts

    def __init__(self, budget: _Budget) -> None:
        super().__init__(_Fonts(budget))
        self.budget = budget
        self.pages: list[Page] = []
        self._runs: tuple[_Run, ...] = ()
        self._dots: list[tuple[float, float, float, float]] = []
        self._bold: dict[int, bool] = {}
        self._fonts: list[PDFFont] = []
        self._box = (0.0, 0.0, 0.0, 0.0)

    def begin_page(self, page: PDFPage, ctm: Any) -> None:
        x0, y0, x1, y1 = page.cropbox
        corners = [apply_matrix_pt(ctm, point) for point in ((x0, y0), (x1, y1))]
        xs, ys = [x for x, _ in corners], [y for _, y in corners]
        self._box = (min(xs), min(ys), max(xs), max(ys))
        self._runs = tuple(_Run() for _ in range(4))
        self._dots = []

    def paint_path(self, gstate: Any, stroke: bool, fill: bool, evenodd: bool, path: Any) -> None:
        """Note small shapes as high as they are wide: browsers draw list bullets so."""
        if not 4 <= len(path) <= _MAX_DOT_PARTS:
            return
        assert self.ctm is not None  # pdfminer sets it before a page's first path
        points = [apply_matrix_pt(self.ctm, part[-2:]) for part in path if len(part) > 2]
        x0, x1 = min(x for x, _ in points), max(x for x, _ in points)
        y0, y1 = min(y for _, y in points), max(y for _, y in points)
        if _DOT[0] <= x1 - x0 <= _DOT[1] and abs((x1 - x0) - (y1 - y0)) <= 0.2 * (x1 - x0):
            self._dots.append((x0, x1, y0, y1))

    def end_page(self, page: PDFPage) -> None:
        turn = max(range(4), key=lambda i: self._runs[i].characters)
        corners = [_turned(x, y, turn) for x, y in (self._box[:2], self._box[2:])]
        left = min(x for x, _ in corners)
        bottom, top = sorted(y for _, y in corners)
        words = self._runs[turn].words
        if len(words) > MAX_PAGE_WORDS:
            raise _beyond("words on a page", MAX_PAGE_WORDS, "MAX_PAGE_WORDS")
        for word in words:
            word.x0, word.x1, word.y = word.x0 - left, word.x1 - left, top - word.y
        _attach_raised(words)
        if turn == 0:
            words = _with_bullets(
                words,
                [(x0 - left, x1 - left, top - (y0 + y1) / 2) for x0, x1, y0, y1 in self._dots],
            )
        self.pages.append(Page(len(self.pages) + 1, top - bottom, _once(words)))

    def render_char(
        self,
        matrix: Any,
        font: PDFFont,
        fontsize: float,
        scaling: float,
        rise: float,
        cid: int,
        ncs: Any,
        graphicstate: Any,
    ) -> float:
        self.budget.draw()
        advance = font.char_width(cid) * fontsize * scaling
        try:
            text = font.to_unichr(cid)
        except PDFUnicodeNotDefined:
            text = "•" if cid in _UNUSED and not font.is_multibyte() else UNKNOWN
        a, b, c, d, e, f = matrix
        size = abs(fontsize) * math.hypot(c, d) * font.vscale * 1000
        x, y = e + rise * c, f + rise * d
        right, above, left, below = self._box[2], self._box[3], self._box[0], self._box[1]
        visible = left - size <= x <= right + size and below - size <= y <= above + size
        if not (visible and size > 0 and math.isfinite(advance)) or font.is_vertical():
            return advance
        turn = _quarter(a, b)
        if turn is None:
            return advance
        x0, y0 = _turned(x, y, turn)
        x1 = x0 + abs(advance * math.hypot(a, b))
        self._runs[turn].add(text.translate(_LIGATURES), x0, x1, y0, size, self._is_bold(font))
        return advance

    def _is_bold(self, font: PDFFont) -> bool:
        known = self._bold.get(id(font))
        if known is None:
            self._fonts.append(font)  # kept, so that its id stays its own
            known = bool(_BOLD.search(str(font.fontname))) or bool(font.flags & _FORCE_BOLD)
            self._bold[id(font)] = known
        return known


def _quarter(a: float, b: float) -> int | None:
    """Return how many quarter turns, anticlockwise, text runs at; None where it slants."""
    if abs(b) <= _SLANT * abs(a):
        return 0 if a > 0 else 2
    if abs(a) <= _SLANT * abs(b):
        return 1 if b > 0 else 3
    return None


def _turned(x: float, y: float, turn: int) -> tuple[float, float]:
    """Return a point after the page is turned so that text of that direction runs rightwards."""
    return ((x, y), (y, -x), (-x, -y), (-y, x))[turn]


_DOT = (1.5, 7.0)
"""Least and greatest width of a drawn bullet, in points."""

_MAX_DOT_PARTS = 40
_BULLET_GAP = 1.6
_BULLET_WHITE = 0.3
_BULLET_HEIGHT = (0.1, 0.55)
"""Most white after a bullet, least before it, and its height above the baseline, as shares of the
font size."""


def _with_bullets(words: list[Word], dots: Sequence[tuple[float, float, float]]) -> list[Word]:
    """Return the words with a "•" for each dot (x0, x1, middle) that stands before a line.

    The line may be in any column: what counts is the white on either side of the dot.
    """
    rows: dict[int, list[Word]] = {}
    for word in sorted(words, key=lambda w: w.x0):
        rows.setdefault(round(word.y), []).append(word)
    before: dict[int, Word] = {}
    for x0, x1, middle in dots:
        for y in range(int(middle), int(middle) + 12):
            row = rows.get(y, [])
            at = bisect_right(row, x1, key=lambda w: w.x0)
            if at == len(row):
                continue
            first = row[at]
            if (
                first.x0 - x1 <= _BULLET_GAP * first.size
                and _BULLET_HEIGHT[0] <= (first.y - middle) / first.size <= _BULLET_HEIGHT[1]
                and (at == 0 or x0 - row[at - 1].x1 > _BULLET_WHITE * first.size)
            ):
                before[id(first)] = Word("•", x0, x1, first.y, first.size, first.bold, 0)
                first.spaced = 1
                break
    result = []
    for word in words:
        result += [before[id(word)], word] if id(word) in before else [word]
    return result


_RAISED = (0.15, 0.8)
_LOWERED = (0.05, 0.45)


def _attach_raised(words: Sequence[Word]) -> None:
    """Put superscripts and subscripts on the line of the larger word that they stand against."""
    for i, word in enumerate(words):
        for base in (_base(words, i, -1), _base(words, i, +1)):
            if base is None:
                continue
            gap = word.x0 - base.x1 if base.x0 <= word.x0 else base.x0 - word.x1
            up = (base.y - word.y) / base.size
            if not -0.4 * base.size <= gap <= 0.35 * base.size:
                continue
            if _RAISED[0] <= up <= _RAISED[1] or _LOWERED[0] <= -up <= _LOWERED[1]:
                word.raised = 1 if up > 0 else -1
                word.y = base.y
                break


def _base(words: Sequence[Word], i: int, step: int) -> Word | None:
    """Return the nearest word of normal height before or after, where it is clearly larger."""
    at = i + step
    while 0 <= at < len(words) and abs(at - i) <= 3 and words[at].raised:
        at += step
    if not (0 <= at < len(words) and abs(at - i) <= 3):
        return None
    return words[at] if words[i].size <= 0.85 * words[at].size else None


def _once(words: Sequence[Word]) -> list[Word]:
    """Return the words without those drawn again in the same place, to look bold."""
    seen: dict[str, list[Word]] = {}
    kept = []
    for word in words:
        twins = seen.setdefault(word.text, [])
        near = 0.15 * word.size
        if any(abs(t.x0 - word.x0) < near and abs(t.y - word.y) < near for t in twins[-8:]):
            continue
        twins.append(word)
        kept.append(word)
    return kept
