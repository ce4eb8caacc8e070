"""The tables: every schema, what each column means, and `check()`, which enforces them.

Offsets (`start`, `end` and every `*_start`, `*_end`) count Unicode code points, half-open, into
`documents.text`. Closed vocabularies are dictionary-encoded in the declared order.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from hedgerow.errors import ContractError

# Label sets; `docs/labels.md` defines what they mean.
KINDS = (
    "claim",
    "lead_in",
    "aim",
    "heading",
    "question",
    "advice",
    "promotional",
    "opinion",
    "reference",
    "other",
)
CERTAINTIES = ("certain", "probable", "possible", "uncommitted")
POLARITIES = ("affirmed", "negated")
ATTRIBUTIONS = ("author", "cited", "reported")
CLAIM_TYPES = (
    "efficacy",
    "safety",
    "mechanism",
    "composition",
    "usage",
    "regulatory",
    "market",
    "evidence_quality",
    "background",
)
DIRECTIONS = ("none", "benefit", "harm", "no_effect", "mixed", "neutral")
EFFECTS = ("increase", "decrease", "no_change")
EVIDENCE = (
    "meta_analysis",
    "rct",
    "human",
    "regulator",
    "expert",
    "animal",
    "in_vitro",
    "anecdote",
    "none",
)
"""Evidence kinds, strongest first."""

UNIT_LABELS: Mapping[str, tuple[str, ...]] = {
    "kind": KINDS,
    "certainty": CERTAINTIES,
    "polarity": POLARITIES,
    "attribution": ATTRIBUTIONS,
    "claim_type": CLAIM_TYPES,
    "direction": DIRECTIONS,
    "evidence": EVIDENCE,
}
"""What a unit is classified by, with the classes of each in order."""

DIRECTED = frozenset({"efficacy", "safety", "mechanism"})
"""The claim types that have a direction; the others have none."""

INTERESTS = (
    "vendor",
    "clinic",
    "manufacturer",
    "journal",
    "government",
    "reference work",
    "news",
    "blog",
    "forum",
    "unknown",
)
BLOCKS = (
    "title",
    "heading",
    "paragraph",
    "list_item",
    "table_row",
    "caption",
    "card",
    "reference",
    "boilerplate",
)
ENTITY_LABELS = (
    "CHEMICAL",
    "DISEASE",
    "GENE",
    "ANATOMY",
    "SPECIES",
    "PROCEDURE",
    "OUTCOME",
    "POPULATION",
    "ORGANIZATION",
    "STUDY",
)
CUE_CATEGORIES = ("speculation", "negation", "condition", "evidential", "booster")
CUE_LEVELS = ("probable", "possible", "uncommitted", "none")
MEASURES = (
    "OR",
    "RR",
    "HR",
    "MD",
    "SMD",
    "effect size",
    "percentage",
    "mean",
    "median",
    "P",
    "n",
    "trials",
    "dose",
    "duration",
    "age",
    "follow-up",
    "fold",
    "other",
)
AXES = ("outcome", "condition")
STANCES = (
    "benefit",
    "approved",
    "no_effect",
    "neutral",
    "mixed",
    "harm",
    "not_approved",
    "doubt",
    "none",
)
"""What a claim says in its cell; doubt is said of the evidence."""

AGREEMENTS = ("single", "agree", "mixed", "conflict")
CONFLICT_KINDS = ("direction", "certainty", "strength", "status")
CHANGES = ("added", "removed", "changed")
CAUSES = (
    "document",
    "source settings",
    "model",
    "lexicon",
    "knowledge base",
    "settings",
    "limits",
    "code",
    "dependencies",
)
REASONS = (
    "unknown_format",
    "unreadable",
    "too_large",
    "empty",
    "binary",
    "malformed",
    "no_text",
    "language",
    "missing_id",
    "duplicate_id",
    "worker_failed",
)

STRING, INT, FLOAT = pa.string(), pa.int32(), pa.float64()


@dataclass(frozen=True)
class Column:
    """One column: its Arrow type, what it means, and what its values may be.

    values: a closed vocabulary, in order (the column is then dictionary-encoded).
    low, high: inclusive bounds of a number.
    refers: "table.column" whose values must hold every non-null value of this one.
    """

    name: str
    type: pa.DataType
    description: str
    nullable: bool = False
    values: tuple[str, ...] | None = None
    low: float | None = None
    high: float | None = None
    refers: str | None = None

    @property
    def field(self) -> pa.Field:
        """The Arrow field, with the description in its metadata."""
        arrow = pa.dictionary(pa.int8(), STRING) if self.values else self.type
        return pa.field(self.name, arrow, self.nullable, {"description": self.description})


@dataclass(frozen=True)
class Table:
    """One table: what a row is, its columns, key and order.

    key: the columns that identify a row.
    order: the columns that rows are sorted by, inside a part.
    spans: (start, end, text) column triples with documents.text[start:end] == text; text may be
        None where the table holds no copy of it (the span must then lie inside the document).
    per_document: rows belong to one document (they have a doc_id) and the table is split in parts.
    internal: kept for re-runs and tools, not meant for analysts.
    """

    name: str
    version: int
    row: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    order: tuple[str, ...]
    spans: tuple[tuple[str, str, str | None], ...] = ()
    per_document: bool = True
    internal: bool = False
    by_name: Mapping[str, Column] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "by_name", {c.name: c for c in self.columns})

    @property
    def schema(self) -> pa.Schema:
        """The Arrow schema, with the table's name, version and meaning in its metadata."""
        metadata = {
            "hedgerow.table": self.name,
            "hedgerow.schema_version": str(self.version),
            "hedgerow.row": self.row,
        }
        return pa.schema([c.field for c in self.columns], metadata)


