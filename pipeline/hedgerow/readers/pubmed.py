"""PubMed and MEDLINE XML: one document a record, its title and abstract.

The labels of a structured abstract are its headings. PubMed keeps abstracts in English whatever
the language of the article (what it keeps of others, `OtherAbstract`, is not read), so the
language of every document is English.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from hedgerow.errors import RejectedDocument
from hedgerow.readers import metadata
from hedgerow.readers.base import (
    DEFAULTS,
    BlockBuilder,
    Document,
    Item,
    Options,
    one_line,
    require_letters,
)
from hedgerow.readers.xmltree import Record, iso_parts, parse, records, root_name, text_of

_RECORDS = ("PubmedArticle", "PubmedBookArticle")
_CITATION = "MedlineCitation"
_MEDLINE = ("MedlineCitationSet", _CITATION)
ROOTS = ("PubmedArticleSet", *_RECORDS, *_MEDLINE)
"""Local names of the root elements of sets, and of items."""

_PMID = re.compile(rb"<PMID\b[^<>]*>\s*(\d{1,9})\s*</PMID>")
_DISPLAY = frozenset({"DispFormula"})
_UNLABELLED = frozenset({"", "UNLABELLED", "UNASSIGNED"})
_YEAR = re.compile(r"(?:18|19|20)\d\d")
_TRANSLATED = re.compile(r"\[(.*)\]\.?")


def _pmid(content: bytes, start: int, end: int) -> str | None:
    """Return the first PMID in content[start:end], which is the record's own."""
    match = _PMID.search(content, start, end)
    return match[1].decode() if match else None


def _item(content: bytes, record: Record) -> Item:
    if not record.closed:
        return record.broken()
    length = record.end - record.start
    pmid = _pmid(content, record.start, record.end)
    if pmid is None:
        error = ("missing_id", "found a record without a PMID; add one or remove the record")
        return Item(record.start, length, label=record.label, error=error)
    return Item(record.start, length, f"pmid:{pmid}", record.label)


class PubmedReader:
    """Reads PubMed and MEDLINE XML, one record or sets of them."""

    media_type = "application/pubmed+xml"
    suffixes = (".xml",)

    def split(self, content: bytes, options: Options = DEFAULTS) -> Iterator[Item]:
        """Yield one item a record; a record that does not end, or has no PMID, carries its error.

        Raises RejectedDocument as `records` does.
        """
        names = (_CITATION,) if root_name(content) in _MEDLINE else _RECORDS
        for record in records(content, *names):
            yield _item(content, record)

    def read(self, content: bytes, *, path: str, options: Options = DEFAULTS) -> Document:
        """Return the document in one record.

        Raises RejectedDocument "no_text" where the record has no abstract.
        """
        root = parse(content, options.limits)
        citation = _first(root, "MedlineCitation", "BookDocument")
        if citation is None:
            raise RejectedDocument(
                "malformed", f"found no citation in the {root.tag}; expected a MedlineCitation"
            )
        article = citation.find("Article")
        article = citation if article is None else article
        pmid = _pmid(content, 0, len(content))
        builder = BlockBuilder(options.limits)
        title = _title(article)
        builder.add(title, "title")
        _add_abstract(builder, article.find("Abstract"), pmid)
        return Document(
            text=builder.text,
            blocks=tuple(builder.blocks),
            media_type=self.media_type,
            declared_id=f"pmid:{pmid}" if pmid else None,
            title=title or None,
            url=f"https://pubmed.ncbi.nlm.nih.gov/{pmid}/" if pmid else None,
            publisher=_text(article, "Journal/Title", "Book/BookTitle"),
            author=_authors(article),
            published=_published(article),
            language="en",
            interest="journal",
        )


def _first(root: Any, *names: str) -> Any:
    """Return the root or the first element in it that bears one of the names."""
    return next(root.iter(*names), None)


def _text(element: Any, *paths: str) -> str | None:
    """Return the text at the first of the paths that has any."""
    for path in paths:
        found = element.find(path)
        text = "" if found is None else one_line(text_of(found, _DISPLAY))
        if text:
            return text
    return None


def _title(article: Any) -> str:
    """Return the title without the brackets that mark a translated one, and without final stop."""
    title = _text(article, "ArticleTitle", "Book/BookTitle") or ""
    translated = _TRANSLATED.fullmatch(title)
    return (translated[1] if translated else title).rstrip(".").strip()


def _add_abstract(builder: BlockBuilder, abstract: Any, pmid: str | None) -> None:
    """Add the heading "Abstract", and each part of the abstract under its label."""
    parts = [] if abstract is None else abstract.findall("AbstractText")
    texts = [one_line(text_of(part, _DISPLAY)) for part in parts]
    if not any(texts):
        raise RejectedDocument(
            "no_text", f"found no abstract in the record of PMID {pmid or '(none)'}"
        )
    require_letters(" ".join(texts), "the abstract")
    builder.add("Abstract", "heading", level=2)
    for part, text in zip(parts, texts, strict=True):
        label = one_line(part.get("Label") or "").rstrip(":")
        if text and label.upper() not in _UNLABELLED:
            builder.add(label, "heading", level=3)
        builder.add(text, "paragraph")


def _authors(article: Any) -> str | None:
    """Return the authors, forenames first; editors and investigators are left out."""
    names = []
    for group in article.findall("AuthorList"):
        if group.get("Type") == "editors":
            continue
        for author in group.findall("Author"):
            parts = [author.findtext(tag) or "" for tag in ("ForeName", "LastName", "Suffix")]
            names.append(" ".join(filter(None, parts)) or _text(author, "CollectiveName"))
    return metadata.clean(names)


def _published(article: Any) -> str | None:
    """Return the date of publication: the electronic one, else the issue's, else the book's."""
    for path in ("ArticleDate", "Journal/JournalIssue/PubDate", "Book/PubDate"):
        parts = [article.findtext(f"{path}/{tag}") for tag in ("Year", "Month", "Day")]
        loose = _YEAR.search(article.findtext(f"{path}/MedlineDate") or "")
        date = iso_parts(*parts) or (loose[0] if loose else None)
        if date:
            return date
    return None


READER = PubmedReader()
