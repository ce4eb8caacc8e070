"""claims: clauses, arguments, attribution, citations and statistics of the units that claim."""

from __future__ import annotations

import itertools
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from hedgerow import tables
from hedgerow.ids import make_id
from hedgerow.nlp import ranking
from hedgerow.nlp.arguments import Argument, Arguments, Entity, find_arguments, reads_alone
from hedgerow.nlp.attribution import attribute
from hedgerow.nlp.citations import Citation, Entry, ReferenceIndex, find_citations, marker_style
from hedgerow.nlp.clauses import SCORES, Clause, Cue, split_clauses
from hedgerow.nlp.effects import find_direction, find_effect
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
_LABELS = frozenset({"CHEMICAL", "DISEASE", "GENE", "ANATOMY", "SPECIES"})
"""Labels of entities that candidates for subject and outcome are told of."""

_UNREAD = {
    "cues": ("lemma", "score", "source", "doc_id_"),
    "entities": ("score", "source", "kb_name"),
    "references": ("raw", "title", "venue"),
}
"""Columns that this stage leaves alone, besides probabilities."""

_NOT_READ = frozenset({"reference", "boilerplate"})


_RATIOS = frozenset({"OR", "RR", "HR"})
_BARE = frozenset({"table_row", "card"})
"""Blocks that report numbers without words: there the interval says what was found."""


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
    return {name: tables.from_rows(name, _in_order(name, rows[name])) for name in _OUTPUTS}


def _in_order(name: str, rows: Iterable[Row]) -> list[Row]:
    """The rows in the order that their table declares."""
    return sorted(rows, key=itemgetter(*tables.TABLES[name].order))


def _documents(inputs: Tables) -> Iterable[_Document]:
    """Yield the documents of the batch in the order of their ids."""
    names = ("blocks", "references", "sentences", "entities", "cues", "certainty")
    grouped = {name: _by(_read(inputs[name], name), "doc_id") for name in names}
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


def _read(table: pa.Table, name: str) -> pa.Table:
    """The columns of a table that this stage reads."""
    unread = [c for c in table.column_names if c.startswith("p_") or c in _UNREAD.get(name, ())]
    return table.drop_columns(unread)


def _by(table: pa.Table, column: str) -> dict[str, list[Row]]:
    groups: dict[str, list[Row]] = defaultdict(list)
    names = table.column_names
    for values in zip(*map(_values, table.columns), strict=True):
        row = dict(zip(names, values, strict=True))
        groups[row[column]].append(row)
    return groups


def _values(column: pa.ChunkedArray) -> list[Any]:
    """A column's values; those of a vocabulary are read much faster as strings."""
    plain = column.cast(pa.string()) if pa.types.is_dictionary(column.type) else column
    values: list[Any] = plain.to_pylist()
    return values


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
    told = _told_by_cards(document)
    of_cards: dict[str, str] = {}
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
        if certainty is not None and _claims_something(sentence, certainty, told):
            claims = _claims(document, taken, sentence, certainty, citations, statistics, before)
        subject = claims[0]["_subject"] if claims else before.subject
        before = _Before(taken.units.get(sentence["sentence_id"], before.unit), subject)
        _add_claims(rows, claims, sentence, citations, ids)
        _add_statistics(rows, claims, sentence, statistics)
        if claims and sentence["block"] == "card":
            of_cards[sentence["sentence_id"]] = claims[0]["claim_id"]
    told_claims = {part: of_cards[label] for part, label in told.items() if label in of_cards}
    if told_claims:
        _hang_on_cards(rows, document.row["doc_id"], told_claims)


def _hang_on_cards(rows: Rows, doc_id: str, claims: Mapping[str, str]) -> None:
    """Tie the numbers and citations of a card's other parts to the card's claim.

    claims: the claim by the part's sentence.
    """
    links = itertools.takewhile(lambda r: r["doc_id"] == doc_id, reversed(rows["claim_references"]))
    indices = Counter(r["claim_id"] for r in links)
    for row in reversed(rows["statistics"]):
        if row["doc_id"] != doc_id:
            break
        if row["claim_id"] is None:
            row["claim_id"] = claims.get(row["sentence_id"])
    mine = itertools.takewhile(lambda r: r["doc_id"] == doc_id, reversed(rows["citations"]))
    for citation in sorted(mine, key=lambda r: (r["start"], r["citation_id"])):
        claim_id = claims.get(citation["sentence_id"])
        if claim_id is not None:
            rows["claim_references"].append(
                {
                    "claim_id": claim_id,
                    "doc_id": doc_id,
                    "index": indices[claim_id],
                    **{n: citation[n] for n in ("citation_id", "reference_id", "identifier")},
                }
            )
            indices[claim_id] += 1


def _claims_something(sentence: Row, certainty: Row, told: Mapping[str, str]) -> bool:
    """Whether a sentence makes claims: reference lists, boilerplate and silent parts never do."""
    return (
        certainty["kind"] == "claim"
        and sentence["block"] not in _NOT_READ
        and sentence["sentence_id"] not in told
    )


