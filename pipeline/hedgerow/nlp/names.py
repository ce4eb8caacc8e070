"""The names of a knowledge base as an index: built once, saved as plain arrays, mapped from disk.

Names are compared in a normal form (`name_key`): lower case, British and American spellings alike,
no plural, no hyphens. Keys lie in MARISA tries (Yata 2011), everything else in numpy and Arrow
files. Opening an index of millions of names reads almost nothing, and the processes of one machine
share its memory.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from hedgerow.errors import ResourceError
from hedgerow.nlp.rules import load_data
from hedgerow.settings import KB_MANIFEST
from hedgerow.tables import ENTITY_LABELS

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

INDEX_VERSION = 1
"""Raised whenever the same entries would give other files, or be compared in another way."""

_CASED_LENGTH = 5
_WORD = re.compile(r"['’]s(?!\w)|[^\W_]+|[^\w\s]")
_POSSESSIVE = re.compile(r"['’]")
_PASSED_OVER = frozenset("-‐‑–—®™©*†‡")
_GREEK = str.maketrans({
    "α": "alpha", "β": "beta", "γ": "gamma", "δ": "delta", "κ": "kappa", "λ": "lambda",
    "μ": "mu", "µ": "mu", "ω": "omega", "ß": "beta",
})  # fmt: skip
_BUCKETS = 2**18
_HAS_CASED = 128
"""Bit of a key's label: some names of this key count only as written."""

Ints = npt.NDArray[np.int32]
Bytes = npt.NDArray[np.uint8]


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


def as_written(name: str) -> str:
    """Return the letters and digits of a name that counts only as written."""
    return "".join(c for c in name if c.isalnum())


@dataclass(frozen=True)
class Concept:
    """An entry of a knowledge base: CURIE, canonical name, other names, entity labels.

    An entry that comes out of an index has no aliases: they are keys there.
    """

    id: str
    name: str
    aliases: tuple[str, ...]
    types: tuple[str, ...]

    @property
    def kb(self) -> str:
        """The knowledge base that the identifier belongs to: the prefix of its CURIE."""
        return self.id.partition(":")[0]


class Keys:
    """Strings, each with the numbers of the entries that it names and a label.

    trie: the strings, a blank after each, so that whole words are told from parts of words.
    offsets: (n + 1,); numbers[offsets[i]:offsets[i + 1]] are the entries of string i, in order.
    labels: (n,), place in `ENTITY_LABELS` plus one, or 0; `_HAS_CASED` may be set.
    """

    def __init__(self, trie: Any, offsets: Ints, numbers: Ints, labels: Bytes) -> None:
        self.trie = trie
        self._offsets, self._numbers, self._labels = offsets, numbers, labels

    @classmethod
    def build(cls, numbers: Mapping[str, list[int]], labels: Mapping[str, int]) -> Keys:
        """Return the keys of a dictionary; `labels` may lack some."""
        import marisa_trie

        trie = marisa_trie.Trie([f"{key} " for key in sorted(numbers)])
        in_order = [trie.restore_key(i)[:-1] for i in range(len(trie))]
        lists = [numbers[key] for key in in_order]
        return cls(
            trie,
            np.cumsum([0, *map(len, lists)], dtype=np.int32),
            np.fromiter((n for some in lists for n in some), np.int32),
            np.fromiter((labels.get(key, 0) for key in in_order), np.uint8),
        )

    def __len__(self) -> int:
        return len(self._labels)

    def __getitem__(self, number: int) -> str:
        return str(self.trie.restore_key(number))[:-1]

    def entries(self, key: str) -> list[int]:
        """Return the numbers of the entries with this name, none where there is no such name."""
        i = self.trie.get(f"{key} ")
        return [] if i is None else self._numbers[self._offsets[i] : self._offsets[i + 1]].tolist()

    def label(self, key: str) -> int:
        """Return the label of a name, 0 where there is no such name."""
        i = self.trie.get(f"{key} ")
        return 0 if i is None else int(self._labels[i])

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """Return the arrays by name, to be saved."""
        return {"offsets": self._offsets, "numbers": self._numbers, "labels": self._labels}


