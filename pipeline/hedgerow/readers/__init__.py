"""Readers: the bytes of a file in, documents out; one module a format.

`READERS` lists them; `reader_for` picks one by the file's name.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePosixPath

from hedgerow.readers import docx, html, jsonl, markdown, pdf, tabular, text, xml
from hedgerow.readers.base import Block, Document, Item, Reader

READERS: tuple[Reader, ...] = (
    text.READER,
    markdown.READER,
    html.READER,
    jsonl.READER,
    xml.READER,
    pdf.READER,
    docx.READER,
    *tabular.READERS,
)
SUFFIXES: Mapping[str, Reader] = {
    suffix: reader for reader in READERS for suffix in reader.suffixes
}
"""Reader by file name ending, lower case, with the dot."""


PACKED: Mapping[str, str] = {".gz": "gzip", ".bz2": "bz2", ".zst": "zstd"}
"""Compression by file name ending: such a file is read as what it holds."""


def reader_for(path: str) -> Reader | None:
    """Return the reader for a file by the ending of its name; None where there is none.

    The ending of a packed file is the one before: page.html.gz is read as page.html.
    """
    name = PurePosixPath(path)
    if name.suffix.lower() in PACKED:
        name = name.with_suffix("")
    return SUFFIXES.get(name.suffix.lower())


__all__ = ["PACKED", "READERS", "SUFFIXES", "Block", "Document", "Item", "Reader", "reader_for"]
