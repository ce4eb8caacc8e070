"""What must hold for any bytes at all: `check` reads them and tries every promise."""

from __future__ import annotations

import hashlib
import io
import itertools
import tempfile
import traceback
import zipfile
from collections.abc import Mapping
from functools import lru_cache, partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from hedgerow import corpus, tables
from hedgerow.errors import RejectedDocument
from hedgerow.limits import Limits
from hedgerow.readers import reader_for
from hedgerow.readers.base import Document, Item, normalise
from hedgerow.readers.language import language_of
from hedgerow.readers.metadata import MAX_ID
from hedgerow.settings import Settings
from hedgerow.stages import documents, sentences
from hedgerow.tasks import ITEMS

FILES: Mapping[str, str] = {
    "text": "a.txt",
    "markdown": "a.md",
    "html": "a.html",
    "jsonl": "a.jsonl",
    "jats": "a.nxml",
    "pubmed": "a.xml",
    "pdf": "a.pdf",
    "docx": "a.docx",
    "csv": "a.csv",
    "tsv": "a.tsv",
    "parquet": "a.parquet",
    "packed": "a.txt.gz",
}
"""A reader's name here, and the name of a file that it reads."""

PACKING: Mapping[bytes, str] = {b"BZh": ".bz2", b"\x28\xb5\x2f\xfd": ".zst"}
"""How packed bytes begin, and the ending of the name of a file of them; .gz is any other."""

LIMITS = Limits(unpacked_bytes=1 << 20)
MAX_GROWTH = 400
"""Bytes of tables for a byte of the document: the rows of a block of one letter and a line end."""
_ALLOWANCE = 50_000
_DEFECTS = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    IndexError,
    KeyError,
    NameError,
    RecursionError,
    TypeError,
)
_PACKAGE = str(Path(documents.__file__).parents[1])


class BrokenPromise(AssertionError):
    """Something that must hold for every document does not."""


def check(name: str, content: bytes) -> int:
    """Read a file with the reader `name` and run its documents through the first two stages.

    Returns the bytes of its documents, which a packed file may have few of itself; 0 without any.
    Raises BrokenPromise, or whatever the reader let escape, at the first defect.
    """
    if name == "packed":
        content = _unpack(content)
        if content is None:
            return 0
    path = FILES[name].removesuffix(".gz")
    items = _split(path, content)
    if not items:
        return 0
    rows = []
    read: dict[str, Document] = {}
    for number, item in enumerate(items):
        if item.error is not None:
            continue
        data = corpus.item_bytes(content, item)
        doc_id = f"{number:06}"
        document = _read(path, data)
        if document is not None:
            _check_document(document)
            _rejected(partial(language_of, document, ("en",)))
            read[doc_id] = document
        rows.append(
            {
                "path": path,
                "ordinal": number,
                "label": item.label,
                "doc_id": doc_id,
                "sha256": hashlib.sha256(data).hexdigest(),
                "content": data,
                "override": None,
            }
        )
    found = documents.STAGE.run({"items": pa.Table.from_pylist(rows, schema=ITEMS)}, _resources())
    _check_rejects(found.pop("rejects"))
    stated = found["documents"].to_pylist()
    promise(
        [row["doc_id"] for row in stated] == sorted(read),
        "the stage read other documents than the reader",
    )
    for row in stated:
        document = read[row["doc_id"]]
        promise(row["text"] == document.text, "two readings gave two texts")
    blocks = found["blocks"].to_pylist()
    spans = [
        (doc_id, block.start, block.end, block.block)
        for doc_id, document in sorted(read.items())
        for block in document.blocks
    ]
    promise(
        [(b["doc_id"], b["start"], b["end"], b["block"]) for b in blocks] == spans,
        "two readings gave two lists of blocks",
    )
    found |= sentences.STAGE.run(found, _resources())
    tables.check(found)
    _check_sentences(found)
    size = sum(table.nbytes for table in found.values())
    given = max(len(content), sum(len(row["content"]) for row in rows), _unzipped(content))
    promise(
        size <= _ALLOWANCE + MAX_GROWTH * given, f"{size:,} bytes of tables from {given:,} bytes"
    )
    return given


