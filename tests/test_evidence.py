"""What is said across documents: the map counts studies once, the conflicts are worth reading."""

from __future__ import annotations

import random
import re
from collections.abc import Iterable, Mapping
from typing import Any

import pyarrow as pa
import pytest

from hedgerow import tables
from hedgerow.errors import ResourceError
from hedgerow.evidence.build import build
from hedgerow.evidence.conflicts import in_cell
from hedgerow.evidence.names import Names, Resolver, read_rules, shipped
from hedgerow.evidence.statements import statements_of
from hedgerow.evidence.studies import Groups, copied, identifier_key, study_name
from hedgerow.stages import STAGES
from tests.evidence_fixture import Corpus, claim, sample

RULES = read_rules()
NAMES = shipped()
REVIEW = {
    "raw": "Oak P, Yew Q. Fernwort for cough in adults. J Moss 2020;3:1-9. doi:10.9999/moss.3",
    "title": "Fernwort for cough in adults",
    "doi": "10.9999/moss.3",
}
HARM = {"claim_type": "safety"}


def rules(section: str) -> Iterable[Any]:
    return [pytest.param(rule, id=rule["id"]) for rule in RULES[section]]


def cells(corpus: Corpus) -> dict[str, dict[str, Any]]:
    """Return the cells of the outcome axis by outcome."""
    rows = build(corpus.tables())["evidence_map"].to_pylist()
    return {row["outcome"]: row for row in rows if row["axis"] == "outcome"}


def conflicts(corpus: Corpus, **options: Any) -> list[dict[str, Any]]:
    return build(corpus.tables(), **options)["conflicts"].to_pylist()


def two(first: Any, second: Any, interests: tuple[str, str] = ("vendor", "journal")) -> Corpus:
    corpus = Corpus()
    corpus.document("one", interests[0], first)
    corpus.document("two", interests[1], second)
    return corpus


# ------------------------------------------------------------------ names


@pytest.mark.parametrize("rule", rules("spelling"))
def test_a_spelling_rule_folds_its_example(rule: dict[str, str]) -> None:
    assert NAMES.fold(rule["example"]) == rule["result"]
    assert re.search(rule["pattern"], rule["example"])
    assert rule["source"]


@pytest.mark.parametrize("rule", rules("frame"))
def test_a_frame_is_taken_off_its_example_only(rule: dict[str, str]) -> None:
    example = NAMES.fold(rule["example"])
    assert re.sub(rule["pattern"], r"\1", example) == NAMES.fold(rule["result"])
    assert not re.search(rule["pattern"], NAMES.fold(rule.get("not_example", "")))
    assert rule["source"]


@pytest.mark.parametrize("rule", rules("concept"))
def test_a_concept_takes_its_example_and_not_its_neighbour(rule: dict[str, str]) -> None:
    def concept(text: str) -> str | None:
        key = NAMES.key(text, "outcome")
        found = NAMES.exact(key) or NAMES.within(key)
        return found.id if found else None

    assert concept(rule["example"]) == rule["id"]
    assert concept(rule["not_example"]) != rule["id"]
    assert rule["source"]


@pytest.mark.parametrize("section", ["condition", "species", "threshold"])
def test_a_pattern_over_names_matches_its_example_only(section: str) -> None:
    for rule in RULES[section]:
        assert re.search(rule["pattern"], NAMES.fold(rule["example"])), rule["id"]
        assert not re.search(rule["pattern"], NAMES.fold(rule["not_example"])), rule["id"]
        assert rule["source"]


@pytest.mark.parametrize("section", ["place", "doubt", "denial"])
def test_a_pattern_over_text_matches_its_example_only(section: str) -> None:
    for rule in RULES[section]:
        case = str if section == "place" else str.casefold
        assert re.search(rule["pattern"], case(rule["example"])), rule["id"]
        assert not re.search(rule["pattern"], case(rule["not_example"])), rule["id"]
        assert rule["source"]


