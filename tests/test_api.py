"""Hedgerow from Python, and its tables through the readers that analysts use."""

from __future__ import annotations

import duckdb
import pandas as pd
import polars as pl
import pytest

import hedgerow
from hedgerow import tables
from hedgerow.errors import StoreError


def test_the_public_names_are_these():
    assert set(hedgerow.__all__) == {"TableSet", "__version__", "extract", "open"}


def test_extract_gives_the_tables_of_a_few_texts():
    found = hedgerow.extract(["Aspirin may reduce the risk of stroke.", "Zinc cures colds."])
    claims = found.claims()
    assert list(found.documents().doc_id) == ["text-1", "text-2"]
    assert claims.set_index("doc_id").certainty.to_dict() == {
        "text-1": "possible",
        "text-2": "certain",
    }
    assert set(tables.TABLES) <= set(dir(found))


def test_extract_takes_ids_and_a_single_text():
    assert list(hedgerow.extract({"mine": "Zinc cures colds."}).documents().doc_id) == ["mine"]
    assert len(hedgerow.extract("Zinc cures colds.").documents()) == 1


def test_open_reads_a_snapshot_and_keeps_to_it(run, corpus, outputs):
    run()
    found = hedgerow.open(outputs)
    before = len(found.documents())
    (corpus / "one.txt").unlink()
    run()
    assert len(found.documents()) == before
    assert len(hedgerow.open(outputs / "latest").documents()) == before - 1


def test_open_says_what_is_missing(tmp_path):
    with pytest.raises(StoreError, match="hedgerow run"):
        hedgerow.open(tmp_path)
    with pytest.raises(AttributeError, match="claims"):
        hedgerow.extract("Zinc cures colds.").clams()


def test_pandas_duckdb_and_polars_read_the_tables_with_no_helper(run, outputs):
    run()
    latest = outputs / "latest"
    for name, spec in tables.TABLES.items():
        frame = pd.read_parquet(latest / name)
        assert list(frame.columns) == [c.name for c in spec.columns], name
        rows = duckdb.sql(f"select count(*) from '{latest}/{name}/*.parquet'").fetchall()[0][0]
        assert rows == len(frame) == pl.read_parquet(f"{latest}/{name}/*.parquet").height, name
    claims, documents = pd.read_parquet(latest / "claims"), pd.read_parquet(latest / "documents")
    texts = documents.set_index("doc_id").text
    assert len(claims) > 0
    for claim in claims.itertuples():
        assert texts[claim.doc_id][claim.start : claim.end] == claim.text
    assert claims.certainty.dtype == "category"
