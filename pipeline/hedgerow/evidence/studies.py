"""Independent studies: which references, named trials and copied sentences are the same thing.

Two pages that cite one trial are one piece of evidence, and so are two pages that copy each
other's sentence. Belief computed from counts of mentions would take them for two.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from datasketch import MinHash, MinHashLSH

from hedgerow.evidence.names import Names

_SHINGLE = 3
_PERMUTATIONS = 64
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
    acronyms = _acronyms(study)
    if acronyms:
        return acronyms[0], True
    folded = names.fold(study)
    words = [w for w in folded.split() if w not in {"the", "a", "an", "trial", "study"}]
    telling = any(len(w) > 2 and not w.isdigit() and not names.is_common(w) for w in words)
    return (f"study:{' '.join(words)}", False) if telling else (None, False)


def _acronyms(text: str) -> list[str]:
    """Return the keys of the trials that a text names by an acronym, in order, each once."""
    found = [a for a in _ACRONYM.findall(text) if a.split()[0].rstrip("S") not in _NOT_TRIALS]
    return list(dict.fromkeys(f"study:{a.replace('-', ' ').casefold()}" for a in found))


class Studies:
    """Which studies stand behind each claim.

    references: rows of the table `references`.
    cited: claim id -> [(reference_id or None, identifier or None)], in order.
    named: claim id -> the named trial or review, if any.
    """

    def __init__(
        self,
        references: Iterable[Mapping[str, Any]],
        cited: Mapping[str, Sequence[tuple[str | None, str | None]]],
        named: Mapping[str, str | None],
        names: Names,
    ) -> None:
        self._groups = Groups()
        self._of_reference: dict[str, str] = {}
        self._keys: dict[str, list[str]] = {}
        reviews: set[str] = set()
        raw: dict[str, set[str]] = {}
        for row in references:
            keys = reference_keys(row, names)
            self._of_reference[row["reference_id"]] = keys[0]
            raw.setdefault(keys[0], set()).update(_acronyms(row["raw"]))
            if row["cochrane_id"] or _REVIEW.search(row["raw"]):
                reviews.add(keys[0])
            for key in keys[1:]:
                self._groups.join(keys[0], key)
        trials: set[str] = set()
        for claim_id in sorted(named):
            cited_keys = self._cited_keys(cited.get(claim_id, ()))
            name, alone = study_name(named[claim_id], names)
            use_name = name is not None and (alone or not cited_keys)
            self._keys[claim_id] = [*cited_keys, name] if use_name and name else cited_keys
            if name is None or not alone:
                continue
            trials.add(name)
            if len(cited_keys) == 1 and cited_keys[0] not in reviews:
                # One named trial beside one paper: the paper reports that trial.
                self._groups.join(name, cited_keys[0])
        for key, acronyms in raw.items():
            known = sorted(acronyms & trials)
            if len(known) == 1 and key not in reviews:
                self._groups.join(known[0], key)

    def _cited_keys(self, cited: Sequence[tuple[str | None, str | None]]) -> list[str]:
        keys: list[str] = []
        for reference_id, identifier in cited:
            key = self._of_reference.get(reference_id) if reference_id else None
            if key is None and identifier:
                key = identifier_key(identifier)
            if key is not None and key not in keys:
                keys.append(key)
        return keys

    def join_copies(self, copies: Iterable[Sequence[str]]) -> None:
        """Take the references of copied sentences for the same ones, in order, where as many."""
        for claim_ids in copies:
            lists = [self._keys.get(c, []) for c in claim_ids]
            first = next((keys for keys in lists if keys), [])
            for keys in lists:
                if len(keys) == len(first):
                    for one, other in zip(first, keys, strict=True):
                        self._groups.join(one, other)

    def of(self, claim_id: str) -> frozenset[str]:
        """Return the studies behind a claim; equal strings are one study, in every document."""
        return frozenset(self._groups.find(key) for key in self._keys.get(claim_id, ()))


def copied(texts: Mapping[str, tuple[str, str]]) -> dict[str, str]:
    """Return for each claim the least id among the claims that copy it or are copied by it.

    texts: claim id -> (document, folded text). Texts are copies where they are equal, or where
    the Jaccard similarity of their word trigrams is 0.8 or more; MinHash (Broder 1997, with
    fixed permutations) only proposes the pairs, so the result is exact for every pair proposed.
    A text of which more than a fifth of the trigrams stand in no other needs no signature.
    """
    groups = Groups()
    by_text: defaultdict[str, list[str]] = defaultdict(list)
    for claim_id in sorted(texts):
        by_text[texts[claim_id][1]].append(claim_id)
    for same in by_text.values():
        for claim_id in same[1:]:
            groups.join(same[0], claim_id)
    shingles = {
        same[0]: _shingles(text)
        for text, same in by_text.items()
        if len(text.split()) >= _LEAST_WORDS
    }
    number = Counter(gram for grams in shingles.values() for gram in grams)
    shingles = {
        claim_id: grams
        for claim_id, grams in shingles.items()
        if sum(number[gram] > 1 for gram in grams) >= _SIMILARITY * len(grams)
    }
    index = MinHashLSH(threshold=_SIMILARITY - 0.15, num_perm=_PERMUTATIONS)
    signatures: dict[str, MinHash] = {}
    blank = MinHash(num_perm=_PERMUTATIONS, seed=_SEED)
    for claim_id, grams in shingles.items():
        signature = blank.copy()  # Making the permutations anew would take most of the time.
        signature.update_batch([gram.encode("utf-8", "surrogatepass") for gram in sorted(grams)])
        signatures[claim_id] = signature
        index.insert(claim_id, signature)
    for claim_id, signature in signatures.items():
        for other in sorted(index.query(signature)):
            if other > claim_id and _jaccard(shingles[claim_id], shingles[other]) >= _SIMILARITY:
                groups.join(claim_id, other)
    return {claim_id: groups.find(claim_id) for claim_id in texts}


def _shingles(text: str) -> frozenset[str]:
    words = text.split()
    return frozenset(" ".join(words[i : i + _SHINGLE]) for i in range(len(words) - _SHINGLE + 1))


def _jaccard(first: frozenset[str], second: frozenset[str]) -> float:
    return len(first & second) / len(first | second)