@pytest.mark.parametrize(
    ("text", "concept"),
    [
        ("serious adverse events and death", "serious-adverse-events"),
        ("death after serious adverse events", "serious-adverse-events"),
        ("adverse events, then death", "adverse-events"),
    ],
)
def test_the_longest_phrase_names_the_outcome_wherever_it_stands(text: str, concept: str) -> None:
    found = NAMES.within(NAMES.fold(text))
    assert found is not None and found.id == concept


def test_a_clause_ends_at_a_contrast_and_not_in_a_list() -> None:
    rule = RULES["contrast"]
    assert re.search(rule["pattern"], rule["example"])
    assert not re.search(rule["pattern"], rule["not_example"])
    assert NAMES.clause_of(rule["example"], "pain") == "It eased pain"
    assert NAMES.clause_of(rule["example"], "sleep").strip() == "sleep did not improve."


def test_rule_ids_are_unique() -> None:
    for section, entries in RULES.items():
        if isinstance(entries, list):
            ids = [entry["id"] for entry in entries]
            assert len(ids) == len(set(ids)), section


def test_a_names_file_with_half_a_rule_is_refused() -> None:
    with pytest.raises(ResourceError, match="expected a whole rule"):
        Names({**RULES, "frame": [{"id": "x", "axis": "any"}]})


def test_linked_ids_come_before_names() -> None:
    pairs = [("grippe", "T:1"), ("influenza", "T:1"), ("influenza", None), ("cold", "T:2")]
    mentions = [(text, kb_id, NAMES.key(text, "outcome")) for text, kb_id in pairs]
    resolver = Resolver(NAMES, "outcome", mentions)
    keys = {pair: resolver.resolve(*pair).key for pair in pairs}  # type: ignore[union-attr]
    assert len(set(keys.values())) == 2
    assert keys["influenza", None] == keys["grippe", "T:1"] == "id:T:1"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("death", "all-cause mortality"),
        ("risk of death", "Deaths from any cause"),
        ("oedema", "edema"),
        ("the stomach ulcers", "stomach ulcer"),
        ("hospitalisation", "hospital admissions"),
        ("cognitive function", "memory"),
    ],
)
def test_outcomes_of_one_meaning_meet(one: str, other: str) -> None:
    found = cells(two(claim("A b c d e f.", one, "benefit"), claim("G h i j k l.", other, "harm")))
    assert [row["claims"] for row in found.values()] == [2]


def test_outcomes_of_another_meaning_stay_apart() -> None:
    names = [
        "death",
        "cell death",
        "death or dependency",
        "serious adverse events",
        "adverse events",
        "pain",
        "stomach ulcer",
    ]
    corpus = Corpus()
    for number, name in enumerate(names):
        corpus.document(f"d{number}", "blog", claim(f"Sentence number {number}.", name, "benefit"))
    assert len(cells(corpus)) == len(names)


# ------------------------------------------------------------------ the map


def test_pages_that_cite_one_trial_count_as_one_study() -> None:
    corpus = Corpus()
    for doc_id, text, reference in (
        ("a", "Fernwort eased cough in adults [1].", REVIEW),
        (
            "b",
            "A trial found less cough on Fernwort [1].",
            {**REVIEW, "raw": "Oak P. https://doi.org/10.9999/moss.3", "title": None, "pmid": "7"},
        ),
        ("c", "Cough was rarer with the drops [1].", {"raw": "PubMed 7", "pmid": "7"}),
    ):
        corpus.document(
            doc_id, "blog", claim(text, "cough", "benefit"), references={"1": reference}
        )
    cell = cells(corpus)["cough"]
    assert (cell["claims"], cell["documents"], cell["studies"]) == (3, 3, 1)


