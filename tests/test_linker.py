"""Linking names: exact, spelling, plural, abbreviation, near misses; whatever else is linked."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from hedgerow.errors import ResourceError
from hedgerow.nlp.linker import Linker, is_misspelling, load_linker, read_concepts
from hedgerow.nlp.names import Concept, name_key, normal_word
from hedgerow.nlp.rules import load_data

CONCEPTS = (
    Concept("X:1", "ischaemic stroke", ("cerebral infarction",), ("DISEASE",)),
    Concept("X:2", "zincovarin", ("ZV-12",), ("CHEMICAL",)),
    Concept("X:3", "traumatic brain injury", ("TBI",), ("DISEASE",)),
    Concept("X:4", "nerve growth factor beta", ("NGF", "LEAD"), ("GENE",)),
    Concept("X:5", "insulin", (), ("GENE",)),
    Concept("X:6", "insulin", (), ("CHEMICAL",)),
    Concept("X:7", "interleukin 6", (), ("GENE",)),
    Concept("X:8", "hyperthyroidism", (), ("DISEASE",)),
    Concept("X:9", "SELECT", (), ("STUDY",)),
    Concept("X:10", "oesophageal tumour", (), ("DISEASE",)),
    Concept("X:11", "hypertension", (), ("DISEASE",)),
)


@pytest.fixture
def linker() -> Linker:
    return Linker(CONCEPTS)


@pytest.mark.parametrize(
    ("name", "label", "expected"),
    [
        ("ischaemic stroke", "DISEASE", "X:1"),
        ("Ischemic Strokes", "DISEASE", "X:1"),
        ("cerebral infarctions", "DISEASE", "X:1"),
        ("esophageal tumors", "DISEASE", "X:10"),
        ("ZV 12", "CHEMICAL", "X:2"),
        ("nerve growth factor-β", "GENE", "X:4"),
        ("TBI", "DISEASE", "X:3"),
        ("tbi", "DISEASE", None),
        ("ischaemic stroke", "CHEMICAL", None),
        ("insulin", "CHEMICAL", "X:6"),
        ("insulin", "GENE", "X:5"),
        ("select", "STUDY", None),
        ("", "DISEASE", None),
        ("⊕◯", "DISEASE", None),
    ],
)
def test_exact_names(linker: Linker, name: str, label: str, expected: str | None) -> None:
    link = linker.link([(name, label)])[name, label]
    assert (link.concept.id if link else None) == expected
    assert link is None or link.score == 1.0


def test_a_near_name_is_linked_below_one(linker: Linker) -> None:
    pair = ("nerve growth factory beta", "GENE")
    link = linker.link([pair])[pair]
    assert link is not None
    assert (link.concept.id, link.concept.kb) == ("X:4", "X")
    assert 0.9 <= link.score < 1.0


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("interleukin 1", "GENE"),
        ("hypothyroidism", "DISEASE"),
        ("hypotension", "DISEASE"),
        ("pulmonary hypertension", "DISEASE"),
        ("nerve growth factory beta", "DISEASE"),
    ],
)
def test_what_only_looks_alike_is_not_linked(linker: Linker, name: str, label: str) -> None:
    assert linker.link([(name, label)])[name, label] is None


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("hyperthyroidsm", True),
        ("hyperthyroiidism", True),
        ("hyperthyroidizm", True),
        ("hyperthyriodism", True),
        ("hyperthyroidism", True),
        ("hyperthyroidic", False),
        ("zincovarol", False),
    ],
)
def test_a_misspelling_is_one_letter_off(name: str, expected: bool) -> None:
    assert is_misspelling(name, "hyperthyroidism") is expected
    assert is_misspelling("hyperthyroidism", name) is expected


def test_a_misspelt_long_name_is_linked(linker: Linker) -> None:
    pair = ("hyperthyriodism", "DISEASE")
    link = linker.link([pair])[pair]
    assert link is not None
    assert link.concept.id == "X:8"
    assert link.score < 1.0


def test_a_link_does_not_depend_on_the_batch(linker: Linker) -> None:
    names = [
        (text + ending, label)
        for concept in CONCEPTS
        for text in (concept.name, *concept.aliases)
        for ending in ("", "s", "x", " x", "-like")
        for label in ("DISEASE", "CHEMICAL", "GENE")
    ]
    together = linker.link(names)
    other = Linker(CONCEPTS)
    apart = {pair: other.link([pair])[pair] for pair in reversed(names)}
    assert together == apart
    assert any(link is not None and link.score < 1 for link in together.values())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Ischemic strokes after TBI.", [("Ischemic strokes", "DISEASE"), ("TBI", "DISEASE")]),
        ("LEAD is a gene and lead is a metal.", [("LEAD", "GENE")]),
        ("ALL ABOUT LEAD", []),
        ("ZV-12, ZV 12, zv-12", [("ZV-12", "CHEMICAL"), ("ZV 12", "CHEMICAL")]),
        ("they select patients", []),
        ("ischemic, stroke", []),
        ("", []),
    ],
)
def test_names_in_text(linker: Linker, text: str, expected: list[tuple[str, str]]) -> None:
    assert [(text[m.start : m.end], m.label) for m in linker.find(text)] == expected


@pytest.mark.parametrize("entry", load_data("mentions")["spelling"], ids=lambda e: str(e["id"]))
def test_a_spelling_rule_makes_two_spellings_one(entry: dict[str, str]) -> None:
    assert normal_word(entry["word"]) == normal_word(entry["normal"])


def test_possessives_and_dashes_do_not_count() -> None:
    assert name_key("Alzheimer’s disease") == name_key("alzheimer disease")
    assert name_key("beta-blockers") == name_key("Beta blocker")
    assert name_key("Zincovarin®") == name_key("zincovarin")


def test_a_malformed_entry_is_named_by_file_and_line(tmp_path: Path) -> None:
    path = tmp_path / "names.jsonl"
    path.write_text(json.dumps({"id": "X:1", "name": "a", "types": []}) + '\n{"id": "X:2"}\n')
    with pytest.raises(ResourceError, match="line 2"):
        read_concepts([path])


def test_a_model_without_a_knowledge_base_links_nothing(tmp_path: Path) -> None:
    linker = load_linker(tmp_path)
    assert list(linker.find("stroke")) == []
    assert linker.link([("ischaemic stroke", "DISEASE")]) == {("ischaemic stroke", "DISEASE"): None}
