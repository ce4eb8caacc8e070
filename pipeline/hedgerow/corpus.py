"""The corpus folder: which documents it holds, before anything reads them in earnest."""

from __future__ import annotations

import fnmatch
import hashlib
import json
import os
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from hedgerow import tables
from hedgerow.errors import RejectedDocument, SettingsError
from hedgerow.fingerprints import SOURCE_SETTINGS_FILE, digest
from hedgerow.ids import path_id
from hedgerow.readers import PACKED, SUFFIXES, reader_for
from hedgerow.readers.base import Item
from hedgerow.settings import Settings

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

OVERRIDES = ("title", "url", "publisher", "author", "published", "language", "licence", "interest")
"""What an entry of `sources.toml` may declare beside `match`."""


NO_OFFSET = -1
"""The offset of an item whose bytes are no slice of the file."""


@dataclass(frozen=True)
class Entry:
    """A document's place: `length` bytes from `offset` of a file below the corpus folder.

    ordinal: its position in the file. label: how to name it to people, empty for a whole file.
    override: what `sources.toml` says of it, as JSON, or None.
    """

    path: str
    ordinal: int
    offset: int
    length: int
    sha256: str
    file_sha256: str
    declared_id: str | None
    label: str
    override: str | None

    @property
    def doc_id(self) -> str:
        """The declared id, else the path."""
        return self.declared_id if self.declared_id is not None else path_id(self.path)

    @property
    def key(self) -> str:
        """Digest of all that the document stage sees of it."""
        return digest(self.doc_id, self.path, self.sha256, self.override or "")


@dataclass(frozen=True)
class Reject:
    """A row of `rejects`."""

    path: str
    item: str
    stage: str
    reason: str
    detail: str
    transient: bool = False


@dataclass(frozen=True)
class Scan:
    """What a scan found: usable entries by doc_id, sorted; duplicates; and rejects."""

    entries: Mapping[str, Entry]
    unused: tuple[Entry, ...]
    rejects: tuple[Reject, ...]


def scan(settings: Settings, known: pa.Table | None = None) -> Scan:
    """Look through the corpus folder and return what it holds.

    known: the `sources` table of the previous snapshot; files with the same bytes are not split
    again. Hidden files and `sources.toml` are passed over. Raises SettingsError where the folder
    is missing.
    """
    root = settings.corpus
    if not root.is_dir():
        raise SettingsError(
            f"corpus {str(root)!r}: found no such folder; expected one that holds documents "
            f"({', '.join(SUFFIXES)}); name it with --corpus"
        )
    overrides = _source_settings(root / SOURCE_SETTINGS_FILE)
    before: dict[str, list[dict[str, Any]]] = {}
    for row in known.to_pylist() if known is not None else ():
        before.setdefault(row["path"], []).append(row)
    entries: list[Entry] = []
    rejects: list[Reject] = []
    for path, file in sorted(_walk(root, rejects)):
        try:
            override = _override(overrides, path)
            entries += _split(path, file, before.get(path, []), override, settings, rejects)
        except RejectedDocument as error:
            rejects.append(Reject(path, "", "scan", error.reason, error.detail, error.transient))
    used: dict[str, Entry] = {}
    unused = []
    for entry in sorted(entries, key=lambda e: (e.path, e.ordinal)):
        first = used.setdefault(entry.doc_id, entry)
        if first is not entry:
            unused.append(entry)
            where = f"{first.path} {first.label}".strip()
            detail = (
                f"found the id {entry.doc_id!r}, which {where} has too; expected one document an "
                "id; give this one another id or remove it"
            )
            rejects.append(Reject(entry.path, entry.label, "scan", "duplicate_id", detail))
    return Scan(
        dict(sorted(used.items())),
        tuple(unused),
        tuple(sorted(rejects, key=lambda r: (r.path, r.item))),
    )


def _walk(root: Path, rejects: list[Reject]) -> Iterator[tuple[str, Path]]:
    """Yield (path below root, file) of everything but hidden files, following links once."""

    def note(error: OSError) -> None:
        path = path_id(os.path.relpath(error.filename, root))
        detail = f"{error.strerror}; expected a folder that can be read; mend its permissions"
        rejects.append(Reject(path, "", "scan", "unreadable", detail, transient=True))

    for folder, subfolders, files in os.walk(root, followlinks=True, onerror=note):
        here = Path(folder)
        chain = {os.path.realpath(p) for p in (here, *here.parents)}
        for name in sorted(subfolders):
            path = path_id((here / name).relative_to(root).as_posix())
            if name.startswith("."):
                subfolders.remove(name)
            elif (here / name).is_symlink() and os.path.realpath(here / name) in chain:
                subfolders.remove(name)
                detail = "found a link to a folder that holds it; not followed; remove the link"
                rejects.append(Reject(path, "", "scan", "unreadable", detail))
        for name in files:
            path = path_id((here / name).relative_to(root).as_posix())
            if not name.startswith(".") and path != SOURCE_SETTINGS_FILE:
                yield path, here / name


