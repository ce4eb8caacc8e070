"""claims: clauses, arguments, attribution, citations and statistics of the units that claim."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from hedgerow import tables
from hedgerow.ids import make_id
from hedgerow.nlp import ranking
from hedgerow.nlp.arguments import Argument, Arguments, Entity, find_arguments, reads_alone
from hedgerow.nlp.attribution import attribute
from hedgerow.nlp.citations import Citation, Entry, ReferenceIndex, find_citations, marker_style
from hedgerow.nlp.clauses import SCORES, Clause, Cue, split_clauses
from hedgerow.nlp.effects import find_effect
from hedgerow.nlp.statistics import Statistic, card_statistic, find_statistics
from hedgerow.stages.base import Stage, Tables

if TYPE_CHECKING:
    from hedgerow.resources import Resources

Row = Mapping[str, Any]
Rows = dict[str, list[dict[str, Any]]]

_OUTPUTS = (
    "claims",
    "claim_outcomes",
    "claim_references",
    "claim_cues",
    "citations",
    "statistics",
)
_IDENTIFIERS = ("doi", "pmid", "pmcid", "cochrane_id", "registration")
_VALUED = frozenset({"efficacy", "safety", "mechanism"})
"""Types of claim that have a direction."""

_LABELS = frozenset({"CHEMICAL", "DISEASE", "GENE", "ANATOMY", "SPECIES"})
"""Labels of entities that candidates for subject and outcome are told of."""

_NOT_READ = frozenset({"reference", "boilerplate"})


@dataclass(frozen=True)
class _Document:
    """One document's rows, grouped by sentence where there are several."""

    row: Row
    sentences: Sequence[Row]
    blocks: Mapping[str, Row]
    references: ReferenceIndex
    entities: Mapping[str, Sequence[Row]]
    cues: Mapping[str, Sequence[Row]]
    certainty: Mapping[str, Row]


@dataclass(frozen=True)
class _Before:
    """What stands before a sentence: the sentence before, and the last claim's subject."""

    unit: ranking.Unit | None = None
    subject: str | None = None


@dataclass(frozen=True)
class _Taken:
    """What all claims of a document share: its sentences taken apart, and what it is about."""

    units: Mapping[str, ranking.Unit]
    profile: ranking.Profile
    links: Mapping[str, str]


def _run(inputs: Tables, resources: Resources) -> dict[str, pa.Table]:
    """Return the claims of every unit whose kind is claim, with what belongs to them.

    Citations and statistics are looked for in every sentence outside reference lists and
    boilerplate; those outside claims have no claim_id.
    """
    rows: Rows = {name: [] for name in _OUTPUTS}
    for document in _documents(inputs):
        _add_document(rows, document)
    return {name: tables.conform(name, tables.from_rows(name, rows[name])) for name in _OUTPUTS}


def _documents(inputs: Tables) -> Iterable[_Document]:
    """Yield the documents of the batch in the order of their ids."""
    names = ("blocks", "references", "sentences", "entities", "cues", "certainty")
    grouped = {name: _by(inputs[name], "doc_id") for name in names}
    documents = sorted(inputs["documents"].to_pylist(), key=lambda row: str(row["doc_id"]))
    for row in documents:
        mine = {name: grouped[name].get(row["doc_id"], []) for name in names}
        yield _Document(
            row,
            sorted(mine["sentences"], key=lambda r: int(r["index"])),
            {r["block_id"]: r for r in sorted(mine["blocks"], key=lambda r: int(r["index"]))},
            ReferenceIndex([_entry(r) for r in mine["references"]]),
            _grouped(mine["entities"]),
            _grouped(mine["cues"]),
            {r["sentence_id"]: r for r in mine["certainty"]},
        )


def _by(table: pa.Table, column: str) -> dict[str, list[Row]]:
    groups: dict[str, list[Row]] = defaultdict(list)
    for row in table.to_pylist():
        groups[row[column]].append(row)
    return groups


def _grouped(rows: Iterable[Row]) -> dict[str, list[Row]]:
    """Rows by sentence, in the order of the text."""
    groups: dict[str, list[Row]] = defaultdict(list)
    for row in sorted(rows, key=lambda r: (r["start"], r["end"])):
        groups[row["sentence_id"]].append(row)
    return groups


