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
from hedgerow.limits import Limits
from hedgerow.readers import metadata
from hedgerow.readers.base import DEFAULTS, BlockBuilder, Document, Item, Options, require_letters
from hedgerow.readers.lines import is_caption, is_reference, is_reference_heading

_MAX_PARTS = 10_000
"""Parts of the zip archive; a Word file with a thousand pictures has about as many."""
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
_LEVEL = re.compile("[0-9]{1,3}")
_MAX_LIST_LEVEL = 8
"""Word's lists have nine levels."""


def _check_archive(content: bytes, limits: Limits) -> None:
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
    if len(parts) > _MAX_PARTS:
        raise RejectedDocument(
            "too_large",
            f"found {len(parts):,} parts; expected at most {_MAX_PARTS:,}; save the file anew",
        )
    total = 0
    for part in parts:
        size = part.file_size
        total += size
        if part.flag_bits & 1:
            raise RejectedDocument("unreadable", "found an encrypted part; save it unencrypted")
        if part.filename.endswith((".xml", ".rels")):
            limits.check("part_bytes", size, f"bytes in {part.filename[:80]!r}")
        limits.check_ratio(part.compress_size, size)
    limits.check("parts_bytes", total, "bytes once unzipped")


def _check_tags(content: bytes, limits: Limits) -> None:
    """Raise RejectedDocument where the trees of all parts would take too much memory."""
    with zipfile.ZipFile(BytesIO(content)) as archive:
        parts = [part for part in archive.infolist() if part.filename.endswith((".xml", ".rels"))]
        counts = [(xml.count(b"<"), xml.count(b"=")) for xml in map(archive.read, parts)]
    for what, found in zip(("tags", "attributes"), zip(*counts, strict=True), strict=False):
        limits.check("tags", sum(found), what)


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
                _list_level(level.get(_W + "ilvl")): _value(level, "numFmt") or "bullet"
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
                level = _list_level(_value(numbered, "ilvl"))
                styles[style.get(_W + "styleId")] = (_value(numbered, "numId") or "", level)
    return _Numbering(formats, styles)


def _list_level(stated: str | None) -> int:
    """Return the level of a list, from 0, as w:ilvl states it; 0 where it states none."""
    return min(int(stated), _MAX_LIST_LEVEL) if stated and _LEVEL.fullmatch(stated) else 0


def _value(element: Any, name: str) -> str | None:
    """Return the w:val of a child element; None where there is none."""
    child = element.find(_W + name)
    return None if child is None else child.get(_W + "val")


def _related(package: Any, ending: str) -> bytes | None:
    """Return the bytes of the part related to the main document by a type with this ending."""
    for relation in package.part.rels.values():
        if not relation.is_external and (relation.reltype or "").endswith(ending):
            return bytes(relation.target_part.blob)
    return None


def _parsed(xml: bytes) -> Any:
    """Return the root of an XML part; entities stay unexpanded and nothing is loaded."""
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False)
    return etree.fromstring(xml, parser)


class _Walk:
    """Turns the body of a document into blocks."""

    def __init__(self, package: Any, limits: Limits) -> None:
        self.builder = BlockBuilder(limits)
        self.limits = limits
        self.depth = 0
        self.title: str | None = None
        self.numbering = _numbering(package)
        self.style_names = {style.style_id: style.name or "" for style in package.styles}
        self.counters: dict[str, dict[int, int]] = {}
        self.items: list[int] = []
        self.notes: list[tuple[str, str]] = []
        self.in_references = False

    def body(self, element: Any) -> None:
        """Add the blocks of a body, or of an element that wraps some, such as w:ins."""
        self.depth += 1
        self.limits.check("depth", self.depth, "elements inside one another")
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
        self.depth -= 1

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
            self.builder.add(text, self._kind(text, style))

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
            self.title = text if self.builder.add(text, "title") is not None else None
        else:
            self.builder.add(text, "heading", level=max(level, 1))

    def _kind(self, text: str, style: str) -> str:
        if self.in_references and is_reference(text.strip(), listed=True):
            return "reference"
        return "caption" if style.lower() == "caption" or is_caption(text.strip()) else "paragraph"

    def _list_place(self, style_id: str, style: str, properties: Any) -> tuple[str, int] | None:
        """Return (numbering id, level from 0) of a list item; None for other paragraphs."""
        numbered = None if properties is None else properties.find(_W + "numPr")
        if numbered is not None:
            number = _value(numbered, "numId") or "0"
            return (number, _list_level(_value(numbered, "ilvl"))) if number != "0" else None
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
            counts = self.counters.setdefault(number, {})
            counts[level] = counts.get(level, 0) + 1
            mark = f"{counts[level]}."
        for deeper in range(level + 1, _MAX_LIST_LEVEL + 1):
            self.counters.get(number, {}).pop(deeper, None)
        if self.in_references:
            self.builder.add(text if mark == "•" else f"{mark} {text}", "reference")
            return
        parent = self.items[level - 1] if 0 < level <= len(self.items) else None
        if parent is None:
            parent = self.items[-1] if level > len(self.items) > 0 else self._lead_in()
        added = self.builder.add(f"{mark} {text}", "list_item", level=level + 1, parent=parent)
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
            added = self.builder.add(text, "table_row", parent=header, row=number)
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
                self.builder.add(f"[{number}] {text}", "reference" if listed else "paragraph")


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

    def split(self, content: bytes, options: Options = DEFAULTS) -> Iterator[Item]:
        """Yield the whole file as one item; a Word document declares no id."""
        yield Item(0, len(content))

    def read(self, content: bytes, *, path: str, options: Options = DEFAULTS) -> Document:
        """Return the document in a Word file.

        Numbered items get the numbers that Word shows, bulleted ones "•". A numeric superscript or
        note reads "[1]", and the notes follow the text.
        Raises RejectedDocument "too_large" beyond a limit, "unreadable" for
        encrypted files, and "malformed" for what is no Word document.
        """
        if not content:
            raise RejectedDocument("empty", "found an empty file; expected .docx; remove it")
        _check_archive(content, options.limits)
        try:
            _check_tags(content, options.limits)
            package = docx.Document(BytesIO(content))
            walk = _Walk(package, options.limits)
            body = package.element.find(_W + "body")
            if body is None:
                raise RejectedDocument("malformed", "found no body; expected .docx; mend the file")
            walk.body(body)
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
