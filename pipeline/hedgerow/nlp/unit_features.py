"""What the unit classifier is told about a unit of text and its surroundings.

A feature is a 64-bit hash of its name; a unit's features depend on its own document only. The
words come as n-grams, as pieces, as clusters, and as classes of words (`data/unit_words.toml`);
shapes (`data/unit_patterns.toml`), cues, and what stands around the unit (its lead-in, section,
neighbours, place) come as further features.
"""

from __future__ import annotations

import itertools
import re
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import TypeVar

import numpy as np
import numpy.typing as npt
from spacy.strings import hash_string  # type: ignore[attr-defined]

from hedgerow.nlp.lexicon import CueLexicon
from hedgerow.nlp.rules import hits, load_data, load_rules

UInt64s = npt.NDArray[np.uint64]
UInt16s = npt.NDArray[np.uint16]

_WORD = re.compile(r"[^\W\d_]+(?:[’'\-][^\W\d_]+)*|\d+(?:[.,]\d+)*|[^\w\s]|_")
_DIGITS = re.compile(r"\d+")
_MAX_WORDS = 50_000
_PRIME = np.uint64(0x9E3779B97F4A7C15)
_SHIFT = np.uint64(29)
_SKIP = np.asarray([0x5851F42D4C957F2D], np.uint64)
_CLUSTER = np.asarray([0x14057B7EF767814F], np.uint64)
_BEFORE = np.asarray([0x2545F4914F6CDD1D], np.uint64)
_AFTER = np.asarray([0xD1342543DE82EF95], np.uint64)

Key = TypeVar("Key", bound=Hashable)


@dataclass(frozen=True)
class UnitCue:
    """A cue inside a unit; start and end count code points from the unit's start."""

    start: int
    end: int
    lemma: str
    category: str
    level: str


@dataclass(frozen=True)
class Unit:
    """A unit as the classifier sees it.

    block: kind of block. block_number: which block of the document. section: its heading.
    lead_in: index of the unit that leads in, among the document's units.
    """

    text: str
    block: str = "paragraph"
    block_number: int = 0
    section: str | None = None
    lead_in: int | None = None
    cues: tuple[UnitCue, ...] = ()


def find_unit_cues(text: str, lexicon: CueLexicon) -> tuple[UnitCue, ...]:
    """Return the lexicon's cues in a unit, whatever the model thinks of them.

    The classifier was trained on them so: the model's own scores on what it was trained on would
    have taught it to trust them too much. Entries that need the model's consent are marked.
    """
    return tuple(
        UnitCue(
            start=found.start,
            end=found.end,
            lemma=found.cue.id,
            category=found.cue.category + ("?" if found.cue.threshold else ""),
            level=found.cue.level,
        )
        for found in lexicon.find(text)
    )


@dataclass(frozen=True)
class WordClass:
    """A class of words: exact words, and what words may begin or end with."""

    id: str
    source: str
    words: tuple[str, ...]
    example: str
    counter: str
    exact: frozenset[str] = field(init=False, repr=False)
    begins: tuple[str, ...] = field(init=False, repr=False)
    ends: tuple[str, ...] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        plain = frozenset(w for w in self.words if "*" not in w)
        object.__setattr__(self, "exact", plain)
        object.__setattr__(self, "begins", tuple(w[:-1] for w in self.words if w[-1] == "*"))
        object.__setattr__(self, "ends", tuple(w[1:] for w in self.words if w[0] == "*"))

    def matches(self, word: str) -> bool:
        """Whether the lower-case word belongs to the class."""
        return word in self.exact or word.startswith(self.begins) or word.endswith(self.ends)


@cache
def word_classes() -> tuple[WordClass, ...]:
    """The classes of `data/unit_words.toml`, in the order of the file."""
    return tuple(
        WordClass(**{**entry, "words": tuple(entry["words"])})
        for entry in load_data("unit_words")["class"]
    )


