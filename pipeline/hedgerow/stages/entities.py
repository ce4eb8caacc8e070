"""entities: decode mentions, expand abbreviations, link to a knowledge base."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from hedgerow import tables
from hedgerow.ids import make_id
from hedgerow.stages.base import Stage, Tables
from hedgerow.stages.grouping import SentenceRow, sentence_rows

if TYPE_CHECKING:
    from spacy.vocab import Vocab

    from hedgerow.nlp.linker import Link, Linker
    from hedgerow.nlp.mentions import Mention
    from hedgerow.resources import Resources

MODEL_LABELS = ("CHEMICAL", "DISEASE", "GENE", "ANATOMY", "SPECIES")
"""Labels that are taken from a model; it has others for arguments of claims."""

UNTYPED = "ENTITY"
"""The one label of scispaCy's general models: a mention has the type of its link, or is none."""

_STUDY_WORD = re.compile(r"\s+(?:trials?|study|studies|programme|program)$")
_DIGITS = 4
Span = tuple[str, int, int, float]


def _run(inputs: Tables, resources: Resources) -> dict[str, pa.Table]:
    """Find the mentions of each document and link each distinct name once."""
    from hedgerow.nlp.linker import load_linker

    linker = load_linker(resources.knowledge_base)
    spans = _spans(inputs["annotations"])
    found: list[tuple[SentenceRow, Mention]] = []
    vocab = _vocabulary()
    with vocab.memory_zone():
        for rows in _documents(sentence_rows(inputs["sentences"], inputs["tokens"])):
            for row, mentions in zip(rows, _mentions(rows, spans, linker, vocab), strict=True):
                found += [(row, mention) for mention in mentions]
    links = linker.link((name, m.label) for row, m in found for name in _names(row, m))
    entities = [
        _entity(row, m, _best([links[name, m.label] for name in _names(row, m)]))
        for row, m in found
    ]
    return {"entities": tables.conform("entities", tables.from_rows("entities", entities))}


@cache
def _vocabulary() -> Vocab:
    """Return the vocabulary that abbreviations are found with; it is emptied after each batch."""
    from spacy.vocab import Vocab

    return Vocab()


def _documents(rows: Iterator[SentenceRow]) -> Iterator[list[SentenceRow]]:
    for _, group in itertools.groupby(rows, key=lambda row: row.doc_id):
        yield list(group)


def _spans(annotations: pa.Table) -> dict[str, list[Span]]:
    """Return the model's spans of each sentence."""
    columns = ("span_label", "span_start", "span_end", "span_score")
    return {
        sentence_id: list(zip(*lists, strict=True))
        for sentence_id, *lists in zip(
            annotations.column("sentence_id").to_pylist(),
            *(annotations.column(name).to_pylist() for name in columns),
            strict=True,
        )
    }


def _mentions(
    rows: Sequence[SentenceRow], spans: Mapping[str, list[Span]], linker: Linker, vocab: Vocab
) -> list[list[Mention]]:
    """Return the mentions of each sentence of one document, resolved."""
    from hedgerow.nlp.mentions import (
        add_abbreviations,
        add_studies,
        find_definitions,
        load_mention_rules,
        resolve,
    )

    rules = load_mention_rules()
    texts = [row.text for row in rows]
    named = [
        resolve(
            [
                *_from_model(row, spans.get(row.sentence_id, ()), linker),
                *_from_names(row, linker),
            ]
        )
        for row in rows
    ]
    ruled = [
        [*mentions, *rules.find(text, mentions)]
        for text, mentions in zip(texts, named, strict=True)
    ]
    studied = add_studies(texts, ruled)
    definitions = find_definitions(texts, vocab)
    expanded = add_abbreviations(texts, studied, definitions, linker.label_of)
    return [resolve(mentions) for mentions in expanded]


def _from_model(row: SentenceRow, spans: Sequence[Span], linker: Linker) -> Iterator[Mention]:
    from hedgerow.nlp.mentions import MODEL, Mention

    for label, first, last, score in spans:
        start, end = row.spans[first][0], row.spans[last - 1][1]
        if label in MODEL_LABELS:
            yield Mention(start, end, label, round(float(score), _DIGITS), MODEL)
        elif label == UNTYPED:
            link = linker.link([(row.text[start:end], UNTYPED)])[row.text[start:end], UNTYPED]
            if link is not None:
                yield Mention(start, end, link.concept.types[0], float(score), MODEL)


def _from_names(row: SentenceRow, linker: Linker) -> Iterator[Mention]:
    from hedgerow.nlp.mentions import NAME_SCORE, NAMES, Mention

    for match in linker.find(row.text):
        yield Mention(match.start, match.end, match.label, NAME_SCORE, NAMES)


def _names(row: SentenceRow, mention: Mention) -> list[str]:
    """Return what a mention may be linked by, best first: its long form, its text.

    The name of a trial goes without "trial" too.
    """
    names = [mention.long_form] if mention.long_form else []
    text = row.text[mention.start : mention.end]
    names.append(text)
    if mention.label == "STUDY" and text != (bare := _STUDY_WORD.sub("", text)):
        names.append(bare)
    return names


def _best(links: Sequence[Link | None]) -> Link | None:
    """Return the link of the highest score, the first of equal ones."""
    return max((link for link in links if link), key=lambda link: link.score, default=None)


def _entity(row: SentenceRow, mention: Mention, link: Link | None) -> dict[str, Any]:
    return {
        "entity_id": make_id(row.sentence_id, mention.start, mention.end, mention.label),
        "doc_id": row.doc_id,
        "sentence_id": row.sentence_id,
        "start": row.start + mention.start,
        "end": row.start + mention.end,
        "text": row.text[mention.start : mention.end],
        "label": mention.label,
        "kb": link.concept.kb if link else None,
        "kb_id": link.concept.id if link else None,
        "kb_name": link.concept.name if link else None,
        "link_score": link.score if link else None,
        "long_form": mention.long_form,
        "score": mention.score,
        "source": mention.source,
    }


STAGE = Stage(
    name="entities",
    version=1,
    inputs=("sentences", "tokens", "annotations"),
    outputs=("entities",),
    uses=("model", "lexicon", "knowledge base", "dependencies"),
    run=_run,
)
