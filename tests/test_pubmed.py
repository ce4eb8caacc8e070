"""PubMed sets: one document a record, each record alone, and broken ones turned away."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hedgerow.errors import RejectedDocument
from hedgerow.readers import xml
from hedgerow.readers.base import BlockBuilder, Document, one_line

DATA = Path(__file__).parent / "data"


def _expected(rows: list[tuple], pmid: str, **metadata: str | None) -> Document:
    builder = BlockBuilder()
    for kind, text, *level in rows:
        builder.add(text, kind, level=level[0] if level else None)
    return Document(
        text=builder.text, blocks=tuple(builder.blocks), media_type="application/pubmed+xml",
        declared_id=f"pmid:{pmid}", url=f"https://pubmed.ncbi.nlm.nih.gov/{pmid}/",
        language="en", interest="journal", **metadata,
    )  # fmt: skip


STRUCTURED = _expected(
    [
        ("title", "Mulch tea for sleep: a trial with 10^3 cups"),
        ("heading", "Abstract", 2),
        ("heading", "BACKGROUND", 3),
        ("paragraph", "Mulch tea may help sleep."),
        ("heading", "RESULTS", 3),
        ("paragraph", "Sleep rose by 12 minutes (P<0.05). CO2 fell."),
        ("paragraph", "Registered as NCT00000000."),
    ],
    "20000001",
    title="Mulch tea for sleep: a trial with 10^3 cups",
    publisher="Journal of Invented Gardening",
    author="Ada B Fern, Mulch Study Group",
    published="2021-11-30",
)
TRANSLATED = _expected(
    [
        ("title", "Does bark calm?"),
        ("heading", "Abstract", 2),
        ("paragraph", "Bark probably does not calm dogs."),
    ],
    "20000002",
    title="Does bark calm?",
    publisher="Gartenblatt",
    published="1998",
)
BOOK = _expected(
    [
        ("title", "Brewing"),
        ("heading", "Abstract", 2),
        ("paragraph", "Hot water extracts more."),
    ],
    "20000004",
    title="Brewing",
    publisher="Handbook of tea",
    author="Eli Ash",
    published="2015",
)


def _split(content: bytes) -> list:
    return list(xml.READER.split(content))


def _read(content: bytes) -> Document:
    return xml.READER.read(content, path="set.xml")


def _record(pmid: str = "1", text: str = "It works.", name: str = "PubmedArticle") -> str:
    citation = (
        f"<MedlineCitation><PMID>{pmid}</PMID><Article><ArticleTitle>Title.</ArticleTitle>"
        f"<Abstract><AbstractText>{text}</AbstractText></Abstract></Article></MedlineCitation>"
    )
    return citation if name == "MedlineCitation" else f"<{name}>{citation}</{name}>"


def test_each_record_of_a_set_is_read_whole():
    content = (DATA / "pubmed.xml").read_bytes()
    items = _split(content)
    assert [(item.label, item.declared_id, item.error) for item in items] == [
        (f"record {n}", f"pmid:2000000{n}", None) for n in range(1, 5)
    ]
    slices = [content[item.offset : item.offset + item.length] for item in items]
    assert all(s.startswith(b"<Pubmed") and s.endswith(b"Article>") for s in slices)
    assert [_read(slices[n]) for n in (0, 1, 3)] == [STRUCTURED, TRANSLATED, BOOK]
    with pytest.raises(RejectedDocument) as rejected:
        _read(slices[2])
    assert rejected.value.reason == "no_text" and "20000003" in rejected.value.detail


_MEDLINE = _record(name="MedlineCitation")


@pytest.mark.parametrize(
    ("content", "count"),
    [(_MEDLINE, 1), (f"<MedlineCitationSet>{_MEDLINE * 2}</MedlineCitationSet>", 2)],
)
def test_medline_files_are_read_as_well(content, count):
    items = _split(content.encode())
    assert [item.declared_id for item in items] == ["pmid:1"] * count
    for item in items:
        document = _read(content.encode()[item.offset : item.offset + item.length])
        assert document.text == "Title\n\nAbstract\n\nIt works."


def test_a_broken_record_costs_no_other():
    good, other = _record("1"), _record("2", "It fails.")
    broken = "<PubmedArticle><MedlineCitation><PMID>3</PMID>"
    content = f"<PubmedArticleSet>{good}{broken}{other}<PubmedArticle><PMID>4".encode()
    items = _split(content)
    assert [(item.declared_id, item.error and item.error[0]) for item in items] == [
        ("pmid:1", None), (None, "malformed"), ("pmid:2", None), (None, "malformed"),
    ]  # fmt: skip
    second = items[2]
    assert "It fails." in _read(content[second.offset : second.offset + second.length]).text


def test_a_record_without_a_pmid_is_an_error_of_its_own():
    [item] = _split(b"<PubmedArticleSet><PubmedArticle></PubmedArticle></PubmedArticleSet>")
    assert item.error is not None and item.error[0] == "missing_id"


@pytest.mark.parametrize(
    ("date", "published"),
    [
        ("<Year>2020</Year><Month>Jan</Month><Day>05</Day>", "2020-01-05"),
        ("<Year>2020</Year><Month>01</Month><Day>5</Day>", "2020-01-05"),
        ("<Year>2020</Year><Season>Winter</Season>", "2020"),
        ("<Year>2020</Year><Day>5</Day>", "2020"),
        ("<MedlineDate>Spring 1999</MedlineDate>", "1999"),
        ("<Year>soon</Year>", None),
    ],
)
def test_dates_become_iso_as_far_as_they_go(date, published):
    journal = f"<Journal><JournalIssue><PubDate>{date}</PubDate></JournalIssue></Journal>"
    record = _record().replace("<ArticleTitle>", f"{journal}<ArticleTitle>")
    assert _read(record.encode()).published == published


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b'<!DOCTYPE PubmedArticleSet [<!ENTITY a "aaaa">]><PubmedArticleSet/>', "malformed"),
        (b'<!DOCTYPE s [<!ENTITY x SYSTEM "file:///etc/passwd">]><PubmedArticleSet/>', "malformed"),
        (b"<PubmedArticleSet></PubmedArticleSet>", "no_text"),
        ("<?xml version='1.0'?><PubmedArticleSet/>".encode("utf-16"), "malformed"),
        (b"<PubmedSet/>", "unknown_format"),
        (b"", "empty"),
    ],
)
def test_a_set_that_cannot_be_used_is_turned_away(content, reason):
    with pytest.raises(RejectedDocument) as rejected:
        _split(content)
    assert rejected.value.reason == reason


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"<PubmedArticle>" * 100_000, "too_large"),
        (_record(text="<b>" * 100_000).encode(), "too_large"),
        (_record(text="<b>" * 200 + "x" + "</b>" * 200).encode(), "too_large"),
        (_record(text="&x;").encode()[:-30], "malformed"),
        (b"<PubmedArticle><MedlineCitation></PubmedArticle>", "malformed"),
        (b"<PubmedArticle><PubmedData/></PubmedArticle>", "malformed"),
    ],
)
def test_a_hostile_record_is_turned_away(content, reason):
    with pytest.raises(RejectedDocument) as rejected:
        _read(content)
    assert rejected.value.reason == reason


@pytest.mark.parametrize(
    "content",
    [
        b"<PubmedArticleSet>" + b"<PubmedArticle>" * 200_000,
        b"<PubmedArticleSet>" + b"<PubmedArticle " * 200_000,
        b"<PubmedArticleSet><PubmedArticle>" + b"<PMID>1" * 200_000 + b"</PubmedArticle>",
        b"<PubmedArticleSet>" + b"</PubmedArticle><PubmedArticle>" * 100_000,
    ],
)
def test_splitting_ends(content):
    try:
        assert all(item.error for item in xml.READER.split(content))
    except RejectedDocument as rejected:
        assert rejected.reason == "no_text"


_TEXT = st.text(st.sampled_from("aé1 .[]^\u0301\u200b\xa0\U0001f375"), max_size=12)


@settings(max_examples=80, deadline=None)
@given(st.lists(st.tuples(_TEXT, _TEXT), min_size=1, max_size=4), _TEXT)
def test_blocks_slice_back_whatever_the_text(parts, title):
    abstract = "".join(
        f'<AbstractText Label="{label}">{text}<sup>{text}</sup></AbstractText>'
        for label, text in parts
    )
    record = (
        f"<PubmedArticle><MedlineCitation><PMID>1</PMID><Article><ArticleTitle>{title}"
        f"</ArticleTitle><Abstract>{abstract}</Abstract></Article></MedlineCitation>"
        "</PubmedArticle>"
    )
    try:
        document = _read(record.encode())
    except RejectedDocument as rejected:
        assert rejected.reason == "no_text"
        return
    end = 0
    for block in document.blocks:
        text = document.text[block.start : block.end]
        assert block.start >= end and text and text == one_line(text)
        end = block.end
    assert end == len(document.text)
