"""JATS articles: whole documents as expected, exact citations, and hostile XML turned away."""

from __future__ import annotations

import re
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hedgerow import data
from hedgerow.errors import RejectedDocument
from hedgerow.nlp import citations, references
from hedgerow.nlp.segmenter import bounds
from hedgerow.readers import jats, xml
from hedgerow.readers.base import BlockBuilder, Document, one_line

DATA = Path(__file__).parent / "data"


def _read(content: bytes) -> Document:
    return xml.READER.read(content, path="article.xml")


def _article(body: str = "<p>It works.</p>", meta: str = "", back: str = "") -> bytes:
    return (
        "<article xmlns:xlink='http://www.w3.org/1999/xlink'"
        " xmlns:mml='http://www.w3.org/1998/Math/MathML'>"
        f"<front><article-meta>{meta}</article-meta></front><body>{body}</body>{back}</article>"
    ).encode()


def _paragraph(inline: str, *entries: str) -> str:
    """The text of an article's only paragraph; entries are labels, or "" for none."""
    refs = "".join(
        f"<ref id='r{i}'>{f'<label>{label}</label>' if label else ''}"
        f"<mixed-citation>Entry {i}.</mixed-citation></ref>"
        for i, label in enumerate(entries, 1)
    )
    document = _read(_article(f"<p>{inline}</p>", back=f"<back><ref-list>{refs}</ref-list></back>"))
    [block] = [block for block in document.blocks if block.block == "paragraph"]
    return document.text[block.start : block.end]


def _expected(rows: list[tuple], **metadata: str | None) -> Document:
    """Lay rows (kind, text, and where they are not None level, parent, row) out as a document."""
    builder = BlockBuilder()
    for kind, text, *rest in rows:
        level, parent, row = (*rest, None, None, None)[:3]
        builder.add(text, kind, level=level, parent=parent, row=row)
    return Document(
        text=builder.text, blocks=tuple(builder.blocks), media_type="application/jats+xml",
        interest="journal", **metadata,
    )  # fmt: skip


