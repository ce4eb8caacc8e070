"""Readers turn bytes into documents: text, blocks with exact places, and what a page declares."""

from __future__ import annotations

import re
import string
import textwrap

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hedgerow import data
from hedgerow.errors import RejectedDocument
from hedgerow.readers import SUFFIXES, Document, lines, reader_for
from hedgerow.readers.base import Block, decode, normalise
from hedgerow.readers.metadata import interest_of, interest_rules, iso_date, override
from hedgerow.tables import BLOCKS, INTERESTS


def read(name: str, content: str | bytes) -> Document:
    """Return the document in the only usable item of a file."""
    reader = reader_for(name)
    assert reader is not None
    encoded = content.encode() if isinstance(content, str) else content
    document = reader.read(encoded, path=name)
    check(document)
    return document


def check(document: Document) -> None:
    """Blocks are in order, inside the text, apart, not empty and stripped; parents come first."""
    end = 0
    for index, block in enumerate(document.blocks):
        assert end <= block.start < block.end <= len(document.text)
        text = document.text[block.start : block.end]
        assert text == text.strip()
        assert block.block in BLOCKS
        assert block.parent is None or 0 <= block.parent < index
        assert block.level is None or 1 <= block.level <= 127
        end = block.end
    assert normalise(document.text) == document.text


def shown(document: Document) -> list[tuple[str, str]]:
    return [(b.block, document.text[b.start : b.end]) for b in document.blocks]


def parent_text(document: Document, text: str) -> str | None:
    """Return the text of the parent of the block with this text."""
    block = next(b for b in document.blocks if document.text[b.start : b.end] == text)
    if block.parent is None:
        return None
    parent = document.blocks[block.parent]
    return document.text[parent.start : parent.end]


# -- bytes ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ("café – naïve".encode(), "café – naïve"),
        (b"\xef\xbb\xbfcaf\xc3\xa9", "café"),
        ("café".encode("utf-16"), "café"),
        (b"\xfe\xff" + "café".encode("utf-16-be"), "café"),
        ("café".encode("utf-32"), "café"),
        (b"caf\xe9 \x96 na\xefve", "café – naïve"),  # windows-1252
        ("Глицин снижает тревогу у взрослых пациентов.".encode("cp1251"), None),
    ],
)
def test_text_is_decoded_by_mark_then_as_utf_8_then_by_its_bytes(content, text):
    decoded = decode(content)
    assert decoded == text if text else "трев" in decoded


def test_a_bad_byte_in_utf_8_text_becomes_one_replacement_character():
    assert decode("Größe überall, naïve ".encode() + b"\xff\xfe ende") == (
        "Größe überall, naïve \ufffd\ufffd ende"
    )


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "empty"),
        (b" \r\n\t ", "empty"),
        ("\ufeff\u00a0\u200b".encode(), "empty"),
        (b"Looks like text\0but is not", "binary"),
        (b"\x89PNG\r\n\x1a\n plus more", "binary"),
        (b"%PDF-1.7 text", "binary"),
        (bytes(range(1, 32)) * 9, "binary"),
        (b"--- * 1 2 3 ---", "no_text"),
    ],
)
def test_bytes_that_hold_no_text_are_rejected_with_a_reason(content, reason):
    with pytest.raises(RejectedDocument) as caught:
        read("page.txt", content)
    assert caught.value.reason == reason


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a\r\nb\rc\u2028d", "a\nb\nc\nd"),
        ("e\u0301", "é"),
        ("e\u200b\u0301", "é"),
        ("hyper\u00adtension\u00a0is\u2009here", "hypertension is here"),
        ("a\x07b\ufeffc\td", "abc\td"),
        ("half \ud83d pair", "half \ufffd pair"),
    ],
)
def test_text_is_normalised(text, expected):
    assert normalise(text) == expected


@given(st.text())
def test_normalising_twice_changes_nothing(text):
    assert normalise(normalise(text)) == normalise(text)


