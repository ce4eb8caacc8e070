"""Tables for people who stay in the shell: a document or claim marked up, the map, the conflicts.

Everything returned is a rich renderable. Control characters of documents never reach the terminal.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from hedgerow.errors import StoreError
from hedgerow.report.chart import GLYPHS, WORDS
from hedgerow.report.marks import Run, Spans, by_document, runs
from hedgerow.store import Read

_CERTAINTY_STYLE = {
    "certain": "underline",
    "probable": "underline cyan",
    "possible": "underline yellow",
    "uncommitted": "underline magenta",
}
_STANCE_STYLE = {
    "benefit": "green",
    "approved": "green",
    "no_effect": "blue",
    "mixed": "yellow",
    "harm": "red",
    "not_approved": "red",
    "doubt": "magenta",
}
_CUE_STYLE = {"speculation": "black on yellow", "negation": "white on red"}
_OTHER_CUE = "reverse"
_ENTITY_STYLE = "bold"
_AGREEMENT_STYLE = {"conflict": "red", "mixed": "yellow", "agree": "green", "single": "dim"}
_LEAST_ID = 4
"""Digits of a claim_id that are enough to look for it."""


def clean(value: object) -> str:
    """Return the text of a value with a sign in place of each control character but line feeds."""
    text = "" if value is None else str(value)
    return "".join(
        c if c == "\n" or c.isprintable() or unicodedata.category(c) == "Zs" else "�" for c in text
    )


def show(read: Read, what: str) -> RenderableType:
    """Return a document (by its doc_id), or a claim (by its claim_id, or how that begins).

    Raises StoreError where there is none, or where several claims begin so.
    """
    ids = read("documents", columns=["doc_id"]).column("doc_id")
    if pc.any(pc.equal(ids, what)).as_py():
        return _document(read, what)
    claims = read("claims", columns=["claim_id", "doc_id"])
    found = claims.filter(pc.starts_with(claims.column("claim_id"), what)).to_pylist()
    if len(found) == 1 and len(what) >= _LEAST_ID:
        return _claim(read, found[0]["claim_id"], found[0]["doc_id"])
    hint = "`hedgerow conflicts` names claims; outputs/latest/documents lists the documents"
    if found:
        raise StoreError(
            f"{what!r}: found {len(found)} claims whose id begins so; expected one; give at least "
            f"{_LEAST_ID} digits, or more of it"
        )
    raise StoreError(f"{what!r}: found no such document or claim; expected an id; {hint}")


def _rows(read: Read, name: str, doc_id: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = read(name, doc_ids=[doc_id]).to_pylist()
    return rows


def _spans(read: Read, doc_id: str) -> dict[str, Spans]:
    return {
        name: Spans.of(by_document(_rows(read, name, doc_id))[doc_id])
        for name in ("claims", "cues", "entities", "citations")
    }


def _document(read: Read, doc_id: str) -> RenderableType:
    document = _rows(read, "documents", doc_id)[0]
    text, spans = clean(document["text"]), _spans(read, doc_id)
    parts: list[RenderableType] = [
        Rule(Text(clean(document["title"] or doc_id), style="bold")),
        _fields(
            (name, document[name])
            for name in ("doc_id", "publisher", "interest", "published", "url", "licence")
        ),
        _legend(),
        Text(),
    ]
    for block in _rows(read, "blocks", doc_id):
        marked = Text()
        for run in runs(text, block["start"], block["end"], **spans):
            marked.append_text(_marked(run))
        if block["block"] in ("title", "heading"):
            marked.stylize("bold")
        elif block["block"] == "list_item":
            marked = Text("• ").append_text(marked)
        parts.append(Padding(marked, (0, 0, 1, 0)))
    return Group(*parts)


def _marked(run: Run) -> Text:
    base = _CERTAINTY_STYLE[run.claim["certainty"]] if run.claim else ""
    text = Text()
    for piece in run.pieces:
        style = base
        if piece.entity:
            style = f"{style} {_ENTITY_STYLE}"
        if piece.cue:
            style = f"{style} {_CUE_STYLE.get(piece.cue['category'], _OTHER_CUE)}"
        text.append(piece.text, style=style.strip())
    if run.claim and run.first:
        direction = run.claim["direction"]
        sign = f" {GLYPHS[direction]}" if direction != "none" else ""
        text.append(f" ⟨{run.claim['certainty']}{sign} {run.claim['claim_id'][:8]}⟩", style="dim")
    return text


def _legend() -> Text:
    text = Text()
    for name, style in _CERTAINTY_STYLE.items():
        text.append(name, style=style).append("  ")
    text.append("hedge", style=_CUE_STYLE["speculation"]).append("  ")
    text.append("denial", style=_CUE_STYLE["negation"]).append("  ")
    text.append("other cue", style=_OTHER_CUE).append("  ")
    text.append("thing named", style=_ENTITY_STYLE)
    return text


def _fields(pairs: Iterable[tuple[str, object]]) -> Table:
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="dim", no_wrap=True)
    grid.add_column(overflow="fold")
    for name, value in pairs:
        if value is not None and value != "":
            grid.add_row(name.replace("_", " "), Text(clean(value)))
    return grid


def _claim(read: Read, claim_id: str, doc_id: str) -> RenderableType:
    claim = next(r for r in _rows(read, "claims", doc_id) if r["claim_id"] == claim_id)
    document = _rows(read, "documents", doc_id)[0]
    spans = _spans(read, doc_id)
    quote = Text()
    for run in runs(clean(document["text"]), claim["start"], claim["end"], **spans):
        quote.append_text(_marked(run))
    references = {row["reference_id"]: row for row in _rows(read, "references", doc_id)}
    cited = [
        references[row["reference_id"]]["raw"] if row["reference_id"] else row["identifier"]
        for row in _rows(read, "claim_references", doc_id)
        if row["claim_id"] == claim_id
    ]
    named = [
        (
            f"{row['label'].lower()} “{row['text']}”",
            f"{row['kb_name'] or ''} {row['kb_id']}" if row["kb_id"] else "not linked",
        )
        for row in spans["entities"].within(claim["start"], claim["end"])
    ]
    numbers = [
        (row["measure"], row["text"])
        for row in _rows(read, "statistics", doc_id)
        if row["claim_id"] == claim_id
    ]
    arguments = ("subject", "outcome", "population", "comparator", "attributed_to", "study")
    parts: list[RenderableType] = [
        Rule(Text(f"claim {claim_id}", style="bold")),
        Padding(quote, (0, 0, 1, 2)),
        _fields(
            [
                ("reads alone", claim["context"] if claim["context"] != claim["text"] else None),
                *((name, claim[name]) for name in ("claim_type", "certainty", "polarity")),
                ("direction", None if claim["direction"] == "none" else WORDS[claim["direction"]]),
                *((name, claim[name]) for name in ("effect", "attribution", "evidence")),
                *((name, claim[name]) for name in arguments),
                ("certainty score", f"{claim['certainty_score']:.2f}"),
                ("confidence", f"{claim['confidence']:.0%}"),
            ]
        ),
        Text(),
        _fields(
            [
                *((name, claim[name]) for name in ("title", "publisher", "interest", "url")),
                ("document", doc_id),
                ("section", claim["section"]),
                ("characters", f"{claim['start']}–{claim['end']}"),
                *(("source", source) for source in cited),
            ]
        ),
    ]
    for title, pairs in (("Things named", named), ("Numbers", numbers)):
        if pairs:
            parts += [Text(), Text(title, style="bold"), _fields(pairs)]
    return Group(*parts)


def conflicts(table: pa.Table, *, top: int = 10) -> RenderableType:
    """Return the first conflicts, both quotes side by side.

    table: `conflicts`, in its declared order.
    """
    if not table.num_rows:
        return Text("No two documents disagree on a subject and outcome that both name.")
    listing = Table(expand=True, show_lines=True)
    listing.add_column("#", justify="right", no_wrap=True)
    listing.add_column("About", ratio=2)
    listing.add_column("One says", ratio=4)
    listing.add_column("The other says", ratio=4)
    listing.add_column("Differs", ratio=3)
    for row in table.slice(0, top).to_pylist():
        about = Text(clean(f"{row['subject']}: {row['outcome']}"), style="bold")
        about.append(f"\n{row['kind']}", style="not bold")
        if row["explained"]:
            about.append("\nmay be no contradiction", style="not bold dim")
        listing.add_row(
            str(row["rank"]),
            about,
            _side(row, "a"),
            _side(row, "b"),
            Text(clean(row["differs"].replace("; ", "\n"))),
        )
    more = table.num_rows - min(top, table.num_rows)
    return Group(listing, Text(f"{more:,} more." if more else "", style="dim"))


def _side(row: Mapping[str, Any], side: str) -> Text:
    source = row[f"publisher_{side}"] or row[f"doc_{side}"]
    told = Text(clean(row[f"quote_{side}"]))
    told.append(f"\n{clean(source)} ({row[f'interest_{side}']})", style="dim")
    return told.append(f" {row[f'claim_{side}'][:8]}", style="dim")


def evidence_map(table: pa.Table, *, top: int = 30) -> RenderableType:
    """Return the cells that the most documents speak of.

    table: `evidence_map`.
    """
    if not table.num_rows:
        return Text("No claim names both a subject and an outcome.")
    rows = sorted(
        table.to_pylist(),
        key=lambda r: (-r["documents"], -r["claims"], r["subject"], r["outcome"], r["cell_id"]),
    )
    listing = Table()
    for heading in ("Subject", "Outcome"):
        listing.add_column(heading, overflow="fold", min_width=8)
    for heading in ("Docs", "Claims", "Studies"):
        listing.add_column(heading, justify="right")
    for direction in ("benefit", "no_effect", "mixed", "harm"):
        listing.add_column(GLYPHS[direction], style=_STANCE_STYLE[direction], justify="right")
    listing.add_column("Strongest evidence")
    listing.add_column("Agreement")
    for row in rows[:top]:
        sign = "" if row["axis"] == "outcome" else "in "
        listing.add_row(
            Text(clean(row["subject"])),
            Text(sign + clean(row["outcome"])),
            f"{row['documents']:,}",
            f"{row['claims']:,}",
            f"{row['studies']:,}",
            *(
                f"{row[f'direction_{d}']:,}" if row[f"direction_{d}"] else ""
                for d in ("benefit", "no_effect", "mixed", "harm")
            ),
            row["strongest_evidence"].replace("_", " "),
            Text(row["agreement"], style=_AGREEMENT_STYLE[row["agreement"]]),
        )
    key = "  ".join(f"{GLYPHS[d]} {WORDS[d]}" for d in ("benefit", "no_effect", "mixed", "harm"))
    more = len(rows) - min(top, len(rows))
    return Group(listing, Text(key + (f"   {more:,} more cells." if more else ""), style="dim"))
