"""A row of a CSV, TSV or Parquet file is a document; a row that cannot be used is an error."""

from __future__ import annotations

import io
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from hedgerow import settings
from hedgerow.errors import RejectedDocument, SettingsError
from hedgerow.limits import Limits
from hedgerow.readers.base import Block, Document, Options
from hedgerow.readers.tabular import CSV, PARQUET, TSV
from hedgerow.settings import Tabular


def parquet(**columns) -> bytes:
    out = io.BytesIO()
    pq.write_table(pa.table(columns), out)
    return out.getvalue()


def documents(reader, content):
    return [reader.read(item.content, path="a") for item in reader.split(content)]


EXPECTED = Document(
    text="Zinc lozenges\n\nZinc may shorten colds.",
    blocks=(Block(0, 13, "title"), Block(15, 38, "paragraph")),
    media_type="text/csv",
    declared_id="pmid:123",
    title="Zinc, again",
    publisher="J Made Up",
    author="Lee A",
    published="2024",
    interest="journal",
)


def test_a_csv_row_is_a_whole_document():
    content = (
        b"PMID,Title,Abstract,Journal,Authors,Year,Interest,extra\n"
        b'123,"Zinc, again","Zinc lozenges\n\nZinc may shorten colds.",J Made Up,Lee A,2024,'
        b"journal,x\n"
    )
    assert documents(CSV, content) == [EXPECTED]


def test_semicolons_tabs_and_byte_order_marks_are_understood():
    row = "id;abstract\na;Zinc may shorten colds.\n"
    expected = ["Zinc may shorten colds."]
    assert [d.text for d in documents(CSV, row.encode("utf-8-sig"))] == expected
    assert [d.text for d in documents(TSV, row.replace(";", "\t").encode("utf-16"))] == expected


def test_parquet_rows_are_documents_of_the_same_fields():
    content = parquet(
        pmid=[123],
        title=["Zinc, again"],
        abstract=["Zinc lozenges\n\nZinc may shorten colds."],
        journal=["J Made Up"],
        authors=[["Lee A"]],
        year=[2024.0],
        interest=pa.array(["journal"]).dictionary_encode(),
        blob=[b"x" * 10],
    )
    (found,) = documents(PARQUET, content)
    assert found == Document(**{**vars(EXPECTED), "media_type": PARQUET.media_type})


def test_rows_that_cannot_be_used_are_errors_and_the_others_count():
    content = b'id,text\na,Zinc helps.\nb\nc,x,y\n,Zinc helps.\nd,\ne,"a" b\n\nf,Zinc may help.\n'
    items = list(CSV.split(content))
    assert [(i.label, i.declared_id, i.error and i.error[0]) for i in items] == [
        ("line 2", "a", None),
        ("line 3", None, "malformed"),
        ("line 4", None, "malformed"),
        ("line 5", None, "missing_id"),
        ("line 6", None, "empty"),
        ("line 7", None, "malformed"),
        ("line 9", "f", None),
    ]
    assert "found 1 fields; expected 2" in items[1].error[1]


def test_an_open_quote_at_the_end_is_one_error():
    items = list(CSV.split(b'id,text\na,Zinc helps.\nb,"never closed\nc,Zinc.\n'))
    assert [(i.label, i.error and i.error[0]) for i in items] == [
        ("line 2", None),
        ("line 3", "malformed"),
    ]


@pytest.mark.parametrize(
    ("reader", "content", "reason", "said"),
    [
        (CSV, b"", "empty", "text"),
        (CSV, b"id,text\n\0,b\n", "binary", "control bytes"),
        (
            CSV,
            b"id,words\na,b\n",
            "malformed",
            "found the columns 'id', 'words'; expected one of the text named",
        ),
        (CSV, ",".join(["c"] * 2000).encode(), "too_large", "limits.columns"),
        (TSV, b'"id\ttext', "malformed", "found no header"),
        (PARQUET, b"", "empty", "Parquet"),
        (PARQUET, b"PAR1 and no more", "malformed", "PAR1 at both ends"),
        (PARQUET, b"PAR1" + b"x" * 100 + b"PAR1", "malformed", "cannot be read"),
        (PARQUET, parquet(id=["a"], words=["b"]), "malformed", "found the columns 'id', 'words'"),
    ],
)
def test_a_file_without_texts_is_rejected_with_the_reason(reader, content, reason, said):
    with pytest.raises(RejectedDocument) as rejected:
        list(reader.split(content))
    assert rejected.value.reason == reason
    assert said in rejected.value.detail


