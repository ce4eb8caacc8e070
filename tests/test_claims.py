"""Claims: clauses, contexts, arguments and what hangs on them, from hand-built tables."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hedgerow import tables
from hedgerow.ids import make_id, occurrence_ids
from hedgerow.nlp.arguments import reads_alone
from hedgerow.nlp.clauses import Clause, claim_span
from hedgerow.nlp.effects import find_direction, find_effect
from hedgerow.nlp.lexicon import load_cues
from hedgerow.nlp.phrases import chunks_of, split_words
from hedgerow.nlp.rules import load_rules
from hedgerow.nlp.statistics import find_statistics
from hedgerow.stages import claims

LABELS = {
    "certainty": "certain",
    "polarity": "affirmed",
    "attribution": "author",
    "claim_type": "efficacy",
    "direction": "benefit",
    "evidence": "none",
}
Unit = tuple[str, dict[str, Any]]


def document(
    doc_id: str, units: Sequence[Unit], references: Sequence[str] = ()
) -> dict[str, list[dict[str, Any]]]:
    """Rows of a document whose blocks hold one sentence each.

    A unit is its text and its settings: `block`, `parent` (index of the unit that leads in), and
    labels; kind is claim for paragraphs, list items and table rows unless it is given.
    """
    rows: dict[str, list[dict[str, Any]]] = {name: [] for name in claims.STAGE.inputs}
    entries = [(text, {"block": "reference"}) for text in references]
    text = "\n\n".join(t for t, _ in [*units, *entries])
    rows["documents"].append(
        {
            "doc_id": doc_id, "path": f"{doc_id}.txt", "title": units[0][0], "interest": "blog",
            "interest_basis": "test", "media_type": "text/plain", "source_sha256": "0",
            "text": text, "publisher": "The Gel Page",
        }
    )  # fmt: skip
    ids = list(occurrence_ids(doc_id, [t for t, _ in [*units, *entries]]))
    start = 0
    for i, (unit, how) in enumerate([*units, *entries]):
        block = how.get("block", "paragraph")
        parent = how.get("parent")
        place = {"doc_id": doc_id, "index": i, "start": start, "end": start + len(unit)}
        rows["blocks"].append(
            {**place, "block_id": f"b{ids[i]}", "block": block,
             "parent_id": None if parent is None else f"b{ids[parent]}"}
        )  # fmt: skip
        rows["sentences"].append(
            {**place, "sentence_id": ids[i], "block_id": f"b{ids[i]}", "text": unit,
             "block": block, "lead_in_id": None if parent is None else ids[parent]}
        )  # fmt: skip
        rows["certainty"].append(_certainty(doc_id, ids[i], block, how))
        rows["cues"] += _cues(doc_id, ids[i], start, unit)
        if block == "reference":
            rows["references"].append(
                {"reference_id": f"r{ids[i]}", "doc_id": doc_id, "index": len(rows["references"]),
                 "marker": str(len(rows["references"]) + 1), "start": start,
                 "end": start + len(unit), "raw": unit}
            )  # fmt: skip
        start += len(unit) + 2
    return rows


def _certainty(doc_id: str, sentence_id: str, block: str, how: dict[str, Any]) -> dict[str, Any]:
    usual = "claim" if block in ("paragraph", "list_item", "table_row") else "heading"
    kind = how.get("kind", usual)
    row = {
        "doc_id": doc_id, "sentence_id": sentence_id, "kind": kind, "p_negated": 0.1,
        "certainty_score": 0.9, "confidence": 0.8,
        **{f"p_{name}": 0.1 for name in (*tables.KINDS, *tables.CERTAINTIES)},
    }  # fmt: skip
    return (
        {**row, **LABELS, **{k: v for k, v in how.items() if k in LABELS}}
        if kind == "claim"
        else row
    )


def _cues(doc_id: str, sentence_id: str, start: int, text: str) -> list[dict[str, Any]]:
    return [
        {
            "cue_id": make_id(sentence_id, f.start, f.end, f.cue.category), "doc_id": doc_id,
            "sentence_id": sentence_id, "start": start + f.start, "end": start + f.end,
            "text": text[f.start : f.end], "lemma": f.cue.id, "category": f.cue.category,
            "level": f.cue.level, "score": 1.0, "source": f.cue.id,
        }
        for f in load_cues().find(text)
    ]  # fmt: skip


def run(*documents: dict[str, list[dict[str, Any]]]) -> dict[str, pa.Table]:
    """The stage's outputs for documents; every contract is checked."""
    inputs = {
        name: tables.from_rows(name, [row for d in documents for row in d[name]])
        for name in claims.STAGE.inputs
    }
    outputs = claims.STAGE.run(inputs, None)  # type: ignore[arg-type]
    assert tuple(outputs) == claims.STAGE.outputs
    tables.check({**inputs, **outputs})
    return outputs


