"""The unit classifier: kind, certainty, polarity, attribution, type, direction and evidence.

Logistic regressions, each class against the rest, over sparse features of a unit and of what stands
around it (`unit_features`). Their probabilities are blended log-linearly with those of the
annotator's heads where the model has them, and the confidence is calibrated by isotonic regression
(Zadrozny and Elkan 2002). Trained by `models/training/units.py`.

Every number is computed document by document with loops whose order does not depend on what else
is in the batch.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse

from hedgerow import tables
from hedgerow.errors import ResourceError
from hedgerow.nlp.unit_features import (
    GROUPS,
    Clusters,
    UInt64s,
    Unit,
    document_features,
)

Floats = npt.NDArray[np.float64]

TASKS = tables.UNIT_LABELS
"""What is predicted, with its classes in order."""

FORMAT = 1
_FILES = ("units.json", "weights.npz")
_FLOOR = 1e-4


def _slices() -> dict[str, slice]:
    start, found = 0, {}
    for task, classes in TASKS.items():
        found[task] = slice(start, start + len(classes))
        start += len(classes)
    return found


SLICES: Mapping[str, slice] = _slices()
"""Columns of each task in the outputs."""

OUTPUTS = max(part.stop for part in SLICES.values())
"""Columns of all tasks together; one more holds the certainty score."""


def feature_matrix(
    rows: Sequence[Mapping[str, UInt64s]], keys: UInt64s, scales: Mapping[str, float]
) -> sparse.csr_matrix:
    """Return the features of units as a matrix over the known keys.

    In: features by group (`document_features`), known keys (n_keys,) ascending, a scale a group.
    Out: (n_rows, n_keys) float32. A group's values have the norm of its scale, however many
    features of it the unit has, known or not.
    """
    lengths = np.asarray([[len(row[group]) for group in GROUPS] for row in rows], np.int64)
    lengths = lengths.reshape(len(rows), len(GROUPS))
    scale = np.asarray([scales[group] for group in GROUPS])
    values = np.repeat((scale / np.sqrt(np.maximum(lengths, 1))).ravel(), lengths.ravel()).astype(
        np.float32
    )
    where = np.repeat(np.arange(len(rows)), lengths.sum(axis=1))
    found = [row[group] for row in rows for group in GROUPS]
    hashes = np.concatenate(found) if found else np.zeros(0, np.uint64)
    place = np.minimum(np.searchsorted(keys, hashes), max(0, len(keys) - 1))
    known = keys[place] == hashes if len(keys) else np.zeros(len(hashes), bool)
    matrix = sparse.csr_matrix(
        (values[known], (where[known], place[known])), shape=(len(rows), len(keys))
    )
    matrix.sum_duplicates()
    return matrix


def one_against_rest(logits: Floats) -> Floats:
    """Return probabilities: each task's logistic outputs, made to sum to 1.

    In, out: (n_units, OUTPUTS).
    """
    raw = 1.0 / (1.0 + np.exp(-np.clip(logits, -30.0, 30.0)))
    for part in SLICES.values():
        raw[:, part] /= raw[:, part].sum(axis=1, keepdims=True)
    return raw


def by_task(probabilities: Floats) -> dict[str, Floats]:
    """Return the columns of each task."""
    return {task: probabilities[:, part] for task, part in SLICES.items()}


def blend(weights: tuple[float, float], own: Floats, head: Floats) -> Floats:
    """Return the log-linear blend of two sets of probabilities, (n, classes)."""
    ours, theirs = weights
    return softmax(
        ours * np.log(np.maximum(own, _FLOOR)) + theirs * np.log(np.maximum(head, _FLOOR))
    )


def softmax(logits: Floats) -> Floats:
    """Return the probabilities of each row of logits."""
    raised = np.exp(logits - logits.max(axis=1, keepdims=True))
    result: Floats = raised / raised.sum(axis=1, keepdims=True)
    return result


@dataclass(frozen=True)
class UnitClass:
    """A unit's classes and probabilities.

    classes: task -> label. probabilities: task -> one probability a class, in order.
    certainty_score: how sure the source says it is, 0..1. confidence: calibrated probability that
    the unit is a claim and that its certainty label is right.
    """

    classes: Mapping[str, str]
    probabilities: Mapping[str, tuple[float, ...]]
    certainty_score: float
    confidence: float


@dataclass(frozen=True)
class UnitClassifier:
    """The trained classifier.

    keys: (n_keys,) uint64 ascending, the features that have weights. weights: (n_keys, OUTPUTS + 1)
    float32, bias: (OUTPUTS + 1,); the last column is the certainty score. scales: by group of
    features. clusters: word clusters. score: weights of the final certainty score over (raw score,
    certainty probabilities, 1). blend: task -> (weight of the own log-probabilities, weight of the
    annotator's). calibration: (x, y) of the isotonic curve of confidence, "alone" and "blended"
    with the annotator's heads.
    """

    keys: UInt64s
    weights: npt.NDArray[np.float32]
    bias: Floats
    scales: Mapping[str, float]
    clusters: Clusters
    score: Floats
    blend: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    calibration: Mapping[str, tuple[Floats, Floats]] = field(default_factory=dict)

    def outputs(self, units: Sequence[Unit]) -> Floats:
        """Return the raw outputs for the units of one document: (n_units, OUTPUTS + 1)."""
        matrix = feature_matrix(document_features(units, self.clusters), self.keys, self.scales)
        return np.asarray(matrix @ self.weights, dtype=np.float64) + self.bias

    def blended(self, own: Mapping[str, Floats], heads: Mapping[str, Floats]) -> dict[str, Floats]:
        """Return each task's probabilities and the annotator's as one: task -> (n, classes)."""
        return {task: blend(self.blend[task], p, heads[task]) for task, p in own.items()}

    def classify(
        self, units: Sequence[Unit], heads: Mapping[str, Floats] | None = None
    ) -> list[UnitClass]:
        """Return the classes of the units of one document, in order.

        heads: the annotator's probabilities, task -> (n_units, classes), where the model has them.
        """
        if not units:
            return []
        raw = self.outputs(units)
        own = by_task(one_against_rest(raw[:, :OUTPUTS]))
        found = own if heads is None else self.blended(own, heads)
        found = {task: np.round(p, 4) for task, p in found.items()}
        certainty = found["certainty"]
        parts = np.concatenate(
            (raw[:, OUTPUTS:], own["certainty"], np.ones((len(units), 1))), axis=1
        )
        scores = np.einsum("ij,j->i", parts, self.score, optimize=False).clip(0.0, 1.0)
        joint = found["kind"][:, 0] * certainty.max(axis=1)
        x, y = self.calibration["blended" if heads is not None else "alone"]
        confidence = np.interp(joint, x, y)
        return [
            UnitClass(
                classes=decide({task: p[i] for task, p in found.items()}),
                probabilities={
                    task: tuple(p[i].clip(0.0, 1.0).tolist()) for task, p in found.items()
                },
                certainty_score=round(float(scores[i]), 4),
                confidence=round(float(confidence[i]), 4),
            )
            for i in range(len(units))
        ]

    def with_blend(self, blend: Mapping[str, tuple[float, float]]) -> UnitClassifier:
        """Return the classifier with other weights of the blend."""
        return replace(self, blend=blend)

    def with_calibration(self, **curves: tuple[Floats, Floats]) -> UnitClassifier:
        """Return the classifier with calibration curves added."""
        return replace(self, calibration={**self.calibration, **curves})

    def save(self, folder: Path) -> None:
        """Write the classifier into `folder`: units.json and weights.npz (int8 weights)."""
        folder.mkdir(parents=True, exist_ok=True)
        packed, steps = pack(self.weights)
        used = packed.any(axis=1)
        with (folder / _FILES[1]).open("wb") as out:
            np.savez_compressed(
                out,
                keys=self.keys[used],
                weights=packed[used],
                steps=steps,
                cluster_keys=self.clusters.keys,
                cluster_ids=self.clusters.ids,
            )
        record = {
            "format": FORMAT,
            "tasks": {task: list(classes) for task, classes in TASKS.items()},
            "scales": dict(self.scales),
            "bias": self.bias.tolist(),
            "score": self.score.tolist(),
            "blend": {task: list(pair) for task, pair in self.blend.items()},
            "calibration": {
                name: {"x": x.tolist(), "y": y.tolist()}
                for name, (x, y) in self.calibration.items()
            },
        }
        text = json.dumps(record, indent=1) + "\n"
        (folder / _FILES[0]).write_text(text, encoding="utf-8")

    @classmethod
    def load(cls, folder: str | os.PathLike[str]) -> UnitClassifier:
        """Read the classifier in `folder`.

        Raises ResourceError where it is missing, or was trained for other labels.
        """
        base = Path(folder)
        try:
            record: dict[str, Any] = json.loads((base / _FILES[0]).read_text(encoding="utf-8"))
            with np.load(base / _FILES[1], allow_pickle=False) as arrays:
                held = {name: arrays[name] for name in arrays.files}
            if record["format"] != FORMAT or record["tasks"] != {
                task: list(classes) for task, classes in TASKS.items()
            }:
                raise ResourceError(
                    f"{base}: found a unit classifier of format {record['format']} for other "
                    "labels; expected the one of this version; run `make train`"
                )
            return cls(
                keys=held["keys"],
                weights=unpack(held["weights"], held["steps"]),
                bias=np.asarray(record["bias"]),
                scales=record["scales"],
                clusters=Clusters(held["cluster_keys"], held["cluster_ids"]),
                score=np.asarray(record["score"]),
                blend={task: (a, b) for task, (a, b) in record["blend"].items()},
                calibration={
                    name: (np.asarray(curve["x"]), np.asarray(curve["y"]))
                    for name, curve in record["calibration"].items()
                },
            )
        except (OSError, ValueError, KeyError) as error:
            raise ResourceError(
                f"{base}: {type(error).__name__}: {error}; expected {' and '.join(_FILES)} as "
                "`make train` writes them; reinstall hedgerow or train the model"
            ) from error


def decide(probabilities: Mapping[str, Floats]) -> dict[str, str]:
    """Return the most probable classes of one unit.

    Type and direction are decided together: efficacy, safety and mechanism have a direction, the
    other types have none.
    """
    chosen = {
        task: TASKS[task][int(np.argmax(p))]
        for task, p in probabilities.items()
        if task not in ("claim_type", "direction")
    }
    types, directions = probabilities["claim_type"], probabilities["direction"]
    best = (-1.0, "", "")
    for name, p_type in zip(TASKS["claim_type"], types, strict=True):
        for direction, p_direction in zip(TASKS["direction"], directions, strict=True):
            if (direction != "none") is (name in tables.DIRECTED):
                best = max(best, (float(p_type * p_direction), name, direction))
    return {**chosen, "claim_type": best[1], "direction": best[2]}


def pack(weights: npt.NDArray[np.float32]) -> tuple[npt.NDArray[np.int8], npt.NDArray[np.float32]]:
    """Return weights as int8, finer near zero, and each column's largest weight."""
    largest = np.maximum(np.abs(weights).max(axis=0), 1e-12).astype(np.float32)
    shares = np.sqrt(np.abs(weights) / largest)
    return (np.sign(weights) * np.round(127 * shares)).astype(np.int8), largest


def unpack(
    packed: npt.NDArray[np.int8], largest: npt.NDArray[np.float32]
) -> npt.NDArray[np.float32]:
    """Return the weights that `pack` packed, to within its precision."""
    shares = packed.astype(np.float32) / np.float32(127)
    result: npt.NDArray[np.float32] = np.sign(shares) * shares * shares * largest
    return result