VANCOUVER = _expected(
    [
        ("title", "Effect of mulch tea on sleep: a randomised trial"),
        ("heading", "Abstract", 2),
        ("heading", "Background", 3),
        ("paragraph", "Mulch tea may help sleep."),
        ("heading", "Results", 3),
        ("paragraph", "Sleep rose by 12 minutes (P<0.05)."),
        ("heading", "In plain words", 2),
        ("paragraph", "People slept a little longer."),
        ("heading", "Introduction", 2),
        (
            "paragraph",
            (
                "Poor sleep is common [1,3-5]. Tea was proposed as a remedy.[2,4] It holds "
                "α-mulchin (10^6 units, C2H4, Ca2+)."
            ),
        ),
        ("paragraph", "Reported effects include"),
        ("list_item", "• calm,", 1, 10),
        ("list_item", "• warmth", 1, 10),
        ("list_item", "1. of hands", 2, 12),
        ("paragraph", "and little else."),
        ("heading", "Methods", 2),
        ("heading", "Design", 3),
        ("paragraph", "We ran a trial in 120 adults, as before [2,3]."),
        ("caption", "Figure 1. Flow of people. All were analysed [1]."),
        ("paragraph", "Doses were:"),
        ("list_item", "(a) one cup;", 1, 19),
        ("list_item", "(b) two cups.", 1, 19),
        ("caption", "What is mulch?"),
        ("paragraph", "Mulch is chopped bark."),
        ("heading", "Results", 2),
        ("paragraph", "The mean gain was 12 [1][5] minutes, with p=10^−3 (Table 1)."),
        ("caption", "Table 1. Sleep by group"),
        ("table_row", "Group | Minutes Mean | Minutes SD", None, None, 0),
        ("table_row", "Week 1", None, 27, 1),
        ("table_row", "Tea | 412 | 30", None, 27, 2),
        ("table_row", "Tea | 418 | 31", None, 27, 3),
        ("table_row", "Water | | 29", None, 27, 4),
        ("caption", "One reading was lost."),
        ("boilerplate", "Competing interests"),
        ("boilerplate", "None declared."),
        ("boilerplate", "Acknowledgements"),
        ("boilerplate", "We thank the hedges."),
        ("paragraph", "Units were set in 1990."),
        ("boilerplate", "No conflict."),
        ("heading", "Appendix 1", 2),
        ("paragraph", "Bark was dried."),
        ("heading", "References", 2),
        (
            "reference",
            (
                "[1] Oak AB, van der Elm CD, et al (2002). “How adults sleep (2001 survey).” "
                "Sleep Gard 12(3):45-50. doi:10.5555/sleep.12. PMID 10000002. PMC9000002."
            ),
        ),
        ("reference", "[2] Ash EF (2005). “Does tea 'calm'?” eTea 7:e12."),
        (
            "reference",
            "[3] Garden Ministry. Tea guide. London: Garden Ministry; 2010. doi:10.5555/guide.",
        ),
        ("reference", "[4] World Tea Organization (2011). “Handbook of tea.” Leaf Press."),
        ("reference", "[5] Beech G (2012). Bark. Lancet 380."),
    ],
    declared_id="pmcid:PMC9000001",
    title="Effect of mulch tea on sleep: a randomised trial",
    url="https://doi.org/10.5555/gard.1",
    publisher="Journal of Invented Gardening",
    author="Ada B. Fern, Carl Moss, Mulch Study Group",
    published="2020-03-07",
    language="en",
    licence="CC BY 4.0",
)
AUTHOR_YEAR = _expected(
    [
        ("title", "Nettles and pain: a review"),
        ("heading", "Abstract", 2),
        ("paragraph", "Nettles might ease pain."),
        ("heading", "Main text", 2),
        (
            "paragraph",
            (
                "Nettles are old remedies (Yarrow & Rush, 2010 [2]; Sedge et al., 2009 [1]). In "
                "one trial, Sedge et al. (2009 [1]) saw less pain. Others disagree (see reviews, "
                "2009–2011) [1][2][3]; see also [3] and Lost, 1999."
            ),
        ),
        ("paragraph", "It stings at first."),
        ("list_item", "VAS: visual analogue scale", 1),
        ("caption", "Trials. All were small"),
        ("table_row", "Sedge | n = 30", None, None, 1),
        ("table_row", "Yarrow | n = 44", None, None, 2),
        ("boilerplate", "Funding"),
        ("boilerplate", "Paid by nobody."),
        ("heading", "References", 2),
        (
            "reference",
            (
                "[1] Sedge M, Reed N, Flag P (2009). “Nettle stings for knees.” J. Inv. Med 3:9. "
                "doi:10.5555/jim.9."
            ),
        ),
        ("reference", "[2] Yarrow Q, Rush S (2010). “Old remedies.” Herb Hist 4:CD654321."),
        (
            "reference",
            "[3] Burr T (2011). “All about nettles.” Weed House. https://example.org/nettles",
        ),
    ],
    declared_id="doi:10.5555/amb.77",
    title="Nettles and pain: a review",
    url="https://doi.org/10.5555/amb.77",
    publisher="Annals of Made-up Botany",
    author="R. Thistle",
    published="2018-05",
    language="en-GB",
    licence="Reuse is allowed with thanks.",
)
ARTICLES = {"vancouver.xml": VANCOUVER, "author_year.xml": AUTHOR_YEAR}


@pytest.mark.parametrize("name", ARTICLES)
def test_an_article_is_read_whole(name):
    content = (DATA / name).read_bytes()
    [item] = xml.READER.split(content)
    assert (item.offset, item.length) == (0, len(content))
    assert item.declared_id == ARTICLES[name].declared_id
    document = _read(content)
    shown = [(b, document.text[b.start : b.end]) for b in document.blocks]
    assert shown == [(b, ARTICLES[name].text[b.start : b.end]) for b in ARTICLES[name].blocks]
    assert document == ARTICLES[name]


def test_offsets_count_code_points_of_the_normalised_text():
    document = _read(
        _article("<p>Caf\u0065\u0301 \U0001f375\u200b calms.</p><p> Then&#xA0;sleep. </p>")
    )
    assert document.text == "Café \U0001f375 calms.\n\nThen sleep."
    assert [(b.start, b.end) for b in document.blocks] == [(0, 13), (15, 26)]


