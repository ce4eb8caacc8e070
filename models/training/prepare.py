"""Read the training corpora into units: one sentence each, with what its corpus annotates.

Every reader yields `Unit`s with character spans; `to_doc` turns one into a spaCy `Doc` that
carries its `Targets`. A group that a corpus does not annotate stays masked.
"""

import gzip
import lzma
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import srsly
from spacy.tokenizer import Tokenizer
from spacy.tokens import Doc

from hedgerow.nlp.annotator import TARGETS_KEY, Targets
from hedgerow.nlp.features import NameList

Spans = list[tuple[int, int]]


@dataclass
class Unit:
    """A sentence with its annotation; what is absent from the mappings is not annotated.

    spans: character spans by tag group; scopes: character spans of scopes by cue type
    ("speculation", "negation"); units: classes by unit head.
    """

    text: str
    spans: dict[str, Spans] = field(default_factory=dict)
    scopes: dict[str, Spans] = field(default_factory=dict)
    units: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class EntityCorpus:
    """An entity corpus: its folder, its licence, and which of its labels teach which group.

    groups: group -> the corpus's labels; an empty tuple says that all mentions are drawn but none
    is of this group. share: part of the sentences used in an epoch.
    """

    folder: str
    licence: str
    groups: Mapping[str, tuple[str, ...]]
    share: float = 1.0


ENTITY_CORPORA = (
    EntityCorpus(
        "bc5cdr",
        "not stated; public shared task",
        {"CHEMICAL": ("CHEMICAL",), "DISEASE": ("DISEASE",)},
    ),
    EntityCorpus("ncbi_disease", "public domain", {"DISEASE": ("DISEASE",)}),
    EntityCorpus(
        "biored",
        "MIT",
        {
            "CHEMICAL": ("CHEMICAL",),
            "DISEASE": ("DISEASE",),
            "GENE": ("GENE",),
            "SPECIES": ("SPECIES",),
        },
    ),
    EntityCorpus("drugprot", "MIT", {"CHEMICAL": ("CHEMICAL",), "GENE": ("GENE",)}, share=0.7),
    EntityCorpus("gnormplus", "MIT", {"GENE": ("GENE", "GENE_FAMILY")}, share=0.7),
    EntityCorpus("nlm_gene", "MIT", {"GENE": ("GENE", "GENE_FAMILY")}, share=0.7),
    EntityCorpus("jnlpba", "CC BY 3.0", {"PROTEIN": ("PROTEIN",)}, share=0.3),
    EntityCorpus(
        "anatem",
        "CC BY-SA 3.0",
        {
            "ANATOMY": (
                "CELL",
                "MULTI_TISSUE_STRUCTURE",
                "TISSUE",
                "ORGAN",
                "CELLULAR_COMPONENT",
                "ORGANISM_SUBSTANCE",
                "PATHOLOGICAL_FORMATION",
                "ORGANISM_SUBDIVISION",
                "IMMATERIAL_ANATOMICAL_ENTITY",
                "ANATOMICAL_SYSTEM",
                "DEVELOPING_ANATOMICAL_STRUCTURE",
            ),
            "CANCER": ("CANCER",),
        },
    ),
    EntityCorpus(
        "bionlp13cg",
        "CC BY-SA 3.0",
        {
            "ANATOMY": (
                "CELL",
                "MULTI_TISSUE_STRUCTURE",
                "TISSUE",
                "ORGAN",
                "CELLULAR_COMPONENT",
                "ORGANISM_SUBSTANCE",
                "PATHOLOGICAL_FORMATION",
                "ORGANISM_SUBDIVISION",
                "IMMATERIAL_ANATOMICAL_ENTITY",
                "ANATOMICAL_SYSTEM",
                "DEVELOPING_ANATOMICAL_STRUCTURE",
            ),
            "CANCER": ("CANCER",),
            "SPECIES": ("ORGANISM",),
        },
    ),
    EntityCorpus("craft", "CC BY 3.0", {"SPECIES": ("TAXON",)}, share=0.1),
)
"""The entity corpora that the shipped weights are trained on."""

OTHER_SOURCES = (
    ("bioscope", "not stated; catalogued as CC BY 2.0"),
    ("evidence_inference", "MIT; articles under their own open licences"),
    ("gold units of this project", "texts under the licences named in gold/*.documents.jsonl"),
    ("pretrain_text (word vectors)", "CC BY, CC BY-SA, CC0 or public domain, by article"),
    ("MeSH 2015 (name list)", "CC0 and BSD 2-clause; MeSH itself free with attribution"),
    ("Disease Ontology (name list)", "CC0 1.0"),
    ("UBERON (name list)", "CC BY 3.0"),
    ("Cell Ontology (name list)", "CC BY"),
    ("NCBI Gene (name list)", "public domain"),
)
"""What else the weights or the name list are made from, with its terms."""