@given(st.binary(max_size=400))
def test_any_bytes_are_read_or_rejected(content):
    for suffix, reader in SUFFIXES.items():
        if suffix not in (".txt", ".md", ".html", ".jsonl"):
            continue
        try:
            items = list(reader.split(content))
            for item in items:
                if item.error is None:
                    part = content[item.offset : item.offset + item.length]
                    check(reader.read(part, path=f"x{suffix}"))
        except RejectedDocument as rejected:
            assert rejected.detail


# -- plain text -----------------------------------------------------------------------------------

PAGE = """Home › Herbs › Valerian

Valerian for sleep: does it help?

Last updated: 3 May 2024 · 5 min read

Valerian is a plant. People have used its root for sleep since antiquity.

What the trials found

Two trials reported shorter sleep latency.[1] A third did not.[2]

Common side effects include:

  • Headache
  • Upset stomach
    – cramps
  • Vivid dreams. They fade.

60%
Slept better
Oslo trial, week 4
2.1
Fewer wakings a night
Bergen trial, week 6

DoseSleep latencyDropouts
300 mg-12 min4%
600 mg-15 min9%

Figure 2. Sleep latency by dose

References

[1] Larsen B, Moe K. Valerian root in adults. J Made Up Sleep 2019;4:12-19. PMID 12345678
[2] Berg A et al. Invented Med 2021;7(2):30-8. doi:10.1234/im.2021.77

© 2024 The Herb Desk. Not medical advice.
"""


def test_a_page_saved_as_text_is_read_into_its_blocks():
    document = read("valerian.txt", PAGE)
    assert document.title == "Valerian for sleep: does it help?"
    assert shown(document) == [
        ("boilerplate", "Home › Herbs › Valerian"),
        ("title", "Valerian for sleep: does it help?"),
        ("boilerplate", "Last updated: 3 May 2024 · 5 min read"),
        (
            "paragraph",
            "Valerian is a plant. People have used its root for sleep since antiquity.",
        ),
        ("heading", "What the trials found"),
        ("paragraph", "Two trials reported shorter sleep latency.[1] A third did not.[2]"),
        ("paragraph", "Common side effects include:"),
        ("list_item", "• Headache"),
        ("list_item", "• Upset stomach"),
        ("list_item", "– cramps"),
        ("list_item", "• Vivid dreams. They fade."),
        ("card", "60%"),
        ("card", "Slept better"),
        ("card", "Oslo trial, week 4"),
        ("card", "2.1"),
        ("card", "Fewer wakings a night"),
        ("card", "Bergen trial, week 6"),
        ("table_row", "DoseSleep latencyDropouts"),
        ("table_row", "300 mg-12 min4%"),
        ("table_row", "600 mg-15 min9%"),
        ("caption", "Figure 2. Sleep latency by dose"),
        ("heading", "References"),
        (
            "reference",
            (
                "[1] Larsen B, Moe K. Valerian root in adults. J Made Up Sleep 2019;4:12-19. "
                "PMID 12345678"
            ),
        ),
        (
            "reference",
            "[2] Berg A et al. Invented Med 2021;7(2):30-8. doi:10.1234/im.2021.77",
        ),
        ("boilerplate", "© 2024 The Herb Desk. Not medical advice."),
    ]
    assert parent_text(document, "• Headache") == "Common side effects include:"
    assert parent_text(document, "– cramps") == "• Upset stomach"
    assert parent_text(document, "• Vivid dreams. They fade.") == "Common side effects include:"
    assert parent_text(document, "Oslo trial, week 4") == "60%"
    assert parent_text(document, "600 mg-15 min9%") == "DoseSleep latencyDropouts"
    levels = {shown(document)[i][1]: b.level for i, b in enumerate(document.blocks) if b.level}
    assert levels["– cramps"] == 2
    assert levels["• Headache"] == 1