def test_a_named_trial_is_the_reference_that_reports_it() -> None:
    corpus = Corpus()
    corpus.document(
        "a",
        "blog",
        claim("In MOSSY, cough eased [1].", "cough", "benefit", study="MOSSY trial"),
        references={"1": REVIEW},
    )
    corpus.document(
        "b",
        "news",
        claim("The MOSSY study found less coughing.", "cough", "benefit", study="MOSSY study"),
    )
    corpus.document("c", "news", claim("Not so in BOGGY.", "cough", "no_effect", study="BOGGY"))
    assert cells(corpus)["cough"]["studies"] == 2


def test_a_review_of_two_trials_does_not_make_them_one() -> None:
    review = {"raw": "Oak P. MOSSY and BOGGY: a meta-analysis of cough. 2021.", "pmid": "8"}
    corpus = Corpus()
    for name in ("MOSSY", "BOGGY"):
        corpus.document(
            name,
            "blog",
            claim(f"In {name}, cough eased [1].", "cough", "benefit", study=name),
            references={"1": review},
        )
    assert cells(corpus)["cough"]["studies"] == 3


def test_trials_behind_different_references_count_each() -> None:
    corpus = Corpus()
    for number in range(3):
        corpus.document(
            f"d{number}",
            "blog",
            claim(f"Cough eased in study {number} [1].", "cough", "benefit"),
            references={
                "1": {
                    "raw": f"Author {number}. A title about cough, part {number}.",
                    "doi": f"10.9999/{number}",
                }
            },
        )
    assert cells(corpus)["cough"]["studies"] == 3


def test_pages_that_copy_a_sentence_make_one_statement() -> None:
    text = (
        "In a trial of two hundred adults the drops eased dry cough within five days and "
        "were liked by all who took them [1]."
    )
    corpus = Corpus()
    corpus.document(
        "a",
        "vendor",
        claim(text, "cough", "benefit"),
        references={"1": {"raw": "Reference without numbers, as page A prints it"}},
    )
    corpus.document(
        "b",
        "vendor",
        claim(text.replace("In a trial", "In one trial"), "cough", "benefit"),
        references={"1": {"raw": "The same paper, otherwise printed by page B"}},
    )
    corpus.document("c", "vendor", claim("Cough went away.", "cough", "benefit"))
    cell = cells(corpus)["cough"]
    assert (cell["claims"], cell["statements"], cell["studies"]) == (3, 2, 1)


def test_short_stock_phrases_are_no_copies() -> None:
    corpus = two(
        claim("Dry cough may occur.", "dry cough"), claim("Dry cough can occur.", "dry cough")
    )
    given = corpus.tables()
    found = copied(given["statements"].sort_by("claim_id"), given["claims"], NAMES)
    assert len(set(found.values())) == 2


@pytest.mark.parametrize(
    ("claims", "agreement"),
    [
        ([("benefit", "certain")], "single"),
        ([("benefit", "certain"), ("benefit", "possible")], "agree"),
        ([("benefit", "certain"), ("no_effect", "probable")], "conflict"),
        ([("benefit", "certain"), ("harm", "possible")], "mixed"),
        ([("benefit", "certain"), ("mixed", "certain")], "mixed"),
        ([("none", "certain"), ("benefit", "certain")], "agree"),
    ],
)
def test_agreement(claims: list[tuple[str, str]], agreement: str) -> None:
    corpus = Corpus()
    for number, (direction, certainty) in enumerate(claims):
        corpus.document(
            f"d{number}",
            "blog",
            claim(f"Words of page {number}.", "cough", direction, certainty=certainty),
        )
    assert cells(corpus)["cough"]["agreement"] == agreement


def test_the_map_says_who_stands_where() -> None:
    row = cells(sample())["pain"]
    assert row["favourable"] == "vendor 1, clinic 1, government 1"
    assert row["unfavourable"] == "journal 1"
    assert row["strongest_evidence"] == "meta_analysis"
    assert (row["certain"], row["uncommitted"]) == (3, 1)


