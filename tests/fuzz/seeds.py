"""Small valid files of every format to begin from, and the tokens that each format is made of."""

from __future__ import annotations

import bz2
import gzip
import io
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

DATA = Path(__file__).parents[1] / "data"

_TEXT = """Zinc for colds

Zinc may shorten colds by 1.5 days (P<0.05) [1,2]. See e.g. Fig. 2; it did not in adults.

Side effects include:

• nausea
  – mild
• a bad taste

1. Stop.
2. Rest.

Drug | Dose | Effect
Zinc | 10 mg | HR 0.98 (95% CI 0.70–1.36)
DrugDoseRoute
Zinc10 mgoral
Copper5 mgoral

75%
of adults
Half-life: 5 h
Class: metal
Route: oral

Figure 1. Flow of people
Share this page
References

[1] Lee A, Roe B. Zinc. J Made Up. 2019;3(2):1-9. doi:10.5555/x. PMID 12345678
2. Body (2013). https://example.org/a
"""
_WRAPPED = """a line of middling length that runs on with no stop and
goes on in lower case until it has said all it had to say and
goes on again, as those who wrap their lines by hand do it.
"""
_MARKDOWN = """---
id: zinc
title: "Zinc: for colds"
authors: [Ann Lee, B Roe]
date: 2024-05-08
---

# Zinc *for* colds

**Harms**

Zinc may help[^1] <sup>2</sup> &alpha; &#x1D160; ![alt text](a.png "t") [label](x "y") `code`.

- nausea:
  1. mild
  2. severe

     more of it
- taste

| Dose | Effect |
|:--|--:|
| 10 mg | none \\| some |

> Quoted: *it* helps\\
> here

<div>html <b>block</b></div>

    code

References
==========

1. Lee A. J Made Up. 2019;3:1-9.

[^1]: Roe B. *J Made Up* 2020;4:2.
[x]: http://example.org
"""
_HTML = """<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>Zinc | The Page</title>
<meta name="citation_author" content="Lee, Ann"><meta property="og:site_name" content="The Page">
<meta name="DC.date" content="2024-05-08"><link rel="canonical" href="https://example.org/zinc">

<script type="application/ld+json">{"@type":"Article","headline":"Zinc",
"datePublished":"2024-05-08",
"author":[{"name":"Ann Lee"}],"publisher":{"name":"The Page"},"license":"https://x.org"}</script>
<style>p{color:red}</style></head><body><nav><ul><li><a href="/">Home</a></li></ul></nav>
<header class="cookie-banner">We use cookies</header><main><article><h1>Zinc for colds</h1>
<p>Zinc may shorten colds by 10<sup>6</sup> days.<sup>1,2</sup> It fell to 5&nbsp;m<sup>2
</sup> &amp;
&nGt; &#x1D160; e&#x301;.<br>Next&shy;line.</p><p>Side effects include:</p>
<ul><li>nausea<ol start="3" type="a"><li value="7">mild</li></ol></li><li><p>taste</p><p>more</p>
</li></ul>
<dl><dt>Dose</dt><dd>10 mg</dd></dl><div><b>75%</b><br>of adults<br>Source: x</div>
<table><caption>Trials</caption><thead><tr><th rowspan=2>Drug</th><th colspan="2">Dose</th></tr>
<tr><td>a<td>b</tr></thead><tbody><tr><td>Zinc</td><td>10</td><td>none<table><tr><td>in</table>
</td></tr></table>
<figure><img alt="a cup" src=x><figcaption>Figure 1. Flow</figcaption></figure>
<blockquote>It helps.</blockquote><p hidden>no</p><p style="display:none">no</p>
<h2>References</h2><ol><li>Lee A. Zinc. J Made Up. 2019;3:1-9. PMID: 12345678</li></ol></article>
</main>
<aside class="related-posts"><h3>Related</h3><p>Buy now $5</p></aside><footer>© 2024</footer>
</body></html>
"""
_JSONL = (
    '{"id": "a", "text": "Zinc may help.\\nIt did.", "title": "Zinc", "interest": "journal"}\n'
    '{"id": 7, "text": "Caf\\u00e9ine \\ud83d\\ude00 \\ud83d helps.", "authors": ["A", "B"]}\r\n'
    '\n{"id": "x", "text": 5}\n["a"]\n{"text": "no id", "date": "May 2024"}\n'
)
_CSV = (
    "pmid,Title,Abstract,journal,year\r\n"
    '1,Zinc,"Zinc ""may"" help,\r\nit said.",J Made Up,2019\r\n'
    "2,Copper,Copper does not help.,,2020\r\n\r\n3,Iron\r\n"
)
_ARTICLE = """<article><front><article-meta><article-id pub-id-type="pmc">PMC%d</article-id>
<title-group><article-title>Zinc</article-title></title-group></article-meta></front>
<body><p>Zinc helps <xref ref-type="bibr" rid="b">1</xref>.</p></body>
<back><ref-list><ref id="b"><label>1</label><mixed-citation>Lee A. Zinc. J Made Up 2019;3:1.
</mixed-citation></ref></ref-list></back></article>"""