def _unzipped(content: bytes) -> int:
    """Return how many bytes a zip archive holds; 0 for other files."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            return sum(part.file_size for part in archive.infolist())
    except Exception:  # no archive, or a broken one, which the reader has judged by now
        return 0


def promise(kept: bool, what: str) -> None:
    """Raise BrokenPromise where a promise is not kept."""
    if not kept:
        raise BrokenPromise(what)


@lru_cache(maxsize=1)
def language() -> Any:
    """Return a pipeline that only tokenizes, as the model does: its weights change no span."""
    import spacy

    from hedgerow.nlp.tokenizer import make_tokenizer

    nlp = spacy.blank("en")
    nlp.tokenizer = make_tokenizer(nlp)
    return nlp


@lru_cache(maxsize=1)
def _resources() -> Any:
    return SimpleNamespace(language=language(), settings=Settings(languages=()))


@lru_cache(maxsize=1)
def _folder() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory()


def _unpack(content: bytes) -> bytes | None:
    """Return the bytes in a packed file, through a file as a scan reads it; None for a reject."""
    ending = next((e for magic, e in PACKING.items() if content.startswith(magic)), ".gz")
    file = Path(_folder().name) / f"a.txt{ending}"
    file.write_bytes(content)
    first, second = (_rejected(lambda: corpus.read_bytes(file, LIMITS)) for _ in range(2))
    promise(first == second, "two unpackings gave two results")
    promise(first is None or len(first) <= LIMITS.unpacked_bytes, "more bytes than the limit")
    return first


def _rejected(call: Any) -> Any:
    """Return what a call returns; None where it rejects the document, as it should."""
    try:
        return call()
    except RejectedDocument as rejected:
        _check_reject(rejected.reason, rejected.detail)
        cause = rejected.__cause__
        if cause is not None and _is_defect(cause):
            raise cause from None
        return None


def _is_defect(cause: BaseException) -> bool:
    """Return whether what a reject was made of is an error in our own code, not a parser's."""
    frames = traceback.extract_tb(cause.__traceback__)
    if not frames or not frames[-1].filename.startswith(_PACKAGE):
        return False
    unread = isinstance(cause, ValueError) and "int(" in (frames[-1].line or "")
    return unread or isinstance(cause, _DEFECTS)


def _check_reject(reason: str, detail: str) -> None:
    promise(reason in tables.REASONS, f"unknown reason {reason!r}")
    promise(bool(detail.strip()), "a reject that says nothing")
    promise(len(detail) <= 10_000, f"a reject of {len(detail):,} characters")
    detail.encode()


def _split(path: str, content: bytes) -> list[Item]:
    reader = reader_for(path)
    assert reader is not None
    most = len(content) + 2
    items = _rejected(lambda: list(itertools.islice(reader.split(content), most))) or []
    promise(len(items) < most, "more items than bytes")
    end = 0
    for item in items:
        item.label.encode()
        if item.error is not None:
            _check_reject(*item.error)
        if item.declared_id is not None:
            promise(0 < len(item.declared_id.strip()) <= MAX_ID + 20, "a blank or endless id")
            item.declared_id.encode()
        if item.content is None:
            promise(item.length >= 0 and (item.length == 0 or item.offset >= end), "items overlap")
            end = max(end, item.offset + item.length)
            promise(end <= len(content), "an item ends after its file")
    return items


def _read(path: str, data: bytes) -> Document | None:
    reader = reader_for(path)
    assert reader is not None
    return _rejected(lambda: reader.read(data, path=path))


def _check_document(document: Document) -> None:
    """Try what `readers.base.Document` and `Block` promise."""
    text = document.text
    promise(normalise(text) == text, "the text is not normalised")
    promise(any(map(str.isalpha, text)), "a document without a letter")
    end = 0
    blocks = document.blocks
    promise(bool(blocks), "a document without blocks")
    for index, block in enumerate(blocks):
        quote = text[block.start : block.end]
        promise(end <= block.start < block.end <= len(text), "blocks overlap or leave the text")
        promise(not text[end : block.start].strip(), "text between blocks")
        promise(quote == quote.strip(), "a block with a blank at its end")
        promise(block.block in tables.BLOCKS, f"unknown block {block.block!r}")
        promise(block.level is None or 1 <= block.level <= 127, f"level {block.level}")
        promise(block.row is None or block.row >= 0, f"row {block.row}")
        promise(block.page is None or block.page >= 1, f"page {block.page}")
        promise(block.parent is None or 0 <= block.parent < index, "a parent after its block")
        end = block.end
    pages = [block.page for block in blocks if block.page is not None]
    promise(pages == sorted(pages), "pages out of order")


def _check_rejects(rejects: pa.Table) -> None:
    for row in rejects.to_pylist():
        promise(
            not row["detail"].startswith("the parser failed"), f"the stage caught {row['detail']}"
        )


def _check_sentences(found: Mapping[str, pa.Table]) -> None:
    """Sentences lie in their blocks, in order, and leave out blanks alone; tokens likewise."""
    texts = dict(
        zip(*(found["documents"].column(c).to_pylist() for c in ("doc_id", "text")), strict=True)
    )
    _check_nested(texts, found["blocks"], "block_id", found["sentences"])
    _check_nested(texts, found["sentences"], "sentence_id", found["tokens"])
    references = found["references"]
    blocks = found["blocks"]
    kept = blocks.filter(pc.equal(pc.cast(blocks.column("block"), pa.string()), "reference"))
    promise(references.num_rows == kept.num_rows, "a reference block without its entry")


def _check_nested(texts: Mapping[str, str], outer: pa.Table, key: str, inner: pa.Table) -> None:
    spans: dict[str, list[tuple[int, int]]] = {}
    for owner, start, end in zip(
        *(inner.column(c).to_pylist() for c in (key, "start", "end")), strict=True
    ):
        spans.setdefault(owner, []).append((start, end))
    for owner, doc_id, start, end in zip(
        *(outer.column(c).to_pylist() for c in (key, "doc_id", "start", "end")), strict=True
    ):
        text, position = texts[doc_id], start
        for first, last in [*sorted(spans.pop(owner, [])), (end, end)]:
            promise(position <= first <= last <= end, f"spans of one {key} overlap or leave it")
            promise(not text[position:first].strip(), f"text of a {key} in none of its spans")
            position = last
    promise(not spans, f"spans of an unknown {key}")