def test_a_claim_stands_in_the_cells_of_all_its_outcomes() -> None:
    corpus = Corpus()
    corpus.document("a", "blog", claim("Less pain and fewer falls.", ("pain", "falls"), "benefit"))
    assert set(cells(corpus)) == {"pain", "falls"}


# ------------------------------------------------------------------ conflicts


@pytest.mark.parametrize(
    ("first", "second", "kind"),
    [
        (
            claim("Fernwort eases cough quickly in most.", "cough", "benefit", evidence="human"),
            claim("Fernwort did not ease cough at all.", "cough", "no_effect", evidence="rct"),
            "direction",
        ),
        (
            claim(
                "No rise in serious adverse events was seen.",
                "serious adverse events",
                "no_effect",
                evidence="rct",
                **HARM,
            ),
            claim(
                "Serious adverse events may be more frequent.",
                "serious adverse events",
                "harm",
                certainty="possible",
                evidence="rct",
                **HARM,
            ),
            "direction",
        ),
        (
            claim("Fernwort cures cough in three days.", "cough", "benefit"),
            claim(
                "Ten trials found no effect on cough.",
                "cough",
                "no_effect",
                evidence="meta_analysis",
            ),
            "strength",
        ),
        (
            claim("Fernwort makes every life better.", "benefit", "benefit"),
            claim(
                "There is no good evidence that it helps.",
                "evidence",
                polarity="negated",
                claim_type="evidence_quality",
            ),
            "strength",
        ),
        (
            claim("Fernwort eases cough in most adults.", "cough", "benefit", evidence="rct"),
            claim(
                "Fernwort may ease cough in some adults.", "cough", "benefit", certainty="possible"
            ),
            "certainty",
        ),
        (
            claim(
                "It is registered in many countries today.", "registration", claim_type="regulatory"
            ),
            claim(
                "It is not approved by the FDA.",
                "approval",
                polarity="negated",
                claim_type="regulatory",
            ),
            "status",
        ),
        (
            claim("Fernwort eases cough in most adults.", "cough", "benefit"),
            claim("Fernwort eases cough in many people.", "cough", "benefit"),
            None,
        ),
        (
            claim("Fernwort eases cough in most adults.", "cough", "benefit"),
            claim("Fernwort does nothing for sleep.", "sleep", "no_effect"),
            None,
        ),
    ],
)
def test_the_kind_of_a_conflict(first: Any, second: Any, kind: str | None) -> None:
    assert [row["kind"] for row in conflicts(two(first, second))] == ([kind] if kind else [])


def test_the_favourable_claim_stands_first() -> None:
    found = conflicts(
        two(
            claim("Fernwort did not ease cough at all.", "cough", "no_effect", evidence="rct"),
            claim("Fernwort eases cough quickly in most.", "cough", "benefit", evidence="human"),
        )
    )
    assert found[0]["quote_a"].startswith("Fernwort eases")


def test_approval_in_other_places_is_explained_by_the_place() -> None:
    found = conflicts(
        two(
            claim(
                "It is registered in over 40 countries.", "registration", claim_type="regulatory"
            ),
            claim(
                "It is not approved by the FDA.",
                "approval",
                polarity="negated",
                claim_type="regulatory",
            ),
        )
    )
    assert found[0]["explained"]
    assert "place: other countries / United States" in found[0]["differs"]


def test_animals_against_people_is_explained_and_ranked_lower() -> None:
    corpus = sample()
    rows = conflicts(corpus)
    rats = next(row for row in rows if "rats" in row["quote_a"])
    assert rats["explained"] and "population: aged rats" in rats["differs"]
    people = next(row for row in rows if row["quote_b"] == rats["quote_b"] and row != rats)
    assert people["score"] > rats["score"]


def test_different_doses_are_named() -> None:
    found = conflicts(
        two(
            claim(
                "At 40 mg, Fernwort eased cough in adults.",
                "cough",
                "benefit",
                evidence="rct",
                numbers={"dose": "40 mg"},
            ),
            claim(
                "At 10 mg, Fernwort left cough in adults as it was.",
                "cough",
                "no_effect",
                evidence="rct",
                numbers={"dose": "10 mg"},
            ),
        )
    )
    assert "dose: 40 mg / 10 mg" in found[0]["differs"]
    assert found[0]["explained"]


