"""HTML: blocks from the parsed tree, metadata from its head, page furniture set apart.

The text with its places comes from the tree. trafilatura, which is better at telling the main
content of a page from what surrounds it, is asked once; blocks before or after all that it found
are boilerplate, while tables and nested lists, some of which it drops, stay. Regions that say by
their tag, role or class that they are furniture (navigation, footers, cookie lines, related
posts) are boilerplate too; scripts, forms, buttons and hidden elements are left out.

Numbered lists keep their numbers and bulleted ones get "•", as plain text has them. A numeric
superscript is a citation and reads "[1]", unless it follows a number or a unit: "10<sup>6</sup>"
is "10⁶" and "m<sup>2</sup>" is "m²".
"""

from __future__ import annotations

import itertools
import json
import re
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import lxml.etree
import lxml.html
import trafilatura

from hedgerow import data
from hedgerow.errors import RejectedDocument
from hedgerow.limits import Limits
from hedgerow.readers import metadata
from hedgerow.readers.base import (
    DEFAULTS,
    Block,
    BlockBuilder,
    Document,
    Item,
    ListItem,
    Options,
    decode,
    normalise,
    one_line,
    require_letters,
)
from hedgerow.readers.lines import (
    ends_sentence,
    is_figure,
    is_furniture,
    is_reference,
    is_reference_heading,
    marker_of,
)

_CHARSET = re.compile(
    rb"""<(?:meta\b[^>]*?\bcharset|\?xml\b[^>]*?\bencoding)\s*=\s*["']?([\w-]+)"""
)
_HEAD_BYTES = 2048


def _tags(names: str) -> frozenset[str]:
    return frozenset(names.split())


