"""The tokenizer and the neural annotator: what they promise whatever the weights are."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
import spacy
from spacy.language import Language
from spacy.strings import hash_string
from spacy.tokenizer import Tokenizer
from spacy.tokens import Doc
from spacy.training import Example
from thinc.api import Adam

from hedgerow.nlp.annotator import (
    TAG_LABELS,
    TARGETS_KEY,
    UNIT_LABELS,
    Annotator,
    TaggedSpan,
    Targets,
    UnitAnnotation,
    decode_tags,
    find_scope,
    resolve,
    words_of,
)
from hedgerow.nlp.features import NameList, name_form, normal_form, word_shape
from hedgerow.nlp.tokenizer import make_tokenizer

TEXTS = (
    "Lidocaine-induced asystole may be dose-dependent.",
    "Aspirin did not reduce stroke (RR 0.97, 95% CI 0.63-0.79; P<0.0001) [1].",
    "Headache",
    "• Whether naloxone/clonidine helps rats is unclear, and no trial of heart failure says so.",
)
MODEL = {
    "@architectures": "hedgerow.Annotator.v1",
    "width": 16,
    "embed_width": 8,
    "rows": [50, 20, 20, 20, 20],
    "vector_width": 0,
    "pieces": 2,
    "dilations": [1, 2],
    "unit_width": 8,
}
NAMES = [(["aspirin"], "CHEMICAL"), (["heart", "failure"], "DISEASE"), (["heart"], "ANATOMY")]


def make_pipeline() -> Language:
    """Return a small untrained pipeline with the real tokenizer."""
    nlp = spacy.blank("en", config={"nlp": {"tokenizer": {"@tokenizers": "hedgerow.tokenizer.v1"}}})
    annotator = nlp.add_pipe("hedgerow_annotator", config={"model": MODEL})
    assert isinstance(annotator, Annotator)
    annotator.initialize(lambda: [], nlp=nlp, names=NameList.build(NAMES))
    rng = np.random.default_rng(7)
    for layer in annotator.model.walk():  # the heads start at zero, which would hide mistakes
        if layer.name == "linear":
            shape = layer.get_param("W").shape
            layer.set_param("W", rng.normal(0, 1, shape).astype(np.float32))
    return nlp


def get_annotator(nlp: Language) -> Annotator:
    """Return the annotator of a pipeline."""
    annotator = nlp.get_pipe("hedgerow_annotator")
    assert isinstance(annotator, Annotator)
    return annotator


@pytest.fixture
def nlp() -> Language:
    """A pipeline of its own for each test, since some of them train it."""
    return make_pipeline()


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    """The tokenizer, which no test changes."""
    return make_tokenizer(spacy.blank("en"))


def same(one: UnitAnnotation, other: UnitAnnotation) -> bool:
    """Say whether two annotations are equal bit by bit."""
    pairs = ((one.cues, other.cues), (one.scopes, other.scopes), (one.units, other.units))
    return one.spans == other.spans and all(
        np.array_equal(left[key], right[key]) for left, right in pairs for key in left
    )


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("lidocaine-induced", "lidocaine - induced"),
        ("0.63-0.79", "0.63 - 0.79"),
        ("IL-2", "IL - 2"),
        ("95%", "95 %"),
        ("P<0.0001", "P < 0.0001"),
        ("n=12", "n = 12"),
        ("[1]", "[ 1 ]"),
        ("drug[1].", "drug [ 1 ] ."),
        ("mg/kg", "mg / kg"),
        ("and/or", "and / or"),
        ("NF-kappa B.", "NF - kappa B ."),
        ("5-HT(2A)", "5 - HT ( 2A )"),
        ("e.g. 1,234", "e.g. 1,234"),
        ("COVID‑19–related", "COVID ‑ 19 – related"),
    ],
)
def test_words_split_where_mentions_can_end(tokenizer: Tokenizer, text: str, words: str) -> None:
    """Hyphens, slashes, operators, brackets and per cent signs are tokens of their own."""
    assert " ".join(token.text for token in tokenizer(text)) == words


@pytest.mark.parametrize(
    "text",
    [*TEXTS, "a  b\n\nc ", " α-synuclein ↑2× \u200b…(x)", "---", "", "👍🏽-yes/no", "U.S.-based?!"],
)
def test_tokens_spell_the_text(tokenizer: Tokenizer, text: str) -> None:
    """Tokenizing loses nothing and adds nothing."""
    assert tokenizer(text).text == text


def test_batch_size_never_changes_a_unit(nlp: Language) -> None:
    """A unit's annotation is the same bits alone, in small batches and in one large batch."""
    annotator = get_annotator(nlp)
    docs = [nlp.tokenizer(" ".join(TEXTS[i % 4 :])) for i in range(30)]
    docs += [nlp.tokenizer(text) for text in TEXTS]
    units = [words_of(doc) for doc in docs]
    alone = [annotator.annotate([unit])[0] for unit in units]
    for size in (2, 7, len(docs)):
        batched: list[UnitAnnotation] = []
        for first in range(0, len(docs), size):
            batched.extend(annotator.annotate(units[first : first + size]))
        assert all(map(same, alone, batched)), size
    fresh = get_annotator(make_pipeline())  # with nothing in its caches
    fresh.from_bytes(annotator.to_bytes())
    assert all(map(same, alone, fresh.annotate(units[::-1])[::-1]))