def test_a_set_from_pubmed_central_gives_one_document_an_article():
    parts = [_article(f"<p>Cup {n}.</p>", f"<article-id pub-id-type='pmc'>PMC{n}</article-id>")
             for n in (1, 2)]  # fmt: skip
    content = b"<pmc-articleset>" + parts[0] + b"<article><front>" + parts[1] + b"<article/>"
    items = list(xml.READER.split(content + _article() + b"</pmc-articleset>"))
    assert [(item.declared_id, item.error and item.error[0]) for item in items] == [
        ("pmcid:PMC1", None), (None, "malformed"), ("pmcid:PMC2", None), (None, "missing_id"),
    ]  # fmt: skip
    slices = [content[items[n].offset : items[n].offset + items[n].length] for n in (0, 2)]
    assert slices == parts
    assert [_read(part).text for part in slices] == ["Cup 1.", "Cup 2."]


# -- citations ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("inline", "expected"),
    [
        ("sleep [<xref rid='r1'>1</xref>].", "sleep [1]."),
        ("sleep (<xref rid='r1'>1</xref>, <xref rid='r2'>2</xref>).", "sleep [1,2]."),
        ("sleep [<xref rid='r1'>1</xref>–<xref rid='r4'>4</xref>].", "sleep [1-4]."),
        ("sleep.<sup><xref rid='r1'>1</xref>–<xref rid='r3'>3</xref></sup> So", "sleep.[1-3] So"),
        ("sleep.<xref rid='r2'><sup>2</sup></xref> So", "sleep.[2] So"),
        ("sleep<xref rid='r2'>[2]</xref><xref rid='r3'/><xref rid='r4'>–4</xref>", "sleep[2-4]"),
        ("sleep [<xref rid='r1 r2 r3'>1–3</xref>]", "sleep [1-3]"),
        ("sleep [<xref rid='r1'>1-4</xref>]", "sleep [1-4]"),
        ("in 5 of 10 [<xref rid='r1'>1</xref>,<xref rid='r3'>3</xref>]", "in 5 of 10 [1][3]"),
        ("see <xref rid='r1'>[1</xref>, <xref rid='r3'>3]</xref>", "see [1,3]"),
        ("(see ref. <xref rid='r4'>4</xref>)", "(see ref. [4])"),
        ("<xref rid='r1'>Oak (2001)</xref> slept", "Oak (2001) [1] slept"),
        ("Oak (<xref rid='r1'>2001</xref>) slept", "Oak (2001 [1]) slept"),
        ("as in <xref rid='gone'>7</xref>", "as in 7"),
        ("[<xref rid='r1'>1</xref>, see also <xref rid='r2'>2</xref>]", "[[1], see also [2]]"),
    ],
)
def test_a_cross_reference_becomes_the_numbers_of_its_entries(inline, expected):
    assert _paragraph(inline, "", "", "", "") == expected


def test_entries_keep_their_printed_numbers_where_these_are_numbers_and_differ():
    inline = "sleep [<xref rid='r1'>11</xref>, <xref rid='r2'>12</xref>]"
    assert _paragraph(inline, "11.", "[12]") == "sleep [11,12]"
    assert _paragraph(inline, "11.", "11.") == "sleep [1,2]"
    assert _paragraph("sleep [<xref rid='r2'>Oak9</xref>]", "Ash1", "Oak9") == "sleep [2]"


def test_long_ranges_are_cut_into_markers_that_can_be_read():
    inline = "sleep [<xref rid='r1'>1</xref>-<xref rid='r90'>90</xref>]"
    assert _paragraph(inline, *[""] * 90) == "sleep [1-40,41-80,81-90]"


def _index(document: Document) -> citations.ReferenceIndex:
    entries = []
    for block in document.blocks:
        if block.block == "reference":
            entry = references.parse(document.text[block.start : block.end])
            identifiers = {
                name: value
                for name in ("doi", "pmid", "pmcid", "cochrane_id", "registration")
                if (value := getattr(entry, name))
            }
            entries.append(
                citations.Entry(
                    f"entry {entry.marker}", entry.marker, entry.authors, entry.year, identifiers
                )
            )
    return citations.ReferenceIndex(entries)