def _vocabulary(name: str, values: tuple[str, ...], text: str, nullable: bool = False) -> Column:
    return Column(name, STRING, text, nullable, values=values)


def _probability(name: str, text: str, nullable: bool = False) -> Column:
    return Column(name, FLOAT, text, nullable, low=0.0, high=1.0)


_DOC = Column("doc_id", STRING, "The document.", refers="documents.doc_id")
_SENTENCE = Column("sentence_id", STRING, "The sentence.", refers="sentences.sentence_id")
_CLAIM = Column("claim_id", STRING, "The claim.", refers="claims.claim_id")
_START = Column("start", INT, "First code point in documents.text.", low=0)
_END = Column("end", INT, "Code point after the last one.", low=0)
_TEXT = Column("text", STRING, "The verbatim text: documents.text[start:end].")


def _id(name: str, what: str) -> Column:
    return Column(name, STRING, what)


def _optional(name: str, text: str, kind: pa.DataType = STRING) -> Column:
    return Column(name, kind, text, nullable=True)


def _argument(name: str, text: str, *, linked: bool = False) -> tuple[Column, ...]:
    """The columns of a claim's argument: its text, where it stands, and its linked id."""
    columns = (
        _optional(name, text),
        _optional(f"{name}_start", f"Where {name} stands, if it stands in the document.", INT),
        _optional(f"{name}_end", f"Where {name} ends.", INT),
    )
    if linked:
        return (*columns, _optional(f"{name}_id", f"Knowledge-base id of {name}."))
    return columns


_SOURCE_OF_CLAIM = (
    _optional("title", "Title of the document."),
    _optional("publisher", "Publisher of the document."),
    _optional("url", "Address of the document."),
    _vocabulary("interest", INTERESTS, "What kind of party publishes the document."),
)