def test_training_and_prediction_compute_the_same(nlp: Language) -> None:
    """thinc's layers, which learn, and the products unit by unit agree up to rounding."""
    annotator = get_annotator(nlp)
    empty = NameList.build([])  # training leaves the names out now and then
    annotator.model.set_param("name_keys", empty.keys)  # type: ignore[arg-type]
    annotator.model.set_param("name_values", empty.values)  # type: ignore[arg-type]
    units = [words_of(nlp.tokenizer(text)) for text in TEXTS]
    scores = annotator.score_units(units)
    learning, _ = annotator.model.begin_update(units)
    np.testing.assert_allclose(learning.tokens, scores.tokens, atol=1e-4)
    np.testing.assert_allclose(learning.units, scores.units, atol=1e-4)


def test_empty_units_have_no_spans(nlp: Language) -> None:
    """A unit without tokens is answered in its place, with equal class probabilities."""
    annotator = get_annotator(nlp)
    first, empty, last = annotator.annotate([["a", "b"], [], ["c"]])
    assert empty.spans == ()
    assert empty.units["polarity"].tolist() == [0.5, 0.5]
    assert len(first.cues["HEDGE"]) == 2
    assert len(last.scopes["negation_first"]) == 1


def test_probabilities_are_shaped_by_tokens_and_classes(nlp: Language) -> None:
    """Every head answers, with one number a token or a class that sums up to one."""
    doc = nlp.tokenizer(TEXTS[1])
    (annotation,) = get_annotator(nlp).annotate([words_of(doc)])
    for scores in (*annotation.cues.values(), *annotation.scopes.values()):
        assert scores.shape == (len(doc),)
        assert ((scores >= 0) & (scores <= 1)).all()
    for head, labels in UNIT_LABELS.items():
        assert annotation.units[head].shape == (len(labels),)
        assert annotation.units[head].sum() == pytest.approx(1, abs=1e-5)
    for span in annotation.spans:
        assert 0 <= span.token_start < span.token_end <= len(doc)
        assert 0 < span.score <= 1


def with_targets(doc: Doc, targets: Targets) -> Example:
    """Return a training example."""
    doc.user_data[TARGETS_KEY] = targets
    return Example(doc, doc)


