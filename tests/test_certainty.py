"""Certainty: what the classifier sees, that rows depend on their document alone, and the table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pyarrow as pa
import pytest

from hedgerow import settings, tables
from hedgerow.errors import ResourceError
from hedgerow.nlp import unit_features
from hedgerow.nlp.classifier import (
    OUTPUTS,
    SLICES,
    TASKS,
    KeyIndex,
    UnitClassifier,
    decide,
    feature_matrix,
    pack,
    unpack,
)
from hedgerow.nlp.lexicon import load_cues
from hedgerow.nlp.rules import hits, load_rules
from hedgerow.nlp.unit_features import (
    GROUPS,
    NO_CLUSTERS,
    UInt64s,
    Unit,
    WordClass,
    features_of,
    find_unit_cues,
    word_classes,
    words_of,
)
from hedgerow.resources import Resources
from hedgerow.stages import certainty

MODEL = Path(__file__).parents[1] / "models" / "hedgerow_en"
TEXTS = (
    ("Side effects", "heading"),
    ("The gel may cause:", "paragraph"),
    ("• itching", "list_item"),
    ("• a rash that lasts for days", "list_item"),
    ("In a trial of 40 adults it did not reduce pain [3].", "paragraph"),
    ("Is it safe?", "heading"),
    ("“It works,” says a maker.", "paragraph"),
)


def document(texts: Sequence[tuple[str, str]] = TEXTS) -> list[Unit]:
    """Units of a page; items are led in by the last unit that is none."""
    units: list[Unit] = []
    lead = None
    for i, (text, block) in enumerate(texts):
        is_item = block == "list_item"
        lead = lead if is_item else i
        cues = find_unit_cues(text, load_cues())
        units.append(Unit(text, block, i, "Side effects", lead if is_item else None, cues))
    return units


def small_classifier() -> UnitClassifier:
    """A classifier with random weights on the features of the page above."""
    random = np.random.default_rng(7)
    found = [keys for row in features_of([document()]) for keys in row.values()]
    keys = np.unique(np.concatenate(found))
    curve = (np.asarray([0.0, 1.0]), np.asarray([0.1, 0.9]))
    return UnitClassifier(
        keys=keys,
        weights=random.normal(size=(len(keys), OUTPUTS + 1)).astype(np.float32),
        bias=random.normal(size=OUTPUTS + 1),
        scales=dict.fromkeys(GROUPS, 2.0),
        clusters=NO_CLUSTERS,
        score=np.asarray([0.5, 0.3, 0.1, -0.1, -0.3, 0.4]),
        blend=dict.fromkeys(TASKS, (0.7, 0.5)),
        calibration={"alone": curve, "blended": curve},
    )


def heads(count: int) -> dict[str, Any]:
    random = np.random.default_rng(1)
    return {
        task: random.dirichlet(np.ones(len(classes)), size=count) for task, classes in TASKS.items()
    }


def tables_of(docs: Mapping[str, Sequence[Unit]], *, scored: bool) -> dict[str, pa.Table]:
    """The stage's inputs for documents of units."""
    sentences, annotations = [], []
    for doc_id, units in docs.items():
        position = 0
        scores = heads(len(units))
        for i, unit in enumerate(units):
            end = position + len(unit.text)
            lead = None if unit.lead_in is None else f"{doc_id}-{unit.lead_in}"
            sentences.append(
                {
                    "sentence_id": f"{doc_id}-{i}",
                    "doc_id": doc_id,
                    "block_id": f"{doc_id}-b{unit.block_number}",
                    "index": i,
                    "start": position,
                    "end": end,
                    "text": unit.text,
                    "block": unit.block,
                    "section": unit.section,
                    "lead_in_id": lead,
                }
            )
            row: dict[str, Any] = {column.name: [] for column in tables.ANNOTATIONS.columns} | {
                "doc_id": doc_id,
                "sentence_id": f"{doc_id}-{i}",
            }
            if scored:
                row |= {task: p[i].tolist() for task, p in scores.items()}
            annotations.append(row)
            position = end + 1
    return {
        "sentences": tables.conform("sentences", tables.from_rows("sentences", sentences)),
        "annotations": tables.conform("annotations", tables.from_rows("annotations", annotations)),
    }


