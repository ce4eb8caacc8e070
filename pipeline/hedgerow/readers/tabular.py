"""Tables of abstracts: a row of a CSV, TSV or Parquet file is a document.

A row cannot be read without the names of its columns, so each item carries its row as one JSON
line (`Item.content`), and reading it is what reading a line of JSON Lines is.
"""

from __future__ import annotations

import csv
import datetime
import io
import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from hedgerow.errors import RejectedDocument
from hedgerow.readers import jsonl, metadata
from hedgerow.readers.base import Document, Item, decode

MAX_COLUMNS = 1_000
MAX_FIELD_CHARACTERS = 20_000_000
MAX_PARQUET_BYTES = 2_000_000_000
"""Bytes that a Parquet file may hold once decompressed, as its own footer states them."""

_BATCH_ROWS = 256
_MAGIC = b"PAR1"

COLUMNS: Mapping[str, tuple[str, ...]] = {
    "id": ("id", "doc_id", "pmid"),
    "text": ("text", "abstract", "abstract_text", "abstracttext"),
    "title": ("title", "article_title", "articletitle"),
    "url": ("url", "link"),
    "publisher": ("publisher", "journal", "source", "venue"),
    "author": ("author", "authors"),
    "published": ("published", "date", "publication_date", "pubdate", "year"),
    "language": ("language", "lang"),
    "licence": ("licence", "license"),
    "interest": ("interest",),
}
"""Field of a document by the column names that give it, the first found first; any case."""

_PREFIXES = {"pmid": "pmid:"}


def _key(name: Any) -> str:
    return str(name).strip().lower().replace(" ", "_").replace("-", "_")


_Plan = Mapping[str, tuple[tuple[int, str], ...]]
"""(position of a column, prefix of its values) of the columns that give each field."""


def _plan(names: Sequence[Any]) -> _Plan:
    """Return which columns give which field.

    Raises RejectedDocument "malformed" where none gives the text.
    """
    if len(names) > MAX_COLUMNS:
        raise RejectedDocument(
            "too_large",
            f"found {len(names):,} columns; expected at most {MAX_COLUMNS:,} (MAX_COLUMNS)",
        )
    keys = [_key(name) for name in names]
    plan = {
        field: tuple((keys.index(a), _PREFIXES.get(a, "")) for a in aliases if a in keys)
        for field, aliases in COLUMNS.items()
    }
    if not plan["text"]:
        shown = ", ".join(str(name)[:40] for name in names[:20])
        raise RejectedDocument(
            "malformed",
            f"found the columns {shown}; expected one named text or abstract, beside id or pmid",
        )
    return {field: places for field, places in plan.items() if places}


def _fields(row: Callable[[int], Any], plan: _Plan) -> dict[str, str]:
    """Return the fields of a row; a field takes its first column that is not blank."""
    found: dict[str, str] = {}
    for field, places in plan.items():
        values = ((prefix, _text(row(place))) for place, prefix in places)
        value = next((prefix + text for prefix, text in values if text.strip()), None)
        if value is not None:
            found[field] = value
    return found


def _text(value: Any) -> str:
    """Return a cell as text; a missing one, or a structure that holds no text, is empty."""
    if isinstance(value, str):
        return value
    if isinstance(value, float) and (math.isnan(value) or value.is_integer()):
        return "" if math.isnan(value) else str(int(value))
    if isinstance(value, datetime.datetime):
        return value.date().isoformat()
    if isinstance(value, datetime.date | Decimal):
        return str(value)
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return metadata.clean(value) or ""


def _item(fields: Mapping[str, str], label: str) -> Item:
    """Return the item of a row. It is no slice of the file, so offset and length are 0."""
    if "text" not in fields:
        return Item(0, 0, label=label, error=("empty", "found a blank text; fill the column"))
    line = json.dumps(fields, ensure_ascii=False).encode("utf-8", "surrogatepass")
    identity = metadata.clean_id(fields.get("id"))
    if identity is None:
        error = ("missing_id", "found no id; fill the column id or pmid")
        return Item(0, 0, label=label, error=error)
    return Item(0, 0, identity, label, content=line)


class _RowReader:
    """Reads an item of a table: the JSON line that it carries."""

    media_type: str

    def read(self, content: bytes, *, path: str) -> Document:
        """Return the document in the JSON line that an item of `split` carries."""
        return replace(jsonl.READER.read(content, path=path), media_type=self.media_type)


