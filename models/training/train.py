"""Train the pipeline: `python models/training/train.py --data ../shared --out models/hedgerow_en`.

Reads `models/config.cfg`, trains the word vectors (once; they are kept beside the output in
`--work`), then the annotator on all corpora together, and saves a spaCy pipeline. The weights
saved are the running averages of the training (Adam with averaging).
"""

import argparse
import gc
import logging
import random
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import prepare
import spacy
import vectors
from evaluate_heads import quick_figures
from prepare import ENTITY_CORPORA, GOLD_FILES, OTHER_SOURCES, MissingDataError, Unit
from spacy.language import Language
from spacy.tokens import Doc
from spacy.training import Example
from spacy.util import fix_random_seed, load_config, load_model_from_config
from thinc.api import Adam, NumpyOps, warmup_linear
from threadpoolctl import threadpool_limits

from hedgerow.nlp.annotator import Annotator

logger = logging.getLogger("hedgerow.train")


class TrainingOps(NumpyOps):
    """thinc's array operations with NumPy's matrix product, which is faster than thinc's own."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        self.random = np.random.default_rng(seed)

    def gemm(
        self, x: Any, y: Any, out: Any = None, trans1: bool = False, trans2: bool = False
    ) -> Any:
        """Return x @ y, either of them transposed."""
        result = (x.T if trans1 else x) @ (y.T if trans2 else y)
        if out is None:
            return result
        out[:] = result
        return out

    def get_dropout_mask(self, shape: Any, drop: float | None) -> Any:
        """Return 0 for what is dropped and 1 / (1 - drop) for the rest."""
        if not drop:
            return np.ones(shape, dtype=np.float32)
        kept = self.random.random(shape, dtype=np.float32) >= drop
        return kept * np.float32(1.0 / (1.0 - drop))


CONFIG = Path(__file__).resolve().parents[1] / "config.cfg"


def read_training_docs(
    shared: Path, nlp: Language, rng: random.Random
) -> tuple[list[Doc], list[tuple[list[Doc], float]]]:
    """Return the documents used in every epoch, and the groups of which a share is drawn."""
    data, gold = shared / "data", shared / "gold"

    def load(units: Iterator[Unit], name: str) -> list[Doc]:
        docs = [prepare.to_doc(unit, nlp.tokenizer) for unit in units]
        docs = [doc for doc in docs if 0 < len(doc) < 200]
        logger.info("%s: %d units, %d tokens", name, len(docs), sum(map(len, docs)))
        return docs

    always: list[Doc] = []
    drawn: list[tuple[list[Doc], float]] = []
    for corpus in ENTITY_CORPORA:
        docs = load(prepare.read_entities(corpus, data), corpus.folder)
        if corpus.share < 1.0:
            drawn.append((docs, corpus.share))
        else:
            always.extend(docs)
    always.extend(load(prepare.read_bioscope(data), "bioscope"))
    drawn.append((load(prepare.read_effects(data), "evidence_inference"), 0.5))
    for name in GOLD_FILES:
        always.extend(2 * load(prepare.read_gold(gold, name), name))  # few, and many heads
    rng.shuffle(always)
    return always, drawn


def batches(docs: list[Doc], words: int) -> Iterator[list[Doc]]:
    """Yield lists of documents that hold about `words` tokens."""
    batch: list[Doc] = []
    size = 0
    for doc in docs:
        batch.append(doc)
        size += len(doc)
        if size >= words:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def train(shared: Path, out: Path, work: Path, epochs: int | None) -> None:
    """Train and save the pipeline; see the module's docstring."""
    config = load_config(CONFIG)
    recipe: dict[str, Any] = config.pop("recipe")
    epochs = epochs or int(recipe["epochs"])
    rng = random.Random(recipe["seed"])
    fix_random_seed(recipe["seed"])

    nlp = load_model_from_config(config, auto_fill=True)
    table = work / "vectors.floret"
    if not table.exists():
        logger.info("training word vectors: %s", table)
        vectors.train_vectors(vectors.read_pretraining_text(shared / "data"), table)
    vectors.load_vectors(table, nlp)
    annotator = nlp.get_pipe("hedgerow_annotator")
    assert isinstance(annotator, Annotator)
    names = prepare.read_names(shared / "data", nlp.tokenizer)
    logger.info("name list: %d entries", len(names.keys))
    annotator.initialize(lambda: [], nlp=nlp, names=names)
    ops = TrainingOps(recipe["seed"])
    for node in annotator.model.walk():
        node.ops = ops
    always, drawn = read_training_docs(shared, nlp, rng)
    gc.freeze()  # the documents stay: no use in visiting them again and again

    per_epoch = sum(map(len, always)) + sum(share * sum(map(len, docs)) for docs, share in drawn)
    total = int(epochs * per_epoch / recipe["batch_words"])
    rate = warmup_linear(recipe["learn_rate"], int(total * recipe["warm_up"]), total)
    optimizer = Adam(rate, L2=0.01, L2_is_weight_decay=True, grad_clip=1.0, use_averages=True)
    logger.info("%d tokens an epoch, %d updates", per_epoch, total)
    started = time.monotonic()
    for epoch in range(1, epochs + 1):
        docs = list(always)
        for group, share in drawn:
            docs.extend(rng.sample(group, int(share * len(group))))
        rng.shuffle(docs)
        losses: dict[str, float] = {}
        for batch in batches(docs, recipe["batch_words"]):
            examples = [Example(doc, doc) for doc in batch]
            annotator.update(examples, drop=recipe["dropout"], sgd=optimizer, losses=losses)
            optimizer.step_schedules()
        seconds = time.monotonic() - started
        line = f"epoch {epoch}: {seconds:.0f} s, loss {losses[annotator.name]:.0f}"
        if epoch in (1, epochs) or epoch % 2 == 0:
            with annotator.model.use_params(optimizer.averages):
                figures = quick_figures(shared, nlp)
                save(nlp, work / "latest")
            line += ", " + ", ".join(f"{key} {value:.4f}" for key, value in figures.items())
        logger.info("%s", line)
    with annotator.model.use_params(optimizer.averages):
        save(nlp, out)
    logger.info("saved %s", out)


def save(nlp: Language, out: Path) -> None:
    """Write the pipeline without the words of the training data, and name its sources."""
    corpora = [(corpus.folder, corpus.licence) for corpus in ENTITY_CORPORA]
    nlp.meta.update(
        name="hedgerow",
        version="0.1.0",
        description="Entities, claim arguments, cues and unit classes of biomedical text",
        sources=[{"name": name, "license": terms} for name, terms in (*corpora, *OTHER_SOURCES)],
    )
    nlp.to_disk(out)
    spacy.blank("en").vocab.strings.to_disk(out / "vocab" / "strings.json")


def main() -> int:
    """Read the arguments and train; a missing corpus is named and ends with 1."""
    parser = argparse.ArgumentParser(description=__doc__, add_help=True)
    parser.add_argument("--data", type=Path, required=True, help="folder with data/ and gold/")
    parser.add_argument("--out", type=Path, required=True, help="where the pipeline is saved")
    parser.add_argument("--work", type=Path, default=Path("build/training"), help="kept vectors")
    parser.add_argument("--epochs", type=int, help="instead of the number in config.cfg")
    args = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stdout)
    try:
        with threadpool_limits(1, user_api="blas"):  # the bits of a product depend on the threads
            train(args.data, args.out, args.work, args.epochs)
    except (MissingDataError, vectors.MissingTrainerError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
