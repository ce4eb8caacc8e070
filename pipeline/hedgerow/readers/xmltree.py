"""XML for the readers of JATS and PubMed: a hardened parse, and inline mark-up as plain text.

Files come from anywhere, so no part of one may make the parser fetch, expand or recurse:

- Only the root element reaches the parser; what stands before it, the document type declaration
  with it, is looked through by expat and left out. A declared entity is a reject at once, so
  nothing is ever expanded and nothing external is ever loaded.
- The characters that JATS's own DTD names (`&alpha;`) are put in from the HTML 5 list, which
  contains the ISO sets that JATS uses.
- Depth is bounded, and libxml2's own limits on sizes stay on.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from html.entities import html5
from typing import Any
from xml.parsers import expat
from xml.sax.saxutils import escape

from lxml import etree

from hedgerow.errors import RejectedDocument
from hedgerow.limits import Limits
from hedgerow.readers.base import DEFAULTS, Item, decode
from hedgerow.readers.metadata import iso_date

_MAX_PROLOG = 1 << 20
"""Bytes before the root element."""
_CHUNK = 1 << 14

_WIDE_MARKS = (b"\xff\xfe", b"\xfe\xff", b"<\0", b"\0<")
_DECLARATION = re.compile(r"^\s*<\?xml\b[^>]*\?>")
_DECLARED_ENCODING = re.compile(rb"""^\s*<\?xml\b[^>]*?\bencoding\s*=\s*["']([\w.-]+)["']""")
_HEAD_BYTES = 1024
_ILLEGAL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")
_NAMED = re.compile(r"&([A-Za-z_][\w.-]*);")
_PREDEFINED = frozenset({"amp", "lt", "gt", "quot", "apos"})


class _RootFound(Exception):
    def __init__(self, name: str, index: int) -> None:
        super().__init__(name)
        self.name = name
        self.index = index


def _refuse_entity(name: str, *_: Any) -> None:
    raise RejectedDocument(
        "malformed",
        f"found a declaration of the entity {name!r}; expected none; put its text in its place",
    )


def _find_root(content: bytes, encoding: str | None) -> tuple[str, int]:
    """Return (local name, first byte) of the root element, having read no further."""
    parser = expat.ParserCreate(encoding)

    def found(name: str, _: dict[str, str]) -> None:
        raise _RootFound(name.rpartition(":")[2], parser.CurrentByteIndex)

    parser.StartElementHandler = found
    parser.EntityDeclHandler = _refuse_entity
    try:
        for start in range(0, min(len(content), _MAX_PROLOG), _CHUNK):
            parser.Parse(content[start : start + _CHUNK], False)
        if len(content) <= _MAX_PROLOG:
            parser.Parse(b"", True)
    except _RootFound as root:
        return root.name, root.index
    except (expat.ExpatError, LookupError, ValueError) as error:  # Lookup: an unknown encoding
        raise RejectedDocument("malformed", f"found no XML: {error}; mend the file") from error
    raise RejectedDocument(
        "malformed", f"found no element in the first {_MAX_PROLOG:,} bytes; expected XML"
    )


def root_name(content: bytes) -> str:
    """Return the local name of the root element; the rest of the file is not looked at.

    Raises RejectedDocument "empty", or "malformed" where there is no element or an entity is
    declared before it.
    """
    content = content[: _MAX_PROLOG + 1].lstrip()
    if not content:
        raise RejectedDocument("empty", "found no text; put text into the file or remove it")
    return _find_root(content, None)[0]


def _name_character(match: re.Match[str]) -> str:
    """Return what a character reference by name stands for; an unknown one as its own text."""
    name = match[1]
    if name in _PREDEFINED:
        return match[0]
    text = html5.get(f"{name};")
    return f"&amp;{name};" if text is None else escape(text)


def parse(content: bytes, limits: Limits = DEFAULTS.limits, *, until: str | None = None) -> Any:
    """Return the root element, without namespaces, comments and processing instructions.

    until: the name of an element after whose end nothing more is parsed.
    Raises RejectedDocument as `decode` does, "malformed" where the XML is not well formed or
    declares an entity, and "too_large" where it is longer or nested more deeply than the limits.
    """
    limits.check("document_bytes", len(content), "bytes of XML")
    declared = _DECLARED_ENCODING.search(content[:_HEAD_BYTES])
    text = decode(content, declared=declared[1].decode("ascii") if declared else None)
    text = _ILLEGAL.sub("", _DECLARATION.sub("", text, count=1)).lstrip()
    data = text.encode("utf-8", "replace")
    limits.check("tags", data.count(b"<"), "tags")
    limits.check("tags", data.count(b"="), "attributes")
    _, start = _find_root(data, "utf-8")
    lines_before = data.count(b"\n", 0, start)
    body = _NAMED.sub(_name_character, data[start:].decode("utf-8")).encode("utf-8")
    options = {
        "encoding": "utf-8",
        "resolve_entities": False,
        "load_dtd": False,
        "no_network": True,
        "huge_tree": False,
        "remove_comments": True,
        "remove_pis": True,
        "strip_cdata": True,
        "collect_ids": False,
    }
    try:
        root = _root_of(b"\n" * lines_before + body, until, options)
    except etree.XMLSyntaxError as error:
        if "depth" in error.msg:  # libxml2's own limit, far beyond ours
            raise limits.exceeded("depth", "elements far too deep inside one another") from error
        raise RejectedDocument("malformed", f"found broken XML: {error.msg}") from error
    _simplify(root, limits)
    return root


def _root_of(body: bytes, until: str | None, options: Mapping[str, Any]) -> Any:
    """Return the root element of a body, parsed up to the end of `until` where that is given."""
    if until is None:
        return etree.fromstring(body, parser=etree.XMLParser(**options))
    parser = etree.XMLPullParser(events=("end",), tag=(until, f"{{*}}{until}"), **options)
    for start in range(0, len(body), _CHUNK):
        parser.feed(body[start : start + _CHUNK])
        for _, element in parser.read_events():
            return element.getroottree().getroot()
    return parser.close()


def _simplify(root: Any, limits: Limits) -> None:
    """Take namespaces off the element names; raise RejectedDocument where the tree is too deep."""
    depth = 0
    for event, element in etree.iterwalk(root, events=("start", "end")):
        if event == "end":
            depth -= 1
            continue
        depth += 1
        limits.check("depth", depth, "elements or more inside one another")
        if isinstance(element.tag, str) and element.tag.startswith("{"):
            element.tag = element.tag.rpartition("}")[2]


_YEAR = re.compile(r"(?:18|19|20)\d\d")


def iso_parts(year: str | None, month: str | None, day: str | None) -> str | None:
    """Return a date given in parts as ISO 8601, as far as they can be read; None without a year.

    month: a number or a name; a season says nothing of the month.
    """
    year, month, day = ((part or "").strip() for part in (year, month, day))
    if not _YEAR.fullmatch(year):
        return None
    parts = [part for part in (year, month, day if month else "") if part]
    stated = "-".join(parts) if month.isdigit() else " ".join(reversed(parts))
    date = iso_date(stated)
    return date if date.startswith(year) else year


@dataclass(frozen=True)
class Record:
    """An element of a set: content[start:end]; closed is False where its end is missing."""

    number: int
    start: int
    end: int
    closed: bool

    def broken(self) -> Item:
        """Return the item of a record that is not closed."""
        error = ("malformed", "found a record that does not end; the file may be cut off")
        return Item(self.start, self.end - self.start, label=self.label, error=error)

    @property
    def label(self) -> str:
        """How to name the record to people."""
        return f"record {self.number}"


def records(content: bytes, *names: str) -> Iterator[Record]:
    """Yield the elements of a set that bear one of the names; such elements hold no others.

    They are found by their tags, in linear time and without a tree, so that a broken record costs
    no other and the size of the set does not matter. Raises RejectedDocument "malformed" for
    UTF-16, whose slices could not be read, and "no_text" where there is none.
    """
    if content.startswith(_WIDE_MARKS):
        raise RejectedDocument("malformed", "found UTF-16; expected UTF-8; save the file so")
    tags = re.compile(rb"<(/?)(?:%s)(?=[\s>])[^<>]*>" % "|".join(names).encode())
    number, start = 0, -1
    for tag in tags.finditer(content):
        closes = bool(tag[1])
        if start >= 0:
            number += 1
            yield Record(number, start, tag.end() if closes else tag.start(), closes)
        start = -1 if closes else tag.start()
    if start >= 0:
        number += 1
        yield Record(number, start, len(content), False)
    if not number:
        raise RejectedDocument("no_text", f"found no {' or '.join(names)} in the set; remove it")


# -- inline mark-up -------------------------------------------------------------------------------

_POWER = re.compile(r"[+−–-]?\d+(?:\.\d+)?")
_BASE = re.compile(r"[\w)\]]$")


def raised(text: str, before: str) -> str:
    """Return a superscript as plain text: a power as "^6" after its base, all else as it is.

    text: the superscript. before: what stands before it. "10" and "6" give "10^6", while
    "Ca" and "2+", "1" and "st", or "14" before "C" need no sign.
    """
    text = text.strip()
    return f"^{text}" if _POWER.fullmatch(text) and _BASE.search(before) else text


def formula(element: Any) -> str:
    """Return an inline formula in MathML as plain text: "10^6", "a/b"; "" for other notations."""
    if element.tag in ("annotation", "annotation-xml", "tex-math"):
        return ""
    parts = [formula(child) for child in element]
    if element.tag == "msup" and len(parts) == 2:
        return f"{parts[0]}^{parts[1]}"
    if element.tag == "mfrac" and len(parts) == 2:
        return f"{parts[0]}/{parts[1]}"
    tails = [child.tail or "" for child in element]
    inner = "".join(part + tail.strip() for part, tail in zip(parts, tails, strict=True))
    return (element.text or "").strip() + inner


def text_of(element: Any, skipped: frozenset[str] = frozenset()) -> str:
    """Return the text of an element, its superscripts, formulas and breaks as plain text.

    skipped: names of elements whose text is left out.
    """
    parts: list[str] = []
    _collect(element, skipped, parts)
    return "".join(parts)


def _collect(element: Any, skipped: frozenset[str], parts: list[str]) -> None:
    add = parts.append
    add(element.text or "")
    for child in element:
        tag = child.tag
        if tag == "break":
            add(" ")
        elif tag == "math":
            add(formula(child))
        elif tag == "sup":
            add(raised(text_of(child, skipped), "".join(parts[-2:])))
        elif isinstance(tag, str) and tag not in skipped:
            _collect(child, skipped, parts)
        add(child.tail or "")
