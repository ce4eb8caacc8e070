"""Where the report reads its rows: tables in memory, or Parquet parts of which it needs a few."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from hedgerow import tables as contract
from hedgerow.store import bucket_of, document_bits


class Source(Protocol):
    """Gives rows of tables by name."""

    def count(self, name: str) -> int:
        """Return how many rows a table has."""

    def tally(self, name: str, column: str) -> Counter[str]:
        """Return how often each value stands in a column."""

    def rows(
        self,
        name: str,
        columns: Sequence[str] | None = None,
        where: tuple[str, Collection[str]] | None = None,
    ) -> list[dict[str, Any]]:
        """Return rows in the declared order.

        columns: those needed, by default all. where: a column and the values that it may have.
        """


@dataclass(frozen=True)
class InMemory:
    """Tables in memory; a missing one counts as empty."""

    tables: Mapping[str, pa.Table]

    def count(self, name: str) -> int:
        """Return how many rows a table has."""
        return self.tables[name].num_rows if name in self.tables else 0

    def tally(self, name: str, column: str) -> Counter[str]:
        """Return how often each value stands in a column."""
        return _tally(self.tables[name].column(column)) if name in self.tables else Counter()

    def rows(
        self,
        name: str,
        columns: Sequence[str] | None = None,
        where: tuple[str, Collection[str]] | None = None,
    ) -> list[dict[str, Any]]:
        """Return rows in the declared order."""
        if name not in self.tables:
            return []
        table = self.tables[name]
        if where is not None:
            table = table.filter(_among(table, where))
        return _sorted(name, table.to_pylist(), columns)


@dataclass(frozen=True)
class InFiles:
    """Tables in Parquet parts; those without parts are looked for in `others`."""

    pieces: Mapping[str, Sequence[Path]]
    others: InMemory

    def count(self, name: str) -> int:
        """Return how many rows a table has."""
        if name in self.others.tables:
            return self.others.count(name)
        return sum(pq.read_metadata(path).num_rows for path in self.pieces.get(name, ()))

    def tally(self, name: str, column: str) -> Counter[str]:
        """Return how often each value stands in a column."""
        if name in self.others.tables:
            return self.others.tally(name, column)
        found: Counter[str] = Counter()
        for path in self.pieces.get(name, ()):
            found += _tally(pq.read_table(path, columns=[column], partitioning=None).column(column))
        return found

    def rows(
        self,
        name: str,
        columns: Sequence[str] | None = None,
        where: tuple[str, Collection[str]] | None = None,
    ) -> list[dict[str, Any]]:
        """Return rows in the declared order."""
        if name in self.others.tables:
            return self.others.rows(name, columns, where)
        needed = None
        if columns is not None:
            keys = {*columns, *contract.TABLES[name].order, *((where[0],) if where else ())}
            needed = sorted(keys)
        found: list[dict[str, Any]] = []
        for path in self._holding(name, where):
            table = pq.read_table(path, columns=needed, partitioning=None)
            if where is not None:
                table = table.filter(_among(table, where))
            found += table.to_pylist()
        return _sorted(name, found, columns)

    def _holding(self, name: str, where: tuple[str, Collection[str]] | None) -> Sequence[Path]:
        """Return the parts that may have such rows: those of the documents' buckets."""
        paths = self.pieces.get(name, ())
        if where is None or where[0] != "doc_id":
            return paths
        wanted = [document_bits(doc_id) for doc_id in where[1]]
        return [p for p in paths if any(b.startswith(bucket_of(p)) for b in wanted)]


def _tally(values: pa.ChunkedArray) -> Counter[str]:
    counts = values.cast(pa.string()).value_counts()
    return Counter({row["values"]: row["counts"] for row in counts.to_pylist()})


def _among(table: pa.Table, where: tuple[str, Collection[str]]) -> pa.ChunkedArray:
    column, values = where
    return pc.is_in(table.column(column), pa.array(sorted(values), pa.string()))


def _sorted(
    name: str, rows: list[dict[str, Any]], columns: Sequence[str] | None
) -> list[dict[str, Any]]:
    order = contract.TABLES[name].order
    rows.sort(key=lambda row: tuple((row[c] is not None, row[c]) for c in order))
    if columns is None:
        return rows
    return [{column: row[column] for column in columns} for row in rows]
