"""JATS (and NLM) XML: journal articles with sections, tables, captions and resolved citations.

Blocks are the title, the abstracts, the body, floating figures and tables, and the back matter.
Headings have level 2 in the body, the title standing for level 1; "Abstract", "Main text" and
"References" are put in where an article leaves them to its layout. Figures, tables, boxes and
footnotes written inside a paragraph follow it, so that no sentence is cut. Display formulas,
section numbers and marks of footnotes are left out; what articles say of their making
(acknowledgements, funding, interests) is boilerplate. Names of elements and titles that tell what
is what are data: `data/jats.toml`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from hedgerow import data
from hedgerow.errors import RejectedDocument
from hedgerow.limits import Limits
from hedgerow.readers import metadata
from hedgerow.readers.base import (
    DEFAULTS,
    BlockBuilder,
    Document,
    Item,
    ListItem,
    Options,
    one_line,
    require_letters,
)
from hedgerow.readers.jats_references import Citation, References, citation, in_words, references_of
from hedgerow.readers.xmltree import (
    Record,
    formula,
    iso_parts,
    parse,
    raised,
    records,
    root_name,
)

_ARTICLE, _SET = "article", "pmc-articleset"
ROOTS = (_ARTICLE, _SET)
"""Local names of the root elements: an article, and a set as PubMed Central sends it."""

_LINK = "{http://www.w3.org/1999/xlink}href"
_LANGUAGE = "{http://www.w3.org/XML/1998/namespace}lang"
_BULLET = "•"
_UNMARKED_LISTS = frozenset({"simple", "none"})
_MAX_HEADING = 6
_MAX_LEVEL = 127
_INTEGER = re.compile(r"[1-9]\d{0,3}")
_MAX_COLUMNS = 64
_MAX_HEAD_ROWS = 6
_REPEATED_COLUMNS = 2
_REPEATED_LENGTH = 100
"""Of cells that span rows, only short ones in the first columns, which name rows, are repeated."""


@cache
def _names(name: str) -> frozenset[str]:
    """Return a list of element names, or of other values, in data/jats.toml."""
    return frozenset(data.load("jats")[name])


@cache
def _pattern(block: str) -> re.Pattern[str]:
    rules = [rule["pattern"] for rule in data.load("jats")["rule"] if rule["block"] == block]
    return re.compile("|".join(rules))


def _is_back_matter(element: Any, title: str) -> bool:
    """Return whether a section tells of the article's making, by its tag, type or title."""
    kind = element.get("sec-type") or element.get("notes-type") or ""
    return (
        element.tag in _names("back_matter")
        or _pattern("back_matter_type").fullmatch(kind) is not None
        or _pattern("back_matter").fullmatch(title) is not None
    )


@dataclass(frozen=True)
class _Place:
    """Where in the article the walk stands.

    level: of the title that the current element may have. item: the list item that running text
    belongs to. boilerplate: in back matter. flat: in a title, caption or cell, where everything is
    text on one line.
    """

    level: int = 1
    item: ListItem | None = None
    boilerplate: bool = False
    flat: bool = False


