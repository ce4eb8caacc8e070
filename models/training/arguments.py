"""Train the weights that pick a claim's subject, outcome and party (`nlp/ranking.py`).

    python models/training/arguments.py ../shared/gold models/hedgerow_en pipeline/hedgerow/nlp/data

Reads the gold units of the folder (`*.train.jsonl`, `*.documents.jsonl`), writes
`argument_weights.json`, and prints how often the head is right on `*.dev.jsonl`.
A conditional logit with an L2 penalty, minimised by L-BFGS: the same input gives the same file.
"""

from __future__ import annotations

import argparse
import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy.optimize import minimize
from scipy.sparse import csr_matrix

from hedgerow.nlp import load_language, ranking
from hedgerow.nlp.annotator import ENTITY_LABELS, words_of
from hedgerow.nlp.phrases import PREPOSITIONS, stem

GOLD_KEYS = {"subject": "subject", "outcome": "outcome", "party": "attributed_to"}
MIN_COUNT = 3
PENALTY = 1.0
SMALLEST = 0.02


def head(text: str) -> str:
    """Return the head word of a phrase as annotated: the last word before a preposition."""
    kept: list[str] = []
    for word in re.findall(r"[^\W_]+(?:[-'’/.‐+&@][^\W_]+)*", text):
        if kept and (word.lower() in PREPOSITIONS or word.lower() in ("and", "or")):
            break
        kept.append(word)
    return stem(kept[-1]) if kept else ""


def read_units(folder: Path, part: str) -> Iterator[list[dict[str, Any]]]:
    """Yield the units of each document, in order."""
    for path in sorted(folder.glob(f"*.{part}.jsonl")):
        documents: dict[str, list[dict[str, Any]]] = defaultdict(list)
        for line in path.open(encoding="utf-8"):
            unit = json.loads(line)
            documents[unit["doc"]].append({**unit, "file": path.name.split(".")[0]})
        yield from documents.values()


def add_entities(documents: Sequence[list[dict[str, Any]]], model: Path) -> None:
    """Add to every unit the entities that the model finds: start, end and label."""
    nlp = load_language(model)
    annotator = nlp.get_pipe("hedgerow_annotator")
    for units in documents:
        docs = [nlp.make_doc(u["text"]) for u in units]
        for unit, doc, found in zip(
            units, docs, annotator.annotate([words_of(doc) for doc in docs]), strict=True
        ):
            unit["entities"] = [
                (
                    doc[s.token_start].idx,
                    doc[s.token_end - 1].idx + len(doc[s.token_end - 1]),
                    s.label,
                )
                for s in found.spans
                if s.label in ENTITY_LABELS
            ]


def lead_in_of(units: Sequence[Mapping[str, Any]], index: int) -> Mapping[str, Any] | None:
    """Return the unit that leads a list item in, as the reader would find it."""
    if not is_item(units[index]):
        return None
    for before in reversed(units[:index]):
        if not is_item(before):
            return before
    return None


def is_item(unit: Mapping[str, Any]) -> bool:
    """Whether a unit is a list item; where the file does not say, by its bullet."""
    block = unit.get("block")
    return block == "list_item" if block else bool(re.match(r"\s*[-•*–◦✔+]\s", unit["text"]))


@dataclass
class Example:
    """A claim, or for the role "topic" a document, with its candidates and the right head."""

    unit: Mapping[str, Any]
    candidates: list[tuple[str, Sequence[str]]]
    labels: Sequence[str]
    gold: dict[str, str]


def prepare(
    units: Sequence[Mapping[str, Any]], frequency: Mapping[str, int]
) -> tuple[list[ranking.Unit], ranking.Profile]:
    """Take a document's units apart."""
    taken = [
        ranking.make_unit(
            u.get("start", 0),
            u["text"],
            u.get("block") or ("list_item" if is_item(u) else "paragraph"),
            u["entities"],
        )
        for u in units
    ]
    title = units[0]["text"] if len(units[0]["text"]) < 120 else None
    return taken, ranking.gather(taken, title, frequency)


