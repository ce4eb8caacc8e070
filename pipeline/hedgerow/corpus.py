"""The corpus folder: which documents it holds, before anything reads them in earnest."""

from __future__ import annotations

import fnmatch
import hashlib
import io
import json
import multiprocessing
import os
import re
import resource
import signal
import stat
import sys
import threading
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from functools import cached_property
from operator import attrgetter
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow as pa

from hedgerow import tables
from hedgerow.errors import RejectedDocument, SettingsError
from hedgerow.fingerprints import SOURCE_SETTINGS_FILE, digest
from hedgerow.ids import path_id
from hedgerow.limits import Limits
from hedgerow.places import RemoteFile, list_files, read_file, shown
from hedgerow.readers import PACKED, reader_for, split, split_apart, suffixes
from hedgerow.readers.base import Item, Options
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

    @cached_property
    def doc_id(self) -> str:
        """The declared id, else the path."""
        return self.declared_id if self.declared_id is not None else path_id(self.path)

    @cached_property
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
    """What a scan found: usable entries by doc_id, sorted; duplicates; and rejects.

    stamps: see `places.RemoteFile`, by path, of files that are wholly among the entries.
    """

    entries: Mapping[str, Entry]
    unused: tuple[Entry, ...]
    rejects: tuple[Reject, ...]
    stamps: Mapping[str, str] = field(default_factory=dict)


def scan(
    settings: Settings, known: pa.Table | None = None, stamps: Mapping[str, str] | None = None
) -> Scan:
    """Look through the corpus folder and return what it holds.

    known: the `sources` table of the previous snapshot, if the same readers wrote it; a file of
    one document with the same bytes is not split again. stamps: those of that scan; a file of an
    object store with the same stamp is not even read again. Hidden files and `sources.toml` are
    passed over. Raises SettingsError where the folder is missing.
    """
    root = settings.corpus
    listed = list_files(root) if isinstance(root, str) else None
    if listed is None and not (isinstance(root, Path) and root.is_dir()):
        raise SettingsError(
            f"corpus {shown(root)!r}: found no such folder; expected one that holds documents "
            f"({', '.join(suffixes())}); name it with --corpus"
        )
    overrides = _source_settings(root)
    before: dict[str, list[dict[str, Any]]] = {}
    for row in known.to_pylist() if known is not None else ():
        before.setdefault(row["path"], []).append(row)
    entries: list[Entry] = []
    rejects: list[Reject] = []
    with _Splitter(settings) as splitter:
        places: list[tuple[str, Path | RemoteFile]] = []
        places += _walk(root, rejects) if isinstance(root, Path) else _named(listed or (), rejects)
        files = []
        for path, file in sorted(places, key=lambda place: place[0]):
            rows, override = before.get(path, []), _override(overrides, path)
            if rows and isinstance(file, RemoteFile) and file.stamp == (stamps or {}).get(path):
                entries += [Entry(**{**row, "override": override}) for row in rows]
            else:
                files.append(_File(path, file, tuple(rows), override))
        # Files from far away are read a few at once: their time is waiting.
        with ThreadPoolExecutor(_READ_AT_ONCE) as readers:
            results = (map if isinstance(root, Path) else readers.map)(splitter.split, files)
            for new, unusable in results:
                entries += new
                rejects += unusable
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
    incomplete = {reject.path for reject in rejects}
    return Scan(
        dict(sorted(used.items())),
        tuple(unused),
        tuple(sorted(rejects, key=lambda r: (r.path, r.item))),
        {
            path_id(file.path): file.stamp
            for file in listed or ()
            if file.stamp and path_id(file.path) not in incomplete
        },
    )


_READ_AT_ONCE = 8


def _named(files: Iterable[RemoteFile], rejects: list[Reject]) -> Iterator[tuple[str, RemoteFile]]:
    """Yield (path, file) of what an object store holds, by the same rules as `_walk`."""
    seen: set[str] = set()
    for file in sorted(files, key=attrgetter("path")):
        path = path_id(file.path)
        if path == SOURCE_SETTINGS_FILE or any(part.startswith(".") for part in path.split("/")):
            continue
        if _UNUSABLE.search(path):
            rejects.append(Reject(_shown(path), "", "scan", "unreadable", _UNUSABLE_NAME))
        elif path in seen:
            rejects.append(Reject(ascii(file.path)[1:-1], "", "scan", "unreadable", _SAME_NAME))
        else:
            seen.add(path)
            yield path, file