DOCUMENTS = Table(
    "documents",
    1,
    "a source document",
    (
        _id("doc_id", "Declared id, else the path below the corpus folder."),
        Column("path", STRING, "Path below the corpus folder, forward slashes."),
        _optional("url", "Where the document was published."),
        _optional("title", "Title."),
        _optional("publisher", "Publisher or site name."),
        _optional("author", "Author or authors, as stated."),
        _optional("published", "Date of publication as stated, ISO 8601 where it can be read so."),
        Column("media_type", STRING, "Media type of the source, such as text/html."),
        _optional(
            "language", "Language (BCP 47): of the text where it is clear, else as declared."
        ),
        _optional("licence", "Licence as stated."),
        _vocabulary("interest", INTERESTS, "What kind of party publishes the document."),
        Column("interest_basis", STRING, "How interest was determined."),
        Column("source_sha256", STRING, "SHA-256 of the bytes that hold the document."),
        Column("text", STRING, "Normalised text; all offsets point into it."),
    ),
    key=("doc_id",),
    order=("doc_id",),
)
BLOCKS_TABLE = Table(
    "blocks",
    1,
    "a block of a document",
    (
        _id("block_id", "hash(doc_id, block text, occurrence)."),
        _DOC,
        Column("index", INT, "Position in the document, from 0.", low=0),
        _START,
        _END,
        _vocabulary("block", BLOCKS, "What kind of block it is."),
        _optional("level", "Depth of a heading (1 to 6) or of a list item (from 1).", pa.int8()),
        _optional("section", "Text of the heading that the block stands under."),
        Column(
            "parent_id",
            STRING,
            "Block that leads in: of a list item its lead-in or outer item, of a table row its "
            "header row, of a figure card's part the card's first part.",
            nullable=True,
            refers="blocks.block_id",
        ),
        _optional("row", "Row number in its table, from 0 (the header).", INT),
        _optional("page", "Page that it starts on, from 1, where there are pages.", INT),
    ),
    key=("block_id",),
    order=("doc_id", "index"),
    spans=(("start", "end", None),),
)
REFERENCES = Table(
    "references",
    1,
    "an entry of a reference list",
    (
        _id("reference_id", "hash(doc_id, raw, occurrence)."),
        _DOC,
        Column("index", INT, "Position in the reference list, from 0.", low=0),
        _optional("marker", "Number or label of the entry, without brackets."),
        _START,
        _END,
        Column("raw", STRING, "The entry, verbatim: documents.text[start:end]."),
        _optional("authors", "Authors as printed."),
        _optional("title", "Title of the work."),
        _optional("year", "Year of publication.", INT),
        _optional("venue", "Journal, book or site."),
        _optional("doi", "DOI, lower case, without resolver."),
        _optional("pmid", "PubMed id."),
        _optional("pmcid", "PubMed Central id, such as PMC4689177."),
        _optional("cochrane_id", "Cochrane review number, such as CD007026."),
        _optional("registration", "Trial registration, such as NCT00868283."),
    ),
    key=("reference_id",),
    order=("doc_id", "index"),
    spans=(("start", "end", "raw"),),
)
SENTENCES = Table(
    "sentences",
    1,
    "a unit of text: a sentence, list item, heading or table row",
    (
        _id("sentence_id", "hash(doc_id, text, occurrence)."),
        _DOC,
        Column("block_id", STRING, "The block it stands in.", refers="blocks.block_id"),
        Column("index", INT, "Position in the document, from 0.", low=0),
        _START,
        _END,
        _TEXT,
        _vocabulary("block", BLOCKS, "Kind of that block."),
        _optional("section", "Text of the heading that it stands under."),
        Column(
            "lead_in_id",
            STRING,
            "Sentence that leads in: the last sentence of the block's parent.",
            nullable=True,
            refers="sentences.sentence_id",
        ),
    ),
    key=("sentence_id",),
    order=("doc_id", "index"),
    spans=(("start", "end", "text"),),
)
TOKENS = Table(
    "tokens",
    1,
    "a token",
    (
        _DOC,
        _SENTENCE,
        Column("index", INT, "Position in the sentence, from 0.", low=0),
        _START,
        _END,
    ),
    key=("sentence_id", "index"),
    order=("doc_id", "start"),
    spans=(("start", "end", None),),
)
_SCORES = pa.list_(pa.float32())
ANNOTATIONS = Table(
    "annotations",
    1,
    "the model's outputs for a sentence",
    (
        _DOC,
        _SENTENCE,
        Column("span_label", pa.list_(STRING), "Label of each span: an entity's or argument's."),
        Column("span_start", pa.list_(INT), "First token of each span."),
        Column("span_end", pa.list_(INT), "Token after each span."),
        Column("span_score", _SCORES, "Mean probability of each span's tags, 0 to 1."),
        Column("speculation", _SCORES, "Per token: probability of being in a speculation cue."),
        Column("negation", _SCORES, "Per token: probability of being in a negation cue."),
        Column("hedge", _SCORES, "Per token: the same for a hedge as the guideline draws it."),
        Column("denial", _SCORES, "Per token: the same for a negation as the guideline draws it."),
        Column("speculation_first", _SCORES, "Per token: probability of opening such a scope."),
        Column("speculation_last", _SCORES, "Per token: probability of closing such a scope."),
        Column("negation_first", _SCORES, "Per token: probability of opening such a scope."),
        Column("negation_last", _SCORES, "Per token: probability of closing such a scope."),
        Column("kind", _SCORES, "Probability of each kind, in the label order."),
        Column("certainty", _SCORES, "Probability of each certainty."),
        Column("polarity", _SCORES, "Probability of each polarity."),
        Column("attribution", _SCORES, "Probability of each attribution."),
        Column("claim_type", _SCORES, "Probability of each claim type."),
        Column("direction", _SCORES, "Probability of each direction."),
        Column("evidence", _SCORES, "Probability of each kind of evidence."),
        Column("effect", _SCORES, "Probability of each effect on the outcome."),
    ),
    key=("sentence_id",),
    order=("doc_id", "sentence_id"),
    internal=True,
)
ENTITIES = Table(
    "entities",
    1,
    "a mention of an entity",
    (
        _id("entity_id", "hash(sentence_id, span inside the sentence, label)."),
        _DOC,
        _SENTENCE,
        _START,
        _END,
        _TEXT,
        _vocabulary("label", ENTITY_LABELS, "What kind of thing it is."),
        _optional("kb", "Knowledge base of the link."),
        _optional("kb_id", "Identifier in it."),
        _optional("kb_name", "Canonical name in it."),
        Column("link_score", FLOAT, "Similarity of the name found, 0..1.", True, low=0.0, high=1.0),
        _optional("long_form", "Long form of an abbreviation, as the document defines it."),
        _probability("score", "Raw score of the mention, 0..1."),
        Column("source", STRING, "What found it: model, or the rule or name list."),
    ),
    key=("entity_id",),
    order=("doc_id", "start", "end"),
    spans=(("start", "end", "text"),),
)
CUES = Table(
    "cues",
    1,
    "a cue: a word that hedges, denies, conditions, reports or strengthens",
    (
        _id("cue_id", "hash(sentence_id, span inside the sentence, category)."),
        _DOC,
        _SENTENCE,
        _START,
        _END,
        _TEXT,
        Column("lemma", STRING, "Lexicon entry, or the text in lower case."),
        _vocabulary("category", CUE_CATEGORIES, "What the cue does."),
        _vocabulary("level", CUE_LEVELS, "The certainty that it leads to, or none."),
        _optional("scope_start", "First code point that it governs.", INT),
        _optional("scope_end", "Code point after its scope.", INT),
        _probability("score", "Raw score, 0..1."),
        Column("source", STRING, "model, or the id of the lexicon entry."),
    ),
    key=("cue_id",),
    order=("doc_id", "start", "end"),
    spans=(("start", "end", "text"),),
)
CERTAINTY = Table(
    "certainty",
    1,
    "a sentence's classification",
    (
        _DOC,
        _SENTENCE,
        _vocabulary("kind", KINDS, "What the unit is."),
        _vocabulary("certainty", CERTAINTIES, "How committed the source is; claims only.", True),
        _vocabulary("polarity", POLARITIES, "Affirmed or denied; claims only.", True),
        _vocabulary("attribution", ATTRIBUTIONS, "In whose voice; claims only.", True),
        _vocabulary("claim_type", CLAIM_TYPES, "What it is about; claims only.", True),
        _vocabulary("direction", DIRECTIONS, "Value for the person; claims only.", True),
        _vocabulary("evidence", EVIDENCE, "Strongest evidence named; claims only.", True),
        *(_probability(f"p_{kind}", f"Probability that the kind is {kind}.") for kind in KINDS),
        *(_probability(f"p_{c}", f"Probability that the certainty is {c}.") for c in CERTAINTIES),
        _probability("p_negated", "Probability that the proposition is denied."),
        _probability("certainty_score", "How sure the source says it is, 0..1."),
        _probability("confidence", "Calibrated probability: a claim, with this certainty."),
    ),
    key=("sentence_id",),
    order=("doc_id", "sentence_id"),
)
CLAIMS = Table(
    "claims",
    1,
    "a claim",
    (
        _id("claim_id", "hash(sentence_id, span inside the sentence)."),
        _SENTENCE,
        _DOC,
        Column("index", INT, "Position among the sentence's claims, from 0.", low=0),
        _START,
        _END,
        _TEXT,
        Column("context", STRING, "The claim as a sentence that reads alone."),
        _vocabulary("claim_type", CLAIM_TYPES, "What it is about."),
        *_argument("subject", "What the claim is about.", linked=True),
        *_argument("outcome", "The first effect, condition or property.", linked=True),
        *_argument("population", "Who or what it was seen in."),
        *_argument("comparator", "What it is compared with."),
        _vocabulary("effect", EFFECTS, "What happens to the outcome as measured.", True),
        _vocabulary("direction", DIRECTIONS, "The value of that for the person."),
        _vocabulary("certainty", CERTAINTIES, "How committed the source is to it."),
        _probability("certainty_score", "How sure the source says it is, 0..1."),
        _vocabulary("polarity", POLARITIES, "Affirmed or denied."),
        _probability("confidence", "Calibrated probability: a claim, with this certainty."),
        _vocabulary("attribution", ATTRIBUTIONS, "In whose voice it is said."),
        *_argument("attributed_to", "The party or study that it is put to."),
        _optional("study", "The named trial or review behind it."),
        _vocabulary("evidence", EVIDENCE, "The strongest evidence that it names."),
        *_SOURCE_OF_CLAIM,
        _optional("section", "Text of the heading that it stands under."),
    ),
    key=("claim_id",),
    order=("doc_id", "start", "end"),
    spans=(
        ("start", "end", "text"),
        ("subject_start", "subject_end", None),
        ("outcome_start", "outcome_end", None),
        ("population_start", "population_end", None),
        ("comparator_start", "comparator_end", None),
        ("attributed_to_start", "attributed_to_end", "attributed_to"),
    ),
)
CLAIM_OUTCOMES = Table(
    "claim_outcomes",
    1,
    "an outcome of a claim",
    (
        _CLAIM,
        _DOC,
        Column("index", INT, "Order in the claim, from 0.", low=0),
        *_argument("outcome", "The outcome.", linked=True),
    ),
    key=("claim_id", "index"),
    order=("doc_id", "claim_id", "index"),
)
CLAIM_REFERENCES = Table(
    "claim_references",
    1,
    "a reference or identifier that a claim cites",
    (
        _CLAIM,
        _DOC,
        Column("index", INT, "Order in the claim, from 0.", low=0),
        Column("citation_id", STRING, "The marker.", refers="citations.citation_id"),
        Column(
            "reference_id",
            STRING,
            "The entry, where the marker resolves to one.",
            True,
            refers="references.reference_id",
        ),
        _optional("identifier", "Bare identifier, such as pmid:26564102 or CD007026."),
    ),
    key=("claim_id", "index"),
    order=("doc_id", "claim_id", "index"),
)
CLAIM_CUES = Table(
    "claim_cues",
    1,
    "a cue that decides a claim's certainty or polarity",
    (
        _CLAIM,
        _DOC,
        Column("index", INT, "Order in the claim, from 0.", low=0),
        Column("cue_id", STRING, "The cue.", refers="cues.cue_id"),
    ),
    key=("claim_id", "index"),
    order=("doc_id", "claim_id", "index"),
)
CITATIONS = Table(
    "citations",
    1,
    "a citation marker in the text",
    (
        _id("citation_id", "hash(sentence_id, span inside the sentence, target)."),
        _DOC,
        _SENTENCE,
        _START,
        _END,
        Column("marker", STRING, "The marker, verbatim: documents.text[start:end]."),
        Column(
            "reference_id",
            STRING,
            "The entry of the reference list, null if unresolved.",
            True,
            refers="references.reference_id",
        ),
        _optional("identifier", "Bare identifier, such as pmid:26564102 or CD007026."),
    ),
    key=("citation_id",),
    order=("doc_id", "start", "end", "citation_id"),
    spans=(("start", "end", "marker"),),
)
STATISTICS = Table(
    "statistics",
    1,
    "a reported number",
    (
        _id("statistic_id", "hash(sentence_id, span inside the sentence)."),
        _DOC,
        Column(
            "claim_id", STRING, "The claim; null outside claims.", True, refers="claims.claim_id"
        ),
        _SENTENCE,
        _START,
        _END,
        _TEXT,
        _vocabulary("measure", MEASURES, "What is measured."),
        _optional("value", "The number; null where only an interval or P value is given.", FLOAT),
        _optional("unit", "Unit as printed, such as mL or %."),
        _optional("ci_low", "Lower bound of the confidence interval.", FLOAT),
        _optional("ci_high", "Upper bound.", FLOAT),
        _optional("ci_level", "Its level in percent.", FLOAT),
        _optional("p_value", "P value.", FLOAT),
        _optional("p_operator", "=, <, >, <= or >=."),
        _optional("arm", "The arm or group that it belongs to."),
    ),
    key=("statistic_id",),
    order=("doc_id", "start", "end"),
    spans=(("start", "end", "text"),),
)
_DIGEST = pa.binary(8)
_TEXTS = pa.list_(STRING)