def test_what_a_corpus_does_not_annotate_gets_no_gradient(nlp: Language) -> None:
    """The loss of a group, scope or head that is absent from the targets is masked."""
    annotator = get_annotator(nlp)
    doc = nlp.tokenizer(TEXTS[0])
    targets = Targets.build(len(doc), spans={"CHEMICAL": [(0, 1)]}, units={"polarity": "affirmed"})
    scores = annotator.score_units([words_of(doc)])
    loss, gradient = annotator.get_loss([targets], scores)
    assert loss > 0
    column = 5 * TAG_LABELS.index("CHEMICAL")
    masked = np.delete(gradient.tokens, np.s_[column : column + 5], axis=1)
    assert not masked.any()
    assert gradient.tokens[:, column : column + 5].any()
    before = 0
    for head, labels in UNIT_LABELS.items():
        part = gradient.units[:, before : before + len(labels)]
        assert part.any() == (head == "polarity")
        before += len(labels)


def test_training_a_group_leaves_the_weights_of_the_others(nlp: Language) -> None:
    """After an update on chemicals only, the head's rows for other groups are what they were."""
    annotator = get_annotator(nlp)
    doc = nlp.tokenizer(TEXTS[0])
    example = with_targets(doc, Targets.build(len(doc), spans={"CHEMICAL": [(0, 1)]}))
    head = annotator.model.get_ref("token_head")
    before = head.get_param("W").copy()
    annotator.update([example], sgd=Adam(0.01, L2=0.0))
    changed = np.abs(head.get_param("W") - before).sum(axis=1) > 0
    column = 5 * TAG_LABELS.index("CHEMICAL")
    assert changed[column : column + 5].all()
    assert not np.delete(changed, np.s_[column : column + 5]).any()


def test_a_small_set_is_learnt(nlp: Language) -> None:
    """Entities, cues, scopes and classes of a few units are reproduced after some updates."""
    annotator = get_annotator(nlp)
    docs = [nlp.tokenizer(text) for text in TEXTS[:2]]
    examples = [
        with_targets(
            docs[0],
            Targets.build(
                len(docs[0]),
                spans={"CHEMICAL": [(0, 1)], "DISEASE": [(3, 4)], "HEDGE": [(4, 5)]},
                scopes={"speculation_first": [0], "speculation_last": [len(docs[0]) - 2]},
                units={"kind": "claim", "certainty": "possible"},
            ),
        ),
        with_targets(
            docs[1],
            Targets.build(
                len(docs[1]),
                spans={"CHEMICAL": [(0, 1)], "DISEASE": [(4, 5)], "HEDGE": []},
                scopes={"speculation_first": [], "speculation_last": []},
                units={"kind": "claim", "certainty": "certain"},
            ),
        ),
    ]
    optimizer = Adam(0.01)
    for _ in range(80):
        annotator.update(examples, sgd=optimizer)
    first, second = annotator.annotate([words_of(doc) for doc in docs])
    found = {(span.label, span.token_start, span.token_end) for span in first.spans}
    assert {("CHEMICAL", 0, 1), ("DISEASE", 3, 4), ("HEDGE", 4, 5)} <= found
    assert not [span for span in second.spans if span.label == "HEDGE"]
    assert UNIT_LABELS["certainty"][int(first.units["certainty"].argmax())] == "possible"
    assert UNIT_LABELS["certainty"][int(second.units["certainty"].argmax())] == "certain"
    scope = find_scope(first.scopes["speculation_first"], first.scopes["speculation_last"], 4, 5)
    assert scope == (0, len(docs[0]) - 1)


@pytest.mark.parametrize("way", ["disk", "bytes"])
def test_a_saved_pipeline_answers_the_same(nlp: Language, tmp_path: Path, way: str) -> None:
    """Saving and loading keep the tokens and every bit of the annotation."""
    other: Language
    if way == "disk":
        nlp.to_disk(tmp_path / "model")
        other = spacy.load(tmp_path / "model")
    else:
        other = make_pipeline().from_bytes(nlp.to_bytes())
    docs, others = ([pipe.tokenizer(text) for text in TEXTS] for pipe in (nlp, other))
    assert [doc.text for doc in docs] == [doc.text for doc in others]
    units = [words_of(doc) for doc in docs]
    assert all(map(same, get_annotator(nlp).annotate(units), get_annotator(other).annotate(units)))