def _walk(root: Path, rejects: list[Reject]) -> Iterator[tuple[str, Path]]:
    """Yield (path below root, file) of everything but hidden files.

    Nothing outside the folder is read, and nothing in it twice: a link to a file of the folder is
    read under its own name, while links to folders and links that lead out become rejects. So do
    names that cannot be shown or stored.
    """
    real = os.path.realpath(root)
    seen: set[str] = set()
    folders = [""]

    def refuse(path: str, detail: str, *, transient: bool = False) -> None:
        rejects.append(Reject(_shown(path), "", "scan", "unreadable", detail, transient))

    while folders:
        folder = folders.pop()
        try:
            with os.scandir(root / folder) as found:
                children = sorted(found, key=lambda entry: entry.name)
        except OSError as error:
            detail = f"{error.strerror}; expected a folder that can be read; mend its permissions"
            refuse(folder, detail, transient=True)
            continue
        for entry in children:
            path = f"{folder}/{entry.name}" if folder else entry.name
            if entry.name.startswith(".") or path == SOURCE_SETTINGS_FILE:
                continue
            if _UNUSABLE.search(entry.name):
                refuse(path, _UNUSABLE_NAME)
            elif entry.is_dir(follow_symlinks=False):
                folders.append(path)
            elif entry.is_symlink() and not _inside(os.path.realpath(entry.path), real):
                refuse(path, "found a link that leads out of the corpus folder; not followed; "
                             "copy what it leads to into the folder")  # fmt: skip
            elif os.path.isdir(entry.path):  # noqa: PTH112 (False for a link to itself)
                refuse(path, "found a link to a folder that is read in its own place; not "
                             "followed; remove the link")  # fmt: skip
            elif path_id(path) in seen:
                refuse(ascii(path)[1:-1], _SAME_NAME)
            else:
                seen.add(path_id(path))
                yield path_id(path), root / path


