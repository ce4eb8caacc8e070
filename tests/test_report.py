"""The report is one file that runs nothing but its own script, and the shell shows the same."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterable
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from hedgerow import tables, terminal
from hedgerow.errors import StoreError
from hedgerow.evidence.build import build
from hedgerow.report import chart, marks, page, render, write, write_report
from hedgerow.report.chart import shape, shorten
from hedgerow.report.source import InMemory
from tests.evidence_fixture import Corpus, claim, sample

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
needs_chromium = pytest.mark.skipif(
    CHROMIUM is None, reason="no chromium: install Debian's package `chromium` to test the report"
)
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--virtual-time-budget=4000",
)
ATTACKS = (
    "<script>document.documentElement.dataset.hit = 1</script>",
    "</script><script>document.documentElement.dataset.hit = 1</script>",
    "<svg onload='document.documentElement.dataset.hit=1'><circle r='9'/></svg>",
    "<img src=x onerror=\"document.documentElement.dataset.hit='1'\">",
    '"><a href="javascript:document.documentElement.dataset.hit=1" autofocus>x</a>',
    "' onmouseover='document.documentElement.dataset.hit=1' x='",
    "{{ 7 * 7 }} {% for x in y %} &lt;b&gt; <!-- --> ]]> \u202e",
    "<link rel=stylesheet href=http://evil.example/x.css><base href=http://evil.example/>",
    "<meta http-equiv=refresh content='0;url=http://evil.example/'>",
    "<iframe srcdoc='<script>parent.document.documentElement.dataset.hit=1</script>'></iframe>",
)
LINKS = (
    "javascript:document.documentElement.dataset.hit=1",
    "data:text/html,<script>1</script>",
    "JaVaScRiPt:alert(1)",
    "java\tscript:alert(1)",
    " javascript:alert(1)",
    "file:///etc/passwd",
    "//evil.example/x",
    "https://",
    "https://[broken",
    "vbscript:x",
)


def complete(corpus: Corpus) -> dict[str, pa.Table]:
    given = corpus.tables()
    return {**given, **build(given)}


def html(given: dict[str, pa.Table]) -> str:
    return render(InMemory(given))


def hostile() -> dict[str, pa.Table]:
    """Return tables in which every text of a document attacks the report."""
    corpus = Corpus()
    for number, attack in enumerate(ATTACKS):
        corpus.document(
            f"doc{number} {attack}",
            "vendor" if number % 2 else "journal",
            f"# {attack}",
            claim(
                f"{attack} eases cough",
                f"cough {attack[:9]}",
                "benefit" if number % 2 else "no_effect",
                population=attack,
                mentions={attack[:6]: ("CHEMICAL", f"X:{attack}")},
            ),
            claim(
                f"It eases pain {attack}",
                "pain",
                "benefit" if number % 2 else "harm",
                evidence="rct",
            ),
            title=attack,
            publisher=attack,
            author=attack,
            licence=attack,
            published=attack,
            language=attack,
            url=LINKS[number % len(LINKS)],
        )
    found = complete(corpus)
    found["rejects"] = tables.from_rows(
        "rejects",
        [
            {
                "path": attack,
                "item": attack,
                "stage": "documents",
                "reason": "malformed",
                "detail": attack,
                "transient": False,
            }
            for attack in ATTACKS
        ],
    )
    found["changes"] = tables.from_rows(
        "changes",
        [
            {
                "claim_id": attack,
                "doc_id": attack,
                "change": "changed",
                "field": attack,
                "before": attack,
                "after": attack,
                "cause": "document",
                "text": attack,
            }
            for attack in ATTACKS
        ],
    )
    return found


class Page(HTMLParser):
    """Collects what could run, load, or break the page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.ids: list[str] = []
        self.texts: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self.ids += [value for name, value in attrs if name == "id" and value]

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    def every(self, tag: str) -> list[dict[str, str | None]]:
        return [attrs for name, attrs in self.tags if name == tag]


