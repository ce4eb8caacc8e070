"""Tables of abstracts: a row of a CSV, TSV or Parquet file is a document.

A row cannot be read without the names of its columns, so each item carries its row as one JSON
line (`Item.content`), and reading it is what reading a line of JSON Lines is.
"""

from __future__ import annotations

import csv
import datetime
import json
import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from hedgerow.errors import RejectedDocument
from hedgerow.limits import Limits
from hedgerow.readers import jsonl, metadata
from hedgerow.readers.base import DEFAULTS, Document, Item, Options, decode

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
"""Field of a document by the names of columns that usually give it, in any case; the first one
that a row fills counts. A column named in the settings comes before all of them."""

_PREFIXES = {"pmid": "pmid:"}


def _key(name: Any) -> str:
    return str(name).strip().lower().replace(" ", "_").replace("-", "_")


_Plan = Mapping[str, tuple[tuple[int, str], ...]]
"""(position of a column, prefix of its values) of the columns that give each field."""


def _plan(names: Sequence[Any], options: Options) -> _Plan:
    """Return which columns give which field.

    Raises RejectedDocument "malformed" where none gives the text, or none the id.
    """
    options.limits.check("columns", len(names), "columns")
    keys = [_key(name) for name in names]
    plan = {}
    for field, usual in COLUMNS.items():
        chosen = getattr(options.tabular, field)
        wanted = dict.fromkeys((*([] if chosen is None else [_key(chosen)]), *usual))
        plan[field] = tuple((keys.index(k), _PREFIXES.get(k, "")) for k in wanted if k in keys)
    for field in ("text", "id"):
        if not plan[field]:
            raise _no_column(field, names, options)
    return {field: places for field, places in plan.items() if places}


def _no_column(field: str, names: Sequence[Any], options: Options) -> RejectedDocument:
    """Return the rejection of a table none of whose columns gives a field that is needed."""
    shown = ", ".join(repr(str(name)[:40]) for name in names[:20])
    more = f" and {len(names) - 20} more" if len(names) > 20 else ""
    chosen = getattr(options.tabular, field)
    wanted = " or ".join(([] if chosen is None else [chosen]) + list(COLUMNS[field]))
    return RejectedDocument(
        "malformed",
        f"found the columns {shown}{more}; expected one of the {field} named {wanted}; name "
        f'yours in hedgerow.toml: [tabular] {field} = "…"',
    )


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
        error = ("missing_id", "found no id; fill the column")
        return Item(0, 0, label=label, error=error)
    return Item(0, 0, identity, label, content=line)


_LINE = re.compile(r"[^\r\n]*(?:\r\n?|\n)|[^\r\n]+")
_HEADER = re.compile(r"[^\r\n ][^\r\n]{,100000}")


class _RowReader:
    """Reads an item of a table: the JSON line that it carries."""

    media_type: str

    def read(self, content: bytes, *, path: str, options: Options = DEFAULTS) -> Document:
        """Return the document in the JSON line that an item of `split` carries."""
        document = jsonl.READER.read(content, path=path, options=options)
        return replace(document, media_type=self.media_type)


class DelimitedReader(_RowReader):
    """Reads .csv or .tsv files whose first row names the columns.

    Fields may be quoted as in RFC 4180, and quoted ones may hold line ends.
    """

    def __init__(self, media_type: str, suffixes: tuple[str, ...], delimiters: str) -> None:
        self.media_type = media_type
        self.suffixes = suffixes
        self.delimiters = delimiters

    def split(self, content: bytes, options: Options = DEFAULTS) -> Iterator[Item]:
        """Yield one item a row; a row that cannot be used carries its error.

        Raises RejectedDocument where the file is no text or its header names no column of texts.
        """
        text = decode(content)
        lines = (match[0] for match in _LINE.finditer(text))  # a copy of the text is too much
        rows = csv.reader(lines, delimiter=self._delimiter(text), strict=True)
        plan: _Plan | None = None
        width = 0
        while True:
            label = f"line {rows.line_num + 1}"
            try:
                row = _next(rows, options.limits.document_bytes)
            except csv.Error as error:
                if plan is None:
                    raise RejectedDocument("malformed", f"found no header: {error}") from error
                yield Item(0, 0, label=label, error=_broken_row(error, options.limits))
                continue
            if row is None:
                break
            if not any(map(str.strip, row)):
                continue
            if plan is None:
                plan, width = _plan(row, options), len(row)
            elif len(row) != width:
                detail = f"found {len(row)} fields; expected {width}, as the header has; mend it"
                yield Item(0, 0, label=label, error=("malformed", detail))
            else:
                yield _item(_fields(row.__getitem__, plan), label)

    def _delimiter(self, text: str) -> str:
        """Return the delimiter that the header has most of; the first of equals."""
        header = _HEADER.search(text)
        return max(self.delimiters, key=(header[0] if header else "").count)


