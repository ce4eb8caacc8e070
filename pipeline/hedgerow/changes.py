"""What changed between two snapshots, claim by claim, and why."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from hedgerow import tables
from hedgerow.corpus import Entry
from hedgerow.store import Snapshot, read_parts

_PLACES = ("start", "end")
COMPARED = tuple(
    column.name
    for column in tables.CLAIMS.columns
    if column.name not in ("claim_id", "sentence_id", "doc_id", "index", "text")
    and not column.name.endswith(_PLACES)
)
"""The columns of `claims` that are compared: all but identity and places in the text, which move
when other text changes."""


def compare(before: pa.Table, after: pa.Table, causes: Mapping[str, str], cause: str) -> pa.Table:
    """Return the `changes` table from one `claims` table to another.

    causes: doc_id to cause, for documents that have one of their own. cause: that of the rest.
    """
    old, new = (
        {row["claim_id"]: row for row in table.to_pylist()} for table in _unlike(before, after)
    )
    rows: list[dict[str, Any]] = []
    for claim_id in sorted(old.keys() | new.keys()):
        one, two = old.get(claim_id), new.get(claim_id)
        row = two or one
        assert row is not None  # the id is from one of them
        common = {
            "claim_id": claim_id,
            "doc_id": row["doc_id"],
            "text": row["text"],
            "cause": causes.get(row["doc_id"], cause),
        }
        if one is None or two is None:
            rows.append({**common, "change": "added" if one is None else "removed"})
            continue
        rows += (
            {
                **common,
                "change": "changed",
                "field": name,
                "before": _text(one[name]),
                "after": _text(two[name]),
            }
            for name in COMPARED
            if one[name] != two[name]
        )
    return tables.conform("changes", tables.from_rows("changes", rows))


def _unlike(before: pa.Table, after: pa.Table) -> tuple[pa.Table, pa.Table]:
    """Return the rows of both tables without those that the other holds just so."""
    place = pc.index_in(after.column("claim_id"), value_set=before.column("claim_id"))
    other = before.take(place)
    same = pc.is_valid(place)
    for name in COMPARED:
        one, two = (_plain(table.column(name)) for table in (after, other))
        equal = pc.fill_null(pc.equal(one, two), False)
        same = pc.and_(same, pc.or_(equal, pc.and_(pc.is_null(one), pc.is_null(two))))
    kept = after.column("claim_id").filter(same)
    unlike = (
        table.filter(pc.invert(pc.is_in(table.column("claim_id"), value_set=kept)))
        for table in (before, after)
    )
    return next(unlike), next(unlike)


def _plain(column: pa.ChunkedArray) -> pa.ChunkedArray:
    return column.cast(pa.string()) if pa.types.is_dictionary(column.type) else column


def _text(value: Any) -> str | None:
    return None if value is None else str(value)


def first_difference(before: Mapping[str, str], after: Mapping[str, str]) -> str:
    """Return the first of `tables.CAUSES` whose digest differs; "document" where none does."""
    return next((c for c in tables.CAUSES[1:] if before.get(c) != after.get(c)), "document")


def between(before: Snapshot, after: Snapshot) -> pa.Table:
    """Return the changes from one snapshot to any other, reading only parts that differ."""
    return compare_parts(
        before.part_paths("claims"),
        after.part_paths("claims"),
        document_causes(entries(before.read("sources")), entries(after.read("sources"))),
        first_difference(before.manifest.digests, after.manifest.digests),
    )


def compare_parts(
    before: Iterable[Path], after: Iterable[Path], causes: Mapping[str, str], cause: str
) -> pa.Table:
    """Return `compare` of two sets of parts of `claims`; parts of one name are not read."""
    old, new = ({path.name: path for path in paths} for paths in (before, after))
    return compare(
        read_parts("claims", [path for name, path in old.items() if name not in new]),
        read_parts("claims", [path for name, path in new.items() if name not in old]),
        causes,
        cause,
    )


def document_causes(before: Mapping[str, Entry], after: Mapping[str, Entry]) -> dict[str, str]:
    """Return doc_id to "document" or "source settings" for documents that differ."""
    causes = {}
    for doc_id in before.keys() | after.keys():
        one, two = before.get(doc_id), after.get(doc_id)
        if one is None or two is None or (one.sha256, one.path) != (two.sha256, two.path):
            causes[doc_id] = "document"
        elif one.override != two.override:
            causes[doc_id] = "source settings"
    return causes


def entries(sources: pa.Table | None) -> dict[str, Entry]:
    """Return doc_id to the place of each document in a `sources` table, if there is one."""
    rows = sources.to_pylist() if sources is not None else []
    return {entry.doc_id: entry for entry in (Entry(**row) for row in rows)}
