"""Statistics: numbers parse back to what the text says, with measure, interval, P value and arm."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hedgerow.nlp.rules import load_rules
from hedgerow.nlp.statistics import Statistic, card_statistic, find_statistics
from hedgerow.tables import MEASURES

SEED = Path(__file__).parents[2] / "shared" / "seed_pages"


def rows(text: str, *fields: str) -> list[tuple[Any, ...]]:
    """The fields of every statistic of a text, its own text first."""
    return [
        (text[r.start : r.end], *(getattr(r, f) for f in fields)) for r in find_statistics(text)
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "OR 2.5 (95% CI 1.2-4.8), P=0.02",
            Statistic(0, 31, "OR", 2.5, None, 1.2, 4.8, 95.0, 0.02, "="),
        ),
        (
            "relative risk was 0.81; 95% CI, 0.70 to 0.94; P < .001",
            Statistic(0, 54, "RR", 0.81, None, 0.7, 0.94, 95.0, 0.001, "<"),
        ),
        (
            "hazard ratio (HR) 0.92 [90% confidence interval (CI): 0.8; 1.1]",
            Statistic(0, 63, "HR", 0.92, None, 0.8, 1.1, 90.0),
        ),
        (
            "mean difference −0.44 (95% CI −0.70 to −0.18)",
            Statistic(0, 45, "MD", -0.44, None, -0.7, -0.18, 95.0),
        ),
        ("RR 0.77 (0.42 to 1.41)", Statistic(0, 22, "RR", 0.77, None, 0.42, 1.41)),
        ("HR 0·75", Statistic(0, 7, "HR", 0.75)),
        ("Cohen's d = 0.4", Statistic(0, 15, "SMD", 0.4)),
        (
            "Mann–Whitney 0.66, P≤0.005",
            Statistic(0, 26, "effect size", 0.66, p_value=0.005, p_operator="<="),
        ),
        ("n=205", Statistic(0, 5, "n", 205.0)),
        ("1,773 patients", Statistic(0, 14, "n", 1773.0)),
        ("46 moderate asthma patients", Statistic(0, 27, "n", 46.0)),
        ("14-trial", Statistic(0, 8, "trials", 14.0)),
        ("nine randomised trials", Statistic(0, 22, "trials", 9.0)),
        ("30 mL/day", Statistic(0, 9, "dose", 30.0, "mL/day")),
        ("21 days", Statistic(0, 7, "duration", 21.0, "days")),
        ("at 90 days", Statistic(0, 10, "follow-up", 90.0, "days")),
        ("day 90", Statistic(0, 6, "follow-up", 90.0, "day")),
        ("60 years of age", Statistic(0, 15, "age", 60.0, "years")),
        ("3-fold", Statistic(0, 6, "fold", 3.0, "fold")),
        ("p = .03", Statistic(0, 7, "P", p_value=0.03, p_operator="=")),
        ("12 mmol/L", Statistic(0, 9, "other", 12.0, "mmol/L")),
    ],
)
def test_a_number_is_read_with_what_belongs_to_it(text: str, expected: Statistic) -> None:
    assert find_statistics(text) == [expected]


def test_a_range_gives_both_ends() -> None:
    assert rows("doses of 10 to 50 mL per day", "measure", "value", "unit") == [
        ("10 to 50 mL per day", "dose", 10.0, "mL per day"),
        ("50 mL per day", "dose", 50.0, "mL per day"),
    ]


def test_a_comparison_gives_both_arms_and_shares_its_p_value() -> None:
    assert rows("median score 41.0 vs 22.0", "measure", "value") == [
        ("median score 41.0", "median", 41.0),
        ("22.0", "median", 22.0),
    ]
    assert rows("61.3% Lumerol versus 64.0% placebo)", "value", "arm") == [
        ("61.3%", 61.3, "Lumerol"),
        ("64.0%", 64.0, "placebo"),
    ]
    text = "35% in the treatment group and 20% in the placebo group (P<.001)"
    assert rows(text, "value", "arm", "p_operator", "p_value") == [
        (text, 35.0, "treatment", "<", 0.001),
        ("20% in the placebo group (P<.001)", 20.0, "placebo", "<", 0.001),
    ]


@pytest.mark.parametrize(
    "text",
    [
        "It was sold until 2016.",
        "IL-6 and CD4 and GLP-1",
        "a phase 2 trial",
        "Table 3 shows it",
        "The 2014 review was short.",
        "5 of them",
        "no number",
    ],
)
def test_years_names_and_labels_are_no_statistics(text: str) -> None:
    assert find_statistics(text) == []


def test_markers_are_no_statistics() -> None:
    text = "It helped 12 patients 7, 8."
    assert [r.value for r in find_statistics(text, [(22, 26)])] == [12.0]


def test_a_card_takes_its_measure_and_p_value_from_its_other_parts() -> None:
    assert card_statistic("0.71", ["Effect size, grip", "BEACON trial, P<0.001"]) == Statistic(
        0, 4, "effect size", 0.71, p_value=0.001, p_operator="<"
    )
    assert card_statistic("1,204", ["Asthma patients pooled"]) == Statistic(0, 5, "n", 1204.0)
    assert card_statistic("Free postage", ["today"]) is None


def test_every_measure_matches_its_example_and_not_its_counterexample() -> None:
    for rule in load_rules("measures"):
        assert rule.fields["measure"] in MEASURES
        assert rule.regex.search(rule.example), rule.id
        assert not rule.regex.search(rule.counterexample), rule.id


numbers = st.decimals(min_value=-999, max_value=999, places=2)
positive = st.decimals(min_value=0, max_value=999, places=2)


@given(
    measure=st.sampled_from([("OR", "OR"), ("mean difference", "MD"), ("hazard ratio", "HR")]),
    value=numbers,
    low=numbers,
    high=numbers,
    p=st.decimals(min_value="0.0001", max_value="0.9999", places=4),
    operator=st.sampled_from(["=", "<", ">"]),
    minus=st.sampled_from(["-", "−"]),
    to=st.sampled_from([" to ", ", "]),
    lead=st.sampled_from(["", "We saw ", "Pain fell ("]),
)
def test_a_written_result_reads_back(
    measure: tuple[str, str], value: Any, low: Any, high: Any, p: Any, operator: str,
    minus: str, to: str, lead: str,
) -> None:  # fmt: skip
    result = f"{measure[0]} {value} (95% CI {low}{to}{high}), P{operator}{p}".replace("-", minus)
    text = f"{lead}{result} in all."
    (row,) = (r for r in find_statistics(text) if r.measure == measure[1])
    assert text[row.start : row.end] == result
    assert (row.value, row.ci_low, row.ci_high) == (float(value), float(low), float(high))
    assert (row.ci_level, row.p_operator, row.p_value) == (95.0, operator, float(p))


@given(st.text(alphabet="0123456789 .,-–%()=<PpnCIORv/amgdaysto", max_size=80))
def test_spans_lie_inside_the_text_and_hold_the_number(text: str) -> None:
    for row in find_statistics(text):
        assert 0 <= row.start < row.end <= len(text)
        assert row.measure in MEASURES
        inner = text[row.start : row.end]
        assert any(c.isdigit() for c in inner)


@pytest.mark.parametrize(
    "piece", ["1", "1,", "95% CI ", "P < ", "10-", "mean ", "1 vs 2 ", "(1 ", "five "]
)
def test_repeated_pieces_do_not_stall_the_search(piece: str) -> None:
    text = piece * (40_000 // len(piece))
    for row in find_statistics(text):
        assert row.end <= len(text)


SEED_ROWS: dict[str, list[tuple[Any, ...]]] = {
    "001": [
        (3427, 3435, "P", None, None, None, None, "<", 0.0001),
        (3488, 3494, "P", None, None, None, None, "=", 0.02),
        (3547, 3554, "P", None, None, None, None, "=", 0.003),
        (3679, 3737, "effect size", 0.71, 0.63, 0.79, 95.0, "<", 0.0001),
        (3894, 3952, "effect size", 0.62, 0.58, 0.65, 95.0, "<", 0.0001),
        (4052, 4100, "MD", 1.39, 0.53, 2.25, 95.0, "=", 0.02),
        (4248, 4282, "RR", 1.31, 0.9, 1.91, 95.0, None, None),
        (4590, 4657, "SMD", -0.4, -0.66, -0.13, 95.0, "=", 0.003),
        (4788, 4830, "OR", 3.32, 1.2, 9.21, 95.0, "=", 0.02),
        (4843, 4870, "OR", 4.98, 1.37, 18.13, 95.0, None, None),
        (5011, 5037, "effect size", 0.69, None, None, None, "=", 0.024),
        (5981, 6006, "RR", 1.08, 0.84, 1.4, 95.0, None, None),
        (6022, 6047, "RR", 0.86, 0.68, 1.09, 95.0, None, None),
    ],
    "004": [
        (3038, 3052, "n", 1070.0, None, None, None, None, None),
        (3579, 3589, "follow-up", 90.0, None, None, None, None, None),
        (3968, 3995, "trials", 6.0, None, None, None, None, None),
        (4011, 4027, "n", 600.0, None, None, None, None, None),
    ],
}
"""start, end, measure, value, interval, level, operator and P value; of page 001 those with an
interval or P value, of page 004 all outside its reference list."""


@pytest.mark.parametrize("name", sorted(SEED_ROWS))
def test_every_result_of_the_seed_pages_is_read(name: str) -> None:
    path = next(SEED.glob(f"{name}_*.txt"), None)
    if path is None:
        pytest.skip(f"no {SEED}")
    found = []
    offset = 0
    for line in path.read_text(encoding="utf-8").splitlines(keepends=True):
        found += [
            (r.start + offset, r.end + offset, r.measure, r.value, r.ci_low, r.ci_high,
             r.ci_level, r.p_operator, r.p_value)
            for r in find_statistics(line.rstrip("\n"))
            if name == "004" or r.ci_low is not None or r.p_value is not None
        ]  # fmt: skip
        offset += len(line)
    assert found == SEED_ROWS[name]