def claims_of(*units: Unit, references: Sequence[str] = ()) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = run(document("d", units, references))["claims"].to_pylist()
    return sorted(rows, key=lambda r: (r["start"], r["index"]))


TITLE: Unit = ("Coolgel for sore knees", {"block": "title"})
REFERENCES = ["1. Doe J. Gels for knees. J Gels. 2019;1:1-9."]
INTRO: Unit = ("Coolgel is a gel for the skin.", {"claim_type": "composition"})


def test_the_span_has_no_bullet_in_front() -> None:
    for text, expected in [
        ("• It cools. ", "It cools."),
        ("2. It cools.", "It cools."),
        ("- It cools.", "It cools."),
        ("It cools.", "It cools."),
        ("-", "-"),
    ]:
        start, end = claim_span(text)
        assert text[start:end] == expected


def test_clauses_that_differ_in_polarity_are_claims_of_their_own() -> None:
    rows = claims_of(TITLE, ("Coolgel reduced pain but did not improve sleep.", {}))
    assert [(r["index"], r["text"], r["polarity"], r["direction"]) for r in rows] == [
        (0, "Coolgel reduced pain", "affirmed", "benefit"),
        (1, "did not improve sleep.", "negated", "no_effect"),
    ]
    assert [(r["outcome"], r["effect"]) for r in rows] == [
        ("pain", "decrease"),
        ("sleep", "no_change"),
    ]
    assert {r["subject"] for r in rows} == {"Coolgel"}


def test_clauses_that_differ_in_certainty_are_claims_of_their_own() -> None:
    rows = claims_of(TITLE, ("Coolgel cools the skin, and it may reduce swelling.", {}))
    assert [(r["certainty"], r["certainty_score"]) for r in rows] == [
        ("certain", 0.9),
        ("possible", 0.4),
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "Coolgel dried the skin, which may cause itching.",
            ["Coolgel dried the skin", "which may cause itching."],
        ),
        (
            "Coolgel was given at night because it may stain clothes.",
            ["Coolgel was given at night", "it may stain clothes."],
        ),
        (
            "Coolgel was left out, as no dose was recorded.",
            ["Coolgel was left out", "no dose was recorded."],
        ),
        (
            "Knee pain fell, suggesting that Coolgel works.",
            ["Knee pain fell", "suggesting that Coolgel works."],
        ),
        (
            "Coolgel eased knee pain but not stiffness.",
            ["Coolgel eased knee pain", "not stiffness."],
        ),
        (
            "Coolgel eased knee pain; however, sleep was not measured.",
            ["Coolgel eased knee pain", "sleep was not measured."],
        ),
        (
            "While Coolgel eases pain, its effect on gait is unclear.",
            ["its effect on gait is unclear.", "Coolgel eases pain"],
        ),
        (
            "However, although Coolgel may ease pain, the price is high.",
            ["the price is high.", "Coolgel may ease pain"],
        ),
        (
            "Coolgel, which may stain clothes, eased knee pain.",
            ["Coolgel, which may stain clothes, eased knee pain.", "which may stain clothes"],
        ),
        (
            "Coolgel was cheap, and to date there has been no complaint.",
            ["Coolgel was cheap", "to date there has been no complaint."],
        ),
        (
            "Coolgel eased knee pain [1], which fits our own records.",
            ["Coolgel eased knee pain [1]", "which fits our own records."],
        ),
    ],
)
def test_clauses_behind_each_kind_of_connective(text: str, expected: list[str]) -> None:
    rows = sorted(claims_of(TITLE, (text, {}), references=REFERENCES), key=lambda r: r["index"])
    assert [row["text"] for row in rows] == expected


def test_a_number_in_a_relative_clause_belongs_to_its_claim() -> None:
    text = "Coolgel, which may redden 12% of knees, eased knee pain."
    tables_ = run(document("d", [TITLE, (text, {})]))
    inner = next(c for c in tables_["claims"].to_pylist() if c["text"].startswith("which"))
    assert [s["claim_id"] for s in tables_["statistics"].to_pylist()] == [inner["claim_id"]]


def test_the_main_clause_comes_first_where_a_concession_opens_the_sentence() -> None:
    rows = claims_of(
        TITLE, ("Although proof is lacking, Coolgel may reduce pain, but it is dear.", {})
    )
    first = next(r for r in rows if r["index"] == 0)
    assert "Coolgel" in first["text"]