@pytest.fixture
def resources(tmp_path: Path) -> Resources:
    small_classifier().save(tmp_path / certainty.FOLDER)
    return cast(Resources, SimpleNamespace(folder=tmp_path.joinpath))


def test_every_word_class_matches_its_example_and_not_its_counterexample() -> None:
    for word_class in word_classes():
        assert any(map(word_class.matches, words_of(word_class.example))), word_class.id
        assert not any(map(word_class.matches, words_of(word_class.counter))), word_class.id


def test_every_pattern_matches_its_example_and_not_its_counterexample() -> None:
    rules = load_rules("unit_patterns")
    for i, rule in enumerate(rules):
        assert hits([rule.example, rule.counterexample], rules)[:, i].tolist() == [True, False]


def test_ids_of_word_classes_are_unique_and_all_are_lower_case() -> None:
    ids = [c.id for c in word_classes()]
    assert len(ids) == len(set(ids))
    assert set(ids) >= unit_features.EFFECT_CLASSES
    for word_class in word_classes():
        assert word_class.source
        assert all(word == word.lower() for word in word_class.words)


def test_stars_stand_for_beginnings_and_ends_of_words() -> None:
    word_class = WordClass("x", "test", ("reduc*", "*itis", "less"), "", "")
    assert [w for w in ("reduced", "arthritis", "less", "unless", "reduc") if word_class.matches(w)]
    assert not word_class.matches("unless")
    assert not word_class.matches("itise")


def group_of(units: Sequence[Unit], i: int, group: str) -> UInt64s:
    return features_of([units])[i][group]


def test_an_item_sees_the_cues_of_its_lead_in() -> None:
    page = document()
    other = list(page)
    other[1] = Unit("The gel causes:", "paragraph", 1, "Side effects")
    assert not np.array_equal(group_of(page, 2, "lead_in"), group_of(other, 2, "lead_in"))
    assert np.array_equal(group_of(page, 4, "lead_in"), group_of(other, 4, "lead_in"))


def test_a_unit_sees_its_neighbours_and_not_units_far_away() -> None:
    page = document()
    other = [*page[:-1], Unit("Buy now for $5!", "boilerplate", 6, None)]
    rows, changed = features_of([page]), features_of([other])
    assert not np.array_equal(rows[5]["context"], changed[5]["context"])
    for group in ("words", "frame", "cues", "classes", "lead_in", "section"):
        assert np.array_equal(rows[2][group], changed[2][group])


def test_a_quotation_runs_on_into_the_next_sentence() -> None:
    units = [
        Unit("“You need no gym.", block_number=0),
        Unit("You need a stair,” the team said.", block_number=0),
        Unit("It rained.", block_number=0),
    ]
    states = [group_of(units, i, "frame") for i in range(3)]
    inside = np.uint64(unit_features.hash_string("quote:inside"))
    assert [inside in state for state in states] == [False, True, False]


@pytest.mark.parametrize("text", ["", " ", "…", "7", "👍🏽", "a" * 5000, "№ ½ ﬁ İ ß"])
def test_any_text_has_features(text: str) -> None:
    rows = features_of([[Unit(text), Unit("After it.")]])
    assert [set(row) for row in rows] == [set(GROUPS)] * 2


def test_a_matrix_row_does_not_depend_on_the_other_rows() -> None:
    classifier = small_classifier()
    rows = features_of([document()])
    index = KeyIndex(classifier.keys)
    whole = feature_matrix(rows, index, classifier.scales) @ classifier.weights
    for i, row in enumerate(rows):
        one = feature_matrix([row], index, classifier.scales) @ classifier.weights
        assert np.array_equal(one[0], whole[i])


def test_an_empty_document_and_unknown_words_are_fine() -> None:
    classifier = small_classifier()
    assert classifier.classify([]).confidence == classifier.classify([[]]).confidence == []
    found = classifier.classify([[Unit("Zxqv wkjh")]])
    assert 0.0 <= found.confidence[0] <= 1.0
    assert 0.0 <= found.certainty_score[0] <= 1.0


@pytest.mark.parametrize("with_heads", [False, True])
def test_probabilities_sum_to_one_and_labels_are_consistent(with_heads: bool) -> None:
    units = document()
    given = heads(len(units)) if with_heads else None
    found = small_classifier().classify([units], given)
    for task, p in found.probabilities.items():
        assert p.sum(axis=1) == pytest.approx(1.0, abs=2e-3), task
    for kind, direction in zip(
        found.classes["claim_type"], found.classes["direction"], strict=True
    ):
        assert (kind in ("efficacy", "safety", "mechanism")) is (direction != "none")