# ------------------------------------------------------------------ safety


def test_nothing_from_documents_becomes_markup() -> None:
    text = html(hostile())
    read = Page(text)
    assert len(read.every("script")) == 1
    assert len(read.every("style")) == 1
    assert not {"iframe", "img", "base", "object", "embed"} & {tag for tag, _ in read.tags}
    assert [a["href"] for a in read.every("link")] == ["data:,"]
    assert not [n for _, attrs in read.tags for n in attrs if n.startswith("on") or n == "style"]
    for attack in ATTACKS:
        assert attack.strip() in "".join(read.texts)


def test_only_http_addresses_become_links() -> None:
    for address in LINKS:
        assert page.safe_link(address) is None
    assert page.safe_link("https://a.example/x?y#z") == "https://a.example/x?y#z"
    for attrs in Page(html(hostile())).every("a"):
        assert (attrs["href"] or "").startswith("#")
    for attrs in Page(html(complete(sample()))).every("a"):
        href = attrs["href"] or ""
        assert href.startswith("#") or attrs["rel"] == "noopener noreferrer"


def test_the_policy_allows_only_the_pages_own_script_and_style() -> None:
    policy = Page(html(complete(sample()))).every("meta")[1]["content"] or ""
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "script-src 'sha256-" in policy
    assert "unsafe" not in policy and "http" not in policy


def test_the_page_names_nothing_on_the_network() -> None:
    for tag, attrs in Page(html(complete(sample()))).tags:
        for name in ("src", "srcset", "action", "poster", "background", "data"):
            assert name not in attrs, tag
        if tag != "a":
            assert not (attrs.get("href") or "").startswith("http")


# ------------------------------------------------------------------ content


def test_every_inner_link_has_its_target_and_ids_are_unique() -> None:
    for found in (complete(sample()), hostile()):
        read = Page(html(found))
        assert len(read.ids) == len(set(read.ids))
        targets = {(a["href"] or "")[1:] for a in read.every("a") if a["href"][:1] == "#"}
        assert targets <= set(read.ids)


def test_the_text_of_documents_stands_there_whole() -> None:
    given = complete(sample())
    told = re.sub(
        r"\s+", " ", " ".join(re.sub(r"\[claim[^]]*\]", "", t) for t in Page(html(given)).texts)
    )
    squeezed = told.replace(" ", "")
    for text in given["sentences"].column("text").to_pylist():
        assert re.sub(r"\s", "", text) in re.sub("[▲▼■◆●]", "", squeezed)


def test_the_headline_counts_the_tables() -> None:
    given = complete(sample())
    text = html(given)
    assert f"{given['claims'].num_rows} claims from {given['documents'].num_rows} doc" in text
    assert re.search(rf"<dt>Conflicts</dt><dd>{given['conflicts'].num_rows}</dd>", text)
    assert 'aria-label="Claims by certainty: certain 15, probable 2, possible 2, uncomm' in text


def test_the_page_can_be_used_without_sight_or_mouse() -> None:
    read = Page(html(complete(sample())))
    assert read.every("html")[0]["lang"] == "en"
    assert [tag for tag, _ in read.tags].count("main") == 1
    assert {"header", "nav", "footer"} <= {tag for tag, _ in read.tags}
    assert next(a for t, a in read.tags if t == "a") == {"class": "skip", "href": "#main"}
    for attrs in read.every("svg"):
        assert attrs.get("aria-hidden") == "true" or attrs.get("aria-label")
    for attrs in read.every("section"):
        assert attrs["aria-labelledby"] in read.ids
    marks_ = [a for a in read.every("a") if a.get("aria-label")]
    assert any("no effect, certain" in (a["aria-label"] or "") for a in marks_)
    headings = [int(tag[1]) for tag, _ in read.tags if re.fullmatch(r"h[1-6]", tag)]
    assert headings[0] == 1 and headings.count(1) == 1
    assert all(b - a <= 1 for a, b in pairwise(headings))