def _struct(**fields: pa.DataType) -> pa.DataType:
    return pa.list_(pa.struct(list(fields.items())))


STATEMENTS = Table(
    "statements",
    1,
    "what the evidence stage needs of a claim, from its own document",
    (
        _DOC,
        _CLAIM,
        _vocabulary("stance", STANCES, "The side that the claim takes."),
        Column("subject_key", STRING, "The subject's name, normalised."),
        _probability("exactness", "How sure it is that the claim is about that subject."),
        Column("of_evidence", pa.bool_(), "A doubt whose subject is the evidence itself."),
        Column(
            "outcomes",
            _struct(text=STRING, kb_id=STRING, key=STRING, denied=pa.bool_()),
            "Each outcome: its name, also normalised, and whether its clause denies.",
        ),
        Column("approval", pa.bool_(), "A regulatory claim about approval."),
        _optional("narrow", "The narrow outcome that its text names."),
        Column(
            "mentions",
            _struct(place=STRING, text=STRING, kb_id=STRING, key=STRING),
            "Each disease named in its population, outcome or text.",
        ),
        _optional("population_group", "The group of people, such as healthy people."),
        Column("population_words", _TEXTS, "Words that say which people."),
        _optional("species", "human, animal or cells."),
        _optional("place", "Where an approval holds."),
        Column("cited", _TEXTS, "Keys of the works that it cites, in order."),
        _optional("study_key", "The named study, normalised."),
        Column("study_alone", pa.bool_(), "That name alone tells the study from all others."),
        Column("numbers", _struct(measure=STRING, text=STRING), "Doses, durations, ages, as said."),
        _optional("null_interval", "All its intervals hold the value of no effect.", pa.bool_()),
        Column("measured", pa.bool_(), "It reports a P value or confidence interval."),
        Column("clear", pa.bool_(), "Its words say which side it takes."),
        Column("denies", pa.bool_(), "Its words deny something."),
        Column("text_key", _DIGEST, "Digest of its folded text: copies have the same."),
        Column("bands", pa.list_(pa.int64()), "MinHash signature of its text, one key a band."),
        Column("digest", _DIGEST, "Of the claim and of this row."),
    ),
    key=("claim_id",),
    order=("doc_id", "claim_id"),
    internal=True,
)
WORKS = Table(
    "works",
    1,
    "what tells that entries of two reference lists are one work",
    (
        _DOC,
        Column("reference_id", STRING, "The entry.", refers="references.reference_id"),
        Column("keys", _TEXTS, "Its identifiers and title, each in one spelling."),
        Column("trials", _TEXTS, "Trials that it names."),
        Column("review", pa.bool_(), "It is a systematic review."),
    ),
    key=("reference_id",),
    order=("doc_id", "reference_id"),
    internal=True,
)
EVIDENCE_MAP = Table(
    "evidence_map",
    2,
    "a subject and an outcome",
    (
        _id("cell_id", "hash(subject key, axis, outcome key)."),
        Column("subject", STRING, "The subject's commonest name."),
        _optional("subject_id", "Its knowledge-base id."),
        _vocabulary(
            "axis", AXES, "Whether claims meet in an outcome, or in whom the treatment is for."
        ),
        Column("outcome", STRING, "The outcome's or condition's commonest name."),
        _optional("outcome_id", "Its knowledge-base id."),
        Column("claims", INT, "Claims in the cell.", low=1),
        Column("documents", INT, "Documents that make them.", low=1),
        Column("statements", INT, "Distinct statements: copied sentences count once.", low=1),
        *(
            Column(f"direction_{d}", INT, f"Claims whose direction is {d}.", low=0)
            for d in DIRECTIONS
        ),
        *(Column(c, INT, f"Claims whose certainty is {c}.", low=0) for c in CERTAINTIES),
        Column("studies", INT, "Independent studies or references named behind them.", low=0),
        _vocabulary("strongest_evidence", EVIDENCE, "Strongest kind of evidence named."),
        _vocabulary("agreement", AGREEMENTS, "Whether the claims agree."),
        Column("favourable", STRING, "Interests that claim a benefit, with counts."),
        Column("unfavourable", STRING, "Interests that claim harm or no effect, with counts."),
        Column("digest", _DIGEST, "Of all that the row, its claims and conflicts are made from."),
    ),
    key=("cell_id",),
    order=("subject", "outcome", "cell_id"),
    per_document=False,
)
EVIDENCE_CLAIMS = Table(
    "evidence_claims",
    1,
    "a claim in a cell of the evidence map",
    (
        Column("cell_id", STRING, "The cell.", refers="evidence_map.cell_id"),
        _CLAIM,
        _DOC,
        _vocabulary("stance", STANCES, "The side that the claim takes."),
        Column("copy_of", STRING, "Least id of the claims that copy its sentence, or its own."),
        Column("studies", STRING, "Studies behind it, one spelling across documents, by comma."),
    ),
    key=("cell_id", "claim_id"),
    order=("cell_id", "doc_id", "claim_id"),
    per_document=False,
)
_SIDES = tuple(
    column
    for side, word in (("a", "first"), ("b", "second"))
    for column in (
        Column(f"claim_{side}", STRING, f"The {word} claim.", refers="claims.claim_id"),
        Column(f"quote_{side}", STRING, f"Its text, verbatim, of the {word} claim."),
        Column(f"doc_{side}", STRING, f"Document of the {word} claim.", refers="documents.doc_id"),
        _optional(f"publisher_{side}", f"Publisher of the {word} claim."),
        _vocabulary(f"interest_{side}", INTERESTS, f"Interest behind the {word} claim."),
        _vocabulary(f"evidence_{side}", EVIDENCE, f"Evidence that the {word} claim names."),
    )
)
_PAIR = (
    _id("conflict_id", "hash(both claim ids, kind)."),
    _vocabulary("kind", CONFLICT_KINDS, "What they disagree in."),
    Column("cell_id", STRING, "Their subject and outcome.", refers="evidence_map.cell_id"),
    Column("subject", STRING, "The subject."),
    Column("outcome", STRING, "The outcome."),
    *_SIDES,
    Column("aligns", STRING, "What the two have in common."),
    Column("differs", STRING, "What differs between them, which may explain it."),
    Column(
        "explained",
        pa.bool_(),
        "Populations, places, doses or times differ: perhaps no contradiction at all.",
    ),
    Column("score", FLOAT, "How worth reading the pair is by itself; rank also spreads.", low=0),
)
CANDIDATES = Table(
    "candidates",
    1,
    "two claims that disagree, in a cell of the evidence map",
    (
        *_PAIR,
        Column("copy_a", STRING, "Least id of the claims that copy the first claim's sentence."),
        Column("copy_b", STRING, "Least id of the claims that copy the second claim's sentence."),
    ),
    key=("cell_id", "conflict_id"),
    order=("cell_id", "conflict_id"),
    per_document=False,
    internal=True,
)
CONFLICTS = Table(
    "conflicts",
    1,
    "two claims that disagree",
    (_PAIR[0], Column("rank", INT, "1 is the most worth reading.", low=1), *_PAIR[1:]),
    key=("conflict_id",),
    order=("rank",),
    per_document=False,
)
CHANGES_TABLE = Table(
    "changes",
    1,
    "a claim added, removed or changed since the previous snapshot",
    (
        Column("claim_id", STRING, "The claim, in the snapshot that has it."),
        Column("doc_id", STRING, "Its document."),
        _vocabulary("change", CHANGES, "What happened."),
        _optional("field", "The column that changed; null if the claim came or went."),
        _optional("before", "Its value before."),
        _optional("after", "Its value now."),
        _vocabulary("cause", CAUSES, "The first input that differs."),
        Column("text", STRING, "The claim's text."),
    ),
    key=("claim_id", "change", "field"),
    order=("doc_id", "claim_id", "field"),
    per_document=False,
)
RUNS = Table(
    "runs",
    2,
    "a run that wrote a snapshot",
    (
        _id("run_id", "The snapshot's name."),
        Column("started", pa.timestamp("ms", "UTC"), "When it started."),
        Column("finished", pa.timestamp("ms", "UTC"), "When its tables were complete."),
        Column("hedgerow_version", STRING, "Version of the package."),
        Column("python_version", STRING, "Version of Python."),
        Column("engine", STRING, "How batches were mapped."),
        Column("workers", INT, "Worker processes.", low=1),
        *(
            Column(f"{name.replace(' ', '_')}_digest", STRING, f"Digest of the {name}.")
            for name in CAUSES[1:]
        ),
        Column("documents", INT, "Documents in the snapshot.", low=0),
        Column("documents_processed", INT, "Documents that were processed anew.", low=0),
        Column("sentences", INT, "Sentences.", low=0),
        Column("claims", INT, "Claims.", low=0),
        Column("conflicts", INT, "Conflicts.", low=0),
        Column("rejects", INT, "Rejects.", low=0),
        *(
            Column(f"seconds_{stage}", FLOAT, f"Seconds in the stage {stage}, over workers.", low=0)
            for stage in (
                "documents",
                "sentences",
                "annotations",
                "entities",
                "cues",
                "certainty",
                "claims",
                "statements",
                "evidence",
            )
        ),
    ),
    key=("run_id",),
    order=("run_id",),
    per_document=False,
)
REJECTS = Table(
    "rejects",
    1,
    "a document, or part of one, that could not be used",
    (
        Column("path", STRING, "Path below the corpus folder."),
        Column("item", STRING, "Which item of the file, such as line 3; empty for the whole file."),
        Column("stage", STRING, "Where it failed: scan, or the stage."),
        _vocabulary("reason", REASONS, "Why."),
        Column("detail", STRING, "What was found, what was expected, what to do next."),
        Column("transient", pa.bool_(), "A later run tries again."),
    ),
    key=("path", "item"),
    order=("path", "item"),
    per_document=False,
)
SOURCES = Table(
    "sources",
    1,
    "a document's place in the corpus folder",
    (
        Column("path", STRING, "Path below the corpus folder."),
        Column("ordinal", INT, "Position in the file, from 0.", low=0),
        Column("offset", pa.int64(), "First byte; -1 for a row of a table.", low=-1),
        Column("length", pa.int64(), "Bytes.", low=0),
        Column("sha256", STRING, "SHA-256 of these bytes."),
        Column("file_sha256", STRING, "SHA-256 of the file."),
        _optional("declared_id", "The id that the document declares."),
        Column("label", STRING, "How to name it to people, such as line 3; empty for a file."),
        _optional("override", "What sources.toml says of it, as JSON."),
    ),
    key=("path", "ordinal"),
    order=("path", "ordinal"),
    per_document=False,
    internal=True,
)

