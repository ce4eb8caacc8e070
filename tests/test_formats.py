"""A corpus of every format: text, blocks, references and metadata are those expected.

`python -m tests.test_formats` rewrites the expected rows; read the difference before you keep it.
"""

from __future__ import annotations

import bz2
import datetime
import gzip
import io
import json
import re
import shutil
import sys
import tempfile
from pathlib import Path

import docx
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from hedgerow import readers, settings, tables, tasks
from hedgerow.corpus import scan
from hedgerow.limits import Limits
from hedgerow.resources import Resources

DATA = Path(__file__).parent / "data" / "formats"
EXPECTED = DATA / "expected.json"
PAGE = Path(__file__).parents[1] / "docs" / "formats.md"
_METADATA = (
    "path", "url", "title", "publisher", "author", "published", "media_type", "language",
    "licence", "interest",
)  # fmt: skip
_REFERENCE = (
    "marker", "raw", "authors", "title", "year", "venue", "doi", "pmid", "pmcid", "cochrane_id",
    "registration",
)  # fmt: skip
TABULAR = settings.Tabular(id="Accession", title="Heading", text="Summary")


def _pdf() -> bytes:
    from reportlab.pdfgen.canvas import Canvas

    file = io.BytesIO()
    canvas = Canvas(file, pagesize=(595, 842), invariant=True)
    canvas.setTitle("Turmeric for knee pain")
    canvas.setAuthor("Mira Stone")
    lines = (
        (18, 780, "Turmeric for knee pain"),
        (10, 740, "Turmeric may ease knee pain in adults with osteoarthritis. In an"),
        (10, 727, "invented trial of 90 people it was no better than placebo after six weeks, and"),
        (10, 714, "the author asked for larger studies [1]."),
        (0, 0, ""),
        (13, 780, "References"),
        (10, 755, "1. Stone M, Vale P. Turmeric and knees. J Made Up Joints. 2021;8:30-38."),
    )  # fmt: skip
    for size, y, text in lines:
        if not size:
            canvas.showPage()
            continue
        canvas.setFont("Helvetica-Bold" if size > 10 else "Helvetica", size)
        canvas.drawString(60, y, text)
    canvas.save()
    return file.getvalue()


def _docx() -> bytes:
    document = docx.Document()
    document.core_properties.title = "Peppermint oil for IBS"
    document.core_properties.author = "Owen Hart"
    document.core_properties.created = datetime.datetime(2014, 6, 1)
    document.add_heading("Peppermint oil for IBS", 0)
    document.add_heading("Findings", 1)
    document.add_paragraph("Peppermint oil probably relieves symptoms of IBS.")
    document.add_paragraph("heartburn", style="List Bullet")
    table = document.add_table(2, 2)
    cells = [cell for row in table.rows for cell in row.cells]
    for cell, text in zip(cells, ("Group", "Relief", "Oil", "52%"), strict=True):
        cell.text = text
    document.add_heading("References", 1)
    document.add_paragraph("1. Hart O, Bell J. Peppermint in IBS. Made Up Gut. 2013;2:3-9.")
    file = io.BytesIO()
    document.save(file)
    return file.getvalue()


def build(corpus: Path) -> Path:
    """Write the corpus: the files beside this test, and those made from code."""
    shutil.copytree(DATA, corpus, ignore=shutil.ignore_patterns("expected.json"))
    packed = corpus / "packed"
    packed.mkdir()
    (packed / "records.xml.gz").write_bytes(gzip.compress((corpus / "records.xml").read_bytes()))
    (corpus / "records.xml").unlink()
    (packed / "page.html.bz2").write_bytes(bz2.compress((corpus / "page.html").read_bytes()))
    note = pa.Codec("zstd").compress((corpus / "note.txt").read_bytes(), asbytes=True)
    (packed / "note.txt.zst").write_bytes(note)
    (corpus / "report.pdf").write_bytes(_pdf())
    (corpus / "letter.docx").write_bytes(_docx())
    rows = {"doc_id": ["p-1"], "abstract": ["Cocoa might lower blood pressure."], "year": [2016]}
    pq.write_table(pa.table(rows), corpus / "rows.parquet")
    return corpus


