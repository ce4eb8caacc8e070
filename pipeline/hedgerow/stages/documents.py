"""documents: read, normalise, split into blocks, take metadata and language, parse references."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from hedgerow import readers, tables
from hedgerow.errors import RejectedDocument
from hedgerow.ids import occurrence_ids
from hedgerow.nlp import references
from hedgerow.readers import Document, Options
from hedgerow.readers.language import language_of
from hedgerow.readers.metadata import interest_of, override
from hedgerow.stages.base import Stage, Tables

if TYPE_CHECKING:
    from hedgerow.resources import Resources

_MAX_REPEATED = 1_000
"""Characters of what other rows repeat: a longer heading, title, publisher or address is cut."""
_NO_SECTION = frozenset({"title", "boilerplate"})


def _run(inputs: Tables, resources: Resources) -> dict[str, pa.Table]:
    """Read every row of `items` (path, label, doc_id, sha256, content, override as JSON).

    A document that cannot be used becomes a row of `rejects`; so does one on which a parser fails
    in a way that its own rejection does not cover: such bytes are malformed, and the reject says
    what the parser said.
    """
    rows: dict[str, list[Mapping[str, Any]]] = {
        name: [] for name in ("documents", "blocks", "references", "rejects")
    }
    options = Options.of(resources.settings)
    for item in inputs["items"].to_pylist():
        try:
            document = _read(item, options, resources.settings.languages)
        except RejectedDocument as rejected:
            rows["rejects"].append(_reject(item, rejected))
            continue
        rows["documents"].append(_document_row(item, document))
        rows["blocks"] += _block_rows(item["doc_id"], document)
        rows["references"] += _reference_rows(item["doc_id"], document)
    return {
        name: tables.conform(name, tables.from_rows(name, found)) for name, found in rows.items()
    }


def _read(item: Mapping[str, Any], options: Options, languages: Sequence[str]) -> Document:
    document = readers.read(item["path"], item["content"], options)
    entry = json.loads(item["override"]) if item["override"] else {}
    document = override(document, entry)
    if "language" in entry:  # the user knows better than the text
        return document
    return replace(document, language=language_of(document, languages))


def _reject(item: Mapping[str, Any], rejected: RejectedDocument) -> dict[str, Any]:
    return {
        "path": item["path"],
        "item": item["label"],
        "stage": "documents",
        "reason": rejected.reason,
        "detail": rejected.detail,
        "transient": rejected.transient,
    }


def _document_row(item: Mapping[str, Any], document: Document) -> dict[str, Any]:
    interest, basis = interest_of(document)
    if item["override"] and "interest" in json.loads(item["override"]):
        basis = f"{basis} in sources.toml"
    return {
        "doc_id": item["doc_id"],
        "path": item["path"],
        "url": _cut(document.url),
        "title": _cut(document.title),
        "publisher": _cut(document.publisher),
        "author": document.author,
        "published": document.published,
        "media_type": document.media_type,
        "language": document.language,
        "licence": document.licence,
        "interest": interest,
        "interest_basis": basis,
        "source_sha256": item["sha256"],
        "text": document.text,
    }


def _cut(value: str | None) -> str | None:
    return value and value[:_MAX_REPEATED]


def _block_rows(doc_id: str, document: Document) -> Iterator[dict[str, Any]]:
    texts = [document.text[block.start : block.end] for block in document.blocks]
    ids = list(occurrence_ids(doc_id, texts))
    section: str | None = None
    for index, (block, text) in enumerate(zip(document.blocks, texts, strict=True)):
        yield {
            "block_id": ids[index],
            "doc_id": doc_id,
            "index": index,
            "start": block.start,
            "end": block.end,
            "block": block.block,
            "level": block.level,
            "section": None if block.block in _NO_SECTION else section,
            "parent_id": None if block.parent is None else ids[block.parent],
            "row": block.row,
            "page": block.page,
        }
        if block.block == "heading":
            section = text[:_MAX_REPEATED]


def _reference_rows(doc_id: str, document: Document) -> Iterator[dict[str, Any]]:
    entries = [block for block in document.blocks if block.block == "reference"]
    texts = [document.text[block.start : block.end] for block in entries]
    for index, (reference_id, block, text) in enumerate(
        zip(occurrence_ids(doc_id, texts), entries, texts, strict=True)
    ):
        yield {
            "reference_id": reference_id,
            "doc_id": doc_id,
            "index": index,
            "start": block.start,
            "end": block.end,
            "raw": text,
            **vars(references.parse(text)),
        }


STAGE = Stage(
    name="documents",
    version=3,
    inputs=("items",),
    outputs=("documents", "blocks", "references", "rejects"),
    uses=("source settings", "limits", "dependencies"),
    run=_run,
)