def _docx() -> bytes:
    import docx

    document = docx.Document()
    document.core_properties.title = "Zinc for colds"
    document.add_heading("Zinc for the common cold", 0)
    document.add_heading("Harms", 1)
    document.add_paragraph("Side effects include:")
    document.add_paragraph("nausea", style="List Bullet")
    document.add_paragraph("mild", style="List Bullet 2")
    document.add_paragraph("Stop.", style="List Number")
    table = document.add_table(2, 2)
    for cell, text in zip(table._cells, ("Dose", "Effect", "10 mg", "none"), strict=True):
        cell.text = text
    paragraph = document.add_paragraph("It was seen in trials")
    paragraph.add_run("1,2").font.superscript = True
    paragraph.add_run(" of 10")
    paragraph.add_run("6").font.superscript = True
    document.add_heading("References", 1)
    document.add_paragraph("1. Lee A. J Made Up. 2019;3:1-9.")
    for style in list(document.styles):  # hundreds, of which every reading takes time
        if style.name not in ("Normal", "Title", "Heading 1", "List Bullet", "List Bullet 2"):
            style.delete()
    document.styles.element.remove(document.styles.element.latentStyles)
    out = io.BytesIO()
    document.save(out)
    return out.getvalue()


def _pdf(*, columns: int, compressed: bool) -> bytes:
    from reportlab.pdfgen.canvas import Canvas

    out = io.BytesIO()
    canvas = Canvas(out, (300, 400), pageCompression=int(compressed), invariant=True)
    for page in range(2):
        canvas.setFont("Helvetica-Bold", 14)
        canvas.drawString(30, 370, "Zinc for colds")
        canvas.setFont("Helvetica", 8)
        for column in range(columns):
            for line, text in enumerate(
                (
                    "Zinc may shorten the com-",
                    "mon cold, it was said [1].",
                    "• nausea",
                    "Drug      Dose",
                    "Zinc      10 mg",
                    "1. Lee A. J Made Up. 2019;3:1-9.",
                )
            ):
                canvas.drawString(30 + 140 * column, 340 - 11 * line, text)
        canvas.drawString(150, 15, str(page + 1))
        canvas.showPage()
    canvas.save()
    return out.getvalue()


def _parquet(**columns: object) -> bytes:
    out = io.BytesIO()
    pq.write_table(pa.table(columns), out)
    return out.getvalue()


def seeds(name: str) -> Iterator[bytes]:
    """Yield valid files of the format that the reader `name` reads."""
    if name == "text":
        yield _TEXT.encode()
        yield _WRAPPED.encode()
        yield b"\xff\xfe" + "Zinc caf\u00e9".encode("utf-16-le")
        yield "Caf\u00e9ine may help.".encode("latin-1")
    elif name == "markdown":
        yield _MARKDOWN.encode()
        yield _MARKDOWN.partition("---\n\n")[2].encode()
    elif name == "html":
        yield _HTML.encode()
        yield b"<p>Zinc may help.</p>"
    elif name == "jsonl":
        yield _JSONL.encode()
    elif name == "jats":
        yield (DATA / "author_year.xml").read_bytes()
        yield (DATA / "vancouver.xml").read_bytes()
        articles = "".join(_ARTICLE % n for n in (1, 2))
        yield f"<pmc-articleset>{articles}</pmc-articleset>".encode()
    elif name == "pubmed":
        yield (DATA / "pubmed.xml").read_bytes()
    elif name == "pdf":
        for columns in (1, 2):
            yield _pdf(columns=columns, compressed=False)
        yield _pdf(columns=1, compressed=True)
    elif name == "docx":
        yield _docx()
    elif name == "csv":
        yield _CSV.encode()
        yield _CSV.replace(",", ";").encode()
    elif name == "tsv":
        yield _CSV.replace(",", "\t").encode()
    elif name == "parquet":
        yield _parquet(pmid=[1, 2], abstract=["Zinc may help.", None], title=["Zinc", "x"])
        yield _parquet(id=["a"], text=[b"Zinc helps."], authors=[["A", "B"]], year=[2019.0])
    elif name == "packed":
        yield gzip.compress(_TEXT.encode(), mtime=0)
        yield bz2.compress(_TEXT.encode())
        yield pa.Codec("zstd").compress(_TEXT.encode(), asbytes=True)


