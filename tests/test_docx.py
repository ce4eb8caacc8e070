"""A Word document gives its headings, lists, tables and notes, with its revisions accepted."""

from __future__ import annotations

import datetime
import io
import struct
import zipfile

import docx
import pytest
from docx.oxml import parse_xml

from hedgerow.errors import RejectedDocument
from hedgerow.readers import docx as reader
from hedgerow.readers.base import Document

W = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'


def saved(document) -> bytes:
    out = io.BytesIO()
    document.save(out)
    return out.getvalue()


def read(content: bytes) -> Document:
    return reader.READER.read(content, path="a.docx")


def blocks(document: Document) -> list[tuple]:
    return [
        (b.block, b.level, b.parent, b.row, document.text[b.start : b.end]) for b in document.blocks
    ]


def test_a_whole_document():
    document = docx.Document()
    document.core_properties.title = "Zinc for colds"
    document.core_properties.author = "Ann Lee"
    document.core_properties.created = datetime.datetime(2024, 5, 8, 12)
    document.add_heading("Zinc for the common cold", 0)
    document.add_heading("Harms", 1)
    document.add_paragraph("Side effects include:")
    document.add_paragraph("nausea", style="List Bullet")
    document.add_paragraph("mild", style="List Bullet 2")
    document.add_paragraph("a bad taste", style="List Bullet")
    document.add_paragraph("Two steps follow.")
    document.add_paragraph("Stop.", style="List Number")
    document.add_paragraph("Rest.", style="List Number")
    table = document.add_table(2, 2)
    for cell, text in zip(table._cells, ("Dose", "Effect", "10 mg", "none"), strict=True):
        cell.text = text
    paragraph = document.add_paragraph("It was seen in trials")
    paragraph.add_run("1,2").font.superscript = True
    paragraph.add_run(" of 10")
    paragraph.add_run("6").font.superscript = True
    paragraph.add_run(" people.")
    document.add_heading("References", 1)
    document.add_paragraph("1. Lee A. J Made Up. 2019;3:1-9.")
    document.add_paragraph("Kept by the author.")
    found = read(saved(document))
    assert (found.title, found.author, found.published) == (
        "Zinc for colds",
        "Ann Lee",
        "2024-05-08",
    )
    assert blocks(found) == [
        ("title", None, None, None, "Zinc for the common cold"),
        ("heading", 1, None, None, "Harms"),
        ("paragraph", None, None, None, "Side effects include:"),
        ("list_item", 1, 2, None, "• nausea"),
        ("list_item", 2, 3, None, "• mild"),
        ("list_item", 1, 2, None, "• a bad taste"),
        ("paragraph", None, None, None, "Two steps follow."),
        ("list_item", 1, None, None, "1. Stop."),
        ("list_item", 1, None, None, "2. Rest."),
        ("table_row", None, None, 0, "Dose | Effect"),
        ("table_row", None, 9, 1, "10 mg | none"),
        ("paragraph", None, None, None, "It was seen in trials[1,2] of 10⁶ people."),
        ("heading", 1, None, None, "References"),
        ("reference", None, None, None, "1. Lee A. J Made Up. 2019;3:1-9."),
        ("paragraph", None, None, None, "Kept by the author."),
    ]


def test_inserted_text_is_kept_and_deleted_text_comments_and_field_codes_are_not():
    document = docx.Document()
    document.element.body.insert(
        0,
        parse_xml(
            f"<w:p {W}><w:r><w:t>Zinc </w:t></w:r>"
            "<w:del w:id='1'><w:r><w:delText>cures</w:delText></w:r></w:del>"
            "<w:ins w:id='2'><w:r><w:t xml:space='preserve'>may shorten </w:t></w:r></w:ins>"
            "<w:r><w:instrText>PAGE</w:instrText></w:r>"
            "<w:r><w:commentReference w:id='3'/></w:r>"
            "<w:hyperlink><w:r><w:t>colds</w:t></w:r></w:hyperlink><w:r><w:t>.</w:t></w:r></w:p>"
        ),
    )
    assert read(saved(document)).text == "Zinc may shorten colds."