def test_documents_together_get_what_each_gets_alone() -> None:
    classifier = small_classifier()
    pages = [document(), [Unit("Zxqv wkjh")], [], document()[:2]]
    together = classifier.classify(pages)
    alone = [classifier.classify([page]) for page in pages]
    assert together.confidence == [p for found in alone for p in found.confidence]
    for task, labels in together.classes.items():
        assert labels == [label for found in alone for label in found.classes[task]]
        rows = np.concatenate([found.probabilities[task] for found in alone])
        assert np.array_equal(together.probabilities[task], rows)


def test_known_hashes_are_found_and_others_are_not() -> None:
    keys = np.unique(np.random.default_rng(0).integers(0, 2**63, 1000).astype(np.uint64))
    others = np.asarray([0, 2**64 - 1, int(keys[0]) + 2**40], np.uint64)
    at, place = KeyIndex(keys).find(np.concatenate([others, keys[::3], others]))
    assert at.tolist() == list(range(3, 3 + len(keys[::3])))
    assert np.array_equal(keys[place], keys[::3])
    assert len(KeyIndex(keys[:0]).find(keys)[0]) == 0


def test_type_and_direction_are_decided_together() -> None:
    p = {task: np.full((2, len(classes)), 1.0 / len(classes)) for task, classes in TASKS.items()}
    p["claim_type"] = np.asarray([[0.30, 0, 0, 0, 0, 0, 0, 0, 0.35]] * 2)
    p["direction"] = np.asarray([[0.2, 0.8, 0, 0, 0, 0], [0.5, 0.5, 0, 0, 0, 0]])
    chosen = decide(p)
    assert chosen["claim_type"] == ["efficacy", "background"]
    assert chosen["direction"] == ["benefit", "none"]


def test_packed_weights_come_back_within_their_precision() -> None:
    weights = np.random.default_rng(0).normal(size=(200, 5)).astype(np.float32)
    again = unpack(*pack(weights))
    largest = np.abs(weights).max(axis=0)
    assert np.all(np.abs(again - weights) <= largest * 0.009)


def test_a_saved_classifier_gives_the_same_labels(tmp_path: Path) -> None:
    classifier = small_classifier()
    classifier.save(tmp_path)
    loaded = UnitClassifier.load(tmp_path)
    loaded.save(tmp_path / "again")
    again = UnitClassifier.load(tmp_path / "again")
    units = document()
    assert again.classify([units]).confidence == loaded.classify([units]).confidence
    kinds = [c.classify([units]).classes["kind"] for c in (classifier, loaded, again)]
    assert kinds[0] == kinds[1] == kinds[2]


def test_saving_twice_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        small_classifier().save(tmp_path / name)
    for path in sorted((tmp_path / "a").iterdir()):
        assert path.read_bytes() == (tmp_path / "b" / path.name).read_bytes()


def test_a_missing_or_foreign_classifier_is_named(tmp_path: Path) -> None:
    with pytest.raises(ResourceError, match=r"units\.json"):
        UnitClassifier.load(tmp_path / "nothing")
    small_classifier().save(tmp_path)
    record = (tmp_path / "units.json").read_text()
    (tmp_path / "units.json").write_text(record.replace('"certain"', '"sure"'))
    with pytest.raises(ResourceError, match="other labels"):
        UnitClassifier.load(tmp_path)


@pytest.mark.parametrize("scored", [False, True])
def test_the_table_keeps_its_contract(resources: Resources, scored: bool) -> None:
    found = certainty.STAGE.run(tables_of({"d": document()}, scored=scored), resources)
    tables.check(found)
    for row in found["certainty"].to_pylist():
        labels = [row[name] for name in ("certainty", "polarity", "attribution", "claim_type",
                                         "direction", "evidence")]  # fmt: skip
        assert all(label is not None for label in labels) is (row["kind"] == "claim")
        assert row["kind"] == "claim" or labels == [None] * 6


