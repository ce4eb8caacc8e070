"""What the encoder is told about a token: hashed word features, a word vector, a name-list code."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from spacy.strings import hash_string  # type: ignore[attr-defined]
from spacy.vectors import Mode
from spacy.vocab import Vocab

UInt64s = npt.NDArray[np.uint64]
UInt8s = npt.NDArray[np.uint8]
Int64s = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]

COLUMNS = ("norm", "prefix", "suffix3", "suffix5", "shape")
"""The hashed features of a word form, in the order of the columns of `WordTable.hashes`."""

NAME_TYPES = ("CHEMICAL", "DISEASE", "GENE", "ANATOMY", "SPECIES")
"""The types of the name list, in the order of their codes (1, 2, …)."""

N_CODES = 1 + 4 * len(NAME_TYPES)
"""Codes of a token: 0 outside names, else 1 + 4 * type + place (begin, inside, last, single)."""

_DIGIT = re.compile(r"\d")
_MAX_WORDS = 100_000
_CONTINUES = np.uint8(128)
_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)


def normal_form(word: str) -> str:
    """Return `word` in lower case with every digit as 0."""
    return _DIGIT.sub("0", word.lower())


def name_form(word: str) -> str:
    """Return `word` as name lists are compared: lower case, a plural s dropped."""
    word = word.lower()
    if len(word) > 4 and word.endswith("s") and word[-2] not in "sui":
        return word[:-1]
    return word


def word_shape(word: str) -> str:
    """Return the shape of `word`: X, x, d for kinds of characters, runs cut at three."""
    shape = []
    last, run = "", 0
    for char in word[:24]:
        if char.isalpha():
            kind = "X" if char.isupper() else "x"
        elif char.isdigit():
            kind = "d"
        else:
            kind = char
        run = run + 1 if kind == last else 1
        last = kind
        if run <= 3:
            shape.append(kind)
    return "".join(shape)


class WordTable:
    """Features of the word forms met so far, one row a form, filled as forms come.

    Rows are a pure function of the form, so the table is only a cache: it is emptied when it has
    grown to 100,000 rows, between two batches, and `generation` counts up.

    hashes: (rows, 5) uint64, by `COLUMNS`; names: (rows,) uint64, for `NameList.codes`;
    vectors: (rows, size) float32; size is 0 where the vocabulary has no floret vectors.
    """

    def __init__(self, vocab: Vocab) -> None:
        self.vocab = vocab
        self.generation = 0
        self.size = int(vocab.vectors.shape[1]) if vocab.vectors.mode == Mode.floret else 0
        self.clear()

    def clear(self) -> None:
        """Forget every form."""
        self._rows: dict[str, int] = {}
        self.generation += 1
        self.hashes = np.zeros((1024, len(COLUMNS)), dtype=np.uint64)
        self.names = np.zeros(1024, dtype=np.uint64)
        self.vectors = np.zeros((1024, self.size), dtype=np.float32)

    def __len__(self) -> int:
        return len(self._rows)

    def rows_of(self, units: Iterable[Sequence[str]]) -> Int64s:
        """Return the row of every token (n_tokens,) in `hashes`, `names` and `vectors`.

        units: the tokens of each unit of text.
        """
        if len(self._rows) > _MAX_WORDS:
            self.clear()
        rows = self._rows
        found: list[int] = []
        for words in units:
            try:
                found.extend([rows[word] for word in words])
            except KeyError:
                found.extend(rows[word] if word in rows else self._add(word) for word in words)
        return np.asarray(found, dtype=np.int64)

    def _add(self, word: str) -> int:
        row = len(self._rows)
        if row == len(self.names):
            self.hashes = np.concatenate((self.hashes, np.zeros_like(self.hashes)))
            self.names = np.concatenate((self.names, np.zeros_like(self.names)))
            self.vectors = np.concatenate((self.vectors, np.zeros_like(self.vectors)))
        norm = normal_form(word)
        parts = (norm, "p" + norm[:4], "s" + norm[-3:], "t" + norm[-5:], word_shape(word))
        self.hashes[row] = [hash_string(part) for part in parts]
        self.names[row] = hash_string(name_form(word))
        if self.size and norm:
            self.vectors[row] = self.vocab.vectors.get_batch([norm])[0]
        self._rows[word] = row
        return row


@dataclass(frozen=True)
class NameList:
    """A set of typed names, kept as sorted hashes of the names and of their beginnings.

    keys: (n,) uint64, ascending; values: (n,) uint8, the type's code (0: only a beginning) and
    128 if a longer name begins so.
    """

    keys: UInt64s
    values: UInt8s

    @classmethod
    def build(cls, names: Iterable[tuple[Sequence[str], str]]) -> "NameList":
        """Build a list from (words, type); of several types of one name the first is kept."""
        table: dict[int, int] = {}
        hashes: dict[str, int] = {}
        for words, name_type in names:
            state = 0
            code = NAME_TYPES.index(name_type) + 1
            for i, word in enumerate(words):
                hashed = hashes.get(word)
                if hashed is None:
                    hashed = hashes.setdefault(word, hash_string(name_form(word)))
                mixed = (state ^ hashed) * int(_MULTIPLIER) % 2**64
                state = mixed ^ (mixed >> 29)  # as in _extend
                value = table.get(state, 0)
                if i + 1 < len(words):
                    value |= int(_CONTINUES)
                elif not value & 127:
                    value |= code
                table[state] = value
        keys = np.fromiter(table.keys(), dtype=np.uint64, count=len(table))
        values = np.fromiter(table.values(), dtype=np.uint8, count=len(table))
        order = np.argsort(keys)
        return cls(keys[order], values[order])

    def codes(self, words: UInt64s, lengths: Sequence[int] | Int64s) -> Int64s:
        """Return each token's code for the longest names, leftmost first.

        In: name hashes of the tokens (n_tokens,), lengths of the units (sum n_tokens).
        Out: codes (n_tokens,), see `N_CODES`.
        """
        codes = np.zeros(len(words), dtype=np.int64)
        if not len(self.keys) or not len(words):
            return codes
        ends = np.repeat(np.cumsum(lengths), lengths)
        starts = np.arange(len(words))
        state = np.zeros(len(words), dtype=np.uint64)
        best_type = np.zeros(len(words), dtype=np.int64)
        best_length = np.zeros(len(words), dtype=np.int64)
        length = 0
        while len(starts):
            state = _extend(state, words[starts + length])
            length += 1
            place = np.minimum(np.searchsorted(self.keys, state), len(self.keys) - 1)
            value = np.where(self.keys[place] == state, self.values[place], np.uint8(0))
            named = (value & 127) > 0
            best_type[starts[named]] = value[named] & 127
            best_length[starts[named]] = length
            longer = ((value & _CONTINUES) > 0) & (starts + length < ends[starts])
            starts, state = starts[longer], state[longer]
        free = 0
        for start in np.flatnonzero(best_length).tolist():
            if start < free:
                continue
            first = 1 + 4 * (int(best_type[start]) - 1)
            free = start + int(best_length[start])
            if free == start + 1:
                codes[start] = first + 3
            else:
                codes[start + 1 : free - 1] = first + 1
                codes[start], codes[free - 1] = first, first + 2
        return codes


def _extend(state: UInt64s, words: UInt64s) -> UInt64s:
    """Return the hash of each phrase `state` with one more word."""
    mixed = (state ^ words) * _MULTIPLIER
    return mixed ^ (mixed >> np.uint64(29))
