"""Sentence bounds inside blocks, and the sentences and tokens tables made from them."""

from __future__ import annotations

import hashlib
from types import SimpleNamespace

import pyarrow as pa
import pytest
import spacy
from hypothesis import given
from hypothesis import strategies as st

from hedgerow import settings, tables
from hedgerow.nlp.segmenter import bounds
from hedgerow.nlp.tokenizer import make_tokenizer
from hedgerow.stages import documents, sentences

# each row: the sentences of one paragraph, which stand a blank apart
PARAGRAPHS = [
    # plain
    ["Zinc may help.", "It is cheap!", "Does it work?", "Perhaps…", "Nobody knows."],
    # decimals, doses and units
    ["The dose was 2.5 mg.", "It rose to 0.75 mg/kg.", "P was <.05 in both."],
    ["Levels fell by 3.", "Then they rose."],
    # citations after the stop stay with the sentence before
    ["It shortened colds.[1]", "A later trial did not.[2,3]", "Reviews differ.[4–6]"],
    ["It shortened colds. [1]", "A later trial did not. [2, 3]", "Reviews differ."],
    ["It shortened colds.(1)", "A later trial did not. (2)", "Reviews differ."],
    ["It shortened colds.¹", "A later trial did not.²,³", "Reviews differ.⁴⁻⁶", "So be it."],
    ["It shortened colds.12", "A later trial did not.3,4", "Reviews differ."],
    ["It shortened colds.[citation needed]", "A later trial did not.[b]", "So be it."],
    # citations before the stop
    ["It restored function 1.", "In a rat model it failed 7, 8.", "More work is due."],
    ["It shortened colds [1].", "A later trial did not (2).", "Reviews differ."],
    ["It shortened colds..(1)", "The rest is noise."],
    # abbreviations
    ["Minerals, e.g. zinc and i.e. iron, vs. placebo were tried.", "They failed."],
    ["Moe et al. reported a fall.", "Berg et al. [4] did not.", "Larsen et al. (2019) did."],
    ["As in Moe et al.", "The rest failed."],
    ["See Fig. 2 and Table 3.", "Dr. J. A. Moe of St. Olav wrote it.", "It is on p. 41."],
    ["The shop (approx. 3 p.m. on Nov. 5) was shut.", "It sold no. 5 syringes."],
    ["It is sold in the U.S. market.", "It is legal in the U.S.", "The FDA disagrees."],
    ["Halden Inc. made it.", "It was bought by Moe Ltd.", "The price rose."],
    ["Does it cure colds?", "No.", "It does not.", "Take No. 3."],
    # single letters
    ["It holds vitamin D.", "Skin makes it.", "E. coli was grown."],
    ["He had hepatitis C.", "Treatment worked.", "J. Moe and P.B. Berg agreed."],
    # brackets and quotes
    ["It works (see Moe. Then Berg) in mice.", "It fails in men."],
    ["“It works,” she said.", "“It does not.”", "He left."],
    ["“It works. I feel it,” she said.", "He left."],
    ['He said "it works."', "She laughed."],
    ["“Zinc changed my day.” — a member of staff."],
    # lower-case starts
    ["The gene was cut.", "mRNA levels fell.", "p53 rose.", "iPSCs died."],
    ["It helps in rats 4.", "n a later trial it failed."],
    ["Sleep was better.", "however, mood was not."],
    ["It was given i.v. and p.o. twice."],
    ["The firm Go.Heal sold it via shop.example.com for a year."],
    # stops without a blank after them
    ["It lowers pressure.", "The rest is noise."],
    # semicolons and colons hold together
    ["Rare harms are: a rash; a fall in pressure; death.", "Stop at once."],
    ["Wait… is it safe?", "Yes!", "Really?!", "Yes..", "Fine."],
]


@pytest.mark.parametrize("expected", PARAGRAPHS, ids=lambda s: s[0][:30])
def test_sentences_end_where_a_reader_would_end_them(expected):
    text = " ".join(expected)
    assert [text[a:b] for a, b in bounds(text, "paragraph")] == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("It lowers pressure.The rest is noise.", ["It lowers pressure.", "The rest is noise."]),
        ("It lowers it [7].The rest is noise.", ["It lowers it [7].", "The rest is noise."]),
        ("1. Take it fasting. Wait an hour.", ["1. Take it fasting.", "Wait an hour."]),
        ("• Mood: It rises. It falls.", ["• Mood: It rises.", "It falls."]),
        ("Figure 2. Mood by dose. From Oslo.", ["Figure 2. Mood by dose.", "From Oslo."]),
        ("Q3. Is it safe? Yes.", ["Q3. Is it safe?", "Yes."]),
        ("Who is at risk? ?", ["Who is at risk? ?"]),
        ("One line\nthen. Another\nline.", ["One line\nthen.", "Another\nline."]),
    ],
)
def test_odd_shapes(text, expected):
    assert [text[a:b] for a, b in bounds(text, "list_item")] == expected


@pytest.mark.parametrize("block", ["title", "table_row", "reference"])
def test_titles_rows_and_references_are_one_unit(block):
    text = "Moe A. Zinc. Is it safe? J Made Up. 2019;4:12."
    assert bounds(text, block) == [(0, len(text))]


@given(st.text(" .!?…[]()1a AB\n“”\"'’e;:-—¹", min_size=1, max_size=80).map(str.strip))
def test_sentences_leave_out_nothing_but_blanks(text):
    if not text:
        return
    for block in tables.BLOCKS:
        spans = bounds(text, block)
        end = 0
        for start, stop in spans:
            assert not text[end:start].strip()
            assert text[start:stop] == text[start:stop].strip() != ""
            end = stop
        assert end == len(text)


