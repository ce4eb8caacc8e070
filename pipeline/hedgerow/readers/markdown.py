"""Markdown: CommonMark with tables and footnotes, and YAML front matter for what it declares.

Inline mark-up becomes its text, a link its label, an image its alternative text (a caption).
Numbered lists keep their numbers and bulleted ones get "•", as plain text has them, so that a
list item reads the same whatever the format. Footnotes are reference entries and their markers
are "[label]". Code blocks hold no prose and are left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

import yaml
from markdown_it import MarkdownIt
from markdown_it.rules_core import StateCore
from markdown_it.tree import SyntaxTreeNode
from mdit_py_plugins.footnote import footnote_plugin

from hedgerow.errors import RejectedDocument
from hedgerow.limits import Limits
from hedgerow.readers import metadata
from hedgerow.readers.base import (
    DEFAULTS,
    BlockBuilder,
    Document,
    Item,
    Options,
    decode,
    normalise,
    require_few_lines,
    require_letters,
)
from hedgerow.readers.lines import is_reference, is_reference_heading

_FRONT_MATTER = re.compile(
    r"\s*---[ \t]*\n(.*?)^(?:---|\.\.\.)[ \t]*(?:\n|\Z)", re.DOTALL | re.MULTILINE
)
_TAG = re.compile(r"</?(?P<name>[a-zA-Z][\w-]*)(?![\w-])[^<>]*>|<!--.*?(?:-->|\Z)", re.DOTALL)
_MAX_FRONT_MATTER = 100_000
"""Characters of front matter; it is parsed in the main process, slowly."""
_MAX_BOLD_HEADING = 100


def front_matter(text: str) -> tuple[dict[str, Any], str]:
    """Return (fields, body) of a Markdown text: its YAML front matter, and what follows.

    Scalars stay as written ("0042" and "2025-09-18" are strings). A text that only begins with a
    thematic break has no front matter. Raises RejectedDocument "malformed" where the front matter
    is no YAML.
    """
    match = _FRONT_MATTER.match(text)
    if match is None:
        return {}, text
    if len(match[1]) > _MAX_FRONT_MATTER:
        raise RejectedDocument(
            "too_large",
            f"found {len(match[1]):,} characters of front matter; expected at most "
            f"{_MAX_FRONT_MATTER:,}; shorten it",
        )
    try:
        fields = yaml.load(match[1], Loader=_Loader)
    except (yaml.YAMLError, RecursionError) as error:
        problem = " ".join(str(error).split()) or type(error).__name__
        raise RejectedDocument(
            "malformed", f"found front matter that is no YAML: {problem}; mend it or remove it"
        ) from error
    if isinstance(fields, dict):
        return fields, text[match.end() :]
    return ({}, text[match.end() :]) if not match[1].strip() else ({}, text)


class _Loader(yaml.BaseLoader):
    """Builds strings, lists and mappings only, and refuses aliases, which multiply."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):
            raise yaml.YAMLError("an alias (*name) is not allowed")
        return super().compose_node(parent, index)


_MAX_BRACKET_SPAN = 500_000
"""Characters in brackets, each counted once for every bracket around it, beyond twice the text:
for each opening bracket the parser looks for the closing one. Honest pages stay below 100,000."""


_MARKS = re.compile(r"[*_`\[\]<>|~!\\&]")


def _require_closed_brackets(state: StateCore) -> None:
    """Raise RejectedDocument where looking for closing brackets would take very long."""
    texts = [token.content for token in state.tokens if token.type == "inline"]
    most = _MAX_BRACKET_SPAN + 2 * sum(map(len, texts))
    total = 0
    for text in texts:
        opened: list[int] = []
        for match in _BRACKET.finditer(text):
            if match[0] == "[":
                opened.append(match.start())
            elif opened:
                total += match.start() - opened.pop()
        total += sum(len(text) - start for start in opened)
        if total > most:
            raise RejectedDocument(
                "malformed",
                f"found {len(opened):,} brackets that are not closed, or as many in each other; "
                "expected links and citations; close or remove them",
            )


_BRACKET = re.compile(r"[\[\]]")


def _tree(body: str, limits: Limits) -> SyntaxTreeNode:
    """Return the syntax tree of a Markdown text.

    The parser passes over what is nested more deeply than it may go, so it may go one step
    further than the limit, and a text that gets there is rejected.
    """
    marks = sum(1 for _ in _MARKS.finditer(body))
    limits.check("tags", marks, "characters of mark-up")
    parser = MarkdownIt("commonmark", {"maxNesting": limits.depth + 1}).enable("table")
    parser.use(footnote_plugin).core.ruler.after("block", "brackets", _require_closed_brackets)
    tokens = parser.parse(body)
    deepest = max((token.level + (token.nesting > 0) for token in tokens), default=0)
    limits.check("depth", deepest, "lists or quotes or more inside one another")
    return SyntaxTreeNode(tokens)


def _inline(nodes: Sequence[SyntaxTreeNode], images: list[str] | None = None) -> str:
    """Return the plain text of inline nodes. Image texts go to `images`, where that is given."""
    parts: list[str] = []
    for node in nodes:
        if node.type == "image":
            alt = node.content
            if images is None:
                parts.append(alt)
            else:
                images.append(alt)
        elif node.type in ("softbreak", "hardbreak"):
            parts.append(" ")
        elif node.type == "footnote_ref":
            label = node.meta.get("label") or str(node.meta["id"] + 1)
            parts.append(f"[{label}]")
        elif node.type == "html_inline":
            parts.append(" " if node.content.lower().startswith("<br") else "")
        elif node.children:
            parts.append(_inline(node.children, images))
        else:
            parts.append(node.content)
    return "".join(parts)