class _Walk:
    """Turns elements into blocks.

    Inline text gathers in a buffer, which the start and end of every element that holds blocks
    empties into a block. `floats` are elements that wait for the end of their paragraph.
    """

    def __init__(self, references: References, cited_notes: frozenset[str], limits: Limits) -> None:
        self.builder = BlockBuilder(limits)
        self.references = references
        self.cited_notes = cited_notes
        self.buffer: list[str | Citation] = []
        self.floats: list[tuple[Any, _Place]] = []
        self.paragraphs = 0
        self.handlers: Mapping[str, Callable[[Any, _Place], None]] = {
            **dict.fromkeys(_names("containers"), self.children),
            **dict.fromkeys(_names("sections"), self._section),
            "p": self._paragraph,
            "fn": self._note,
            "title": self._heading,
            "list": self._list,
            "def-list": self._definitions,
            "table-wrap": self._table_wrap,
            "table": self._table,
            "fig": self._caption,
            "caption": self._caption_of_group,
            "boxed-text": self._box,
            "ref-list": self._reference_list,
        }

    # -- text

    def children(self, element: Any, place: _Place) -> None:
        """Add an element's text and children."""
        self._text(element.text)
        for child in element:
            self.element(child, place)
            self._text(child.tail)

    def _text(self, text: str | None) -> None:
        if text:
            self.buffer.append(text)

    def element(self, element: Any, place: _Place) -> None:
        """Add one element, whatever it is."""
        tag = element.tag
        if not isinstance(tag, str) or tag in _names("skipped"):
            return
        handler = self.handlers.get(tag)
        if handler is None:
            self._inline(element, tag, place)
        elif place.flat:
            self._text(" ")
            self.children(element, place)
            self._text(" ")
        elif self.paragraphs and tag in _names("floats"):
            self.floats.append((element, replace(place, item=None)))
        else:
            self.flush(place)
            handler(element, place)
            self.flush(place)

    def _inline(self, element: Any, tag: str, place: _Place) -> None:
        if tag == "xref":
            self._cross_reference(element, place)
        elif tag == "sup":
            self._superscript(element, place)
        elif tag == "math":
            self._text(formula(element))
        elif tag in ("break", "td", "th", "tr"):
            self._text(" ")
            self.children(element, place)
            self._text(" ")
        else:
            self.children(element, place)

    def _cross_reference(self, element: Any, place: _Place) -> None:
        """Add a citation of an entry; of others, the text, unless it is only a footnote's mark."""
        found = citation(element.get("rid") or "", "".join(element.itertext()), self.references)
        if found is not None:
            self.buffer.append(found)
        elif element.get("ref-type") not in _names("mark_references"):
            self.children(element, place)

    def _superscript(self, element: Any, place: _Place) -> None:
        before = self.buffer[-1] if self.buffer else ""
        parts = self._parts(element)
        if all(isinstance(part, str) for part in parts):
            text = in_words(parts, self.references).strip(" ,;")  # between marks that are left out
            self._text(raised(text, before if isinstance(before, str) else ""))
        else:
            self.buffer += parts

    def _parts(self, element: Any) -> list[str | Citation]:
        """Return the text and citations of an element, on one line."""
        saved, self.buffer = self.buffer, []
        self.children(element, _Place(flat=True))
        parts, self.buffer = self.buffer, saved
        return parts

    def text_of(self, element: Any) -> str:
        """Return the text of an element on one line, with its markers; "" for None."""
        return "" if element is None else one_line(in_words(self._parts(element), self.references))

    # -- blocks

    def add(self, text: str, kind: str, place: _Place, **fields: int | None) -> int | None:
        """Add a block, as boilerplate in back matter; return its index where others may use it."""
        if place.boilerplate:
            self.builder.add(text, "boilerplate")
            return None
        return self.builder.add(text, kind, **fields)

    def flush(self, place: _Place) -> None:
        """Empty the buffer into a block."""
        text = one_line(in_words(self.buffer, self.references))
        self.buffer.clear()
        item = place.item
        if not text:
            return
        if item is None:
            self.add(text, "paragraph", place)
        elif item.index is None:
            item.index = self.add(
                f"{item.mark} {text}", "list_item", place, level=item.level, parent=item.parent
            )
        else:
            self.add(text, "list_item", place, level=item.level, parent=item.index)

    def _paragraph(self, element: Any, place: _Place) -> None:
        """Add a paragraph, then what floats in it."""
        self.paragraphs += 1
        self.children(element, place)
        self.flush(place)
        self.paragraphs -= 1
        if not self.paragraphs:
            waiting, self.floats = self.floats, []
            for child, where in waiting:
                self.element(child, where)

    def _heading(self, element: Any, place: _Place) -> None:
        level = min(place.level, _MAX_HEADING)
        self.add(self.text_of(element), "heading", place, level=level)

    def _section(self, element: Any, place: _Place) -> None:
        back_matter = _is_back_matter(element, self.text_of(element.find("title")))
        self.children(
            element,
            replace(place, level=place.level + 1, boilerplate=place.boilerplate or back_matter),
        )

    def _note(self, element: Any, place: _Place) -> None:
        """Add a footnote; in back matter, one that the text points to is no boilerplate."""
        cited = element.get("id") in self.cited_notes
        self.children(element, replace(place, boilerplate=place.boilerplate and not cited))

    def body(self, element: Any) -> None:
        """Add the body. Text before its first title would seem to be the abstract's."""
        place = _Place()
        first = next((child for child in element if child.tag in ("sec", "p")), None)
        if self.builder.blocks and first is not None and first.tag == "p":
            self.add("Main text", "heading", place, level=2)
        self.element(element, place)

    def abstract(self, element: Any) -> None:
        """Add an abstract under its own title, or else "Abstract"."""
        place = _Place(level=2)
        if not self.text_of(element):
            return
        if element.find("title") is None:
            self.add("Abstract", "heading", place, level=2)
        self.children(element, place)
        self.flush(place)

    def back(self, element: Any) -> None:
        """Add the back matter; appendices and references are no boilerplate."""
        for child in element:
            place = _Place(boilerplate=child.tag not in ("app-group", "app", "ref-list"))
            self.element(child, place)

    def _lead_in(self, element: Any) -> int | None:
        """Return the block before a list: one that ends in a colon, or begins its paragraph."""
        last = len(self.builder.blocks) - 1
        if last < 0 or self.builder.blocks[last].block == "boilerplate":
            return None
        parent = element.getparent()
        within = parent is not None and parent.tag == "p"
        before = element.getprevious()
        continues = within and (before is not None or (parent.text or "").strip())
        return last if continues or self.builder.text_of(last).endswith(":") else None

    def _list(self, element: Any, place: _Place) -> None:
        """Add a list. A nested one stands below the item that it is in."""
        outer = place.item
        level = 1 if outer is None else min(outer.level + 1, _MAX_LEVEL)
        title = element.find("title")
        if title is not None:
            self.add(self.text_of(title), "paragraph", place)
        parent = self._lead_in(element) if outer is None or title is not None else outer.index
        kind = element.get("list-type") or "bullet"
        for number, child in enumerate(element.findall("list-item"), 1):
            mark = self.text_of(child.find("label"))
            if not mark and kind not in _UNMARKED_LISTS:
                mark = _BULLET if kind == "bullet" else f"{number}."
            inner = replace(place, item=ListItem(level, parent, mark))
            self.children(child, inner)
            self.flush(inner)

    def _definitions(self, element: Any, place: _Place) -> None:
        """Add a list of definitions, "term: definition" an item."""
        for item in element.findall("def-item"):
            texts = [self.text_of(item.find(tag)) for tag in ("term", "def")]
            self.add(": ".join(filter(None, texts)), "list_item", place, level=1)
        for nested in element.findall("def-list"):
            self._definitions(nested, place)

    def _caption(self, element: Any, place: _Place) -> None:
        """Add the label, title and caption of a figure, table or box as one block.

        Each part ends in a stop: "Figure 1. Flow of people. All were analysed.".
        """
        named = [found for tag in ("label", "title") if (found := element.find(tag)) is not None]
        texts = [
            text
            for part in (*named, *element.iterfind("caption/*"))
            if (text := self.text_of(part))
        ]
        ended = [text if text[-1] in ".:;?!" else f"{text}." for text in texts[:-1]]
        self.add(" ".join(ended + texts[-1:]), "caption", place)

    def _caption_of_group(self, element: Any, place: _Place) -> None:
        """Add the captions of an element that has no method of its own, once for them all."""
        parent = element.getparent()
        if parent.find("caption") is element:
            self._caption(parent, place)

    def _box(self, element: Any, place: _Place) -> None:
        """Add a box; its title is a caption, for the section goes on after it."""
        self._caption(element, place)
        for child in element:
            if child.tag not in ("title", "caption"):
                self.element(child, place)

    def _table_wrap(self, element: Any, place: _Place) -> None:
        """Add a table: its caption, its rows, and the notes below it as captions."""
        self._caption(element, place)
        for table in element.iter("table"):
            if next(table.iterancestors("td", "th"), None) is None:
                self._table(table, place)
        for foot in element.findall("table-wrap-foot"):
            for note in foot.iter("p"):
                self.add(self.text_of(note), "caption", place)

    def _table(self, element: Any, place: _Place) -> None:
        """Add the rows of a table. Rows of its head make one header; without one rows count from 1.

        A cell of the header that spans columns stands over each of them.
        """
        rows = [row for row in element.iter("tr") if next(row.iterancestors("table")) is element]
        height = _head_height(rows)
        head = self._grid(rows[:height], across=True)
        header = self.add(" | ".join(_over_columns(head)), "table_row", place, row=0)
        for number, cells in enumerate(self._grid(rows[height:], across=False), 1):
            self.add(" | ".join(cells), "table_row", place, row=number, parent=header)

    def _grid(self, rows: list[Any], *, across: bool) -> list[list[str]]:
        """Return the texts of the cells by row and column; rows without text are left out.

        across: whether the text of a cell that spans columns stands in each of them, or only in
        the first. A cell that spans rows stands in each of them where it names the rows.
        """
        grid: list[list[str]] = []
        spanning: dict[int, tuple[int, str]] = {}  # by column: rows still to come, and the text
        for row in rows:
            line: list[str] = []
            has_text = False
            for cell in row.iterchildren("td", "th"):
                _fill(line, spanning)
                text = self.text_of(cell)
                has_text = has_text or text != ""
                for offset in range(_span(cell, "colspan") if len(line) < _MAX_COLUMNS else 1):
                    _place_cell(line, spanning, text if across or not offset else "", cell)
            _fill(line, spanning)
            while line and not line[-1]:
                line.pop()
            if has_text:
                grid.append(line)
        return grid

    def _reference_list(self, element: Any, place: _Place) -> None:
        """Add a reference list under its own title, or else "References"."""
        place = replace(place, level=place.level + 1, boilerplate=False)
        if element.find("title") is None and element.getparent().tag != "ref-list":
            self.add("References", "heading", place, level=min(place.level, _MAX_HEADING))
        for child in element:
            if child.tag == "ref":
                entry = self.references.by_element.get(child)
                self.add("" if entry is None else entry.text, "reference", place)
            else:
                self.element(child, place)