@pytest.mark.parametrize(
    ("rows", "count"),
    [
        ("Drug\tDose\nZinc\t10 mg\nIron\t20 mg", 3),
        ("Drug | Dose | Route\nZinc | 10 mg | oral\nIron | 20 mg | oral", 3),
        ("Drug    Dose\nZinc    10 mg\nIron    20 mg", 3),
        ("Drug / Dose / Note\nZinc / 10 mg / daily\nIron / 20 mg / weekly", 3),
        ("Outcome Zinc Placebo\nColds 12 14\nDays 3.1 3.3\nDropouts 4% 5%", 4),
        ("Class: mineral\nRoute: oral\nHalf-life: ~4 h", 3),
        ("OutcomeResultSource\nColds (all) Risk ratio 0.9 Oslo 2019\nDays MD -0.4 Bergen 2021", 3),
    ],
)
def test_lines_cut_into_cells_alike_are_table_rows(rows, count):
    document = read("t.txt", f"Zinc\n\nZinc is a metal that the body needs.\n\n{rows}\n\nIt helps.")
    assert sum(block.block == "table_row" for block in document.blocks) == count


def test_a_table_ends_where_its_rows_do():
    document = read(
        "t.txt",
        "Zinc\n\nZinc is a metal.\n\nOutcomeResult\nColds0.9 (0.8-1.1)\nDays-0.4\n"
        "Read it with care\n\nThe trials were small.\n",
    )
    assert shown(document)[-2:] == [
        ("heading", "Read it with care"),
        ("paragraph", "The trials were small."),
    ]


def test_verdicts_speakers_and_ratings_are_cards_and_rules_of_the_page_furniture():
    document = read(
        "f.txt",
        "Zinc thread\n\nDoes zinc work for anybody in this forum?\n\nmoss_axon\n"
        "It did nothing for me at all, I am sorry to say.\nVerdict: unproven\n"
        "★★★★☆ Good value\n\n»\n",
    )
    kinds = {text: kind for kind, text in shown(document)}
    assert kinds["moss_axon"] == kinds["Verdict: unproven"] == kinds["★★★★☆ Good value"] == "card"
    assert kinds["»"] == "boilerplate"


def test_site_names_above_the_title_are_furniture():
    document = read(
        "t.txt",
        "NHB Advice 2024/17\n\nZinc lozenges against the common cold\n\n"
        "Zinc lozenges were tested against the common cold in five trials.\n",
    )
    assert document.title == "Zinc lozenges against the common cold"
    assert document.blocks[0].block == "boilerplate"


def test_hard_wrapped_paragraphs_are_joined_and_their_line_ends_kept():
    text = (
        "Zinc and colds\n\n"
        "Zinc lozenges have been sold against the common cold for\n"
        "about forty years, and the trials that tested them have\n"
        "reached every possible conclusion, from a cure to nothing\n"
        "at all.\n\n"
        "The dose matters. So does the salt: the acetate dissolves\n"
        "faster than the gluconate, which may explain why\n"
        "results differ.\n"
    )
    document = read("z.txt", text)
    assert [b.block for b in document.blocks] == ["title", "paragraph", "paragraph"]
    first = document.blocks[1]
    assert document.text[first.start : first.end].count("\n") == 3


PROSE = (
    "Zinc lozenges have been sold against the common cold for about forty years, and most of those "
    "who buy them swear by them. The trials that tested them disagree: some found that colds ended "
    "two days earlier, others found nothing at all. Differences in dose may explain it."
)


@pytest.mark.parametrize("columns", [45, 60, 72, 80, 100])
@pytest.mark.parametrize("gap", ["\n", "\n\n"])
def test_headings_stay_apart_from_wrapped_paragraphs_at_any_width(columns, gap):
    body = textwrap.fill(PROSE, columns)
    text = f"Zinc and colds\n\n{body}{gap}What Nobody Has Tested{gap}{body}{gap}SAFETY{gap}{body}\n"
    document = read("z.txt", text)
    kinds = ["title", "paragraph", "heading", "paragraph", "heading", "paragraph"]
    assert [b.block for b in document.blocks] == kinds