class Vectors:
    """Names as character 3-grams weighted by TF-IDF, and the names of each 3-gram.

    A fixed vocabulary would drop the 3-grams that no name has, and "pulmonary hypertension" would
    be just as near to "hypertension" as that is to itself; hashed ones all count.

    idf: (_BUCKETS,). rows: (n, _BUCKETS) in CSR form, of length one or zero. holders: names of each
    3-gram, numbers[offsets[g]:offsets[g + 1]].
    """

    def __init__(self, arrays: Mapping[str, npt.NDArray[Any]]) -> None:
        from scipy.sparse import csr_matrix
        from sklearn.feature_extraction.text import TfidfTransformer

        self._arrays = arrays
        shape = (len(arrays["row_offsets"]) - 1, _BUCKETS)
        parts = (arrays["row_weights"], arrays["row_grams"], arrays["row_offsets"])
        self.rows = csr_matrix(parts, shape=shape, copy=False)
        self.holder_offsets, self.holders = arrays["gram_offsets"], arrays["gram_names"]
        self._weigh = TfidfTransformer()
        self._weigh.idf_ = np.asarray(arrays["idf"])

    @classmethod
    def build(cls, names: Iterable[str], count: int) -> Vectors:
        """Return the vectors of `count` names; an empty one has none."""
        from scipy.sparse import csr_matrix
        from sklearn.feature_extraction.text import TfidfTransformer

        counts = _hashing().transform(names) if count else csr_matrix((0, _BUCKETS))
        named = counts[np.diff(counts.indptr) > 0]
        idf = TfidfTransformer().fit(named).idf_ if named.shape[0] else np.ones(_BUCKETS)
        weigh = TfidfTransformer()
        weigh.idf_ = idf
        rows = weigh.transform(counts, copy=False) if count else counts
        rows.sort_indices()
        columns = rows.tocsc()
        return cls({
            "idf": idf,
            "row_offsets": rows.indptr.astype(np.int32),
            "row_grams": rows.indices.astype(np.int32),
            "row_weights": rows.data.astype(np.float32),
            "gram_offsets": columns.indptr.astype(np.int32),
            "gram_names": columns.indices.astype(np.int32),
        })  # fmt: skip

    def transform(self, names: Iterable[str]) -> csr_matrix:
        """Return the vectors of other names, (n, _BUCKETS): scikit-learn's method."""
        return self._weigh.transform(_hashing().transform(names))

    def arrays(self) -> Mapping[str, npt.NDArray[Any]]:
        """Return the arrays by name, to be saved."""
        return self._arrays


@cache
def _hashing() -> Any:
    from sklearn.feature_extraction.text import HashingVectorizer

    return HashingVectorizer(
        analyzer="char_wb", ngram_range=(3, 3), n_features=_BUCKETS, alternate_sign=False, norm=None
    )


class NameIndex:
    """The entries of a knowledge base and their names.

    keys: normal forms; the label of one is that of its first entry, if it is to be found in text.
    cased: names that count only as written.
    """

    def __init__(self, concepts: pa.Table, keys: Keys, cased: Keys) -> None:
        self.keys, self.cased = keys, cased
        self._ids, self._names, self._types = (
            concepts.column(name).combine_chunks() for name in ("id", "name", "types")
        )
        self._vectors: Vectors | None = None

    @classmethod
    def build(cls, concepts: Sequence[Concept], *, find: int | None = None) -> NameIndex:
        """Return the index of entries; of names that two share, the first one's label counts.

        find: only names of the first so many entries are found in text; all by default.
        """
        last = len(concepts) if find is None else find
        not_names = {name_key(name) for name in load_data("mentions")["names"]["not_names"]}
        numbers: dict[str, list[int]] = {}
        cased_numbers: dict[str, list[int]] = {}
        labels: dict[str, int] = {}
        cased_labels: dict[str, int] = {}
        for number, concept in enumerate(concepts):
            place = next((ENTITY_LABELS.index(t) + 1 for t in concept.types if t in _LABELS), 0)
            for name in dict.fromkeys((concept.name, *concept.aliases)):
                key = name_key(name)
                findable = (
                    number < last and place and len(key) >= 2 and not key.replace(" ", "").isdigit()
                )
                if is_cased(name, concept.types):
                    written = as_written(name)
                    _append(cased_numbers, written, number)
                    if findable:
                        numbers.setdefault(key, [])
                        labels[key] = labels.get(key, 0) | _HAS_CASED
                        cased_labels.setdefault(written, place)
                elif key:
                    _append(numbers, key, number)
                    if findable and len(key) >= 3 and key not in not_names:
                        known = labels.get(key, 0)
                        labels[key] = known if known & ~_HAS_CASED else known | place
        table = pa.table(
            {
                "id": pa.array([c.id for c in concepts], pa.string()),
                "name": pa.array([c.name for c in concepts], pa.string()),
                "types": pa.array([" ".join(c.types) for c in concepts], pa.string()),
            }
        )
        return cls(table, Keys.build(numbers, labels), Keys.build(cased_numbers, cased_labels))

    def __len__(self) -> int:
        return len(self._ids)

    def __getitem__(self, number: int) -> Concept:
        types = self._types[number].as_py().split()
        return Concept(self._ids[number].as_py(), self._names[number].as_py(), (), tuple(types))

    @cached_property
    def vectors(self) -> Vectors:
        """The names that may be compared letter by letter; made on first use, unless loaded."""
        if self._vectors is not None:
            return self._vectors
        linked = np.diff(self.keys.arrays()["offsets"])
        names = (self.keys[i] if linked[i] else "" for i in range(len(self.keys)))
        return Vectors.build(names, len(self.keys))

    def find(self, text: str) -> Iterator[tuple[int, int, str]]:
        """Yield (start, end, label) of the names in `text`, leftmost, longest, no overlaps."""
        if not len(self):
            return
        starts, ends, words = words_of(text)
        joined = "".join(f"{word} " for word in words)
        capitals = text.isupper()
        prefixes, position, free = self.keys.trie.prefixes, 0, 0
        for i, word in enumerate(words):
            here, position = position, position + len(word) + 1
            if i < free:
                continue
            for key in reversed(prefixes(joined[here : here + _LONGEST])):
                end = i + key.count(" ")
                label = self._label(key[:-1], text[starts[i] : ends[end - 1]], capitals)
                if label:
                    free = end
                    yield starts[i], ends[end - 1], ENTITY_LABELS[label - 1]
                    break

    def _label(self, key: str, text: str, capitals: bool) -> int:
        """Return the label of a key where it is written as `text`."""
        label = self.keys.label(key)
        if label & ~_HAS_CASED or capitals:
            return label & ~_HAS_CASED
        return self.cased.label(as_written(text)) if label else 0

    def save(self, folder: Path, facts: Mapping[str, Any]) -> None:
        """Write the index into a folder, the manifest, with `facts`, last."""
        folder.mkdir(parents=True, exist_ok=True)
        table = pa.table({"id": self._ids, "name": self._names, "types": self._types})
        with pa.ipc.new_file(str(folder / _CONCEPTS), table.schema) as writer:
            writer.write_table(table)
        for name, keys in (("keys", self.keys), ("cased", self.cased)):
            keys.trie.save(str(folder / f"{name}.trie"))
            for part, array in keys.arrays().items():
                np.save(folder / f"{name}_{part}.npy", array, allow_pickle=False)
        for part, array in self.vectors.arrays().items():
            np.save(folder / f"{part}.npy", array, allow_pickle=False)
        files = {name: _file_facts(folder / name) for name in _FILES}
        manifest = {"version": INDEX_VERSION, **facts, "files": files}
        (folder / KB_MANIFEST).write_text(json.dumps(manifest, indent=1) + "\n", "utf-8")

    @classmethod
    def load(cls, folder: Path) -> NameIndex:
        """Return the index saved in a folder, mapped rather than read.

        Raises ResourceError where a file is missing, cut off or of another version.
        """
        import marisa_trie

        _check_manifest(folder)
        with pa.memory_map(str(folder / _CONCEPTS)) as source:
            table = pa.ipc.open_file(source).read_all()

        def array(name: str) -> npt.NDArray[Any]:
            # A plain view of the map: scipy copies nothing, and slices are not memmaps themselves.
            return np.asarray(np.load(folder / f"{name}.npy", mmap_mode="r", allow_pickle=False))

        def keys(name: str) -> Keys:
            trie = marisa_trie.Trie().mmap(str(folder / f"{name}.trie"))
            return Keys(trie, *(array(f"{name}_{part}") for part in _KEY_ARRAYS))

        index = cls(table, keys("keys"), keys("cased"))
        index._vectors = Vectors({name: array(name) for name in _VECTOR_ARRAYS})
        return index