def _entry(row: Row) -> Entry:
    return Entry(
        row["reference_id"],
        row["marker"],
        row["authors"],
        row["year"],
        {name: row[name] for name in _IDENTIFIERS if row[name] is not None},
    )


def _add_document(rows: Rows, document: _Document) -> None:
    """Append all rows of one document."""
    citing = [s for s in document.sentences if s["block"] not in _NOT_READ]
    styles = marker_style([s["text"] for s in citing], document.references)
    taken = _take_apart(document)
    before = _Before()
    for sentence in document.sentences:
        citations: list[Citation] = []
        statistics: list[Statistic] = []
        if sentence["block"] not in _NOT_READ:
            citations = find_citations(sentence["text"], styles, document.references)
            markers = sorted({(c.start, c.end) for c in citations})
            statistics = _statistics(document, sentence, markers)
        ids = _add_citations(rows, sentence, citations)
        certainty = document.certainty.get(sentence["sentence_id"])
        claims: list[dict[str, Any]] = []
        if certainty is not None and _claims_something(sentence, certainty):
            claims = _claims(document, taken, sentence, certainty, citations, before)
        subject = claims[0]["_subject"] if claims else before.subject
        before = _Before(taken.units.get(sentence["sentence_id"], before.unit), subject)
        _add_claims(rows, claims, sentence, citations, ids)
        _add_statistics(rows, claims, sentence, statistics)


def _claims_something(sentence: Row, certainty: Row) -> bool:
    """Whether a sentence makes claims: reference lists and boilerplate never do."""
    return certainty["kind"] == "claim" and sentence["block"] not in _NOT_READ


def _statistics(
    document: _Document, sentence: Row, markers: Sequence[tuple[int, int]]
) -> list[Statistic]:
    if sentence["block"] == "card":
        row = card_statistic(sentence["text"], _card_parts(document, sentence["block_id"]))
        if row is not None:
            return [row]
    return find_statistics(sentence["text"], markers)


def _card_parts(document: _Document, block_id: str) -> list[str]:
    """The other parts of the figure card that a block opens."""
    return [
        document.row["text"][block["start"] : block["end"]]
        for block in document.blocks.values()
        if block["parent_id"] == block_id
    ]


def _take_apart(document: _Document) -> _Taken:
    """Words and chunks of every sentence that is read, and what the document is about."""
    units = {
        s["sentence_id"]: ranking.make_unit(
            s["start"],
            s["text"],
            s["block"],
            [
                (e["start"] - s["start"], e["end"] - s["start"], e["label"])
                for e in document.entities.get(s["sentence_id"], ())
                if e["label"] in _LABELS
            ],
        )
        for s in document.sentences
        if s["block"] not in _NOT_READ
    }
    links: dict[str, str] = {}
    for mentions in document.entities.values():
        for mention in mentions:
            if mention["kb_id"] is not None:
                links.setdefault(mention["text"].lower(), mention["kb_id"])
    profile = ranking.make_profile(list(units.values()), document.row["title"])
    return _Taken(units, profile, links)


