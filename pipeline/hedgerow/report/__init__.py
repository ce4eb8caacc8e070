"""The report: a snapshot's tables as one HTML file that needs no network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pyarrow as pa

from hedgerow.report.page import render
from hedgerow.report.source import InFiles, InMemory

__all__ = ["render", "write", "write_report"]


def write(
    tables: Mapping[str, pa.Table], path: Path, facts: Mapping[str, str] | None = None
) -> None:
    """Write the report of tables in memory.

    tables: by name, those of `hedgerow.tables` that analysts read; a missing one counts as empty.
    facts: further lines for "How these figures were made".
    """
    path.write_text(render(InMemory(tables), facts), encoding="utf-8")


def write_report(
    path: Path, pieces: Mapping[str, Sequence[Path]], corpus_tables: Mapping[str, pa.Table]
) -> None:
    """Write the report of a snapshot that is about to be published.

    pieces: the Parquet parts of each table of single documents. corpus_tables: the tables that
    look across documents, in memory. Only columns and documents that the report shows are read.
    """
    path.write_text(render(InFiles(pieces, InMemory(corpus_tables))), encoding="utf-8")