@pytest.mark.parametrize(
    ("name", "in_ranges"),
    [*((name, set()) for name in ARTICLES), ("formats/article.xml", {"entry 3"})],
)
def test_every_citation_resolves_to_its_entry(name, in_ranges):
    """The pipeline's own finder, which knows printed text only, finds what the mark-up says."""
    content = (DATA / name).read_bytes()
    document = _read(content)
    index = _index(document)
    sentences = [
        document.text[block.start : block.end][start:end]
        for block in document.blocks
        if block.block != "reference"
        for start, end in bounds(document.text[block.start : block.end], block.block)
    ]
    styles = citations.marker_style(sentences, index)
    found = [c for text in sentences for c in citations.find_citations(text, styles, index)]
    assert found and all(citation.reference_id for citation in found)
    root = jats.parse(content)
    by_id = jats.references_of(root).by_id
    marked = {
        f"entry {by_id[rid].number}"
        for xref in root.find("body").iter("xref")
        for rid in xref.get("rid").split()
        if rid in by_id
    }
    assert {citation.reference_id for citation in found} == marked | in_ranges


def test_the_parser_of_references_reads_every_field_back():
    found = [
        references.parse(document.text[block.start : block.end])
        for document in ARTICLES.values()
        for block in document.blocks
        if block.block == "reference"
    ]
    assert [(r.marker, r.authors, r.title, r.venue, r.year) for r in found] == [
        (
            "1",
            "Oak AB, van der Elm CD, et al",
            "How adults sleep (2001 survey)",
            "Sleep Gard",
            2002,
        ),
        ("2", "Ash EF", "Does tea 'calm'?", "eTea", 2005),
        ("3", None, "Garden Ministry. Tea guide", "London: Garden Ministry", 2010),
        ("4", "World Tea Organization", "Handbook of tea", "Leaf Press", 2011),
        ("5", "Beech G", "Bark", "Lancet", 2012),
        ("1", "Sedge M, Reed N, Flag P", "Nettle stings for knees", "J. Inv. Med", 2009),
        ("2", "Yarrow Q, Rush S", "Old remedies", "Herb Hist", 2010),
        ("3", "Burr T", "All about nettles", "Weed House", 2011),
    ]
    assert (found[0].doi, found[0].pmid, found[0].pmcid) == (
        "10.5555/sleep.12",
        "10000002",
        "PMC9000002",
    )
    assert [r.doi for r in found[2:6]] == ["10.5555/guide", None, None, "10.5555/jim.9"]
    assert found[6].cochrane_id == "CD654321"


# -- mark-up --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("inline", "expected"),
    [
        ("10<sup>6</sup> cells", "10^6 cells"),
        ("5 × 10<sup>−3</sup> m<sup>2</sup>", "5 × 10^−3 m^2"),
        ("H<sub>2</sub>O, Na<sup>+</sup>, Ca<sup>2+</sup>", "H2O, Na+, Ca2+"),
        ("the 1<sup>st</sup> <sup>14</sup>C test", "the 1st 14C test"),
        ("12<sup><xref ref-type='fn'>a</xref>,<xref ref-type='fn'>b</xref></sup> cups", "12 cups"),
        ("&beta;-blockers &amp; &lt;5&nbsp;mg &nosuchname;", "β-blockers & <5 mg &nosuchname;"),
        ("a<break/>b <inline-graphic xlink:href='x'/>c<!-- d --><?e f?>", "a b c"),
        ("<mml:math><mml:mfrac><mml:mn>1</mml:mn><mml:mn>2</mml:mn></mml:mfrac></mml:math> cup",
         "1/2 cup"),
        ("<![CDATA[a < b]]>", "a < b"),
    ],
)  # fmt: skip
def test_inline_markup_becomes_plain_text(inline, expected):
    assert _paragraph(inline) == expected


_CC_ZERO = "http://creativecommons.org/publicdomain/zero/1.0/"


