"""sentences: sentence bounds inside blocks, and tokens."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from hedgerow import tables
from hedgerow.ids import occurrence_ids
from hedgerow.nlp.segmenter import bounds
from hedgerow.stages.base import Stage, Tables

if TYPE_CHECKING:
    from spacy.language import Language
    from spacy.tokens import Doc

    from hedgerow.resources import Resources

_MAX_KNOWN_WORDS = 100_000
_WORD = re.compile(r"\S{1,200}")
"""A longer run is cut: the tokenizer takes time with the square of a word's length."""


def _run(inputs: Tables, resources: Resources) -> dict[str, pa.Table]:
    """Cut the blocks into sentences, and the sentences into tokens.

    lead_in_id is the last sentence of the block's parent: what leads in stands at its end.
    """
    documents = inputs["documents"]
    texts = dict(
        zip(
            documents.column("doc_id").to_pylist(),
            documents.column("text").to_pylist(),
            strict=True,
        )
    )
    blocks: dict[str, list[dict[str, Any]]] = {doc_id: [] for doc_id in texts}
    for block in tables.conform("blocks", inputs["blocks"]).to_pylist():
        blocks[block["doc_id"]].append(block)
    sentences: dict[str, list[Any]] = {c.name: [] for c in tables.SENTENCES.columns}
    for doc_id in sorted(texts):
        _add_sentences(sentences, doc_id, texts[doc_id], blocks[doc_id])
    return {
        "sentences": tables.conform("sentences", tables.from_columns("sentences", sentences)),
        "tokens": _tokens(sentences, resources),
    }


def _add_sentences(
    columns: dict[str, list[Any]], doc_id: str, text: str, blocks: list[dict[str, Any]]
) -> None:
    """Append the sentences of one document to the columns."""
    spans = [
        (block, block["start"] + start, block["start"] + end)
        for block in blocks
        for start, end in bounds(text[block["start"] : block["end"]], block["block"])
    ]
    quotes = [text[start:end] for _, start, end in spans]
    ids = list(occurrence_ids(doc_id, quotes))
    last_of_block = {
        block["block_id"]: sentence_id
        for (block, _, _), sentence_id in zip(spans, ids, strict=True)
    }
    columns["sentence_id"] += ids
    columns["doc_id"] += [doc_id] * len(ids)
    columns["block_id"] += [block["block_id"] for block, _, _ in spans]
    columns["index"] += range(len(ids))
    columns["start"] += [start for _, start, _ in spans]
    columns["end"] += [end for _, _, end in spans]
    columns["text"] += quotes
    columns["block"] += [block["block"] for block, _, _ in spans]
    columns["section"] += [block["section"] for block, _, _ in spans]
    columns["lead_in_id"] += [last_of_block.get(block["parent_id"]) for block, _, _ in spans]


def _tokens(sentences: dict[str, list[Any]], resources: Resources) -> pa.Table:
    """Return the tokens of all sentences, without the blanks between them.

    The tokenizer never looks past a blank, so each distinct word is tokenized once.
    """
    nlp = resources.language
    pieces = _known_words(nlp)
    if len(pieces) > _MAX_KNOWN_WORDS:
        pieces.clear()
    starts: list[int] = []
    ends: list[int] = []
    counts: list[int] = []
    with nlp.memory_zone():
        for offset, text in zip(sentences["start"], sentences["text"], strict=True):
            before = len(starts)
            for match in _WORD.finditer(text):
                word = match.group()
                found = pieces.get(word)
                if found is None:
                    found = pieces[word] = _pieces(nlp.tokenizer(word))
                position = offset + match.start()
                for start, end in found:
                    starts.append(position + start)
                    ends.append(position + end)
            counts.append(len(starts) - before)
    rows = pa.array(np.repeat(np.arange(len(counts), dtype=np.int32), counts))
    index = [number for count in counts for number in range(count)]
    columns = {
        "doc_id": pa.array(sentences["doc_id"], pa.string()).take(rows),
        "sentence_id": pa.array(sentences["sentence_id"], pa.string()).take(rows),
        "index": index,
        "start": starts,
        "end": ends,
    }
    return tables.conform("tokens", tables.from_columns("tokens", columns))


@lru_cache(maxsize=1)
def _known_words(nlp: Language) -> dict[str, tuple[tuple[int, int], ...]]:
    """Return the words that this pipeline has tokenized, with the bounds of their tokens."""
    return {}


def _pieces(doc: Doc) -> tuple[tuple[int, int], ...]:
    return tuple((token.idx, token.idx + len(token)) for token in doc)


STAGE = Stage(
    name="sentences",
    version=2,
    inputs=("documents", "blocks"),
    outputs=("sentences", "tokens"),
    uses=("model", "dependencies"),
    run=_run,
)
