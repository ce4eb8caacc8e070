"""Pages of the open web: what stands around the text, or sells inside it, makes no claims."""

from __future__ import annotations

from pathlib import Path

import pytest

from hedgerow.readers import Document, Options, html, read
from hedgerow.readers.base import normalise
from hedgerow.resources import Resources
from hedgerow.settings import Settings
from hedgerow.tasks import run_stages

KEPT = {
    "article": ["Two small trials reported", "66 participants", "Headache was", "It cured my hay"],
    "builder": ["What a trial of iron", "In a trial of 198", "The effect was seen only"],
    "shop": ["Magnesium supports", "Each capsule holds"],
}
PAGES = {
    name: (Path(__file__).parent / f"data/web/{name}.html").read_text("utf-8") for name in KEPT
}


def page(source: str) -> Document:
    return read("x.html", source.encode(), Options())


@pytest.mark.parametrize("name", PAGES)
def test_only_the_text_of_a_page_is_its_content(name):
    document = page(PAGES[name])
    prose = [
        document.text[b.start : b.end]
        for b in document.blocks
        if b.block in ("paragraph", "list_item", "table_row", "caption")
    ]
    assert len(prose) == len(KEPT[name])
    for text, begins in zip(prose, KEPT[name], strict=True):
        assert begins in text


def test_no_claim_comes_from_boilerplate():
    items = [(name, f"{name}.html", html.encode()) for name, html in PAGES.items()]
    found = run_stages(items, Resources(Settings()), last="claims")
    claims = found["claims"].to_pylist()
    texts = {row["doc_id"]: row["text"] for row in found["documents"].to_pylist()}
    assert {claim["doc_id"] for claim in claims} == set(PAGES)
    furniture = [
        (row["doc_id"], row["start"], row["end"])
        for row in found["blocks"].to_pylist()
        if row["block"] == "boilerplate"
    ]
    for claim in claims:
        assert texts[claim["doc_id"]][claim["start"] : claim["end"]] == claim["text"]
        assert not any(
            doc_id == claim["doc_id"] and start <= claim["start"] < end
            for doc_id, start, end in furniture
        )


@pytest.mark.parametrize(
    "opening",
    [
        '<div class="layout with-sidebar">',
        '<div class="sidebar-layout">',
        '<div class="has-toc no-menu">',
        '<section id="banner-page">',
    ],
)
def test_a_layout_named_after_furniture_is_none(opening):
    body = "<h1>Zinc</h1>" + "".join(f"<p>Zinc may shorten cold number {n}.</p>" for n in range(4))
    document = page(f"<html><body>{opening}{body}</body></html>")
    assert [b.block for b in document.blocks] == ["title", *["paragraph"] * 4]


def test_a_link_shown_as_a_button_is_an_offer_and_other_links_are_text():
    document = page(
        '<p>Zinc <a href="/z">may shorten</a> colds. <a class="btn" href="/">Zinc cures all</a></p>'
    )
    assert [(b.block, document.text[b.start : b.end]) for b in document.blocks] == [
        ("paragraph", "Zinc may shorten colds."),
        ("boilerplate", "Zinc cures all"),
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("cafÃ© â€“ naÃ¯ve", "café – naïve"),
        ("Itâ€™s 5â€“10 Âµg", "It’s 5–10 µg"),
        ("25 Â°C, Î²-blockers, p â‰¤ 0.05", "25 °C, β-blockers, p ≤ 0.05"),
        ("GrÃ¶ÃŸe\nÅngström à la “β”", "Größe\nÅngström à la “β”"),
        ("ﬁbrosis, eﬃcacy", "fibrosis, efficacy"),
        ("caf\u00c3\u200b\u00a9", "café"),
        ("É… “é” ± 2 µm – naïve", "É… “é” ± 2 µm – naïve"),
    ],
)
def test_mojibake_and_ligatures_are_repaired_where_certain(text, expected):
    assert normalise(text) == expected
    assert normalise(expected) == expected


@pytest.mark.parametrize("suffix", ["txt", "md", "html", "jsonl"])
def test_places_point_into_the_repaired_text(suffix):
    sentence = "Itâ€™s said that 5â€“10 Âµg of zinc a\u00adday may shorten colds in\u00a0adults."
    source = '{"id": "a", "text": "%s"}' if suffix == "jsonl" else "%s"
    document = read(f"x.{suffix}", (source % sentence).encode(), Options())
    (block,) = document.blocks
    assert document.text[block.start : block.end] == (
        "It’s said that 5–10 µg of zinc aday may shorten colds in adults."
    )


def test_a_page_of_very_many_blocks_is_told_from_its_surroundings_like_a_small_one(monkeypatch):
    def kinds() -> list[tuple[str, str]]:
        document = page(many)
        return [(b.block, document.text[b.start : b.end]) for b in document.blocks]

    prose = "".join(
        f"<p>Of {i} adults with a cold, {i // 2} took zinc every day.</p>" for i in range(60)
    )
    around = "".join(
        f"<div>Topic {i}</div><div>Read {i} more notes about vitamins</div>" for i in range(30)
    )
    main = f"<article><h1>Zinc</h1>{prose}</article>"
    many = f"<html><body><div>{around}</div>{main}{around}</body></html>"
    few = kinds()
    monkeypatch.setattr(html, "_MOST_SEARCHED", 0)
    assert kinds() == few
    assert {kind for kind, text in few if text.startswith("Read")} == {"boilerplate"}
    assert {kind for kind, text in few if text.startswith("Of")} == {"paragraph"}


def test_a_text_counts_as_shared_where_all_its_pieces_are(monkeypatch):
    found = "".join(f"zinc{i}shortenscoldsby{i}days" for i in range(50))
    texts = {"", "zinc", "gold", found, found[7:90], found[7:90] + "x", "x" + found[7:30]}
    expected = {text for text in texts if text in found}
    assert html._shared(texts, found) == expected
    monkeypatch.setattr(html, "_MOST_SEARCHED", 0)
    assert html._shared(texts, found) == expected
    assert html._shared(texts, "") == {""}