@pytest.mark.parametrize(
    "text",
    [
        "Coolgel reduced pain and swelling.",
        "Coolgel reduced pain and improved sleep.",
        "Coolgel cooled the skin, which was warm.",
        "Coolgel was measured in gels, creams, and what was left of them.",
        "Coolgel cooled the skin because it was wet.",
        "Coolgel reduced pain (but not in dogs).",
        "A gel that does not cool and might burn needs a strong reason to be used.",
        "Taken together, the reviews and trials show no gain in grip.",
        "“It helped but did not last” was one verdict.",
    ],
)
def test_one_predicate_is_one_claim(text: str) -> None:
    assert len(claims_of(TITLE, (text, {}))) == 1


def test_coordinated_outcomes_hang_on_one_claim() -> None:
    outputs = run(document("d", [TITLE, INTRO, ("Coolgel reduced pain, swelling and fever.", {})]))
    last = outputs["claims"].to_pylist()[-1]
    mine = [r for r in outputs["claim_outcomes"].to_pylist() if r["claim_id"] == last["claim_id"]]
    assert [r["outcome"] for r in sorted(mine, key=lambda r: r["index"])] == [
        "pain",
        "swelling",
        "fever",
    ]
    assert last["outcome"] == "pain"


def test_a_pronoun_resolves_to_the_subject_of_the_document() -> None:
    rows = claims_of(TITLE, INTRO, ("It reduces pain.", {}))
    assert rows[-1]["subject"] == "Coolgel"
    assert rows[-1]["context"] == "Coolgel reduces pain."
    assert rows[-1]["text"] == "It reduces pain."


def test_a_list_item_takes_its_lead_in() -> None:
    rows = claims_of(
        TITLE,
        INTRO,
        ("Common side effects include:", {"kind": "lead_in"}),
        (
            "• redness",
            {"block": "list_item", "parent": 2, "claim_type": "safety", "direction": "harm"},
        ),
    )
    assert rows[-1]["text"] == "redness"
    assert rows[-1]["context"] == "Common side effects include: redness"
    assert (rows[-1]["subject"], rows[-1]["outcome"]) == ("Coolgel", "redness")


def test_a_table_row_takes_its_headers() -> None:
    rows = claims_of(
        TITLE,
        ("Outcome | Result | Study", {"block": "table_row", "kind": "heading"}),
        ("Pain | lower | BEACON-2", {"block": "table_row", "parent": 1}),
    )
    assert rows[-1]["context"] == "Outcome: Pain; Result: lower; Study: BEACON-2"


def test_a_card_joins_its_parts_and_its_number_takes_their_measure() -> None:
    outputs = run(
        document(
            "d",
            [
                TITLE,
                ("0.71", {"block": "card", "kind": "claim"}),
                ("Effect size, grip", {"block": "card", "parent": 1}),
                ("BEACON-2, P<0.001", {"block": "card", "parent": 1}),
            ],
        )
    )
    statistics = outputs["statistics"].to_pylist()
    assert (statistics[0]["measure"], statistics[0]["value"]) == ("effect size", 0.71)
    assert (statistics[0]["p_operator"], statistics[0]["p_value"]) == ("<", 0.001)


def test_a_card_makes_one_claim_that_of_its_label() -> None:
    outputs = run(
        document(
            "d",
            [
                TITLE,
                ("0.71", {"block": "card", "kind": "claim"}),
                ("Effect size for grip strength", {"block": "card", "parent": 1, "kind": "claim"}),
                ("BEACON-2, PMID 1234567", {"block": "card", "parent": 1, "kind": "claim"}),
            ],
        )
    )
    (claim,) = outputs["claims"].to_pylist()
    assert claim["text"] == "Effect size for grip strength"
    assert claim["context"] == "0.71; Effect size for grip strength; BEACON-2, PMID 1234567"
    assert {r["claim_id"] for r in outputs["statistics"].to_pylist()} == {claim["claim_id"]}
    (link,) = outputs["claim_references"].to_pylist()
    assert (link["claim_id"], link["identifier"]) == (claim["claim_id"], "pmid:1234567")


def test_population_and_comparator_are_named() -> None:
    (row,) = claims_of(TITLE, ("Coolgel reduced pain more than placebo in older adults.", {}))[-1:]
    assert (row["population"], row["comparator"]) == ("older adults", "placebo")