@dataclass(frozen=True)
class Clusters:
    """Clusters of words that stand in similar surroundings (k-means over word vectors).

    keys: (n,) uint64 ascending, hashes of word forms. ids: (n,) uint16, the cluster, from 1.
    """

    keys: UInt64s
    ids: UInt16s

    def of(self, words: UInt64s) -> UInt64s:
        """Return the cluster of each word form by its hash; 0 for words without one."""
        if not len(self.keys):
            return np.zeros(len(words), np.uint64)
        place = np.minimum(np.searchsorted(self.keys, words), len(self.keys) - 1)
        return np.where(self.keys[place] == words, self.ids[place], 0).astype(np.uint64)


NO_CLUSTERS = Clusters(np.zeros(0, np.uint64), np.zeros(0, np.uint16))


def word_key(word: str) -> int:
    """Return the hash of a word's form: lower case, runs of digits as up to four zeros."""
    return _key(f"w:{_form(word)}")


def _form(word: str) -> str:
    return _DIGITS.sub(lambda m: "0" * min(len(m[0]), 4), word)


def words_of(text: str) -> list[str]:
    """Return the lower-case words, numbers and marks of a text."""
    return _WORD.findall(text.lower().replace("’", "'"))


EFFECT_CLASSES = frozenset(
    [
        "increase",
        "decrease",
        "help",
        "worsen",
        "cause",
        "bad_outcome",
        "good_outcome",
        "tolerated",
        "same",
        "negation",
        "possible",
        "probable",
        "open",
    ]
)


@dataclass(frozen=True)
class _Word:
    """A word form's features: its hash, its pieces' hashes, its classes."""

    key: int
    pieces: UInt64s
    classes: tuple[str, ...]
    effects: tuple[str, ...]


def _key(name: str) -> int:
    return int(hash_string(name))


class _Words:
    """Features of the word forms met so far: a cache, emptied when it has grown large."""

    def __init__(self) -> None:
        self._known: dict[str, _Word] = {}

    def __getitem__(self, word: str) -> _Word:
        known = self._known.get(word)
        if known is None:
            if len(self._known) > _MAX_WORDS:
                self._known.clear()
            known = self._known[word] = self._make(word)
        return known

    @staticmethod
    def _make(word: str) -> _Word:
        form = _form(word)
        padded = f"^{form[:24]}$"
        pieces = sorted(
            {padded[i : i + n] for n in (3, 4, 5) for i in range(max(1, len(padded) - n + 1))}
            if len(form) > 2 and form[0].isalpha()
            else ()
        )
        classes = tuple(c.id for c in word_classes() if c.matches(word))
        return _Word(
            _key(f"w:{form}"),
            np.asarray([_key(f"c:{p}") for p in pieces], np.uint64),
            classes,
            tuple(c for c in classes if c in EFFECT_CLASSES),
        )


_WORDS = _Words()
_KEYS: dict[str, int] = {}


def _hashes(lists: Iterable[Iterable[str]]) -> list[UInt64s]:
    """Return the hashes of each list of names, every name once a list."""
    if len(_KEYS) > 4 * _MAX_WORDS:
        _KEYS.clear()
    found: list[int] = []
    ends = [0]
    for names in lists:
        distinct = dict.fromkeys(names)
        keys = list(map(_KEYS.get, distinct))
        if None in keys:
            keys = [_KEYS.setdefault(name, _key(name)) for name in distinct]
        found += keys  # type: ignore[arg-type]  # no None is left
        ends.append(len(found))
    row = np.fromiter(found, np.uint64, len(found))
    return [row[start:end] for start, end in itertools.pairwise(ends)]


def _shared(keys: Sequence[Key], names: Callable[[Key], Iterable[str]]) -> list[UInt64s]:
    """Return the hashes of the names that each key stands for, worked out once a distinct key."""
    distinct = list(dict.fromkeys(keys))
    found = dict(zip(distinct, _hashes(map(names, distinct)), strict=True))
    return [found[key] for key in keys]


