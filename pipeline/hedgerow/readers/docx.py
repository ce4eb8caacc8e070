"""Word documents (.docx): headings, paragraphs, lists, tables and notes, as they stand.

The text is that of the document with its insertions accepted: deleted revisions, comments, running
heads and field codes are left out. The zip archive is looked at before anything in it is opened,
and its parts are parsed without entities.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from io import BytesIO
from typing import Any

import docx
from lxml import etree

from hedgerow.errors import RejectedDocument
from hedgerow.readers import metadata
from hedgerow.readers.base import BlockBuilder, Document, Item, require_letters
from hedgerow.readers.lines import is_caption, is_reference, is_reference_heading

MAX_UNZIPPED_BYTES = 256_000_000
"""Bytes that all parts of a document may hold together once unzipped."""

MAX_XML_BYTES = 64_000_000
"""Bytes that one XML part may hold once unzipped."""

MAX_RATIO = 200
"""How many times larger than its zipped form a part may be, once it is larger than a megabyte."""

MAX_PARTS = 10_000
MAX_BLOCKS = 500_000
_SMALL = 1_000_000
_OLE = b"\xd0\xcf\x11\xe0"
"""How old Word files begin, and encrypted .docx files, which are wrapped in that format."""

_W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
_MC_FALLBACK = "{http://schemas.openxmlformats.org/markup-compatibility/2006}Fallback"
_SKIPPED = frozenset(
    {
        *(
            _W + name
            for name in (
                "del", "moveFrom", "instrText", "delText", "delInstrText", "commentReference",
                "annotationRef", "pPr", "rPr", "sectPr", "tblPr", "trPr", "tcPr", "tblGrid",
            )
        ),
        _MC_FALLBACK,
    }
)  # fmt: skip
"""Elements that hold no text of the document as it stands."""

_CITATION = re.compile(r"\[?\d{1,3}(?:\s?[,;–-]\s?\d{1,3})*\]?")
_UNIT_BEFORE = re.compile(r"(?:\d|(?<![a-z])[a-zµ]?m|/m|\bs|\bkg|\bL|\^)$")
_SUPERSCRIPTS = str.maketrans("0123456789+-−", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁻")
_SIGNED = re.compile(r"[+−-]?\d*")
_HEADING = re.compile(r"(?i)(?:heading|überschrift|titre|título|titolo|kop|rubrik) ?([1-9])$")
_LIST_STYLE = re.compile(r"(?i)list (?:bullet|number)(?: ([2-9]))?$")
_MAX_LEVEL = 127


def _check_archive(content: bytes) -> None:
    """Raise RejectedDocument where the zip archive is broken or would unzip to too much."""
    if content.startswith(_OLE):
        raise RejectedDocument(
            "unreadable",
            "found an encrypted or pre-2007 Word file; expected .docx; save it again without a "
            "password",
        )
    try:
        with zipfile.ZipFile(BytesIO(content)) as archive:
            parts = archive.infolist()
    except (zipfile.BadZipFile, NotImplementedError, ValueError, OSError) as error:
        raise RejectedDocument(
            "malformed", f"found no whole zip archive ({error}); expected .docx; mend the file"
        ) from error
    if len(parts) > MAX_PARTS:
        raise _beyond(f"{len(parts):,} parts", MAX_PARTS, "MAX_PARTS")
    total = 0
    for part in parts:
        size = part.file_size
        total += size
        if part.flag_bits & 1:
            raise RejectedDocument("unreadable", "found an encrypted part; save it unencrypted")
        if part.filename.endswith((".xml", ".rels")) and size > MAX_XML_BYTES:
            raise _beyond(f"{size:,} bytes in {part.filename[:80]}", MAX_XML_BYTES, "MAX_XML_BYTES")
        if size > _SMALL and size > MAX_RATIO * max(part.compress_size, 1):
            ratio = size // max(part.compress_size, 1)
            raise _beyond(f"a part that unzips to {ratio:,} times its size", MAX_RATIO, "MAX_RATIO")
    if total > MAX_UNZIPPED_BYTES:
        raise _beyond(f"{total:,} bytes once unzipped", MAX_UNZIPPED_BYTES, "MAX_UNZIPPED_BYTES")


def _beyond(found: str, limit: int, name: str) -> RejectedDocument:
    return RejectedDocument(
        "too_large", f"found {found}; expected at most {limit:,} ({name}); split the document"
    )


@dataclass(frozen=True)
class _Numbering:
    """What lists look like: (numbering id, level) to its format, such as "bullet", "decimal"."""

    formats: Mapping[tuple[str, int], str]
    styles: Mapping[str, tuple[str, int]]
    """Numbering id and level of paragraph styles that belong to a list."""


def _numbering(package: Any) -> _Numbering:
    formats: dict[tuple[str, int], str] = {}
    styles: dict[str, tuple[str, int]] = {}
    part = _related(package, "/numbering")
    if part is not None:
        root = _parsed(part)
        abstract = {
            a.get(_W + "abstractNumId"): {
                int(level.get(_W + "ilvl") or 0): _value(level, "numFmt") or "bullet"
                for level in a.findall(_W + "lvl")
            }
            for a in root.findall(_W + "abstractNum")
        }
        for number in root.findall(_W + "num"):
            levels = abstract.get(_value(number, "abstractNumId"), {})
            for level, kind in levels.items():
                formats[number.get(_W + "numId"), level] = kind
    part = _related(package, "/styles")
    if part is not None:
        for style in _parsed(part).iter(_W + "style"):
            numbered = style.find(f"{_W}pPr/{_W}numPr")
            if numbered is not None:
                level = int(_value(numbered, "ilvl") or 0)
                styles[style.get(_W + "styleId")] = (_value(numbered, "numId") or "", level)
    return _Numbering(formats, styles)


def _value(element: Any, name: str) -> str | None:
    """Return the w:val of a child element; None where there is none."""
    child = element.find(_W + name)
    return None if child is None else child.get(_W + "val")


def _related(package: Any, ending: str) -> bytes | None:
    """Return the bytes of the part related to the main document by a type with this ending."""
    for relation in package.part.rels.values():
        if not relation.is_external and relation.reltype.endswith(ending):
            return bytes(relation.target_part.blob)
    return None


def _parsed(xml: bytes) -> Any:
    """Return the root of an XML part; entities stay unexpanded and nothing is loaded."""
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False)
    return etree.fromstring(xml, parser)


class _Walk:
    """Turns the body of a document into blocks."""

    def __init__(self, package: Any) -> None:
        self.builder = BlockBuilder()
        self.title: str | None = None
        self.numbering = _numbering(package)
        self.style_names = {style.style_id: style.name or "" for style in package.styles}
        self.counters: dict[tuple[str, int], int] = {}
        self.items: list[int] = []
        self.notes: list[tuple[str, str]] = []
        self.in_references = False

    def add(self, text: str, kind: str, **fields: int | None) -> int | None:
        if len(self.builder.blocks) >= MAX_BLOCKS:
            raise _beyond(f"more than {MAX_BLOCKS:,} blocks", MAX_BLOCKS, "MAX_BLOCKS")
        return self.builder.add(text, kind, **fields)

    def body(self, element: Any) -> None:
        """Add the blocks of a body, or of an element that wraps some, such as w:ins."""
        for child in element:
            if child.tag in _SKIPPED:
                continue
            if child.tag == _W + "p":
                self.paragraph(child)
            elif child.tag == _W + "tbl":
                self.items.clear()
                self.table(child)
            elif isinstance(child.tag, str):
                self.body(child)

    def paragraph(self, element: Any) -> None:
        text = self.text(element)
        if not text.strip():
            return
        properties = element.find(_W + "pPr")
        style_id = "" if properties is None else _value(properties, "pStyle") or ""
        style = self.style_names.get(style_id, style_id)
        heading = self._heading_level(style, properties)
        place = self._list_place(style_id, style, properties)
        if heading is not None:
            self.items.clear()
            self._heading(text, heading)
        elif place is not None:
            self._item(text, *place)
        else:
            self.items.clear()
            self.add(text, self._kind(text, style))

    def _heading_level(self, style: str, properties: Any) -> int | None:
        """Return the level of a heading, 0 for the title; None for other paragraphs."""
        if style.lower() == "title":
            return 0
        match = _HEADING.match(style)
        if match:
            return min(int(match[1]), 6)
        outline = None if properties is None else _value(properties, "outlineLvl")
        return min(int(outline) + 1, 6) if outline and outline in "012345678" else None

    def _heading(self, text: str, level: int) -> None:
        self.in_references = is_reference_heading(text)
        first = not any(block.block == "heading" for block in self.builder.blocks)
        if level <= 1 and self.title is None and first:
            self.title = text if self.add(text, "title") is not None else None
        else:
            self.add(text, "heading", level=max(level, 1))

    def _kind(self, text: str, style: str) -> str:
        if self.in_references and is_reference(text.strip(), listed=True):
            return "reference"
        return "caption" if style.lower() == "caption" or is_caption(text.strip()) else "paragraph"

    def _list_place(self, style_id: str, style: str, properties: Any) -> tuple[str, int] | None:
        """Return (numbering id, level from 0) of a list item; None for other paragraphs."""
        numbered = None if properties is None else properties.find(_W + "numPr")
        if numbered is not None:
            number = _value(numbered, "numId") or "0"
            level = _value(numbered, "ilvl") or "0"
            return (number, int(level)) if number != "0" and level.isdecimal() else None
        if style_id in self.numbering.styles:
            number, depth = self.numbering.styles[style_id]
            return number, max(depth, _style_level(style))
        return ("", _style_level(style)) if _LIST_STYLE.match(style) else None

    def _item(self, text: str, number: str, level: int) -> None:
        """Add a list item; bulleted ones get "•", others the number that Word would count."""
        kind = self.numbering.formats.get((number, level)) or self.numbering.formats.get(
            (number, 0), "bullet"
        )
        if kind in ("bullet", "none"):
            mark = "•"
        else:
            count = self.counters.get((number, level), 0) + 1
            self.counters[number, level] = count
            mark = f"{count}."
        for key in [key for key in self.counters if key[0] == number and key[1] > level]:
            del self.counters[key]
        if self.in_references:
            self.add(text if mark == "•" else f"{mark} {text}", "reference")
            return
        parent = self.items[level - 1] if 0 < level <= len(self.items) else None
        if parent is None:
            parent = self.items[-1] if level > len(self.items) > 0 else self._lead_in()
        added = self.add(
            f"{mark} {text}", "list_item", level=min(level + 1, _MAX_LEVEL), parent=parent
        )
        if added is not None:
            self.items[level:] = [added]

    def _lead_in(self) -> int | None:
        """Return the block before the list, where it ends in a colon."""
        last = (self.items[0] if self.items else len(self.builder.blocks)) - 1
        while last >= 0 and self.builder.blocks[last].block == "list_item":
            last = self.builder.blocks[last].parent or -1
        return last if last >= 0 and self.builder.text_of(last).endswith(":") else None

    def table(self, element: Any) -> None:
        header: int | None = None
        number = 0
        for row in _own(element, "tr"):
            if row.find(f"{_W}trPr/{_W}del") is not None:
                continue
            cells = [
                " ".join(filter(None, map(self.text, cell.iter(_W + "p"))))
                for cell in _own(row, "tc")
            ]
            if not any(map(str.strip, cells)):
                continue
            text = " | ".join(cell.strip() for cell in cells)
            added = self.add(text, "table_row", parent=header, row=number)
            header = added if header is None else header
            number += 1

    def text(self, paragraph: Any) -> str:
        """Return the text of a paragraph, revisions accepted."""
        parts: list[str] = []
        for element in _kept(paragraph):
            tag = element.tag
            if tag == _W + "t":
                parts.append(self._run_text(element, parts))
            elif tag in (_W + "tab", _W + "br", _W + "cr"):
                parts.append(" ")
            elif tag == _W + "noBreakHyphen":
                parts.append("-")
            elif tag in (_W + "footnoteReference", _W + "endnoteReference"):
                kind = tag.removeprefix(_W).removesuffix("Reference")
                self.notes.append((kind, element.get(_W + "id") or ""))
                parts.append(f"[{len(self.notes)}]")
        return "".join(parts)

    def _run_text(self, element: Any, before: list[str]) -> str:
        text = element.text or ""
        properties = element.getparent().find(_W + "rPr")
        raised = None if properties is None else _value(properties, "vertAlign")
        if raised != "superscript":
            return text
        if not _CITATION.fullmatch(text):
            return text.translate(_SUPERSCRIPTS) if _SIGNED.fullmatch(text) else text
        if _UNIT_BEFORE.search("".join(before[-2:])):
            return text.translate(_SUPERSCRIPTS)
        return text if text.startswith("[") else f"[{text}]"

    def add_notes(self, package: Any) -> None:
        """Add the footnotes and endnotes that the text refers to, in order, by their numbers."""
        found: dict[tuple[str, str], str] = {}
        for kind in ("footnote", "endnote"):
            part = _related(package, f"/{kind}s")
            root = None if part is None else _parsed(part)
            for note in () if root is None else root.findall(_W + kind):
                text = " ".join(map(self.text, note.iter(_W + "p"))).strip()
                found[kind, note.get(_W + "id") or ""] = text
        for number, key in enumerate(list(self.notes), 1):
            text = found.get(key, "")
            if text:
                listed = is_reference(text, listed=True)
                self.add(f"[{number}] {text}", "reference" if listed else "paragraph")


def _style_level(style: str) -> int:
    """Return the level, from 0, that the name of a list style states, as in "List Bullet 2"."""
    match = _LIST_STYLE.match(style)
    return int(match[1] or 1) - 1 if match else 0


def _own(element: Any, name: str) -> Iterator[Any]:
    """Yield the w:name elements below one that are not inside another of that name or a table."""
    inner = (_W + name, _W + "tbl")
    stack = list(reversed(element))
    while stack:
        child = stack.pop()
        if child.tag == _W + name:
            yield child
        elif child.tag not in inner and child.tag not in _SKIPPED:
            stack.extend(reversed(child))


def _kept(element: Any) -> Iterator[Any]:
    """Yield the elements below one, in order, but what lies in skipped ones or inner paragraphs."""
    stack = [iter(element)]
    while stack:
        child = next(stack[-1], None)
        if child is None:
            stack.pop()
        elif child.tag not in _SKIPPED and child.tag != _W + "p":
            yield child
            stack.append(iter(child))


class DocxReader:
    """Reads .docx files."""

    media_type = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
    suffixes = (".docx",)

    def split(self, content: bytes) -> Iterator[Item]:
        """Yield the whole file as one item; a Word document declares no id."""
        yield Item(0, len(content))

    def read(self, content: bytes, *, path: str) -> Document:
        """Return the document in a Word file.

        Numbered items get the numbers that Word shows, bulleted ones "•". A numeric superscript or
        note reads "[1]", and the notes follow the text.
        Raises RejectedDocument "too_large" beyond the limits of this module, "unreadable" for
        encrypted files, and "malformed" for what is no Word document.
        """
        if not content:
            raise RejectedDocument("empty", "found an empty file; expected .docx; remove it")
        _check_archive(content)
        try:
            package = docx.Document(BytesIO(content))
            walk = _Walk(package)
            walk.body(package.element.body)
            walk.add_notes(package)
            properties = package.core_properties
            title, author = properties.title, properties.author
            created = properties.created
        except RejectedDocument:
            raise
        except Exception as error:  # python-docx fails on broken packages in many ways
            raise RejectedDocument(
                "malformed",
                f"found a package that cannot be read ({type(error).__name__}: "
                f"{str(error)[:200]}); expected .docx; mend the file",
            ) from error
        text = walk.builder.text
        if not text:
            raise RejectedDocument("empty", "found no text in the document; remove it")
        require_letters(text, "the document")
        return Document(
            text=text,
            blocks=tuple(walk.builder.blocks),
            media_type=self.media_type,
            title=metadata.clean(title) or walk.title,
            author=_author(author),
            published=None if created is None else created.date().isoformat(),
        )


def _author(value: str | None) -> str | None:
    """Return the author; None for the name that python-docx puts into its template."""
    text = metadata.clean(value)
    return None if text == "python-docx" else text


READER = DocxReader()
