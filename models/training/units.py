"""Train the unit classifier: `python models/training/units.py --data ../shared --out MODEL`.

Reads the gold units through the pipeline's own readers and stages, so the classifier learns from
blocks and sentences as a run finds them. Needs the trained spaCy pipeline in MODEL (its tokenizer
and word vectors, and its heads, which are blended in by weights fitted on the dev units, that the
annotator has not been trained on). Writes MODEL/units and prints cross-validated figures: whole
genre groups and publishers are left out in turn.
"""

from __future__ import annotations

import argparse
import gzip
import json
import logging
import lzma
import re
import sys
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
from pages import PAGES, read_pages
from scipy import sparse
from scipy.optimize import minimize
from sklearn.cluster import KMeans
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression, Ridge
from threadpoolctl import threadpool_limits

from hedgerow import settings
from hedgerow.errors import HedgerowError, ResourceError
from hedgerow.evaluation import (
    GoldDocument,
    GoldUnit,
    calibration_error,
    items_of,
    macro_f1,
    match_units,
    read_gold,
)
from hedgerow.nlp.classifier import (
    OUTPUTS,
    SLICES,
    TASKS,
    KeyIndex,
    UnitClassifier,
    blend,
    by_task,
    decide,
    feature_matrix,
    one_against_rest,
)
from hedgerow.nlp.features import normal_form
from hedgerow.nlp.lexicon import load_cues
from hedgerow.nlp.unit_features import (
    Clusters,
    UInt64s,
    Unit,
    features_of,
    find_unit_cues,
    word_key,
    words_of,
)
from hedgerow.resources import Resources
from hedgerow.stages.certainty import FOLDER, documents_of, heads_of
from hedgerow.tasks import run_stages

logger = logging.getLogger("hedgerow.units")

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

FROM_PAGES = ("kind", "attribution", "claim_type", "direction", "evidence")
"""Tasks that learn from `pages/` too. Certainty and polarity, which the gold teaches well, measured
no better with them on dev (0.928 and 0.951 against 0.927 and 0.953), and worse on unseen pages."""

GOLD = ("authored_pages", "health_pages", "abstracts", "articles")
UNSEEN = ("seed_pages",)
SCALES = {
    "words": 3.0,
    "pieces": 3.0,
    "clusters": 3.0,
    "classes": 3.0,
    "frame": 3.0,
    "context": 2.0,
    "lead_in": 2.0,
    "section": 1.5,
    "document": 1.0,
    "cues": 5.0,
}
SCORED = ("words", "pieces", "clusters", "classes", "cues")
"""Groups of features that the certainty score learns from: the rated findings have no context."""

STRENGTH = 0.5
"""Inverse regularisation (C of scikit-learn); 0.2 and 1 differ by 0.005 at most."""

MIN_COUNT = 3
FOLDS = 7
N_CLUSTERS = 300
CLUSTER_WORDS = 40_000
RIDGE = 12.0


@dataclass(frozen=True)
class Trained:
    """One document as the classifier sees it, with its gold units.

    gold: the gold unit of each sentence, None where it has none. group: what is left out
    together. heads: the annotator's probabilities.
    """

    part: str
    file: str
    group: str
    units: list[Unit]
    gold: list[GoldUnit | None]
    heads: Mapping[str, Floats]
    missed: int


PARTS: Mapping[str, tuple[str, ...]] = {"train": GOLD, "dev": GOLD, "unseen": UNSEEN}
"""The gold files of each part; "unseen" are real pages of publishers that train lacks."""


def read_documents(
    data: Path, resources: Resources, *, parts: Sequence[str] = tuple(PARTS)
) -> list[Trained]:
    """Return the annotated documents of some parts, read by the pipeline's own stages; "train"
    has the pages of this folder too.
    """
    found = []
    for part in parts:
        names = PARTS[part]
        split = "dev" if part == "unseen" else part
        for name in names:
            path = data / "gold" / f"{name}.{split}.jsonl"
            if not path.is_file():
                raise ResourceError(f"{path} is missing: pass --data FOLDER, which holds gold/")
            documents = read_gold(path)
            logger.info("%s: %d documents", path.name, len(documents))
            found += read_part(part, documents, resources)
        if part == "train":
            found += read_part(part, [_for_tasks(page) for page in read_pages()], resources)
    return found