def _split(
    path: str,
    file: Path,
    before: list[dict[str, Any]],
    override: str | None,
    settings: Settings,
    rejects: list[Reject],
) -> list[Entry]:
    """Return the entries of one file. Raises RejectedDocument where it cannot be used at all."""
    reader = reader_for(path)
    if reader is None:
        raise RejectedDocument(
            "unknown_format",
            f"found the suffix {file.suffix!r}; expected one of {', '.join(SUFFIXES)}",
        )
    content = read_bytes(file, limit=settings.max_file_bytes)
    file_sha256 = hashlib.sha256(content).hexdigest()
    if len(before) == 1 and before[0]["sha256"] == file_sha256:  # the same one document
        entry = Entry(**{**before[0], "override": override})
        return [] if _too_large(entry, settings, rejects) else [entry]
    entries = []
    for ordinal, item in enumerate(reader.split(content)):
        if item.error is not None:
            rejects.append(Reject(path, item.label, "scan", *item.error))
            continue
        data = item_bytes(content, item)
        entry = Entry(
            path=path,
            ordinal=ordinal,
            offset=item.offset if item.content is None else NO_OFFSET,
            length=len(data),
            sha256=file_sha256 if data is content else hashlib.sha256(data).hexdigest(),
            file_sha256=file_sha256,
            declared_id=item.declared_id,
            label=item.label,
            override=override,
        )
        if not _too_large(entry, settings, rejects):
            entries.append(entry)
    return entries


def item_bytes(content: bytes, item: Item) -> bytes:
    """Return the bytes of one item of a file."""
    if item.content is not None:
        return item.content
    if item.offset == 0 and item.length == len(content):
        return content
    return content[item.offset : item.offset + item.length]


def _too_large(entry: Entry, settings: Settings, rejects: list[Reject]) -> bool:
    limit = settings.max_document_bytes
    if entry.length <= limit:
        return False
    detail = (
        f"found {entry.length:,} bytes; expected at most {limit:,} (max_document_bytes); split "
        "the document, or raise the limit in hedgerow.toml"
    )
    rejects.append(Reject(entry.path, entry.label, "scan", "too_large", detail))
    return True


_PIECE = 1 << 20


def read_bytes(file: Path, *, limit: int) -> bytes:
    """Return a file's bytes, unpacked where its name ends in .gz, .bz2 or .zst.

    limit: at most so many bytes, packed or unpacked. Raises RejectedDocument where the file
    cannot be read or unpacked, or is too large.
    """
    try:
        if not file.is_file():
            file.stat()  # says what is wrong: it vanished, or is a link to itself
            raise RejectedDocument("unreadable", "found no regular file; remove it")
        packing = PACKED.get(file.suffix.lower())
        with pa.input_stream(str(file), compression=packing) as stream:
            pieces, size = [], 0
            while size <= limit and (piece := stream.read(_PIECE)):
                pieces.append(piece)
                size += len(piece)
    except OSError as error:
        if error.errno is None:  # Arrow's: the packed bytes are damaged
            raise RejectedDocument("malformed", f"{error}; pack the file anew") from error
        raise RejectedDocument(
            "unreadable",
            f"{error.strerror}; expected a file that can be read; mend or remove it",
            transient=True,
        ) from error
    if size > limit:
        raise RejectedDocument(
            "too_large",
            f"found more than {limit:,} bytes; expected at most that (max_file_bytes); split the "
            "file, or raise the limit in hedgerow.toml",
        )
    return b"".join(pieces)


def _source_settings(file: Path) -> list[dict[str, str]]:
    """Return the entries of `sources.toml`. Raises SettingsError where one cannot be used."""
    if not file.exists():
        return []
    try:
        data = tomllib.loads(file.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise SettingsError(f"{file}: {error}; mend the file or move it away") from error
    entries = data.get("source", [])
    for entry in entries:
        unknown = sorted(set(entry) - {"match", *OVERRIDES})
        interest = entry.get("interest", "unknown")
        if "match" not in entry or unknown or interest not in tables.INTERESTS:
            raise SettingsError(
                f"{file}: found the entry {entry}; expected [[source]] with `match` (a pattern "
                f'such as "shops/*.html") and some of {", ".join(OVERRIDES)}; interest is one '
                f"of {', '.join(tables.INTERESTS)}"
            )
    return list(entries)


def _override(entries: list[dict[str, str]], path: str) -> str | None:
    """Return what sources.toml says of a path, later entries over earlier ones, as JSON."""
    merged: dict[str, str] = {}
    for entry in entries:
        if fnmatch.fnmatchcase(path, entry["match"]):
            merged |= {name: str(value) for name, value in entry.items() if name != "match"}
    return json.dumps(merged, sort_keys=True) if merged else None