def _mix(left: UInt64s, right: UInt64s) -> UInt64s:
    mixed = (left * _PRIME) ^ right
    return (mixed ^ (mixed >> _SHIFT)) * _PRIME


PATTERNS = load_rules("unit_patterns")
"""Shapes of units, whose ids are names of features."""

_PATTERN_NAMES = np.asarray([rule.id for rule in PATTERNS])
_TABLE_SPLIT = re.compile(r"\s*[|\t]\s*")


_BUCKETS = (1, 2, 3, 5, 8, 12, 17, 23, 30, 40)
_BUCKET_NAMES = (*map(str, _BUCKETS), "more")


def _bucket(n: int) -> str:
    return _BUCKET_NAMES[bisect_left(_BUCKETS, n)]


_BORDER = re.compile(
    r"[;:(]\s?|\s[–—]\s|,\s+(?:and|so|which|who|where|with|[a-z]+ing)\b"
    r"|(?:,\s+|\s)(?:but|although|though|however|whereas|while|yet|because|since|that|which|who"
    r"|if|when|whether|as|despite)\b|,\s",
    re.IGNORECASE,
)
"""Where a clause may end: what stands behind the first border seldom decides."""


def _cue_names(unit: Unit, prefix: str) -> list[str]:
    """Names of the features of a unit's cues: what they are, and where they stand."""
    names = []
    length = max(1, len(unit.text))
    borders = (
        [(m.start(), m[0].strip(" ,").lower()) for m in _BORDER.finditer(unit.text)]
        if unit.cues and prefix == "q"
        else []
    )
    counts: dict[str, int] = {}
    first_clause: set[str] = set()
    order = []
    for cue in unit.cues:
        what = f"{cue.category}.{cue.level}"
        counts[what] = counts.get(what, 0) + 1
        names += [f"{prefix}:{what}", f"{prefix}l:{cue.lemma}", f"{prefix}c:{cue.category}"]
        if prefix != "q":
            continue
        passed = [word for start, word in borders if start < cue.start]
        clause = min(sum(word != "" for word in passed), 2)
        names += [
            f"qp:{what}.{3 * cue.start // length}",
            f"ql:{cue.lemma}.{clause}",
            f"qk:{what}.{clause}.{min(len(passed), 3)}",
            f"qb:{what}.{passed[-1] if passed else '^'}",
        ]
        if cue.category.startswith(("spec", "neg")):
            order.append(f"{what}.{clause}")
        if not clause:
            first_clause.add(what)
    names += [f"{prefix}n:{what}.{min(n, 3)}" for what, n in counts.items()]
    main = sorted(what for what in counts if what.startswith(("spec", "neg")))
    names.append(f"{prefix}=" + "+".join(main))
    if prefix == "q":
        names.append("q1=" + "+".join(w for w in main if w in first_clause))
        names += [f"qo{n}:" + ">".join(order[:n]) for n in (1, 2, 3)]
    return names


class _Summary:
    """What a unit looks like to itself and to its neighbours."""

    def __init__(self, unit: Unit, patterns: list[str]) -> None:
        self.words = words_of(unit.text)
        self.entries = [_WORDS[word] for word in self.words]
        self.patterns = patterns
        self.last = self.words[-1] if self.words else ""
        self.length = _bucket(len(self.words))
        self.classes = sorted({c for entry in self.entries for c in entry.classes})

    def edges(self) -> list[str]:
        """Features by which a neighbour knows this unit."""
        words = self.words
        return [
            f"len:{self.length}",
            f"last:{self.last}",
            f"first:{words[0] if words else ''}",
            f"two:{' '.join(words[:2])}",
            *[f"p:{p}" for p in self.patterns if p in _EDGE_PATTERNS],
            *[f"k:{c}" for c in self.classes],
        ]