def test_a_name_from_a_heading_has_no_place_in_the_text() -> None:
    rows = document("d", [TITLE, ("It reduces pain.", {"attribution": "reported"})])
    rows["sentences"][1]["section"] = "What the Marlow trial found"
    (claim,) = run(rows)["claims"].to_pylist()
    text = rows["documents"][0]["text"]
    for name in ("subject", "outcome", "attributed_to"):
        start, end = claim[f"{name}_start"], claim[f"{name}_end"]
        assert start is None or text[start:end] == claim[name]


def test_citations_and_statistics_hang_on_their_claim() -> None:
    outputs = run(
        document(
            "d",
            [TITLE, ("Coolgel reduced pain (RR 0.50, 95% CI 0.30 to 0.80).[1,2]", {})],
            ["[1] Marlow A. A gel. 2001.", "[2] Okafor B. A gel again. 2002."],
        )
    )
    (claim,) = outputs["claims"].to_pylist()
    assert claim["attribution"] == "cited"
    (statistic,) = outputs["statistics"].to_pylist()
    assert statistic["claim_id"] == claim["claim_id"]
    assert (statistic["value"], statistic["ci_low"], statistic["ci_high"]) == (0.5, 0.3, 0.8)
    links = sorted(outputs["claim_references"].to_pylist(), key=lambda r: r["index"])
    citations = outputs["citations"].to_pylist()
    assert len(links) == len(citations) == 2
    assert {r["reference_id"] for r in links} == {r["reference_id"] for r in citations}
    assert None not in {r["reference_id"] for r in links}


def test_deciding_cues_are_those_of_the_clause() -> None:
    outputs = run(
        document("d", [TITLE, ("Coolgel may reduce pain but did not improve sleep.", {})])
    )
    texts = {c["claim_id"]: c["text"] for c in outputs["claims"].to_pylist()}
    found = {(texts[r["claim_id"]], r["index"]) for r in outputs["claim_cues"].to_pylist()}
    assert found == {("Coolgel may reduce pain", 0), ("did not improve sleep.", 0)}


def test_only_claims_become_claims() -> None:
    assert claims_of(TITLE, ("Does it work?", {"kind": "question"})) == []


def test_direction_is_for_types_that_have_one() -> None:
    rows = claims_of(
        TITLE, ("Coolgel costs less.", {"claim_type": "market", "direction": "benefit"})
    )
    assert rows[-1]["direction"] == "none"


def test_a_paragraph_more_leaves_the_other_claims_alone() -> None:
    units: list[Unit] = [TITLE, INTRO, ("It reduces pain but did not improve sleep.", {})]
    before = run(document("d", units))["claims"].column("claim_id").to_pylist()
    more = [TITLE, ("Some people like it.", {}), *units[1:]]
    after = run(document("d", more))["claims"].column("claim_id").to_pylist()
    assert set(before) < set(after)


def test_rows_do_not_depend_on_the_batch() -> None:
    one = document("a", [TITLE, INTRO, ("It reduces pain [1].", {})], ["[1] Marlow A. A gel."])
    two = document("b", [("Zinc", {"block": "title"}), ("Zinc shortens colds.", {})])
    together, swapped = run(one, two), run(two, one)
    for name in claims.STAGE.outputs:
        assert together[name].equals(swapped[name])
        apart = tables.concat(name, [run(one)[name], run(two)[name]])
        assert together[name].equals(apart)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.text(
            alphabet="abcdeI t.,;()[]%0123456789'“”-–•|\u00a0é😀 butandnotmay",
            min_size=1,
            max_size=60,
        ).filter(str.strip),
        min_size=1,
        max_size=4,
    )
)
def test_no_claim_without_a_verbatim_span(texts: list[str]) -> None:
    run(document("d", [(t.strip(), {"attribution": "reported"}) for t in texts]))


@pytest.mark.parametrize(
    ("text", "subject", "expected"),
    [
        ("It helps.", "Coolgel", "Coolgel helps."),
        ("Its effect is small.", "Coolgel", "Coolgel's effect is small."),
        ("Items help.", "Coolgel", "Items help."),
        ("It helps.", None, "It helps."),
    ],
)
def test_a_pronoun_that_opens_a_claim_is_replaced(
    text: str, subject: str | None, expected: str
) -> None:
    assert reads_alone(text, subject) == expected


