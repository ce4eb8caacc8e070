"""Whatever the bytes: a document whose spans slice back, or a reject; never another exception.

A short run of the properties that `make fuzz` tries for long: FUZZ_EXAMPLES is how many inputs
each gets.
"""

from __future__ import annotations

import math
import os

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hedgerow import tables
from hedgerow.nlp import citations, clauses, references, segmenter, statistics
from hedgerow.nlp.phrases import split_words
from hedgerow.readers.base import one_line
from tests.fuzz import harness, strategies

SHORT = 12
EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", SHORT))

FUZZED = settings(
    max_examples=EXAMPLES,
    derandomize=EXAMPLES == SHORT,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
)


@pytest.mark.parametrize("name", harness.FILES)
def test_any_file_is_read_or_rejected(name):
    @FUZZED
    @given(strategies.files(name))
    def check(content):
        harness.check(name, content)

    check()


def _spans(text, found):
    for span in found:
        assert 0 <= span.start < span.end <= len(text), (text, span)


@FUZZED
@given(strategies.texts())
def test_sentence_bounds_cover_any_block(text):
    text = one_line(text)
    for block in ("paragraph", "list_item", "boilerplate"):
        position = 0
        for start, end in segmenter.bounds(text, block) if text else ():
            assert position <= start < end <= len(text)
            assert not text[position:start].strip()
            assert text[start:end] == text[start:end].strip()
            position = end
        assert position == len(text)


@FUZZED
@given(strategies.texts())
def test_tokens_spell_any_text(text):
    text = one_line(text)
    tokens = harness.language().tokenizer(text)
    assert "".join(token.text_with_ws for token in tokens) == text


@FUZZED
@given(strategies.texts())
def test_statistics_of_any_sentence(text):
    text = one_line(text)
    found = statistics.find_statistics(text)
    card = statistics.card_statistic(text, [text])
    _spans(text, [*found, *([card] if card else [])])
    for row in found:
        for number in (row.value, row.ci_low, row.ci_high, row.ci_level, row.p_value):
            assert number is None or math.isfinite(number), (text, row)
        assert row.p_value is None or 0 <= row.p_value <= 1, (text, row)
        assert row.measure in tables.MEASURES


@FUZZED
@given(st.lists(strategies.texts().map(one_line), max_size=4), strategies.texts().map(one_line))
def test_citations_and_references_of_any_text(entries, text):
    parsed = [references.parse(entry) for entry in entries]
    for entry in parsed:
        assert entry.year is None or 0 < entry.year < 10_000
    index = citations.ReferenceIndex(
        [
            citations.Entry(str(number), entry.marker, entry.authors, entry.year, {})
            for number, entry in enumerate(parsed)
        ]
    )
    styles = citations.marker_style([text], index)
    _spans(text, citations.find_citations(text, styles, index))
    every = frozenset(citations._STYLES)
    _spans(text, citations.find_citations(text, every, index))


@FUZZED
@given(strategies.texts())
def test_clauses_of_any_sentence(text):
    text = one_line(text)
    if text:
        words = split_words(text)
        _spans(text, words)
        found = clauses.split_clauses(text, words, [], direction="none")
        assert found
        _spans(text, found)


REPEATED = (
    "a", "A", "1", "1.", "1,", ".", "?!", "(", ")", "[", "[1", "[1,", "“", '"', "-", "–", " - ",
    " ", "a ", "A. ", "1 ", "a.A", "a, ", "; ", "and ", "e.g. ", "et al. ", "P<", "P = 0.",
    "95% CI ", "10 mg ", "1-", "1–2 ", "1 to ", "vs ", "%", "^2", "²", "http://a/", "10.1/",
    "PMID: 1 ", "2019 ", "2019;", "A B", "Smith J, ", "e\u0301", "\u0301", "a/", "a-", "±", "≤",
    "(a) ", "but it does ", "which is ", "HR ", "may not ", "Smith (2019) ", "[1] ", "(1) ", "a1",
)  # fmt: skip
LENGTH = 200_000
"""Characters; what takes time with the square of the length takes minutes, not seconds."""


@pytest.mark.soak
@pytest.mark.timeout(60)
@pytest.mark.parametrize("part", REPEATED)
def test_time_does_not_grow_with_the_square_of_the_length(part):
    text = one_line(part * (LENGTH // len(part)))
    statistics.find_statistics(text)
    statistics.card_statistic(text, [text])
    references.parse(text)
    index = citations.ReferenceIndex()
    citations.find_citations(text, citations.marker_style([text], index), index)
    citations.find_citations(text, frozenset(citations._STYLES), index)
    clauses.split_clauses(text, split_words(text), [], direction="none")
    harness.check("text", f"Zinc {text}".encode())
