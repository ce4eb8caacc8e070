"""Linking names to a knowledge base: exact names first, then scispaCy's candidate generator.

Names are compared in their normal form (`names.name_key`). What has no exact match goes to
scispaCy's `CandidateGenerator` (Neumann et al. 2019) over character 3-grams weighted by TF-IDF,
searched exactly rather than approximately, so that the same name always has the same link, whatever
else is in the batch.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from hedgerow.errors import ResourceError
from hedgerow.nlp.names import Concept, Keys, NameIndex, Vectors, as_written, name_key
from hedgerow.nlp.rules import load_data
from hedgerow.settings import KB_MANIFEST
from hedgerow.tables import ENTITY_LABELS

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    from scipy.sparse import csr_matrix
    from scispacy.candidate_generation import CandidateGenerator

MIN_SIMILARITY = 0.92
"""Cosine similarity of 3-grams below which a name is not taken for another."""

MIN_FUZZY_LENGTH = 6
"""Shorter names are linked exactly or not at all: one letter makes another name of them."""

MIN_MISSPELT_LENGTH = 10
"""Names shorter than this are not taken for a misspelling of one another."""

_NEIGHBOURS = 20
_MAX_LINKS = 100_000
_EDITED_GRAMS = 4
"""The most 3-grams of a name that one edit changes: two letters swapped."""


def is_misspelling(name: str, other: str) -> bool:
    """Return whether two long names are one letter apart: inserted, dropped, changed or swapped.

    3-grams alone do not see that "cerebrolynsin" is nearer to "cerebrolysin" than many a drug is
    to its metabolite.
    """
    shorter = min(len(name), len(other))
    if shorter < MIN_MISSPELT_LENGTH or abs(len(name) - len(other)) > 1:
        return False
    same = next((i for i in range(shorter) if name[i] != other[i]), shorter)
    left, right = name[same:], other[same:]
    if len(left) != len(right):
        return left[1:] == right if len(left) > len(right) else left == right[1:]
    swapped = left[2:] == right[2:] and left[:2] == right[1::-1]
    return left[1:] == right[1:] or swapped


@dataclass(frozen=True)
class Link:
    """A name's entry in the knowledge base, and the similarity of the two names, 0 to 1."""

    concept: Concept
    score: float


@dataclass(frozen=True)
class NameMatch:
    """A name of the knowledge base in a text: text[start:end]."""

    start: int
    end: int
    label: str


class Linker:
    """Finds and links the names of a knowledge base.

    names: its entries, in the order that decides between equals, or the index of them.
    """

    def __init__(self, names: Sequence[Concept] | NameIndex) -> None:
        self._index = names if isinstance(names, NameIndex) else NameIndex.build(names)
        data = load_data("mentions")["names"]
        self._compatible = {label: frozenset(types) for label, types in data["types"].items()}
        self._labels = frozenset(ENTITY_LABELS)
        self._marks = re.compile(rf"\d+|\b(?:{'|'.join(data['opposites'])})")
        self._links: dict[tuple[str, str], Link | None] = {}

    def find(self, text: str) -> Iterator[NameMatch]:
        """Yield the names in `text`, leftmost, longest, without overlaps."""
        return (NameMatch(*found) for found in self._index.find(text))

    def link(self, names: Iterable[tuple[str, str]]) -> dict[tuple[str, str], Link | None]:
        """Return the link of each distinct (name, label), or None where nothing is near enough.

        The result for a name does not depend on the other names.
        """
        wanted = sorted(set(names))
        if len(self._links) > _MAX_LINKS:
            self._links.clear()
        links = self._links
        fuzzy: dict[str, list[tuple[str, str]]] = {}
        for pair in wanted:
            if pair in links:
                continue
            links[pair] = self._exact(*pair)
            key = name_key(pair[0])
            if links[pair] is None and len(key) >= MIN_FUZZY_LENGTH:
                fuzzy.setdefault(key, []).append(pair)
        if fuzzy and len(self._index):
            keys = sorted(fuzzy)
            for key, candidates in zip(keys, self._candidates(keys), strict=True):
                for pair in fuzzy[key]:
                    links[pair] = self._nearest(candidates, pair[1])
        return {pair: links[pair] for pair in wanted}

    def _exact(self, name: str, label: str | None) -> Link | None:
        """Return the entry with this very name: of a fitting type, its canonical name first."""
        key = name_key(name)
        numbers = self._index.cased.entries(as_written(name)) or self._index.keys.entries(key)
        fitting = [
            (label not in concept.types, name_key(concept.name) != key, n, concept)
            for n, concept in ((n, self._index[n]) for n in numbers)
            if self._fits(concept, label)
        ]
        return Link(min(fitting, key=lambda found: found[:3])[-1], 1.0) if fitting else None

    def label_of(self, name: str) -> str | None:
        """Return the label of the entry with this very name, or None where there is none."""
        link = self._exact(name, None)
        return link.concept.types[0] if link else None

    def _fits(self, concept: Concept, label: str | None) -> bool:
        """Return whether a mention of `label` may be this entry; of a label of no list, any may."""
        types = self._compatible.get(label) if label else None
        return not (types or self._labels).isdisjoint(concept.types)

    def _nearest(self, candidates: Iterable[tuple[int, float]], label: str) -> Link | None:
        fitting = [
            (-score, label not in concept.types, n, concept)
            for n, score, concept in ((n, score, self._index[n]) for n, score in candidates)
            if self._fits(concept, label)
        ]
        if not fitting:
            return None
        score, *_, concept = min(fitting, key=lambda found: found[:3])
        return Link(concept, round(min(1.0, -score), 4))

    def _candidates(self, keys: list[str]) -> Iterator[list[tuple[int, float]]]:
        """Yield, for each normalised name, the entries near enough with their similarities.

        The number of words must agree, and so must numbers and prefixes of opposite sense:
        interleukin 6 is not interleukin 1, nor hypertension hypotension, however alike they look.
        """
        for key, candidates in zip(keys, self._generator(keys, _NEIGHBOURS), strict=True):
            marks = self._marks.findall(key)
            yield [
                (int(candidate.concept_id), similarity)
                for candidate in candidates
                for name, similarity in zip(candidate.aliases, candidate.similarities, strict=True)
                if (similarity >= MIN_SIMILARITY or is_misspelling(key, name))
                and name.count(" ") == key.count(" ")
                and self._marks.findall(name) == marks
            ]

    @cached_property
    def _generator(self) -> CandidateGenerator:
        from scispacy.candidate_generation import CandidateGenerator

        keys, vectors = self._index.keys, self._index.vectors
        # What the generator asks of a knowledge base; scispaCy's own holds every name in memory.
        names = SimpleNamespace(alias_to_cuis=_Entries(keys))
        return CandidateGenerator(ExactIndex(vectors), vectors, keys, names)


