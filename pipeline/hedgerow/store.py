"""Snapshots: complete, immutable sets of tables below the outputs folder, and the work area.

    outputs/
      latest -> snapshots/<name>      moved atomically once a snapshot is complete
      snapshots/<name>/
        <table>/part-<bucket>-<content>.parquet
        manifest.json   report.html
      work/                           finished pieces of a run that has not ended yet
      lock                            who is writing

A part holds the rows of one bucket of documents. Buckets are the leaves of a binary trie over
the hash of `doc_id`: a function of the set of documents alone, so a change to one document
rewrites one part of each table, and unchanged parts are hard links to the previous snapshot's.
"""

from __future__ import annotations

import contextlib
import datetime
import errno
import hashlib
import json
import os
import shutil
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import filelock
import pyarrow as pa
import pyarrow.parquet as pq

from hedgerow import ids, tables
from hedgerow.errors import ContractError, LockedError, StoreError

FORMAT = 2
_ALL = "all"
"""In a part's name, the bucket of all documents."""
BUCKET_DOCUMENTS = 64
"""A bucket of more documents is split in two."""


@dataclass(frozen=True)
class Part:
    """One Parquet file of a table: its name is made from its bytes."""

    file: str
    bucket: str
    rows: int
    bytes: int
    sha256: str


@dataclass(frozen=True)
class Manifest:
    """What a snapshot holds and what it was made from.

    digests: cause (see `tables.CAUSES`) to digest, for everything but the documents.
    stages: stage name to fingerprint.
    buckets: bucket to the key of its documents.
    tables: table name to its parts.
    """

    snapshot: str
    previous: str | None
    digests: Mapping[str, str]
    stages: Mapping[str, str]
    buckets: Mapping[str, str]
    tables: Mapping[str, Sequence[Part]]
    format: int = FORMAT

    def to_json(self) -> str:
        """Return the manifest as JSON."""
        return json.dumps(asdict(self), indent=1, sort_keys=True)

    @classmethod
    def from_json(cls, text: str, *, where: Path) -> Manifest:
        """Return the manifest in a JSON text. Raises StoreError where it cannot be read."""
        try:
            data: dict[str, Any] = json.loads(text)
            if data["format"] != FORMAT:
                raise StoreError(
                    f"{where}: found manifest format {data['format']}; expected {FORMAT}; read it "
                    "with the version of hedgerow that wrote it, or run with --full"
                )
            data["tables"] = {
                name: [Part(**part) for part in parts] for name, parts in data["tables"].items()
            }
            return cls(**data)
        except (ValueError, KeyError, TypeError) as error:
            raise StoreError(
                f"{where}: {error!r}; expected a manifest that hedgerow wrote; remove this "
                "snapshot, or point latest at another one"
            ) from error


@dataclass(frozen=True)
class Snapshot:
    """A published snapshot: `path` is its folder."""

    path: Path

    @cached_property
    def manifest(self) -> Manifest:
        """What it holds."""
        where = self.path / "manifest.json"
        try:
            return Manifest.from_json(where.read_text("utf-8"), where=where)
        except OSError as error:
            raise StoreError(
                f"{where}: {error.strerror}; expected a snapshot; run `hedgerow run` first"
            ) from error

    @property
    def readable(self) -> bool:
        """Whether its manifest is there, and of this version."""
        try:
            return bool(self.manifest)
        except StoreError:
            return False

    def part_paths(self, name: str, buckets: Iterable[str] | None = None) -> list[Path]:
        """Return the files of a table, or of some of its buckets."""
        wanted = None if buckets is None else set(buckets)
        return [
            self.path / name / part.file
            for part in self.manifest.tables.get(name, ())
            if wanted is None or part.bucket in wanted
        ]

    def read(
        self,
        name: str,
        *,
        columns: list[str] | None = None,
        buckets: Iterable[str] | None = None,
        doc_ids: Iterable[str] | None = None,
    ) -> pa.Table:
        """Return a table, or the rows of some buckets or documents, in the declared order."""
        if doc_ids is not None:
            doc_ids = list(doc_ids)
            by_bucket = {self.bucket_of(doc_id) for doc_id in doc_ids}
            buckets = by_bucket if buckets is None else by_bucket & set(buckets)
        filters = None if doc_ids is None else [("doc_id", "in", doc_ids)]
        parts = [
            read_part(path, name, columns=columns, filters=filters)
            for path in self.part_paths(name, buckets)
        ]
        if columns is not None:
            schema = pa.schema([tables.TABLES[name].by_name[c].field for c in columns])
            return (
                pa.concat_tables([p.cast(schema) for p in parts])
                if parts
                else (schema.empty_table())
            )
        return tables.concat(name, parts)

    def bucket_of(self, doc_id: str) -> str:
        """Return the bucket that a document's rows stand in, if the snapshot holds it."""
        bits = document_bits(doc_id)
        buckets = self.manifest.buckets
        return next((bits[:n] for n in range(len(bits)) if bits[:n] in buckets), "")