def _head_height(rows: list[Any]) -> int:
    """Return how many rows make up the header: those of the head, else a first one of headings."""
    in_head = [row.getparent().tag == "thead" for row in rows[:_MAX_HEAD_ROWS]]
    height = in_head.index(False) if False in in_head else len(in_head)
    if height == 0 and rows and len(rows[0]) and all(cell.tag == "th" for cell in rows[0]):
        return 1
    return height


def _span(cell: Any, name: str) -> int:
    stated = cell.get(name) or ""
    return min(int(stated), _MAX_COLUMNS) if _INTEGER.fullmatch(stated) else 1


def _fill(line: list[str], spanning: dict[int, tuple[int, str]]) -> None:
    """Add the cells of rows above that span the next columns of a row."""
    while len(line) in spanning:
        column = len(line)
        left, text = spanning.pop(column)
        if left > 1:
            spanning[column] = (left - 1, text)
        line.append(text)


def _place_cell(
    line: list[str], spanning: dict[int, tuple[int, str]], text: str, cell: Any
) -> None:
    """Add one column of a cell to a row, and note what it leaves for the rows below."""
    column, height = len(line), _span(cell, "rowspan")
    line.append(text)
    if height > 1 and column < _MAX_COLUMNS:
        names_rows = column < _REPEATED_COLUMNS and len(text) <= _REPEATED_LENGTH
        spanning[column] = (height - 1, text if names_rows else "")