class _Entries:
    """The entries of each key, their numbers as strings: scispaCy's `alias_to_cuis`."""

    def __init__(self, keys: Keys) -> None:
        self._keys = keys

    def __getitem__(self, key: str) -> list[str]:
        return [str(number) for number in self._keys.entries(key)]


class ExactIndex:
    """Nearest neighbours by cosine, behind the one method of nmslib that scispaCy calls.

    Exact for what can be linked at all: a name of cosine `MIN_SIMILARITY` shares one of a query's
    rarest 3-grams, for the others together weigh less than that (prefix filtering: Bayardo et al.
    2007, "Scaling up all pairs similarity search"); a name that is one edit away shares one of any
    `_EDITED_GRAMS` + 1. Only names that share one of these are compared.
    """

    def __init__(self, vectors: Vectors) -> None:
        self._vectors = vectors

    def knnQueryBatch(  # noqa: N802  (nmslib's name)
        self, queries: csr_matrix, k: int
    ) -> list[tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]]:
        """Return (row numbers, cosine distances) of the k nearest rows of each query.

        A query's answer does not depend on the others. Equally near rows come in their order.
        """
        import numpy as np

        answers = []
        dense = np.zeros(queries.shape[1])
        for i in range(queries.shape[0]):
            part = slice(queries.indptr[i], queries.indptr[i + 1])
            grams, weights = queries.indices[part], queries.data[part]
            numbers = self._sharing(grams, weights)
            dense[grams] = weights
            similar = self._vectors.rows[numbers] @ dense
            dense[grams] = 0.0
            if not len(numbers):  # scispaCy cannot do without any neighbour
                numbers, similar = np.zeros(1, np.int32), np.zeros(1)
            order = np.argsort(-similar, kind="stable")[:k]
            answers.append((numbers[order].astype(np.int64), 1.0 - similar[order]))
        return answers

    def _sharing(
        self, grams: npt.NDArray[np.int32], weights: npt.NDArray[np.float64]
    ) -> npt.NDArray[np.int32]:
        """Return the rows, in order, that share one of the rarest 3-grams of a query."""
        import numpy as np

        starts = self._vectors.holder_offsets[grams]
        ends = self._vectors.holder_offsets[grams + 1]
        order = np.lexsort((grams, ends - starts))
        left = 1.0 - np.cumsum(weights[order] ** 2)
        needed = int(np.count_nonzero(left >= MIN_SIMILARITY**2 - _ROUNDING)) + 1
        rarest = order[: max(needed, _EDITED_GRAMS + 1)]
        holders = [self._vectors.holders[starts[g] : ends[g]] for g in rarest]
        found: npt.NDArray[np.int32] = np.unique(np.concatenate(holders))
        return found


_ROUNDING = 1e-6
"""Weights are stored as single floats."""


def read_concepts(paths: Iterable[Path]) -> list[Concept]:
    """Return the entries of JSON-lines files of {"id", "name", "aliases", "types"}, in order.

    Raises ResourceError, naming the file and line, where an entry is malformed.
    """
    concepts = []
    for path in paths:
        with path.open(encoding="utf-8") as lines:
            concepts += [_concept(path, n, line) for n, line in enumerate(lines, 1) if line.strip()]
    return concepts


def _concept(path: Path, number: int, line: str) -> Concept:
    try:
        record: Mapping[str, Any] = json.loads(line)
        return Concept(
            record["id"],
            record["name"],
            tuple(record.get("aliases", ())),
            tuple(record.get("types", ())),
        )
    except (ValueError, KeyError, TypeError) as error:
        raise ResourceError(
            f"{path}, line {number}: {error!r}; expected an object with id, name, aliases and types"
        ) from error


def load_linker(folder: Path) -> Linker:
    """Return the linker over the knowledge base in a folder: an index, or its `*.jsonl`.

    `hedgerow kb build` makes an index. Without either nothing is linked.
    """
    manifest = folder / KB_MANIFEST
    return _linker(folder, manifest.stat().st_mtime_ns if manifest.is_file() else None)


@lru_cache(maxsize=2)
def _linker(folder: Path, built: int | None) -> Linker:
    """Return the linker over a folder; `built` tells an index from one built later in its place."""
    if built is not None:
        return Linker(NameIndex.load(folder))
    return Linker(read_concepts(sorted(folder.glob("*.jsonl"))))
