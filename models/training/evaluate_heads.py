"""Measure every head on the dev parts: `python models/training/evaluate_heads.py --data ../shared`.

Entities: exact-span micro F1, each corpus by its own group (AnatEM: ANATOMY and CANCER as one
type; JNLPBA: PROTEIN only, one type; species corpora: SPECIES). Cues: exact span and type.
Scopes: cue and scope both exact, with predicted and with gold cues. Unit heads: accuracy and macro
F1 over the classes that occur, on the gold dev files together and one by one.
"""

import argparse
import json
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

import prepare
import spacy
from prepare import GOLD_FILES, EntityCorpus, Unit
from spacy.language import Language
from spacy.tokens import Doc

import hedgerow.nlp.annotator
from hedgerow.nlp.annotator import (
    ENTITY_LABELS,
    UNIT_LABELS,
    Annotator,
    UnitAnnotation,
    find_scope,
    resolve,
    words_of,
)

_BY_FOLDER = {corpus.folder: corpus for corpus in prepare.ENTITY_CORPORA}
MEASURED = (
    _BY_FOLDER["bc5cdr"],
    _BY_FOLDER["ncbi_disease"],
    _BY_FOLDER["jnlpba"],
    _BY_FOLDER["anatem"],
    _BY_FOLDER["biored"],
    _BY_FOLDER["drugprot"],
    _BY_FOLDER["nlm_gene"],
    EntityCorpus("bc2gm", "measured only", {"GENE": ("GENE",)}),
    EntityCorpus("linnaeus", "measured only", {"SPECIES": ("SPECIES",)}),
    EntityCorpus("species800", "measured only", {"SPECIES": ("SPECIES",)}),
)
"""Corpora with a dev part that are scored; those that teach nothing are only measured."""

Key = tuple[int, int, int, str]


def annotate(units: Iterable[Unit], nlp: Language) -> Iterator[tuple[Unit, Doc, UnitAnnotation]]:
    """Yield units with their document and the model's annotation, 64 at a time."""
    annotator = nlp.get_pipe("hedgerow_annotator")
    assert isinstance(annotator, Annotator)
    pending = list(units)
    for first in range(0, len(pending), 64):
        part = pending[first : first + 64]
        docs = [nlp.tokenizer(unit.text) for unit in part]
        yield from zip(part, docs, annotator.annotate([words_of(doc) for doc in docs]), strict=True)


def prf(gold: set[Key], found: set[Key]) -> dict[str, float]:
    """Return precision, recall and F1 of two sets."""
    hits = len(gold & found)
    precision, recall = hits / max(1, len(found)), hits / max(1, len(gold))
    f1 = 2 * hits / max(1, len(gold) + len(found))
    return {"p": round(precision, 4), "r": round(recall, 4), "f1": round(f1, 4)}


def score_entities(
    corpus: EntityCorpus, data: Path, nlp: Language, *, limit: int | None = None
) -> dict[str, float]:
    """Return the scores of `corpus`'s groups on its dev part (SPECIES without person words)."""
    gold: set[Key] = set()
    found: set[Key] = set()
    merge = "CANCER" in corpus.groups
    units = list(prepare.read_entities(corpus, data, "dev"))[:limit]
    for i, (unit, doc, annotation) in enumerate(annotate(units, nlp)):
        for group, places in unit.spans.items():
            label = "ANATOMY" if merge and group == "CANCER" else group
            gold.update((i, start, end, label) for start, end in places)
        spans = [span for span in annotation.spans if span.label in corpus.groups]
        if merge:
            spans = resolve(span for span in spans if span.label in ("ANATOMY", "CANCER"))
        elif all(group in ENTITY_LABELS for group in corpus.groups):
            spans = resolve(spans)
        for span in spans:
            part = doc[span.token_start : span.token_end]
            if span.label == "SPECIES" and prepare.is_person(part.text):
                continue
            label = "ANATOMY" if merge else span.label
            found.add((i, part.start_char, part.end_char, label))
    figures = prf(gold, found)
    groups = sorted({key[3] for key in gold})
    if len(groups) > 1:
        for group in groups:
            scores = prf({k for k in gold if k[3] == group}, {k for k in found if k[3] == group})
            figures[f"f1_{group}"] = scores["f1"]
    return figures


