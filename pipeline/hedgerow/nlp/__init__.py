"""The language side of Hedgerow: the spaCy pipeline, its components, lexicons and rules.

Importing this package is cheap; spaCy is imported when a pipeline is loaded or a `Doc` is made.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from hedgerow.errors import ResourceError

if TYPE_CHECKING:
    from spacy.language import Language
    from spacy.tokens import Doc
    from spacy.vocab import Vocab

__all__ = ["load_language", "make_docs"]


def load_language(path: Path) -> Language:
    """Return the spaCy pipeline in the folder `path`, Hedgerow's own components registered.

    Raises ResourceError where the folder is missing, is no pipeline, or needs what is not
    installed.
    """
    if not (path / "config.cfg").is_file():
        found = "no such folder" if not path.is_dir() else "a folder without config.cfg"
        raise ResourceError(
            f"model {path}: found {found}; expected a saved spaCy pipeline; name one with --model, "
            "or reinstall hedgerow for the one that ships"
        )
    import spacy

    import hedgerow.nlp.annotator  # noqa: F401  registers the component and the tokenizer

    try:
        return spacy.load(path)
    except (ValueError, OSError, ImportError, KeyError) as error:
        raise ResourceError(
            f"model {path}: {error}; expected a spaCy pipeline that this version of hedgerow can "
            "read; reinstall hedgerow, or name another model with --model"
        ) from error


def make_docs(
    vocab: Vocab, texts: Sequence[str], spans: Sequence[Sequence[tuple[int, int]]]
) -> list[Doc]:
    """Return the `Doc`s of texts that are tokenised already; token i is spans[...][i].

    spans: for each text, (start, end) of each token, in order, without overlaps.
    However many blanks stand between two tokens, the `Doc` has one, so its own character offsets
    must not be used: those of the spans are the ones that hold.
    """
    from spacy.tokens import Doc

    docs = []
    for text, tokens in zip(texts, spans, strict=True):
        words = [text[start:end] for start, end in tokens]
        spaces = [following[0] > token[1] for token, following in itertools.pairwise(tokens)]
        docs.append(Doc(vocab, words=words, spaces=[*spaces, False][: len(words)]))
    return docs