def _for_tasks(page: GoldDocument) -> GoldDocument:
    """Return a page whose units have labels only for the tasks that learn from pages."""
    units = tuple(
        replace(unit, labels={t: label for t, label in unit.labels.items() if t in FROM_PAGES})
        for unit in page.units
    )
    return replace(page, units=units)


def read_part(part: str, documents: Sequence[GoldDocument], resources: Resources) -> list[Trained]:
    """Return documents of one gold file, through the stages up to the annotations."""
    held = run_stages(items_of(documents), resources, last="annotations")
    texts = dict(
        zip(
            held["documents"]["doc_id"].to_pylist(),
            held["documents"]["text"].to_pylist(),
            strict=False,
        )
    )
    spans: dict[str, list[tuple[int, int]]] = {}
    sentences = held["sentences"].select(["doc_id", "index", "start", "end"]).to_pylist()
    for row in sorted(sentences, key=lambda row: (row["doc_id"], row["index"])):
        spans.setdefault(row["doc_id"], []).append((row["start"], row["end"]))
    by_id = {document.doc_id: document for document in documents}
    places = {s: i for i, s in enumerate(held["annotations"]["sentence_id"].to_pylist())}
    heads = heads_of(held["annotations"])
    result = []
    for doc_id, ids, units in documents_of(held["sentences"]):
        document = by_id[doc_id]
        sentence_of, _ = match_units(document, texts[doc_id], spans[doc_id])
        gold: list[GoldUnit | None] = [None] * len(units)
        for unit, sentence in zip(document.units, sentence_of, strict=True):
            if sentence is None or gold[sentence] is not None:
                continue
            start, end = spans[doc_id][sentence]
            if 2 * (end - start) >= unit.end - unit.start:
                gold[sentence] = unit
        order = [places[sentence_id] for sentence_id in ids]
        result.append(
            Trained(
                part=part,
                file=document.file,
                group=group_of(document),
                units=units,
                gold=gold,
                heads={} if heads is None else {task: p[order] for task, p in heads.items()},
                missed=len(document.units) - sum(unit is not None for unit in gold),
            )
        )
    return result


def group_of(document: GoldDocument) -> str:
    """Return what a document is left out with: its genre group, publisher, or source."""
    facts = document.facts
    if "genre_group" in facts:
        return f"genre {facts['genre_group']}"
    if document.file == "health_pages":
        return f"publisher {re.sub(r'[^A-Za-z: ]', '', facts['publisher'])}"
    return document.file


def folds_of(documents: Sequence[Trained], count: int) -> Ints:
    """Return the fold of each document: groups, the largest first, to the smallest fold."""
    sizes = Counter[str]()
    for document in documents:
        sizes[document.group] += len(document.units)
    filled = [0] * count
    fold = {}
    for group, size in sorted(sizes.items(), key=lambda item: (-item[1], item[0])):
        fold[group] = filled.index(min(filled))
        filled[fold[group]] += size
    return np.asarray([fold[document.group] for document in documents])


# -- word clusters --------------------------------------------------------------------------------


def frequent_words(data: Path, documents: Iterable[Trained]) -> Counter[str]:
    """Count the words of the unlabelled text and of the training units."""
    path = data / "data" / "certainty" / "pretrain_text" / "train.jsonl.xz"
    counts = Counter[str]()
    with lzma.open(path, "rt", encoding="utf-8") as lines:
        for line in lines:
            counts.update(words_of(json.loads(line)["text"]))
    for document in documents:
        if document.part == "train":
            for unit in document.units:
                counts.update(dict.fromkeys(set(words_of(unit.text)), 3))
    return counts


def make_clusters(counts: Counter[str], resources: Resources, *, seed: int) -> Clusters:
    """Cluster the most frequent words by the directions of their vectors."""
    words = [w for w, n in sorted(counts.items(), key=lambda item: (-item[1], item[0])) if n > 2]
    words = words[:CLUSTER_WORDS]
    vectors = resources.language.vocab.vectors
    if not vectors.shape[1]:
        raise ResourceError(f"{resources.model_path}: found no word vectors; run train.py first")
    table = np.asarray(vectors.get_batch([normal_form(word) for word in words]), dtype=np.float64)
    table /= np.maximum(np.linalg.norm(table, axis=1, keepdims=True), 1e-6)
    means = KMeans(N_CLUSTERS, n_init=1, random_state=seed, max_iter=40)
    weights = np.sqrt([counts[word] for word in words])
    ids = means.fit(table, sample_weight=weights).predict(table)
    keys = np.asarray([word_key(word) for word in words], np.uint64)
    keys, first = np.unique(keys, return_index=True)
    return Clusters(keys, (ids[first] + 1).astype(np.uint16))