GOLD_FILES = ("authored_pages", "health_pages", "abstracts", "articles")

PERSONS = {
    "patient",
    "person",
    "people",
    "man",
    "men",
    "woman",
    "women",
    "child",
    "children",
    "infant",
    "boy",
    "girl",
    "adult",
    "participant",
    "volunteer",
    "subject",
    "individual",
    "donor",
    "case",
    "male",
    "female",
    "proband",
    "student",
    "adolescent",
    "neonate",
}
"""Words (or their plurals) that only some corpora mark as a species; here they are none."""

_BREAK = re.compile(r"(?<=[.!?])[\"')\]]*\s+(?=[\"'(\[]?[A-Z0-9])|\s*\n+\s*")
_NO_BREAK = re.compile(
    r"(?:\b(?:vs|e\.g|i\.e|al|Fig|Figs|approx|ca|Dr|No|resp|cf|sp|spp|St|viz)|\b[A-Z])\.$"
)


class MissingDataError(FileNotFoundError):
    """A corpus that the recipe needs is not there."""


def read_lines(folder: Path, part: str) -> Iterator[dict[str, Any]]:
    """Yield the records of `folder`'s part ("train", "dev"), plain or compressed."""
    for suffix, opener in ((".jsonl", open), (".jsonl.gz", gzip.open), (".jsonl.xz", lzma.open)):
        path = folder / f"{part}{suffix}"
        if path.exists():
            with opener(path, "rt", encoding="utf-8") as lines:  # type: ignore[operator]
                for line in lines:
                    yield srsly.json_loads(line)
            return
    message = (
        f"no {part}.jsonl, .jsonl.gz or .jsonl.xz in {folder}: "
        "pass --data FOLDER, the folder that holds data/ and gold/"
    )
    raise MissingDataError(message)


def split_sentences(text: str, keep: Sequence[tuple[int, int]] = ()) -> Spans:
    """Return the character bounds of the sentences of `text`; no span of `keep` is cut."""
    bounds, start = [], 0
    for match in _BREAK.finditer(text):
        if _NO_BREAK.search(text[start : match.start()]):
            continue
        if any(a < match.end() and match.start() < b for a, b in keep):
            continue
        bounds.append((start, match.start()))
        start = match.end()
    bounds.append((start, len(text)))
    return [(a, b) for a, b in bounds if text[a:b].strip()]


def read_entities(corpus: EntityCorpus, data: Path, part: str = "train") -> Iterator[Unit]:
    """Yield the sentences of an entity corpus."""
    for record in read_lines(data / "ner" / corpus.folder, part):
        mentions = [(start, end, label) for start, end, label, _ in record["entities"]]
        text = record["text"]
        for a, b in split_sentences(text, [(start, end) for start, end, _ in mentions]):
            unit = Unit(text[a:b])
            for group, labels in corpus.groups.items():
                unit.spans[group] = [
                    (start - a, end - a)
                    for start, end, label in mentions
                    if label in labels
                    and a <= start
                    and end <= b
                    and not (group == "SPECIES" and is_person(text[start:end]))
                ]
            yield unit


def is_person(mention: str) -> bool:
    """Say whether a mention is a bare word for people, such as "patients"."""
    word = mention.lower()
    return word in PERSONS or word.removesuffix("s") in PERSONS


def read_bioscope(data: Path, part: str = "train") -> Iterator[Unit]:
    """Yield the sentences of BioScope with cues and scopes."""
    for record in read_lines(data / "certainty" / "bioscope", part):
        unit = Unit(record["text"])
        for kind in ("speculation", "negation"):
            cues = [cue for cue in record["cues"] if cue["type"] == kind]
            unit.spans[kind.upper()] = [(cue["start"], cue["end"]) for cue in cues]
            unit.scopes[kind] = [(cue["scope"][0], cue["scope"][1]) for cue in cues]
        yield unit


def read_effects(data: Path, part: str = "train") -> Iterator[Unit]:
    """Yield the passages of Evidence Inference whose answers agree, as examples of `effect`."""
    names = {"increased": "increase", "decreased": "decrease", "no_difference": "no_change"}
    found: dict[str, set[str]] = {}
    for record in read_lines(data / "certainty" / "evidence_inference", part):
        found.setdefault(record["text"], set()).add(names[record["label"]])
    for text, effects in found.items():
        if len(effects) == 1 and len(text) < 800:
            yield Unit(text, units={"effect": next(iter(effects))})