def _over_columns(head: list[list[str]]) -> list[str]:
    """Return the texts over each column, from the rows of a table's head."""
    columns = range(max(map(len, head), default=0))
    stacks = [[row[column] for row in head if column < len(row)] for column in columns]
    return [" ".join(filter(None, dict.fromkeys(stack))) for stack in stacks]


# -- metadata -------------------------------------------------------------------------------------

_ID_FORMS = (("pmcid", "pmcid:PMC{}"), ("pmid", "pmid:{}"), ("doi", "doi:{}"))
_ID_TYPES = {"pmc": "pmcid", "pmcid": "pmcid", "pmid": "pmid", "doi": "doi"}
_ADDRESSES = (
    ("doi", "https://doi.org/{}"),
    ("pmcid", "https://pmc.ncbi.nlm.nih.gov/articles/PMC{}/"),
    ("pmid", "https://pubmed.ncbi.nlm.nih.gov/{}/"),
)
_DATES = ("epub", "pub", "ppub", "collection", "epub-ppub", "")
_LICENCE_LENGTH = 120


def _identifiers(meta: Any) -> dict[str, str]:
    """Return the article's own identifiers by kind, without prefixes."""
    found: dict[str, str] = {}
    for element in meta.findall("article-id"):
        kind = _ID_TYPES.get(element.get("pub-id-type") or "", "")
        value = one_line("".join(element.itertext()))
        if kind == "pmcid":
            value = value.upper().removeprefix("PMC")
        if kind and metadata.clean_id(value):
            found.setdefault(kind, value)
    return found