def test_a_nested_table_stays_inside_its_cell():
    document = docx.Document()
    table = document.add_table(1, 2)
    table.cell(0, 0).text = "Dose"
    table.cell(0, 1).add_table(1, 1).cell(0, 0).text = "inner"
    assert read(saved(document)).text == "Dose | inner"


def test_footnotes_follow_the_text_under_their_numbers():
    note = (
        f"<w:footnotes {W}><w:footnote w:id='0'><w:p/></w:footnote><w:footnote w:id='7'><w:p><w:r>"
        "<w:t>Lee A. J Made Up. 2019;3:1-9.</w:t></w:r></w:p></w:footnote></w:footnotes>"
    )
    document = docx.Document()
    document.element.body.insert(
        0,
        parse_xml(
            f"<w:p {W}><w:r><w:t>Zinc may help.</w:t></w:r>"
            "<w:r><w:footnoteReference w:id='7'/></w:r></w:p>"
        ),
    )
    content = with_part(
        saved(document),
        "word/footnotes.xml",
        note.encode(),
        relation="http://schemas.openxmlformats.org/officeDocument/2006/relationships/footnotes",
    )
    assert [(b[0], b[4]) for b in blocks(read(content))] == [
        ("paragraph", "Zinc may help.[1]"),
        ("reference", "[1] Lee A. J Made Up. 2019;3:1-9."),
    ]


def with_part(content: bytes, name: str, data: bytes, relation: str = "") -> bytes:
    """The package with a part replaced or added, related to the main document."""
    out = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(content)) as old,
        zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as new,
    ):
        for part in old.namelist():
            body = old.read(part)
            if relation and part == "word/_rels/document.xml.rels":
                link = f'<Relationship Id="rId99" Type="{relation}" Target="{name[5:]}"/>'
                body = body.replace(b"</Relationships>", link.encode() + b"</Relationships>")
            if part != name:
                new.writestr(part, body)
        new.writestr(name, data)
    return out.getvalue()


def small() -> bytes:
    document = docx.Document()
    document.add_paragraph("Zinc may help.")
    return saved(document)


def test_a_zip_bomb_is_rejected_before_it_is_opened():
    bomb = with_part(small(), "word/document.xml", b" " * 50_000_000)
    with pytest.raises(RejectedDocument, match=r"limits\.unpacked_ratio") as rejected:
        read(bomb)
    assert rejected.value.reason == "too_large"


def test_a_bomb_that_lies_about_its_size_is_rejected():
    bomb = bytearray(with_part(small(), "word/document.xml", b" " * 50_000_000))
    at = bomb.rindex(b"word/document.xml") - 46
    assert bomb[at : at + 4] == b"PK\x01\x02"
    bomb[at + 24 : at + 28] = struct.pack("<I", 1000)
    with pytest.raises(RejectedDocument) as rejected:
        read(bytes(bomb))
    assert rejected.value.reason == "malformed"


def test_entities_are_not_expanded():
    xml = (
        '<!DOCTYPE w [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">'
        f'<!ENTITY x SYSTEM "file:///etc/passwd">]><w:document {W}><w:body><w:p><w:r>'
        "<w:t>Zinc &b;&x; helps.</w:t></w:r></w:p></w:body></w:document>"
    )
    assert read(with_part(small(), "word/document.xml", xml.encode())).text == "Zinc"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "empty"),
        (b"PK\x03\x04 and no more", "malformed"),
        (small()[:-40], "malformed"),
        (with_part(small(), "word/document.xml", b"<w:document"), "malformed"),
        (with_part(small(), "word/document.xml", f"<w:document {W}/>".encode()), "malformed"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), "unreadable"),
        (saved(docx.Document()), "empty"),
    ],
)
def test_what_is_no_usable_document_is_rejected_with_its_reason(content, reason):
    with pytest.raises(RejectedDocument) as rejected:
        read(content)
    assert rejected.value.reason == reason