def read_gold(gold: Path, name: str, part: str = "train") -> Iterator[Unit]:
    """Yield the units of a gold file with their classes, cues and arguments."""
    path = gold / f"{name}.{part}.jsonl"
    if not path.exists():
        message = f"{path} is missing: pass --data FOLDER, the folder that holds data/ and gold/"
        raise MissingDataError(message)
    for record in srsly.read_jsonl(path):
        unit = Unit(record["text"], units={"kind": record["kind"]})
        if record["kind"] == "claim":
            for head in ("certainty", "polarity", "attribution", "claim_type", "evidence"):
                unit.units[head] = record[head]
            unit.units["direction"] = record["direction"] or "none"
            unit.spans.update(_gold_spans(record))
        yield unit


def _gold_spans(record: Mapping[str, Any]) -> dict[str, Spans]:
    """Return the spans of a claim's cues and arguments, where the text holds them verbatim."""
    text = record["text"]
    spans: dict[str, Spans] = {}
    for group, key in (("HEDGE", "cues"), ("DENIAL", "negations")):
        places: Spans = []
        for cue in record[key]:
            free = [place for place in _occurrences(cue, text) if place not in places]
            places.extend(free[:1])
        spans[group] = places
    for group, key in (
        ("SUBJECT", "subject"),
        ("OUTCOME", "outcome"),
        ("POPULATION", "population"),
        ("SOURCE", "attributed_to"),
    ):
        if not record[key]:
            spans[group] = []
        elif places := _occurrences(record[key], text):
            spans[group] = places[:1]
    return spans


def _occurrences(words: str, text: str) -> Spans:
    pattern = rf"(?<!\w){re.escape(words)}(?!\w)"
    return [match.span() for match in re.finditer(pattern, text, re.IGNORECASE)]


def to_doc(unit: Unit, tokenizer: Tokenizer) -> Doc:
    """Tokenise a unit and attach its `Targets`; spans grow to whole tokens."""
    doc = tokenizer(unit.text)
    spans = {group: _to_tokens(doc, places) for group, places in unit.spans.items()}
    scopes: dict[str, list[int]] = {}
    for kind, places in unit.scopes.items():
        bounds = _to_tokens(doc, places)
        scopes[f"{kind}_first"] = [start for start, _ in bounds]
        scopes[f"{kind}_last"] = [end - 1 for _, end in bounds]
    doc.user_data[TARGETS_KEY] = Targets.build(
        len(doc), spans=spans, scopes=scopes, units=unit.units
    )
    return doc


def _to_tokens(doc: Doc, places: Iterable[tuple[int, int]]) -> Spans:
    found = []
    for start, end in places:
        span = doc.char_span(start, end, alignment_mode="expand")
        if span is not None and len(span):
            found.append((span.start, span.end))
    return found


def read_names(data: Path, tokenizer: Tokenizer) -> NameList:
    """Build the name list from vocabularies whose terms allow it to be passed on.

    MeSH 2015 and the Disease Ontology (CC0), UBERON and the Cell Ontology (CC BY 3.0), NCBI Gene
    (public domain; names with a digit or of several words, since short words are ambiguous).
    """
    return NameList.build(_names(data / "kb", tokenizer))


_MESH_TYPES = {
    "CHEMICAL": "CHEMICAL",
    "DISEASE": "DISEASE",
    "PHENOTYPE": "DISEASE",
    "GENE": "GENE",
    "ANATOMY": "ANATOMY",
    "ORGANISM": "SPECIES",
}


def _names(kb: Path, tokenizer: Tokenizer) -> Iterator[tuple[list[str], str]]:
    sources = (
        ("mesh_2015", _MESH_TYPES),
        ("doid", {"DISEASE": "DISEASE"}),
        ("uberon", {"ANATOMY": "ANATOMY"}),
        ("cl", {"CELL": "ANATOMY"}),
        ("ncbigene_human", {"GENE": "GENE"}),
    )
    for name, types in sources:
        path = kb / f"{name}.jsonl.gz"
        if not path.exists():
            message = f"{path} is missing: pass --data FOLDER, which holds data/ and gold/"
            raise MissingDataError(message)
        with gzip.open(path, "rt", encoding="utf-8") as lines:
            for line in lines:
                record = srsly.json_loads(line)
                named = [types[label] for label in record["types"] if label in types]
                if not named:
                    continue
                for alias in (record["name"], *record["aliases"]):
                    words = [token.text for token in tokenizer(alias) if not token.is_space]
                    if 1 <= len(words) <= 6 and len(alias) > 2 and _usable(alias, named[0]):
                        yield words, named[0]


def _usable(alias: str, name_type: str) -> bool:
    return name_type != "GENE" or " " in alias or any(char.isdigit() for char in alias)
