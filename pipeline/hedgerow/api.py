"""Hedgerow from Python: the tables of a few texts in memory, or of a snapshot."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from hedgerow import remote, settings, tables
from hedgerow.errors import StoreError
from hedgerow.places import is_url
from hedgerow.resources import Resources
from hedgerow.store import Outputs, Snapshot

if TYPE_CHECKING:
    import pandas as pd


class TableSet:
    """A set of tables: `tables.claims()` is a pandas DataFrame, and so is every other table.

    arrow(name) gives the same rows as a `pyarrow.Table`. `hedgerow schema` lists the tables.
    """

    def __init__(self, read: Callable[[str], pa.Table], *, path: Path | None = None) -> None:
        self._read = read
        self.path = path
        """The snapshot's folder; None where the tables are in memory, or far away."""

    def arrow(self, name: str) -> pa.Table:
        """Return a table. Raises KeyError where there is none of that name."""
        return self._read(name)

    def __getattr__(self, name: str) -> Callable[[], pd.DataFrame]:
        if name not in tables.TABLES:
            names = sorted(tables.TABLES)
            raise AttributeError(f"found no table {name!r}; expected one of {names}")
        return lambda: self.arrow(name).to_pandas()

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *tables.TABLES]


def open(path: str | PathLike[str] = "outputs") -> TableSet:
    """Return the tables of a snapshot.

    path: an outputs folder (its latest snapshot), a snapshot's folder, or a URL that
    `hedgerow publish` has written to, such as s3://bucket/folder. The
    snapshot is chosen once: later runs do not change what the result reads.
    Raises StoreError where there is no snapshot.
    """
    if isinstance(path, str) and is_url(path):
        return TableSet(remote.open_tables(path))
    root = Path(path)
    snapshot = (
        Snapshot(root.resolve()) if (root / "manifest.json").is_file() else Outputs(root).snapshot()
    )
    if snapshot is None:
        raise StoreError(
            f"{root}: found no snapshot; expected an outputs folder that a run has written; run "
            "`hedgerow run` first"
        )
    return TableSet(snapshot.read, path=snapshot.path)


def extract(texts: Iterable[str] | Mapping[str, str], *, model: str | None = None) -> TableSet:
    """Return all tables of a few texts, in memory.

    texts: plain texts, or a mapping of doc_id to text; without ids, documents are called text-1,
    text-2 and so on. model: a model to use in place of the one that ships.
    """
    if isinstance(texts, str):
        texts = [texts]
    if not isinstance(texts, Mapping):
        texts = {f"text-{number}": text for number, text in enumerate(texts, start=1)}
    from hedgerow.tasks import run_stages

    items = [(doc_id, f"{doc_id}.txt", text.encode()) for doc_id, text in texts.items()]
    held = run_stages(items, _resources(model))
    found = {name: tables.conform(name, table) for name, table in held.items()}
    tables.check(found)
    return TableSet({**{name: tables.empty(name) for name in tables.TABLES}, **found}.__getitem__)


@lru_cache(maxsize=2)
def _resources(model: str | None) -> Resources:
    return Resources(settings.load(model=model))