TABLES: Mapping[str, Table] = {
    table.name: table
    for table in (
        DOCUMENTS,
        BLOCKS_TABLE,
        REFERENCES,
        SENTENCES,
        TOKENS,
        ANNOTATIONS,
        ENTITIES,
        CUES,
        CERTAINTY,
        CLAIMS,
        CLAIM_OUTCOMES,
        CLAIM_REFERENCES,
        CLAIM_CUES,
        CITATIONS,
        STATISTICS,
        STATEMENTS,
        WORKS,
        EVIDENCE_MAP,
        EVIDENCE_CLAIMS,
        CANDIDATES,
        CONFLICTS,
        CHANGES_TABLE,
        RUNS,
        REJECTS,
        SOURCES,
    )
}


def from_rows(name: str, rows: Iterable[Mapping[str, Any]]) -> pa.Table:
    """Return rows (dicts of column name to value; a missing one is null) as the table `name`.

    Raises ContractError where a value does not fit its column's type or vocabulary, or where a
    row has a key that is no column.
    """
    table = TABLES[name]
    rows = list(rows)
    unknown = sorted({key for row in rows for key in row} - set(table.by_name))
    if unknown:
        raise ContractError(
            f"table {name}: found unknown columns {unknown}; expected some of {list(table.by_name)}"
        )
    arrays = []
    for column in table.columns:
        values = [row.get(column.name) for row in rows]
        arrays.append(_array(name, column, values))
    return pa.Table.from_arrays(arrays, schema=table.schema)