@pytest.mark.parametrize(
    "paragraph",
    [
        "Zinc may shorten a cold in adults who take it within a day\nof the first symptoms.",
        "Take it with food if it upsets your stomach, and stop it after the\nNational Zinc Week.",
        "mRNA of the virus was found for a shorter time in the group with\nzinc than in the other.",
    ],
)
@pytest.mark.parametrize("below", ["", "\n\nOne long line. " + PROSE])
def test_two_lines_of_one_sentence_are_a_paragraph(paragraph, below):
    document = read("z.txt", f"Zinc and colds\n\nZinc is a metal.\n\n{paragraph}{below}\n")
    assert ("paragraph", paragraph) in shown(document)


@pytest.mark.parametrize(
    ("lines", "kinds"),
    [
        ("Side effects of zinc\nNausea is common.", "heading paragraph"),
        ("Side Effects Of Zinc Lozenges In Adults And Children\n" + PROSE, "heading paragraph"),
        ("Zinc for a cold\nis too late on day three.", "paragraph paragraph"),
        ("HOW MUCH ZINC TO TAKE AND WHEN TO STOP IT\nthe dose is 30 mg.", "heading paragraph"),
        (
            (
                "What people with a cold say of it\nloss of taste or a bad taste in the mouth\n"
                "some trouble with the stomach or bowel\na dry mouth or a sore throat for days"
            ),
            "heading paragraph paragraph paragraph",
        ),
        (
            "Zinc acetate, 30 lozenges from a pharmacy | 9\nzinc gluconate, 30 lozenges | 7.",
            "table_row table_row",
        ),
    ],
)
def test_lines_that_only_look_wrapped_stay_apart(lines, kinds):
    document = read("z.txt", f"Zinc and colds\n\nZinc is a metal.\n\n{lines}\n\nThe end is near.\n")
    assert [b.block for b in document.blocks][2:-1] == kinds.split()


def test_a_numbered_line_above_prose_is_a_heading_and_a_run_of_them_a_list():
    document = read(
        "n.txt",
        "Iron\n\nIron carries oxygen.\n\n1. Absorption\n\nTea lowers it.\n\n2. Storage\n\n"
        "Ferritin holds it.\n\nSteps\n\n1. Take it fasting.\n2. Wait an hour.\n",
    )
    kinds = {text: kind for kind, text in shown(document)}
    assert kinds["1. Absorption"] == kinds["2. Storage"] == "heading"
    assert kinds["1. Take it fasting."] == kinds["2. Wait an hour."] == "list_item"


def test_items_on_one_line_are_split_at_their_bullets():
    document = read("b.txt", "Iron\n\nIron is a metal.\n\n• pale skin • tiredness • cold hands\n")
    assert [t for k, t in shown(document) if k == "list_item"] == [
        "• pale skin",
        "• tiredness",
        "• cold hands",
    ]


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    "line",
    [
        "Zinc may help. " * 70_000,
        "a" * 1_000_000,
        "a. " * 60_000,
        "." * 1_000_000,
        ". " * 500_000,
        "(" * 500_000 + "x. Yes",
        "a · b · " * 100_000,
        "x" + "\n" * 900_000 + "y",
        "1 " * 500_000,
        "[1]" * 300_000,
    ],
)
def test_a_megabyte_on_one_line_is_read(line):
    from hedgerow.nlp.segmenter import bounds

    document = read("long.txt", "Title\n\nWords come first.\n" + line)
    for block in document.blocks:
        assert bounds(document.text[block.start : block.end], block.block)


# -- Markdown -------------------------------------------------------------------------------------

MARKDOWN = """---
id: 0042
title: Magnesium at night
url: https://example.org/mg
author: [A. Moe, B. Berg]
published: 5 May 2024
license: CC0-1.0
interest: blog
---

# Magnesium

Magnesium *may* help [sleepers](https://example.org "x"), **some** say.[^a]

## What helps

Options include:

- Citrate
  1. with food
  2. without
- Oxide: weaker. It is cheap.

  It is also sold as a laxative.

> A quoted line.

| Salt | Dose |
|------|------|
| Citrate | 200 mg |
| Oxide | `400 mg` |

![A glass of water](w.png)

```
code is no prose
```

**Who sells it**

**Not a heading.** Plain text.

## Sources

1. Moe A. Magnesium. J Made Up 2020;1:2-3.
2. Berg B. Sleep. Invented 2021.

[^a]: Larsen C. A footnote. 2019.
"""