_EDGE_PATTERNS = frozenset(
    [
        "bullet",
        "numbered",
        "colon_end",
        "question_end",
        "stop_end",
        "pipe",
        "all_caps",
        "bare_number",
        "price",
        "finite",
        "imperative",
        "journal_entry",
        "quote_open",
        "first_plural",
        "first_single",
        "bracket_marker",
        "url",
        "says_that",
        "person_says",
        "et_al",
        "to_start",
        "past",
        "a_trial",
    ]
)
REFERENCE_SECTION = re.compile(
    r"^\W*(?:references?|bibliography|literature|sources|citations|further reading|notes)\b",
    re.IGNORECASE,
)

GROUPS = (
    "words",
    "pieces",
    "clusters",
    "classes",
    "frame",
    "context",
    "lead_in",
    "section",
    "document",
    "cues",
)
"""Families of features; each has a weight and a normalisation of its own in the matrix."""


def features_of(
    documents: Iterable[Sequence[Unit]], clusters: Clusters = NO_CLUSTERS
) -> list[dict[str, UInt64s]]:
    """Return the features by group of the units of documents, in order.

    Out: one dict a unit, from each of `GROUPS` to the hashes of its features; words and pieces that
    come twice stand there twice.
    """
    held = list(documents)
    found = hits([unit.text for units in held for unit in units], PATTERNS)
    patterns = iter([_PATTERN_NAMES[row].tolist() for row in found])
    return [row for units in held for row in _document_features(units, patterns, clusters)]


def _document_features(
    units: Sequence[Unit], patterns: Iterable[list[str]], clusters: Clusters
) -> list[dict[str, UInt64s]]:
    known = [_Summary(unit, names) for unit, names in zip(units, patterns, strict=False)]
    words, clustered, pieces = _word_features(known, clusters)
    quoted = _quote_states(units)
    groups = {
        "words": words,
        "pieces": pieces,
        "clusters": clustered,
        "classes": _hashes(_class_names(me.entries) for me in known),
        "frame": _hashes(map(_frame_names, units, known, quoted)),
        "context": _context(units, known),
        "lead_in": _lead_ins(units, known),
        "section": _shared([unit.section for unit in units], _section_names),
        "document": _hashes([_document_names(units, known)]) * len(units),
        "cues": _hashes(_cue_names(unit, "q") for unit in units),
    }
    return [dict(zip(groups, row, strict=True)) for row in zip(*groups.values(), strict=True)]


def _word_features(
    known: Sequence[_Summary], clusters: Clusters
) -> tuple[list[UInt64s], list[UInt64s], list[UInt64s]]:
    """Return each unit's n-grams of words and of clusters (empty without them), and word pieces.

    The n-grams are the words, pairs, triples, and pairs with a word between; words that stand at
    an edge of the unit make pairs and triples with it.
    """
    edges = [word_key("^"), word_key("$")]
    keys: list[int] = []
    lengths = []
    for summary in known:
        keys += [edges[0], *(entry.key for entry in summary.entries), edges[1]]
        lengths.append(len(summary.entries) + 2)
    row = np.asarray(keys, np.uint64)
    ends = np.cumsum(lengths)
    words = _ngrams(row, ends)
    clustered = (
        _ngrams(_mix(clusters.of(row), _CLUSTER), ends)
        if len(clusters.keys)
        else [_NOTHING] * len(known)
    )
    pieces = [
        np.concatenate([entry.pieces for entry in summary.entries]) if summary.entries else _NOTHING
        for summary in known
    ]
    return words, clustered, pieces


_NOTHING = np.zeros(0, np.uint64)


def _ngrams(row: UInt64s, ends: npt.NDArray[np.int64]) -> list[UInt64s]:
    """Return the n-grams of each unit; `row` holds the units' words, each between two edges."""
    if not len(row):
        return []
    two = _mix(row[:-1], row[1:])
    three = _mix(two[:-1], row[2:])
    skip = _mix(_mix(row[:-2], _SKIP), row[2:])
    found = []
    start = 0
    for end in ends.tolist():
        parts = (row[start + 1 : end - 1], two[start : end - 1], three[start : end - 2],
                 skip[start : end - 2])  # fmt: skip
        found.append(np.concatenate(parts))
        start = end
    return found