def luminance(colour: str) -> float:
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    low, mid, high = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)
    return 0.2126 * low + 0.7152 * mid + 0.0722 * high


def contrast(one: str, other: str) -> float:
    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("theme", [0, 1, 2], ids=["light", "dark by system", "dark by choice"])
def test_contrast_meets_wcag_aa(theme: int) -> None:
    style = page._inline("report.css")[0]
    block = [b for b in re.findall(r"\{([^{}]*)\}", style) if "--paper" in b][theme]
    colour = dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", block))
    for ground in ("paper", "card", "wash"):
        for ink in ("ink", "soft", "accent", "focus"):
            assert contrast(colour[ink], colour[ground]) >= 4.5, (ink, ground)
        for stance in tables.STANCES:
            assert contrast(colour[stance], colour[ground]) >= 4.5, (stance, ground)
    for tint in ("cue", "negation", "other-cue", "entity"):
        assert contrast(colour["ink"], colour[tint]) >= 4.5, tint


def test_every_stance_has_a_shape_of_its_own() -> None:
    shapes = {stance: shape(stance, 5) for stance in tables.STANCES}
    del shapes["none"]  # drawn hollow, and round like neutral
    assert len(set(shapes.values())) == len(shapes)


def test_no_documents_make_a_page_too() -> None:
    empty = {name: tables.empty(name) for name in tables.TABLES}
    assert "There are no claims to show" in html(empty)
    assert "There are no claims to show" in html({})


def test_a_large_corpus_shows_some_documents_and_says_so() -> None:
    corpus = Corpus()
    for number in range(page.MAX_DOCUMENTS + 7):
        corpus.document(
            f"d{number:03}",
            "blog",
            claim(f"Page {number} says it eases cough.", "cough", "benefit"),
        )
    corpus.document(
        "z-against",
        "journal",
        claim(
            "Ten trials found that cough stayed as it was.", "cough", "no_effect", evidence="rct"
        ),
    )
    text = html(complete(corpus))
    assert text.count('<details class="document"') == page.MAX_DOCUMENTS
    assert "8 more are in the tables" in text
    assert page.anchor("d", "z-against") in text


def test_the_report_of_the_sample_corpus_stays_under_3_mb() -> None:
    corpus = Corpus()
    for number in range(16):
        corpus.document(
            f"d{number}",
            "blog",
            *(
                claim(
                    f"In study {number}-{i} the drops may not ease {'a very dry ' * 9}cough.",
                    f"cough {i % 40}",
                    "no_effect",
                    certainty="possible",
                    mentions={"drops": ("CHEMICAL", "T:1"), "cough": ("DISEASE", "T:2")},
                )
                for i in range(60)
            ),
        )
    assert len(html(complete(corpus)).encode()) < 3_000_000


def test_only_subjects_that_documents_share_are_drawn() -> None:
    corpus = sample()
    corpus.document(
        "alone", "blog", claim("Mossroot eases cough.", "cough", "benefit", subject="Mossroot")
    )
    assert "Mossroot: outcomes by source" not in html(complete(corpus))
    single = Corpus()
    single.document(
        "alone", "blog", claim("Mossroot eases cough.", "cough", "benefit", subject="Mossroot")
    )
    assert "Mossroot: outcomes by source" in html(complete(single))


def test_list_items_keep_the_bullet_that_they_bring() -> None:
    corpus = Corpus()
    corpus.document(
        "list",
        "blog",
        *(claim(text, "cough", "benefit", block="list_item") for text in ("• less cough", "sleep")),
    )
    text = html(complete(corpus))
    assert text.count('<li class="own">') == 1


def test_the_same_tables_give_the_same_page() -> None:
    assert html(complete(sample())) == html(complete(sample()))


