"""PDF pages rendered from known text give that text back, in order, block by block."""

from __future__ import annotations

import re
import shutil
import subprocess
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from io import BytesIO
from pathlib import Path

import pytest
from markdown_it import MarkdownIt

from hedgerow.errors import RejectedDocument
from hedgerow.limits import Limits
from hedgerow.nlp import segmenter
from hedgerow.readers import pdf, pdf_layout, pdf_words
from hedgerow.readers.base import Document, Options
from hedgerow.readers.markdown import READER as MARKDOWN

reportlab = pytest.importorskip("reportlab")
from reportlab.pdfbase.pdfmetrics import stringWidth  # noqa: E402
from reportlab.pdfgen.canvas import Canvas  # noqa: E402

CORPUS = Path(__file__).parents[1] / "corpus"
WIDTH, HEIGHT, MARGIN = 595.0, 842.0, 60.0


# -- a small typesetter ---------------------------------------------------------------------------


@dataclass
class Style:
    """How a kind of block is set, in points."""

    size: float = 10.0
    font: str = "Helvetica"
    before: float = 6.0
    indent: float = 0.0
    first: float = 0.0


STYLES = {
    "title": Style(18, "Helvetica-Bold", 0),
    "heading": Style(12, "Helvetica-Bold", 12),
    "paragraph": Style(),
    "list_item": Style(before=2, indent=14),
    "reference": Style(9, before=2, indent=14),
    "caption": Style(8, before=8),
}


