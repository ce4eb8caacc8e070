"""Snapshots on any file system that pyarrow knows: S3, GCS, Azure, HDFS, or a plain folder.

URL/snapshots/<name>/<table>/part-….parquet, manifest.json, report.html
URL/latest.json        names the newest complete snapshot; written last
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import fs

from hedgerow import tables
from hedgerow.errors import StoreError
from hedgerow.store import Manifest, Snapshot

POINTER = "latest.json"


def is_url(path: str) -> bool:
    """Return whether a path names a file system, such as s3://bucket/folder."""
    return "://" in path


def publish(snapshot: Snapshot, url: str) -> int:
    """Copy a snapshot to a URL, then point `latest.json` at it; return the files copied.

    Files that are there already with the same size are not copied again: their names are made
    from their content. Raises StoreError where the URL cannot be used.
    """
    try:
        system, root = fs.FileSystem.from_uri(url)
        target = f"{root.rstrip('/')}/snapshots/{snapshot.path.name}"
        files = [p for p in sorted(snapshot.path.rglob("*")) if p.is_file()]
        # The manifest goes last of all files: a copy that has one is complete.
        files.sort(key=lambda p: p.name == "manifest.json")
        copied = sum(
            _copy(system, p, f"{target}/{p.relative_to(snapshot.path).as_posix()}") for p in files
        )
        pointer = json.dumps({"snapshot": snapshot.path.name}).encode()
        _write(system, f"{root.rstrip('/')}/{POINTER}", pointer)
        return copied
    except (OSError, pa.ArrowInvalid) as error:
        raise _unusable(url, error) from error


def _copy(system: fs.FileSystem, source: Path, target: str) -> int:
    info = system.get_file_info(target)
    if info.type == fs.FileType.File and info.size == source.stat().st_size:
        return 0
    _write(system, target, source.read_bytes())
    return 1


def _write(system: fs.FileSystem, target: str, data: bytes) -> None:
    system.create_dir(target.rsplit("/", 1)[0], recursive=True)
    with system.open_output_stream(target) as sink:
        sink.write(data)


def open_tables(url: str) -> Callable[[str], pa.Table]:
    """Return a function from table name to table, of the snapshot that a URL points to now.

    Raises StoreError where the URL holds none.
    """
    try:
        system, root = fs.FileSystem.from_uri(url)
        root = root.rstrip("/")
        with system.open_input_file(f"{root}/{POINTER}") as source:
            name = json.loads(source.read())["snapshot"]
        where = f"{root}/snapshots/{name}"
        with system.open_input_file(f"{where}/manifest.json") as source:
            manifest = Manifest.from_json(source.read().decode(), where=Path(where))
    except (OSError, pa.ArrowInvalid, ValueError, KeyError) as error:
        raise _unusable(url, error) from error

    def read(table: str) -> pa.Table:
        return tables.concat(
            table,
            [
                pq.read_table(f"{where}/{table}/{part.file}", filesystem=system, partitioning=None)
                for part in manifest.tables[table]
            ],
        )

    return read


def _unusable(url: str, error: Exception) -> StoreError:
    parts = urlsplit(url)
    # A URL may carry keys before the host or in its query: neither is repeated.
    where = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
    why = str(error).replace(url, where)
    if parts.password:
        why = why.replace(parts.password, "…")
    return StoreError(
        f"{where}: {why}; expected a place that `hedgerow publish` can write or has written, such "
        "as s3://bucket/folder; look at the address and the credentials"
    )