def _broken_row(error: csv.Error, limits: Limits) -> tuple[str, str]:
    """Return why the csv module refused a row, as (reason, detail)."""
    if "field limit" in str(error):
        rejected = limits.exceeded("document_bytes", "more characters in one field")
        return rejected.reason, rejected.detail
    return "malformed", f"found a row that is no CSV: {error}; quote it as RFC 4180 says"


def _next(rows: Any, limit: int) -> list[str] | None:
    """Return the next row, whose fields hold at most `limit` characters; None after the last.

    The csv module's own limit is process-wide.
    """
    before = csv.field_size_limit(limit)
    try:
        return next(rows, None)
    finally:
        csv.field_size_limit(before)


class ParquetReader(_RowReader):
    """Reads .parquet files."""

    media_type = "application/vnd.apache.parquet"
    suffixes = (".parquet",)

    def split(self, content: bytes, options: Options = DEFAULTS) -> Iterator[Item]:
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
            yield from self._rows(content, options)
        except MemoryError as error:  # before the others: Arrow's own is one of both kinds
            raise options.limits.exceeded(
                "unpacked_bytes", "pages that need several times as much memory"
            ) from error
        except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
            raise _broken(error) from error

    def _rows(self, content: bytes, options: Options) -> Iterator[Item]:
        # What the footer says of sizes may be a lie: see `readers.split_apart`.
        file = pq.ParquetFile(pa.BufferReader(content))
        names = file.schema_arrow.names
        plan = _plan(names, options)
        used = sorted({place for places in plan.values() for place, _ in places})
        if any(names.count(names[i]) > 1 for i in used):
            raise RejectedDocument("malformed", "found two columns of one name; rename one")
        wanted = [names[i] for i in used]
        stated = file.metadata
        options.limits.check("documents", stated.num_rows, "rows")
        size = sum(stated.row_group(i).total_byte_size for i in range(stated.num_row_groups))
        options.limits.check("unpacked_bytes", size, "bytes once unpacked")
        # A page may say the same long text a thousand times over: keep it once, look at it by row.
        strings = [n for n in wanted if pa.types.is_string(file.schema_arrow.field(n).type)]
        file = pq.ParquetFile(pa.BufferReader(content), read_dictionary=strings)
        number = 0
        for batch in file.iter_batches(_BATCH_ROWS, columns=wanted):
            for k in range(batch.num_rows):
                number += 1
                label = f"row {number}"
                try:
                    row = {i: batch.column(names[i])[k].as_py() for i in used}
                except UnicodeDecodeError as error:
                    detail = f"found a text that is no UTF-8: {error.reason}; save it so"
                    yield Item(0, 0, label=label, error=("malformed", detail))
                    continue
                yield _item(_fields(row.__getitem__, plan), label)


def _broken(error: Exception) -> RejectedDocument:
    return RejectedDocument(
        "malformed", f"found Parquet that cannot be read: {' '.join(str(error).split())[:300]}"
    )


CSV = DelimitedReader("text/csv", (".csv",), ",;\t")
TSV = DelimitedReader("text/tab-separated-values", (".tsv", ".tab"), "\t")
PARQUET = ParquetReader()
READERS = (CSV, TSV, PARQUET)