class Read(Protocol):
    """Reads a table of a snapshot, as `Snapshot.read` does."""

    def __call__(
        self,
        name: str,
        *,
        columns: list[str] | None = None,
        doc_ids: Iterable[str] | None = None,
    ) -> pa.Table:
        """Return a table, all of it or some columns, or the rows of some documents."""


def read_part(
    path: Path,
    name: str,
    *,
    columns: list[str] | None = None,
    filters: list[tuple[str, str, Any]] | None = None,
) -> pa.Table:
    """Return one part. Raises StoreError where the file is missing or is no Parquet."""
    try:
        return pq.read_table(path, columns=columns, filters=filters, partitioning=None)
    except (OSError, pa.ArrowInvalid) as error:
        raise StoreError(
            f"{path}: {error}; expected a part of the table {name}; run `hedgerow verify`, then "
            "`hedgerow run --full`"
        ) from error


def read_parts(name: str, paths: Iterable[Path]) -> pa.Table:
    """Return the rows of some parts as one table, in the declared order."""
    return tables.concat(name, [read_part(path, name) for path in paths])


def document_bits(doc_id: str) -> str:
    """Return the 64 bits of a document's hash, the most significant first."""
    return format(int(ids.make_id("bucket", doc_id)[:16], 16), "064b")


def assign_buckets(doc_ids: Iterable[str]) -> dict[str, list[str]]:
    """Return bucket to its documents, sorted: a function of the set of documents alone."""
    bits = {doc_id: document_bits(doc_id) for doc_id in set(doc_ids)}
    pending = [("", sorted(bits))]
    buckets: dict[str, list[str]] = {}
    while pending:
        prefix, members = pending.pop()
        if len(members) <= BUCKET_DOCUMENTS or len(prefix) >= 63:
            if members:
                buckets[prefix] = members
            continue
        halves: dict[str, list[str]] = {"0": [], "1": []}
        for doc_id in members:
            halves[bits[doc_id][len(prefix)]].append(doc_id)
        pending += [(prefix + bit, half) for bit, half in halves.items()]
    return dict(sorted(buckets.items()))


def write_part(
    table: pa.Table, name: str, folder: Path, *, bucket: str = "", fingerprint: str = ""
) -> Part:
    """Write one part of a table into a folder, named by its content, and return what it is.

    The file's metadata carries the schema version and the fingerprint of the stage.
    """
    table = tables.conform(name, table)
    metadata = {
        **(table.schema.metadata or {}),
        b"hedgerow.stage_fingerprint": fingerprint.encode(),
    }
    folder.mkdir(parents=True, exist_ok=True)
    temporary = folder / f".part-{bucket}-{os.getpid()}.tmp"
    try:
        pq.write_table(
            table.replace_schema_metadata(metadata),
            temporary,
            compression="zstd",
            row_group_size=1 << 20,
            write_page_index=True,
        )
        data = temporary.read_bytes()
        sha256 = hashlib.sha256(data).hexdigest()
        file = f"part-{bucket or _ALL}-{sha256[:16]}.parquet"
        sync(temporary)
        temporary.replace(folder / file)
    finally:
        temporary.unlink(missing_ok=True)
    return Part(file=file, bucket=bucket, rows=table.num_rows, bytes=len(data), sha256=sha256)


def bucket_of(part: Path) -> str:
    """Return the bucket that a part's name gives."""
    bucket = part.name.split("-")[1]
    return "" if bucket == _ALL else bucket