def topic_example(
    units: Sequence[Mapping[str, Any]], frequency: Mapping[str, int]
) -> Example | None:
    """Return the document as an example of its main subject: the commonest one of its claims."""
    taken, profile = prepare(units, frequency)
    subjects = [head(u["subject"]) for u in units if u["kind"] == "claim" and u["subject"]]
    subjects = [profile.alias.get(s, s) for s in subjects]
    if not subjects:
        return None
    counts = Counter(subjects)
    gold = min(counts, key=lambda s: (-counts[s], s))
    candidates = [(k, ranking.topic_features(k, profile, taken)) for k in profile.mention]
    return Example(units[0], candidates, (), {"topic": gold})


def examples(
    units: Sequence[Mapping[str, Any]],
    frequency: Mapping[str, int],
    topic: Mapping[str, float],
    subject: Mapping[str, float] | None,
) -> Iterator[Example]:
    """Yield the claims of a document; the subject's weights, if any, carry subjects onwards."""
    taken, gathered = prepare(units, frequency)
    profile = ranking.with_main(gathered, taken, topic)
    by_id = {id(u): t for u, t in zip(units, taken, strict=True)}
    carried: str | None = None
    for i, unit in enumerate(units):
        if unit["kind"] != "claim":
            continue
        lead = lead_in_of(units, i)
        labels = (unit["claim_type"], unit["attribution"])
        candidates = ranking.find_candidates(
            taken[i],
            profile,
            lead_in=by_id[id(lead)] if lead is not None else None,
            previous=taken[i - 1] if i else None,
            section=ranking.section_unit(unit.get("section") or None),
            labels=labels,
            carried=carried,
        )
        gold = {r: head(unit[name] or "") for r, name in GOLD_KEYS.items()}
        yield Example(
            unit,
            [(c.key, c.features) for c in candidates],
            labels,
            {r: profile.alias.get(g, g) for r, g in gold.items()},
        )
        if subject is not None and candidates:
            carried = best(subject, [(c.key, c.features) for c in candidates])


def best(weights: Mapping[str, float], candidates: Sequence[tuple[str, Sequence[str]]]) -> str:
    """Return the head that the weights put first."""
    scored = [
        (sum(weights.get(f, 0.0) for f in features), -i, key)
        for i, (key, features) in enumerate(candidates)
    ]
    return max(scored)[2] if scored else ""


def relevant(
    role: str, data: Sequence[Example]
) -> Iterator[tuple[Example, list[tuple[str, Sequence[str]]]]]:
    """Yield the examples that a role is trained and measured on, with nobody as a candidate."""
    for example in data:
        if role == "party":
            if example.unit["attribution"] != "author":
                nobody = ("", ranking.none_features(example.labels))
                yield example, [*example.candidates, nobody]
        elif example.gold[role]:
            yield example, example.candidates


