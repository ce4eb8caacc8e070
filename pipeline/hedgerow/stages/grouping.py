"""Reading tables sentence by sentence, shared by the stages that do."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from hedgerow import tables


@dataclass(frozen=True)
class SentenceRow:
    """A sentence and its tokens.

    start: where the sentence begins in the document; spans: (start, end) of each token, counted
    from there.
    """

    sentence_id: str
    doc_id: str
    start: int
    text: str
    spans: list[tuple[int, int]]


def sentence_rows(sentences: pa.Table, tokens: pa.Table) -> Iterator[SentenceRow]:
    """Yield the sentences in the order of their table's contract, each with its tokens."""
    sentences = tables.conform("sentences", sentences)
    tokens = tables.conform("tokens", tokens)
    bounds = _bounds(tokens)
    token_starts = tokens.column("start").to_pylist()
    token_ends = tokens.column("end").to_pylist()
    for sentence_id, doc_id, start, text in zip(
        sentences.column("sentence_id").to_pylist(),
        sentences.column("doc_id").to_pylist(),
        sentences.column("start").to_pylist(),
        sentences.column("text").to_pylist(),
        strict=True,
    ):
        first, last = bounds.get(sentence_id, (0, 0))
        spans = [
            (token_start - start, token_end - start)
            for token_start, token_end in zip(
                token_starts[first:last], token_ends[first:last], strict=True
            )
        ]
        yield SentenceRow(sentence_id, doc_id, start, text, spans)


def _bounds(tokens: pa.Table) -> dict[str, tuple[int, int]]:
    """Return the rows [first, last) of each sentence's tokens; they stand together."""
    if not tokens.num_rows:
        return {}
    ids = tokens.column("sentence_id").combine_chunks()
    changes = pc.indices_nonzero(pc.not_equal(ids[1:], ids[:-1])).to_pylist()
    firsts = [0, *(change + 1 for change in changes)]
    lasts = [*firsts[1:], len(ids)]
    names = ids.take(pa.array(firsts, pa.int64())).to_pylist()
    return dict(zip(names, zip(firsts, lasts, strict=True), strict=True))