# -- the weights ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class Table:
    """Units of several documents as one table.

    rows: features by group. labels: task -> class number, -1 where there is none. document: of
    each unit.
    """

    rows: list[dict[str, UInt64s]]
    labels: Mapping[str, Ints]
    document: Ints


def make_table(documents: Sequence[Trained], clusters: Clusters) -> Table:
    """Return the units of documents with their features and labels."""
    rows = features_of((document.units for document in documents), clusters)
    gold = [unit for document in documents for unit in document.gold]
    labels = {
        task: np.asarray(
            [
                classes.index(unit.labels[task]) if unit and task in unit.labels else -1
                for unit in gold
            ]
        )
        for task, classes in TASKS.items()
    }
    number = np.repeat(np.arange(len(documents)), [len(d.units) for d in documents])
    return Table(rows, labels, number)


def known_keys(rows: Sequence[Mapping[str, UInt64s]], chosen: Ints) -> UInt64s:
    """Return the features that occur in at least MIN_COUNT of the chosen units, ascending."""
    hashes = np.concatenate([keys for i in chosen for keys in rows[i].values()])
    keys, counts = np.unique(hashes, return_counts=True)
    return keys[counts >= MIN_COUNT]


def fit_weights(
    matrix: sparse.csr_matrix, labels: Mapping[str, Ints], chosen: Ints, *, seed: int
) -> tuple[npt.NDArray[np.float32], Floats]:
    """Fit one logistic regression a class, each against the rest.

    In: features of all units, their labels, and which units to learn from.
    Out: weights (n_keys, OUTPUTS + 1) and bias (OUTPUTS + 1,); the last column is left at zero.
    """
    weights = np.zeros((matrix.shape[1], OUTPUTS + 1), np.float32)
    bias = np.zeros(OUTPUTS + 1)
    for task, classes in TASKS.items():
        used = chosen[labels[task][chosen] >= 0]
        part = matrix[used].astype(np.float64)
        for number in range(len(classes)):
            column = SLICES[task].start + number
            target = labels[task][used] == number
            if not target.any():
                bias[column] = -10.0
                continue
            model = LogisticRegression(
                C=STRENGTH,
                solver="liblinear",
                dual=True,
                tol=0.02,
                max_iter=300,
                intercept_scaling=3.0,
                random_state=seed,
            ).fit(part, target)
            weights[:, column] = model.coef_[0]
            bias[column] = model.intercept_[0]
    return weights, bias


def out_of_fold(table: Table, folds: Ints, *, seed: int) -> Floats:
    """Return the probabilities of each unit by a model that has not seen its group."""
    found = np.zeros((len(table.rows), OUTPUTS))
    unit_folds = folds[table.document]
    for fold in range(int(folds.max()) + 1):
        seen = np.flatnonzero(unit_folds != fold)
        held_out = np.flatnonzero(unit_folds == fold)
        keys = known_keys(table.rows, seen)
        matrix = feature_matrix(table.rows, KeyIndex(keys), SCALES)
        weights, bias = fit_weights(matrix, table.labels, seen, seed=seed)
        raw = matrix[held_out] @ weights + bias
        found[held_out] = one_against_rest(np.asarray(raw[:, :OUTPUTS], dtype=np.float64))
        logger.info("fold %d: %d units, %d features", fold + 1, len(held_out), len(keys))
    return found


# -- figures --------------------------------------------------------------------------------------


def figures_of(table: Table, found: Mapping[str, Floats], chosen: Ints) -> dict[str, float]:
    """Return accuracy and macro-F1 of every task on the chosen units, whatever kind is found.

    Type and direction are decided together, as in a run.
    """
    figures = {}
    decided = decide({task: p[chosen] for task, p in found.items()})
    for task, classes in TASKS.items():
        gold = table.labels[task][chosen]
        predicted = np.asarray([classes.index(label) for label in decided[task]])
        used = gold >= 0
        confusion = np.zeros((len(classes), len(classes)))
        np.add.at(confusion, (gold[used], predicted[used]), 1)
        figures[task] = float(np.trace(confusion) / max(1.0, confusion.sum()))
        figures[f"{task} macro-F1"] = macro_f1(confusion)
        if task == "kind":
            hits, both = confusion[0, 0], confusion[0].sum() + confusion[:, 0].sum()
            figures["claim F1"] = float(2 * hits / both)
    return figures


