"""Train the static word vectors of the encoder on openly licensed biomedical text.

The vectors are floret vectors (fastText with hashed sub-words; Bojanowski et al. 2017), so that a
word never seen still gets one. Words enter in the encoder's normal form.
"""

import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

import spacy
from prepare import read_lines
from spacy.language import Language
from spacy.training.initialize import convert_vectors

from hedgerow.nlp.features import normal_form
from hedgerow.nlp.tokenizer import make_tokenizer

SIZE = 64
BUCKETS = 20_000


class MissingTrainerError(RuntimeError):
    """The program that trains the word vectors is not installed."""


def read_pretraining_text(data: Path) -> Iterator[str]:
    """Yield the paragraphs of `certainty/pretrain_text`, the unlabelled part of the data."""
    for record in read_lines(data / "certainty" / "pretrain_text", "train"):
        yield record["text"]


def write_tokens(texts: Iterable[str], path: Path) -> int:
    """Write one tokenised paragraph a line in normal form; return the number of tokens."""
    tokenizer = make_tokenizer(spacy.blank("en"))
    count = 0
    with path.open("w", encoding="utf-8") as out:
        for text in texts:
            words = [normal_form(token.text) for token in tokenizer(text) if not token.is_space]
            count += len(words)
            out.write(" ".join(words) + "\n")
    return count


def train_vectors(texts: Iterable[str], path: Path) -> None:
    """Train floret vectors on `texts` and write the table to `path` (.floret, text).

    floret's own seed is fixed, and one thread gives one result.
    """
    try:
        import floret
    except ImportError:
        message = (
            "the word vectors are trained with floret, which is not installed: "
            f"pip install floret==0.10.5, or put finished vectors at {path}"
        )
        raise MissingTrainerError(message) from None
    with tempfile.TemporaryDirectory() as folder:
        corpus = Path(folder) / "tokens.txt"
        write_tokens(texts, corpus)
        model = floret.train_unsupervised(
            str(corpus),
            model="skipgram",
            mode="floret",
            dim=SIZE,
            bucket=BUCKETS,
            hashCount=2,
            minn=3,
            maxn=5,
            minCount=5,
            ws=5,
            epoch=5,
            neg=5,
            thread=1,  # several threads race, so the result would change from run to run
        )
        path.parent.mkdir(parents=True, exist_ok=True)
        model.save_floret_vectors(str(path))


def load_vectors(path: Path, nlp: Language) -> None:
    """Put the floret table at `path` into the vocabulary of `nlp`."""
    convert_vectors(nlp, path, truncate=0, prune=-1, mode="floret")
    if nlp.vocab.vectors.shape[1] != SIZE:
        message = f"{path}: expected {SIZE} dimensions, found {nlp.vocab.vectors.shape[1]}"
        raise ValueError(message)