def test_a_parquet_file_that_would_unpack_to_too_much_is_rejected():
    options = Options(limits=Limits(unpacked_bytes=100))
    with pytest.raises(RejectedDocument, match=r"limits\.unpacked_bytes"):
        list(PARQUET.split(parquet(id=["a"], text=["zinc " * 100]), options))


MAPPED = Options(tabular=Tabular(text="AbstractText (English)", title="Heading", id="Accession"))


@pytest.mark.parametrize("mapped", ["CSV", "TSV", "PARQUET"])
def test_columns_are_named_in_the_settings(mapped):
    names = ["Accession", "Heading", "AbstractText (English)", "text"]
    row = ["A-1", "Zinc, again", "Zinc may shorten colds.", "not this one"]
    content = {
        "CSV": b"Accession,Heading,AbstractText (English),text\n"
        b'A-1,"Zinc, again",Zinc may shorten colds.,not this one\n',
        "TSV": "\n".join(map("\t".join, (names, row))).encode(),
        "PARQUET": parquet(**{name: [value] for name, value in zip(names, row, strict=True)}),
    }[mapped]
    reader = {"CSV": CSV, "TSV": TSV, "PARQUET": PARQUET}[mapped]
    (item,) = reader.split(content, MAPPED)
    found = reader.read(item.content, path="a", options=MAPPED)
    assert (found.declared_id, found.title) == ("A-1", "Zinc, again")
    assert found.text == "Zinc may shorten colds."


def test_a_column_that_is_not_there_is_told_with_those_that_are():
    with pytest.raises(RejectedDocument) as rejected:
        list(CSV.split(b"PMID,Summary\n1,Zinc helps.\n", MAPPED))
    assert rejected.value.detail == (
        "found the columns 'PMID', 'Summary'; expected one of the text named AbstractText "
        "(English) or text or abstract or abstract_text or abstracttext; name yours in "
        'hedgerow.toml: [tabular] text = "…"'
    )
    with pytest.raises(RejectedDocument, match="expected one of the id named id or doc_id"):
        list(CSV.split(b"key,text\n1,Zinc helps.\n"))


def test_the_settings_file_maps_columns(tmp_path, monkeypatch):
    (tmp_path / "hedgerow.toml").write_text('[tabular]\ntext = "Summary"\n[limits]\npages = 3\n')
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HEDGEROW_LIMITS__DEPTH", "7")
    found = Options.of(settings.load())
    assert (found.tabular.text, found.limits.pages, found.limits.depth) == ("Summary", 3, 7)
    (tmp_path / "hedgerow.toml").write_text('[limits]\npages = "many"\n')
    with pytest.raises(SettingsError, match=r"limits.pages.*HEDGEROW_LIMITS__PAGES"):
        settings.load()


def test_a_field_beyond_the_limit_is_named():
    options = Options(limits=Limits(document_bytes=50))
    items = list(CSV.split(b"id,text\na," + b"x" * 100 + b"\nb,Zinc helps.\n", options))
    assert items[0].error[0] == "too_large" and "limits.document_bytes" in items[0].error[1]


def test_old_line_ends_are_line_ends():
    assert len(documents(CSV, b"id,text\ra,Zinc helps.\rb,Zinc may help.\r")) == 2


def test_one_long_text_said_many_times_takes_the_memory_of_one():
    content = parquet(id=[str(i) for i in range(200)], text=["zinc " * 200_000] * 200)
    assert len(content) < 3_000_000
    before = pa.total_allocated_bytes()
    for item in PARQUET.split(content):
        assert item.error is None
        assert pa.total_allocated_bytes() - before < 50_000_000


def test_a_row_with_a_field_of_many_megabytes_is_read():
    text = "Zinc helps. " * 100_000
    (item,) = CSV.split(f"id,text\na,{text}\n".encode())
    assert json.loads(item.content) == {"id": "a", "text": text}


def test_a_hundred_thousand_rows_are_split_in_order():
    content = b"id,text\n" + b"".join(b"d%d,Zinc may help.\n" % i for i in range(100_000))
    items = list(CSV.split(content))
    assert [item.declared_id for item in items] == [f"d{i}" for i in range(100_000)]
