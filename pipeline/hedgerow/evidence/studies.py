"""Independent studies: which references, named trials and copied sentences are the same thing.

Two pages that cite one trial are one piece of evidence, and so are two pages that copy each
other's sentence. Belief computed from counts of mentions would take them for two.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from hashlib import blake2b
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from datasketch import MinHash

from hedgerow.evidence.names import Names

_SHINGLE = 3
_BANDS, _BAND_ROWS = 9, 7
"""Of a MinHash of 63 permutations: two texts are compared where all seven values of a band are
equal, which finds 87% of the pairs of similarity 0.8, and 99.8% of those of 0.9."""
_SEED = 1
_SIMILARITY = 0.8
"""Jaccard similarity of word trigrams above which two sentences are copies."""
_LEAST_WORDS = 8
"""Shorter texts are copies only where they are equal: stock phrases are not copying."""
_TITLE_WORDS = 5
"""A title of fewer words does not identify a work."""

_IDENTIFIER = re.compile(
    r"(?i)^(?:(?P<scheme>doi|pmid|pmcid|nct|isrctn|cochrane)\s*:?\s*)?(?P<value>\S+)$"
)
_COCHRANE = re.compile(r"(?i)\bCD\d{6}\b")
_PMCID = re.compile(r"(?i)^PMC\d+$")
_TRIAL = re.compile(r"(?i)^(?:NCT\d{8}|ISRCTN\d{6,10}|EUCTR\S+|ChiCTR\S+)$")
_ACRONYM = re.compile(r"\b[A-Z][A-Z0-9]{2,}(?:[- ]\d{1,3})?\b")
_GLUED = re.compile(r"[a-z]{2}[A-Z]")
"""Cells of a table read as one word are no name."""
_NOT_TRIALS = frozenset({"RCT", "FDA", "EMA", "WADA", "NICE", "MHRA", "WHO", "NIH", "USA", "NHS"})
_REVIEW = re.compile(r"(?i)\b(?:cochrane|systematic review|meta-?analys[ei]s)\b")


class Groups:
    """Disjoint sets of strings; a set's name is its least member, whatever the order of joins."""

    def __init__(self) -> None:
        self._parent: dict[str, str] = {}

    def find(self, item: str) -> str:
        """Return the name of the item's set."""
        parent = self._parent.setdefault(item, item)
        while parent != item:
            grand = self._parent[parent]
            self._parent[item] = grand
            item, parent = grand, self._parent[grand]
        return item

    def join(self, first: str, second: str) -> None:
        """Make one set of two."""
        low, high = sorted((self.find(first), self.find(second)))
        self._parent[high] = low


def identifier_key(identifier: str) -> str | None:
    """Return a bare identifier such as pmid:26564102, CD007026 or NCT00868283 in one spelling."""
    match = _IDENTIFIER.match(identifier.strip())
    if match is None:
        return None
    scheme, value = (match["scheme"] or "").lower(), match["value"].rstrip(".,;)")
    if _COCHRANE.fullmatch(value):
        return f"cochrane:{value.upper()}"
    if _PMCID.match(value):
        return f"pmcid:{value.upper()}"
    if _TRIAL.match(value):
        return f"trial:{value.upper()}"
    if scheme == "nct":
        return f"trial:NCT{value}"
    if value.lower().startswith("10."):
        return f"doi:{value.lower()}"
    if value.isdigit():
        return f"pmid:{value}"
    return None


def reference_keys(row: Mapping[str, Any], names: Names) -> list[str]:
    """Return every identity of a row of `references`: identifiers first, then its title."""
    keys = [
        f"doi:{row['doi'].lower()}" if row["doi"] else None,
        f"pmid:{row['pmid']}" if row["pmid"] else None,
        f"pmcid:{row['pmcid'].upper()}" if row["pmcid"] else None,
        f"cochrane:{row['cochrane_id'].upper()}" if row["cochrane_id"] else None,
        f"trial:{row['registration'].upper()}" if row["registration"] else None,
    ]
    title = names.fold(row["title"] or "")
    if len(title.split()) >= _TITLE_WORDS:
        keys.append(f"title:{title}")
    found = [key for key in keys if key]
    return found or [f"entry:{names.fold(row['raw']) or row['reference_id']}"]


def study_name(study: str | None, names: Names) -> tuple[str | None, bool]:
    """Return the key of a named study, and whether the name alone identifies it (an acronym).

    A name of words that any study may have, such as "two recent trials", has no key.
    """
    if not study or _GLUED.search(study):
        return None, False
    acronyms = trial_names(study)
    if acronyms:
        return acronyms[0], True
    folded = names.fold(study)
    words = [w for w in folded.split() if w not in {"the", "a", "an", "trial", "study"}]
    telling = any(len(w) > 2 and not w.isdigit() and not names.is_common(w) for w in words)
    return (f"study:{' '.join(words)}", False) if telling else (None, False)


def is_review(row: Mapping[str, Any]) -> bool:
    """Return whether a row of `references` is a systematic review, which joins trials."""
    return bool(row["cochrane_id"] or _REVIEW.search(row["raw"]))


def trial_names(text: str) -> list[str]:
    """Return the keys of the trials that a text names by an acronym, in order, each once."""
    found = [a for a in _ACRONYM.findall(text) if a.split()[0].rstrip("S") not in _NOT_TRIALS]
    return list(dict.fromkeys(f"study:{a.replace('-', ' ').casefold()}" for a in found))