@dataclass
class Typesetter:
    """Sets blocks on pages of one or two columns and returns the PDF's bytes."""

    columns: int = 1
    hyphenate: bool = False
    justify: bool = False
    indented: bool = False
    head: str = "Journal of Made Up Results"
    wide_title: bool = True
    info: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.file = BytesIO()
        self.canvas = Canvas(self.file, (WIDTH, HEIGHT), invariant=True)
        self.page, self.column, self.top = 1, 0, MARGIN
        self.y = self.top
        self.furniture()

    @property
    def gap(self) -> float:
        return 18.0

    @property
    def width(self) -> float:
        inner = WIDTH - 2 * MARGIN
        return (inner - self.gap * (self.columns - 1)) / self.columns

    @property
    def left(self) -> float:
        return MARGIN + self.column * (self.width + self.gap)

    def furniture(self) -> None:
        if self.head:
            self.draw(MARGIN, 30, self.head, Style(8))
            self.draw(WIDTH / 2, HEIGHT - 25, str(self.page), Style(8))

    def draw(self, x: float, y: float, text: str, style: Style, spacing: float = 0.0) -> None:
        line = self.canvas.beginText(x, HEIGHT - y)
        line.setFont(style.font, style.size)
        line.setWordSpace(spacing)
        line.textOut(text)
        self.canvas.drawText(line)

    def feed(self) -> None:
        if self.column + 1 < self.columns:
            self.column += 1
        else:
            self.canvas.showPage()
            self.page, self.column, self.top = self.page + 1, 0, MARGIN
            self.furniture()
        self.y = self.top

    def block(self, text: str, kind: str, level: int = 1, width: float | None = None) -> None:
        style = STYLES[kind]
        mark, _, rest = text.partition(" ") if style.indent else ("", "", text)
        indent = style.indent * level
        first = 12.0 if self.indented and kind == "paragraph" else 0.0
        available = (width or self.width) - indent
        leading = 1.2 * style.size
        if self.y > self.top:
            self.y += 0 if self.indented and kind == "paragraph" else style.before
        lines = list(self.wrap(rest, style, available, first))
        for number, (line, full) in enumerate(lines):
            if self.y + leading > HEIGHT - MARGIN:
                self.feed()
            self.y += leading
            x = self.left + indent + (first if number == 0 else 0.0)
            room = available - (first if number == 0 else 0.0)
            spare = room - stringWidth(line, style.font, style.size)
            blanks = line.count(" ")
            spread = spare / blanks if self.justify and full and blanks else 0.0
            self.draw(x, self.y, line, style, spread)
            if number == 0 and mark:
                self.draw(self.left + indent - style.indent, self.y, mark, style)

    def wrap(
        self, text: str, style: Style, width: float, first: float
    ) -> Iterator[tuple[str, bool]]:
        """Yield (line, whether the paragraph goes on)."""

        def fits(line: str) -> bool:
            room = width - (first if number == 0 else 0.0)
            return stringWidth(line, style.font, style.size) <= room

        number, line = 0, ""
        for word in text.split(" "):
            longer = f"{line} {word}".strip()
            if fits(longer):
                line = longer
                continue
            head = ""
            if self.hyphenate:
                cuts = [
                    m.start()
                    for m in re.finditer(r"(?<=[a-z]{3})(?=[bcdfglmnprstv][aeiou]\w{2})", word)
                ]
                heads = [word[:cut] for cut in cuts if word.isalpha() and word.islower()]
                head = max((h for h in heads if fits(f"{line} {h}-".strip())), key=len, default="")
            yield (f"{line} {head}-".strip() if head else line), True
            number += 1
            line = word[len(head) :]
        yield line, False

    def table(self, rows: Sequence[Sequence[str]], widths: Sequence[float]) -> None:
        style = Style(9)
        self.y += 6
        for row in rows:
            cells = [
                list(self.wrap(cell, style, width - 10, 0.0))
                for cell, width in zip(row, widths, strict=True)
            ]
            height = 11 * max(map(len, cells))
            if self.y + height + 5 > HEIGHT - MARGIN:
                self.feed()
            self.y += 5
            x = self.left
            for lines, width in zip(cells, widths, strict=True):
                for number, (line, _) in enumerate(lines, 1):
                    self.draw(x, self.y + 11 * number, line, style)
                x += width
            self.y += height

    def widths(self, rows: Sequence[Sequence[str]]) -> list[float]:
        """Column widths: room for the longest word, the rest shared by the length of the text."""
        columns = list(zip(*rows, strict=True))
        least = [
            max(stringWidth(w, "Helvetica", 9) for cell in column for w in cell.split()) + 12
            for column in columns
        ]
        lengths = [max(map(len, column)) for column in columns]
        rest = self.width - sum(least)
        return [a + rest * b / sum(lengths) for a, b in zip(least, lengths, strict=True)]

    def document(self, document: Document) -> bytes:
        """Set the blocks of a document; tables as tables."""
        rows: list[list[str]] = []
        for block in [*document.blocks, None]:
            text = document.text[block.start : block.end] if block else ""
            if block and block.block == "table_row":
                rows.append(text.split(" | "))
                continue
            if rows:
                self.table(rows, self.widths(rows))
                rows = []
            if block is None:
                break
            if block.block == "title" and self.wide_title:
                self.block(text, "title", width=WIDTH - 2 * MARGIN)
                self.top = self.y = self.y + 18
                continue
            self.block(text, block.block, block.level or 1)
        return self.bytes()

    def bytes(self) -> bytes:
        for name, value in self.info.items():
            getattr(self.canvas, f"set{name}")(value)
        self.canvas.save()
        return self.file.getvalue()


def drawable(text: str) -> str:
    """Return the text with only characters that the standard fonts have."""
    return text.encode("cp1252", "replace").decode("cp1252")


def known(path: Path) -> Document:
    return MARKDOWN.read(drawable(path.read_text("utf-8")).encode(), path=path.name)


def sentences(document: Document) -> list[str]:
    found = []
    for block in document.blocks:
        text = document.text[block.start : block.end]
        found += [text[a:b] for a, b in segmenter.bounds(text, block.block)]
    return found


def recall(put_in: Document, found: Document) -> float:
    """The share of the sentences put in that are found, verbatim and in order."""
    return matched(sentences(put_in), sentences(found)) / len(sentences(put_in))


def matched(put_in: Sequence[str], found: Sequence[str]) -> int:
    """How many of the sentences put in are found, verbatim and in order."""
    matcher = SequenceMatcher(None, put_in, found, autojunk=False)
    return sum(m.size for m in matcher.get_matching_blocks())


def read(content: bytes) -> Document:
    return pdf.READER.read(content, path="a.pdf")


def blocks(document: Document) -> list[tuple[str, str]]:
    return [(b.block, document.text[b.start : b.end]) for b in document.blocks]


# -- what is found --------------------------------------------------------------------------------

SETTINGS = [
    {},
    {"hyphenate": True},
    {"justify": True, "hyphenate": True},
    {"justify": True, "indented": True},
]