def test_weights_for_other_labels_are_refused(nlp: Language, tmp_path: Path) -> None:
    """A model made for another set of labels says so instead of answering nonsense."""
    annotator = get_annotator(nlp)
    annotator.to_disk(tmp_path)
    labels = tmp_path / "labels.json"
    labels.write_text(labels.read_text().replace("GENE", "GENES"), encoding="utf-8")
    with pytest.raises(ValueError, match="trained for other labels"):
        annotator.from_disk(tmp_path)


def test_the_component_sets_what_it_declares(nlp: Language) -> None:
    """Called through spaCy it sets entities without overlaps, span groups and `doc._.unit`."""
    for doc in nlp.pipe(TEXTS):
        assert set(doc._.unit) == set(UNIT_LABELS)
        assert set(doc.spans) == {"cues", "arguments"}
        assert {ent.label_ for ent in doc.ents} <= set(TAG_LABELS[:5])


def spans_of(tags: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Yield the (start, end) of spans in one unit's BILOU tags (O B I L U as 0 to 4)."""
    start = 0
    for i, tag in enumerate(tags):
        if tag in (1, 4):
            start = i
        if tag in (3, 4):
            yield start, i + 1


def test_tags_are_always_well_formed() -> None:
    """Decoding gives the best tags among those in which every span is opened and closed."""
    rng = np.random.default_rng(0)
    scores = np.log(rng.dirichlet(np.ones(5), size=(40, 6))).astype(np.float32)
    lengths = [1 + i % 6 for i in range(40)]
    allowed: dict[int, tuple[int, ...]] = {0: (0, 1, 4), 1: (2, 3), 2: (2, 3), 3: (0, 1, 4)}
    allowed[4] = allowed[0]

    def best(steps: np.ndarray, last: int, at: int) -> float:
        if at == len(steps):
            return 0.0 if last in (0, 3, 4) else -np.inf
        return max(float(steps[at, tag]) + best(steps, tag, at + 1) for tag in allowed[last])

    for row, length, tags in zip(scores, lengths, decode_tags(scores, lengths), strict=True):
        got = sum(float(row[i, tag]) for i, tag in enumerate(tags[:length]))
        assert got == pytest.approx(best(row[:length], 0, 0), abs=1e-4)
        covered = {i for start, end in spans_of(tags[:length].tolist()) for i in range(start, end)}
        assert covered == {i for i in range(length) if tags[i]}
        assert not tags[length:].any()


def test_overlaps_go_to_the_better_span() -> None:
    """Of overlapping spans the one with the better score stays."""
    long, short = TaggedSpan("DISEASE", 0, 3, 0.9), TaggedSpan("CHEMICAL", 2, 3, 0.8)
    apart = TaggedSpan("GENE", 4, 5, 0.1)
    assert resolve([apart, short, long]) == [long, apart]


@pytest.mark.parametrize(
    ("tokens", "expected"),
    [
        ("the heart failure of aspirin", [0, 5, 7, 0, 4]),
        ("heart disease", [16, 0]),
        ("Aspirins heart", [4, 16]),
    ],
)
def test_names_are_found_longest_first(tokens: str, expected: list[int]) -> None:
    """A token's code tells the type and place of the longest name that covers it."""
    words = np.asarray([hash_string(name_form(word)) for word in tokens.split()], np.uint64)
    assert NameList.build(NAMES).codes(words, [len(words)]).tolist() == expected


def test_names_do_not_cross_units() -> None:
    """The last word of a unit and the first of the next are no name."""
    words = np.asarray([hash_string("heart"), hash_string("failure")], np.uint64)
    assert NameList.build(NAMES).codes(words, [1, 1]).tolist() == [16, 0]


@pytest.mark.parametrize(
    ("function", "word", "expected"),
    [(normal_form, "BRCA1", "brca0"), (word_shape, "IL12aaaaa", "XXddxxx")],
)
def test_word_forms(function: Callable[[str], str], word: str, expected: str) -> None:
    """Digits and case are levelled in the normal form and kept apart in the shape."""
    assert function(word) == expected