def test_markdown_is_read_into_its_blocks_and_front_matter():
    document = read("mg.md", MARKDOWN)
    assert shown(document) == [
        ("title", "Magnesium"),
        ("paragraph", "Magnesium may help sleepers, some say.[a]"),
        ("heading", "What helps"),
        ("paragraph", "Options include:"),
        ("list_item", "• Citrate"),
        ("list_item", "1. with food"),
        ("list_item", "2. without"),
        ("list_item", "• Oxide: weaker. It is cheap."),
        ("list_item", "It is also sold as a laxative."),
        ("paragraph", "A quoted line."),
        ("table_row", "Salt | Dose"),
        ("table_row", "Citrate | 200 mg"),
        ("table_row", "Oxide | 400 mg"),
        ("caption", "A glass of water"),
        ("heading", "Who sells it"),
        ("paragraph", "Not a heading. Plain text."),
        ("heading", "Sources"),
        ("reference", "1. Moe A. Magnesium. J Made Up 2020;1:2-3."),
        ("reference", "2. Berg B. Sleep. Invented 2021."),
        ("reference", "[a] Larsen C. A footnote. 2019."),
    ]
    assert parent_text(document, "• Citrate") == "Options include:"
    assert parent_text(document, "2. without") == "• Citrate"
    assert (
        parent_text(document, "It is also sold as a laxative.") == "• Oxide: weaker. It is cheap."
    )
    assert parent_text(document, "Oxide | 400 mg") == "Salt | Dose"
    assert document.declared_id == "0042"
    assert document.title == "Magnesium at night"
    assert document.author == "A. Moe, B. Berg"
    assert document.published == "2024-05-05"
    assert document.licence == "CC0-1.0"
    assert document.interest == "blog"


@pytest.mark.parametrize("front", ["id: [unclosed", "a: 1\n  b: : 2", "\tid: x", "id: &a *b"])
def test_front_matter_that_is_no_yaml_is_malformed(front):
    content = f"---\n{front}\n---\n\nText.\n".encode()
    reader = reader_for("x.md")
    (item,) = reader.split(content)
    assert item.error is not None
    assert item.error[0] == "malformed"
    with pytest.raises(RejectedDocument, match="malformed"):
        reader.read(content, path="x.md")


def test_a_thematic_break_at_the_top_is_no_front_matter():
    document = read("x.md", "---\nPlain words here.\n\n---\n\nMore words.\n")
    assert "Plain words here." in document.text
    assert document.declared_id is None


# -- HTML -----------------------------------------------------------------------------------------