def _words(text: str) -> list[str]:
    """Return the words of a text; "~" is a blank inside one."""
    return [word.replace("~", " ") for word in text.split(" ")]


_CHARACTERS = _words(
    "\x00 \x1c \x85 \xa0 \xad \u0301 \u0345 \u034f \u1100\u1161\u11a8 \u115f \u1680 \u180e "
    "\u200b \u200e \u2028 \u202e \u2066 \u20e3 \u2800 \u3000 \ufe0f \ufb01 \ufeff \ufffe \uffff "
    "\U0001d160 \U0001f600 \U000e0020 \U0010ffff \u0390 \u0130 \xdf \u2460 \xb9 \u0661 \u06f2 "
    "\u2126 \u212b \u0958 \ufb1d"
)
_PROSE = _words(
    ". ... ! ? ; : , ( ) [ ] [1] [1,2-5] (1) “ ” ‘ ’ … – — • * | ¦ · ★ → 1. 12. (a) iv. ① e.g. "
    "et~al. Fig. No. vs. P<0.05 95%~CI 0.70–1.36 HR OR 10^6 75% 1,234 10~mg doi:10.5555/x "
    "PMID:~12345678 NCT00000000 CD000000 PMC1234567 https://example.org/ 2019;3:1 References "
    "Sources Figure~1. Table~2 Share Note: DrugDose"
)
_TAGS = _words(
    "html head body main article section nav aside header footer div span p br hr h1 h2 h6 ul "
    "ol li dl dt dd table caption thead tbody tr td th figure figcaption img blockquote pre "
    "code sup sub b strong i a script style title meta link svg math template noscript details "
    "summary form button font center base frameset plaintext xmp textarea option"
)
_JATS_TAGS = _words(
    "article front article-meta title-group article-title body sec title p back ref-list ref "
    "label mixed-citation element-citation xref sup sub italic list list-item def-list "
    "table-wrap table tr td th fig caption abstract disp-quote boxed-text fn-group fn "
    "inline-formula disp-formula name surname given-names year source pub-id break math msup mn "
    "pmc-articleset pub-date"
)
_PUBMED_TAGS = _words(
    "PubmedArticleSet PubmedArticle PubmedBookArticle MedlineCitation PMID Article ArticleTitle "
    "Abstract AbstractText AuthorList Author LastName Journal PubDate Year Month MedlineDate "
    "sup"
)
_WORD_TAGS = _words(
    "p r t tab br cr pPr rPr pStyle numPr ilvl numId vertAlign tbl tr tc tcPr gridSpan vMerge "
    "del ins hyperlink footnoteReference sdt sdtContent instrText fldChar outlineLvl sym "
    "smartTag"
)
_XML = (
    "<!DOCTYPE a [<!ENTITY b 'c'>]>", "<![CDATA[", "]]>", "<!--", "-->", "<?xml version='1.0'?>",
    "<?a b?>", "&amp;", "&alpha;", "&#0;", "&#xD800;", "&#x10FFFF;", "&#x1D160;", "&nope;",
    ' xmlns="x"', ' xmlns:a="x"', ' id="b"', ' rid="b b"', ' xml:lang="de"', ' encoding="utf-16"',
    ' encoding="x"',
)  # fmt: skip


def _elements(names: Iterable[str], prefix: str = "") -> tuple[str, ...]:
    return tuple(
        token for n in names for token in (f"<{prefix}{n}>", f"</{prefix}{n}>", f"<{prefix}{n} ")
    )