def from_columns(name: str, columns: Mapping[str, Any]) -> pa.Table:
    """Return sequences or Arrow arrays, one a column, as the table `name`."""
    table = TABLES[name]
    arrays = [_array(name, column, columns[column.name]) for column in table.columns]
    return pa.Table.from_arrays(arrays, schema=table.schema)


def _array(name: str, column: Column, values: Any) -> pa.Array:
    try:
        if isinstance(values, pa.ChunkedArray):
            values = values.combine_chunks()
        if column.values is None:
            return (
                values.cast(column.type)
                if isinstance(values, pa.Array)
                else pa.array(values, column.type)
            )
        vocabulary = pa.array(column.values, STRING)
        if isinstance(values, pa.DictionaryArray):
            if values.type.index_type == pa.int8() and values.dictionary.equals(vocabulary):
                return values
            values = values.dictionary_decode()
        values = pa.array(values, STRING)
        codes = pc.index_in(values, value_set=vocabulary).cast(pa.int8())
        if codes.null_count > values.null_count:
            raise KeyError(values.filter(pc.and_(codes.is_null(), values.is_valid()))[0].as_py())
        return pa.DictionaryArray.from_arrays(codes, vocabulary)
    except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError) as error:
        raise ContractError(
            f"table {name}, column {column.name}: {error}; expected {column.type}"
        ) from error
    except KeyError as error:
        raise ContractError(
            f"table {name}, column {column.name}: found {error}; expected one of {column.values}"
        ) from error