def _claims(
    document: _Document,
    taken: _Taken,
    sentence: Row,
    certainty: Row,
    citations: Sequence[Citation],
    before: _Before,
) -> list[dict[str, Any]]:
    """The rows of `claims` for one sentence, with their outcomes and cues under private keys."""
    unit = taken.units[sentence["sentence_id"]]
    lead_in = taken.units.get(sentence["lead_in_id"] or "")
    labels = (certainty["claim_type"], certainty["attribution"])
    candidates = ranking.find_candidates(
        unit,
        taken.profile,
        lead_in=lead_in,
        previous=before.unit,
        section=ranking.section_unit(sentence["section"]),
        labels=labels,
        carried=before.subject,
    )
    ranked = ranking.Ranking(candidates, labels)
    entities = [
        Entity(e["start"], e["end"], e["label"], e["kb_id"], e["text"])
        for e in document.entities.get(sentence["sentence_id"], ())
    ]
    cues = document.cues.get(sentence["sentence_id"], ())
    clauses = split_clauses(
        sentence["text"],
        unit.words,
        [
            Cue(c["start"] - unit.start, c["end"] - unit.start, c["category"], c["level"])
            for c in cues
        ],
        direction=certainty["direction"] or "none",
    )
    rows = []
    for index, clause in enumerate(clauses):
        span = (clause.start, clause.end)
        arguments = find_arguments(unit, span, ranked, entities, taken.links)
        attribution = attribute(
            certainty["attribution"],
            unit,
            ranked,
            cited=any(_inside(c.start, c.end, clause) for c in citations),
        )
        outcome = arguments.outcomes[0] if arguments.outcomes else None
        row = {
            "claim_id": make_id(sentence["sentence_id"], clause.start, clause.end),
            "sentence_id": sentence["sentence_id"],
            "doc_id": sentence["doc_id"],
            "index": index,
            "start": unit.start + clause.start,
            "end": unit.start + clause.end,
            "text": sentence["text"][clause.start : clause.end],
            "context": _context(document, sentence, clause, arguments.subject),
            "claim_type": certainty["claim_type"],
            **_argument("subject", arguments.subject),
            **_argument("outcome", outcome),
            **_argument("population", arguments.population, linked=False),
            **_argument("comparator", arguments.comparator, linked=False),
            "effect": _effect(unit, clause, arguments),
            "attribution": attribution.voice,
            "attributed_to": attribution.party,
            "attributed_to_start": attribution.start,
            "attributed_to_end": attribution.end,
            "study": attribution.study or _study(entities),
            "evidence": certainty["evidence"],
            **{n: document.row[n] for n in ("title", "publisher", "url", "interest")},
            "section": sentence["section"],
            **_labels(clause, certainty),
            "_subject": arguments.subject_key,
            "_outcomes": arguments.outcomes,
            "_cues": [c["cue_id"] for c in cues if _decides(c, unit, clause)],
        }
        rows.append(row)
    return rows


def _labels(clause: Clause, certainty: Row) -> dict[str, Any]:
    """A clause's certainty, polarity and direction: its own, else those of the unit."""
    own = clause.certainty
    direction = clause.direction or certainty["direction"] or "none"
    return {
        "certainty": own or certainty["certainty"],
        "certainty_score": (
            certainty["certainty_score"] if own in (None, certainty["certainty"]) else SCORES[own]
        ),
        "polarity": clause.polarity or certainty["polarity"],
        "confidence": certainty["confidence"],
        "direction": direction if certainty["claim_type"] in _VALUED else "none",
    }


def _argument(name: str, argument: Argument | None, *, linked: bool = True) -> dict[str, Any]:
    if argument is None:
        return {}
    columns = {
        name: argument.text,
        f"{name}_start": argument.start,
        f"{name}_end": argument.end,
    }
    return {**columns, f"{name}_id": argument.kb_id} if linked else columns


def _effect(unit: ranking.Unit, clause: Clause, arguments: Arguments) -> str | None:
    text = unit.text[clause.start : clause.end]
    outcome = arguments.outcomes[0] if arguments.outcomes else None
    places = [
        _place(argument, unit.start + clause.start, len(text))
        for argument in (outcome, arguments.subject, arguments.comparator)
    ]
    return find_effect(text, *places)


def _place(argument: Argument | None, start: int, length: int) -> tuple[int, int] | None:
    """Where an argument stands in the claim, if it does."""
    if argument is None or argument.start is None or argument.end is None:
        return None
    place = (argument.start - start, argument.end - start)
    return place if place[0] >= 0 and place[1] <= length else None


def _study(entities: Sequence[Entity]) -> str | None:
    return next((e.text for e in entities if e.label == "STUDY"), None)


def _decides(cue: Row, unit: ranking.Unit, clause: Clause) -> bool:
    return cue["category"] in ("speculation", "negation") and _inside(
        cue["start"] - unit.start, cue["end"] - unit.start, clause
    )


def _inside(start: int, end: int, clause: Clause) -> bool:
    return clause.start <= start and end <= clause.end