def train(role: str, data: Sequence[Example], penalty: float = PENALTY) -> dict[str, float]:
    """Return the weights of a role's features."""
    rows: list[Sequence[str]] = []
    groups: list[int] = []
    right: list[bool] = []
    number = reachable = 0
    for example, candidates in relevant(role, data):
        number += 1
        marks = [key == example.gold[role] for key, _ in candidates]
        if not any(marks):
            continue
        rows += [features for _, features in candidates]
        groups += [reachable] * len(candidates)
        right += marks
        reachable += 1
    counts = Counter(f for row in rows for f in row)
    names = sorted(f for f, n in counts.items() if n >= MIN_COUNT)
    index = {f: i for i, f in enumerate(names)}
    columns = [index[f] for row in rows for f in row if f in index]
    pointers = np.cumsum([0, *(sum(f in index for f in row) for row in rows)])
    matrix = csr_matrix((np.ones(len(columns)), columns, pointers), (len(rows), len(names)))
    group, mark = np.array(groups), np.array(right, float)
    transposed = matrix.T.tocsr()

    def loss(weights: np.ndarray) -> tuple[float, np.ndarray]:
        scores = matrix @ weights
        top = np.full(reachable, -np.inf)
        np.maximum.at(top, group, scores)
        powers = np.exp(scores - top[group])
        everything = np.bincount(group, powers, reachable)
        wanted = np.bincount(group, powers * mark, reachable)
        value = float(np.sum(np.log(everything) - np.log(np.maximum(wanted, 1e-300))))
        slope = transposed @ (powers / everything[group] - powers * mark / wanted[group])
        return value + penalty / 2 * float(weights @ weights), slope + penalty * weights

    result = minimize(
        loss, np.zeros(len(names)), jac=True, method="L-BFGS-B", options={"maxiter": 150}
    )
    print(f"{role}: {number} claims, {reachable} reachable, {len(names)} features")
    return {
        f: round(float(w), 3) for f, w in zip(names, result.x, strict=True) if abs(w) >= SMALLEST
    }


def report(role: str, weights: Mapping[str, float], data: Sequence[Example]) -> None:
    """Print how often the head is right, by file."""
    right, total = Counter[str](), Counter[str]()
    for example, candidates in relevant(role, data):
        found = best(weights, candidates)
        for name in (example.unit["file"], "all"):
            total[name] += 1
            right[name] += found == example.gold[role]
    print(role, {n: f"{right[n] / total[n]:.3f} of {total[n]}" for n in sorted(total)})


def frequency_of(documents: Sequence[Sequence[Mapping[str, Any]]]) -> dict[str, int]:
    """Return in how many documents a head occurs, where in more than two."""
    counts: Counter[str] = Counter()
    for units in documents:
        counts.update({c.key for u in units for c in ranking.make_unit(0, u["text"], "").chunks})
    return {key: n for key, n in sorted(counts.items()) if n >= MIN_COUNT}


def fit(documents: Sequence[Sequence[Mapping[str, Any]]]) -> dict[str, Any]:
    """Train all roles. Subjects are carried onwards as models of other documents chose them."""
    frequency = frequency_of(documents)
    topics = [e for d in documents if (e := topic_example(d, frequency)) is not None]
    topic = train(ranking.TOPIC, topics, 5.0)
    plain = [list(examples(d, frequency, topic, None)) for d in documents]
    carried: list[Example] = []
    for half in (0, 1):
        other = train("subject", [e for d in plain[1 - half :: 2] for e in d])
        carried += [e for d in documents[half::2] for e in examples(d, frequency, topic, other)]
    weights = {role: train(role, carried) for role in ranking.CLAIM_ROLES}
    return {"frequency": frequency, "weights": {ranking.TOPIC: topic, **weights}}


def measure(model: Mapping[str, Any], documents: Sequence[Sequence[Mapping[str, Any]]]) -> None:
    """Print how often each role's head is right on documents."""
    frequency, weights = model["frequency"], model["weights"]
    topics = [e for d in documents if (e := topic_example(d, frequency)) is not None]
    report(ranking.TOPIC, weights[ranking.TOPIC], topics)
    data = [
        e
        for d in documents
        for e in examples(d, frequency, weights[ranking.TOPIC], weights["subject"])
    ]
    for role in ranking.CLAIM_ROLES:
        report(role, weights[role], data)


def main() -> None:
    """Train all roles and write their weights."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("gold", type=Path)
    parser.add_argument("model", type=Path)
    parser.add_argument("out", type=Path)
    arguments = parser.parse_args()
    documents = list(read_units(arguments.gold, "train"))
    dev = list(read_units(arguments.gold, "dev"))
    add_entities([*documents, *dev], arguments.model)
    model = fit(documents)
    measure(model, dev)
    text = json.dumps(model, ensure_ascii=False, sort_keys=True, indent=0)
    (arguments.out / "argument_weights.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