def test_pages_of_other_conditions_meet_only_in_their_condition() -> None:
    mention = {"stroke": ("DISEASE", None), "acute ischaemic stroke": ("DISEASE", None)}
    found = conflicts(
        two(
            claim(
                "Fernwort restores speech after a stroke.",
                "speech",
                "benefit",
                population="stroke",
                mentions=mention,
            ),
            claim(
                "No benefit was found in acute ischaemic stroke.",
                "primary outcome",
                "no_effect",
                evidence="rct",
                population="acute ischaemic stroke",
                mentions=mention,
            ),
        )
    )
    assert [(row["outcome"], row["kind"]) for row in found] == [("stroke", "strength")]
    assert "population stroke" in found[0]["aligns"]


def test_a_harm_in_a_condition_does_not_deny_a_benefit_there() -> None:
    mention = {"stroke": ("DISEASE", None)}
    assert not conflicts(
        two(
            claim(
                "Fernwort restores speech after a stroke.",
                "speech",
                "benefit",
                population="stroke",
                mentions=mention,
            ),
            claim(
                "Fernwort raised blood pressure after a stroke.",
                "blood pressure",
                "harm",
                population="stroke",
                mentions=mention,
            ),
        )
    )


def test_copies_do_not_disagree_with_themselves() -> None:
    text = "Whether the drops do anything at all for a dry cough in adults is not known to science."
    assert not conflicts(
        two(
            claim(text, "cough", "benefit", certainty="certain"),
            claim(text, "cough", "benefit", certainty="possible"),
        )
    )


def test_evidence_and_firm_wording_rank_first() -> None:
    corpus = Corpus()
    for number, (certainty, evidence) in enumerate(
        [("possible", "none"), ("certain", "none"), ("certain", "rct")]
    ):
        corpus.document(
            f"for{number}",
            "journal",
            claim(
                f"In group {number} the drops eased the symptom.",
                f"symptom {number}",
                "benefit",
                certainty=certainty,
                evidence=evidence,
            ),
        )
        corpus.document(
            f"against{number}",
            "journal",
            claim(
                f"In group {number} the drops left the symptom alone.",
                f"symptom {number}",
                "no_effect",
                evidence=evidence,
            ),
        )
    assert [row["outcome"] for row in conflicts(corpus)] == ["symptom 2", "symptom 1", "symptom 0"]


def crowd(pages: int) -> Corpus:
    """Return one review that denies what many shops claim, and another disagreement."""
    corpus = Corpus()
    corpus.document(
        "review",
        "journal",
        claim(
            "Ten trials found no effect on cough.", "cough", "no_effect", evidence="meta_analysis"
        ),
        claim("Four trials found no effect on snoring.", "snoring", "no_effect", evidence="rct"),
    )
    for number in range(pages):
        corpus.document(
            f"shop{number:03}",
            "vendor",
            claim(f"Shop {number} knows that Fernwort cures cough.", "cough", "benefit"),
        )
    corpus.document(
        "sleep",
        "clinic",
        claim("Fernwort may end snoring for most.", "snoring", "benefit", certainty="possible"),
    )
    return corpus


def test_no_claim_fills_the_top() -> None:
    assert "snoring" in [row["outcome"] for row in conflicts(crowd(12))[:2]]


def test_a_cell_gives_only_so_many_conflicts() -> None:
    found = conflicts(crowd(30), per_cell=5)
    assert sum(row["outcome"] == "cough" for row in found) == 5


# ------------------------------------------------------------------ guarantees


