"""Readers: the bytes of a file in, documents out; one module a format.

`READERS` lists our own; another package adds one through the entry point group `hedgerow.readers`.
`reader_for` picks one by the file's name; `split` and `read` run it, and turn every failure of its
parser into the rejection of the file or document.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from itertools import pairwise
from pathlib import Path

from hedgerow import tables
from hedgerow.errors import RejectedDocument, ResourceError
from hedgerow.readers import docx, html, jsonl, markdown, pdf, tabular, text, xml
from hedgerow.readers.base import Block, Document, Item, Options, Reader, normalise

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
"""Our own reader by file name ending, lower case, with the dot."""

PACKED: Mapping[str, str] = {".gz": "gzip", ".bz2": "bz2", ".zst": "zstd"}
"""Compression by file name ending: such a file is read as what it holds."""

GROUP = "hedgerow.readers"
"""The entry point group of other packages' readers."""


@dataclass(frozen=True)
class Format:
    """A format and where its reader comes from.

    package: the name and version of the distribution, empty for our own.
    digest: of the version and the code of another package's reader.
    """

    reader: Reader
    package: str = ""
    digest: str = ""


@cache
def formats() -> tuple[Format, ...]:
    """Return all formats, our own first, the others sorted by package.

    Raises ResourceError where another package's reader cannot be used.
    """
    found = sorted(entry_points(group=GROUP), key=lambda entry: (entry.module, entry.name))
    return (*map(Format, READERS), *map(_plugin, found))


def _plugin(entry: EntryPoint) -> Format:
    """Return the format that an entry point names."""
    package = f"{entry.dist.name} {entry.dist.version}" if entry.dist else entry.module
    try:
        reader = entry.load()
        suffixes = tuple(reader.suffixes)
        known = isinstance(reader.media_type, str) and callable(reader.split)
        usable = known and callable(reader.read) and suffixes
    except Exception as error:  # whatever the code of another package raises
        raise _unusable(entry, package, f"{type(error).__name__}: {error}") from error
    wrong = [s for s in suffixes if not (s == s.lower() and s.startswith("."))]
    taken = [s for s in suffixes if s in SUFFIXES or s in PACKED]
    if not usable or wrong or taken:
        raise _unusable(entry, package, f"no reader, or the suffixes {[*wrong, *taken]}")
    return Format(reader, package, _code_digest(package, entry.module))


def _unusable(entry: EntryPoint, package: str, found: str) -> ResourceError:
    return ResourceError(
        f"the reader {entry.value!r} of {package}: found {found}; expected an object with "
        "media_type, suffixes (lower case, with the dot, not taken), split and read; mend or "
        "uninstall the package"
    )


def _code_digest(package: str, module: str) -> str:
    """Return the digest of a package's version and of the Python code of its top module."""
    spec = importlib.util.find_spec(module.partition(".")[0])
    assert spec is not None  # it has just been loaded
    places = list(map(Path, spec.submodule_search_locations or ()))
    files = sorted(file for place in places for file in place.rglob("*.py"))
    if spec.origin is not None and not places:
        files = [Path(spec.origin)]
    digest = hashlib.sha256(package.encode())
    for file in files:
        digest.update(hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()


@cache
def _by_suffix() -> Mapping[str, Format]:
    found: dict[str, Format] = {}
    for one in formats():
        for suffix in one.reader.suffixes:
            other = found.setdefault(suffix, one)
            if other is not one:
                raise ResourceError(
                    f"found two packages that read {suffix}: {other.package} and {one.package}; "
                    "expected one; uninstall the other"
                )
    return found


def suffixes() -> tuple[str, ...]:
    """Return the endings of file names that can be read."""
    return tuple(_by_suffix())


def _format_for(path: str) -> Format | None:
    stem, suffix = os.path.splitext(path.lower())  # noqa: PTH122 (a Path takes five times as long)
    if suffix in PACKED:
        suffix = os.path.splitext(stem)[1]  # noqa: PTH122
    return _by_suffix().get(suffix)


def reader_for(path: str) -> Reader | None:
    """Return the reader for a file by the ending of its name; None where there is none.

    The ending of a packed file is the one before: page.html.gz is read as page.html.
    """
    found = _format_for(path)
    return None if found is None else found.reader


def split_apart(path: str) -> bool:
    """Return whether a file is to be split in a process of its own, which it may break."""
    found = _format_for(path)
    return found is not None and (bool(found.package) or found.reader is tabular.PARQUET)


def split(reader: Reader, content: bytes, options: Options) -> Iterator[Item]:
    """Yield the items of a file. Raises RejectedDocument for whatever the reader raises."""
    try:
        yield from reader.split(content, options)
    except Exception as error:
        raise _rejected(error) from error


def read(path: str, content: bytes, options: Options) -> Document:
    """Return the document in the bytes of one item, within the limits.

    Raises RejectedDocument for whatever the reader raises: bytes on which a parser fails in a way
    that its own rejection does not cover are malformed, and the reject says what it said.
    """
    found = _format_for(path)
    if found is None:
        raise RejectedDocument("unknown_format", f"found no reader for {path!r}")
    try:
        document = found.reader.read(content, path=path, options=options)
        if found.package:
            _check(document, found.package)
    except Exception as error:
        raise _rejected(error) from error
    options.limits.check("characters", len(document.text), "characters")
    options.limits.check("blocks", len(document.blocks), "blocks")
    return document


def _rejected(error: Exception) -> RejectedDocument:
    if isinstance(error, RejectedDocument):
        return error
    if isinstance(error, MemoryError):
        return RejectedDocument("too_large", "found more than fits into memory; make it smaller")
    said = " ".join(f"{type(error).__name__}: {error}".split())[:300]
    return RejectedDocument("malformed", f"the parser failed: {said}; mend the document")


def _check(document: Document, package: str) -> None:
    """Raise RejectedDocument where another package's reader breaks the contract of `Document`."""
    text, blocks = document.text, document.blocks
    wrong = [
        block
        for i, block in enumerate(blocks)
        if not 0 <= block.start < block.end <= len(text)
        or block.block not in tables.BLOCKS
        or text[block.start : block.end] != text[block.start : block.end].strip()
        or (block.parent is not None and not 0 <= block.parent < i)
    ]
    wrong += [after for before, after in pairwise(blocks) if after.start < before.end]
    if wrong or normalise(text) != text:
        what = f"the block {wrong[0]}" if wrong else "text that is not normalised"
        raise RejectedDocument(
            "malformed",
            f"found {what}; expected text and blocks as hedgerow.readers.base says; report it to "
            f"the makers of {package}",
        )


__all__ = [
    "PACKED",
    "READERS",
    "SUFFIXES",
    "Block",
    "Document",
    "Item",
    "Options",
    "Reader",
    "formats",
    "read",
    "reader_for",
    "split",
    "split_apart",
    "suffixes",
]