def test_parts_on_disk_give_the_same_page_as_tables_in_memory(tmp_path: Path) -> None:
    given = complete(sample())
    pieces: dict[str, list[Path]] = {}
    for name, table in given.items():
        if tables.TABLES[name].per_document:
            pieces[name] = []
            for at in range(0, max(table.num_rows, 1), 7):
                path = tmp_path / name / f"part-all-{at}.parquet"
                path.parent.mkdir(exist_ok=True)
                pq.write_table(table.slice(at, 7), path)
                pieces[name].insert(0, path)
    whole = {n: t for n, t in given.items() if not tables.TABLES[n].per_document}
    write_report(tmp_path / "files.html", pieces, whole)
    write(given, tmp_path / "memory.html")
    assert (tmp_path / "files.html").read_text() == (tmp_path / "memory.html").read_text()


def test_pieces_join_to_the_text_whatever_overlaps() -> None:
    text = "Fernwort may not ease cough at all."
    spans = {
        name: marks.Spans.of(rows)
        for name, rows in {
            "claims": [
                {"claim_id": "a", "start": 0, "end": 27},
                {"claim_id": "b", "start": 13, "end": 35},
            ],
            "cues": [{"start": 9, "end": 16}, {"start": 13, "end": 16}],
            "entities": [{"start": 0, "end": 8}, {"start": 22, "end": 40}],
            "citations": [],
        }.items()
    }
    runs = marks.runs(text, 0, len(text), **spans)
    assert "".join(p.text for run in runs for p in run.pieces) == text
    assert [run.claim["claim_id"] for run in runs if run.claim and run.first] == ["a", "b"]


SPAN = st.tuples(st.integers(0, 30), st.integers(1, 12))


@given(st.lists(SPAN, max_size=6), st.lists(SPAN, max_size=6), st.lists(SPAN, max_size=6))
def test_pieces_always_join_to_the_text(
    claims: list[tuple[int, int]], cues: list[tuple[int, int]], entities: list[tuple[int, int]]
) -> None:
    text = "Whatever overlaps, no code point is lost: α𝛽."
    spans = {
        name: marks.Spans.of(
            {"claim_id": f"{name}{i}", "start": start, "end": start + length}
            for i, (start, length) in enumerate(rows)
        )
        for name, rows in (("claims", claims), ("cues", cues), ("entities", entities))
    }
    runs = marks.runs(text, 0, len(text), citations=marks.Spans.of([]), **spans)
    assert "".join(p.text for run in runs for p in run.pieces) == text
    firsts = [run.claim["claim_id"] for run in runs if run.claim and run.first]
    assert len(firsts) == len(set(firsts))


@pytest.mark.parametrize(("text", "cut"), [("short", "short"), ("a longer text", "a longer…")])
def test_long_labels_are_cut_at_words(text: str, cut: str) -> None:
    assert shorten(text, 10) == cut


# ------------------------------------------------------------------ in a browser


