"""What the report shows, gathered from tables and laid out by the templates.

Everything that comes from documents is text: Jinja escapes it, only http and https addresses
become links, and the page's policy runs no script but its own.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit

import jinja2
from markupsafe import Markup

from hedgerow import tables as contract
from hedgerow.report import chart, marks
from hedgerow.report.source import Source

MAX_DOCUMENTS = 40
"""Documents shown in full: those of the conflicts shown first, then by id."""
MAX_CONFLICTS = 20
MAX_CHANGES = 60
MAX_REJECTS = 60

_DESCRIBED = {
    "certain": "asserted or denied outright",
    "probable": "likely, not settled",
    "possible": "may be so",
    "uncommitted": "left open",
}
_KIND_WORDS = {
    "direction": "They point in different directions",
    "certainty": "One is surer than the other",
    "strength": "Strong wording against weak or missing evidence",
    "status": "Approved against not approved",
}
_EVIDENCE_WORDS = {
    "meta_analysis": "systematic review or meta-analysis",
    "rct": "randomised trial",
    "human": "other human study",
    "regulator": "regulator",
    "expert": "experts or guideline",
    "animal": "animal study",
    "in_vitro": "laboratory study",
    "anecdote": "anecdote or marketing",
    "none": "none named",
}
_OWN_MARKER = re.compile(r"[•◦▪·*–—-] |\d{1,3}[.)] ")
"""How a list item begins that brings its own bullet or number."""
_CLAIM_COLUMNS = (
    "claim_id",
    "doc_id",
    "start",
    "end",
    "claim_type",
    "direction",
    "certainty",
    "polarity",
    "confidence",
    "attribution",
    "attributed_to",
    "evidence",
    "population",
    "interest",
    "publisher",
    "title",
    "url",
    "section",
    "text",
)


def safe_link(url: str | None) -> str | None:
    """Return an http or https address, or None for everything else."""
    if not url or any(c.isspace() or not c.isprintable() for c in url):
        return None
    try:
        parts = urlsplit(url)
    except ValueError:
        return None
    return url if parts.scheme in ("http", "https") and parts.netloc else None


def anchor(kind: str, key: str) -> str:
    """Return a fragment id: the kind and a hash, since document ids may hold anything."""
    digest = hashlib.blake2b(key.encode("utf-8", "surrogatepass"), digest_size=6)
    return f"{kind}-{digest.hexdigest()}"


@lru_cache(maxsize=1)
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("hedgerow.report", "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "number": lambda value: f"{value:,}",
        "percent": lambda value: f"{min(round(100 * value), 99)}%",  # nothing is read surely
        "headed": lambda text: text[:1].upper() + text[1:],
        "link": safe_link,
        "plain": lambda value: str(value).replace("_", " "),
        "shorten": chart.shorten,
    }
    environment.globals |= {"anchor": anchor}
    return environment


def _inline(name: str) -> tuple[Markup, str]:
    """Return a style sheet or script of ours, and its hash for the policy."""
    loader = _environment().loader
    assert loader is not None
    content = loader.get_source(_environment(), name)[0].strip()
    digest = hashlib.sha256(content.encode()).digest()
    return Markup(content), f"'sha256-{base64.b64encode(digest).decode()}'"


def render(source: Source, facts: Mapping[str, str] | None = None) -> str:
    """Return the report as HTML."""
    style, style_hash = _inline("report.css")
    script, script_hash = _inline("report.js")
    conflicts = source.rows("conflicts")[:MAX_CONFLICTS]
    documents, hidden = _documents_shown(source, conflicts)
    shown = {document["doc_id"] for document in documents}
    cells = source.rows("evidence_map")
    selected = chart.select(cells)
    drawn = {cell["cell_id"] for group in selected for cell in chart.rows_of(group)}
    drawn |= {conflict["cell_id"] for conflict in conflicts}
    members = source.rows("evidence_claims", where=("cell_id", drawn))
    wanted = {c[f"claim_{side}"] for c in conflicts for side in "ab"}
    wanted |= {m["claim_id"] for m in members}
    claims = {
        row["claim_id"]: row for row in source.rows("claims", _CLAIM_COLUMNS, ("claim_id", wanted))
    }
    stances = {(m["cell_id"], m["claim_id"]): m["stance"] for m in members}
    maps = chart.charts(selected, members, claims)
    changes = source.rows("changes")
    page: str = (
        _environment()
        .get_template("report.html.j2")
        .render(
            style=style,
            script=script,
            policy=(
                f"default-src 'none'; style-src {style_hash}; script-src {script_hash}; "
                "img-src data:; base-uri 'none'; form-action 'none'"
            ),
            summary=_summary(source),
            certainties=contract.CERTAINTIES,
            described=_DESCRIBED,
            glyphs=chart.GLYPHS,
            stance_words=chart.WORDS,
            shape=chart.shape,
            evidence_words=_EVIDENCE_WORDS,
            kind_words=_KIND_WORDS,
            conflicts=[_conflict(row, claims, stances) for row in conflicts],
            conflicts_in_all=source.count("conflicts"),
            maps=maps,
            cells_in_all=len(cells),
            agreements=Counter(cell["agreement"] for cell in cells),
            documents=_marked(source, documents),
            documents_hidden=hidden,
            shown=shown,
            types=contract.CLAIM_TYPES,
            interests=_present(documents),
            changes=changes[:MAX_CHANGES],
            changes_in_all=len(changes),
            change_counts=sorted(Counter((c["change"], c["cause"]) for c in changes).items()),
            rejects=source.rows("rejects")[:MAX_REJECTS],
            rejects_in_all=source.count("rejects"),
            run=_last_run(source),
            facts=sorted((facts or {}).items()),
        )
    )
    return page


def _summary(source: Source) -> dict[str, Any]:
    certainties = source.tally("claims", "certainty")
    total = sum(certainties.values())
    bar, x = [], 0.0
    for name in contract.CERTAINTIES:
        width = 100 * certainties[name] / total if total else 0.0
        bar.append({"name": name, "count": certainties[name], "x": x, "width": width})
        x += width
    return {
        "documents": source.count("documents"),
        "sentences": source.count("sentences"),
        "claims": total,
        "conflicts": source.count("conflicts"),
        "rejects": source.count("rejects"),
        "bar": bar,
    }


def _documents_shown(
    source: Source, conflicts: Sequence[Mapping[str, Any]]
) -> tuple[list[dict[str, Any]], int]:
    """Return the documents to show, by id, and how many are not."""
    everything = [row["doc_id"] for row in source.rows("documents", ["doc_id"])]
    first = dict.fromkeys(c[f"doc_{side}"] for c in conflicts for side in "ab")
    chosen = list(dict.fromkeys([*first, *everything]))[:MAX_DOCUMENTS]
    rows = source.rows("documents", where=("doc_id", chosen))
    return rows, len(everything) - len(rows)


def _present(documents: Sequence[Mapping[str, Any]]) -> list[str]:
    found = {document["interest"] for document in documents}
    return [interest for interest in contract.INTERESTS if interest in found]


def _conflict(
    row: dict[str, Any],
    claims: Mapping[str, Mapping[str, Any]],
    stances: Mapping[tuple[str, str], str],
) -> dict[str, Any]:
    """Return a row of `conflicts` with both claims; what the heading says is not said again."""
    said = {
        f"{name} {row[key]}"
        for name, key in (("subject", "subject"), ("outcome", "outcome"), ("condition", "outcome"))
    }
    return {
        **row,
        "aligns": [item for item in row["aligns"].split("; ") if item and item not in said],
        "differs": [item for item in row["differs"].split("; ") if item],
        "sides": [
            {**claims[claim_id], "stance": stances[row["cell_id"], claim_id]}
            for claim_id in (row["claim_a"], row["claim_b"])
        ],
    }


def _marked(source: Source, documents: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return each document with its blocks cut into runs of marked text."""
    ids: Collection[str] = [document["doc_id"] for document in documents]
    by_name = {
        name: marks.by_document(source.rows(name, columns, ("doc_id", ids)))
        for name, columns in (
            ("blocks", None),
            ("claims", _CLAIM_COLUMNS),
            ("cues", ("doc_id", "start", "end", "category", "level")),
            ("entities", ("doc_id", "start", "end", "label", "kb_id", "kb_name")),
            ("citations", ("doc_id", "start", "end", "reference_id")),
            ("references", ("doc_id", "start", "end", "reference_id", "doi", "pmid")),
        )
    }
    found = []
    for document in documents:
        doc_id = document["doc_id"]
        spans = {
            name: marks.Spans.of(by_name[name][doc_id])
            for name in ("claims", "cues", "entities", "citations")
        }
        references = marks.Spans.of(by_name["references"][doc_id])
        blocks = [
            {
                **block,
                "runs": marks.runs(document["text"], block["start"], block["end"], **spans),
                "references": references.within(block["start"], block["end"]),
                "numbered": bool(_OWN_MARKER.match(document["text"], block["start"])),
            }
            for block in by_name["blocks"][doc_id]
        ]
        claims = by_name["claims"][doc_id]
        certainties = Counter(claim["certainty"] for claim in claims)
        found.append(
            {
                **{key: value for key, value in document.items() if key != "text"},
                "groups": list(marks.grouped(blocks)),
                "claims": len(claims),
                "certainties": [(c, certainties[c]) for c in contract.CERTAINTIES],
            }
        )
    return found


def _last_run(source: Source) -> dict[str, Any] | None:
    rows = source.rows("runs")
    if not rows:
        return None
    run = rows[-1]
    return {
        **run,
        "seconds": [
            (name.removeprefix("seconds_"), value)
            for name, value in run.items()
            if name.startswith("seconds_")
        ],
        "digests": [
            (name.removesuffix("_digest").replace("_", " "), value)
            for name, value in run.items()
            if name.endswith("_digest")
        ],
    }