class _Walk:
    """Turns a syntax tree into blocks."""

    def __init__(self, limits: Limits) -> None:
        self.builder = BlockBuilder(limits)
        self.title: str | None = None
        self.in_references = False

    def blocks(self, nodes: Sequence[SyntaxTreeNode]) -> None:
        for node in nodes:
            method = getattr(self, f"_{node.type}", None)
            if method is not None:
                method(node)

    def _heading(self, node: SyntaxTreeNode) -> None:
        text = _inline(node.children)
        self.in_references = is_reference_heading(text)
        level = int(node.tag[1])
        if level == 1 and self.title is None and not self._has_heading():
            self.builder.add(text, "title")
            self.title = text
            return
        self.builder.add(text, "heading", level=level)

    def _has_heading(self) -> bool:
        return any(block.block == "heading" for block in self.builder.blocks)

    def _paragraph(self, node: SyntaxTreeNode) -> None:
        images: list[str] = []
        text = _inline(node.children, images)
        if text.strip():
            self.builder.add(text, self._kind(text, node))
        for alt in images:
            self.builder.add(alt, "caption")

    def _kind(self, text: str, node: SyntaxTreeNode) -> str:
        """Return what a paragraph is: an entry, a heading in bold alone, or a paragraph."""
        if self.in_references and is_reference(text, listed=True):
            return "reference"
        (inline,) = node.children
        shown = [child.type for child in inline.children if child.type != "text" or child.content]
        bold = shown == ["strong"]
        short = len(text) <= _MAX_BOLD_HEADING and not text.rstrip().endswith((".", ":", ";", ","))
        return "heading" if bold and short else "paragraph"

    def _blockquote(self, node: SyntaxTreeNode) -> None:
        self.blocks(node.children)

    def _html_block(self, node: SyntaxTreeNode) -> None:
        self.builder.add(_TAG.sub(" ", node.content), "paragraph")

    def _bullet_list(self, node: SyntaxTreeNode) -> None:
        self._list(node, level=1, parent=self._lead_in())

    def _ordered_list(self, node: SyntaxTreeNode) -> None:
        self._list(node, level=1, parent=self._lead_in())

    def _lead_in(self) -> int | None:
        """Return the block before, where it ends in a colon."""
        last = len(self.builder.blocks) - 1
        if last >= 0 and self.builder.text_of(last).endswith(":"):
            return last
        return None

    def _list(self, node: SyntaxTreeNode, *, level: int, parent: int | None) -> None:
        number = int(node.attrs.get("start", 1)) if node.type == "ordered_list" else None
        for item in node.children:
            mark = "•" if number is None else f"{number}."
            self._item(item, mark, level=level, parent=parent)
            number = None if number is None else number + 1

    def _item(self, item: SyntaxTreeNode, mark: str, *, level: int, parent: int | None) -> None:
        """Add a list item: its first paragraph; further ones are items below the same parent."""
        own: int | None = None
        for child in item.children:
            if child.type in ("bullet_list", "ordered_list"):
                outer = parent if own is None else own
                self._list(child, level=level + 1, parent=outer)
            elif child.type == "paragraph":
                text = _inline(child.children)
                lead = f"{mark} " if own is None else ""
                if self.in_references and own is None:
                    kept = text if mark == "•" else lead + text
                    added = self.builder.add(kept, "reference")
                else:
                    added = self.builder.add(
                        lead + text if text.strip() else "",
                        "list_item",
                        level=min(level, 127),
                        parent=parent if own is None else own,
                    )
                own = added if own is None else own
            else:
                self.blocks([child])

    def _table(self, node: SyntaxTreeNode) -> None:
        header: int | None = None
        number = 0
        for section in node.children:
            for row in section.children:
                text = " | ".join(_inline(cell.children).strip() for cell in row.children)
                if not text.strip(" |"):
                    continue
                added = self.builder.add(text, "table_row", parent=header, row=number)
                header = added if header is None else header
                number += 1

    def _footnote_block(self, node: SyntaxTreeNode) -> None:
        for note in node.children:
            label = note.meta.get("label") or str(note.meta["id"] + 1)
            text = " ".join(_inline(child.children) for child in note.children)
            self.builder.add(f"[{label}] {text}", "reference")


class MarkdownReader:
    """Reads .md and .markdown files."""

    media_type = "text/markdown"
    suffixes = (".md", ".markdown")

    def split(self, content: bytes, options: Options = DEFAULTS) -> Iterator[Item]:
        """Yield the whole file as one item, with the id that its front matter declares."""
        try:
            fields, _ = front_matter(normalise(decode(content)))
        except RejectedDocument as rejected:
            yield Item(0, len(content), error=(rejected.reason, rejected.detail))
            return
        yield Item(0, len(content), metadata.clean_id(fields.get("id")))

    def read(self, content: bytes, *, path: str, options: Options = DEFAULTS) -> Document:
        """Return the document in a Markdown file."""
        source = normalise(decode(content))
        if not source.strip():
            raise RejectedDocument("empty", "found only blank text; put text into the file")
        require_few_lines(source, options.limits)
        fields, body = front_matter(source)
        walk = _Walk(options.limits)
        walk.blocks(_tree(body, options.limits).children)
        text = walk.builder.text
        require_letters(text, "the file")
        found: dict[str, Any] = dict(metadata.declared(fields))
        found.setdefault("title", walk.title)
        return Document(
            text=text,
            blocks=tuple(walk.builder.blocks),
            media_type=self.media_type,
            declared_id=metadata.clean_id(fields.get("id")),
            **found,
        )


READER = MarkdownReader()
