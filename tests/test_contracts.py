"""`tables.check()` finds every way in which a table can break its contract."""

from __future__ import annotations

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hedgerow import ids, store, tables
from hedgerow.errors import ContractError

TEXT = "Zinc may help."


def _documents(text=TEXT):
    return tables.from_rows(
        "documents",
        [
            {
                "doc_id": "a",
                "path": "a.txt",
                "media_type": "text/plain",
                "interest": "unknown",
                "interest_basis": "none",
                "source_sha256": "0",
                "text": text,
            }
        ],
    )


def _sentence(**change):
    row = {
        "sentence_id": "s",
        "doc_id": "a",
        "block_id": "b",
        "index": 0,
        "start": 0,
        "end": len(TEXT),
        "text": TEXT,
        "block": "paragraph",
    }
    return tables.from_rows("sentences", [{**row, **change}])


def test_a_good_table_passes():
    tables.check({"documents": _documents(), "sentences": _sentence()})


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"text": "Zinc must help."}, "expected column text"),
        ({"end": 99}, "expected a span inside"),
        ({"start": 5, "end": 5}, "expected a span inside"),
        ({"doc_id": "other"}, "not in documents.doc_id"),
        ({"index": -1}, "expected 0"),
        ({"text": None}, "nulls"),
    ],
)
def test_a_broken_row_is_named(change, words):
    with pytest.raises(ContractError, match=words):
        tables.check({"documents": _documents(), "sentences": _sentence(**change)})


def test_a_value_outside_a_vocabulary_is_refused_when_the_table_is_built():
    with pytest.raises(ContractError, match="poem"):
        _sentence(block="poem")
    with pytest.raises(ContractError, match="unknown columns"):
        tables.from_rows("sentences", [{"sentnce_id": "x"}])


def test_a_value_outside_a_vocabulary_is_found_in_a_table_made_elsewhere():
    good = _documents()
    column = good.schema.get_field_index("interest")
    bad = good.set_column(
        column,
        good.schema.field(column),
        pa.array(["uncle"]).dictionary_encode().cast(good.schema.field(column).type),
    )
    with pytest.raises(ContractError, match="uncle"):
        tables.check({"documents": bad})


def test_a_double_key_and_a_wrong_schema_are_found():
    double = pa.concat_tables([_documents(), _documents()])
    with pytest.raises(ContractError, match="more than once"):
        tables.check({"documents": double})
    with pytest.raises(ContractError, match="expected"):
        tables.check({"documents": _documents().drop_columns(["url"])})


def test_nan_is_outside_every_range():
    row = {"doc_id": "a", "sentence_id": "s", "kind": "other"}
    row |= {c.name: 0.5 for c in tables.CERTAINTY.columns if c.low is not None}
    with pytest.raises(ContractError, match="confidence"):
        row["confidence"] = float("nan")
        tables.check({"certainty": tables.from_rows("certainty", [row])})


@given(st.lists(st.text(max_size=8), max_size=30, unique=True), st.randoms())
def test_conform_makes_equal_rows_equal_tables(doc_ids, chance):
    rows = [
        {
            "doc_id": d,
            "path": d,
            "media_type": "",
            "interest": "blog",
            "interest_basis": "",
            "source_sha256": "",
            "text": d,
        }
        for d in doc_ids
    ]
    one = tables.conform("documents", tables.from_rows("documents", rows))
    chance.shuffle(rows)
    assert tables.conform("documents", tables.from_rows("documents", rows)).equals(one)


@given(st.sets(st.text(max_size=6), max_size=400))
def test_buckets_are_a_function_of_the_set_and_hold_every_document_once(doc_ids):
    buckets = store.assign_buckets(doc_ids)
    assert buckets == store.assign_buckets(sorted(doc_ids, reverse=True))
    held = [doc_id for members in buckets.values() for doc_id in members]
    assert sorted(held) == sorted(doc_ids)
    assert all(len(members) <= store.BUCKET_DOCUMENTS for members in buckets.values())
    for name, members in buckets.items():
        assert all(store.document_bits(d).startswith(name) for d in members)


def test_ids_are_the_same_everywhere():
    assert ids.make_id("a", 1) == "26534f26ae89474ec19e"
    assert ids.make_id("ab", "c") != ids.make_id("a", "bc")
    assert list(ids.occurrence_ids("d", ["x", "x"])) != list(ids.occurrence_ids("d", ["x"])) * 2
    assert ids.path_id("Cafe\u0301\\x.txt") == "Caf\u00e9/x.txt"