def found(folder: Path) -> dict[str, dict[str, object]]:
    """Return what is read of each document of the corpus, by doc_id."""
    options = settings.load(corpus=build(folder / "corpus"), outputs=folder, tabular=TABULAR)
    scanned = scan(options)
    assert scanned.rejects == () and scanned.unused == ()
    entries = tuple(scanned.entries.values())
    batch = tasks.Batch(entries, 0, 1, None, ("0",), folder)
    tasks.run_batch(batch, Resources(options))
    held = {
        name: tasks._load(batch.folder(0) / f"{name}.arrow").to_pylist()
        for name in ("documents", "blocks", "references", "rejects")
    }
    assert held["rejects"] == []
    result: dict[str, dict[str, object]] = {}
    for row in held["documents"]:
        text, doc_id = row["text"], row["doc_id"]
        blocks = [b for b in held["blocks"] if b["doc_id"] == doc_id]
        result[doc_id] = {
            **{name: row[name] for name in _METADATA if row[name] is not None},
            "text": text,
            "blocks": [
                [b["start"], b["end"], b["block"], b["level"], b["section"], b["page"],
                 text[b["start"] : b["end"]]]
                for b in sorted(blocks, key=lambda b: b["start"])
            ],
            "references": [
                {name: r[name] for name in _REFERENCE if r[name] is not None}
                for r in sorted(held["references"], key=lambda r: r["index"])
                if r["doc_id"] == doc_id
            ],
        }  # fmt: skip
    return result


@pytest.fixture(scope="module")
def read(tmp_path_factory) -> dict[str, dict[str, object]]:
    pytest.importorskip("reportlab")
    return found(tmp_path_factory.mktemp("formats"))


_LOADED = json.loads(EXPECTED.read_text("utf-8")) if EXPECTED.exists() else {}


@pytest.mark.parametrize("doc_id", sorted(_LOADED))
def test_a_document_of_each_format_is_read_as_expected(read, doc_id):
    assert read[doc_id] == _LOADED[doc_id]


def test_the_corpus_has_every_format_and_nothing_else_comes_of_it(read):
    assert sorted(read) == sorted(_LOADED)
    media_types = {str(document["media_type"]) for document in read.values()}
    xml = {"application/jats+xml", "application/pubmed+xml"}
    assert media_types == xml | {r.media_type for r in readers.READERS} - {"application/xml"}


def test_every_kind_of_packing_gives_what_the_file_itself_gives(read):
    for plain, packed in (
        ("note.txt", "packed/note.txt.zst"),
        ("page.html", "packed/page.html.bz2"),
    ):
        a, b = (dict(read[name]) for name in (plain, packed))
        assert a.pop("path") != b.pop("path") and a == b


def test_every_limit_and_ending_stands_in_the_documentation():
    page = PAGE.read_text("utf-8")
    for name, limit in Limits.model_fields.items():
        assert f"| `{name}` | {limit.default:,} | {limit.description} |" in page
    for suffix in (*readers.SUFFIXES, *readers.PACKED):
        assert f"`{suffix}`" in page
    columns = page.split("## CSV")[1].split("## Limits")[0]
    for field, names in readers.tabular.COLUMNS.items():
        assert f"`{field}`" in columns and all(f"`{name}`" in columns for name in names)


def test_every_kind_of_block_of_these_formats_occurs(read):
    kinds = {block[2] for document in read.values() for block in document["blocks"]}
    assert kinds >= {"title", "heading", "paragraph", "list_item", "table_row", "reference",
                     "caption", "boilerplate"}  # fmt: skip
    assert kinds <= set(tables.BLOCKS)


def _compact(value: object) -> str:
    """Return JSON with one block or reference a line."""
    text = json.dumps(value, indent=1, ensure_ascii=False, sort_keys=True)
    return re.sub(r"\[\n\s+(\d[^\[\]]*(?:\[[^\n]*)*)\n\s+\]", _one_line, text)


def _one_line(match: re.Match[str]) -> str:
    return "[" + re.sub(r"\n\s+", " ", match[1]) + "]"


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as made:
        EXPECTED.write_text(_compact(found(Path(made))) + "\n", "utf-8")
    print(f"wrote {EXPECTED}", file=sys.stderr)
