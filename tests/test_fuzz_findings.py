"""What fuzzing found, each input made small: it stays mended."""

from __future__ import annotations

import io
import re
import zipfile

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from hedgerow.errors import RejectedDocument
from hedgerow.nlp import citations, clauses, statistics
from hedgerow.nlp.phrases import split_words
from hedgerow.readers import reader_for
from hedgerow.readers.pdf_layout import Hyphens
from tests.fuzz import harness, seeds

LONG = 100_000
"""Characters that took minutes."""


@pytest.mark.timeout(60)
@pytest.mark.parametrize("character", "([“!-–")
def test_a_long_run_of_one_mark_is_tokenized_in_linear_time(character):
    harness.check("text", f"Zinc {character * LONG}".encode())


@pytest.mark.timeout(60)
@pytest.mark.parametrize("part", ["and ", "vs ", "[1] "])
def test_a_word_repeated_over_and_over_is_read_in_linear_time(part):
    text = (part * (LONG // len(part))).strip()
    words = split_words(text)
    clauses.split_clauses(text, words, [], direction="none")
    citations.find_citations(text, frozenset({"brackets"}), citations.ReferenceIndex())


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("P<1e-5", 1e-5),
        ("P = 1.2e-3", 1.2e-3),
        ("P<10^-5", 1e-5),
        ("P < 10⁻⁵", 1e-5),
        ("P=3 × 10-5", 3e-5),
        ("P = 1", 1.0),
    ],
)
def test_a_small_p_value_is_read_whole(text, value):
    (row,) = statistics.find_statistics(text)
    assert row.p_value == pytest.approx(value)
    assert (row.start, row.end) == (0, len(text))


def test_a_number_above_one_is_no_p_value():
    assert statistics.find_statistics("P = 12") == []


@pytest.mark.timeout(60)
def test_paragraphs_of_brackets_left_open_are_a_reject():
    content = ("Zinc helps.\n\n" + ("^[" * 1500 + "\n\n") * 100).encode()
    harness.check("markdown", content)
    with pytest.raises(RejectedDocument, match="brackets"):
        reader_for("a.md").read(content, path="a.md")


def test_text_that_becomes_mojibake_when_its_blanks_are_collapsed_is_normalised():
    harness.check("markdown", "Zinc for col\xc8\u0153\xe2\u0192\t> helps.".encode())
    harness.check("html", "<p>Zinc for col\xc8\u0153\xe2\u0192\t> helps.".encode())


def parquet(**columns) -> bytes:
    pq.write_table(pa.table(columns), out := io.BytesIO())
    return out.getvalue()


def test_a_parquet_row_that_is_no_utf8_is_an_error_and_the_others_count():
    texts = pa.array([b"\xd9", b"Zinc helps."], pa.binary()).view(pa.string())
    content = parquet(id=["a", "b"], text=texts)
    harness.check("parquet", content)
    broken, good = reader_for("a.parquet").split(content)
    assert broken.error is not None and broken.error[0] == "malformed"
    assert good.declared_id == "b" and good.error is None


def test_a_parquet_column_whose_name_is_no_utf8_is_a_reject():
    content = parquet(id=["a"], text=["Zinc helps."], extra=["x"]).replace(b"extra", b"\xabxtra")
    harness.check("parquet", content)
    with pytest.raises(RejectedDocument, match="malformed"):
        list(reader_for("a.parquet").split(content))


@pytest.mark.timeout(60)
def test_cells_that_span_many_rows_and_columns_are_not_multiplied():
    row = "<tr><td rowspan=999 COLSPAN = '999'>a<td/rowspan=99>b"
    harness.check("html", f"<p>Zinc helps.</p><table>{row * 300}".encode())


def test_a_pdf_of_lines_that_every_page_repeats_is_a_reject():
    canvas = pytest.importorskip("reportlab.pdfgen.canvas").Canvas(out := io.BytesIO())
    for _ in range(10):
        canvas.drawString(30, 780, "Zinc helps a lot.")
        canvas.showPage()
    canvas.save()
    harness.check("pdf", out.getvalue())
    with pytest.raises(RejectedDocument, match="no_text"):
        reader_for("a.pdf").read(out.getvalue(), path="a.pdf")