def empty(name: str) -> pa.Table:
    """Return the table `name` without rows."""
    return from_rows(name, ())


def conform(name: str, table: pa.Table) -> pa.Table:
    """Return the table with the declared schema, sorted in the declared order, in one chunk.

    Dictionaries become the whole declared vocabulary, so that equal rows give equal bytes.
    """
    spec = TABLES[name]
    columns = {column.name: table.column(column.name) for column in spec.columns}
    result = from_columns(name, columns)
    if result.num_rows > 1:
        result = result.take(pc.sort_indices(result, [(c, "ascending") for c in spec.order]))
    return result.combine_chunks()


def concat(name: str, parts: Sequence[pa.Table]) -> pa.Table:
    """Return the rows of all parts as one table in the declared order."""
    if not parts:
        return empty(name)
    return conform(name, pa.concat_tables([p.cast(TABLES[name].schema) for p in parts]))


def check(tables: Mapping[str, pa.Table], *, names: Iterable[str] | None = None) -> None:
    """Raise ContractError at the first invariant that the tables break.

    Checked for each table named (by default all given): the schema, nulls, vocabularies, ranges,
    unique keys, and that spans slice back to `documents.text`. A column that refers to another
    table is checked where that table is given too.
    """
    for name in names if names is not None else tables:
        _check_columns(TABLES[name], tables[name])
        _check_key(TABLES[name], tables[name])
        for column in TABLES[name].columns:
            _check_reference(TABLES[name], column, tables)
        _check_spans(TABLES[name], tables)