@pytest.mark.parametrize(
    ("text", "outcome", "expected"),
    [
        ("Pain was significantly lower with the gel than with placebo.", "Pain", "decrease"),
        ("The gel significantly increased blood flow.", "blood flow", "increase"),
        ("There was no significant difference in pain.", "pain", "no_change"),
        ("The gel is blue.", "gel", None),
    ],
)
def test_effects(text: str, outcome: str, expected: str | None) -> None:
    start = text.index(outcome)
    assert find_effect(text, (start, start + len(outcome))) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Cuts the risk of falls", "benefit"),
        ("Coolgel reduced the risk of falling by 19%.", "benefit"),
        ("Coolgel increased falls in older women.", "harm"),
        ("Coolgel boosted memory.", "benefit"),
        ("Coolgel impairs memory.", "harm"),
        ("Coolgel enhances recovery of function post-injury.", "benefit"),
        ("The risk of death was reduced.", "benefit"),
        ("There was no significant difference in pain.", "no_effect"),
        ("Coolgel did not cut pain.", None),
        ("Whether it lowers the risk of death is unknown.", None),
        ("It reduced pain but raised the risk of falls.", None),
        ("Coolgel reduced costs.", None),
        ("All-cause death was rare.", None),
    ],
)
def test_words_that_settle_a_direction(text: str, expected: str | None) -> None:
    assert find_direction(text) == expected


def test_less_of_a_disease_is_a_benefit() -> None:
    text = "Coolgel prevents marlowitis."
    assert find_direction(text) is None
    assert find_direction(text, [(text.index("marlow"), len(text) - 1)]) == "benefit"


def test_a_plain_direction_corrects_the_unit_but_gives_none_where_there_is_none() -> None:
    text = "Coolgel cuts the risk of falls."
    assert claims_of(TITLE, (text, {"direction": "harm"}))[-1]["direction"] == "benefit"
    rows = claims_of(TITLE, (text, {"direction": "harm", "claim_type": "background"}))
    assert rows[-1]["direction"] == "none"


@pytest.mark.parametrize("text", ["It was tested in more than 200 patients.", "Most are well."])
def test_an_effect_needs_a_word_that_states_one(text: str) -> None:
    assert find_effect(text, (0, 2)) is None


@pytest.mark.parametrize("block", ["reference", "boilerplate"])
def test_reference_lists_and_boilerplate_make_no_claims(block: str) -> None:
    assert claims_of(TITLE, ("Coolgel reduced pain.", {"block": block, "kind": "claim"})) == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("A review of twelve randomized trials", ["review", "randomized trials"]),
        ("She took 2,000 IU of vitamin D3 daily.", ["vitamin D3"]),
        ("They gave 5 mL Coolgel to 46 patients.", ["Coolgel", "patients"]),
        ("using Coolgel with her own patients", ["Coolgel", "patients"]),
        ("A 2019 review pooled six trials.", ["2019 review", "trials"]),
        ("All-cause deathRR 0.96", ["All-cause death"]),
        ("CoolgelNeurotrophic factors", ["Coolgel", "Neurotrophic factors"]),
        ("knee pain difference 7.6 points", ["knee pain difference"]),
        ("It helps to support nerve growth.", ["nerve growth"]),
        ("Swelling due to stress", ["Swelling", "stress"]),
        ("Users report clearer thinking.", ["Users", "clearer thinking"]),
        ("The vaccine causes fever.", ["vaccine", "fever"]),
        ("LumiDerm and eGFR", ["LumiDerm", "eGFR"]),
        ("Working memory improved.", ["Working memory"]),
    ],
)
def test_names_end_at_amounts_verbs_and_seams(text: str, expected: list[str]) -> None:
    assert [text[c.start : c.end] for c in chunks_of(text, split_words(text))] == expected


@pytest.mark.parametrize("text", ["Coolgel is safe.", "Coolgel lasted a week."])
def test_adjectives_and_times_are_no_outcomes(text: str) -> None:
    assert claims_of(TITLE, (text, {}))[-1]["outcome"] is None


@pytest.mark.parametrize("name", ["arguments", "clauses", "clauses_front", "directions", "effects"])
def test_every_rule_matches_its_example_and_not_its_counterexample(name: str) -> None:
    for rule in load_rules(name):
        assert rule.regex.search(rule.example), rule.id
        assert not rule.regex.search(rule.counterexample), rule.id


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Falls | Made-up trial | HR 0.99 (0.87-1.12)", True),
        ("FallsRR 0.96 (95% CI 0.65-1.41)Review", True),
        ("Falls | Made-up trial | HR 0.81 (0.70-0.93)", False),
        ("Falls | RR 0.96 (95% CI 0.65-1.41) | OR 2.0 (95% CI 1.2-3.1)", False),
        ("Falls | 12%", False),
    ],
)
def test_an_interval_that_holds_one_is_no_effect_where_only_numbers_stand(
    text: str, expected: bool
) -> None:
    clause = Clause(0, len(text))
    assert claims._spans_one(clause, find_statistics(text)) is expected