def _first_form(found: Mapping[str, str], forms: tuple[tuple[str, str], ...]) -> str | None:
    return next((form.format(found[kind]) for kind, form in forms if kind in found), None)


def _authors(meta: Any) -> str | None:
    """Return the authors, forenames first; groups by their names."""
    names = []
    for contributor in meta.iterfind("contrib-group/contrib"):
        if contributor.get("contrib-type", "author") != "author":
            continue
        name = next(contributor.iter("name", "string-name"), None)
        parts = [
            "" if name is None else name.findtext(tag) or ""
            for tag in ("given-names", "surname", "suffix")
        ]
        whole = name if name is not None else contributor.find("collab")
        collective = "" if whole is None else _plain(whole)
        names.append(" ".join(filter(None, parts)) or collective)
    return metadata.clean(names)


def _plain(element: Any) -> str:
    """Return the text of an element without what belongs to it but is not its text."""
    texts = [element.text or ""]
    for child in element:
        if child.tag not in ("contrib-group", "xref", "fn", "address", "aff"):
            texts += child.itertext()
        texts.append(child.tail or "")
    return one_line("".join(texts))


def _published(meta: Any) -> str | None:
    """Return the date of publication: the electronic one, else the printed, else any other."""
    dates: dict[str, str] = {}
    for element in meta.findall("pub-date"):
        kind = element.get("pub-type") or element.get("date-type") or ""
        if kind == "pub" and element.get("publication-format") == "print":
            kind = "ppub"
        parts = (element.findtext(tag) for tag in ("year", "month", "day"))
        date = element.get("iso-8601-date") or iso_parts(*parts)
        if date:
            dates.setdefault(kind, metadata.iso_date(date))
    return next((dates[kind] for kind in (*_DATES, *dates) if kind in dates), None)


def _licence(meta: Any) -> str | None:
    """Return the licence in short: "CC BY 4.0", else its address, type or first words."""
    element = meta.find("permissions/license")
    if element is None:
        return None
    links = [element.get(_LINK), element.findtext("license_ref")]
    links += [link.get(_LINK) for link in element.iter("ext-link")]
    stated = [one_line(link) for link in links if link]
    for rule in data.load("jats")["licence"]:
        for link in stated:
            match = re.search(rule["pattern"], link)
            if match:
                return str(rule["name"]).format(match[1].upper(), match[2])
    words = one_line("".join(element.itertext()))
    kind = (element.get("license-type") or "").replace("-", " ")
    return next(filter(None, (*stated[:1], kind, words[:_LICENCE_LENGTH])), None)


def _title(meta: Any, walk: _Walk) -> str:
    """Return the article's title, with its subtitle after a colon."""
    group = meta.find("title-group")
    tags = () if group is None else ("article-title", "subtitle")
    texts = [walk.text_of(group.find(tag)).rstrip(".") for tag in tags]
    return ": ".join(filter(None, texts))


