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
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
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
    features_of,
)

Floats = npt.NDArray[np.float64]

TASKS = tables.UNIT_LABELS
"""What is predicted, with its classes in order."""

FORMAT = 1
_FILES = ("units.json", "weights.npz")
_FLOOR = 1e-4
_LOW_BITS = np.uint64(2**22 - 1)


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


@dataclass(frozen=True)
class KeyIndex:
    """Finds hashes among known keys, (n_keys,) uint64 ascending.

    Most hashes are unknown; a table over their low bits turns nearly all of those away at once.
    """

    keys: UInt64s
    _ends: npt.NDArray[np.bool_] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        ends = np.zeros(int(_LOW_BITS) + 1, bool)
        ends[self.keys & _LOW_BITS] = True
        object.__setattr__(self, "_ends", ends)

    def find(self, hashes: UInt64s) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """Return the positions of the known hashes, ascending, and of their keys."""
        at = np.flatnonzero(self._ends[hashes & _LOW_BITS])
        place = np.searchsorted(self.keys, hashes[at])
        known = self.keys[np.minimum(place, len(self.keys) - 1)] == hashes[at] if len(at) else at
        return at[known], place[known]


def feature_matrix(
    rows: Sequence[Mapping[str, UInt64s]], index: KeyIndex, scales: Mapping[str, float]
) -> sparse.csr_matrix:
    """Return the features of units as a matrix over the known keys.

    In: features by group (`features_of`), the known keys, a scale a group.
    Out: (n_rows, n_keys) float32. A group's values have the norm of its scale, however many
    features of it the unit has, known or not.
    """
    found = [row[group] for row in rows for group in GROUPS]
    lengths = np.fromiter(map(len, found), np.int64, len(found))
    scale = np.asarray([scales[group] for group in GROUPS] * len(rows))
    values = (scale / np.sqrt(np.maximum(lengths, 1))).astype(np.float32)
    at, place = index.find(np.concatenate(found) if found else np.zeros(0, np.uint64))
    group = np.repeat(np.arange(len(found)), lengths)[at]
    bounds = np.searchsorted(group, np.arange(len(rows) + 1) * len(GROUPS))
    matrix = sparse.csr_matrix((values[group], place, bounds), shape=(len(rows), len(index.keys)))
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
class UnitClasses:
    """The classes and probabilities of units.

    classes: task -> a label a unit. probabilities: task -> (n_units, classes), in order.
    certainty_score: how sure the source says it is, 0..1. confidence: calibrated probability that
    the unit is a claim and that its certainty label is right.
    """

    classes: Mapping[str, list[str]]
    probabilities: Mapping[str, Floats]
    certainty_score: list[float]
    confidence: list[float]


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

    @cached_property
    def _index(self) -> KeyIndex:
        return KeyIndex(self.keys)

    def outputs(self, documents: Iterable[Sequence[Unit]]) -> Floats:
        """Return the raw outputs for the units of documents, in order: (n_units, OUTPUTS + 1)."""
        rows = features_of(documents, self.clusters)
        matrix = feature_matrix(rows, self._index, self.scales)
        return np.asarray(matrix @ self.weights, dtype=np.float64) + self.bias

    def blended(self, own: Mapping[str, Floats], heads: Mapping[str, Floats]) -> dict[str, Floats]:
        """Return each task's probabilities and the annotator's as one: task -> (n, classes)."""
        return {task: blend(self.blend[task], p, heads[task]) for task, p in own.items()}

    def classify(
        self, documents: Iterable[Sequence[Unit]], heads: Mapping[str, Floats] | None = None
    ) -> UnitClasses:
        """Return the classes of the units of documents, in order.

        heads: the annotator's probabilities, task -> (n_units, classes), where the model has them.
        """
        raw = self.outputs(documents)
        own = by_task(one_against_rest(raw[:, :OUTPUTS]))
        found = own if heads is None else self.blended(own, heads)
        found = {task: np.round(p, 4) for task, p in found.items()}
        certainty = found["certainty"]
        parts = np.concatenate((raw[:, OUTPUTS:], own["certainty"], np.ones((len(raw), 1))), axis=1)
        scores = np.einsum("ij,j->i", parts, self.score, optimize=False).clip(0.0, 1.0)
        joint = found["kind"][:, 0] * certainty.max(axis=1)
        x, y = self.calibration["blended" if heads is not None else "alone"]
        return UnitClasses(
            classes=decide(found),
            probabilities={task: p.clip(0.0, 1.0) for task, p in found.items()},
            certainty_score=[round(score, 4) for score in scores.tolist()],
            confidence=[round(p, 4) for p in np.interp(joint, x, y).tolist()],
        )

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


_PAIRS = [
    (name, direction)
    for name in TASKS["claim_type"]
    for direction in TASKS["direction"]
    if (direction != "none") is (name in tables.DIRECTED)
]
"""Types and directions that go together: efficacy, safety and mechanism have a direction."""


def decide(probabilities: Mapping[str, Floats]) -> dict[str, list[str]]:
    """Return the most probable class of each unit; type and direction are decided together.

    In: task -> (n_units, classes). Out: task -> a label a unit. Of equal pairs of type and
    direction the last by name is taken.
    """
    chosen = {
        task: [TASKS[task][i] for i in p.argmax(axis=1).tolist()]
        for task, p in probabilities.items()
    }
    types, directions = probabilities["claim_type"], probabilities["direction"]
    pairs = sorted(_PAIRS, reverse=True)
    left = [TASKS["claim_type"].index(name) for name, _ in pairs]
    right = [TASKS["direction"].index(direction) for _, direction in pairs]
    best = (types[:, left] * directions[:, right]).argmax(axis=1).tolist()
    return {
        **chosen,
        "claim_type": [pairs[i][0] for i in best],
        "direction": [pairs[i][1] for i in best],
    }


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
