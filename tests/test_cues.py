"""Cues: the lexicon's own examples, the model's say, scopes, and independence of the batch."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pyarrow as pa
import pytest

from hedgerow import tables
from hedgerow.errors import ResourceError
from hedgerow.nlp.lexicon import Cue, CueLexicon, expand, load_cues, lowered
from hedgerow.resources import Resources
from hedgerow.stages import cues
from hedgerow.stages.grouping import SentenceRow

LEXICON = load_cues()
RESOURCES = cast(Resources, SimpleNamespace())


def sentence(text: str) -> SentenceRow:
    """A sentence whose tokens are its words."""
    spans, position = [], 0
    for word in text.split():
        start = text.index(word, position)
        position = start + len(word)
        spans.append((start, position))
    return SentenceRow("s", "d", 0, text, spans)


def scores(text: str, **given: dict[int, float]) -> dict[str, cues.Floats]:
    """Scores of 0 for each word of a text, but for those given by place."""
    names = ("hedge", "denial", "speculation", "speculation_first", "speculation_last",
             "negation_first", "negation_last")  # fmt: skip
    columns = {name: np.zeros(len(text.split()), np.float32) for name in names}
    for name, values in given.items():
        for place, value in values.items():
            columns[name][place] = value
    return columns


def found(text: str, **given: dict[int, float]) -> list[tuple[str, str, str, str]]:
    """(text, lemma, category, source) of each cue; with scores where some are given."""
    words = scores(text, **given) if given else {}
    return [
        (text[c.start : c.end], c.lemma, c.category, c.source)
        for c in cues.find_cues(sentence(text), words, LEXICON)
    ]


@pytest.mark.parametrize("cue", LEXICON.cues.values(), ids=lambda cue: cue.id)
def test_an_entry_matches_its_example_and_not_its_counterexample(cue: Cue) -> None:
    assert cue.id in [f.cue.id for f in LEXICON.find(cue.example)]
    assert cue.id not in [f.cue.id for f in LEXICON.find(cue.counterexample)]


def test_the_lexicon_covers_every_category_and_hedging_level() -> None:
    entries = LEXICON.cues.values()
    assert {c.category for c in entries} == set(tables.CUE_CATEGORIES)
    assert {c.level for c in entries if c.category == "speculation"} == set(tables.CUE_LEVELS)
    assert len(entries) >= 180


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Zinc may help.", ["may"]),
        ("In May it was sold out.", []),
        ("THIS MAY CAUSE DROWSINESS.", ["may"]),
        ("Zinc can help.", []),
        ("A benefit is unlikely.", ["unlikely", "unlikely-negation"]),
        ("Its value isn’t clear.", ["unclear"]),
        ("Its value is not  yet\nclear.", ["unclear"]),
        ("It doesn't help and can not hurt.", ["contracted-not", "cannot"]),
        ("Item no. 5 was without fault.", ["without"]),
        ("It may or may not help.", ["whether-or-not"]),
        ("Nobody knows whether it helps.", ["nobody-knows", "whether"]),
        ("İt might help, and İt could not.", ["might", "not"]),
        ("", []),
    ],
)
def test_hedges_and_negations_without_a_model(text: str, expected: list[str]) -> None:
    relevant = ("speculation", "negation")
    assert [lemma for _, lemma, category, _ in found(text) if category in relevant] == expected


def test_an_entry_with_a_threshold_needs_the_model() -> None:
    text = "Such a loop would amplify it."
    assert found(text) == []
    assert found(text, hedge={3: 0.4}) == []
    assert found(text, hedge={3: 0.6}) == [("would", "would", "speculation", "would")]


def test_what_leads_to_no_level_is_decided_as_bioscope_draws_it() -> None:
    text = "One kinase or another binds."
    assert found(text, hedge={2: 0.9}, speculation={2: 0.1}) == []
    assert found(text, speculation={2: 0.9}) == [("or", "or", "speculation", "or")]


def test_the_model_adds_nothing_that_the_lexicon_has_judged() -> None:
    assert found("It not only helps.", denial={1: 0.99}) == []
    text = "It is not known why."
    assert [cue[:2] for cue in found(text, hedge={2: 0.9, 3: 0.9}, denial={2: 0.99})] == [
        ("not known", "unknown")
    ]


def test_the_model_can_refuse_an_entry_and_add_a_word() -> None:
    assert found("Zinc may help.", hedge={1: 0.05}) == []
    assert found("Perchance zinc helps.", hedge={0: 0.95}) == [
        ("Perchance", "perchance", "speculation", "model")
    ]


def test_a_scope_reaches_to_the_model_s_borders_or_else_to_the_end_of_the_clause() -> None:
    text = "Older trials say zinc may shorten colds, but garlic does not."
    cue = next(iter(cues.find_cues(sentence(text), {}, LEXICON)))
    assert text[slice(*cue.scope)] == "may shorten colds"
    given = scores(text, hedge={4: 0.9}, speculation_first={3: 0.9}, speculation_last={5: 0.9})
    cue = next(iter(cues.find_cues(sentence(text), given, LEXICON)))
    assert text[slice(*cue.scope)] == "zinc may shorten"


def test_a_negation_ends_before_but_whatever_the_model_says() -> None:
    text = "Garlic did not help but zinc did."
    given = scores(text, denial={2: 0.9}, negation_first={2: 0.9}, negation_last={6: 0.9})
    cue = next(iter(cues.find_cues(sentence(text), given, LEXICON)))
    assert text[slice(*cue.scope)] == "not help"


def test_forms_with_choices_expand() -> None:
    assert expand("[not|never] [yet |]proven") == [
        "not yet proven", "not proven", "never yet proven", "never proven",
    ]  # fmt: skip


def test_lower_case_keeps_every_character_in_its_place() -> None:
    assert len(lowered("İSTANBUL May")) == len("İSTANBUL May")


def test_an_entry_with_an_unknown_level_is_refused() -> None:
    with pytest.raises(ResourceError, match="level"):
        Cue("x", "speculation", "sure", ("x",), "", "", "")
    with pytest.raises(ResourceError, match="twice"):
        CueLexicon([Cue("x", "negation", "none", ("x",), "", "", "")] * 2, ";", ";")


def test_the_stage_s_rows_do_not_depend_on_the_batch() -> None:
    texts = ["Zinc may help.", "It did not.", "Unclear, if any.", "Nothing here"]
    one = stage_inputs(texts)
    together = cues.STAGE.run(one, RESOURCES)["cues"]
    tables.check({**one, "cues": together}, names=["cues"])
    apart = [
        cues.STAGE.run(
            {name: of_document(table, f"d{i}") for name, table in one.items()}, RESOURCES
        )["cues"]
        for i in range(len(texts))
    ]
    assert tables.concat("cues", apart).equals(together)


def of_document(table: pa.Table, doc_id: str) -> pa.Table:
    """The rows of one document."""
    return table.filter(pa.compute.equal(table.column("doc_id"), doc_id))


def stage_inputs(texts: list[str]) -> dict[str, pa.Table]:
    """Documents of one sentence each, words as tokens, and no scores."""
    documents, sentences, tokens, annotations = [], [], [], []
    for i, text in enumerate(texts):
        doc_id = f"d{i}"
        documents.append({
            "doc_id": doc_id, "path": doc_id, "media_type": "text/plain", "interest": "unknown",
            "interest_basis": "none", "source_sha256": "", "text": text,
        })  # fmt: skip
        sentences.append({
            "sentence_id": f"s{i}", "doc_id": doc_id, "block_id": "b", "index": 0, "start": 0,
            "end": len(text), "text": text, "block": "paragraph",
        })  # fmt: skip
        tokens += [
            {"doc_id": doc_id, "sentence_id": f"s{i}", "index": n, "start": start, "end": end}
            for n, (start, end) in enumerate(sentence(text).spans)
        ]
        empty: dict[str, Any] = {c.name: [] for c in tables.TABLES["annotations"].columns}
        annotations.append({**empty, "doc_id": doc_id, "sentence_id": f"s{i}"})
    rows: dict[str, list[dict[str, Any]]] = {
        "documents": documents,
        "sentences": sentences,
        "tokens": tokens,
        "annotations": annotations,
    }
    return {name: tables.conform(name, tables.from_rows(name, r)) for name, r in rows.items()}