def _meta_of(root: Any) -> Any:
    """Return the article's metadata element; raise RejectedDocument where there is none."""
    meta = root.find("front/article-meta")
    if root.tag != _ARTICLE or meta is None:
        raise RejectedDocument(
            "malformed",
            f"found no front/article-meta in the element {root.tag}; expected a JATS article",
        )
    return meta


def _declared_id(content: bytes, limits: Limits) -> str | None:
    """Return the article's own identifier; nothing after its metadata is parsed."""
    root = parse(content, limits, until="article-meta")
    return _first_form(_identifiers(_meta_of(root)), _ID_FORMS)


def _item(content: bytes, record: Record, limits: Limits) -> Item:
    if not record.closed:
        return record.broken()
    length = record.end - record.start
    try:
        declared_id = _declared_id(content[record.start : record.end], limits)
    except RejectedDocument as rejected:
        error = (rejected.reason, rejected.detail)
        return Item(record.start, length, label=record.label, error=error)
    if declared_id is None:
        error = ("missing_id", "found an article of a set without pmcid, pmid or doi; add one")
        return Item(record.start, length, label=record.label, error=error)
    return Item(record.start, length, declared_id, record.label)


class JatsReader:
    """Reads articles in JATS, and in the NLM format before it."""

    media_type = "application/jats+xml"
    suffixes = (".xml", ".nxml")

    def split(self, content: bytes, options: Options = DEFAULTS) -> Iterator[Item]:
        """Yield the whole file, or each article of a set, under the article's own identifier.

        Raises RejectedDocument as `read` does where the file is no article, and as `records` does
        where it is a set; an article of a set that cannot be used carries its error.
        """
        if root_name(content) != _SET:
            yield Item(0, len(content), _declared_id(content, options.limits))
            return
        for record in records(content, _ARTICLE):
            yield _item(content, record, options.limits)

    def read(self, content: bytes, *, path: str, options: Options = DEFAULTS) -> Document:
        """Return the document in an article.

        Raises RejectedDocument as `parse` does, "malformed" where the article has no metadata, and
        "no_text" where it has neither abstract nor body.
        """
        root = parse(content, options.limits)
        meta = _meta_of(root)
        walk = _Walk(references_of(root), _cited(root), options.limits)
        title = _title(meta, walk)
        walk.builder.add(title, "title")
        for abstract in meta.findall("abstract"):
            if abstract.get("abstract-type") not in _names("skipped_abstracts"):
                walk.abstract(abstract)
        for body in root.findall("body"):
            walk.body(body)
        for floats in root.findall("floats-group"):
            walk.element(floats, _Place())
        written = {block.block for block in walk.builder.blocks}
        for back in root.findall("back"):
            walk.back(back)
        if not written - {"title", "heading", "boilerplate"}:
            raise RejectedDocument(
                "no_text", "found neither an abstract nor a body; expected an article with text"
            )
        text = walk.builder.text
        require_letters(text, "the article")
        found = _identifiers(meta)
        return Document(
            text=text,
            blocks=tuple(walk.builder.blocks),
            media_type=self.media_type,
            declared_id=_first_form(found, _ID_FORMS),
            title=title or None,
            url=_first_form(found, _ADDRESSES),
            publisher=_journal(root),
            author=_authors(meta),
            published=_published(meta),
            language=metadata.clean(root.get(_LANGUAGE)),
            licence=_licence(meta),
            interest="journal",
        )


def _journal(root: Any) -> str | None:
    """Return the title of the journal, else its abbreviation, else the publisher's name."""
    journal = root.find("front/journal-meta")
    tags = () if journal is None else ("journal-title", "abbrev-journal-title", "publisher-name")
    found = (_plain(element) for tag in tags for element in journal.iter(tag))
    return next(filter(None, found), None)


def _cited(root: Any) -> frozenset[str]:
    """Return the ids of the footnotes that the text points to."""
    marks = (xref.get("rid") or "" for xref in root.iter("xref") if xref.get("ref-type") == "fn")
    return frozenset(rid for mark in marks for rid in mark.split())


READER = JatsReader()