@pytest.mark.parametrize(
    ("meta", "field", "value"),
    [
        ("<article-id pub-id-type='pmcid'>123</article-id>", "declared_id", "pmcid:PMC123"),
        ("<article-id pub-id-type='pmid'>9</article-id>", "declared_id", "pmid:9"),
        ("<article-id pub-id-type='pmid'>9</article-id>", "url",
         "https://pubmed.ncbi.nlm.nih.gov/9/"),
        ("<article-id pub-id-type='publisher-id'>x</article-id>", "declared_id", None),
        ("<pub-date pub-type='ppub'><year>2001</year><month>Feb</month></pub-date>", "published",
         "2001-02"),
        ("<pub-date><season>Spring</season><year>2001</year></pub-date>", "published", "2001"),
        ("<permissions><license license-type='open-access'/></permissions>", "licence",
         "open access"),
        (f"<permissions><license><license_ref>{_CC_ZERO}</license_ref></license></permissions>",
         "licence", "CC0 1.0"),
    ],
)  # fmt: skip
def test_metadata_is_taken_from_the_article(meta, field, value):
    assert getattr(_read(_article(meta=meta)), field) == value


def test_latin_1_utf_16_and_old_namespaces_are_read():
    text = "<article><front><article-meta/></front><body><p>Café helps.</p></body></article>"
    latin = b'<?xml version="1.0" encoding="ISO-8859-1"?>' + text.encode("latin-1")
    wide = ('<?xml version="1.0" encoding="UTF-16"?>' + text).encode("utf-16")
    spaced = text.replace("<article>", '<article xmlns="https://jats.nlm.nih.gov/ns/archiving">')
    for content in (latin, wide, spaced.encode()):
        assert _read(content).text == "Café helps."


def test_rules_find_what_they_must_and_nothing_that_they_must_not():
    rules = data.load("jats")
    for rule in rules["rule"]:
        pattern = re.compile(rule["pattern"])
        assert all(pattern.fullmatch(text) for text in rule["match"]), rule["id"]
        assert not any(pattern.fullmatch(text) for text in rule["miss"]), rule["id"]
    for rule in rules["licence"]:
        assert all(re.search(rule["pattern"], text) for text in rule["match"]), rule["id"]
        assert not any(re.search(rule["pattern"], text) for text in rule["miss"]), rule["id"]


# -- hostile input --------------------------------------------------------------------------------

_LAUGHS = "".join(f'<!ENTITY l{i} "{f"&l{i - 1};" * 10 if i else "ha"}">' for i in range(12))
_HOSTILE = {
    "billion laughs": (
        f"<!DOCTYPE article [{_LAUGHS}]>".encode() + _article("<p>&l11;</p>"), "malformed"),
    "external entity": (
        b'<!DOCTYPE article [<!ENTITY x SYSTEM "file:///etc/passwd">]>' + _article("<p>&x;</p>"),
        "malformed"),
    "parameter entity": (
        b'<!DOCTYPE article [<!ENTITY % x SYSTEM "http://127.0.0.1/x.dtd"> %x;]>' + _article(),
        "malformed"),
    "entity behind a false end": (
        b"<!DOCTYPE article [<!-- ]> --><!ENTITY x 'y'>]>" + _article("<p>&x;</p>"), "malformed"),
    "declaration in the body": (_article("<!DOCTYPE a [<!ENTITY x 'y'>]><p>&x;</p>"), "malformed"),
    "100,000 nested elements": (_article("<p>" * 100_000 + "x" + "</p>" * 100_000), "too_large"),
    "100,000 unclosed elements": (_article("<sec>" * 100_000), "too_large"),
    "elements a little too deep": (_article("<sec>" * 120 + "x" + "</sec>" * 120), "too_large"),
    "cut off": ((DATA / "vancouver.xml").read_bytes()[:3000], "malformed"),
    "cut off in the prolog": (b'<?xml version="1.0"?><!DOCTYPE article [', "malformed"),
    "endless prolog": (b"<!--" + b"x" * 3_000_000, "malformed"),
    "unclosed character data": (_article("<![CDATA[" * 100_000), "malformed"),
    "no XML": (b"Aspirin works.", "malformed"),
    "wrong root": (b"<feed><entry/></feed>", "unknown_format"),
    "unknown encoding": (b'<?xml version="1.0" encoding="x-none"?><article/>', "malformed"),
    "no metadata": (b"<article><body><p>It works.</p></body></article>", "malformed"),
    "blank": (b" \n ", "empty"),
    "no text": (_article("<sec><title>Results</title></sec>"), "no_text"),
    "no words": (_article("<p>1 2 3</p>"), "no_text"),
}  # fmt: skip