class DelimitedReader(_RowReader):
    """Reads .csv or .tsv files whose first row names the columns.

    Fields may be quoted as in RFC 4180, and quoted ones may hold line ends.
    """

    def __init__(self, media_type: str, suffixes: tuple[str, ...], delimiters: str) -> None:
        self.media_type = media_type
        self.suffixes = suffixes
        self.delimiters = delimiters

    def split(self, content: bytes) -> Iterator[Item]:
        """Yield one item a row; a row that cannot be used carries its error.

        Raises RejectedDocument where the file is no text or its header names no column of texts.
        """
        text = decode(content)
        rows = csv.reader(
            io.StringIO(text, newline=""), delimiter=self._delimiter(text), strict=True
        )
        plan: _Plan | None = None
        width = 0
        while True:
            label = f"line {rows.line_num + 1}"
            try:
                row = _next(rows)
            except csv.Error as error:
                if plan is None:
                    raise RejectedDocument("malformed", f"found no header: {error}") from error
                detail = f"found a row that is no CSV: {error}; quote it as RFC 4180 says"
                yield Item(0, 0, label=label, error=("malformed", detail))
                continue
            if row is None:
                break
            if not any(map(str.strip, row)):
                continue
            if plan is None:
                plan, width = _plan(row), len(row)
            elif len(row) != width:
                detail = f"found {len(row)} fields; expected {width}, as the header has; mend it"
                yield Item(0, 0, label=label, error=("malformed", detail))
            else:
                yield _item(_fields(row.__getitem__, plan), label)

    def _delimiter(self, text: str) -> str:
        """Return the delimiter that the header has most of; the first of equals."""
        header = text.lstrip("\n\r ").partition("\n")[0]
        return max(self.delimiters, key=header.count)


def _next(rows: Any) -> list[str] | None:
    """Return the next row; None after the last. The csv module's own limit is process-wide."""
    before = csv.field_size_limit(MAX_FIELD_CHARACTERS)
    try:
        return next(rows, None)
    finally:
        csv.field_size_limit(before)


class ParquetReader(_RowReader):
    """Reads .parquet files."""

    media_type = "application/vnd.apache.parquet"
    suffixes = (".parquet",)

    def split(self, content: bytes) -> Iterator[Item]:
        """Yield one item a row; a row that cannot be used carries its error.

        Raises RejectedDocument where the file is no Parquet, is larger than the limit once
        decompressed, or has no column of texts.
        """
        if not content:
            raise RejectedDocument("empty", "found an empty file; expected Parquet; remove it")
        if not (content.startswith(_MAGIC) and content.endswith(_MAGIC)):
            raise RejectedDocument(
                "malformed", "found no PAR1 at both ends; expected a whole Parquet file"
            )
        try:
            file = pq.ParquetFile(pa.BufferReader(content))
            size = sum(
                file.metadata.row_group(i).total_byte_size
                for i in range(file.metadata.num_row_groups)
            )
        except (pa.ArrowException, OSError) as error:
            raise _broken(error) from error
        if size > MAX_PARQUET_BYTES:
            raise RejectedDocument(
                "too_large",
                f"found {size:,} bytes once decompressed; expected at most {MAX_PARQUET_BYTES:,} "
                "(MAX_PARQUET_BYTES); split the file",
            )
        names = file.schema_arrow.names
        plan = _plan(names)
        used = sorted({place for places in plan.values() for place, _ in places})
        if any(names.count(names[i]) > 1 for i in used):
            raise RejectedDocument("malformed", "found two columns of one name; rename one")
        number = 0
        try:
            for batch in file.iter_batches(_BATCH_ROWS, columns=[names[i] for i in used]):
                columns = {i: batch.column(names[i]).to_pylist() for i in used}
                for k in range(batch.num_rows):
                    number += 1
                    row = {place: values[k] for place, values in columns.items()}
                    yield _item(_fields(row.__getitem__, plan), f"row {number}")
        except (pa.ArrowException, OSError) as error:
            raise _broken(error) from error


def _broken(error: Exception) -> RejectedDocument:
    return RejectedDocument(
        "malformed", f"found Parquet that cannot be read: {' '.join(str(error).split())[:300]}"
    )


CSV = DelimitedReader("text/csv", (".csv",), ",;\t")
TSV = DelimitedReader("text/tab-separated-values", (".tsv", ".tab"), "\t")
PARQUET = ParquetReader()
READERS = (CSV, TSV, PARQUET)