def sync(path: Path) -> None:
    """Make a file's bytes, or a folder's entries, survive a power cut."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@dataclass
class Outputs:
    """The outputs folder."""

    root: Path

    @property
    def latest(self) -> Path:
        """The link to the newest complete snapshot."""
        return self.root / "latest"

    @property
    def work(self) -> Path:
        """The work area: finished pieces of an unfinished run."""
        return self.root / "work"

    def snapshot(self, name: str | None = None) -> Snapshot | None:
        """Return the snapshot of that name, by default the latest; None where there is none.

        Raises StoreError where the name is given and there is no such snapshot.
        """
        if name is None:
            return Snapshot(self.latest.resolve()) if self.latest.exists() else None
        path = self.root / "snapshots" / name
        if name not in (snapshot.path.name for snapshot in self.all()):
            raise StoreError(
                f"{path}: found no snapshot; expected one of {[s.path.name for s in self.all()]}"
            )
        return Snapshot(path)

    def all(self) -> list[Snapshot]:
        """Return the complete snapshots, oldest first."""
        return [Snapshot(p.parent) for p in sorted(self.root.glob("snapshots/[!.]*/manifest.json"))]

    @contextlib.contextmanager
    def lock(self, holder: str) -> Iterator[None]:
        """Hold the folder for one run. Raises LockedError, naming the holder.

        The lock is the operating system's: it goes with the process, however that ends.
        """
        self.root.mkdir(parents=True, exist_ok=True)
        note = self.root / "lock.json"
        try:
            with filelock.FileLock(self.root / "lock", timeout=0):
                note.write_text(
                    json.dumps({"pid": os.getpid(), "since": timestamp(), "run": holder}), "utf-8"
                )
                yield
                note.unlink(missing_ok=True)
        except filelock.Timeout as error:
            found = note.read_text("utf-8") if note.is_file() else "an unnamed process"
            raise LockedError(
                f"{self.root}: another run holds it: {found}; wait for it to end, or choose "
                "another folder with --outputs"
            ) from error

    def new_name(self, digest: str) -> str:
        """Return the name of a new snapshot: its time, then what it was made from."""
        return f"{timestamp()}-{digest[:8]}"

    def publish(self, manifest: Manifest, sources: Mapping[str, Path], extras: Path | None) -> None:
        """Put a snapshot together from finished parts, then move `latest` to it.

        sources: "table/file" to where that part lies now; parts are hard links. extras: a folder
        whose files are moved beside the manifest. Until the last step, a rename, the previous
        snapshot is the latest one.
        """
        folder = self.root / "snapshots"
        building = folder / f".{manifest.snapshot}"
        shutil.rmtree(building, ignore_errors=True)
        for name, parts in manifest.tables.items():
            (building / name).mkdir(parents=True)
            for part in parts:
                os.link(sources[f"{name}/{part.file}"], building / name / part.file)
            sync(building / name)
        for extra in sorted(extras.iterdir()) if extras else ():
            extra.replace(building / extra.name)
        (building / "manifest.json").write_text(manifest.to_json(), "utf-8")
        sync(building / "manifest.json")
        sync(building)
        building.replace(folder / manifest.snapshot)
        sync(folder)
        self._point_latest(manifest.snapshot)

    def _point_latest(self, name: str) -> None:
        link = self.root / ".latest"
        link.unlink(missing_ok=True)
        link.symlink_to(Path("snapshots") / name)
        link.replace(self.latest)
        sync(self.root)

    def collect(self, *, keep: int, grace_seconds: int, dry_run: bool = False) -> list[str]:
        """Remove all but the newest `keep` snapshots, and return the names of those removed.

        The latest one stays, and so do those younger than the grace time, which somebody may
        still be reading. Leftovers of runs that were killed while publishing go too.
        """
        latest = self.snapshot()
        removed = []
        for snapshot in self.all()[:-keep]:
            age = time.time() - (snapshot.path / "manifest.json").stat().st_mtime
            if age < grace_seconds or (latest and snapshot.path == latest.path):
                continue
            removed.append(snapshot.path.name)
        if not dry_run:
            for name in removed:
                shutil.rmtree(self.root / "snapshots" / name)
            for leftover in self.root.glob("snapshots/.[!.]*"):
                shutil.rmtree(leftover)
        return removed


def timestamp() -> str:
    """Return the time now, UTC, in a form that sorts and can stand in a file name."""
    now = datetime.datetime.now(datetime.timezone.utc)
    return f"{now:%Y%m%dT%H%M%S}{now.microsecond // 1000:03d}Z"


@contextlib.contextmanager
def explain_os_errors(root: Path) -> Iterator[None]:
    """Turn a full disk or a denied write below the outputs folder into a StoreError."""
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EPERM, errno.EROFS):
            raise
        raise StoreError(
            f"{error.filename or root}: {error.strerror}; {root / 'latest'} is as it was and "
            "finished work is kept; make room or mend the permissions, then run again"
        ) from error


def verify(snapshot: Snapshot) -> list[str]:
    """Return what is wrong with a snapshot: files against the manifest, rows against the contract.

    An empty list means that every file is there with the bytes it had when it was written, and
    that every invariant of `tables.check()` holds, bucket by bucket and over the whole.
    """
    problems = []
    manifest = snapshot.manifest
    for name, spec in tables.TABLES.items():
        parts = manifest.tables.get(name, ())
        listed = {part.file for part in parts}
        folder = snapshot.path / name
        found = {p.name for p in folder.iterdir()} if folder.is_dir() else set()
        if not listed:
            problems.append(f"table {spec.name}: found no part; expected at least one")
        for file in sorted(listed ^ found):
            state = "is missing" if file in listed else "is not in the manifest"
            problems.append(f"{folder / file}: {state}")
        for part in parts:
            path = folder / part.file
            if path.exists() and hashlib.sha256(path.read_bytes()).hexdigest() != part.sha256:
                problems.append(f"{path}: its bytes are not those that were written")
    if problems:
        return problems
    for bucket in manifest.buckets:
        held = {
            name: snapshot.read(name, buckets=[bucket])
            for name, spec in tables.TABLES.items()
            if spec.per_document
        }
        problems += _violations(held, f"bucket {bucket or 'all'}")
    whole = {name: snapshot.read(name) for name, s in tables.TABLES.items() if not s.per_document}
    for other in ("documents", "claims"):
        key = tables.TABLES[other].key[0]
        whole[other] = snapshot.read(other, columns=[key])
    problems += _violations(whole, "whole", skip=("documents", "claims"))
    return problems


def _violations(
    held: Mapping[str, pa.Table], where: str, skip: Sequence[str] = ()
) -> Iterator[str]:
    for name in held:
        if name in skip:
            continue
        try:
            tables.check(held, names=[name])
        except ContractError as error:
            yield f"{where}: {error}"