_TOKENS: Mapping[str, tuple[str, ...]] = {
    "text": (),
    "markdown": (
        "---\n", "# ", "## ", "===\n", "- ", "* ", "1. ", "999999999. ", "> ", "    ", "\t",
        "```\n",
        "~~~", "**", "__", "[^1]", "[^1]: ", "^[", "![", "](", "[a]: ", "|--|", "| a | b |\n",
        "<br>", "<!--", "<div>", "\\", "&#x1D160;", "&nGt;", "`", "id: ", "title: ", "? ",
        "&a ", "*a ",
        "!!python/object:os ", "{", "}", "<<: ", "%YAML 9\n", "date: ",
    ),
    "html": (
        *_elements(_TAGS), "<!--", "-->", "<![CDATA[", "]]>", "&nGt;", "&#0;", "&#xD800;",
        "&#x110000;", "&#x1D160;", "&amp;amp;", "&nbsp;", "&shy;", ' colspan="9999"',
        ' rowspan="9999"', ' colspan="-1"', ' start="99999999999"', ' value="-5"',
        ' value="\u0663"',
        ' hidden', ' class="cookie"', ' role="navigation"', ' style="display:none"', ' lang="de"',
        ' type="application/ld+json">', '{"@graph":[', '{"@type":"Article","author":',
        ' name="citation_author"', ' name="DC.date"', ' property="og:title"', ' content="',
        ' charset="utf-7"', ' charset="utf-16"', ' charset="idna"', ' charset="rot13"',
        ' charset="x-mac-japanese"', ' start="-3"', ' type="I"', " reversed",
    ),
    "jsonl": (
        '{"id": ', '"text": ', '"title": ', '"authors": [', '"date": "', "{", "}", "[", "]",
        "[" * 50,
        '"', "\\ud800", "\\udc00", "\\u0000", "1e999", "-0", "NaN", "Infinity", "9" * 50,
        "9" * 5000,
        "null", "true", "\n", "\r\n",
    ),
    "jats": (*_elements(_JATS_TAGS), *_XML),
    "pubmed": (*_elements(_PUBMED_TAGS), *_XML),
    "pdf": (
        "BT", "ET", "Tj", "TJ", "Tf", "Td", "Tm", "T*", "Tc", "Tw", "Tz", "TL", "Ts", "cm", "q",
        "Q",
        "Do", "re", "f", "BI", "ID", "EI", "obj", "endobj", "stream", "endstream", "xref",
        "trailer",
        "startxref", "/Type", "/Page", "/Pages", "/Kids", "/Count", "/Parent", "/Contents", "/Font",
        "/Length", "/Filter", "/FlateDecode", "/LZWDecode", "/ASCII85Decode", "/ASCIIHexDecode",
        "/RunLengthDecode", "/DecodeParms", "/Predictor 15", "/Columns", "/Encoding", "/ToUnicode",
        "/Differences", "/MediaBox", "/Rotate 90", "/Resources", "/XObject", "/Encrypt", "/Root",
        "/Prev", "/Size", "/W [1 2 1]", "/Index", "/ObjStm", "/XRef", "/Type0", "/CIDFontType2",
        "/DescendantFonts", "/Widths", "/FirstChar", "/LastChar", "/FontMatrix", "/Identity-H",
        "<<", ">>", "[", "]", "(", ")", "0 R", "1 0 R", "5 0 R", "-1", "99999999999", "1e30", "0.0",
        "nan", "null", "beginbfchar", "endbfchar", "beginbfrange", "endbfrange", "/Info", "/Title",
    ),
    "docx": (
        *_elements(_WORD_TAGS, "w:"), *_XML, ' w:val="', ' w:val="-1"', ' w:val="99999"',
        ' w:val="superscript"', ' w:val="Heading1"', ' w:val="ListBullet"', ' w:id="', ' w:ilvl="',
    ),
    "csv": (
        "id", "pmid", "text", "abstract", "title", "year", ",", ";", "\t", '"', '""', "\n",
        "\r\n", "\r",
        "\0", '","', "\n\n",
    ),
    "tsv": ("id", "text", "title", "\t", '"', "\n", "\r"),
    "parquet": ("id", "pmid", "text", "abstract", "title", "year", "PAR1", "[1", "null", "\\ud800"),
    "packed": ("\x1f\x8b\x08", "BZh9", "(\xb5/\xfd"),
}  # fmt: skip
_PLAIN = frozenset({"text", "markdown", "html", "jsonl", "jats", "pubmed", "docx", "csv", "tsv"})


def tokens(name: str) -> list[bytes]:
    """Return what a format is made of: its keywords, and the characters that text readers meet."""
    words = list(_TOKENS[name])
    if name in _PLAIN or name == "parquet":
        words += [*_CHARACTERS, *_PROSE]
    encoding = "latin-1" if name == "packed" else "utf-8"
    return [word.encode(encoding) for word in dict.fromkeys(words) if word]


def dictionary(name: str) -> str:
    """Return the tokens as a dictionary file of libFuzzer."""
    lines = ["".join(f"\\x{byte:02x}" for byte in token) for token in tokens(name)]
    return "".join(f'"{line}"\n' for line in lines)
