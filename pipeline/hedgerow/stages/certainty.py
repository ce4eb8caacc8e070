"""certainty: what each unit is, how certainly, in whose voice, and how far to trust the row."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from hedgerow import tables
from hedgerow.stages.base import Stage, Tables

if TYPE_CHECKING:
    from hedgerow.nlp.classifier import Floats, UnitClass, UnitClassifier
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
    rows = {sentence_id: i for i, sentence_id in enumerate(_strings(annotations, "sentence_id"))}
    heads = heads_of(annotations)
    columns: dict[str, list[Any]] = {column.name: [] for column in tables.CERTAINTY.columns}
    for doc_id, ids, units in documents_of(inputs["sentences"]):
        scores = None
        if heads is not None:
            order = [rows[sentence_id] for sentence_id in ids]
            scores = {task: values[order] for task, values in heads.items()}
        _append(columns, doc_id, ids, classifier.classify(units, scores))
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


def _append(
    columns: Mapping[str, list[Any]], doc_id: str, ids: Sequence[str], found: Sequence[UnitClass]
) -> None:
    """Append one document's rows to the columns."""
    columns["doc_id"].extend([doc_id] * len(ids))
    columns["sentence_id"].extend(ids)
    for unit in found:
        is_claim = unit.classes["kind"] == "claim"
        columns["kind"].append(unit.classes["kind"])
        for task, label in unit.classes.items():
            if task != "kind":
                columns[task].append(label if is_claim else None)
        for task, names in (("kind", tables.KINDS), ("certainty", tables.CERTAINTIES)):
            for name, p in zip(names, unit.probabilities[task], strict=True):
                columns[f"p_{name}"].append(p)
        columns["p_negated"].append(unit.probabilities["polarity"][1])
        columns["certainty_score"].append(unit.certainty_score)
        columns["confidence"].append(unit.confidence)


STAGE = Stage(
    name="certainty",
    version=1,
    inputs=("sentences", "annotations"),
    outputs=("certainty",),
    uses=("model", "lexicon", "dependencies"),
    run=_run,
)