def browse(folder: Path, text: str, *flags: str) -> tuple[str, str, list[str]]:
    """Open a page in Chromium; return its DOM, its console lines and addresses asked for."""
    target, log = folder / "report.html", folder / "net.json"
    target.write_text(text, encoding="utf-8")
    assert CHROMIUM is not None
    done = subprocess.run(
        [
            CHROMIUM,
            *FLAGS,
            f"--user-data-dir={folder / 'profile'}",
            f"--log-net-log={log}",
            "--enable-logging=stderr",
            *(flags or ("--dump-dom",)),
            target.as_uri(),
        ],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    console = "\n".join(line for line in done.stderr.splitlines() if "CONSOLE" in line)
    asked = re.findall(r'"url":"([^"]+)"', log.read_text(encoding="utf-8", errors="replace"))
    return done.stdout, console, sorted({a for a in asked if "://" in a})


def foreign(addresses: Iterable[str]) -> list[str]:
    """Return the addresses that a page, and not the browser itself, can have asked for."""
    own = re.compile(
        r"^(?:file|data|chrome|chrome-extension|devtools)://"
        r"|^https?://(?:[\w-]+\.)*(?:google|googleapis|gstatic|gvt1)\.com[/:]"
    )
    return [address for address in addresses if not own.match(address)]


@needs_chromium
def test_a_request_or_an_error_would_be_seen(tmp_path: Path) -> None:
    bad = "<img src=http://evil.example/x.png><script>throw new Error('seen')</script>"
    _, console, asked = browse(tmp_path, bad)
    assert "seen" in console
    assert foreign(asked) == ["http://evil.example/x.png"]


@needs_chromium
def test_the_report_opens_without_errors_or_requests(tmp_path: Path) -> None:
    dom, console, asked = browse(tmp_path, html(complete(sample())))
    assert console == ""
    assert foreign(asked) == []
    assert 'class="js"' in dom
    assert "20 claims marked in 6 documents" in dom


@needs_chromium
def test_hostile_documents_run_and_load_nothing(tmp_path: Path) -> None:
    dom, console, asked = browse(tmp_path, html(hostile()))
    assert console == ""
    assert foreign(asked) == []
    assert "data-hit" not in re.search(r"<html[^>]*>", dom).group()  # type: ignore[union-attr]
    assert 'class="js"' in dom


@needs_chromium
def test_filters_dim_claims_and_hide_documents(tmp_path: Path) -> None:
    text = html(complete(sample()))
    driver = (
        "<script>const f = document.getElementById('filter');"
        "f.querySelector('[value=certain]').checked = false;"
        "f.elements.interest.value = 'journal';"
        "f.dispatchEvent(new Event('change'));"
        "location.hash = document.querySelector('.claim[id]').id;</script></body>"
    )
    opened = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", text)
    dom, console, _ = browse(tmp_path, opened.replace("</body>", driver))
    assert console == ""
    assert "2 claims marked in 1 documents" in dom
    assert dom.count("dimmed") >= 18
    assert re.search(r'<details class="document"[^>]*hidden', dom)
    assert re.search(r'<details class="document"[^>]*open', dom)


@needs_chromium
def test_without_scripts_everything_is_readable(tmp_path: Path) -> None:
    text = re.sub(r"<script>.*</script>", "", html(complete(sample())), flags=re.S)
    dom, console, _ = browse(tmp_path, text)
    assert console == ""
    assert 'class="js"' not in dom
    assert "Fernwort relieves migraine pain within minutes." in dom


@needs_chromium
def test_the_report_prints(tmp_path: Path) -> None:
    printed = tmp_path / "report.pdf"
    browse(tmp_path, html(complete(sample())), f"--print-to-pdf={printed}")
    assert printed.read_bytes().startswith(b"%PDF")
    assert printed.stat().st_size > 20_000


# ------------------------------------------------------------------ in the shell


def reader(given: dict[str, pa.Table]) -> terminal.Read:
    def read(
        name: str,
        *,
        columns: list[str] | None = None,
        doc_ids: Iterable[str] | None = None,
    ) -> pa.Table:
        table = given[name]
        if doc_ids is not None:
            table = table.filter(pc.is_in(table.column("doc_id"), pa.array(list(doc_ids))))
        return table.select(columns) if columns else table

    return read


def shown(what: object, *, width: int = 140) -> str:
    console = Console(width=width, record=True, file=None, force_terminal=True, quiet=False)
    with console.capture() as capture:
        console.print(what)
    return capture.get()


def plain(what: object, *, width: int = 140) -> str:
    return re.sub(r"\x1b\[[0-9;]*m", "", shown(what, width=width))


def test_show_marks_a_document() -> None:
    given = complete(sample())
    text = shown(terminal.show(reader(given), "review"))
    assert "\x1b[30;43m" in text or "\x1b[4;30;43m" in text  # a hedge in its colours
    assert "⟨possible ▼" in plain(terminal.show(reader(given), "review"))


def test_show_tells_all_of_a_claim() -> None:
    given = complete(sample())
    row = next(r for r in given["claims"].to_pylist() if r["study"] == "THICKET trial")
    text = plain(terminal.show(reader(given), row["claim_id"][:9]))
    for part in (
        "no serious adverse events",
        "no effect",
        "THICKET trial",
        "PubMed 90000002",
        "Is it safe?",
        f"{row['start']}–{row['end']}",
        "90%",
    ):
        assert part in text


def test_show_refuses_what_it_cannot_find() -> None:
    given = complete(sample())
    with pytest.raises(StoreError, match="no such document or claim"):
        terminal.show(reader(given), "nowhere")
    with pytest.raises(StoreError, match="claims whose id begins so"):
        terminal.show(reader(given), "")


def test_conflicts_and_map_are_tables() -> None:
    given = complete(sample())
    text = plain(terminal.conflicts(given["conflicts"], top=2))
    first = given["conflicts"].slice(0, 1).to_pylist()[0]
    assert f"{first['publisher_a']} ({first['interest_a']})" in text
    assert f"{given['conflicts'].num_rows - 2} more." in text
    assert "in migraine" in plain(terminal.evidence_map(given["evidence_map"]))
    assert "No two documents disagree" in plain(terminal.conflicts(tables.empty("conflicts")))
    assert "No claim names" in plain(terminal.evidence_map(tables.empty("evidence_map")))


def test_control_characters_never_reach_the_terminal() -> None:
    corpus = Corpus()
    attack = "\x1b]0;owned\x07 \x1b[2J \x9b31m [red]markup[/red] \u202e eases cough well"
    corpus.document(
        "bad",
        "vendor",
        claim(attack, "cough", "benefit", subject=attack),
        title=attack,
        publisher=attack,
    )
    corpus.document(
        "good",
        "journal",
        claim("No trial found that it eases cough.", "cough", "no_effect", subject=attack),
    )
    given = complete(corpus)
    for what in (
        terminal.show(reader(given), "bad"),
        terminal.show(reader(given), given["claims"].column("claim_id")[0].as_py()),
        terminal.conflicts(given["conflicts"]),
        terminal.evidence_map(given["evidence_map"]),
    ):
        text = shown(what)
        assert not re.search(r"\x1b(?!\[[0-9;]*m)|[\x07\x9b]|\u202e", text)
    assert "[red]markup[/red]" in plain(terminal.show(reader(given), "bad"))


def test_facts_of_the_run_are_told(tmp_path: Path) -> None:
    write(complete(sample()), tmp_path / "r.html", {"Corpus": "pages <about> herbs"})
    assert "pages &lt;about&gt; herbs" in (tmp_path / "r.html").read_text()


def test_outcomes_of_one_source_only_fill_up_a_map() -> None:
    shared = [{"documents": 2, "id": n} for n in range(chart.MIN_ROWS + 1)]
    alone = [{"documents": 1, "id": n} for n in range(40)]
    assert chart.rows_of([*shared, *alone]) == shared
    assert chart.rows_of([*shared[:2], *alone]) == [*shared[:2], *alone[: chart.MIN_ROWS - 2]]


def test_marks_that_do_not_fit_are_counted_in_the_last_seat() -> None:
    claims = {str(n): {"certainty": "certain", "start": n, "interest": "blog"} for n in range(6)}
    members = [{"claim_id": key, "doc_id": "d", "stance": "harm"} for key in claims]
    field = chart._field(members, claims, 0.0, 0.0)
    assert (len(field.marks), field.more) == (chart.MAX_MARKS - 1, 3)
    assert chart._field(members[:4], claims, 0.0, 0.0).more == 0


def test_columns_of_one_name_are_told_apart() -> None:
    def source(title: str) -> dict[str, str | None]:
        return {"publisher": None, "title": title, "interest": "unknown"}

    titles = {"one": "Fernwort", "two": "Fernwort", "three": "Fernwort: a guide"}
    titles["four"] = "Fernwort and cough"
    docs = {doc_id: source(title) for doc_id, title in titles.items()}
    columns = chart._columns(docs, "Fernwort")
    assert {column.doc_id: column.label for column in columns} == {
        "one": "one",
        "two": "two",
        "three": "A guide",
        "four": "Fernwort and cough",
    }
