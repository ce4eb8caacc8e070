"""The one interface of all readers, the plain records that they return, and what they share.

Shared are decoding of bytes, normalisation of text, and the builder that lays blocks out as text.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Protocol

import ftfy
from charset_normalizer import from_bytes

from hedgerow.errors import RejectedDocument
from hedgerow.limits import Limits
from hedgerow.settings import Settings, Tabular


@dataclass(frozen=True)
class Item:
    """One document's place in a file: `length` bytes from `offset`.

    declared_id: the id that the document itself declares, if any.
    content: the document's bytes where they are no slice of the file, such as a row of a table.
    error: why the item cannot be a document, as (reason, detail), found while splitting.
    label: how to name the item to people, such as "line 3"; empty where it is the whole file.
    """

    offset: int
    length: int
    declared_id: str | None = None
    label: str = ""
    error: tuple[str, str] | None = None
    content: bytes | None = None


@dataclass(frozen=True)
class Block:
    """A block of a document: text[start:end], half-open, in code points.

    block: one of `tables.BLOCKS`. level: depth of a heading (1-6) or list item (from 1).
    parent: index in `Document.blocks` of the block that leads in (lead-in of a list item or its
    outer item; header row of a table row; first part of a figure card), always smaller than this
    block's own index. row: row number in its table, 0 for the header. page: from 1, where there are
    pages.
    """

    start: int
    end: int
    block: str
    level: int | None = None
    parent: int | None = None
    row: int | None = None
    page: int | None = None


@dataclass(frozen=True)
class Document:
    """A document as read: normalised text, its blocks in order, and what it says of itself.

    Blocks do not overlap, are not empty and have no blank at either end.
    interest: as the document declares it, unchecked.
    """

    text: str
    blocks: tuple[Block, ...]
    media_type: str
    declared_id: str | None = None
    title: str | None = None
    url: str | None = None
    publisher: str | None = None
    author: str | None = None
    published: str | None = None
    language: str | None = None
    licence: str | None = None
    interest: str | None = None


@dataclass(frozen=True)
class Options:
    """What the settings say to readers.

    limits: the most that may be read. tabular: which columns of a table are which fields.
    """

    limits: Limits = field(default_factory=Limits)
    tabular: Tabular = field(default_factory=Tabular)

    @classmethod
    def of(cls, settings: Settings) -> Options:
        """Return the options that the settings hold."""
        return cls(settings.limits, settings.tabular)


DEFAULTS = Options()


class Reader(Protocol):
    """Turns the bytes of one format into documents. A format is one module with one `READER`."""

    @property
    def media_type(self) -> str:
        """The media type of the format, such as text/html."""

    @property
    def suffixes(self) -> tuple[str, ...]:
        """File name endings of the format, lower case, with the dot."""

    def split(self, content: bytes, options: Options = DEFAULTS) -> Iterator[Item]:
        """Yield the items of a file, in order; the whole file where it holds one document.

        Items are yielded as they are found: a file may hold many more than its limit.

        Raises RejectedDocument only where nothing of the file can be used.
        """

    def read(self, content: bytes, *, path: str, options: Options = DEFAULTS) -> Document:
        """Return the document in the bytes of one item.

        Raises RejectedDocument where they hold none that can be used.
        """


@dataclass(slots=True)
class ListItem:
    """A list item being read: what its first text will be given, then the block it became."""

    level: int
    parent: int | None
    mark: str
    index: int | None = None


_BOMS = (
    (b"\xef\xbb\xbf", "utf-8"),
    (b"\xff\xfe\x00\x00", "utf-32-le"),  # before UTF-16, whose mark it begins with
    (b"\x00\x00\xfe\xff", "utf-32-be"),
    (b"\xff\xfe", "utf-16-le"),
    (b"\xfe\xff", "utf-16-be"),
)
_MAGIC = (
    b"%PDF-",
    b"PK\x03\x04",
    b"\x89PNG",
    b"\xff\xd8\xff",
    b"GIF8",
    b"\x1f\x8b",
    b"\xd0\xcf\x11\xe0",
)
_CONTROL_BYTES = bytes(b for b in range(32) if b not in b"\t\n\v\f\r\x1b")
_MAX_CONTROL_SHARE = 0.05
_MULTIBYTE = re.compile(
    rb"[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}"
)
_MAX_LATIN_SHARE = 0.25
"""Above this share of bytes over 0x7F a text is not in the Latin script, so not windows-1252."""


def decode(content: bytes, *, declared: str | None = None) -> str:
    """Return the text in the bytes, without its byte order mark.

    UTF-8, UTF-16 and UTF-32 are recognised by their marks. Without one, valid UTF-8 is UTF-8.
    Otherwise `declared` (an HTML page's own charset) is tried. Text that is mostly good UTF-8 keeps
    the good part, and each bad byte becomes U+FFFD. What remains is windows-1252 where few bytes
    lie outside ASCII, else whatever charset-normalizer finds most likely.

    Raises RejectedDocument "empty" for no bytes or blank ones, and "binary" for known binary
    formats, NUL bytes outside UTF-16 and UTF-32, and content full of control bytes.
    """
    if not content.strip():
        raise RejectedDocument("empty", "found no text; put text into the file or remove it")
    for mark, encoding in _BOMS:
        if content.startswith(mark):
            return content[len(mark) :].decode(encoding, "replace")
    if content.startswith(_MAGIC):
        raise RejectedDocument(
            "binary", f"found a binary file that begins {content[:4]!r}; expected text"
        )
    controls = len(content) - len(content.translate(None, _CONTROL_BYTES))
    if b"\0" in content or controls > _MAX_CONTROL_SHARE * len(content):
        raise RejectedDocument(
            "binary", f"found {controls} control bytes in {len(content)}; expected text"
        )
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        return _decode_other(content, declared)


def _decode_other(content: bytes, declared: str | None) -> str:
    if declared:
        try:
            return content.decode(declared)
        except (LookupError, UnicodeError):
            pass  # an unknown or wrong declaration says nothing; the bytes decide
    good = sum(len(m.group()) for m in _MULTIBYTE.finditer(content))
    high = sum(len(run) for run in re.findall(rb"[\x80-\xff]+", content))
    if good > high - good:
        return content.decode("utf-8", "replace")
    if high <= _MAX_LATIN_SHARE * len(content):
        return content.decode("windows-1252", "replace")
    best = from_bytes(content).best()
    return content.decode("windows-1252", "replace") if best is None else str(best)


_LINE_ENDS = re.compile("\r\n|[\r\v\f\x1c-\x1e\x85\u2028\u2029]")
_SPACES = re.compile("[\xa0\u1680\u2000-\u200a\u202f\u205f\u3000]")
_INVISIBLE = re.compile(
    "[\x00-\x08\x0e-\x1b\x1f\x7f-\x84\x86-\x9f\xad\u034f\u061c\u180e"
    "\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]"
)
_SURROGATES = re.compile("[\ud800-\udfff]")
_MOJIBAKE = re.compile(
    "[\xc2-\xf4][\x80-\xbf€‚ƒ„…†‡ˆ‰Š‹ŒŽ‘’“”•–—˜™š›œžŸ ]"  # UTF-8 as another encoding shows it
)
_LIGATURES = {ord(c): unicodedata.normalize("NFKC", c) for c in "ﬀﬁﬂﬃﬄﬅﬆ"}
_LIGATURE = re.compile("[ﬀ-ﬆ]")


def normalise(text: str) -> str:
    """Return the text in the form that all offsets refer to.

    Line ends become LF; every other kind of space becomes a space; tabs stay. Soft hyphens,
    zero-width and direction marks and other control characters are removed. Half a surrogate pair
    becomes U+FFFD, ligatures become letters, and mojibake is repaired where it is certain, line by
    line. The result is in NFC, and normalising it again changes nothing.
    """
    cleaned = _clean(_repair(text))
    while _MOJIBAKE.search(cleaned) and (again := _clean(_repair(cleaned))) != cleaned:
        cleaned = again
    return cleaned


def _clean(text: str) -> str:
    if not text.isascii():
        text = _SURROGATES.sub("\ufffd", _SPACES.sub(" ", text))
        if _LIGATURE.search(text):
            text = text.translate(_LIGATURES)
    text = _INVISIBLE.sub("", _LINE_ENDS.sub("\n", text))
    return unicodedata.normalize("NFC", text)


def _repair(text: str) -> str:
    """Return the text with lines repaired that were UTF-8 but were read as something else."""
    if text.isascii() or not _MOJIBAKE.search(text):
        return text
    return "\n".join(
        ftfy.fix_encoding(line) if _MOJIBAKE.search(line) else line for line in text.split("\n")
    )


_BLANKS = re.compile(r"\s+")


def one_line(text: str) -> str:
    """Return the text normalised, with each run of blanks as one space, stripped.

    Doing it again changes nothing.
    """
    line = _BLANKS.sub(" ", normalise(text)).strip()
    # what stands side by side only now may be mojibake
    while _MOJIBAKE.search(line) and (again := _BLANKS.sub(" ", normalise(line)).strip()) != line:
        line = again
    return line


def require_letters(text: str, what: str) -> None:
    """Raise RejectedDocument "no_text" where the text holds no letter at all."""
    if not any(map(str.isalpha, text)):
        raise RejectedDocument("no_text", f"found no words in {what}; expected text to read")


_FILLED_LINE = re.compile(r"[^\s][^\n]*")


def require_few_lines(text: str, limits: Limits) -> None:
    """Raise RejectedDocument "too_large" where a text has more characters or lines than blocks.

    For text that is read line by line, before that is done.
    """
    limits.check("characters", len(text), "characters")
    limits.check("blocks", sum(1 for _ in _FILLED_LINE.finditer(text)), "lines of text")


class BlockBuilder:
    """Lays blocks out as one text, a blank line apart; rows and items stand on adjacent lines."""

    _TIGHT = frozenset({"list_item", "table_row", "reference"})

    def __init__(self, limits: Limits = DEFAULTS.limits) -> None:
        self._limits = limits
        self._parts: list[str] = []
        self._length = 0
        self.blocks: list[Block] = []

    def add(
        self,
        text: str,
        block: str,
        *,
        level: int | None = None,
        parent: int | None = None,
        row: int | None = None,
    ) -> int | None:
        """Append a block and return its index; None where the text is blank.

        The text is normalised and its blanks are collapsed, so a block is always one line.
        Raises RejectedDocument "too_large" beyond the limits of blocks and characters.
        """
        text = one_line(text)
        if not text:
            return None
        if self.blocks:
            tight = block in self._TIGHT and self.blocks[-1].block in (block, "list_item")
            gap = "\n" if tight else "\n\n"
            self._parts.append(gap)
            self._length += len(gap)
        start = self._length
        self._parts.append(text)
        self._length += len(text)
        self.blocks.append(Block(start, self._length, block, level, parent, row))
        self._limits.check("blocks", len(self.blocks), "blocks")
        self._limits.check("characters", self._length, "characters")
        return len(self.blocks) - 1

    def text_of(self, index: int) -> str:
        """Return the text of a block."""
        return self._parts[2 * index]

    @property
    def text(self) -> str:
        """The whole text so far."""
        return "".join(self._parts)