def test_the_order_of_rows_never_matters() -> None:
    given = sample().tables()
    expected = build(given)
    shuffle = random.Random(7)
    for _ in range(3):
        mixed = {}
        for name, table in given.items():
            rows = list(range(table.num_rows))
            shuffle.shuffle(rows)
            mixed[name] = table.take(pa.array(rows, pa.int64()))
        found = build(mixed)
        assert all(found[name].equals(expected[name]) for name in expected)


def test_the_tables_keep_their_contract() -> None:
    given = sample().tables()
    found = build(given)
    tables.check({**given, **found}, names=found)
    assert set(found) == set(STAGES[-1].outputs)


def previous(found: Mapping[str, pa.Table]) -> dict[str, pa.Table]:
    return {f"previous {name}": table for name, table in found.items()}


def test_a_rerun_gives_the_tables_of_a_run_from_nothing() -> None:
    corpora = [sample() for _ in range(3)]
    corpora[1].document("late", "blog", claim("Fernwort soothes itch.", "itch", "benefit"))
    corpora[2].document("late", "blog", claim("Fernwort worsens sleep.", "sleep", "harm"))
    found: dict[str, pa.Table] = {}
    for corpus in (*corpora, Corpus(), corpora[1]):
        given = corpus.tables()
        found = build({**given, **previous(found)})
        assert all(found[name].equals(table) for name, table in build(given).items())


def test_a_rerun_computes_only_cells_that_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    before = build(sample().tables())
    corpus = sample()
    corpus.document("late", "blog", claim("Fernwort worsens sleep.", "sleep", "harm"))
    computed = []
    monkeypatch.setattr(
        "hedgerow.evidence.build.in_cell",
        lambda members, per_cell: computed.append(members[0][1]) or in_cell(members, per_cell),
    )
    build({**corpus.tables(), **previous(before)})
    assert [place.outcome.name for place in computed] == ["sleep"]


def test_a_copy_elsewhere_changes_the_cells_of_what_it_copies() -> None:
    text = "In a large trial Fernwort reduced attacks of chronic migraine by a half."
    corpus = two(claim(text, "attacks", "benefit"), claim("Fernwort dulls taste.", "taste", "harm"))
    before = build(corpus.tables())
    corpus.document("copy", "blog", claim(f"{text} ", "attacks", "benefit"))
    given = corpus.tables()
    found = build({**given, **previous(before)})
    assert found["evidence_claims"].equals(build(given)["evidence_claims"])
    assert cells(corpus)["attacks"]["statements"] == 1


def test_no_claims_give_empty_tables() -> None:
    found = build(Corpus().tables())
    assert [table.num_rows for table in found.values()] == [0, 0, 0, 0]


def test_cells_count_what_evidence_claims_lists() -> None:
    found = build(sample().tables())
    members = found["evidence_claims"].to_pylist()
    for cell in found["evidence_map"].to_pylist():
        own = [m for m in members if m["cell_id"] == cell["cell_id"]]
        assert cell["claims"] == len(own)
        assert cell["statements"] == len({m["copy_of"] for m in own})
        studies = {s for m in own for s in m["studies"].split(", ") if s}
        assert cell["studies"] == len(studies)


def test_stances_hold_all_directions() -> None:
    assert set(tables.DIRECTIONS) <= set(tables.STANCES)


def test_joining_does_not_depend_on_order() -> None:
    pairs = [("d", "c"), ("b", "a"), ("c", "b"), ("y", "x")]
    for seed in range(5):
        random.Random(seed).shuffle(pairs)
        groups = Groups()
        for pair in pairs:
            groups.join(*pair)
        assert {item: groups.find(item) for item in "abcdxy"} == {
            **dict.fromkeys("abcd", "a"),
            **dict.fromkeys("xy", "x"),
        }


@pytest.mark.parametrize(
    ("identifier", "key"),
    [
        ("pmid:26564102", "pmid:26564102"),
        ("CD007026", "cochrane:CD007026"),
        ("PMC4689177", "pmcid:PMC4689177"),
        ("NCT00868283", "trial:NCT00868283"),
        ("doi:10.1000/ABC", "doi:10.1000/abc"),
        ("see page", None),
    ],
)
def test_identifiers_have_one_spelling(identifier: str, key: str | None) -> None:
    assert identifier_key(identifier) == key