def _class_names(entries: Sequence[_Word]) -> list[str]:
    """Names of word classes, and of their order in the unit."""
    full = [entry.classes for entry in entries if entry.classes]
    names = [f"k:{c}" for classes in full for c in classes]
    for left, right in itertools.pairwise(full):
        names += [f"k:{a}>{b}" for a in left[:3] for b in right[:3]]
    effects = [entry.effects for entry in entries if entry.effects]
    for left, right in itertools.pairwise(effects):
        names += [f"e:{a}>{b}" for a in left for b in right]
    for first, second, third in zip(effects, effects[1:], effects[2:], strict=False):
        names += [f"e:{a}>{b}>{c}" for a in first[:2] for b in second[:2] for c in third[:2]]
    if effects:
        names += [f"e1:{c}" for c in effects[0]]
        names.append("e=" + "+".join(sorted({c for e in effects for c in e})))
    return names


def _frame_names(unit: Unit, me: _Summary, quoted: str) -> list[str]:
    """Names of the unit's own form: its edges, patterns, length."""
    words = me.words
    names = [f"f1:{' '.join(words[:n])}" for n in (1, 2, 3)]
    names += [f"l1:{' '.join(words[-n:])}" for n in (1, 2)]
    names += [f"len:{me.length}", f"block:{unit.block}", f"quote:{quoted}"]
    names.append(f"block+len:{unit.block}.{me.length}")
    names += [f"p:{p}" for p in me.patterns]
    names += [f"bp:{unit.block}.{p}" for p in me.patterns if p in _EDGE_PATTERNS]
    reporters = [c for c in me.classes if c in ("scholars", "users", "makers", "regulator")]
    acts = [c for c in me.classes if c in ("says", "finds", "guidance", "trial", "synthesis")]
    names += [f"who:{r}+{a}" for r in reporters for a in acts]
    names += [f"pk:{p}+{a}" for p in me.patterns if p in _SOURCE_PATTERNS for a in acts]
    letters = [w for w in unit.text.split() if w[:1].isalpha()]
    capitals = sum(w[0].isupper() for w in letters)
    names.append(f"caps:{4 * capitals // max(1, len(letters))}")
    digits = sum(map(len, _DIGITS.findall(unit.text)))
    names.append(f"digits:{8 * digits // max(1, len(unit.text))}")
    cells = [cell for cell in _TABLE_SPLIT.split(unit.text) if cell]
    names.append(f"cells:{min(len(cells), 6)}")
    return names


_SOURCE_PATTERNS = frozenset(
    [
        "bracket_marker",
        "paren_marker",
        "trailing_marker",
        "stop_marker",
        "superscript",
        "et_al",
        "author_year",
        "name_year",
        "named_study",
        "a_trial",
        "with_size",
        "own_study",
        "first_plural",
        "identifier",
    ]
)


def _context(units: Sequence[Unit], known: Sequence[_Summary]) -> list[UInt64s]:
    """Return the features of what stands before and after, and of the unit's place."""
    edges = _hashes(me.edges() for me in known)
    before = [_mix(keys, _BEFORE) for keys in (_NOTHING, *edges)]
    after = [_mix(keys, _AFTER) for keys in (*edges[1:], _NOTHING)]
    own = _hashes(_place_names(units, i, place) for i, place in enumerate(_places(units)))
    return [np.concatenate(parts) for parts in zip(own, before, after, strict=False)]


def _place_names(units: Sequence[Unit], i: int, place: str) -> list[str]:
    """Names of the unit's place, and of the blocks of its neighbours."""
    unit = units[i]
    names = [f"place:{place}", f"block+place:{unit.block}.{place}"]
    for step in (-2, -1, 1, 2):
        j = i + step
        if not 0 <= j < len(units):
            names.append(f"n{step}:none")
            continue
        other = units[j]
        near = "same" if other.block_number == unit.block_number else other.block
        names += [f"n{step}b:{near}", f"n{step}bb:{unit.block}.{near}"]
    tenth = 5 * i // max(1, len(units))
    names += [f"at:{tenth}", f"first:{min(i, 3)}", f"left:{min(len(units) - 1 - i, 3)}"]
    return names