def _check_columns(spec: Table, table: pa.Table) -> None:
    if not table.schema.equals(spec.schema):
        raise ContractError(
            f"table {spec.name}: found the schema\n{table.schema}\nexpected\n{spec.schema}"
        )
    for column in spec.columns:
        values = table.column(column.name)
        if not column.nullable and values.null_count:
            row = pc.index(pc.is_null(values), True).as_py()
            raise ContractError(
                f"table {spec.name}, column {column.name}: found {values.null_count} nulls, first "
                f"in row {table.slice(row, 1).to_pylist()[0]}; expected none"
            )
        if column.values is not None:
            found = {v for chunk in values.chunks for v in chunk.dictionary.to_pylist()}
            if not found <= set(column.values):
                raise ContractError(
                    f"table {spec.name}, column {column.name}: found "
                    f"{sorted(found - set(column.values))}; expected some of {column.values}"
                )
        for bound, outside in ((column.low, pc.less), (column.high, pc.greater)):
            if bound is None:
                continue
            wrong = (
                pc.or_kleene(outside(values, bound), pc.is_nan(values))
                if pa.types.is_floating(values.type)
                else outside(values, bound)
            )
            if pc.any(wrong).as_py():
                row = table.filter(wrong).slice(0, 1).to_pylist()[0]
                raise ContractError(
                    f"table {spec.name}, column {column.name}: found {row[column.name]} in row "
                    f"{row}; expected {column.low} to {column.high}"
                )


def _check_key(spec: Table, table: pa.Table) -> None:
    groups = table.group_by(list(spec.key)).aggregate([([], "count_all")])
    if groups.num_rows != table.num_rows:
        double = groups.filter(pc.greater(groups.column("count_all"), 1)).slice(0, 1).to_pylist()
        raise ContractError(f"table {spec.name}: found the key {double[0]} more than once")


def _check_reference(spec: Table, column: Column, tables: Mapping[str, pa.Table]) -> None:
    if column.refers is None:
        return
    other, key = column.refers.split(".")
    if other not in tables:
        return
    values = tables[spec.name].column(column.name).drop_null()
    lost = values.filter(pc.invert(pc.is_in(values, tables[other].column(key))))
    if len(lost):
        raise ContractError(
            f"table {spec.name}, column {column.name}: found {lost[0].as_py()!r}, which is not in "
            f"{column.refers} ({len(lost)} such rows)"
        )


def _check_spans(spec: Table, tables: Mapping[str, pa.Table]) -> None:
    if not spec.spans or "documents" not in tables:
        return
    documents = tables["documents"]
    texts = dict(
        zip(
            documents.column("doc_id").to_pylist(),
            documents.column("text").to_pylist(),
            strict=True,
        )
    )
    table = tables[spec.name]
    doc_ids = table.column("doc_id").to_pylist()
    for start_name, end_name, text_name in spec.spans:
        starts, ends = table.column(start_name).to_pylist(), table.column(end_name).to_pylist()
        quotes = table.column(text_name).to_pylist() if text_name else [None] * len(starts)
        for doc_id, start, end, quote in zip(doc_ids, starts, ends, quotes, strict=True):
            if start is None and end is None:
                continue
            text = texts[doc_id]
            if start is None or end is None or not 0 <= start < end <= len(text):
                raise ContractError(
                    f"table {spec.name}, document {doc_id!r}: found {start_name}={start}, "
                    f"{end_name}={end}; expected a span inside its {len(text)} code points"
                )
            if quote is not None and text[start:end] != quote:
                raise ContractError(
                    f"table {spec.name}, document {doc_id!r}: documents.text[{start}:{end}] is "
                    f"{text[start:end]!r}; expected column {text_name}, {quote!r}"
                )