@pytest.mark.parametrize(
    ("effect", "stance"), [("decrease", "harm"), ("increase", "benefit"), (None, "benefit")]
)
def test_a_lowered_threshold_is_a_harm(effect: str | None, stance: str) -> None:
    corpus = Corpus()
    corpus.document(
        "a",
        "blog",
        claim("Fernwort could lower the seizure threshold.", "seizure threshold", "benefit"),
    )
    given = corpus.tables()
    rows = [{**row, "effect": effect} for row in given["claims"].to_pylist()]
    given["claims"] = tables.conform("claims", tables.from_rows("claims", rows))
    given["statements"] = statements_of(given, NAMES)
    assert {row["stance"] for row in build(given)["evidence_claims"].to_pylist()} == {stance}


def test_no_good_evidence_of_a_benefit_is_a_doubt_of_that_benefit() -> None:
    found = conflicts(
        two(
            claim("Fernwort sharpens memory in most adults.", "memory", "benefit"),
            claim(
                "There is no good evidence that Fernwort improves memory.",
                "evidence",
                "benefit",
                polarity="negated",
            ),
        )
    )
    assert [(row["kind"], row["outcome"]) for row in found] == [("strength", "cognition")]


def test_a_doubt_of_the_trials_is_one_of_what_the_page_is_about() -> None:
    corpus = Corpus()
    corpus.document("shop", "vendor", claim("Fernwort eases pain in most.", "pain", "benefit"))
    corpus.document(
        "review",
        "journal",
        claim("Fernwort did not ease snoring at all.", "snoring", "no_effect"),
        claim(
            "The trials give no good evidence that the pain stops.",
            "pain",
            subject="The trials",
            polarity="negated",
            claim_type="evidence_quality",
        ),
    )
    found = conflicts(corpus)
    assert [(row["subject"], row["outcome"]) for row in found] == [("Fernwort", "pain")]


def test_a_denial_that_says_nothing_of_evidence_is_no_doubt() -> None:
    found = build(
        two(
            claim("Fernwort makes every life better.", "benefit", "benefit"),
            claim(
                "Fernwort is not on that path.",
                "path",
                polarity="negated",
                claim_type="evidence_quality",
            ),
        ).tables()
    )
    assert found["conflicts"].num_rows == 0


def test_a_clause_that_denies_the_outcome_is_no_benefit_there() -> None:
    corpus = Corpus()
    texts = {
        "clear": "Fernwort gave relief from snoring within a week or two.",
        "mixed": "Fernwort eased coughing, whereas no relief from snoring was seen.",
    }
    for doc_id, text in texts.items():
        corpus.document(doc_id, "blog", claim(text, "snoring", "benefit"))
    corpus.document(
        "review",
        "journal",
        claim("Two trials found no effect on snoring at night.", "snoring", "no_effect"),
    )
    scores = {row["doc_a"]: row["score"] for row in conflicts(corpus)}
    assert scores["mixed"] < 0.7 * scores["clear"]


def test_other_outcomes_of_one_condition_are_explained_and_ranked_lower() -> None:
    mention = {"stroke": ("DISEASE", None)}
    against = claim(
        "No effect on death was seen after a stroke.",
        "death",
        "no_effect",
        population="stroke",
        evidence="rct",
        mentions=mention,
    )
    found = {}
    for outcome in ("memory", "speech"):
        words = claim(
            f"Fernwort restores {outcome} after a stroke.",
            outcome,
            "benefit",
            population="stroke",
            evidence="rct",
            mentions=mention,
        )
        found[outcome] = conflicts(two(words, against))[0]
    assert found["memory"]["explained"] and not found["speech"]["explained"]
    assert "outcome: cognition / death" in found["memory"]["differs"]
    assert found["memory"]["score"] < found["speech"]["score"]