def show(name: str, figures: Mapping[str, float]) -> None:
    """Print one row of figures."""
    sys.stdout.write(f"{name:34s} " + "  ".join(f"{k} {v:.3f}" for k, v in figures.items()) + "\n")
    sys.stdout.flush()


# -- certainty score ------------------------------------------------------------------------------


def read_rated(data: Path, part: str) -> tuple[list[list[Unit]], Floats]:
    """Return the rated findings as documents of one unit, and their certainty, 1-6, as 0..1."""
    path = data / "data" / "certainty" / "pei_certainty" / f"{part}.jsonl"
    opened = path if path.is_file() else path.with_suffix(".jsonl.gz")
    try:
        content = opened.read_bytes()
    except OSError as error:
        raise ResourceError(f"{path}: {error}; pass --data FOLDER, which holds data/") from error
    lines = (gzip.decompress(content) if opened.suffix == ".gz" else content).decode("utf-8")
    records = [json.loads(line) for line in lines.split("\n") if line]
    rated = [r for r in records if r["certainty"] is not None]
    lexicon = load_cues()
    units = [[Unit(r["text"], cues=find_unit_cues(r["text"], lexicon))] for r in rated]
    return units, (np.asarray([r["certainty"] for r in rated]) - 1.0) / 5.0


def scored_only(rows: Sequence[Mapping[str, UInt64s]]) -> list[dict[str, UInt64s]]:
    """Return the rows with the groups that the certainty score may learn from."""
    nothing = np.zeros(0, np.uint64)
    return [{g: (keys if g in SCORED else nothing) for g, keys in row.items()} for row in rows]


def fit_score(
    classifier: UnitClassifier, data: Path, *, seed: int
) -> tuple[UnitClassifier, float, float]:
    """Return the classifier with a certainty score, and Pearson's r on dev: with words, and from
    the certainty probabilities alone.
    """
    documents, target = read_rated(data, "train")
    rows = features_of(documents, classifier.clusters)
    matrix = feature_matrix(scored_only(rows), KeyIndex(classifier.keys), classifier.scales).astype(
        float
    )
    certain = np.concatenate([certainty_of(classifier, units) for units in documents])
    random = np.random.default_rng(seed)
    fold = random.integers(0, 10, len(target))
    raw = np.zeros(len(target))
    for number in range(10):
        model = Ridge(alpha=RIDGE, solver="sparse_cg").fit(
            matrix[fold != number], target[fold != number]
        )
        raw[fold == number] = model.predict(matrix[fold == number])
    model = Ridge(alpha=RIDGE, solver="sparse_cg").fit(matrix, target)
    parts = np.column_stack((raw, certain))
    final = Ridge(alpha=0.1).fit(parts, target)
    classifier.weights[:, OUTPUTS] = model.coef_
    classifier.bias[OUTPUTS] = model.intercept_
    classifier.score[:] = (*final.coef_, final.intercept_)
    test_documents, test_target = read_rated(data, "dev")
    scores = np.asarray(classifier.classify(test_documents).certainty_score)
    plain = Ridge(alpha=0.1).fit(certain, target)
    alone = plain.predict(np.concatenate([certainty_of(classifier, u) for u in test_documents]))
    return (
        classifier,
        float(np.corrcoef(scores, test_target)[0, 1]),
        float(np.corrcoef(alone, test_target)[0, 1]),
    )


def certainty_of(classifier: UnitClassifier, units: Sequence[Unit]) -> Floats:
    """Return the certainty probabilities of a document's units, without the annotator's."""
    return probabilities_of(classifier, units)["certainty"]


def probabilities_of(classifier: UnitClassifier, units: Sequence[Unit]) -> dict[str, Floats]:
    """Return each task's probabilities of a document's units, without the annotator's."""
    return by_task(one_against_rest(classifier.outputs([units])[:, :OUTPUTS]))


# -- blend and calibration ------------------------------------------------------------------------


def fit_blend(own: Floats, head: Floats, labels: Ints) -> tuple[float, float]:
    """Return the weights of both log-probabilities that fit the labels best, none below zero."""
    used = labels >= 0
    rows = np.arange(int(used.sum()))

    def loss(pair: Floats) -> float:
        p = blend((pair[0], pair[1]), own[used], head[used])
        return float(-np.log(np.maximum(p[rows, labels[used]], 1e-9)).mean())

    best = minimize(loss, (0.7, 0.5), method="L-BFGS-B", bounds=[(0.0, 3.0)] * 2)
    return round(float(best.x[0]), 3), round(float(best.x[1]), 3)


