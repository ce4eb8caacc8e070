"""Entities: rules, abbreviations, overlaps, links, and the pipeline that finds them."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pyarrow as pa
import pytest
import spacy
from spacy.language import Language
from spacy.vocab import Vocab

from hedgerow import tables
from hedgerow.errors import ResourceError
from hedgerow.nlp import load_language, make_docs
from hedgerow.nlp.mentions import (
    Mention,
    add_abbreviations,
    find_definitions,
    load_mention_rules,
    resolve,
)
from hedgerow.nlp.rules import Rule, load_rules
from hedgerow.resources import Resources
from hedgerow.stages import annotations as annotating
from hedgerow.stages import entities
from tests.test_annotator import make_pipeline
from tests.test_cues import of_document, stage_inputs

NAMES = (
    {"id": "X:1", "name": "traumatic brain injury", "aliases": [], "types": ["DISEASE"]},
    {"id": "X:2", "name": "zincovarin", "aliases": [], "types": ["CHEMICAL"]},
    {"id": "X:3", "name": "asthma", "aliases": [], "types": ["DISEASE"]},
    {"id": "X:4", "name": "ALS", "aliases": [], "types": ["DISEASE"]},
)


@pytest.fixture
def resources(tmp_path: Path) -> Resources:
    """A small untrained pipeline, and a knowledge base of a few names."""
    (tmp_path / "kb").mkdir()
    (tmp_path / "kb" / "names.jsonl").write_text("\n".join(map(json.dumps, NAMES)))
    return cast(
        Resources, SimpleNamespace(language=make_pipeline(), knowledge_base=tmp_path / "kb")
    )


def mention(text: str, part: str, label: str, **fields: Any) -> Mention:
    """A mention of `part` in `text`."""
    start = text.index(part)
    return Mention(start, start + len(part), label, **{"score": 0.5, "source": "test", **fields})


def rows(text: str | list[str], resources: Resources) -> list[dict[str, Any]]:
    """The entities of texts, one document each, without any model's spans."""
    inputs = stage_inputs([text] if isinstance(text, str) else text)
    table = entities.STAGE.run(inputs, resources)["entities"]
    tables.check({**inputs, "entities": table}, names=["entities"])
    return cast(list[dict[str, Any]], table.to_pylist())


@pytest.mark.parametrize("rule", load_rules("mentions"), ids=lambda rule: rule.id)
def test_a_rule_matches_its_example_and_not_its_counterexample(rule: Rule) -> None:
    rules = load_mention_rules()
    names = [
        mention(text, part, "DISEASE") for text, part in ((rule.example, "asthma"),) if part in text
    ]
    assert rule.id in [m.source for m in rules.find(rule.example, names)]
    assert rule.id not in [m.source for m in rules.find(rule.counterexample, [])]


@pytest.mark.parametrize(
    ("text", "part", "label"),
    [
        ("Patients with severe asthma improved.", "Patients with severe asthma", "POPULATION"),
        ("We asked asthma patients.", "asthma patients", "POPULATION"),
        ("Healthy older adults took part.", "Healthy older adults", "POPULATION"),
        ("The OAK-2 trial ended.", "OAK-2 trial", "STUDY"),
        ("The 14-trial meta-analysis ended.", "14-trial meta-analysis", "STUDY"),
        ("WADA bans it.", "WADA", "ORGANIZATION"),
        ("The NIHSS fell.", "NIHSS", "OUTCOME"),
    ],
)
def test_rules_find_what_the_model_does_not_teach(
    text: str, part: str, label: str, resources: Resources
) -> None:
    assert (part, label) in [(row["text"], row["label"]) for row in rows(text, resources)]


def test_a_disease_before_trial_names_no_trial(resources: Resources) -> None:
    assert [row["label"] for row in rows("ALS trials failed.", resources)] == ["DISEASE"]


def test_a_trial_s_name_is_one_wherever_the_document_uses_it(resources: Resources) -> None:
    found = rows("OAK failed. The OAK trial was small.", resources)
    assert [row["text"] for row in found] == ["OAK", "OAK trial"]
    assert {row["label"] for row in found} == {"STUDY"}


def test_an_abbreviation_inherits_link_and_label_all_over_the_document(
    resources: Resources,
) -> None:
    text = "TBI is grave. Traumatic brain injury (TBI) may be mild. Not so TBI in rats."
    found = [row for row in rows(text, resources) if row["text"] == "TBI"]
    assert len(found) == 3
    for row in found:
        assert row["long_form"] == "Traumatic brain injury"
        assert (row["label"], row["kb"], row["kb_id"], row["kb_name"], row["link_score"]) == (
            "DISEASE", "X", "X:1", "traumatic brain injury", 1.0,
        )  # fmt: skip


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Nerve growth factor (NGF) rose.", {"NGF": "Nerve growth factor"}),
        ("NGF (nerve growth factor) rose.", {"NGF": "nerve growth factor"}),
        ("It fell (see Table 2) and (as we said) rose.", {}),
        ("It fell (P<0.05; n=12).", {}),
        ("It fell (", {}),
        ("()", {}),
    ],
)
def test_definitions_of_abbreviations(text: str, expected: dict[str, str]) -> None:
    found = find_definitions([text], Vocab())
    assert {short: d.long_form for short, d in found.items()} == expected


def test_the_first_definition_of_an_abbreviation_counts() -> None:
    texts = ["Nerve growth factor (NGF).", "New gut formula (NGF)."]
    definitions = find_definitions(texts, Vocab())
    assert definitions["NGF"].long_form == "Nerve growth factor"
    named = [[mention(texts[0], "Nerve growth factor", "GENE")], []]
    found = add_abbreviations(texts, named, definitions, lambda name: None)
    assert [(m.label, m.long_form) for m in found[1]] == [("GENE", "Nerve growth factor")]


