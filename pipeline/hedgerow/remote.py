"""Snapshots on any file system that pyarrow knows: S3, GCS, Azure, HDFS, or a plain folder.

URL/snapshots/<name>/<table>/part-….parquet, manifest.json, report.html
URL/latest.json        names the newest complete snapshot; written last
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import fs

from hedgerow import tables
from hedgerow.errors import StoreError
from hedgerow.places import explained, open_url, read_file, shown
from hedgerow.store import Manifest, Snapshot

POINTER = "latest.json"
_MANIFEST = "manifest.json"
_AT_ONCE = 8
"""Files under way at the same time."""


def publish(snapshot: Snapshot, url: str) -> int:
    """Copy a snapshot to a URL, then point `latest.json` at it; return the files copied.

    Files that are there already with the same size are not copied again: their names are made
    from their content. Parts that the latest snapshot there has too are copied within the store.
    Raises StoreError where the URL cannot be used; the pointer is then as it was.
    """
    system, root = open_url(url)
    name, manifest = snapshot.path.name, snapshot.path / _MANIFEST
    files = [f for f in sorted(snapshot.path.rglob("*")) if f.is_file() and f != manifest]
    try:
        with explained(url):
            there = _sizes(system, f"{root}/snapshots/{name}")
            older = _pointed_at(url)
            kept = _sizes(system, f"{root}/snapshots/{older}") if older not in (None, name) else {}

            def copy(file: Path) -> int:
                path, size = file.relative_to(snapshot.path).as_posix(), file.stat().st_size
                target = f"{root}/snapshots/{name}/{path}"
                if there.get(path) == size:
                    return 0
                if file.suffix == ".parquet" and kept.get(path) == size:
                    _make_folder(system, target)
                    system.copy_file(f"{root}/snapshots/{older}/{path}", target)
                else:
                    _write(system, target, file.read_bytes())
                return 1

            with ThreadPoolExecutor(_AT_ONCE) as pool:
                copied = sum(pool.map(copy, files))
            copied += copy(manifest)  # a copy that has one is complete
            _write(system, f"{root}/{POINTER}", json.dumps({"snapshot": name}).encode())
    except FileNotFoundError as error:  # of the store: a part, or the bucket
        raise _broken(url, error) from error
    return copied


def _sizes(system: fs.FileSystem, folder: str) -> dict[str, int]:
    """Return the size of each file below a folder, by its path there; none if it is missing."""
    selector = fs.FileSelector(folder, recursive=True, allow_not_found=True)
    infos = system.get_file_info(selector)
    return {i.path[len(folder) + 1 :]: i.size for i in infos if i.type == fs.FileType.File}


def _write(system: fs.FileSystem, target: str, data: bytes) -> None:
    """Write a file; whoever reads it meanwhile sees the old one or the new one, never half."""
    _make_folder(system, target)
    folder, _, name = target.rpartition("/")
    local = system.type_name == "local"  # an object store shows an object once it is whole
    place = f"{folder}/.{name}" if local else target
    with system.open_output_stream(place) as sink:
        sink.write(data)
    if local:
        system.move(place, target)


def _make_folder(system: fs.FileSystem, target: str) -> None:
    """Make the folder of a file where the file system has folders: elsewhere it were an object."""
    if system.type_name in ("local", "hdfs"):
        system.create_dir(target.rpartition("/")[0], recursive=True)


def _pointed_at(url: str) -> str | None:
    """Return the name of the snapshot that a URL points to; None where it points to none."""
    data = read_file(url, POINTER)
    try:
        name = None if data is None else json.loads(data)["snapshot"]
    except (ValueError, KeyError, TypeError) as error:
        raise _broken(url, error) from error
    if name is not None and not re.fullmatch(r"\w[\w-]*", str(name)):
        raise _broken(url, ValueError(f"found the name {name!r}"))
    return name


def open_tables(url: str) -> Callable[[str], pa.Table]:
    """Return a function from table name to table, of the snapshot that a URL points to now.

    Raises StoreError where the URL holds none, and so does the function where a part is missing.
    """
    name = _pointed_at(url)
    if name is None:
        raise StoreError(
            f"{shown(url)}: found no {POINTER}; expected a place that `hedgerow publish` has "
            "written; publish a snapshot to it first"
        )
    system, root = open_url(url)
    where = f"snapshots/{name}"
    manifest = Manifest.from_json(
        (read_file(url, f"{where}/{_MANIFEST}") or b"").decode(), where=Path(where) / _MANIFEST
    )

    def read(table: str) -> pa.Table:
        try:
            with explained(url):
                paths = [f"{root}/{where}/{table}/{part.file}" for part in manifest.tables[table]]
                parts = [pq.read_table(p, filesystem=system, partitioning=None) for p in paths]
        except FileNotFoundError as error:
            raise _broken(url, error) from error
        return tables.concat(table, parts)

    return read


def _broken(url: str, error: Exception) -> StoreError:
    return StoreError(
        f"{shown(url)}: {error}; expected a snapshot that `hedgerow publish` has copied whole; "
        "publish it again"
    )