def confidence_data(found: Mapping[str, Floats], table: Table) -> tuple[Floats, Floats]:
    """Return, for units found to be claims, p(claim) x p(certainty), and whether both are right."""
    kind, certainty = found["kind"], found["certainty"]
    used = (kind.argmax(axis=1) == 0) & (table.labels["kind"] >= 0)
    joint = kind[:, 0] * certainty.max(axis=1)
    right = (table.labels["kind"] == 0) & (certainty.argmax(axis=1) == table.labels["certainty"])
    return joint[used], right[used].astype(float)


def fit_curve(joint: Floats, right: Floats) -> tuple[Floats, Floats]:
    """Return the isotonic curve as (x, y), y kept away from 0 and 1."""
    model = IsotonicRegression(y_min=0.02, y_max=0.995, out_of_bounds="clip").fit(joint, right)
    return np.round(model.X_thresholds_, 5), np.round(model.y_thresholds_, 5)


def error_of(confidence: Floats, right: Floats) -> float:
    """Return the expected calibration error over ten bins of equal width."""
    bins = np.zeros((10, 3))
    number = np.minimum((confidence * 10).astype(int), 9)
    np.add.at(bins, number, np.column_stack((np.ones(len(right)), confidence, right)))
    return calibration_error(bins)


# -- all together ---------------------------------------------------------------------------------


def reblend(data: Path, out: Path) -> None:
    """Fit only the blend and its calibration anew, for an annotator that has been trained since."""
    resources = Resources(settings.load(model=str(out)))
    documents = read_documents(data, resources, parts=("dev", "unseen"))
    measure_dev(UnitClassifier.load(out / FOLDER), documents).save(out / FOLDER)


def train(data: Path, out: Path, *, seed: int) -> None:
    """Train, measure and save the classifier; see the module's docstring."""
    started = time.monotonic()
    resources = Resources(settings.load(model=str(out)))
    documents = read_documents(data, resources)
    clusters = make_clusters(frequent_words(data, documents), resources, seed=seed)
    learned = [d for d in documents if d.part == "train"]
    table = make_table(learned, clusters)
    folds = folds_of(learned, FOLDS)
    logger.info("%d units, %d groups", len(table.rows), len({d.group for d in learned}))

    everything = np.arange(len(table.rows))
    is_gold = np.asarray([d.file != PAGES for d in learned])[table.document]
    held_out = by_task(out_of_fold(table, folds, seed=seed))
    show("left-out groups of the gold", figures_of(table, held_out, np.flatnonzero(is_gold)))
    for group in sorted({d.group for d in learned}):
        rows = np.flatnonzero([learned[i].group == group for i in table.document])
        if len(rows) >= 100:
            show(f"  {group}", brief(figures_of(table, held_out, rows)))

    gold = part_of(table, {task: np.where(is_gold, y, -1) for task, y in table.labels.items()})
    keys = known_keys(table.rows, everything)
    matrix = feature_matrix(table.rows, KeyIndex(keys), SCALES)
    weights, bias = fit_weights(matrix, table.labels, everything, seed=seed)
    classifier = UnitClassifier(
        keys=keys,
        weights=weights,
        bias=bias,
        scales=SCALES,
        clusters=clusters,
        score=np.asarray([1.0, *[0.0] * (len(TASKS["certainty"]) + 1)]),
        calibration={"alone": fit_curve(*confidence_data(held_out, gold))},
    )
    classifier, r, r_alone = fit_score(classifier, data, seed=seed)
    sys.stdout.write(
        f"certainty score: Pearson's r {r:.3f} on the rated dev findings "
        f"({r_alone:.3f} from the certainty probabilities alone)\n"
    )
    classifier.save(out / FOLDER)
    classifier = measure_dev(UnitClassifier.load(out / FOLDER), documents)
    classifier.save(out / FOLDER)
    size = sum(path.stat().st_size for path in (out / FOLDER).iterdir())
    logger.info("%s: %.2f MB, %.0f s", out / FOLDER, size / 1e6, time.monotonic() - started)


def brief(figures: Mapping[str, float]) -> dict[str, float]:
    """Return the figures without the macro averages of the many-valued tasks."""
    return {k: v for k, v in figures.items() if not k.endswith("F1") or k.startswith("c")}


