"""Deterministic identifiers: the same text in the same document has the same id everywhere.

An id is the first 20 hexadecimal digits (80 bits) of a BLAKE2b hash over its parts. Ids depend
neither on the machine, nor on the order of files, nor on text elsewhere in the document.
"""

from __future__ import annotations

import hashlib
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator

ID_DIGITS = 20


def make_id(*parts: str | int) -> str:
    """Return the id of a tuple of parts: 20 lower-case hexadecimal digits."""
    text = "\x1f".join(str(part) for part in parts)
    return hashlib.blake2b(
        text.encode("utf-8", "surrogatepass"), digest_size=ID_DIGITS // 2
    ).hexdigest()


def path_id(path: str) -> str:
    """Return the `doc_id` of a document that declares none: its path, NFC, forward slashes."""
    return unicodedata.normalize("NFC", path.replace("\\", "/"))


def occurrence_ids(doc_id: str, texts: Iterable[str]) -> Iterator[str]:
    """Yield hash(doc_id, text, how often that text stood before) for each text, in order."""
    seen: Counter[str] = Counter()
    for text in texts:
        yield make_id(doc_id, text, seen[text])
        seen[text] += 1