_UNUSABLE_NAME = (
    "found a name with a backslash, control or undecodable character; expected printable Unicode; "
    "rename it"
)
_SAME_NAME = "found a second file whose name differs only in how its accents are encoded; rename it"
_UNUSABLE = re.compile("[\\\\\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


def _shown(path: str) -> str:
    """Return a path below the corpus folder as it can be printed and stored."""
    return _UNUSABLE.sub(lambda match: ascii(match[0])[1:-1], path)


def _inside(path: str, folder: str) -> bool:
    return os.path.commonpath([path, folder]) == folder


def file_of(root: Path | str, path: str) -> Path | RemoteFile:
    """Return the file of a path below the corpus folder; there its accents may be decomposed."""
    if isinstance(root, str):
        remote = RemoteFile(root, path)
        missing = not path.isascii() and not remote.exists()
        return RemoteFile(root, unicodedata.normalize("NFD", path)) if missing else remote
    file = root / path
    if path.isascii() or file.exists():
        return file
    file = root
    for part in path.split("/"):
        names = [child.name for child in file.iterdir()] if file.is_dir() else []
        file = file / next((name for name in names if path_id(name) == part), part)
    return file


@dataclass(frozen=True)
class _File:
    """A file to be split: its place, what the previous scan found in it, and its override."""

    path: str
    file: Path | RemoteFile
    before: tuple[dict[str, Any], ...]
    override: str | None


def _split(found: _File, settings: Settings) -> tuple[list[Entry], list[Reject]]:
    """Return the entries of one file and the rejects of its items.

    Raises RejectedDocument where it cannot be used at all.
    """
    path, limits = found.path, settings.limits
    reader = reader_for(path)
    if reader is None:
        raise RejectedDocument(
            "unknown_format",
            f"found the suffix {found.file.suffix!r}; expected one of {', '.join(suffixes())}",
        )
    content = read_bytes(found.file, limits)
    file_sha256 = hashlib.sha256(content).hexdigest()
    entries: list[Entry] = []
    rejects: list[Reject] = []
    if len(found.before) == 1 and found.before[0]["sha256"] == file_sha256:
        entry = Entry(**{**found.before[0], "override": found.override})  # the same one document
        limits.check("document_bytes", entry.length, "bytes")
        return [entry], []
    for ordinal, item in enumerate(split(reader, content, Options.of(settings))):
        limits.check("documents", ordinal + 1, "documents or more")
        if item.error is not None:
            rejects.append(Reject(path, item.label, "scan", *item.error))
            continue
        data = item_bytes(content, item)
        try:
            limits.check("document_bytes", len(data), "bytes")
        except RejectedDocument as error:
            rejects.append(Reject(path, item.label, "scan", error.reason, error.detail))
            continue
        entries.append(
            Entry(
                path=path,
                ordinal=ordinal,
                offset=item.offset if item.content is None else NO_OFFSET,
                length=len(data),
                sha256=file_sha256 if data is content else hashlib.sha256(data).hexdigest(),
                file_sha256=file_sha256,
                declared_id=item.declared_id,
                label=item.label,
                override=found.override,
            )
        )
    return entries, rejects


class _Splitter:
    """Splits files: in this process what Python code of ours can cut, the rest in another one.

    Parquet is cut by native code that believes what a file says of its sizes, and formats of
    other packages by code that we do not know. Their process has bounded memory, and if it dies
    the file is a reject and the scan goes on. It is started for the first such file.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._pool: ProcessPoolExecutor | None = None
        self._lock = threading.Lock()

    def __enter__(self) -> _Splitter:
        return self

    def __exit__(self, *exc: object) -> None:
        self._close()

    def _close(self) -> None:
        if self._pool is not None:
            self._pool.shutdown()
            self._pool = None

    def split(self, found: _File) -> tuple[list[Entry], list[Reject]]:
        """Return the entries of one file and the rejects, of its items or of the whole."""
        try:
            if not split_apart(found.path):
                return _split(found, self._settings)
            with self._lock:
                return self._apart(found)
        except RejectedDocument as error:
            reject = Reject(found.path, "", "scan", error.reason, error.detail, error.transient)
            return [], [reject]

    def _apart(self, found: _File) -> tuple[list[Entry], list[Reject]]:
        """See `_split`. Raises RejectedDocument "worker_failed" where the process died."""
        if self._pool is None:
            self._pool = ProcessPoolExecutor(
                1,
                mp_context=multiprocessing.get_context("spawn"),
                initializer=_bound_memory,
                initargs=(self._settings.limits.unpacked_bytes,),
            )
        try:
            return self._pool.submit(_split, found, self._settings).result()
        except BrokenProcessPool as error:
            self._close()
            raise RejectedDocument(
                "worker_failed",
                "a process died taking the file apart; expected its documents; look for a lack "
                "of memory, or report the file",
                transient=True,
            ) from error


_ROOM = 4
"""How many times limits.unpacked_bytes a process that takes a file apart may use, at most."""


def _bound_memory(unpacked_bytes: int) -> None:
    """Bound the memory of this process: what needs more fails to get it, and is rejected."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    pa.set_memory_pool(pa.system_memory_pool())  # the others reserve much that they do not use
    statm = Path("/proc/self/statm")
    if statm.exists():  # Linux; elsewhere there is no such bound
        now = int(statm.read_text().split()[0]) * resource.getpagesize()
        bound = now + _ROOM * unpacked_bytes
        resource.setrlimit(resource.RLIMIT_AS, (bound, resource.getrlimit(resource.RLIMIT_AS)[1]))


def item_bytes(content: bytes, item: Item) -> bytes:
    """Return the bytes of one item of a file."""
    if item.content is not None:
        return item.content
    if item.offset == 0 and item.length == len(content):
        return content
    return content[item.offset : item.offset + item.length]


_PIECE = 1 << 20


def read_bytes(file: Path | RemoteFile, limits: Limits) -> bytes:
    """Return a file's bytes, unpacked where its name ends in .gz, .bz2 or .zst.

    Raises RejectedDocument where the file cannot be read or unpacked, changes while it is read,
    or is too large; one that is too large as it lies is not opened. Raises StoreError where an
    object store cannot be reached: that is no reason to take its documents out of the tables.
    """
    if isinstance(file, RemoteFile):
        return _read_remote(file, limits)
    try:
        if not stat.S_ISREG(file.stat().st_mode):  # before it is opened: that may have effects
            raise RejectedDocument("unreadable", "found no regular file; remove it")
        descriptor = os.open(file, os.O_RDONLY | os.O_NONBLOCK)
        try:
            before = os.fstat(descriptor)
            limits.check("file_bytes", before.st_size, "bytes")
            with os.fdopen(descriptor, "rb", closefd=False) as stream:
                packing = PACKED.get(file.suffix.lower())
                content = _unpacked(stream, before.st_size, packing, limits)
            after = os.fstat(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        if error.errno is None:  # Arrow's: the packed bytes are damaged
            raise RejectedDocument("malformed", f"{error}; pack the file anew") from error
        raise RejectedDocument(
            "unreadable",
            f"{error.strerror}; expected a file that can be read; mend or remove it",
            transient=True,
        ) from error
    if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
        raise RejectedDocument(
            "unreadable",
            "found that the file changed while it was read; expected one at rest; run again",
            transient=True,
        )
    return content


def _read_remote(file: RemoteFile, limits: Limits) -> bytes:
    try:
        with file.open() as stream:
            limits.check("file_bytes", stream.size(), "bytes")
            content = stream.read()
    except FileNotFoundError as error:
        detail = "found no such file any more; expected one at rest; run again"
        raise RejectedDocument("unreadable", detail, transient=True) from error
    try:
        packing = PACKED.get(file.suffix.lower())
        return _unpacked(io.BytesIO(content), len(content), packing, limits)
    except OSError as error:
        raise RejectedDocument("malformed", f"{error}; pack the file anew") from error


def _unpacked(stream: BinaryIO, size: int, packing: str | None, limits: Limits) -> bytes:
    """Return the bytes of an open file of that size, unpacked within the limits."""
    if packing is None:
        content = stream.read(size + 1)
        limits.check("file_bytes", len(content), "bytes or more")
        return content
    pieces, length = [], 0
    with pa.CompressedInputStream(pa.PythonFile(stream, "r"), packing) as unpacking:
        while piece := unpacking.read(_PIECE):
            pieces.append(piece)
            length += len(piece)
            limits.check("unpacked_bytes", length, "bytes or more")
            limits.check_ratio(size, length)
    return b"".join(pieces)


def _source_settings(root: Path | str) -> list[dict[str, str]]:
    """Return the entries of `sources.toml`. Raises SettingsError where one cannot be used."""
    file = f"{shown(root)}/{SOURCE_SETTINGS_FILE}"
    try:
        data = tomllib.loads((read_file(root, SOURCE_SETTINGS_FILE) or b"").decode())
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