def _lead_ins(units: Sequence[Unit], known: Sequence[_Summary]) -> list[UInt64s]:
    """Return the features of what leads in: an item takes certainty, polarity, voice from it.

    A unit without a finite verb is no clause of its own.
    """

    def names_of(key: tuple[int | None, str, str]) -> list[str]:
        at, block, clause = key
        if at is None:
            return ["li:none"]
        lead, summary = units[at], known[at]
        names = [f"li:{block}", f"li:{clause}", *_cue_names(lead, "lq")]
        names += [f"lw:{w}" for w in summary.words]
        names += [f"lw:{a} {b}" for a, b in itertools.pairwise(summary.words)]
        names += [f"lk:{c}" for c in summary.classes]
        names += [f"lk:{clause}.{c}" for c in summary.classes]
        names += [f"lp:{p}" for p in summary.patterns]
        if lead.lead_in is not None:
            names += [f"gk:{c}" for c in known[lead.lead_in].classes]
        return names

    keys = []
    for unit, me in zip(units, known, strict=True):
        clause = "clause" if "finite" in me.patterns else "phrase"
        keys.append((unit.lead_in, unit.block, clause) if unit.lead_in is not None else _NO_LEAD)
    return _shared(keys, names_of)


_NO_LEAD: tuple[int | None, str, str] = (None, "", "")


def _section_names(section: str | None) -> list[str]:
    if not section:
        return ["s:none"]
    words = words_of(section)
    names = [f"s:{w}" for w in words]
    names += [f"s:{a} {b}" for a, b in itertools.pairwise(words)]
    names += [f"sk:{c}" for c in sorted({c for w in words for c in _WORDS[w].classes})]
    if section.rstrip().endswith("?"):
        names.append("s:question")
    if REFERENCE_SECTION.search(section):
        names.append("s:references")
    return names


def _document_names(units: Sequence[Unit], known: Sequence[_Summary]) -> list[str]:
    """Names of the document's make-up, the same for all its units."""
    count = max(1, len(units))
    blocks = Counter(unit.block for unit in units)
    patterns = Counter(itertools.chain.from_iterable(summary.patterns for summary in known))
    shares = {
        "items": blocks["list_item"],
        "rows": blocks["table_row"],
        **{name: patterns[name] for name in _MAKE_UP},
    }
    names = []
    for name, n in shares.items():
        level = 0 if n == 0 else 1 if 20 * n < count else 2 if 5 * n < count else 3
        names.append(f"d:{name}.{level}")
    names.append(f"d:size.{_bucket(count // 4)}")
    return names


_MAKE_UP = (
    "price",
    "first_plural",
    "first_single",
    "second_person",
    "bracket_marker",
    "question_end",
    "quoted",
    "p_value",
    "et_al",
    "percent",
)


def _quote_states(units: Sequence[Unit]) -> list[str]:
    """Whether a quotation opened before the unit, in its block or the one before, still runs."""
    states = []
    depth = 0
    block = -1
    for unit in units:
        if unit.block_number != block:
            block = unit.block_number
            depth = 0 if not unit.text.startswith(("“", "”")) else depth
        opened = unit.text.count("“")
        closed = unit.text.count("”")
        states.append("inside" if depth else "opens" if opened > closed else "none")
        depth = max(0, depth + opened - closed)
        straight = unit.text.count('"')
        if straight % 2:
            depth = 1 - min(depth, 1)
    return states


def _places(units: Sequence[Unit]) -> list[str]:
    """Each unit's place in its block: only, first, inside, last."""
    places = []
    for i, unit in enumerate(units):
        starts = i == 0 or units[i - 1].block_number != unit.block_number
        ends = i + 1 == len(units) or units[i + 1].block_number != unit.block_number
        places.append(
            "only" if starts and ends else "first" if starts else "last" if ends else "inside"
        )
    return places
