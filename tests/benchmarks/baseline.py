"""A scispaCy-shaped pipeline to measure against, trained on the fly and kept in a temporary folder.

scispaCy's tokenizer rules, one hash-embedding encoder of 96 x 4 shared by tagger, parser and NER,
and scispaCy's abbreviation detector: the shape of `en_core_sci_sm`, whose NER has an encoder of
its own besides. Each component learns for 200 steps from the treebanks and entity corpora in DATA:
enough that its decisions, and so its speed, are not those of random weights; not enough to be good.
"""

from __future__ import annotations

import gzip
import hashlib
import itertools
import json
import random
import tempfile
from collections.abc import Iterable, Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

RECIPE = 1
"""Raised when the training changes in a way that the figures below do not show."""
STEPS = 200
BATCH_WORDS = 600
BATCH_TEXTS = 32
"""Texts at a time through `nlp.pipe`: the fastest of 1, 8, 32, 128, 600."""

_SYNTAX = "syntax/craft_dep/train.conllu.gz"
_ENTITIES = "ner/bc5cdr/train.jsonl.gz"
_ENCODER = {
    "@architectures": "spacy.HashEmbedCNN.v2",
    "pretrained_vectors": None,
    "width": 96,
    "depth": 4,
    "embed_size": 2000,
    "window_size": 1,
    "maxout_pieces": 3,
    "subword_features": True,
}
_LISTENER = {"@architectures": "spacy.Tok2VecListener.v1", "width": 96, "upstream": "*"}


def missing(data: Path) -> str | None:
    """Return why the pipeline cannot be trained, or None where it can."""
    absent = [str(data / name) for name in (_SYNTAX, _ENTITIES) if not (data / name).is_file()]
    return (
        f"found no {' and no '.join(absent)}; name the corpora with DATA=folder" if absent else None
    )


def pipeline(data: Path, *, discard: bool = False) -> Any:
    """Return the trained pipeline, from the temporary folder if it was trained before.

    discard: only train it, where it is not there yet.
    """
    import spacy
    from scispacy.abbreviation import AbbreviationDetector  # noqa: F401  registers itself
    from scispacy.custom_tokenizer import combined_rule_tokenizer

    versions = [metadata.version(name) for name in ("spacy", "thinc", "scispacy", "numpy")]
    recipe = json.dumps([versions, RECIPE, STEPS, BATCH_WORDS, _ENCODER, _SYNTAX, _ENTITIES])
    key = hashlib.sha256(recipe.encode()).hexdigest()[:16]
    folder = Path(tempfile.gettempdir(), f"hedgerow-baseline-{key}")
    if not folder.is_dir():
        nlp = spacy.blank("en")
        nlp.tokenizer = combined_rule_tokenizer(nlp)
        _train(nlp, data)
        building = folder.with_suffix(".tmp")
        nlp.to_disk(building)
        building.rename(folder)
    if discard:
        return None
    nlp = spacy.load(folder)
    nlp.tokenizer = combined_rule_tokenizer(nlp)
    nlp.add_pipe("abbreviation_detector")
    return nlp


def _train(nlp: Any, data: Path) -> None:
    from spacy.util import fix_random_seed

    fix_random_seed(0)
    nlp.add_pipe("tok2vec", config={"model": _ENCODER})
    for name in ("tagger", "parser", "ner"):
        nlp.add_pipe(name, config={"model": {"tok2vec": _LISTENER}})
    syntax = list(itertools.islice(_treebank(nlp, data / _SYNTAX), 3_000))
    entities = list(_mentions(nlp, data / _ENTITIES))
    optimizer = nlp.initialize(lambda: [*syntax[:300], *entities[:100]])
    parts = ((_batches(syntax), ("tagger", "parser")), (_batches(entities), ("ner",)))
    for _ in range(STEPS):
        for batches, components in parts:
            with nlp.select_pipes(enable=("tok2vec", *components)):
                nlp.update(next(batches), sgd=optimizer, drop=0.1)


def _batches(examples: list[Any]) -> Iterator[list[Any]]:
    rng = random.Random(0)
    batch: list[Any] = []
    while True:
        for example in rng.sample(examples, len(examples)):
            batch.append(example)
            if sum(len(e.reference) for e in batch) >= BATCH_WORDS:
                yield batch
                batch = []


def _treebank(nlp: Any, path: Path) -> Iterator[Any]:
    """Yield an example for each run of up to four sentences of a CoNLL-U file."""
    from spacy.tokens import Doc
    from spacy.training import Example

    with gzip.open(path, "rt", encoding="utf-8") as file:
        sentences = _sentences(file)
        while group := list(itertools.islice(sentences, 4)):
            words, spaces, tags, heads, deps = ([] for _ in range(5))
            for rows in group:
                first = len(words)
                for row in rows:
                    words.append(row[1])
                    spaces.append("SpaceAfter=No" not in row[9])
                    tags.append(row[4])
                    heads.append(first + (int(row[6]) or int(row[0])) - 1)
                    deps.append("ROOT" if row[6] == "0" else row[7])
            gold = Doc(nlp.vocab, words, spaces, tags=tags, heads=heads, deps=deps)
            yield Example(Doc(nlp.vocab, words, spaces), gold)


def _sentences(lines: Iterable[str]) -> Iterator[list[list[str]]]:
    rows: list[list[str]] = []
    for line in lines:
        cells = line.rstrip("\n").split("\t")
        if len(cells) == 10 and cells[0].isdigit():
            rows.append(cells)
        elif not line.strip() and rows:
            yield rows
            rows = []


def _mentions(nlp: Any, path: Path) -> Iterator[Any]:
    """Yield an example for each text of an entity corpus; spans that split a token are left out."""
    from spacy.training import Example
    from spacy.util import filter_spans

    with gzip.open(path, "rt", encoding="utf-8") as file:
        for line in file:
            record = json.loads(line)
            gold = nlp.make_doc(record["text"])
            spans = [gold.char_span(s, e, label=label) for s, e, label, _ in record["entities"]]
            gold.ents = filter_spans([span for span in spans if span is not None])
            yield Example(nlp.make_doc(record["text"]), gold)


def run(nlp: Any, texts: list[Path], out: Path) -> int:
    """Take text files through the pipeline to two Parquet files; return the number of entities."""
    import pandas as pd

    sentences, entities = [], []
    pairs = ((path.read_text("utf-8"), path.stem) for path in texts)
    for doc, doc_id in nlp.pipe(pairs, as_tuples=True, batch_size=BATCH_TEXTS):
        long_forms = {(s.start, s.end): s._.long_form.text for s in doc._.abbreviations}
        for number, sent in enumerate(doc.sents):
            sentences.append((doc_id, number, sent.start_char, sent.end_char, sent.text))
            entities += [
                (
                    doc_id,
                    number,
                    ent.start_char,
                    ent.end_char,
                    ent.text,
                    ent.label_,
                    ent.root.tag_,
                    ent.root.dep_,
                    long_forms.get((ent.start, ent.end)),
                )
                for ent in sent.ents
            ]
    columns = ["doc_id", "sentence", "start", "end", "text"]
    pd.DataFrame(sentences, columns=columns).to_parquet(out / "sentences.parquet")
    pd.DataFrame(
        entities, columns=[*columns, "label", "root_tag", "root_dep", "long_form"]
    ).to_parquet(out / "entities.parquet")
    return len(entities)
