"""Blocks and sentence bounds against annotated pages, where those are at hand."""

from __future__ import annotations

import json
from bisect import bisect_right
from collections import defaultdict

import pytest

from hedgerow.nlp.segmenter import bounds
from hedgerow.readers.base import normalise
from hedgerow.readers.text import blocks_of
from tests.conftest import SHARED

GOLD = SHARED / "gold"
pytestmark = pytest.mark.skipif(not GOLD.is_dir(), reason="the annotated pages are not here")


def load(name):
    """Return {document: (text, units)} of the development part of an annotated set."""
    units = defaultdict(list)
    for line in (GOLD / f"{name}.dev.jsonl").read_text().splitlines():
        unit = json.loads(line)
        units[unit["doc"]].append(unit)
    documents = (GOLD / f"{name}.documents.jsonl").read_text().splitlines()
    texts = {d["doc"]: d["text"] for d in map(json.loads, documents)}
    return {doc: (texts[doc], found) for doc, found in units.items() if doc in texts}


def test_lines_of_text_get_the_blocks_that_readers_gave_them():
    right = total = 0
    for text, units in load("authored_pages").values():
        blocks, _ = blocks_of(text)
        starts = [block.start for block in blocks]
        for unit in units:
            block = blocks[max(0, bisect_right(starts, unit["start"]) - 1)]
            right += block.block == unit["block"]
            total += 1
    assert right / total >= 0.90


@pytest.mark.parametrize(
    ("name", "floor"), [("authored_pages", 0.95), ("health_pages", 0.98), ("articles", 0.98)]
)
def test_sentences_are_cut_where_readers_cut_them(name, floor):
    found = gold = predicted = 0
    for text, units in load(name).values():
        if normalise(text) != text:
            continue
        spans = {(unit["start"], unit["end"]) for unit in units}
        cut = {
            (block.start + start, block.start + end)
            for block in blocks_of(text)[0]
            for start, end in bounds(text[block.start : block.end], block.block)
        }
        cut = {(a, b) for a, b in cut if any(s < b and a < e for s, e in spans)}
        found += len(spans & cut)
        gold += len(spans)
        predicted += len(cut)
    assert 2 * found / (gold + predicted) >= floor