def _told_by_cards(document: _Document) -> dict[str, str]:
    """For each part of a card that opens with a number, the part that tells the card's claim.

    A number, its label and its source are one claim: the label's, which is the first part behind
    the number that claims anything. Cards where none does are left out, and so is the label.
    """
    cards: dict[str, list[Row]] = defaultdict(list)
    for sentence in document.sentences:
        block = document.blocks.get(sentence["block_id"])
        if sentence["block"] == "card" and block is not None:
            cards[block["parent_id"] or block["block_id"]].append(sentence)
    told: dict[str, str] = {}
    for first, *others in cards.values():
        if card_statistic(first["text"], [s["text"] for s in others]) is None:
            continue
        label = next((s for s in others if _is_claim(document, s)), None)
        if label is not None:
            parts = (first, *others)
            told |= {s["sentence_id"]: label["sentence_id"] for s in parts if s is not label}
    return told


def _is_claim(document: _Document, sentence: Row) -> bool:
    certainty = document.certainty.get(sentence["sentence_id"])
    return certainty is not None and certainty["kind"] == "claim"


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
    statistics: Sequence[Statistic],
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
        citations=[(c.start, c.end) for c in citations],
    )
    rows = []
    valued = certainty["claim_type"] in tables.DIRECTED
    for index, clause in enumerate(clauses):
        span = (clause.start, clause.end)
        arguments = find_arguments(
            unit, span, ranked, entities, taken.links, listed=_is_listed(sentence, unit, span)
        )
        attribution = attribute(
            certainty["attribution"],
            unit,
            ranked,
            cited=any(_inside(c.start, c.end, clause) for c in citations),
        )
        outcome = arguments.outcomes[0] if arguments.outcomes else None
        plain = _plain_direction(unit, clause, entities)
        if plain is None and sentence["block"] in _BARE and _spans_one(clause, statistics):
            plain = "no_effect"
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
            "effect": _effect(unit, clause, arguments) if valued and outcome else None,
            "attribution": attribution.voice,
            "attributed_to": attribution.party,
            "attributed_to_start": attribution.start,
            "attributed_to_end": attribution.end,
            "study": attribution.study or _study(entities),
            "evidence": certainty["evidence"],
            **{n: document.row[n] for n in ("title", "publisher", "url", "interest")},
            "section": sentence["section"],
            **_labels(clause, certainty, plain if valued else None),
            "_subject": arguments.subject_key,
            "_outcomes": arguments.outcomes,
            "_cues": [c["cue_id"] for c in cues if _decides(c, unit, clause)],
        }
        rows.append(row)
    return rows


def _is_listed(sentence: Row, unit: ranking.Unit, span: tuple[int, int]) -> bool:
    """Whether a claim is an item of a list that only names one thing."""
    if sentence["block"] != "list_item":
        return False
    if sentence["lead_in_id"] is None and sentence["section"] is None:
        return False
    inside = [w for w in unit.words if span[0] <= w.start < span[1]]
    named = {w.end for w in inside if w.tag == "noun"}
    last = next((c for c in reversed(unit.chunks) if c.start >= span[0]), None)
    return (
        not any(w.tag in ("verb", "aux", "pron") for w in inside)
        and last is not None
        and named <= {w.end for w in unit.words[last.first : last.last]}
    )


def _plain_direction(unit: ranking.Unit, clause: Clause, entities: Sequence[Entity]) -> str | None:
    """The direction that the clause's words settle, if they do."""
    start = unit.start + clause.start
    diseases = [(e.start - start, e.end - start) for e in entities if e.label == "DISEASE"]
    return find_direction(unit.text[clause.start : clause.end], diseases)


def _spans_one(clause: Clause, statistics: Sequence[Statistic]) -> bool:
    """Whether all that a clause reports are ratios whose confidence intervals hold 1."""
    ratios = [
        (s.ci_low, s.ci_high)
        for s in statistics
        if s.measure in _RATIOS and _inside(s.start, s.end, clause)
    ]
    return bool(ratios) and all(
        low is not None and high is not None and low <= 1 <= high for low, high in ratios
    )


def _labels(clause: Clause, certainty: Row, plain: str | None) -> dict[str, Any]:
    """A clause's certainty, polarity and direction: its own, else those of the unit.

    plain: the direction that its words settle; it corrects the classifier's, but does not give
    one to a claim that has none.
    """
    own = clause.certainty
    direction = clause.direction or certainty["direction"] or "none"
    if plain is not None and direction != "none":
        direction = plain
    return {
        "certainty": own or certainty["certainty"],
        "certainty_score": (
            certainty["certainty_score"] if own in (None, certainty["certainty"]) else SCORES[own]
        ),
        "polarity": clause.polarity or certainty["polarity"],
        "confidence": certainty["confidence"],
        "direction": direction if certainty["claim_type"] in tables.DIRECTED else "none",
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
        holding = [c for c in claims if c["start"] <= start and end <= c["end"]]
        claim = min(holding, key=lambda c: c["end"] - c["start"], default=None)
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
    version=6,
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
