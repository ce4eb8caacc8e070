"""Linking names to a knowledge base: exact names first, then scispaCy's candidate generator.

Names are compared in a normal form (`name_words`): lower case, British and American spellings
alike, no plural, no hyphens. What has no exact match goes to scispaCy's `CandidateGenerator`
(Neumann et al. 2019) over character 3-grams weighted by TF-IDF, searched exactly rather than
approximately, so that the same name always has the same link, whatever else is in the batch.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hedgerow.errors import ResourceError
from hedgerow.nlp.rules import load_data
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
_CASED_LENGTH = 5
_WORD = re.compile(r"['’]s(?!\w)|[^\W_]+|[^\w\s]")
_POSSESSIVE = re.compile(r"['’]")
_PASSED_OVER = frozenset("-‐‑–—®™©*†‡")
_GREEK = str.maketrans({
    "α": "alpha", "β": "beta", "γ": "gamma", "δ": "delta", "κ": "kappa", "λ": "lambda",
    "μ": "mu", "µ": "mu", "ω": "omega", "ß": "beta",
})  # fmt: skip


@cache
def _spellings() -> tuple[tuple[re.Pattern[str], str], ...]:
    entries = load_data("mentions")["spelling"]
    return tuple((re.compile(entry["pattern"]), entry["replacement"]) for entry in entries)


@lru_cache(maxsize=100_000)
def normal_word(word: str) -> str:
    """Return a word as names are compared: lower case, one spelling, no plural ending."""
    word = word.lower().translate(_GREEK)
    for pattern, replacement in _spellings():
        word = pattern.sub(replacement, word)
    return word


def words_of(text: str) -> tuple[list[int], list[int], list[str]]:
    """Return the words and marks of `text` that count when names are compared.

    Out: where each starts, where it ends, and its normal form.
    """
    starts, ends, normals = [], [], []
    for match in _WORD.finditer(text):
        word = match.group()
        if word not in _PASSED_OVER and not _POSSESSIVE.match(word):
            starts.append(match.start())
            ends.append(match.end())
            normals.append(normal_word(word))
    return starts, ends, normals


def name_key(text: str) -> str:
    """Return the normal form of a name, words separated by one blank."""
    return " ".join(words_of(text)[2])


def is_cased(name: str, types: Sequence[str] = ()) -> bool:
    """Return whether a name counts only as written: up to five characters with two capitals.

    Names of trials do so at any length: "SELECT" is a trial and "select" is not.
    """
    capitals = sum(c.isupper() for c in name)
    short = len(name) <= _CASED_LENGTH or "STUDY" in types
    return short and (2 * capitals > sum(c.isalpha() for c in name) or capitals >= 2)


def _as_written(name: str) -> str:
    """Return the letters and digits of a name that counts only as written."""
    return "".join(c for c in name if c.isalnum())


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
class Concept:
    """An entry of a knowledge base: CURIE, canonical name, other names, entity labels."""

    id: str
    name: str
    aliases: tuple[str, ...]
    types: tuple[str, ...]

    @property
    def kb(self) -> str:
        """The knowledge base that the identifier belongs to: the prefix of its CURIE."""
        return self.id.partition(":")[0]


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


@dataclass
class _Node:
    children: dict[str, _Node] = field(default_factory=dict)
    label: str | None = None
    cased: dict[str, str] = field(default_factory=dict)


class Linker:
    """Finds and links the names of a knowledge base.

    concepts: the entries, in the order that decides between equals. Their names must not be empty.
    """

    def __init__(self, concepts: Sequence[Concept]) -> None:
        self.concepts = tuple(concepts)
        data = load_data("mentions")["names"]
        self._compatible = {label: frozenset(types) for label, types in data["types"].items()}
        self._labels = frozenset(ENTITY_LABELS)
        not_names = {name_key(name) for name in data["not_names"]}
        self._marks = re.compile(rf"\d+|\b(?:{'|'.join(data['opposites'])})")
        self._by_key: dict[str, list[int]] = {}
        self._cased: dict[str, list[int]] = {}
        self._root = _Node()
        for number, concept in enumerate(self.concepts):
            for name in dict.fromkeys((concept.name, *concept.aliases)):
                if is_cased(name, concept.types):
                    self._cased.setdefault(_as_written(name), []).append(number)
                else:
                    self._by_key.setdefault(name_key(name), []).append(number)
                self._add_to_trie(name, concept, not_names)
        self._links: dict[tuple[str, str], Link | None] = {}

    def _add_to_trie(self, name: str, concept: Concept, not_names: set[str]) -> None:
        """Let `find` see a name; of names that two entries share, the first one's label counts."""
        words = words_of(name)[2]
        key = " ".join(words)
        label = next((t for t in concept.types if t in ENTITY_LABELS), None)
        cased = is_cased(name, concept.types)
        if label is None or len(key) < 2 or key.replace(" ", "").isdigit():
            return
        if not cased and (len(key) < 3 or key in not_names):
            return
        node = self._root
        for word in words:
            node = node.children.setdefault(word, _Node())
        if cased:
            node.cased.setdefault(_as_written(name), label)
        elif node.label is None:
            node.label = label

    def find(self, text: str) -> Iterator[NameMatch]:
        """Yield the names in `text`, leftmost, longest, without overlaps."""
        if not self.concepts:
            return
        starts, ends, words = words_of(text)
        capitals = text.isupper()
        roots = self._root.children
        free = 0
        for i, word in enumerate(words):
            node = roots.get(word)
            if node is None or i < free:
                continue
            best: tuple[int, str] | None = None
            j = i + 1
            while node is not None:
                label = node.label
                if label is None and node.cased and not capitals:
                    label = node.cased.get(_as_written(text[starts[i] : ends[j - 1]]))
                if label is not None:
                    best = (j, label)
                node = node.children.get(words[j]) if j < len(words) else None
                j += 1
            if best is not None:
                free, label = best
                yield NameMatch(starts[i], ends[free - 1], label)

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
        if fuzzy and self.concepts:
            keys = sorted(fuzzy)
            for key, candidates in zip(keys, self._candidates(keys), strict=True):
                for pair in fuzzy[key]:
                    links[pair] = self._nearest(candidates, pair[1])
        return {pair: links[pair] for pair in wanted}

    def _exact(self, name: str, label: str | None) -> Link | None:
        """Return the entry with this very name: of a fitting type, its canonical name first."""
        numbers = self._cased.get(_as_written(name)) or self._by_key.get(name_key(name), [])
        fitting = [n for n in numbers if self._fits(self.concepts[n], label)]
        if not fitting:
            return None
        key = name_key(name)
        best = min(
            fitting,
            key=lambda n: (
                label not in self.concepts[n].types,
                name_key(self.concepts[n].name) != key,
                n,
            ),
        )
        return Link(self.concepts[best], 1.0)

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
            (-score, label not in self.concepts[n].types, n)
            for n, score in candidates
            if self._fits(self.concepts[n], label)
        ]
        if not fitting:
            return None
        score, _, number = min(fitting)
        return Link(self.concepts[number], round(min(1.0, -score), 4))

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
        from scispacy.linking_utils import Entity, KnowledgeBase
        from sklearn.feature_extraction.text import HashingVectorizer, TfidfTransformer
        from sklearn.pipeline import make_pipeline

        names_of: dict[int, list[str]] = {}
        for key, numbers in self._by_key.items():
            for number in numbers:
                names_of.setdefault(number, []).append(key)
        entities = [
            Entity(concept_id=str(number), canonical_name=names[0], aliases=names)
            for number, names in sorted(names_of.items())
        ]
        names = sorted(self._by_key)
        # A fixed vocabulary would drop the 3-grams that no name has, and "pulmonary hypertension"
        # would be just as near to "hypertension" as that is to itself; hashed ones all count.
        vectorizer = make_pipeline(
            HashingVectorizer(
                analyzer="char_wb", ngram_range=(3, 3), n_features=_BUCKETS,
                alternate_sign=False, norm=None,
            ),
            TfidfTransformer(),
        )  # fmt: skip
        index = ExactIndex(vectorizer.fit_transform(names))
        return CandidateGenerator(index, vectorizer, names, KnowledgeBase(entities))