class Studies:
    """Which studies stand behind each claim.

    works: the table `works`. statements: rows of `statements`, in the order of their ids.
    copies: claim id -> the least id among the claims that copy each other.
    """

    def __init__(
        self,
        works: pa.Table,
        statements: Sequence[Mapping[str, Any]],
        copies: Mapping[str, str],
    ) -> None:
        self._groups = Groups()
        reviews: set[str] = set()
        named_in: dict[str, set[str]] = {}
        for row in works.to_pylist():
            first, *others = row["keys"]
            named_in.setdefault(first, set()).update(row["trials"])
            if row["review"]:
                reviews.add(first)
            for key in others:
                self._groups.join(first, key)
        trials: set[str] = set()
        self._keys: dict[str, list[str]] = {}
        for row in statements:
            cited, name, alone = row["cited"], row["study_key"], row["study_alone"]
            use_name = name is not None and (alone or not cited)
            self._keys[row["claim_id"]] = [*cited, name] if use_name else cited
            if name is None or not alone:
                continue
            trials.add(name)
            if len(cited) == 1 and cited[0] not in reviews:
                # One named trial beside one paper: the paper reports that trial.
                self._groups.join(name, cited[0])
        for key, names in named_in.items():
            known = sorted(names & trials)
            if len(known) == 1 and key not in reviews:
                self._groups.join(known[0], key)
        self._join_copies(copies)

    def _join_copies(self, copies: Mapping[str, str]) -> None:
        """Take the references of copied sentences for the same ones, in order, where as many."""
        leading: dict[str, list[str]] = {}
        for claim_id, copy_of in copies.items():
            keys = self._keys[claim_id]
            if not keys:
                continue
            first = leading.setdefault(copy_of, keys)
            if len(keys) == len(first):
                for one, other in zip(first, keys, strict=True):
                    self._groups.join(one, other)

    def of(self, claim_id: str) -> tuple[str, ...]:
        """Return the studies behind a claim; equal strings are one study, in every document."""
        return tuple(sorted({self._groups.find(key) for key in self._keys[claim_id]}))


@lru_cache(maxsize=1)
def _blank() -> MinHash:
    """Return an empty signature; making its permutations anew would take most of the time."""
    return MinHash(num_perm=_BANDS * _BAND_ROWS, seed=_SEED)


def bands(text: str) -> list[int]:
    """Return the MinHash signature of a folded text's word trigrams, one key a band.

    Texts that share a key may be copies (locality-sensitive hashing: Broder 1997; Leskovec,
    Rajaraman and Ullman, Mining of Massive Datasets, section 3.4). Short texts have none.
    """
    if len(text.split()) < _LEAST_WORDS:
        return []
    signature = _blank().copy()
    signature.update_batch([gram.encode("utf-8", "surrogatepass") for gram in _shingles(text)])
    values = signature.hashvalues.astype("<u8").reshape(_BANDS, _BAND_ROWS)
    keys = (blake2b(band.tobytes(), digest_size=8).digest() for band in values)
    return [int.from_bytes(key, "little", signed=True) for key in keys]


def copied(statements: pa.Table, claims: pa.Table, names: Names) -> dict[str, str]:
    """Return for each claim the least id among the claims that copy it or are copied by it.

    statements: rows with claim_id, text_key and bands, in the order of their ids. claims: rows
    with claim_id and text. Texts are copies where they are equal, or where the Jaccard similarity
    of their word trigrams is 0.8 or more; the signatures only propose the pairs.
    """
    groups = Groups()
    first_with: dict[bytes, str] = {}
    claim_ids: list[str] = statements.column("claim_id").to_pylist()
    distinct = []
    for at, (claim_id, key) in enumerate(
        zip(claim_ids, statements.column("text_key").to_pylist(), strict=True)
    ):
        first = first_with.setdefault(key, claim_id)
        if first == claim_id:
            distinct.append(at)
        else:
            groups.join(first, claim_id)
    alike = _alike(statements.take(pa.array(distinct, pa.int64())))
    wanted = pa.array(sorted({claim_id for members in alike for claim_id in members}), pa.string())
    texts = claims.column("text").take(pc.index_in(wanted, claims.column("claim_id")))
    shingles = {
        claim_id: _shingles(names.fold(text))
        for claim_id, text in zip(wanted.to_pylist(), texts.to_pylist(), strict=True)
    }
    for members in alike:
        for i, claim_id in enumerate(members):
            leaders = dict.fromkeys(groups.find(other) for other in members[:i])
            for leader in leaders:
                if _jaccard(shingles[leader], shingles[claim_id]) >= _SIMILARITY:
                    groups.join(leader, claim_id)
    return {claim_id: groups.find(claim_id) for claim_id in claim_ids}


def _alike(statements: pa.Table) -> list[list[str]]:
    """Return groups of claims that share a key of one band, each in the order of its ids."""
    signed = statements.filter(pc.greater(pc.list_value_length(statements.column("bands")), 0))
    keys = pc.list_flatten(signed.column("bands")).to_numpy().reshape(-1, _BANDS)
    claim_ids = signed.column("claim_id").to_numpy()
    found = []
    for band in keys.T:
        order = np.argsort(band, kind="stable")
        bounds = np.concatenate([[0], np.flatnonzero(np.diff(band[order])) + 1, [len(order)]])
        for run in np.flatnonzero(np.diff(bounds) > 1):
            found.append(claim_ids[order[bounds[run] : bounds[run + 1]]].tolist())
    return found


def _shingles(text: str) -> frozenset[str]:
    words = text.split()
    return frozenset(" ".join(words[i : i + _SHINGLE]) for i in range(len(words) - _SHINGLE + 1))


def _jaccard(first: frozenset[str], second: frozenset[str]) -> float:
    return len(first & second) / len(first | second)