def measure_dev(classifier: UnitClassifier, documents: Sequence[Trained]) -> UnitClassifier:
    """Fit the blend and its calibration on the dev units, print figures, return the classifier.

    The figures of the blend are cross-fitted: five parts of the dev documents in turn have no
    say in the weights and curve that they are measured with.
    """
    dev = [d for d in documents if d.part == "dev"]
    unseen = [d for d in documents if d.part == "unseen"]
    alone = {}
    for name, some in (("dev", dev), ("unseen pages", unseen)):
        table = make_table(some, classifier.clusters)
        alone[name] = (table, predict(classifier, some))
        show(f"{name}, alone", figures_of(*alone[name], np.arange(len(table.rows))))
    table, own = alone["dev"]
    joint, right = confidence_data(own, table)
    curve = classifier.calibration["alone"]
    sys.stdout.write(
        f"dev, alone: calibration error {error_of(np.interp(joint, *curve), right):.4f}\n"
    )
    if not dev[0].heads:
        logger.warning("the pipeline has no unit heads: no blend")
        return classifier
    heads = {task: np.concatenate([d.heads[task] for d in dev]) for task in TASKS}
    show("dev, annotator's heads", figures_of(table, heads, np.arange(len(table.rows))))
    parts = table.document % 5
    crossed = {task: np.zeros_like(p) for task, p in own.items()}
    confidence, correct = [], []
    for part in range(5):
        inside, outside = parts != part, parts == part
        pairs = {
            task: fit_blend(own[task][inside], heads[task][inside], table.labels[task][inside])
            for task in TASKS
        }
        mixed = {task: blend(pairs[task], own[task], heads[task]) for task in TASKS}
        for task, p in mixed.items():
            crossed[task][outside] = p[outside]
        labels = {task: np.where(inside, y, -1) for task, y in table.labels.items()}
        curve = fit_curve(*confidence_data(mixed, part_of(table, labels)))
        labels = {task: np.where(outside, y, -1) for task, y in table.labels.items()}
        joint, right = confidence_data(mixed, part_of(table, labels))
        confidence.append(np.interp(joint, *curve))
        correct.append(right)
    show("dev, blended (cross-fitted)", figures_of(table, crossed, np.arange(len(table.rows))))
    error = error_of(np.concatenate(confidence), np.concatenate(correct))
    sys.stdout.write(f"dev, blended (cross-fitted): calibration error {error:.4f}\n")
    pairs = {task: fit_blend(own[task], heads[task], table.labels[task]) for task in TASKS}
    logger.info("weights of the classifier and of the heads: %s", pairs)
    mixed = {task: blend(pairs[task], own[task], heads[task]) for task in TASKS}
    curve = fit_curve(*confidence_data(mixed, table))
    unseen_table, unseen_own = alone["unseen pages"]
    unseen_heads = {task: np.concatenate([d.heads[task] for d in unseen]) for task in TASKS}
    blended = {t: blend(pairs[t], unseen_own[t], unseen_heads[t]) for t in TASKS}
    show(
        "unseen pages, blended",
        figures_of(unseen_table, blended, np.arange(len(unseen_table.rows))),
    )
    joint, right = confidence_data(blended, unseen_table)
    error = error_of(np.interp(joint, *curve), right)
    sys.stdout.write(f"unseen pages, blended: calibration error {error:.4f}\n")
    return classifier.with_blend(pairs).with_calibration(blended=curve)


def part_of(table: Table, labels: Mapping[str, Ints]) -> Table:
    """Return the table with other labels."""
    return Table(table.rows, labels, table.document)


def predict(classifier: UnitClassifier, documents: Sequence[Trained]) -> dict[str, Floats]:
    """Return each task's probabilities of all units, without the annotator's heads."""
    found: dict[str, list[Floats]] = {task: [] for task in TASKS}
    for document in documents:
        for task, p in probabilities_of(classifier, document.units).items():
            found[task].append(p)
    return {task: np.concatenate(parts) for task, parts in found.items()}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="folder with data/ and gold/")
    parser.add_argument("--out", type=Path, required=True, help="folder of the trained pipeline")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--blend-only", action="store_true", help="keep the weights, fit the blend anew"
    )
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", stream=sys.stderr)
    try:
        with threadpool_limits(1):
            if options.blend_only:
                reblend(options.data, options.out)
            else:
                train(options.data, options.out, seed=options.seed)
    except HedgerowError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