def score_bioscope(data: Path, nlp: Language) -> dict[str, float]:
    """Return cue F1, sentence F1 and scope F1 on BioScope's dev part."""
    cues: dict[str, tuple[set[Key], set[Key]]] = {}
    resolved = Counter[str]()
    records = list(prepare.read_lines(data / "certainty" / "bioscope", "dev"))
    units = list(prepare.read_bioscope(data, "dev"))
    figures: dict[str, float] = {}
    sentences = Counter[str]()
    scope_keys: tuple[set[tuple[int, ...]], set[tuple[int, ...]]] = (set(), set())
    for i, ((unit, doc, annotation), record) in enumerate(
        zip(annotate(units, nlp), records, strict=True)
    ):
        for number, kind in enumerate(("speculation", "negation")):
            gold, found = cues.setdefault(kind, (set(), set()))
            label = kind.upper()
            gold.update((i, start, end, kind) for start, end in unit.spans[label])
            first, last = annotation.scopes[f"{kind}_first"], annotation.scopes[f"{kind}_last"]
            spans = [span for span in annotation.spans if span.label == label]
            sentences[f"{kind} hit"] += bool(spans) and bool(unit.spans[label])
            sentences[f"{kind} gold"] += bool(unit.spans[label])
            sentences[f"{kind} found"] += bool(spans)
            for span in spans:
                part = doc[span.token_start : span.token_end]
                found.add((i, part.start_char, part.end_char, kind))
                start, end = find_scope(first, last, span.token_start, span.token_end)
                scope = doc[start:end]
                scope_keys[1].add(
                    (i, number, part.start_char, part.end_char, scope.start_char, scope.end_char)
                )
            for cue in record["cues"]:
                if cue["type"] != kind:
                    continue
                scope_keys[0].add((i, number, cue["start"], cue["end"], *cue["scope"]))
                tokens = doc.char_span(cue["start"], cue["end"], alignment_mode="expand")
                start, end = find_scope(first, last, tokens.start, tokens.end)
                scope = doc[start:end]
                resolved[f"{kind} all"] += 1
                resolved[f"{kind} right"] += [scope.start_char, scope.end_char] == cue["scope"]
                resolved[f"{kind} left"] += scope.start_char == cue["scope"][0]
                resolved[f"{kind} last"] += scope.end_char == cue["scope"][1]
    every_gold: set[Key] = set()
    every_found: set[Key] = set()
    for kind, (gold, found) in cues.items():
        every_gold |= gold
        every_found |= found
        figures[f"cue_f1_{kind}"] = prf(gold, found)["f1"]
        total = sentences[f"{kind} gold"] + sentences[f"{kind} found"]
        figures[f"sentence_f1_{kind}"] = round(2 * sentences[f"{kind} hit"] / max(1, total), 4)
        n = max(1, resolved[f"{kind} all"])
        for key in ("right", "left", "last"):
            figures[f"scope_gold_cue_{key}_{kind}"] = round(resolved[f"{kind} {key}"] / n, 4)
    figures["cue_f1"] = prf(every_gold, every_found)["f1"]
    gold_keys, found_keys = scope_keys
    for kind, number in (("speculation", 0), ("negation", 1)):
        a = {key for key in gold_keys if key[1] == number}
        b = {key for key in found_keys if key[1] == number}
        figures[f"scope_f1_{kind}"] = round(2 * len(a & b) / max(1, len(a) + len(b)), 4)
    figures["scope_f1"] = round(
        2 * len(gold_keys & found_keys) / max(1, len(gold_keys) + len(found_keys)), 4
    )
    return figures