# -- the stages -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def resources():
    nlp = spacy.blank("en")
    nlp.tokenizer = make_tokenizer(nlp)
    return SimpleNamespace(language=nlp, settings=settings.load())


def items(pages: dict[str, str | bytes], override: str | None = None) -> pa.Table:
    contents = {k: v.encode() if isinstance(v, str) else v for k, v in pages.items()}
    return pa.table(
        {
            "path": list(contents),
            "ordinal": pa.array([0] * len(contents), pa.int32()),
            "label": [""] * len(contents),
            "doc_id": list(contents),
            "sha256": [hashlib.sha256(c).hexdigest() for c in contents.values()],
            "content": pa.array(list(contents.values()), pa.binary()),
            "override": pa.array([override] * len(contents), pa.string()),
        }
    )


def run(pages, resources, **options):
    read = documents.STAGE.run({"items": items(pages, **options)}, resources)
    cut = sentences.STAGE.run(read, resources)
    tables.check({**read, **cut})
    return {name: table.to_pylist() for name, table in {**read, **cut}.items()}


PAGES = {
    "a.md": "# Zinc\n\n## Harms\n\nIt is safe. Common side effects include:\n\n- rash\n"
    "  - on hands\n- nausea. It fades.\n\n| Dose | Harm |\n|---|---|\n| 10 mg | none |\n\n"
    "## References\n\n1. Moe A. Zinc. J Made Up 2019;4:12-19. doi:10.1234/ABC.\n",
    "b.txt": "Iron\n\nIron is a metal. Iron is a metal.\n\nPros:\n\n• strength\n",
}


def test_sentences_carry_their_block_section_and_lead_in(resources):
    out = run(PAGES, resources)
    texts = {row["sentence_id"]: row["text"] for row in out["sentences"]}
    rows = {row["text"]: row for row in out["sentences"]}
    lead_ins = {
        text: texts.get(row["lead_in_id"]) for text, row in rows.items() if row["lead_in_id"]
    }
    assert lead_ins == {
        "• rash": "Common side effects include:",
        "• on hands": "• rash",
        "• nausea.": "Common side effects include:",
        "It fades.": "Common side effects include:",
        "10 mg | none": "Dose | Harm",
        "• strength": "Pros:",
    }
    assert rows["It is safe."]["section"] == "Harms"
    assert rows["Zinc"]["section"] is None
    assert rows["1. Moe A. Zinc. J Made Up 2019;4:12-19. doi:10.1234/ABC."]["block"] == "reference"
    assert [r["doi"] for r in out["references"]] == ["10.1234/abc"]
    twins = [row for row in out["sentences"] if row["text"] == "Iron is a metal."]
    assert len({row["sentence_id"] for row in twins}) == 2


def test_tokens_spell_their_sentences(resources):
    out = run(PAGES, resources)
    documents_ = {row["doc_id"]: row["text"] for row in out["documents"]}
    spelled: dict[str, str] = {}
    for token in out["tokens"]:
        text = documents_[token["doc_id"]]
        spelled.setdefault(token["sentence_id"], "")
        spelled[token["sentence_id"]] += text[token["start"] : token["end"]]
    for row in out["sentences"]:
        assert spelled[row["sentence_id"]] == "".join(row["text"].split())


@pytest.mark.parametrize(
    "text",
    [
        "Lidocaine-induced 5-HT(2A) effects (n=12; P<0.05) can't be  ruled\tout.",
        "TGF-β/Smad2,3 fell 0.63-0.79 vs. placebo[1]; α1-AR didn’t…",
        "https://example.org/a?b=c e.g. 10×10⁶ cells/mL 50%-60% 🌿ok",
    ],
)
def test_words_are_tokenized_alone_as_they_are_in_their_sentence(resources, text):
    nlp = resources.language
    whole = [(t.idx, t.idx + len(t)) for t in nlp.tokenizer(text) if not t.is_space]
    out = run({"x.txt": text}, resources)
    assert [(t["start"], t["end"]) for t in out["tokens"]] == whole


def test_rows_do_not_depend_on_the_batch(resources):
    together = run(PAGES, resources)
    for name in PAGES:
        alone = run({name: PAGES[name]}, resources)
        for table in ("documents", "blocks", "references", "sentences", "tokens"):
            assert alone[table] == [row for row in together[table] if row["doc_id"] == name]


def test_what_cannot_be_read_is_a_reject_and_the_rest_goes_on(resources):
    out = run({"bad.txt": b"a\0b", "good.txt": "Zinc may help.", "odd.xyz": "?"}, resources)
    assert [row["doc_id"] for row in out["documents"]] == ["good.txt"]
    assert [(r["path"], r["reason"], r["stage"]) for r in out["rejects"]] == [
        ("bad.txt", "binary", "documents"),
        ("odd.xyz", "unknown_format", "documents"),
    ]


def test_a_parser_that_fails_is_reported_as_a_reject(resources, monkeypatch):
    def fail(content, *, path, **options):
        raise KeyError("inside the library")

    monkeypatch.setattr("hedgerow.readers.text.READER.read", fail, raising=False)
    out = run({"x.txt": "Zinc may help."}, resources)
    (row,) = out["rejects"]
    assert row["reason"] == "malformed"
    assert "KeyError: 'inside the library'" in row["detail"]


def test_source_settings_go_before_the_page(resources):
    out = run({"x.txt": "Zinc may help."}, resources, override='{"interest": "news", "url": "u"}')
    (row,) = out["documents"]
    basis = "declared in sources.toml"
    assert (row["interest"], row["interest_basis"], row["url"]) == ("news", basis, "u")


def test_an_empty_batch_gives_empty_tables(resources):
    out = run({}, resources)
    assert not any(out.values())