def _append(numbers: dict[str, list[int]], key: str, number: int) -> None:
    known = numbers.setdefault(key, [])
    if not known or known[-1] != number:
        known.append(number)


def _file_facts(file: Path) -> dict[str, Any]:
    with file.open("rb") as opened:
        digest = hashlib.sha256()
        while block := opened.read(2**20):
            digest.update(block)
    return {"bytes": file.stat().st_size, "sha256": digest.hexdigest()}


def _check_manifest(folder: Path) -> None:
    again = "build it again with `hedgerow kb build`"
    try:
        manifest = json.loads((folder / KB_MANIFEST).read_text("utf-8"))
        found = {name: facts["bytes"] for name, facts in manifest["files"].items()}
        version = manifest["version"]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ResourceError(f"{folder / KB_MANIFEST}: {error!r}; {again}") from error
    if version != INDEX_VERSION or set(found) != set(_FILES):
        raise ResourceError(
            f"{folder}: found a knowledge base of version {version}; expected {INDEX_VERSION} with "
            f"the files {', '.join(_FILES)}; {again}"
        )
    for name, size in found.items():
        file = folder / name
        if not file.is_file() or file.stat().st_size != size:
            raise ResourceError(f"{file}: expected a file of {size} bytes; {again}")


_LABELS = frozenset(ENTITY_LABELS)
_LONGEST = 200
"""Characters of the longest name, in normal form, that is looked for in text."""

_CONCEPTS = "concepts.arrow"
_KEY_ARRAYS = ("offsets", "numbers", "labels")
_VECTOR_ARRAYS = (
    "idf",
    "row_offsets",
    "row_grams",
    "row_weights",
    "gram_offsets",
    "gram_names",
)
_FILES = (
    _CONCEPTS,
    *(f"{name}.trie" for name in ("keys", "cased")),
    *(f"{name}_{part}.npy" for name in ("keys", "cased") for part in _KEY_ARRAYS),
    *(f"{name}.npy" for name in _VECTOR_ARRAYS),
)
