"""annotations: the one neural pass; stores tags and scores, never vectors."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from hedgerow import tables
from hedgerow.stages.base import Stage, Tables
from hedgerow.stages.grouping import SentenceRow, sentence_rows

if TYPE_CHECKING:
    from spacy.language import Language

    from hedgerow.nlp.annotator import UnitAnnotation
    from hedgerow.resources import Resources

BATCH_TOKENS = 1024
"""Tokens that go through the network at once, roughly; more leave the processor's cache."""

_DIGITS = 4
_COMPONENT = "hedgerow_annotator"
_CUES = {
    "speculation": "SPECULATION",
    "negation": "NEGATION",
    "hedge": "HEDGE",
    "denial": "DENIAL",
}
_UNITS = {**tables.UNIT_LABELS, "effect": tables.EFFECTS}
"""Unit heads, with their classes in the order in which the table has them."""

Floats = npt.NDArray[np.float32]


def _run(inputs: Tables, resources: Resources) -> dict[str, pa.Table]:
    """Score every sentence; a row does not depend on the sentences beside it.

    A pipeline without Hedgerow's annotator gives its entities (with score 1) and empty scores.
    """
    rows = list(sentence_rows(inputs["sentences"], inputs["tokens"]))
    nlp = resources.language
    columns = (_scored if _COMPONENT in nlp.pipe_names else _entities_only)(rows, nlp)
    columns["doc_id"] = pa.array([row.doc_id for row in rows], pa.string())
    columns["sentence_id"] = pa.array([row.sentence_id for row in rows], pa.string())
    return {"annotations": tables.conform("annotations", pa.table(columns))}


def _scored(rows: Sequence[SentenceRow], nlp: Language) -> dict[str, pa.Array]:
    from hedgerow.nlp.annotator import CUE_LABELS, SCOPE_LABELS, UNIT_LABELS

    annotator = nlp.get_pipe(_COMPONENT)
    found: list[UnitAnnotation] = []
    for batch in _batches(rows):
        found += annotator.annotate([[row.text[i:j] for i, j in row.spans] for row in batch])
    spans = [[span for span in unit.spans if span.label not in CUE_LABELS] for unit in found]
    columns = _span_columns(
        [[(s.label, s.token_start, s.token_end, s.score) for s in unit] for unit in spans]
    )
    for name, label in _CUES.items():
        columns[name] = _scores([unit.cues[label] for unit in found])
    for name in SCOPE_LABELS:
        columns[name] = _scores([unit.scopes[name] for unit in found])
    for name, order in _UNITS.items():
        places = [UNIT_LABELS[name].index(value) for value in order]
        columns[name] = _scores([unit.units[name][places] for unit in found])
    return columns


def _entities_only(rows: Sequence[SentenceRow], nlp: Language) -> dict[str, pa.Array]:
    from hedgerow.nlp import make_docs

    spans: list[list[tuple[str, int, int, float]]] = []
    with nlp.memory_zone():
        for batch in _batches(rows):
            docs = make_docs(nlp.vocab, [row.text for row in batch], [row.spans for row in batch])
            spans += [
                [(ent.label_, ent.start, ent.end, 1.0) for ent in doc.ents]
                for doc in nlp.pipe(docs)
            ]
    columns = _span_columns(spans)
    nothing = _scores([np.zeros(0, dtype=np.float32)] * len(rows))
    for column in tables.ANNOTATIONS.columns:
        if column.name not in ("doc_id", "sentence_id", *columns):
            columns[column.name] = nothing
    return columns


def _batches(rows: Iterable[SentenceRow]) -> Iterator[list[SentenceRow]]:
    """Yield runs of sentences of about BATCH_TOKENS tokens."""
    batch: list[SentenceRow] = []
    size = 0
    for row in rows:
        if batch and size + len(row.spans) > BATCH_TOKENS:
            yield batch
            batch, size = [], 0
        batch.append(row)
        size += len(row.spans)
    if batch:
        yield batch


def _span_columns(units: Sequence[Sequence[tuple[str, int, int, float]]]) -> dict[str, pa.Array]:
    offsets = _offsets([len(spans) for spans in units])
    flat = [span for spans in units for span in spans]
    labels, starts, ends, scores = zip(*flat, strict=True) if flat else ((), (), (), ())
    return {
        "span_label": pa.ListArray.from_arrays(offsets, pa.array(labels, pa.string())),
        "span_start": pa.ListArray.from_arrays(offsets, pa.array(starts, pa.int32())),
        "span_end": pa.ListArray.from_arrays(offsets, pa.array(ends, pa.int32())),
        "span_score": pa.ListArray.from_arrays(
            offsets, pa.array(_rounded(np.asarray(scores, dtype=np.float32)))
        ),
    }


def _scores(units: Sequence[Floats]) -> pa.Array:
    """Return one list of scores a sentence."""
    values = np.concatenate(units) if units else np.zeros(0, dtype=np.float32)
    return pa.ListArray.from_arrays(
        _offsets([len(unit) for unit in units]), pa.array(_rounded(values))
    )


def _rounded(values: Floats) -> Floats:
    return np.round(values.astype(np.float64), _DIGITS).astype(np.float32)


def _offsets(lengths: Sequence[int]) -> pa.Array:
    return pa.array(np.cumsum([0, *lengths]), pa.int32())


STAGE = Stage(
    name="annotations",
    version=1,
    inputs=("sentences", "tokens"),
    outputs=("annotations",),
    uses=("model", "dependencies"),
    run=_run,
)