@pytest.mark.timeout(60)
def test_a_page_of_very_many_short_paragraphs_is_read_in_linear_time():
    harness.check("html", b"<p>Zinc helps.</p>" + b"<ul>a</ul>" * 12_000)


@pytest.mark.timeout(60)
@pytest.mark.parametrize("blank", " \t\u3000")
def test_a_long_run_of_blanks_is_read_in_linear_time(blank):
    harness.check("text", f"Zinc helps.\n{blank * LONG}".encode())
    harness.check("text", f"Zinc helps.\n{blank * LONG}\nNext.".encode())


def test_captions_side_by_side_in_jats_are_added_once():
    captions = "".join(f"<caption><p>Part {n}</p></caption>" for n in range(200))
    head = "<front><article-meta></article-meta></front>"
    content = f"<article>{head}<body><p>Zinc.</p>{captions}</body></article>".encode()
    harness.check("jats", content)
    text = reader_for("a.nxml").read(content, path="a.nxml").text
    assert [text.count(f"Part {n}.") + text.endswith(f"Part {n}") for n in (0, 7, 199)] == [1] * 3


ENDLESS = "Zinc " * 2000


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("html", f"<h1>Zinc</h1><h2>{ENDLESS}</h2>{'<p>a' * 2500}"),
        ("markdown", f"## {ENDLESS}\n\n" + "a\n\n" * 3000),
    ],
)
def test_a_heading_without_end_is_not_repeated_in_every_row_below_it(name, content):
    harness.check(name, content.encode())


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("jsonl", f'{{"id": "{"x" * 1000}", "text": "Zinc helps."}}'),
        ("csv", f"id,text\n{'x' * 1000},Zinc helps.\n"),
    ],
)
def test_an_id_without_end_is_none(name, content):
    (item,) = reader_for(harness.FILES[name]).split(content.encode())
    assert item.error is not None and item.error[0] == "missing_id"


def docx(pattern: str, new: str, part: str = "word/document.xml") -> bytes:
    """Return the seed document with the first match of a pattern in a part put otherwise."""
    (seed,) = seeds.seeds("docx")
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(seed)) as old, zipfile.ZipFile(out, "w") as made:
        for name in old.namelist():
            content = old.read(name)
            if name == part:
                content, found = re.subn(
                    pattern.encode(), new.encode(), content, count=1, flags=re.DOTALL
                )
                assert found
            made.writestr(name, content)
    return out.getvalue()


@pytest.mark.parametrize("level", ["1.5", "", "-1", "9" * 5000, "٣"])
def test_a_list_level_that_is_no_number_does_not_cost_the_document(level):
    content = docx('w:ilvl="0"', f'w:ilvl="{level}"', "word/numbering.xml")
    harness.check("docx", content)
    assert "nausea" in reader_for("a.docx").read(content, path="a.docx").text


def test_a_related_part_of_no_type_does_not_cost_the_document():
    content = docx(' Type="[^"]*/theme"', "", "word/_rels/document.xml.rels")
    harness.check("docx", content)
    assert "nausea" in reader_for("a.docx").read(content, path="a.docx").text


def test_a_word_file_without_a_body_is_a_reject():
    content = docx("<w:body>.*</w:body>", "")
    harness.check("docx", content)
    with pytest.raises(RejectedDocument, match="malformed"):
        reader_for("a.docx").read(content, path="a.docx")


def test_a_word_file_whose_root_is_another_element_is_a_reject():
    harness.check("docx", docx("<w:document (.*)</w:document>", r"<w:tblW \1</w:tblW>"))


def test_a_parsers_message_that_repeats_the_document_is_cut():
    content = b"<article><p " + b"x" * 20_000 + b"></p></article>"
    with pytest.raises(RejectedDocument, match="mandates value for attribute x") as rejected:
        reader_for("a.nxml").read(content, path="a.nxml")
    assert len(rejected.value.detail) <= 1_000


@pytest.mark.timeout(60)
def test_a_paragraph_of_very_many_lines_is_joined_in_linear_time():
    lines = ["zinc lowers the risk of colds and short-"] * 20_000
    joined = Hyphens(words={"shortzinc"}).text(lines)
    assert joined.startswith("zinc lowers the risk of colds and shortzinc lowers")
    assert joined.count("shortzinc") == len(lines) - 1