HTML = """<!DOCTYPE html>
<html lang="en-GB"><head>
<title>Iodine and you | The Thyroid Post</title>
<meta property="og:site_name" content="The Thyroid Post">
<meta name="citation_author" content="Moe, A."><meta name="citation_author" content="Berg, B.">
<meta property="article:published_time" content="2024-02-03T10:00:00Z">
<link rel="canonical" href="https://example.org/iodine">
<script type="application/ld+json">{"@graph": [{"@type": "Article", "headline": "Iodine",
 "license": "https://example.org/licence"}, {"@type": "BreadcrumbList", "name": "no"}]}</script>
<script type="application/ld+json">{broken</script>
</head><body>
<nav><ul><li>Home</li><li>Minerals</li></ul></nav>
<div class="cookie-banner">We use cookies.</div>
<main><h1>Iodine and you</h1>
<p>Iodine is needed by the thyroid.<sup><a href="#r1">1</a></sup> A dose of 10<sup>6</sup> units
per m<sup>2</sup> is absurd.<sup>2,3</sup></p>
<h2>Sources of iodine</h2>
<p>Foods that hold it include:</p>
<ul><li>Fish <ul><li>cod</li><li>haddock</li></ul></li><li>Milk. It varies.</li></ul>
<ol start="3"><li>Third</li><li>Fourth</li></ol>
<dl><dt>Intake</dt><dd>150 µg a day</dd></dl>
<table><caption>Table 1. Iodine in food</caption>
<thead><tr><th>Food</th><th>Iodine</th></tr></thead>
<tr><td>Cod</td><td>190&nbsp;µg</td></tr><tr><td>Milk</td><td>50 µg</td></tr></table>
<figure><div>42%<br>Schoolchildren below target<br>Oslo survey, 2019</div>
<figcaption>Iodine status</figcaption></figure>
<div><div>3.2</div><div>Servings a week</div></div>
<p><strong>Who is at risk</strong></p>
<p>Vegans may be.</p>
<p hidden>Unseen words.</p>
<h2>References</h2>
<ol><li id="r1">Moe A. Iodine. J Made Up 2020;1:2-3.</li><li>Berg B. Fish. Invented 2021.</li></ol>
</main>
<div id="related-posts"><h3>You may like</h3><p>Salt lamps</p></div>
<footer><p>© The Thyroid Post</p></footer>
</body></html>"""


def test_html_is_read_into_its_blocks_and_metadata():
    document = read("iodine.html", HTML)
    assert shown(document) == [
        ("boilerplate", "Home"),
        ("boilerplate", "Minerals"),
        ("boilerplate", "We use cookies."),
        ("title", "Iodine and you"),
        (
            "paragraph",
            "Iodine is needed by the thyroid.[1] A dose of 10⁶ units per m² is absurd.[2,3]",
        ),
        ("heading", "Sources of iodine"),
        ("paragraph", "Foods that hold it include:"),
        ("list_item", "• Fish"),
        ("list_item", "• cod"),
        ("list_item", "• haddock"),
        ("list_item", "• Milk. It varies."),
        ("list_item", "3. Third"),
        ("list_item", "4. Fourth"),
        ("list_item", "Intake"),
        ("list_item", "150 µg a day"),
        ("caption", "Table 1. Iodine in food"),
        ("table_row", "Food | Iodine"),
        ("table_row", "Cod | 190 µg"),
        ("table_row", "Milk | 50 µg"),
        ("card", "42%"),
        ("card", "Schoolchildren below target"),
        ("card", "Oslo survey, 2019"),
        ("caption", "Iodine status"),
        ("card", "3.2"),
        ("card", "Servings a week"),
        ("heading", "Who is at risk"),
        ("paragraph", "Vegans may be."),
        ("heading", "References"),
        ("reference", "1. Moe A. Iodine. J Made Up 2020;1:2-3."),
        ("reference", "2. Berg B. Fish. Invented 2021."),
        ("boilerplate", "You may like"),
        ("boilerplate", "Salt lamps"),
        ("boilerplate", "© The Thyroid Post"),
    ]
    assert parent_text(document, "• Fish") == "Foods that hold it include:"
    assert parent_text(document, "• cod") == "• Fish"
    assert parent_text(document, "150 µg a day") == "Intake"
    assert parent_text(document, "Milk | 50 µg") == "Food | Iodine"
    assert parent_text(document, "Oslo survey, 2019") == "42%"
    assert document.publisher == "The Thyroid Post"
    assert document.author == "Moe, A.; Berg, B."
    assert document.published == "2024-02-03"
    assert document.url == "https://example.org/iodine"
    assert document.licence == "https://example.org/licence"
    assert document.language == "en-GB"
    assert document.title == "Iodine"


def test_a_table_without_header_cells_counts_its_rows_from_one():
    document = read(
        "t.html",
        "<p>Zinc.</p><table><tr><td>Dose</td><td>10 mg</td></tr>"
        "<tr><td>Route</td><td>oral</td></tr></table>",
    )
    rows = [b for b in document.blocks if b.block == "table_row"]
    assert [(b.row, b.parent) for b in rows] == [(1, None), (2, None)]