def score_units(units: Iterable[Unit], nlp: Language) -> dict[str, float]:
    """Return accuracy and macro F1 of each unit head, and exact-span F1 of the gold tag groups."""
    pairs: dict[str, list[tuple[str, str]]] = {}
    spans: dict[str, tuple[set[Key], set[Key]]] = {}
    for i, (unit, doc, annotation) in enumerate(annotate(units, nlp)):
        for head, gold in unit.units.items():
            best = int(annotation.units[head].argmax())
            pairs.setdefault(head, []).append((gold, UNIT_LABELS[head][best]))
        for group, places in unit.spans.items():
            gold_keys, found_keys = spans.setdefault(group, (set(), set()))
            gold_keys.update((i, start, end, group) for start, end in places)
            for span in annotation.spans:
                if span.label == group:
                    part = doc[span.token_start : span.token_end]
                    found_keys.add((i, part.start_char, part.end_char, group))
    figures: dict[str, float] = {}
    for head, answers in pairs.items():
        figures[f"{head}_accuracy"] = round(sum(a == b for a, b in answers) / len(answers), 4)
        figures[f"{head}_macro_f1"] = macro_f1(answers)
    if "kind" in pairs:
        claims = [(str(a == "claim"), str(b == "claim")) for a, b in pairs["kind"]]
        figures["kind_claim_f1"] = class_f1(claims, "True")
    for group, (gold_keys, found_keys) in spans.items():
        figures[f"{group}_f1"] = prf(gold_keys, found_keys)["f1"]
    return figures


def class_f1(answers: list[tuple[str, str]], label: str) -> float:
    """Return the F1 of one class from (gold, found) pairs."""
    hits = sum(a == b == label for a, b in answers)
    total = sum(a == label for a, _ in answers) + sum(b == label for _, b in answers)
    return round(2 * hits / max(1, total), 4)


def macro_f1(answers: list[tuple[str, str]]) -> float:
    """Return the mean F1 over the classes that occur in gold or answers."""
    labels = sorted({label for pair in answers for label in pair})
    return round(sum(class_f1(answers, label) for label in labels) / len(labels), 4)


def quick_figures(shared: Path, nlp: Language) -> dict[str, float]:
    """Return the few figures that training prints."""
    data, gold = shared / "data", shared / "gold"
    figures = {
        folder: score_entities(_BY_FOLDER[folder], data, nlp, limit=1000)["f1"]
        for folder in ("bc5cdr", "ncbi_disease", "anatem", "jnlpba")
    }
    bioscope = score_bioscope(data, nlp)
    figures |= {key: bioscope[key] for key in ("cue_f1", "scope_f1")}
    units = [unit for name in GOLD_FILES for unit in prepare.read_gold(gold, name, "dev")]
    scores = score_units(units, nlp)
    keys = ("kind_accuracy", "certainty_macro_f1", "polarity_accuracy", "attribution_macro_f1")
    extra = ("claim_type_accuracy", "direction_accuracy", "HEDGE_f1", "DENIAL_f1")
    return figures | {key: scores[key] for key in (*keys, *extra)}


def all_figures(shared: Path, nlp: Language) -> dict[str, dict[str, float]]:
    """Return every figure, by corpus or gold file."""
    data, gold = shared / "data", shared / "gold"
    figures = {corpus.folder: score_entities(corpus, data, nlp) for corpus in MEASURED}
    figures["bioscope"] = score_bioscope(data, nlp)
    figures["evidence_inference"] = score_units(prepare.read_effects(data, "dev"), nlp)
    files = (*GOLD_FILES, "seed_pages")
    for name in files:
        figures[name] = score_units(prepare.read_gold(gold, name, "dev"), nlp)
    together = [unit for name in GOLD_FILES for unit in prepare.read_gold(gold, name, "dev")]
    figures["four gold files"] = score_units(together, nlp)
    return figures


def main() -> int:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder with data/ and gold/")
    parser.add_argument("--model", type=Path, default=Path("models/hedgerow_en"))
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    args = parser.parse_args()
    assert hedgerow.nlp.annotator.make_annotator  # registers the component
    try:
        figures = all_figures(args.data, spacy.load(args.model))
    except prepare.MissingDataError as error:
        print(error, file=sys.stderr)
        return 1
    if args.json:
        print(json.dumps(figures, indent=2))
        return 0
    for name, scores in figures.items():
        print(f"{name}")
        for key, value in scores.items():
            print(f"  {key:32} {value:.4f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