def test_overlaps_go_to_the_longest_then_the_best_then_the_first_label() -> None:
    text = "brain injury in rats"
    brain = mention(text, "brain", "ANATOMY", score=0.9)
    injury = mention(text, "brain injury", "DISEASE", score=0.6)
    better = mention(text, "brain injury", "ANATOMY", score=0.7)
    equal = mention(text, "brain injury", "CHEMICAL", score=0.6)
    rats = mention(text, "rats", "SPECIES")
    population = mention(text, "injury in rats", "POPULATION")
    assert resolve([brain, injury, rats]) == [injury, rats]
    assert resolve([injury, better]) == [better]
    assert resolve([injury, equal]) == resolve([equal, injury]) == [equal]
    assert resolve([population, injury, rats]) == [injury, population, rats]


def test_the_model_s_spans_become_mentions(resources: Resources) -> None:
    inputs = stage_inputs(["Take  zincovarin now"])
    spans = inputs["annotations"].to_pylist()
    spans[0].update(
        span_label=["GENE", "SUBJECT"], span_start=[1, 0], span_end=[3, 1], span_score=[0.9, 0.9]
    )
    inputs["annotations"] = tables.from_rows("annotations", spans)
    table = entities.STAGE.run(inputs, resources)["entities"]
    assert [(r["text"], r["label"], r["source"]) for r in table.to_pylist()] == [
        ("zincovarin now", "GENE", "model")
    ]


def test_an_untyped_span_has_the_type_of_its_link(resources: Resources) -> None:
    inputs = stage_inputs(["Asthmas and joy"])
    spans = inputs["annotations"].to_pylist()
    spans[0].update(
        span_label=["ENTITY"] * 2, span_start=[0, 2], span_end=[1, 3], span_score=[1.0] * 2
    )
    inputs["annotations"] = tables.from_rows("annotations", spans)
    table = entities.STAGE.run(inputs, resources)["entities"]
    assert [(r["text"], r["label"], r["kb_id"]) for r in table.to_pylist()] == [
        ("Asthmas", "DISEASE", "X:3")
    ]


TEXTS = [
    "Lidocaine-induced asystole may be dose-dependent in traumatic brain injury (TBI).",
    "TBI",
    "Aspirin  did not reduce   stroke.",
    "Zincovarin in the OAK trial; OAK met its goal.",
    "",
] + ["Naloxone or clonidine helps rats. "] * 80


def test_annotations_and_entities_do_not_depend_on_the_batch(resources: Resources) -> None:
    inputs = stage_inputs([text or "·" for text in TEXTS])
    del inputs["annotations"]
    together = annotated(inputs, resources)
    tables.check({**inputs, **together}, names=["annotations", "entities"])
    apart = [
        annotated({name: of_document(table, f"d{i}") for name, table in inputs.items()}, resources)
        for i in range(len(TEXTS))
    ]
    for name in ("annotations", "entities"):
        assert tables.concat(name, [part[name] for part in apart]).equals(together[name])


def annotated(inputs: dict[str, pa.Table], resources: Resources) -> dict[str, pa.Table]:
    """The annotations and entities of a batch."""
    found = annotating.STAGE.run(inputs, resources)
    return {**found, **entities.STAGE.run({**inputs, **found}, resources)}


def test_annotations_follow_the_label_order_of_the_tables(resources: Resources) -> None:
    inputs = stage_inputs(["Aspirin did not help."])
    row = annotating.STAGE.run(inputs, resources)["annotations"].to_pylist()[0]
    doc = resources.language("Aspirin did not help .")
    for name, labels in (("direction", tables.DIRECTIONS), ("evidence", tables.EVIDENCE)):
        assert len(row[name]) == len(labels)
        assert set(doc._.unit[name]) == set(labels)
    assert len(row["hedge"]) == len(row["speculation_first"]) == 4


def test_a_pipeline_without_the_annotator_gives_its_entities(tmp_path: Path) -> None:
    nlp = spacy.blank("en")
    ruler = nlp.add_pipe("entity_ruler")
    ruler.add_patterns([{"label": "CHEMICAL", "pattern": "zinc"}])
    plain = cast(Resources, SimpleNamespace(language=nlp, folder=tmp_path.joinpath))
    found = annotating.STAGE.run(stage_inputs(["Take zinc now"]), plain)
    row = found["annotations"].to_pylist()[0]
    assert (row["span_label"], row["span_start"], row["span_end"]) == (["CHEMICAL"], [1], [2])
    assert row["hedge"] == row["kind"] == []


def test_docs_are_rebuilt_token_by_token_whatever_the_blanks() -> None:
    texts = ["a  b\tc", "", "x-y"]
    spans = [[(0, 1), (3, 4), (5, 6)], [], [(0, 1), (1, 2), (2, 3)]]
    docs = make_docs(Vocab(), texts, spans)
    assert [[t.text for t in doc] for doc in docs] == [["a", "b", "c"], [], ["x", "-", "y"]]
    assert docs[2].text == "x-y"


def test_a_missing_or_broken_model_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ResourceError, match=r"no such folder.*--model"):
        load_language(tmp_path / "nowhere")
    with pytest.raises(ResourceError, match=r"without config\.cfg"):
        load_language(tmp_path)
    (tmp_path / "config.cfg").write_text("[nlp]\nlang = 'en'\npipeline = ['unheard_of']\n")
    with pytest.raises(ResourceError, match="expected a spaCy pipeline"):
        load_language(tmp_path)


def test_a_saved_pipeline_is_loaded(tmp_path: Path) -> None:
    nlp: Language = make_pipeline()
    nlp.to_disk(tmp_path)
    assert load_language(tmp_path).pipe_names == ["hedgerow_annotator"]