_DROPPED = _tags(
    "script style noscript template svg math iframe button select option input textarea canvas "
    "audio video object embed head map pre form label"
)
_BLOCK_TAGS = _tags(
    "address article aside blockquote body center dd details div dl dt fieldset figcaption figure "
    "footer h1 h2 h3 h4 h5 h6 header hgroup hr html legend li main nav ol p section summary table "
    "caption thead tbody tfoot tr td th ul menu"
)
_HEADINGS = {f"h{n}": n for n in range(1, 7)}
_FURNITURE_TAGS = frozenset({"nav", "aside"})
_PAGE_EDGE_TAGS = frozenset({"header", "footer"})
_CONTENT_TAGS = frozenset({"article", "main", "section", "blockquote", "figure"})
_FURNITURE_ROLES = frozenset(
    {"navigation", "banner", "contentinfo", "complementary", "dialog", "search", "menu", "alert"}
)
_CITATION = re.compile(r"\[?\d{1,3}(?:\s?[,;–-]\s?\d{1,3})*\]?")
_UNIT_BEFORE = re.compile(r"(?:\d|[a-zµ]?m|/m|\bs|\bkg|\bL|\^)$")
_SUPERSCRIPTS = str.maketrans("0123456789+-−", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁻")
_SIGNED = re.compile(r"[+−-]\d*")
_LISTS = frozenset({"ul", "ol", "menu", "dl"})
_BOLD = frozenset({"b", "strong"})
_KIND_OF_TAG = {"figcaption": "caption", "caption": "caption", "summary": "heading"}
_BULLET = "•"
_MAX_LEVEL = 127
_MAX_CARD_LINES = 3
_MAX_LABEL_WORDS = 16
_MAX_BOLD_HEADING = 100
_MAX_FURNITURE_WORDS = 40
_LEAST_PARAGRAPHS = 3
_BUTTON = re.compile(r"(?:^|[\s_-])(?:btn|button|cta)(?:$|[\s_-])", re.IGNORECASE)
"""Class of a link that is shown as a button: an offer, no part of the text."""
_SHORT = 20
"""Letters and digits below which a text may be found in another by chance."""
_MOST_SEARCHED = 1_000
"""Texts up to which each is looked for by itself."""
_LEAST_COVERAGE = 0.3
_CELL_SPANS = re.compile(r"(?i)(?<=[\s\"'/])(?:row|col)span(?=\s*=)")
"""Attributes by which trafilatura would multiply the cells of a table, without bound."""
_MOST_COMPARED = 2_000
"""Elements up to which trafilatura compares its answer with jusText's, whose time is quadratic."""
_BLANK_LINE = re.compile(r"\n\s*\n")
_INTEGER = re.compile(r"-?\d{1,6}")
_NOT_WORD = re.compile(r"[\W_]+")
_XML_DECLARATION = re.compile(r"^\s*<\?xml\b[^>]*\?>")
_HIDDEN_STYLE = re.compile(r"display\s*:\s*none|visibility\s*:\s*hidden", re.IGNORECASE)


@cache
def _furniture_names() -> re.Pattern[str]:
    names = "|".join(map(re.escape, data.load("blocks")["html"]["furniture"]))
    words = rf"(?:^|[\s_-])(?<!has-)(?<!with-)(?<!no-)(?:{names})(?:$|[\s_-])"  # not "has-sidebar"
    return re.compile(words, re.IGNORECASE)


def _is_furniture(element: Any, inside_content: bool, paragraphs: int) -> bool:
    """Return whether an element says by tag, role, class or id that it is page furniture.

    What holds the page's main heading with text below it, or most of its `paragraphs`, is none,
    whatever its class: "banner" and "sidebar" name layouts too.
    """
    tag = element.tag
    if tag in _FURNITURE_TAGS or (tag in _PAGE_EDGE_TAGS and not inside_content):
        return True
    if (element.get("role") or "").lower() in _FURNITURE_ROLES:
        return True
    if tag in ("body", "html", "main", "article"):
        return False
    names = f"{element.get('class', '')} {element.get('id', '')}"
    if _furniture_names().search(names) is None:
        return False
    own = sum(1 for _ in element.iter("p"))
    headed = own and next(element.iter("h1", "main"), None) is not None
    return not headed and not (own >= _LEAST_PARAGRAPHS and 2 * own > paragraphs)


def _is_hidden(element: Any) -> bool:
    return (
        element.get("hidden") is not None
        or element.get("aria-hidden") == "true"
        or _HIDDEN_STYLE.search(element.get("style") or "") is not None
    )


@dataclass(frozen=True)
class _Place:
    """Where in the page the walk stands.

    kind: what running text is here. item: the list item it belongs to. furniture: inside page
    furniture. content: inside an element that marks content (article, main, section).
    """

    kind: str = "paragraph"
    item: ListItem | None = None
    furniture: bool = False
    content: bool = False


class _Walk:
    """Turns a tree into blocks.

    Inline text gathers in a buffer, which the start and end of every block-level element empties
    into a block. `main` holds the indices of blocks inside elements that mark content.
    """

    def __init__(self, limits: Limits = DEFAULTS.limits) -> None:
        self.builder = BlockBuilder(limits)
        self.buffer: list[str] = []
        self.length = 0
        self.bold = 0
        self.paragraphs = 0
        self.main: set[int] = set()
        self.title: str | None = None
        self.in_references = False

    def children(self, element: Any, place: _Place) -> None:
        """Add an element's text and children."""
        self._text(element.text)
        for child in element:
            self.element(child, place)
            self._text(child.tail)

    def _text(self, text: str | None) -> None:
        if text:
            self._push(text.replace("\n", " "))

    def _push(self, text: str) -> None:
        self.buffer.append(text)
        self.length += len(text)

    def _empty(self) -> tuple[str, int]:
        """Return the buffer's text and how much of it was bold, and empty it."""
        text, bold = "".join(self.buffer), self.bold
        self.buffer.clear()
        self.bold = self.length = 0
        return text, bold

    def element(self, element: Any, place: _Place) -> None:
        """Add one element, whatever it is."""
        tag = element.tag
        if not isinstance(tag, str) or tag in _DROPPED or _is_hidden(element):
            return
        if tag not in _BLOCK_TAGS:
            self._inline(element, tag, place)
            return
        self.flush(place)
        inner = replace(
            place,
            furniture=place.furniture or _is_furniture(element, place.content, self.paragraphs),
            content=place.content or tag in _CONTENT_TAGS,
        )
        self._block(element, tag, inner)
        self.flush(inner)

    def _block(self, element: Any, tag: str, place: _Place) -> None:
        if tag in _HEADINGS:
            self._heading(element, _HEADINGS[tag], place)
        elif tag in _LISTS:
            self._list(element, place)
        elif tag == "table" and not _is_layout(element):
            self._table(element, place)
        elif tag in _KIND_OF_TAG:
            inner = replace(place, kind=_KIND_OF_TAG[tag])
            self.children(element, inner)
            self.flush(inner)
        else:
            self.children(element, place)

    def _inline(self, element: Any, tag: str, place: _Place) -> None:
        if tag == "br":
            self._push("\n")
        elif tag == "a" and _BUTTON.search(element.get("class") or ""):
            self.flush(place)
            self.children(element, place)
            self.flush(replace(place, furniture=True))
        elif tag == "sup":
            self._push(self._superscript(element))
        elif tag in _BOLD:
            before = self.length
            self.children(element, place)
            self.bold += max(0, self.length - before)  # a block inside has emptied the buffer
        else:
            self.children(element, place)

    def _superscript(self, element: Any) -> str:
        text = one_line("".join(element.itertext()))
        before = "".join(self.buffer[-2:])
        if not _CITATION.fullmatch(text):
            return text.translate(_SUPERSCRIPTS) if _SIGNED.fullmatch(text) else text
        linked = element.find(".//a") is not None or element.getparent().tag == "a"
        if not linked and _UNIT_BEFORE.search(before):
            return text.translate(_SUPERSCRIPTS)
        return text if text.startswith("[") or before.endswith("[") else f"[{text}]"

    def add(self, text: str, kind: str, place: _Place, **fields: int | None) -> int | None:
        """Add a block, as boilerplate inside furniture; return its index."""
        if place.furniture:
            self.builder.add(text, "boilerplate")
            return None
        index = self.builder.add(text, kind, **fields)
        if index is not None and place.content:
            self.main.add(index)
        return index

    def flush(self, place: _Place) -> None:
        """Empty the buffer into blocks."""
        text, bold = self._empty()
        if text.strip():
            for part in _BLANK_LINE.split(text):
                self._part([line for line in map(one_line, part.split("\n")) if line], bold, place)

    def _part(self, lines: list[str], bold: int, place: _Place) -> None:
        """Add the block or blocks of a run of text, given as its lines."""
        whole = " ".join(lines)
        if not lines:
            return
        if place.item is not None:
            self._item_text(whole, place.item, place)
        elif place.kind != "paragraph":
            self.add(whole, place.kind, place)
        elif 1 < len(lines) <= _MAX_CARD_LINES and is_figure(lines[0]):
            first = self.add(lines[0], "card", place)
            for line in lines[1:]:
                self.add(line, "card", place, parent=first)
        elif len(lines) > 1 and all(map(marker_of, lines[1:])):
            self._marked_lines(lines, place)
        elif self.in_references and is_reference(whole, listed=True):
            self.add(whole, "reference", place)
        elif bold >= len(whole) and len(whole) <= _MAX_BOLD_HEADING and whole[-1] not in ".:;,":
            self.add(whole, "heading", place)
        else:
            worded = whole.count(" ") < _MAX_FURNITURE_WORDS and is_furniture(whole, edge=False)
            self.add(whole, "paragraph", replace(place, furniture=place.furniture or worded))

    def _item_text(self, text: str, item: ListItem, place: _Place) -> None:
        """Add text of a list item: its own at first; what follows stands below the item."""
        if self.in_references:
            mark = "" if item.mark == _BULLET or item.index is not None else item.mark
            item.index = self.add(f"{mark} {text}", "reference", place) or item.index
        elif item.index is None:
            mark = "" if place.furniture else item.mark
            item.index = self.add(
                f"{mark} {text}", "list_item", place, level=item.level, parent=item.parent
            )
        else:
            self.add(text, "list_item", place, level=item.level, parent=item.index)

    def _marked_lines(self, lines: list[str], place: _Place) -> None:
        """Add lines of a paragraph that begin with list markers."""
        parent = self._lead_in()
        for line in lines:
            if marker_of(line):
                self.add(line, "list_item", place, level=1, parent=parent)
            else:
                parent = self.add(line, "paragraph", place)

    def _lead_in(self) -> int | None:
        """Return the block before, where it ends in a colon."""
        last = len(self.builder.blocks) - 1
        if last >= 0 and self.builder.text_of(last).endswith(":"):
            return last
        return None

    def _heading(self, element: Any, level: int, place: _Place) -> None:
        self.children(element, place)
        text = one_line(self._empty()[0])
        if not text:
            return
        if not place.furniture:
            self.in_references = is_reference_heading(text)
        if level == 1 and self.title is None and not place.furniture:
            self.title = text
            self.add(text, "title", place)
        else:
            self.add(text, "heading", place, level=level)

    def _list(self, element: Any, place: _Place) -> None:
        """Add a list. A nested one stands below the item it is in, as does dd below its dt."""
        outer = place.item
        parent = self._lead_in() if outer is None else outer.index
        level = 1 if outer is None else min(outer.level + 1, _MAX_LEVEL)
        number = _start_number(element) if element.tag == "ol" else None
        previous: ListItem | None = outer
        for child in element:
            if not isinstance(child.tag, str) or _is_hidden(child):
                continue
            if child.tag in _LISTS:  # a list straight in a list belongs to the item before
                self._list(child, replace(place, item=previous))
                continue
            mark = _BULLET if number is None else f"{number}."
            item = ListItem(level, parent, "" if child.tag in ("dt", "dd") else mark)
            if child.tag == "dd" and previous is not None and previous is not outer:
                item.parent, item.level = previous.index, min(level + 1, _MAX_LEVEL)
            inner = replace(place, kind="list_item", item=item)
            self.children(child, inner)
            self.flush(inner)
            if child.tag != "dd":
                previous = item
            number = None if number is None else number + 1

    def _table(self, element: Any, place: _Place) -> None:
        """Add a table: its caption, then its rows, counted from 1 where there is no header."""
        rows = [row for row in element.iter("tr") if not _is_hidden(row)]
        for caption in element.iter("caption"):
            self.add(_text_of(caption), "caption", place)
        header: int | None = None
        has_header = bool(rows) and _is_header_row(rows[0])
        number = 0 if has_header else 1
        for row in rows:
            cells = [_text_of(cell) for cell in row.iter("td", "th")]
            if not any(cells):
                continue
            index = self.add(" | ".join(cells), "table_row", place, row=number, parent=header)
            if number == 0:
                header = index
            number += 1


def _text_of(element: Any) -> str:
    """Return the text of an element on one line, with its superscripts and breaks."""
    walk = _Walk()
    walk.children(element, _Place())
    walk.flush(_Place())
    return " ".join(walk.builder.text.split())


def _is_header_row(row: Any) -> bool:
    cells = list(row.iter("td", "th"))
    return row.getparent().tag == "thead" or all(cell.tag == "th" for cell in cells)


def _is_layout(table: Any) -> bool:
    """Return whether a table only lays out a page: it holds headings, tables or one column."""
    if next(table.iter("h1", "h2", "h3", "article", "main"), None) is not None:
        return True
    tables = sum(1 for _ in table.iter("table"))
    return tables > 1 or max((len(row) for row in table.iter("tr")), default=0) < 2


def _start_number(element: Any) -> int:
    start = element.get("start", "1")
    return int(start) if _INTEGER.fullmatch(start) else 1


def _with_cards(blocks: Sequence[Block], text: str) -> list[Block]:
    """Return the blocks with figure cards named: a lone figure, then up to two short labels."""
    result = list(blocks)
    first: int | None = None
    for i, block in enumerate(blocks):
        content = text[block.start : block.end]
        if block.block != "paragraph":
            first = None
        elif is_figure(content) and i + 1 < len(blocks) and blocks[i + 1].block == "paragraph":
            first, result[i] = i, replace(block, block="card")
        elif first is not None and i - first < _MAX_CARD_LINES and _is_label(content):
            result[i] = replace(block, block="card", parent=first)
        else:
            first = None
    return result


def _is_label(text: str) -> bool:
    return text.count(" ") < _MAX_LABEL_WORDS and not ends_sentence(text)


def _outside_main(walk: _Walk, page: str, tree: Any) -> frozenset[int]:
    """Return the blocks that stand before or after all that trafilatura takes for content.

    Where it finds little of the page, its answer is not trusted and no block is named.
    """
    blocks, text = walk.builder.blocks, walk.builder.text
    extracted = trafilatura.extract(
        _CELL_SPANS.sub("x", page),
        output_format="txt",
        include_comments=True,
        include_tables=True,
        favor_recall=True,
        fast=sum(1 for _ in tree.iter(*_BLOCK_TAGS)) > _MOST_COMPARED,
    )
    found = _squash(normalise(extracted or ""))
    spans = [_squash(text[block.start : block.end]) for block in blocks]
    kept = [i for i, block in enumerate(blocks) if block.block != "boilerplate"]
    shared = _shared({spans[i] for i in kept}, found)
    covered = [i for i in kept if len(spans[i]) > _SHORT and spans[i] in shared]
    total = sum(len(spans[i]) for i in kept)
    if not covered or sum(len(spans[i]) for i in covered) < _LEAST_COVERAGE * total:
        return frozenset()
    first, last = covered[0], covered[-1]
    return frozenset(
        i
        for i, block in enumerate(blocks)
        if not first <= i <= last
        and i not in walk.main
        and block.block in ("paragraph", "heading", "list_item")
        and spans[i] not in shared
    )


def _squash(text: str) -> str:
    """Return the letters and digits of a normalised text, which are what two extractions share."""
    return _NOT_WORD.sub("", text).lower()


def _shared(spans: set[str], found: str) -> set[str]:
    """Return the spans that stand in `found`.

    Where there are many, looking for each would take time that grows with the square of the page:
    then one counts as found whose pieces all are, and one pass for each length of piece finds them.
    """
    if len(spans) <= _MOST_SEARCHED:
        return {span for span in spans if span in found}
    pieces = {span: _pieces(span) for span in spans}
    by_length: dict[int, set[str]] = {}
    for piece in itertools.chain.from_iterable(pieces.values()):
        by_length.setdefault(len(piece), set()).add(piece)
    there: set[str] = set()
    for length, wanted in by_length.items():
        there |= wanted.intersection(found[i : i + length] for i in range(len(found) - length + 1))
    return {span for span, own in pieces.items() if there.issuperset(own)}


def _pieces(span: str) -> list[str]:
    """Return the pieces of a text, of _SHORT characters each, the last of which may overlap."""
    starts = [*range(0, len(span) - _SHORT, _SHORT), max(0, len(span) - _SHORT)]
    return [span[start : start + _SHORT] for start in starts]


# -- metadata -------------------------------------------------------------------------------------

_META = {
    "title": ("citation_title", "og:title", "dc.title", "dcterms.title", "twitter:title", "title"),
    "publisher": (
        "og:site_name", "citation_publisher", "citation_journal_title", "dc.publisher",
        "dcterms.publisher", "publisher", "article:publisher", "application-name",
    ),
    "author": (
        "citation_author", "citation_authors", "author", "dc.creator", "dcterms.creator",
        "article:author", "parsely-author", "sailthru.author", "byl",
    ),
    "published": (
        "citation_publication_date", "citation_date", "citation_online_date",
        "article:published_time", "og:published_time", "dc.date.issued", "dcterms.issued",
        "dc.date", "dcterms.date", "dcterms.created", "date", "datepublished", "pubdate",
        "parsely-pub-date", "sailthru.date",
    ),
    "url": ("og:url", "citation_public_url"),
    "licence": ("dc.rights", "dcterms.license", "dcterms.rights", "license", "licence"),
    "language": (
        "content-language", "citation_language", "dc.language", "dcterms.language", "og:locale",
    ),
}  # fmt: skip
_LINKS = {"url": "canonical", "licence": "license"}
_JSON_LD_TYPES = re.compile(
    r"Article|Posting|WebPage|Product|MedicalEntity|Drug|Report|Review|Blog|QAPage|FAQPage"
)


def _metadata(tree: Any) -> dict[str, str]:
    """Return what a page declares: meta tags first, then links, JSON-LD, marks in the body."""
    meta: dict[str, list[str]] = {}
    for element in tree.iter("meta"):
        name = next(
            filter(None, map(element.get, ("name", "property", "itemprop", "http-equiv"))), None
        )
        if name and (element.get("content") or "").strip():
            meta.setdefault(name.lower(), []).append(element.get("content"))
    found: dict[str, Any] = {}
    for field, names in _META.items():
        values = [[v for v in meta.get(name, ()) if not _is_address(field, v)] for name in names]
        first = next(filter(None, values), None)
        if first:
            found[field] = list(dict.fromkeys(first)) if field == "author" else first[0]
    for field, relation in _LINKS.items():
        for link in tree.iter("link", "a"):
            if relation in (link.get("rel") or "").lower().split() and link.get("href"):
                found[field] = link.get("href")
                break
    records = _json_ld(tree)
    by_id = {record["@id"]: record for record in records if isinstance(record.get("@id"), str)}
    for record in records:
        if _JSON_LD_TYPES.search(str(record.get("@type", ""))):
            for field, value in _json_ld_fields(record, by_id):
                found.setdefault(field, value)
    for field, value in _body_marks(tree):
        found.setdefault(field, value)
    language = tree.get("lang") or tree.get("{http://www.w3.org/XML/1998/namespace}lang")
    language = metadata.clean(language or found.get("language"))
    found["language"] = language and language.replace("_", "-")
    title = tree.find(".//title")
    if title is not None and title.text:
        found.setdefault("title", title.text)
    return metadata.declared(found)


def _is_address(field: str, value: str) -> bool:
    """Return whether a name is given as the address of a profile."""
    return field in ("author", "publisher") and value.strip().startswith(("http:", "https:"))


def _body_marks(tree: Any) -> Iterator[tuple[str, Any]]:
    """Yield what `rel="author"` links and marked `time` elements in the body say."""
    for link in tree.iter("a"):
        if "author" in (link.get("rel") or "").lower().split():
            yield "author", _text_of(link)
    for mark in tree.iter("time"):
        says = " ".join(filter(None, map(mark.get, ("itemprop", "class")))).lower()
        if mark.get("pubdate") is not None or _PUBLISHED.search(says):
            yield "published", mark.get("datetime") or _text_of(mark)


_MAX_JSON_LD = 1_000_000
"""Characters of a script of JSON-LD; a thousand records of articles are no longer."""
_PUBLISHED = re.compile(r"datepublished|\b(?:published|entry-date)\b")


def _json_ld(tree: Any) -> list[dict[str, Any]]:
    """Return the JSON-LD records of a page; scripts that are no JSON, or very long, hold none."""
    records = []
    for script in tree.iter("script"):
        known = "ld+json" in (script.get("type") or "")
        if not known or len(script.text or "") > _MAX_JSON_LD:
            continue
        try:
            queue = deque([json.loads(script.text or "null")])
        except (ValueError, RecursionError):
            continue  # the page stands without it
        while queue:
            value = queue.popleft()
            if isinstance(value, list):
                queue += value
            elif isinstance(value, dict):
                queue += [value[key] for key in ("@graph", "mainEntity") if key in value]
                records.append(value)
    return records


def _json_ld_fields(
    record: dict[str, Any], by_id: dict[str, dict[str, Any]]
) -> Iterator[tuple[str, Any]]:
    seller = record.get("offers")
    seller = seller[0] if isinstance(seller, list) and seller else seller
    candidates = (
        ("title", record.get("headline") or record.get("name")),
        ("publisher", _name(record.get("publisher"), by_id)),
        ("publisher", _name(seller.get("seller"), by_id) if isinstance(seller, dict) else None),
        ("author", _name(record.get("author"), by_id)),
        ("published", record.get("datePublished")),
        ("url", record.get("url")),
        ("licence", record.get("license")),
        ("language", _name(record.get("inLanguage"), by_id)),
    )
    for field, value in candidates:
        if metadata.clean(value):
            yield field, value


def _name(value: Any, by_id: dict[str, dict[str, Any]]) -> Any:
    """Return the name in a JSON-LD person or organisation, or of each in a list.

    A record may stand elsewhere in the page's graph, referred to by its @id.
    """
    if isinstance(value, list):
        return [name for name in (_name(part, by_id) for part in value) if name]
    if not isinstance(value, dict):
        return value
    elsewhere = by_id.get(value["@id"], {}) if isinstance(value.get("@id"), str) else {}
    return value.get("name") or elsewhere.get("name")


def parse(content: bytes, limits: Limits = DEFAULTS.limits) -> tuple[Any, str]:
    """Return (tree, page) of an HTML file, the page as a string.

    Raises RejectedDocument as `decode` does, "no_text" where there is no element at all,
    "malformed" where elements are nested too deeply, and "too_large" beyond the limit of tags.
    """
    declared = _CHARSET.search(content[:_HEAD_BYTES])
    page = decode(content, declared=declared[1].decode("ascii") if declared else None)
    page = _XML_DECLARATION.sub("", page.replace("\0", ""), count=1)
    limits.check("tags", page.count("<"), "tags")
    parser = lxml.html.HTMLParser(encoding="utf-8", remove_comments=True, remove_pis=True)
    try:
        tree = lxml.html.document_fromstring(page.encode("utf-8", "replace"), parser=parser)
    except lxml.etree.ParserError as error:
        raise RejectedDocument("no_text", f"found no HTML element: {error}") from error
    limits.check("tags", int(tree.xpath("count(//@*)")), "attributes")
    if any(entry.type_name == "ERR_RESOURCE_LIMIT" for entry in parser.error_log):
        # libxml2 drops what lies deeper: half a page must not pass for a whole one
        raise RejectedDocument("malformed", "found elements nested deeper than 255; flatten them")
    return tree, page


class HtmlReader:
    """Reads .html, .htm and .xhtml files."""

    media_type = "text/html"
    suffixes = (".html", ".htm", ".xhtml")

    def split(self, content: bytes, options: Options = DEFAULTS) -> Iterator[Item]:
        """Yield the whole file as one item; a page declares no id."""
        yield Item(0, len(content))

    def read(self, content: bytes, *, path: str, options: Options = DEFAULTS) -> Document:
        """Return the document in an HTML file."""
        tree, page = parse(content, options.limits)
        fields = _metadata(tree)
        walk = _Walk(options.limits)
        walk.paragraphs = sum(1 for _ in tree.iter("p"))
        walk.element(tree, _Place())
        text = walk.builder.text
        require_letters(text, "the page's body")
        outside = _outside_main(walk, page, tree)
        blocks = tuple(
            Block(block.start, block.end, "boilerplate") if i in outside else block
            for i, block in enumerate(_with_cards(walk.builder.blocks, text))
        )
        if all(block.block == "boilerplate" for block in blocks):
            raise RejectedDocument("no_text", "found only navigation and the like; expected prose")
        found: dict[str, Any] = dict(fields)
        found.setdefault("title", walk.title)
        return Document(text=text, blocks=blocks, media_type=self.media_type, **found)


READER = HtmlReader()