@pytest.mark.parametrize("scored", [False, True])
def test_a_row_depends_on_its_document_alone(resources: Resources, scored: bool) -> None:
    docs = {
        "a": document(),
        "b": document(TEXTS[3:]),
        "c": document([("One line.", "paragraph")]),
    }
    together = certainty.STAGE.run(tables_of(docs, scored=scored), resources)["certainty"]
    for doc_id, units in reversed(docs.items()):
        alone = certainty.STAGE.run(tables_of({doc_id: units}, scored=scored), resources)
        rows = together.filter(pa.compute.equal(together["doc_id"], doc_id))
        assert rows.to_pylist() == alone["certainty"].to_pylist()


def test_no_sentences_give_an_empty_table(resources: Resources) -> None:
    inputs = {name: tables.empty(name) for name in certainty.STAGE.inputs}
    found = certainty.STAGE.run(inputs, resources)["certainty"]
    assert found.num_rows == 0
    assert found.schema.equals(tables.CERTAINTY.schema)


def test_a_model_without_a_classifier_takes_the_one_that_ships(tmp_path: Path) -> None:
    (tmp_path / "config.cfg").touch()
    other = Resources(settings.load(model=str(tmp_path)))
    assert other.folder(certainty.FOLDER) == settings.shipped_model() / certainty.FOLDER
    (tmp_path / certainty.FOLDER).mkdir()
    assert other.folder(certainty.FOLDER) == tmp_path / certainty.FOLDER


@pytest.fixture(scope="module")
def shipped() -> UnitClassifier:
    folder = MODEL / certainty.FOLDER
    if not folder.is_dir():
        pytest.skip("the trained classifier is not there: make train")
    return UnitClassifier.load(folder)


def classes_of(classifier: UnitClassifier, text: str) -> Mapping[str, str]:
    lines = [("Borage oil", "title"), (text, "paragraph"), ("Read on below.", "paragraph")]
    found = classifier.classify([document(lines)]).classes
    return {task: labels[1] for task, labels in found.items()}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Borage oil reduced itching in most patients.", "certain"),
        ("Borage oil may reduce itching in some patients.", "possible"),
        ("Borage oil probably reduces itching.", "probable"),
        ("It is unclear whether borage oil reduces itching.", "uncommitted"),
        ("Borage oil appears to reduce itching.", "probable"),
    ],
)
def test_the_shipped_classifier_knows_plain_hedges(
    shipped: UnitClassifier, text: str, expected: str
) -> None:
    classes = classes_of(shipped, text)
    assert (classes["kind"], classes["certainty"]) == ("claim", expected)


@pytest.mark.parametrize(
    ("text", "task", "expected"),
    [
        ("Borage oil did not reduce itching in adults.", "polarity", "negated"),
        ("Borage oil reduced itching in adults.", "polarity", "affirmed"),
        ("Manufacturers claim that borage oil reduces itching.", "attribution", "reported"),
        ("Borage oil reduced itching in children [4].", "attribution", "cited"),
        ("What is borage oil?", "kind", "question"),
        ("Talk to your doctor before you take borage oil.", "kind", "advice"),
        ("Borage oil is not approved by the FDA.", "claim_type", "regulatory"),
        ("Borage oil can cause diarrhoea and headache.", "direction", "harm"),
        ("A meta-analysis of six trials found less itching.", "evidence", "meta_analysis"),
    ],
)
def test_the_shipped_classifier_knows_plain_cases(
    shipped: UnitClassifier, text: str, task: str, expected: str
) -> None:
    assert classes_of(shipped, text)[task] == expected


def test_hedges_lower_the_shipped_certainty_score(shipped: UnitClassifier) -> None:
    def score(text: str) -> float:
        unit = Unit(text, cues=find_unit_cues(text, load_cues()))
        return shipped.classify([[unit]]).certainty_score[0]

    sure = score("Borage oil reduced itching in most patients.")
    assert sure > score("Borage oil might perhaps reduce itching in some patients.")


def test_the_shipped_weights_are_small() -> None:
    folder = MODEL / certainty.FOLDER
    if not folder.is_dir():
        pytest.skip("the trained classifier is not there: make train")
    assert sum(path.stat().st_size for path in folder.iterdir()) < 10_000_000


def test_there_is_a_column_for_every_class() -> None:
    assert sum(part.stop - part.start for part in SLICES.values()) == OUTPUTS
