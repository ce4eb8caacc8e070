"""cues: what hedges, denies, conditions, reports or strengthens, and how far it reaches."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from hedgerow import tables
from hedgerow.ids import make_id
from hedgerow.stages.base import Stage, Tables
from hedgerow.stages.grouping import SentenceRow, sentence_rows

if TYPE_CHECKING:
    from hedgerow.nlp.lexicon import CueLexicon
    from hedgerow.resources import Resources

MODEL_THRESHOLD = 0.9
"""Probability from which a word that the lexicon lacks is a cue."""

REFUSED = 0.1
"""Probability below which the model's no outweighs an entry of the lexicon."""

_DIGITS = 4
_HEADS = {"speculation": "hedge", "negation": "denial"}
"""The model's scores that decide about the cues of a category."""

_WITHOUT_LEVEL = {**_HEADS, "speculation": "speculation"}
"""Those that decide where a cue leads to no level of certainty: "or" hedges as BioScope sees it."""

_UNKNOWN_LEVELS = {"speculation": "possible", "negation": "none"}
_SCORES = (
    *_HEADS.values(),
    "speculation",
    *(f"{category}_{border}" for category in _HEADS for border in ("first", "last")),
)

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class _Cue:
    """A cue in a sentence: sentence[start:end], and what it governs, in code points."""

    start: int
    end: int
    lemma: str
    category: str
    level: str
    score: float
    source: str
    scope: tuple[int, int]


def _run(inputs: Tables, resources: Resources) -> dict[str, pa.Table]:
    """Decide every phrase of the lexicon, add what only the model finds, and give each a scope.

    For hedges and negations the lexicon proposes and the model's probability disposes: an entry's
    `threshold` must be reached. Sentences without scores have the cues that need none.
    """
    from hedgerow.nlp.lexicon import load_cues

    lexicon = load_cues()
    scores = _Scores(inputs["annotations"])
    cues = [
        _row(sentence, cue)
        for sentence in sentence_rows(inputs["sentences"], inputs["tokens"])
        for cue in find_cues(sentence, scores.of(sentence.sentence_id), lexicon)
    ]
    return {"cues": tables.conform("cues", tables.from_rows("cues", cues))}


class _Scores:
    """The per-token scores of the annotations, by sentence."""

    def __init__(self, annotations: pa.Table) -> None:
        ids = annotations.column("sentence_id").to_pylist()
        self._rows = {sentence_id: i for i, sentence_id in enumerate(ids)}
        self._columns: dict[str, tuple[npt.NDArray[np.int32], Floats]] = {}
        for name in _SCORES:
            lists = pa.concat_arrays(annotations.column(name).chunks or [_NO_LISTS])
            self._columns[name] = lists.offsets.to_numpy(), lists.values.to_numpy()

    def of(self, sentence_id: str) -> dict[str, Floats]:
        """Return each kind of score of a sentence's tokens; no arrays where there are none."""
        row = self._rows.get(sentence_id)
        if row is None:
            return {}
        scores = {}
        for name, (offsets, values) in self._columns.items():
            scores[name] = values[offsets[row] : offsets[row + 1]]
        return scores if len(scores[_SCORES[0]]) else {}


_NO_LISTS = pa.array([], pa.list_(pa.float32()))


def find_cues(
    sentence: SentenceRow, scores: Mapping[str, Floats], lexicon: CueLexicon
) -> Iterator[_Cue]:
    """Yield the cues of a sentence: those of the lexicon, then those that only the model finds.

    scores: per-token scores by column of `annotations`; empty where there is no model's word.
    """
    starts = [start for start, _ in sentence.spans]
    ends = [end for _, end in sentence.spans]
    taken: set[int] = set()
    for found in lexicon.find(sentence.text):
        category = found.cue.category
        first, last = bisect_right(ends, found.start), bisect_left(starts, found.end)
        heads = _WITHOUT_LEVEL if found.cue.level == "none" else _HEADS
        head = scores.get(heads.get(category, ""))
        score = 1.0
        if category in _HEADS:
            if head is not None:
                score = float(head[first:last].max(initial=0.0))
                if score < (found.cue.threshold or REFUSED):
                    continue
            elif found.cue.threshold:
                continue
            taken.update(range(first, last))
        yield _Cue(
            found.start,
            found.end,
            found.cue.id,
            category,
            found.cue.level,
            round(score, _DIGITS),
            found.cue.id,
            _scope(sentence, scores, category, (first, last), found.start, found.end, lexicon),
        )
    if scores:
        for category in _HEADS:
            yield from _unknown(sentence, scores, category, taken, lexicon)