def _context(document: _Document, sentence: Row, clause: Clause, subject: Argument | None) -> str:
    """The claim as a sentence that reads alone."""
    text = sentence["text"][clause.start : clause.end]
    text = reads_alone(text, subject.text if subject else None)
    block = document.blocks.get(sentence["block_id"])
    parent = document.blocks.get(block["parent_id"] or "") if block is not None else None
    if block is None or parent is None:
        return _one_line(text)
    above = document.row["text"][parent["start"] : parent["end"]]
    if block["block"] == "table_row":
        return _table_context(above, document.row["text"][block["start"] : block["end"]], text)
    if block["block"] == "card":
        return _one_line("; ".join([above, *_card_parts(document, parent["block_id"])]))
    return _one_line(f"{above.rstrip(' :.')}: {text}")


def _table_context(header: str, row: str, text: str) -> str:
    """ "Header: cell; Header: cell" where the row's cells are marked off, else the row."""
    for separator in ("|", "\t"):
        names = [part.strip() for part in header.strip().strip(separator).split(separator)]
        cells = [part.strip() for part in row.strip().strip(separator).split(separator)]
        if len(names) == len(cells) > 1:
            pairs = zip(names, cells, strict=True)
            return _one_line("; ".join(f"{n}: {c}" if n else c for n, c in pairs if c))
    return _one_line(text)


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _add_citations(rows: Rows, sentence: Row, citations: Sequence[Citation]) -> list[str]:
    """Append the citations; return their ids."""
    ids = []
    for citation in citations:
        ids.append(make_id(sentence["sentence_id"], citation.start, citation.end, citation.target))
        rows["citations"].append(
            {
                "citation_id": ids[-1],
                "doc_id": sentence["doc_id"],
                "sentence_id": sentence["sentence_id"],
                "start": sentence["start"] + citation.start,
                "end": sentence["start"] + citation.end,
                "marker": sentence["text"][citation.start : citation.end],
                "reference_id": citation.reference_id,
                "identifier": citation.identifier,
            }
        )
    return ids


def _add_claims(
    rows: Rows,
    claims: Sequence[dict[str, Any]],
    sentence: Row,
    citations: Sequence[Citation],
    ids: Sequence[str],
) -> None:
    """Append the claims and the tables that hang on them."""
    for claim in claims:
        outcomes, cues = claim["_outcomes"], claim["_cues"]
        rows["claims"].append({k: v for k, v in claim.items() if not k.startswith("_")})
        key = {"claim_id": claim["claim_id"], "doc_id": claim["doc_id"]}
        rows["claim_outcomes"] += [
            {**key, "index": i, **_argument("outcome", outcome)}
            for i, outcome in enumerate(outcomes)
        ]
        rows["claim_cues"] += [{**key, "index": i, "cue_id": c} for i, c in enumerate(cues)]
        mine = [
            (citation, citation_id)
            for citation, citation_id in zip(citations, ids, strict=True)
            if claim["start"] <= sentence["start"] + citation.start
            and sentence["start"] + citation.end <= claim["end"]
        ]
        rows["claim_references"] += [
            {
                **key,
                "index": i,
                "citation_id": citation_id,
                "reference_id": citation.reference_id,
                "identifier": citation.identifier,
            }
            for i, (citation, citation_id) in enumerate(mine)
        ]


def _add_statistics(
    rows: Rows,
    claims: Sequence[Mapping[str, Any]],
    sentence: Row,
    statistics: Sequence[Statistic],
) -> None:
    for statistic in statistics:
        start, end = sentence["start"] + statistic.start, sentence["start"] + statistic.end
        claim = next((c for c in claims if c["start"] <= start and end <= c["end"]), None)
        values = {
            name: getattr(statistic, name)
            for name in (
                "measure", "value", "unit", "ci_low", "ci_high", "ci_level",
                "p_value", "p_operator", "arm",
            )
        }  # fmt: skip
        rows["statistics"].append(
            {
                "statistic_id": make_id(sentence["sentence_id"], statistic.start, statistic.end),
                "doc_id": sentence["doc_id"],
                "claim_id": claim["claim_id"] if claim is not None else None,
                "sentence_id": sentence["sentence_id"],
                "start": start,
                "end": end,
                "text": sentence["text"][statistic.start : statistic.end],
                **values,
            }
        )


STAGE = Stage(
    name="claims",
    version=1,
    inputs=(
        "documents",
        "blocks",
        "references",
        "sentences",
        "entities",
        "cues",
        "certainty",
    ),
    outputs=_OUTPUTS,
    uses=("lexicon",),
    run=_run,
)