@pytest.mark.parametrize(
    "page",
    [
        "<html><head><title>x</title></head></html>",
        "<html></html>",
        "<!-- only a comment -->",
        "<nav>Home</nav>",
        "<script>var x = 'words';</script>",
    ],
)
def test_html_without_main_text_is_rejected(page):
    with pytest.raises(RejectedDocument, match="no_text"):
        read("x.html", page)


def test_html_without_a_body_is_read_and_so_is_one_in_another_encoding():
    assert shown(read("x.htm", "Just words, <b>unclosed")) == [
        ("paragraph", "Just words, unclosed")
    ]
    page = "<meta charset='iso-8859-2'><p>Ból głowy mija.</p>".encode("iso-8859-2")
    assert "Ból głowy mija." in read("x.html", page).text
    page = "<?xml version='1.0' encoding='utf-8'?><html><body><p>Zinc é.</p></body></html>"
    assert "Zinc é." in read("x.xhtml", page).text


def test_deep_nesting_does_not_break_the_reader():
    read("x.html", "<div>" * 200 + "Zinc may help." + "</div>" * 200)
    with pytest.raises(RejectedDocument, match="malformed"):
        read("x.html", "<div>" * 5000 + "Zinc may help." + "</div>" * 5000)
    read("x.md", ">" * 40 + " Zinc may help.\n\n" + "- " * 40 + "Iron may help.")
    with pytest.raises(RejectedDocument, match=r"limits\.depth"):
        read("x.md", ">" * 3000 + " Zinc may help.")


# -- JSON Lines -----------------------------------------------------------------------------------


def test_json_lines_keep_good_lines_and_name_the_bad_ones():
    lines_ = [
        b'\xef\xbb\xbf{"id": "a", "text": "Zinc may help.", "publisher": "P", "interest": "news"}',
        b"",
        b"not json",
        b"[1, 2]",
        b'{"id": "c"}',
        b'{"text": "no id"}',
        b'{"id": true, "text": "no id"}',
        b'{"id": "d", "text": "bad \xff byte"}',
        b"[" * 100_000,
        b'  {"id": 7, "text": "Iron, \\ud83d, too.\\n\\nIt may harm."}\r',
    ]
    content = b"\n".join(lines_)
    reader = reader_for("x.jsonl")
    items = list(reader.split(content))
    assert [(i.label, i.declared_id, i.error and i.error[0]) for i in items] == [
        ("line 1", "a", None),
        ("line 3", None, "malformed"),
        ("line 4", None, "malformed"),
        ("line 5", None, "malformed"),
        ("line 6", None, "missing_id"),
        ("line 7", None, "missing_id"),
        ("line 8", None, "malformed"),
        ("line 9", None, "malformed"),
        ("line 10", "7", None),
    ]
    first, last = (content[i.offset : i.offset + i.length] for i in (items[0], items[-1]))
    document = reader.read(first, path="x.jsonl")
    assert (document.text, document.publisher, document.declared_id) == ("Zinc may help.", "P", "a")
    assert reader.read(last, path="x.jsonl").text == "Iron, \ufffd, too.\n\nIt may harm."


# -- properties -----------------------------------------------------------------------------------

WORDS = st.text(string.ascii_letters + string.digits + " .,:;?!()[]•-–*_#>|\t%é’“”<&", max_size=60)
PIECES = st.sampled_from(
    ["\n", "\n\n", "\n  • ", "\n- ", "\n1. ", "\n> ", "\n# ", "|", "\t", "60%", "\nReferences\n",
     "[1] Moe A. J X 2020;1:2.", "<p>", "</p>", "<ul><li>", "</li>", "</ul>", "<table><tr><td>",
     "</td></tr></table>", "<h1>", "</h1>", "<br>", "<sup>1</sup>", "&nbsp;", "---\n", "[^1]",
     "```"]
)  # fmt: skip
MIXED = st.lists(st.one_of(WORDS, PIECES), max_size=30).map("".join)