@pytest.mark.parametrize("columns", [1, 2])
@pytest.mark.parametrize("options", SETTINGS, ids=str)
def test_the_sentences_of_the_sample_corpus_are_found_in_order(columns, options):
    shares = []
    for path in sorted(CORPUS.rglob("*.md")):
        put_in = known(path)
        found = read(Typesetter(columns=columns, **options).document(put_in))
        shares.append((recall(put_in, found), len(sentences(put_in))))
    assert len(shares) >= 4
    assert sum(share * n for share, n in shares) / sum(n for _, n in shares) >= 0.98


CHROMIUM = shutil.which("chromium")
SHEET = """
@page { size: A4; margin: 2cm }
section { columns: COLUMNS; font: 11pt serif; break-before: page }
"""


def printed(paths: Sequence[Path], columns: int, folder: Path) -> bytes:
    """The PDF that Chromium prints of Markdown files, each of which begins a page."""
    assert CHROMIUM is not None
    markdown = MarkdownIt("commonmark").enable("table")
    page = f"<!doctype html><meta charset=utf-8><style>{SHEET}</style>"
    page = page.replace("COLUMNS", str(columns))
    for path in paths:
        text = re.sub(r"(?s)\A---.*?\n---\n", "", drawable(path.read_text("utf-8")))
        page += f"<section>{markdown.render(text)}</section>"
    (folder / "a.html").write_text(page, "utf-8")
    command = [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--no-pdf-header-footer"]
    command += [f"--user-data-dir={folder / 'profile'}", f"--print-to-pdf={folder / 'a.pdf'}"]
    subprocess.run([*command, str(folder / "a.html")], capture_output=True, timeout=120, check=True)
    return (folder / "a.pdf").read_bytes()


@pytest.mark.skipif(CHROMIUM is None, reason="needs chromium")
@pytest.mark.parametrize("columns", [1, 2])
def test_the_sentences_of_pages_that_a_browser_prints_are_found_in_order(columns, tmp_path):
    paths = sorted(CORPUS.rglob("*.md"))
    put_in = [sentence for path in paths for sentence in sentences(known(path))]
    found = sentences(read(printed(paths, columns, tmp_path)))
    assert len(put_in) > 200
    assert matched(put_in, found) / len(put_in) >= 0.98


LONG = (
    "Zinc lozenges shortened the common cold in adults by about two days when they were begun "
    "within a day of the first symptoms. The trials used very different doses and few of them "
    "reported how well the blinding worked. "
)


def page_of(*parts: tuple[str, str], **options) -> Typesetter:
    page = Typesetter(**options)
    for kind, text in parts:
        page.block(text, kind)
    return page


@pytest.mark.parametrize("columns", [1, 2])
def test_a_whole_document_with_its_pages_levels_and_metadata(columns):
    page = page_of(
        ("title", "Zinc for the common cold"),
        ("paragraph", (LONG * 12).strip()),
        ("heading", "Harms"),
        ("paragraph", "Side effects include:"),
        ("list_item", "• nausea that lasts for no longer than an hour after the lozenge is taken"),
        ("list_item", "• a bad taste"),
        ("caption", "Figure 1. Days until recovery by dose."),
        ("heading", "References"),
        ("reference", "1. Lee A, Kim B. Zinc and colds. J Made Up. 2019;3:1-9."),
        ("reference", "2. Roe C. Lozenges, blinding and taste. J Made Up. 2021;5:10-19."),
        columns=columns,
        head="",
        info={"Title": "Zinc for colds", "Author": "Ann Lee"},
    )
    found = read(page.bytes())
    assert (found.title, found.author, found.published) == (
        "Zinc for colds",
        "Ann Lee",
        "2000-01-01",
    )
    items = [
        "• nausea that lasts for no longer than an hour after the lozenge is taken",
        "• a bad taste",
    ]
    assert blocks(found) == [
        ("title", "Zinc for the common cold"),
        ("paragraph", (LONG * 12).strip()),
        ("heading", "Harms"),
        ("paragraph", "Side effects include:"),
        ("list_item", items[0]),
        ("list_item", items[1]),
        ("caption", "Figure 1. Days until recovery by dose."),
        ("heading", "References"),
        ("reference", "1. Lee A, Kim B. Zinc and colds. J Made Up. 2019;3:1-9."),
        ("reference", "2. Roe C. Lozenges, blinding and taste. J Made Up. 2021;5:10-19."),
    ]
    assert [(b.level, b.parent) for b in found.blocks] == [
        (None, None), (None, None), (2, None), (None, None), (1, 3), (1, 3), (None, None),
        (2, None), (None, None), (None, None),
    ]  # fmt: skip
    assert all(b.page == 1 for b in found.blocks)


def test_paragraphs_run_on_over_columns_and_pages_and_heads_and_numbers_are_left_out():
    text = (LONG * 40).strip()
    for columns in (1, 2):
        page = page_of(
            ("paragraph", text), ("heading", "Harms"), ("paragraph", LONG), columns=columns
        )
        assert page.page == 2
        found = read(page.bytes())
        assert blocks(found) == [
            ("paragraph", text),
            ("heading", "Harms"),
            ("paragraph", LONG.strip()),
        ]
        assert [b.page for b in found.blocks] == [1, 2, 2]


def test_page_numbers_in_words_are_left_out_of_a_single_page_too():
    page = page_of(("paragraph", LONG), head="")
    page.draw(250, HEIGHT - 30, "Page 1 of 1", Style(8))
    assert blocks(read(page.bytes())) == [("paragraph", LONG.strip())]


def test_a_table_is_rows_of_cells_below_their_header():
    page = page_of(("paragraph", LONG))
    rows = [
        ["Trial", "Patients", "Result"],
        ["First trial", "351", "No difference in the days until all symptoms had gone"],
        ["Second", "20", "Two days less"],
    ]
    page.table(rows, [100, 60, 130])
    page.block(LONG, "paragraph")
    found = read(page.bytes())
    assert [(b.block, b.parent, b.row) for b in found.blocks[-4:-1]] == [
        ("table_row", None, 0),
        ("table_row", len(found.blocks) - 4, 1),
        ("table_row", len(found.blocks) - 4, 2),
    ]
    assert [text for _, text in blocks(found)[-4:]] == [
        *(" | ".join(row) for row in rows),
        LONG.strip(),
    ]


def test_cells_centred_beside_each_other_and_a_row_cut_by_a_page_are_whole():
    page = page_of(("paragraph", LONG), head="")
    y = page.y + 30
    header = ((0, 0, "Use"), (90, -6, "Daily"), (90, 6, "volume"), (160, 0, "Result"))
    for rows in (
        (
            *header,
            (0, 24, "Short"), (0, 36, "colds"), (90, 30, "5 mL"), (160, 30, "No change"),
            (0, 54, "Flu"), (90, 54, "9 mL"), (160, 54, "Two days"),
        ),
        (*header, (160, 18, "less, in adults")),
    ):  # fmt: skip
        for x, down, text in rows:
            page.draw(MARGIN + x, y + down, text, Style(10))
        page.feed()
        y = page.y + 30
    assert [text for _, text in blocks(read(page.bytes()))[1:]] == [
        "Use | Daily volume | Result",
        "Short colds | 5 mL | No change",
        "Flu | 9 mL | Two days less, in adults",
    ]


def test_a_reference_that_runs_on_in_the_next_column_ends_before_the_next_number():
    entries = [
        f"{n}. Lee A, Kim B. Zinc and the days that {'a very common ' * (n % 5)}cold lasts in "
        f"adults who take {n} grams of it, a trial. J Made Up. 2019;{n}:1-9."
        for n in range(1, 41)
    ]
    page = page_of(
        ("paragraph", (LONG * 2).strip()),
        ("heading", "References"),
        *(("reference", entry) for entry in entries),
        columns=2,
    )
    assert [text for kind, text in blocks(read(page.bytes())) if kind == "reference"] == entries


def test_superscripts_are_citations_but_not_after_units():
    page = page_of(("paragraph", LONG), head="")
    y = page.y + 30
    x = MARGIN
    for text, size, rise in (
        ("Zinc helped", 10, 0), ("1,2", 6, 4), (" in 10", 10, 0), ("6", 6, 4),
        (" people. CO", 10, 0), ("2", 6, -2), (" did not.", 10, 0),
    ):  # fmt: skip
        page.draw(x, y - rise, text, Style(size))
        x += stringWidth(text, "Helvetica", size)
    found = read(page.bytes())
    assert blocks(found)[-1] == ("paragraph", "Zinc helped[1,2] in 10⁶ people. CO2 did not.")


@pytest.mark.parametrize(
    ("lines", "joined"),
    [
        (["the improve-", "ment was small"], "the improvement was small"),
        (["a placebo-", "controlled trial"], "a placebo-controlled trial"),
        (["not FDA-", "approved"], "not FDA-approved"),
        (["low IL-", "6 values"], "low IL-6 values"),
        (["short-", "and long-term"], "short- and long-term"),
        (["about 10–", "20 days"], "about 10–20 days"),
        (["men and/", "or women"], "men and/or women"),
        (["cyto\xad", "kines"], "cytokines"),
        (["no death.", "[1,2] One trial"], "no death.[1,2] One trial"),
        (["no death", "[1]."], "no death [1]."),
    ],
)
def test_hyphens_at_line_ends_are_joined_where_they_belong_to_the_line(lines, joined):
    assert pdf_layout.Hyphens().text(lines) == joined


# -- hostile input --------------------------------------------------------------------------------


def raw_pdf(*objects: str | tuple[str, bytes], root: int = 1) -> bytes:
    """A PDF of numbered objects; a pair is the dictionary and the data of a stream."""
    out = bytearray(b"%PDF-1.7\n")
    places = []
    for number, value in enumerate(objects, 1):
        places.append(len(out))
        entries, data = (value, None) if isinstance(value, str) else value
        body = entries.encode()
        if data is not None:
            body = f"<< /Length {len(data)} {entries} >>\nstream\n".encode() + data + b"\nendstream"
        out += f"{number} 0 obj\n".encode() + body + b"\nendobj\n"
    start = len(out)
    out += f"xref\n0 {len(places) + 1}\n0000000000 65535 f \n".encode()
    out += b"".join(b"%010d 00000 n \n" % place for place in places)
    out += f"trailer << /Size {len(places) + 1} /Root {root} 0 R >>\n".encode()
    return bytes(out + f"startxref\n{start}\n%%EOF\n".encode())


def one_page(contents: str | tuple[str, bytes], resources: str = "", *more) -> bytes:
    return raw_pdf(
        "<< /Type /Catalog /Pages 2 0 R >>",
        "<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 600 800] /Contents 4 0 R /Resources "
        f"<< {resources} >> >>",
        contents,
        *more,
    )


SHOW = ("", b"BT /F 12 Tf 50 700 Td <0001> Tj ET")
CID_FONT = (
    "<< /Type /Font /Subtype /Type0 /BaseFont /A /Encoding /Identity-H /DescendantFonts [6 0 R] "
    "/ToUnicode 7 0 R >>"
)


def cid_font(widths: str = "", to_unicode: bytes = b"") -> bytes:
    descendant = (
        "<< /Type /Font /Subtype /CIDFontType2 /BaseFont /A /CIDSystemInfo << /Registry (Adobe) "
        f"/Ordering (Identity) /Supplement 0 >> /FontDescriptor << /FontName /A >> {widths} >>"
    )
    return one_page(SHOW, "/Font << /F 5 0 R >>", CID_FONT, descendant, ("", to_unicode))


def forms(depth: int, each: int) -> bytes:
    """A page whose form draws a form `each` times, and so on, `depth` levels down."""
    objects = []
    for number in range(5, 5 + depth):
        resources = f"/XObject << /X {number + 1} 0 R >>"
        objects.append(
            (
                f"/Type /XObject /Subtype /Form /BBox [0 0 9 9] /Resources << {resources} >>",
                b"/X Do " * each,
            )
        )
    objects.append(("/Type /XObject /Subtype /Form /BBox [0 0 9 9]", b""))
    return one_page(("", b"/X Do"), "/XObject << /X 5 0 R >>", *objects)


ZEROS = zlib.compress(bytes(100_000_000), 9)
BIG_RANGE = b"begincmap 1 beginbfrange <00000000> <ffffffff> <00000041> endbfrange endcmap"


@pytest.mark.parametrize(
    ("content", "limit"),
    [
        (one_page(("/Filter /FlateDecode", ZEROS)), "limits.part_bytes"),
        (one_page(("/Filter [/Fl /Fl]", zlib.compress(ZEROS, 9))), "limits.part_bytes"),
        (one_page(("/Filter /RunLengthDecode", b"\x81\x20" * 1_000_000)), "limits.part_bytes"),
        (cid_font(to_unicode=BIG_RANGE), "MAX_FONT_ENTRIES"),
        (cid_font(widths="/W [0 4000000000 500]"), "MAX_FONT_ENTRIES"),
        (forms(depth=9, each=10), "MAX_CONTENT_BYTES"),
        (b"%PDF-1.7\n" + b"1 0 obj\n[ (a) endobj\n" * 40_000, "MAX_SCAN_FACTOR"),
        (b"%PDF-1.7\n" + b"1 0 obj\n(\n" * 50_000, "MAX_STRING_BYTES"),
        (one_page(("", b"(\n" * 500_000)), "MAX_STRING_BYTES"),
    ],
    ids=[
        "flate",
        "flate twice",
        "runs",
        "characters",
        "widths",
        "forms",
        "open arrays",
        "open string",
        "open string in content",
    ],
)
def test_bombs_are_rejected_with_the_limit_named(content, limit):
    with pytest.raises(RejectedDocument, match=limit) as rejected:
        read(content)
    assert rejected.value.reason == "too_large"


def test_page_character_and_line_limits(monkeypatch):
    content = page_of(("paragraph", (LONG * 40).strip())).bytes()
    for name, limit in (("pages", 1), ("characters", 1000)):
        options = Options(limits=Limits(**{name: limit}))
        with pytest.raises(RejectedDocument, match=f"limits.{name}"):
            pdf.READER.read(content, path="a.pdf", options=options)
    for module, name, limit in (
        (pdf_words, "MAX_PAGE_WORDS", 100), (pdf_layout, "MAX_LINES", 20),
    ):  # fmt: skip
        with monkeypatch.context() as patch:
            patch.setattr(module, name, limit)
            with pytest.raises(RejectedDocument, match=name):
                read(content)


def encrypted() -> bytes:
    from reportlab.lib.pdfencrypt import StandardEncryption

    file = BytesIO()
    canvas = Canvas(file, encrypt=StandardEncryption("secret", canPrint=0))
    canvas.drawString(50, 50, "Zinc may help.")
    canvas.save()
    return file.getvalue()


def scanned(pages: int) -> bytes:
    file = BytesIO()
    canvas = Canvas(file)
    for _ in range(pages):
        canvas.rect(50, 50, 100, 100)
        canvas.showPage()
    canvas.save()
    return file.getvalue()


WHOLE = page_of(("paragraph", LONG)).bytes()
LOOP = raw_pdf(
    "<< /Type /Catalog /Pages 2 0 R >>", "<< /Type /Pages /Kids [2 0 R 2 0 R] /Count 2 >>"
)


@pytest.mark.parametrize(
    ("content", "reason", "said"),
    [
        (b"", "empty", "empty file"),
        (b"Zinc may help.", "malformed", "%PDF-"),
        (WHOLE[: len(WHOLE) // 2], "malformed", "cannot be parsed"),
        (b"%PDF-1.4\n", "malformed", "cannot be parsed"),
        (LOOP, "malformed", "no page"),
        (encrypted(), "unreadable", "encrypted"),
        (scanned(3), "no_text", "found 3 pages without a text layer; expected text; run OCR first"),
        (cid_font(), "no_text", "1 characters whose fonts do not say"),
    ],
    ids=["empty", "text", "cut", "head", "loop", "encrypted", "scanned", "unknown characters"],
)
def test_what_cannot_be_read_is_rejected_with_its_reason(content, reason, said):
    with pytest.raises(RejectedDocument) as rejected:
        read(content)
    assert rejected.value.reason == reason
    assert said in rejected.value.detail


def test_damaged_bytes_end_as_a_document_or_a_reject():
    for place in range(0, len(WHOLE), 97):
        damaged = WHOLE[:place] + bytes([WHOLE[place] ^ 0x55]) + WHOLE[place + 1 :]
        try:
            found = read(damaged)
        except RejectedDocument:
            continue
        ends = [0]
        for block in found.blocks:
            assert ends[-1] <= block.start < block.end <= len(found.text)
            assert (
                found.text[block.start : block.end].strip() == found.text[block.start : block.end]
            )
            ends.append(block.end)
