"""certainty: what each unit is, how certainly, in whose voice, and how far to trust the row."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from hedgerow import tables
from hedgerow.stages.base import Stage, Tables

if TYPE_CHECKING:
    from hedgerow.nlp.classifier import Floats, UnitClasses, UnitClassifier
    from hedgerow.nlp.unit_features import Unit
    from hedgerow.resources import Resources

FOLDER = "units"
"""Folder of the classifier inside the model's."""


def _run(inputs: Tables, resources: Resources) -> dict[str, pa.Table]:
    """Classify every sentence from its own document alone.

    The annotator's probabilities are used where the model has them; without them the classifier
    stands alone, with a calibration of its own.
    """
    classifier = load_classifier(resources.folder(FOLDER))
    annotations = inputs["annotations"]
    documents = list(documents_of(inputs["sentences"]))
    ids = [sentence_id for _, ids, _ in documents for sentence_id in ids]
    heads = heads_of(annotations)
    if heads is not None:
        rows = {name: i for i, name in enumerate(_strings(annotations, "sentence_id"))}
        order = [rows[sentence_id] for sentence_id in ids]
        heads = {task: values[order] for task, values in heads.items()}
    found = classifier.classify((units for _, _, units in documents), heads)
    columns = {
        "doc_id": [doc_id for doc_id, ids, _ in documents for _ in ids],
        "sentence_id": ids,
        **_columns(found),
    }
    return {"certainty": tables.conform("certainty", tables.from_columns("certainty", columns))}


@lru_cache(maxsize=2)
def load_classifier(folder: Path) -> UnitClassifier:
    """Return the classifier in a folder, read once a process."""
    from hedgerow.nlp.classifier import UnitClassifier

    return UnitClassifier.load(folder)


def documents_of(sentences: pa.Table) -> Iterator[tuple[str, list[str], list[Unit]]]:
    """Yield each document's id, its sentence ids, and its sentences as units, in order."""
    from hedgerow.nlp.lexicon import load_cues
    from hedgerow.nlp.unit_features import Unit, find_unit_cues

    lexicon = load_cues()
    columns = {
        name: _strings(sentences, name)
        for name in ("doc_id", "sentence_id", "block_id", "text", "block", "section", "lead_in_id")
    }
    index = sentences.column("index").to_pylist()
    documents: dict[str, list[int]] = {}
    for row, doc_id in enumerate(columns["doc_id"]):
        documents.setdefault(doc_id, []).append(row)
    for doc_id in sorted(documents):
        order = sorted(documents[doc_id], key=index.__getitem__)
        ids = [columns["sentence_id"][row] for row in order]
        place = {sentence_id: i for i, sentence_id in enumerate(ids)}
        blocks: dict[str, int] = {}
        units = [
            Unit(
                text=columns["text"][row],
                block=columns["block"][row],
                block_number=blocks.setdefault(columns["block_id"][row], len(blocks)),
                section=columns["section"][row],
                lead_in=place.get(columns["lead_in_id"][row]),
                cues=find_unit_cues(columns["text"][row], lexicon),
            )
            for row in order
        ]
        yield doc_id, ids, units


def _strings(table: pa.Table, name: str) -> list[Any]:
    column = table.column(name)
    if pa.types.is_dictionary(column.type):
        column = column.cast(pa.string())
    return list(column.to_pylist())


def heads_of(annotations: pa.Table) -> dict[str, Floats] | None:
    """Return the annotator's probabilities, task -> (n_rows, classes); None without them."""
    from hedgerow.nlp.classifier import TASKS

    found = {}
    for task, classes in TASKS.items():
        values = annotations.column(task).combine_chunks()
        flat = np.asarray(values.flatten().to_numpy(), dtype=np.float64)
        if len(flat) != len(annotations) * len(classes):
            return None
        found[task] = flat.reshape(len(annotations), len(classes))
    return found


def _columns(found: UnitClasses) -> dict[str, Any]:
    """Return the classes as columns of `certainty`; only claims have more than a kind."""
    kinds = found.classes["kind"]
    return {
        "kind": kinds,
        **{
            task: [
                label if kind == "claim" else None
                for label, kind in zip(labels, kinds, strict=True)
            ]
            for task, labels in found.classes.items()
            if task != "kind"
        },
        **{
            f"p_{name}": found.probabilities[task][:, at].tolist()
            for task, names in (("kind", tables.KINDS), ("certainty", tables.CERTAINTIES))
            for at, name in enumerate(names)
        },
        "p_negated": found.probabilities["polarity"][:, 1].tolist(),
        "certainty_score": found.certainty_score,
        "confidence": found.confidence,
    }


STAGE = Stage(
    name="certainty",
    version=2,
    inputs=("sentences", "annotations"),
    outputs=("certainty",),
    uses=("model", "lexicon", "dependencies"),
    run=_run,
)