def _unknown(
    sentence: SentenceRow,
    scores: Mapping[str, Floats],
    category: str,
    taken: Set[int],
    lexicon: CueLexicon,
) -> Iterator[_Cue]:
    """Yield runs of tokens that the model takes for a cue and that the lexicon lacks.

    Where the lexicon has the phrase, its conditions have said what it is here; what lies inside
    one of its hedges or negations ("not" in "not known") is part of that.

    taken: the tokens of those.
    """
    head = scores[_HEADS[category]]
    if head.max() < MODEL_THRESHOLD:
        return
    for first, last in _runs(head >= MODEL_THRESHOLD):
        start, end = sentence.spans[first][0], sentence.spans[last - 1][1]
        if not taken.isdisjoint(range(first, last)) or lexicon.has(sentence.text[start:end]):
            continue
        yield _Cue(
            start,
            end,
            " ".join(sentence.text[start:end].lower().split()),
            category,
            _UNKNOWN_LEVELS[category],
            round(float(head[first:last].min()), _DIGITS),
            "model",
            _scope(sentence, scores, category, (first, last), start, end, lexicon),
        )


def _runs(inside: npt.NDArray[np.bool_]) -> Iterator[tuple[int, int]]:
    """Yield [start, end) of each run of true values."""
    steps = np.diff(np.concatenate(([0], inside.astype(np.int8), [0])))
    yield from zip(
        np.flatnonzero(steps == 1).tolist(), np.flatnonzero(steps == -1).tolist(), strict=True
    )


def _scope(
    sentence: SentenceRow,
    scores: Mapping[str, Floats],
    category: str,
    tokens: tuple[int, int],
    start: int,
    end: int,
    lexicon: CueLexicon,
) -> tuple[int, int]:
    """Return what a cue governs: by the model's borders, else to the end of its clause.

    A negation does not reach past "but" or ", suggesting", though the model may think so.
    """
    if category in _HEADS and scores and tokens[0] < tokens[1]:
        from hedgerow.nlp.annotator import find_scope

        first, last = find_scope(scores[f"{category}_first"], scores[f"{category}_last"], *tokens)
        reach = sentence.spans[last - 1][1]
        if category == "negation":
            reach = min(reach, lexicon.negation_end(sentence.text, end))
        return min(start, sentence.spans[first][0]), max(end, reach)
    return start, max(end, lexicon.clause_end(sentence.text, end))


def _row(sentence: SentenceRow, cue: _Cue) -> dict[str, Any]:
    return {
        "cue_id": make_id(sentence.sentence_id, cue.start, cue.end, cue.category),
        "doc_id": sentence.doc_id,
        "sentence_id": sentence.sentence_id,
        "start": sentence.start + cue.start,
        "end": sentence.start + cue.end,
        "text": sentence.text[cue.start : cue.end],
        "lemma": cue.lemma,
        "category": cue.category,
        "level": cue.level,
        "scope_start": sentence.start + cue.scope[0],
        "scope_end": sentence.start + cue.scope[1],
        "score": cue.score,
        "source": cue.source,
    }


STAGE = Stage(
    name="cues",
    version=2,
    inputs=("sentences", "tokens", "annotations"),
    outputs=("cues",),
    uses=("model", "lexicon", "dependencies"),
    run=_run,
)
