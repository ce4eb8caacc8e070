"""Folders by URL, on any file system that pyarrow knows (S3, GCS, Azure, HDFS).

Credentials come from where the store's own tools look for them; a URL's query may carry options
such as `?endpoint_override=host:port&scheme=http&region=…`. What is said of a URL, to people or in
a file, is what `shown()` returns: never a key.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path, PurePosixPath
from urllib.parse import parse_qsl, unquote, urlsplit

import pyarrow as pa
from pyarrow import fs

from hedgerow.errors import StoreError


def is_url(place: str | Path) -> bool:
    """Return whether a place is named by URL, such as s3://bucket/folder."""
    return isinstance(place, str) and "://" in place


def shown(place: str | Path) -> str:
    """Return a place as it can be shown: a URL without user, keys and query."""
    if not is_url(place):
        return str(place)
    parts = urlsplit(str(place))
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


@lru_cache(maxsize=8)
def open_url(url: str) -> tuple[fs.FileSystem, str]:
    """Return the file system of a URL and the folder in it, without a slash at its end.

    Raises StoreError where the URL cannot be used.
    """
    with explained(url):
        system, root = fs.FileSystem.from_uri(url)
    return system, root.rstrip("/")


@contextlib.contextmanager
def explained(url: str) -> Iterator[None]:
    """Turn what a file system says of a URL into a StoreError that repeats no key.

    A missing file stays a FileNotFoundError: it names a path without keys.
    """
    try:
        yield
    except FileNotFoundError:
        raise  # the caller knows whether it matters
    except (OSError, pa.ArrowInvalid, NotImplementedError) as error:
        raise StoreError(
            f"{shown(url)}: {without_keys(str(error), url)}; expected a place that can be "
            "reached, such as s3://bucket/folder; look at the address and the credentials"
        ) from None  # the error itself may repeat the URL


def without_keys(message: str, url: str) -> str:
    """Return a message without the URL's user, keys and options, as they are or decoded."""
    message = message.replace(url, shown(url))
    parts = urlsplit(url)
    user = parts.netloc.rpartition("@")[0]
    keys = [user, *user.split(":", 1), parts.query]
    keys += [value for name, value in parse_qsl(parts.query) if name not in _HARMLESS]
    for key in sorted({*keys, *map(unquote, keys)}, key=len, reverse=True):
        if len(key) > 3:  # a shorter one stands in many words
            message = message.replace(key, "…")
    return message


_HARMLESS = ("endpoint_override", "region", "scheme")


_SETTLED_SECONDS = 10
"""Stores tell times by the second, and their clocks may differ from ours."""


def list_files(url: str) -> list[RemoteFile] | None:
    """Return all files below a URL; None where there is no such folder.

    Raises StoreError where the URL cannot be used.
    """
    system, root = open_url(url)
    settled = time.time() - _SETTLED_SECONDS
    try:
        with explained(url):
            infos = system.get_file_info(fs.FileSelector(root, recursive=True))
    except FileNotFoundError:
        return None
    return [
        RemoteFile(
            url,
            info.path[len(root) + 1 :],
            f"{info.size} {info.mtime_ns}" if info.mtime and info.mtime_ns < settled * 1e9 else "",
        )
        for info in infos
        if info.type == fs.FileType.File
    ]


@dataclass(frozen=True)
class RemoteFile:
    """A file below the folder at `url`.

    stamp: its size and time of change when it was listed; empty where that is too short ago to tell
    it from a change to come, or not known.
    """

    url: str
    path: str
    stamp: str = ""

    @property
    def name(self) -> str:
        """The last part of the path."""
        return PurePosixPath(self.path).name

    @property
    def suffix(self) -> str:
        """The ending of the name, with the dot."""
        return PurePosixPath(self.path).suffix

    def exists(self) -> bool:
        """Return whether there is such a file."""
        system, root = open_url(self.url)
        with explained(self.url):
            return bool(system.get_file_info(f"{root}/{self.path}").type == fs.FileType.File)

    @contextlib.contextmanager
    def open(self) -> Iterator[pa.NativeFile]:
        """Open it for reading. Raises FileNotFoundError, or StoreError where it cannot be read."""
        system, root = open_url(self.url)
        with explained(self.url), system.open_input_file(f"{root}/{self.path}") as stream:
            yield stream


def read_file(root: str | Path, path: str) -> bytes | None:
    """Return the bytes of a file below a folder or URL; None where there is none."""
    try:
        if isinstance(root, Path):
            return (root / path).read_bytes()
        with RemoteFile(root, path).open() as stream:
            return bytes(stream.read())
    except FileNotFoundError:
        return None