@pytest.mark.parametrize("suffix", [".txt", ".md", ".html"])
@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(text=MIXED)
def test_blocks_slice_back_whatever_the_text(suffix, text):
    try:
        read(f"x{suffix}", text)
    except RejectedDocument as rejected:
        assert rejected.reason in ("empty", "no_text", "malformed")


@settings(max_examples=100, deadline=None)
@given(text=MIXED)
def test_plain_text_keeps_every_word(text):
    try:
        document = read("x.txt", text)
    except RejectedDocument:
        return
    blocks = "".join(document.text[b.start : b.end] for b in document.blocks)
    assert re.sub(r"\s", "", blocks) == re.sub(r"\s", "", document.text)


# -- metadata and interest ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("stated", "iso"),
    [
        ("2024-05-03", "2024-05-03"),
        ("2024/5/3", "2024-05-03"),
        ("2024-05-03T10:00:00+02:00", "2024-05-03"),
        ("3 May 2024", "2024-05-03"),
        ("May 3rd, 2024", "2024-05-03"),
        ("Sept. 2023", "2023-09"),
        ("2024", "2024"),
        ("03/04/2024", "03/04/2024"),
        ("2024-13-40", "2024-13-40"),
        ("last spring", "last spring"),
    ],
)
def test_a_stated_date_is_iso_where_it_can_only_be_read_so(stated, iso):
    assert iso_date(stated) == iso


def page(text: str = "", **fields: str) -> Document:
    return Document(text=text, blocks=(Block(0, 1, "paragraph"),), media_type="x", **fields)


@pytest.mark.parametrize(
    ("document", "interest", "basis"),
    [
        (page(interest="Reference_work"), "reference work", "declared"),
        (page(interest="wellness"), "unknown", "declared, but not an interest: wellness"),
        (page("Add to cart"), "vendor", "rule:order-button"),
        (page("Book an appointment at our clinic."), "clinic", "rule:our-clinic"),
        (page(url="https://www.example.gov/x"), "government", "rule:government-host"),
        (page(url="http://[bad"), "unknown", "none"),
        (page("Zinc is a metal."), "unknown", "none"),
    ],
)
def test_interest_is_declared_or_shown_by_the_page(document, interest, basis):
    assert interest_of(document) == (interest, basis)


def test_what_the_user_declares_of_a_source_goes_first():
    document = override(page(publisher="A", title="T"), {"publisher": "B", "interest": "news"})
    assert (document.publisher, document.title, document.interest) == ("B", "T", "news")


def test_every_interest_rule_finds_its_examples_and_no_others():
    entries = data.load("interest")["rule"]
    assert len({entry["id"] for entry in entries}) == len(entries)
    for rule, entry in zip(interest_rules(), entries, strict=True):
        assert rule.interest in INTERESTS
        assert entry["source"]
        assert entry["match"]
        for text in entry["match"]:
            assert rule.pattern.search(text), (rule.id, text)
        for text in entry["miss"]:
            assert not rule.pattern.search(text), (rule.id, text)


def test_every_wording_rule_finds_its_examples_and_no_others():
    for entry in data.load("blocks")["rule"]:
        pattern = re.compile(entry["pattern"], 0 if entry.get("case") else re.IGNORECASE)
        find = pattern.fullmatch if entry["block"] == "reference_heading" else pattern.search
        assert entry["source"]
        for text in entry["match"]:
            assert find(text), (entry["id"], text)
        for text in entry["miss"]:
            assert not find(text), (entry["id"], text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[3] Moe A, Berg B. Zinc and colds. J Made Up 2019;4:12-19.", True),
        ("Moe A, et al. Invented Med. 2021;7(2):30-8. doi:10.1234/x", True),
        ("In 2019 Moe et al. found that zinc shortened colds by 12-19 hours [3].", False),
        ("Zinc is a metal.", False),
    ],
)
def test_a_reference_entry_is_told_from_prose_by_its_signs(text, expected):
    assert lines.is_reference(text, listed=False) is expected
