"""A pipeline from elsewhere, shaped as scispaCy's are: entities from it, all the rest from ours."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
import spacy
from scispacy.custom_tokenizer import combined_rule_tokenizer
from spacy.language import Language
from spacy.training import Example

from hedgerow import cli, fingerprints, kb, settings, store
from tests.conftest import rows, write

SENTENCES = (
    ("Zincovarin reduces asthma .", "PROPN VERB NOUN PUNCT", {0: "CHEMICAL", 2: "DISEASE"}),
    ("Melatonin may relieve asthma .", "NOUN AUX VERB NOUN PUNCT", {0: "CHEMICAL", 3: "DISEASE"}),
    ("Aspirin caused insomnia .", "NOUN VERB NOUN PUNCT", {0: "CHEMICAL", 2: "DISEASE"}),
    ("We saw no insomnia .", "PRON VERB DET NOUN PUNCT", {3: "DISEASE"}),
)
TEXT = "Zincovarin reduces asthma. Aspirin caused insomnia. Melatonin may relieve asthma."
NAMES = (
    {"id": "X:1", "name": "zincovarin", "types": ["CHEMICAL"]},
    {"id": "X:2", "name": "asthma", "types": ["DISEASE"]},
)


def train(folder: Path, *, typed: bool) -> Path:
    """Train a pipeline on `SENTENCES` for some steps and save it.

    typed: with the labels of en_ner_bc5cdr_md, else with the one of en_core_sci_sm.
    """
    nlp = spacy.blank("en")
    nlp.tokenizer = combined_rule_tokenizer(nlp)
    upstream = {"@architectures": "spacy.Tok2VecListener.v1", "width": 32, "upstream": "*"}
    nlp.add_pipe("tok2vec", config={"model": {
        "@architectures": "spacy.HashEmbedCNN.v2", "width": 32, "depth": 1, "embed_size": 200,
        "window_size": 1, "maxout_pieces": 2, "subword_features": True, "pretrained_vectors": None,
    }})  # fmt: skip
    for name, more in (("tagger", {}), ("parser", {"min_action_freq": 1}), ("ner", {})):
        nlp.add_pipe(name, config={"model": {"tok2vec": upstream}, **more})
    examples = [_example(nlp, *sentence, typed=typed) for sentence in SENTENCES]
    spacy.util.fix_random_seed(0)
    optimizer = nlp.initialize(lambda: examples)
    for _ in range(40):
        nlp.update(examples, sgd=optimizer)
    nlp.to_disk(folder)
    return folder


def _example(
    nlp: Language, text: str, tagged: str, names: dict[int, str], *, typed: bool
) -> Example:
    tags = tagged.split()
    verb = tags.index("VERB")
    labels = {place: label if typed else "ENTITY" for place, label in names.items()}
    return Example.from_dict(nlp.make_doc(text), {
        "tags": tags,
        "heads": [verb] * len(tags),
        "deps": ["ROOT" if i == verb else "dep" for i in range(len(tags))],
        "entities": [f"U-{labels[i]}" if i in labels else "O" for i in range(len(tags))],
    })  # fmt: skip


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("models")
    return {
        "sci": train(root / "en_core_sci_xs", typed=False),
        "bc5cdr": train(root / "en_ner_bc5cdr_xs", typed=True),
    }


def hedgerow(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> int:
    """Call the command line in this process; return its exit code."""
    monkeypatch.setattr(sys, "argv", ["hedgerow", *map(str, arguments)])
    with pytest.raises(SystemExit) as stop:
        cli.main()
    return int(stop.value.code or 0)


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """A knowledge base with the names of the corpus, and that corpus."""
    write(tmp_path / "names.jsonl", "\n".join(map(json.dumps, NAMES)))
    kb.build([tmp_path / "names.jsonl"], tmp_path / "kb")
    write(tmp_path / "corpus" / "one.txt", TEXT)
    return tmp_path


@pytest.mark.parametrize("name", ["sci", "bc5cdr"])
def test_a_run_on_a_pipeline_of_scispacy_s_shape(
    models: dict[str, Path], name: str, own: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    places = ("--corpus", own / "corpus", "--outputs", own / "outputs")
    given = ("run", *places, "--model", models[name], "--kb", own / "kb")
    assert hedgerow(monkeypatch, *given) == 0
    found = {(row["text"], row["label"], row["kb_id"]) for row in rows(own / "outputs", "entities")}
    assert {("Zincovarin", "CHEMICAL", "X:1"), ("asthma", "DISEASE", "X:2")} <= found
    assert "model" in {row["source"] for row in rows(own / "outputs", "entities")}
    assert {row["label"] for row in rows(own / "outputs", "entities")} == {"CHEMICAL", "DISEASE"}
    certainties = {row["text"]: row["certainty"] for row in rows(own / "outputs", "claims")}
    assert certainties["Melatonin may relieve asthma."] != "certain"
    snapshot = store.Outputs(own / "outputs").snapshot()
    assert snapshot is not None
    assert store.verify(snapshot) == []


def test_what_the_pipeline_calls_an_entity_counts_only_where_it_is_linked(
    models: dict[str, Path], own: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(own / "corpus" / "one.txt", "Velvetine reduces asthma.")
    places = ("--corpus", own / "corpus", "--outputs", own / "outputs", "--kb", own / "kb")
    assert hedgerow(monkeypatch, "run", *places, "--model", models["sci"]) == 0
    assert [row["text"] for row in rows(own / "outputs", "entities")] == ["asthma"]


def test_another_model_reruns_what_uses_it(models: dict[str, Path]) -> None:
    prints = [
        fingerprints.stage_fingerprints(fingerprints.resource_digests(settings.load(model=model)))
        for model in (settings.SHIPPED, *map(str, models.values()))
    ]
    assert len({one["annotations"] for one in prints}) == 3
    assert len({one["documents"] for one in prints}) == 1


def test_a_model_that_cannot_be_used_ends_the_run_in_one_line(
    own: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write(own / "odd" / "config.cfg", "[nlp]\nlang = 'en'\npipeline = ['unheard_of']\n")
    for model, expected in (
        ("en_core_sci_none", "found no config.cfg"),
        (own / "nowhere", "found no config.cfg"),
        (own / "odd", "expected a spaCy pipeline that this version of hedgerow can read"),
    ):
        given = ("--corpus", own / "corpus", "--outputs", own / "outputs", "--model", model)
        assert hedgerow(monkeypatch, "run", *given) == 3
        error = capsys.readouterr().err
        assert expected in error
        assert "--model" in error and "Traceback" not in error