_MAX_LINKS = 100_000
_BUCKETS = 2**18


class ExactIndex:
    """Exact nearest neighbours by cosine, behind the one method of nmslib that scispaCy calls.

    vectors: (n, n_grams), rows of length one.
    """

    def __init__(self, vectors: csr_matrix) -> None:
        self._columns = vectors.T.tocsr()

    def knnQueryBatch(  # noqa: N802  (nmslib's name)
        self, queries: csr_matrix, k: int
    ) -> list[tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]]:
        """Return (row numbers, cosine distances) of the k nearest rows of each query.

        Sparse products go row by row, so a query's answer does not depend on the others. Equally
        near rows come in their order.
        """
        import numpy as np

        products = (queries @ self._columns).tocsr()
        products.sort_indices()
        answers = []
        for i in range(products.shape[0]):
            part = slice(products.indptr[i], products.indptr[i + 1])
            numbers, similar = products.indices[part], products.data[part]
            if not len(numbers):  # scispaCy cannot do without any neighbour
                numbers, similar = np.zeros(1, np.int64), np.zeros(1)
            order = np.argsort(-similar, kind="stable")[:k]
            answers.append((numbers[order].astype(np.int64), 1.0 - similar[order]))
        return answers


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


@cache
def load_linker(folder: Path) -> Linker:
    """Return the linker over the knowledge base in a folder, its `*.jsonl`.

    Without such files nothing is linked.
    """
    return Linker(read_concepts(sorted(folder.glob("*.jsonl"))))