@pytest.mark.parametrize("name", _HOSTILE)
def test_hostile_xml_is_turned_away_in_little_memory(name):
    content, reason = _HOSTILE[name]
    tracemalloc.start()
    with pytest.raises(RejectedDocument) as rejected:
        _read(content)
    assert rejected.value.reason == reason
    assert tracemalloc.get_traced_memory()[1] < 30_000_000
    tracemalloc.stop()


_WIDE = "<tr><td colspan='9999' rowspan='9999'>" + "x" * 5000 + "</td></tr>"


@pytest.mark.parametrize(
    "body",
    [
        f"<table-wrap><table>{_WIDE * 20}{'<tr><td>y</td></tr>' * 5000}</table></table-wrap>",
        f"<table-wrap><table><thead>{_WIDE * 20}{'<tr/>' * 5000}</thead></table></table-wrap>",
        "<p>" + "<xref rid='r1'>1</xref>-<xref rid='r9999'>9999</xref>; " * 5000 + "x</p>",
        "<p>" + "<xref rid='r1'>" + "1-9999," * 5000 + "1</xref>x</p>",
        "<table-wrap><table><tr><td>" * 20 + "x" * 9999 + "</td></tr></table></table-wrap>" * 20,
        "<p>x</p>" * 50_000,
    ],
)
def test_crafted_tables_and_citations_do_not_swell(body):
    refs = "".join(
        f"<ref id='r{n}'><label>{n}</label><mixed-citation>E</mixed-citation></ref>"
        for n in (*range(1, 300), 9999)
    )
    content = _article(body, back=f"<back><ref-list>{refs}</ref-list></back>")
    document = _read(content)
    assert len(document.text) < 20 * len(content)


# -- properties -----------------------------------------------------------------------------------

_TAGS = [
    "p", "sec", "title", "list", "list-item", "label", "table-wrap",
    "table", "thead", "tr", "td", "th", "caption", "fig",
    "xref", "sup", "sub", "italic", "fn", "boxed-text", "disp-quote",
    "def-list", "def-item", "term", "def", "ref-list", "ref", "mixed-citation",
    "element-citation", "name", "surname", "year", "source",
]  # fmt: skip
_ATTRIBUTES = st.sampled_from(
    ["", " id='r1'", " id='r2'", " rid='r1'", " rid='r1 r2'", " ref-type='fn' rid='r1'",
     " rowspan='2'", " colspan='3'", " list-type='order'"]
)  # fmt: skip
_TEXT = st.text(st.sampled_from("ab Zé1–,;[]().\u0301\u200b\xa0\U0001f375&"), max_size=6).map(
    lambda text: text.replace("&", "&amp;")
)
_TREES = st.recursive(
    _TEXT,
    lambda inner: st.builds(
        lambda tag, attributes, parts: f"<{tag}{attributes}>{''.join(parts)}</{tag}>",
        st.sampled_from(_TAGS),
        _ATTRIBUTES,
        st.lists(inner, max_size=5),
    ),
    max_leaves=30,
)


@settings(max_examples=150, deadline=None)
@given(st.lists(_TREES, max_size=4), st.lists(_TREES, max_size=2), st.lists(_TREES, max_size=2))
def test_blocks_slice_back_whatever_the_tree(body, abstract, back):
    content = _article(
        "".join(body),
        meta=f"<abstract>{''.join(abstract)}</abstract>",
        back=f"<back>{''.join(back)}<ref-list><ref id='r1'><label>1</label><note>E</note></ref>"
        "</ref-list></back>",
    )
    try:
        document = _read(content)
    except RejectedDocument as rejected:
        assert rejected.reason == "no_text"
        return
    end = 0
    for index, block in enumerate(document.blocks):
        text = document.text[block.start : block.end]
        assert block.start >= end and text and text == one_line(text)
        assert block.parent is None or 0 <= block.parent < index
        assert document.text[end : block.start].strip() == ""
        end = block.end
    assert end == len(document.text)
