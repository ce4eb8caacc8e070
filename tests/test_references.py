"""Entries of reference lists are taken apart; what they do not say stays null."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hedgerow.nlp.references import Reference, parse
from hedgerow.nlp.rules import load_rules
from hedgerow.tables import REFERENCES


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (
            (
                "1. Moe A, Berg BC, et al. Zinc and the common cold. J Made Up. 2019;4(2):12-19. "
                "doi:10.1234/JMU.4.12. PMID: 12345678."
            ),
            Reference(
                marker="1",
                authors="Moe A, Berg BC, et al",
                title="Zinc and the common cold",
                year=2019,
                venue="J Made Up",
                doi="10.1234/jmu.4.12",
                pmid="12345678",
            ),
        ),
        (
            (
                "- [2] Moe A, Berg B. (2021). Iron at night: a trial. Invented Database Syst Rev. "
                "CD123456"
            ),
            Reference(
                marker="2",
                authors="Moe A, Berg B",
                title="Iron at night: a trial",
                year=2021,
                venue="Invented Database Syst Rev",
                cochrane_id="CD123456",
            ),
        ),
        (
            (
                "(3) Moe, A. B., & Berg, C. (2018). Is tea safe? Invented Nutrition, 12(3), 45-67. "
                "https://doi.org/10.1234/in(2018)12"
            ),
            Reference(
                marker="3",
                authors="Moe, A. B., & Berg, C",
                title="Is tea safe?",
                year=2018,
                venue="Invented Nutrition",
                doi="10.1234/in(2018)12",
            ),
        ),
        (
            "¹² Moe A et al. Invented Med 2020;3:4-5. PMC1234567, NCT01234567",
            Reference(
                marker="12",
                authors="Moe A et al",
                year=2020,
                venue="Invented Med",
                pmcid="PMC1234567",
                registration="NCT01234567",
            ),
        ),
        (
            (
                "4. Moe, Anna et al. “A trial of tea.” Invented journal of tea vol. 8,2 (2013): "
                "95-104. doi:10.1111/x.y"
            ),
            Reference(
                marker="4",
                authors="Moe, Anna et al",
                title="A trial of tea",
                year=2013,
                venue="Invented journal of tea",
                doi="10.1111/x.y",
            ),
        ),
        (
            '12. ^ Moe K, et al. (2009). "Effects of a mushroom". Invented Res 23 (3): 367–372.',
            Reference(
                marker="12",
                authors="Moe K, et al",
                title="Effects of a mushroom",
                year=2009,
                venue="Invented Res",
            ),
        ),
        (
            "Moe KL (2000). Nature 406, 722–726.",
            Reference(authors="Moe KL", year=2000, venue="Nature"),
        ),
        (
            "World Tea Organization (2013). Guideline on tea.",
            Reference(authors="World Tea Organization", title="Guideline on tea", year=2013),
        ),
        (
            "5. J Made Up 2016;47:151-159. PMID: 23456789.",
            Reference(marker="5", year=2016, venue="J Made Up", pmid="23456789"),
        ),
        ("6. As reference 5.", Reference(marker="6", title="As reference 5")),
        ("[a] The label of the drug.", Reference(marker="a", title="The label of the drug")),
        (
            "7. de la Moe A, van Berg BC. Tea. Invented 2012. EudraCT 2012-001234-56",
            Reference(
                marker="7",
                authors="de la Moe A, van Berg BC",
                title="Tea",
                year=2012,
                venue="Invented",
                registration="2012-001234-56",
            ),
        ),
    ],
)
def test_an_entry_is_taken_apart(raw, expected):
    assert parse(raw) == expected


def test_the_fields_are_the_columns_of_the_table():
    columns = {column.name for column in REFERENCES.columns}
    assert set(vars(Reference())) <= columns


@given(st.text(max_size=120))
def test_any_text_is_parsed(raw):
    assert isinstance(parse(raw), Reference)


@pytest.mark.timeout(20)
@pytest.mark.parametrize("raw", ["Moe A, " * 20_000, "A. " * 50_000, "(" * 90_000, "1 " * 50_000])
def test_a_long_entry_is_parsed_in_seconds(raw):
    assert parse(raw)


def test_every_identifier_rule_finds_its_example_and_not_the_counterexample():
    for rule in load_rules("references"):
        assert re.search(rule.regex, rule.example), rule.id
        assert not re.search(rule.regex, rule.counterexample), rule.id