def test_a_side_effect_does_not_deny_a_benefit_in_the_same_broad_outcome() -> None:
    good = claim("Fernwort lifts the mood of most adults.", "mood", "benefit")
    efficacy = claim("Fernwort worsened the mood of most adults.", "mood", "harm")
    safety = claim("Fernwort worsened the mood of most adults.", "mood", "harm", **HARM)
    alike, apart = (conflicts(two(good, bad))[0]["score"] for bad in (efficacy, safety))
    assert apart < 0.5 * alike


def test_an_item_without_a_verb_ranks_below_a_sentence() -> None:
    against = claim("Two trials found no effect on coughing.", "cough", "no_effect")
    scores = [
        conflicts(two(claim(text, "cough", "benefit"), against))[0]["score"]
        for text in ("It eases a dry cough in adults", "Relief of dry cough in most adults")
    ]
    assert scores[1] < scores[0]


@pytest.mark.parametrize(
    ("study", "named"),
    [
        ("MOSSY trial", True),
        ("trial of 46 patients with cough", True),
        ("two recent randomised trials", False),
        ("CI 0.90-1.91", False),
        ("OutcomeResultSource", False),
    ],
)
def test_only_a_telling_name_identifies_a_study(study: str, named: bool) -> None:
    assert (study_name(study, NAMES)[0] is not None) is named


def test_both_studies_are_named_in_what_differs() -> None:
    found = conflicts(
        two(
            claim("In MOSSY, Fernwort eased cough.", "cough", "benefit", study="MOSSY"),
            claim("In BOGGY, cough stayed the same.", "cough", "no_effect", study="BOGGY"),
        )
    )
    assert "study: MOSSY / BOGGY" in found[0]["differs"]


def test_a_benefit_whose_interval_holds_no_effect_does_not_deny_one() -> None:
    corpus = two(
        claim(
            "Death: RR 0.96 (95% CI 0.65 to 1.41) with Fernwort.",
            "death",
            "benefit",
            numbers={"RR": "0.96 (95% CI 0.65 to 1.41)"},
        ),
        claim("Fernwort did not change deaths in adults.", "death", "no_effect"),
    )
    assert conflicts(corpus)
    corpus.rows["statistics"][0] |= {"value": 0.96, "ci_low": 0.65, "ci_high": 1.41}
    assert not conflicts(corpus)


def test_patients_against_healthy_people_are_explained() -> None:
    against = claim(
        "Nothing shows that healthy adults gain memory.", "memory", "no_effect", evidence="rct"
    )
    plain = claim("Fernwort improves memory in no time.", "memory", "benefit")
    tested = claim("Fernwort improved memory in a trial.", "memory", "benefit", evidence="rct")
    assert not conflicts(two(plain, against))[0]["explained"]
    assert conflicts(two(tested, against))[0]["explained"]


def test_approval_for_other_uses_is_explained_by_the_use() -> None:
    found = conflicts(
        two(
            claim(
                "Fernwort is licensed for migraine.",
                "approval",
                claim_type="regulatory",
                mentions={"migraine": ("DISEASE", None)},
            ),
            claim(
                "Fernwort is not licensed for gout.",
                "approval",
                polarity="negated",
                claim_type="regulatory",
                mentions={"gout": ("DISEASE", None)},
            ),
        )
    )
    assert found[0]["explained"]
    assert "population: migraine / gout" in found[0]["differs"]


def test_a_class_of_remedies_is_a_doubtful_meeting() -> None:
    def score(subject: str) -> float:
        words = [
            claim(f"{subject} eases cough quickly in most.", "cough", "benefit", subject=subject),
            claim(f"{subject} did not ease cough at all.", "cough", "no_effect", subject=subject),
        ]
        return float(conflicts(two(*words))[0]["score"])

    assert score("Exercise") < 0.7 * score("Fernwort")
