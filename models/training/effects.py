"""Train the weights that say what happens to an outcome (`nlp/effects.py`).

    python models/training/effects.py ../shared/data/certainty/evidence_inference \\
        pipeline/hedgerow/nlp/data

Reads Evidence Inference 2.0 (MIT), writes `effect_weights.json`, and prints accuracy and macro-F1
on its dev part: outcome, intervention and comparator are given, the rest is read from the text.
"""

from __future__ import annotations

import argparse
import gzip
import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from scipy.sparse import csr_matrix
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import classification_report

from hedgerow.nlp.effects import effect_features
from hedgerow.tables import EFFECTS

LABELS = {"increased": "increase", "decreased": "decrease", "no_difference": "no_change"}
MIN_COUNT = 5
SMALLEST = 0.02


def place_of(outcome: str, text: str) -> tuple[int, int] | None:
    """Return where the text names the outcome: the span with most of its words, else None."""
    at = text.lower().find(outcome.lower())
    if outcome and at >= 0:
        return at, at + len(outcome)
    wanted = {w[:5] for w in re.findall(r"[a-z0-9]{2,}", outcome.lower())} - _STOP
    words = [
        (m.start(), m.end(), m.group().lower()[:5]) for m in re.finditer(r"[A-Za-z0-9]{2,}", text)
    ]
    best: tuple[int, int, int, int] | None = None
    for i, (start, _, word) in enumerate(words):
        if word not in wanted:
            continue
        seen: set[str] = set()
        for j in range(i, min(i + len(wanted) + 3, len(words))):
            if words[j][2] in wanted:
                seen.add(words[j][2])
                key = (len(seen), i - j, start, words[j][1])
                if best is None or key[:2] > best[:2]:
                    best = key
    return (best[2], best[3]) if best else None


def without(name: str, other: str) -> str:
    """Return a name without the words that it shares with the other arm's name."""
    shared = {w.lower() for w in re.findall(r"\w+", other)}
    return " ".join(w for w in re.findall(r"[\w-]+", name) if w.lower() not in shared)


_STOP = {
    "of",
    "the",
    "in",
    "and",
    "to",
    "for",
    "at",
    "from",
    "with",
    "score",
    "rate",
    "level",
    "mean",
    "after",
}


def read(path: Path) -> Iterator[tuple[list[str], str]]:
    """Yield the features and the effect of each record."""
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "rt", encoding="utf-8") as lines:
        for line in lines:
            record: Mapping[str, Any] = json.loads(line)
            text = record["text"]
            subject, comparator = record["intervention"], record["comparator"]
            places = (
                place_of(record["outcome"], text),
                place_of(without(subject, comparator), text),
                place_of(without(comparator, subject), text),
            )
            yield effect_features(text, *places), LABELS[record["label"]]


def main() -> None:
    """Train, write and report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--penalty", type=float, default=0.1)
    arguments = parser.parse_args()
    train = list(read(arguments.data / "train.jsonl.gz"))
    dev = list(read(arguments.data / "dev.jsonl"))
    counts = Counter(f for row, _ in train for f in row)
    names = sorted(f for f, n in counts.items() if n >= MIN_COUNT)
    index = {f: i for i, f in enumerate(names)}

    def matrix(rows: list[tuple[list[str], str]]) -> csr_matrix:
        columns = [[index[f] for f in row if f in index] for row, _ in rows]
        pointers = [0]
        for c in columns:
            pointers.append(pointers[-1] + len(c))
        flat = [i for c in columns for i in c]
        return csr_matrix(([1.0] * len(flat), flat, pointers), (len(rows), len(names)))

    model = LogisticRegression(C=arguments.penalty, max_iter=2000, class_weight="balanced")
    model.fit(matrix(train), [y for _, y in train])
    print(classification_report([y for _, y in dev], model.predict(matrix(dev)), digits=3))
    weights = {e: dict[str, float]() for e in EFFECTS}
    for label, row in zip(model.classes_, model.coef_, strict=True):
        weights[label] = {
            f: round(float(w), 3) for f, w in zip(names, row, strict=True) if abs(w) >= SMALLEST
        }
    for label, bias in zip(model.classes_, model.intercept_, strict=True):
        weights[label]["bias"] = round(weights[label].get("bias", 0.0) + float(bias), 3)
    text = json.dumps(weights, ensure_ascii=False, sort_keys=True, indent=0)
    (arguments.out / "effect_weights.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
