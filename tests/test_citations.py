"""Citation markers: every one is found and resolves to its entry, and none is invented."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest

from hedgerow.nlp.citations import Entry, ReferenceIndex, find_citations, marker_style
from hedgerow.nlp.rules import load_rules

SEED = Path(__file__).parents[2] / "shared" / "seed_pages"

NUMBERED = ReferenceIndex(
    [
        Entry(f"R{n}", str(n), f"{name} A", 2000 + n, ids)
        for n, name, ids in (
            (1, "Marlow", {"pmid": "11111111"}),
            (2, "Okafor", {"doi": "10.1000/abc.2"}),
            (3, "Lindqvist", {}),
            (4, "Tanaka", {"cochrane_id": "CD001234"}),
            (5, "Moreau", {"registration": "NCT01234567"}),
        )
    ]
)
NOTHING = ReferenceIndex()


def found(
    text: str, references: ReferenceIndex = NUMBERED, others: tuple[str, ...] = ()
) -> list[tuple[str, str | None, str | None]]:
    """Markers of a text in a document that also holds the texts `others`."""
    styles = marker_style([text, *others], references)
    return [
        (text[c.start : c.end], c.reference_id, c.identifier)
        for c in find_citations(text, styles, references)
    ]


@pytest.mark.parametrize(
    ("text", "marker", "targets"),
    [
        ("The gel cooled the skin.[1]", "[1]", ["R1"]),
        ("The gel cooled the skin [1,3-5].", "[1,3-5]", ["R1", "R3", "R4", "R5"]),
        ("The gel cooled the skin [2, 4].", "[2, 4]", ["R2", "R4"]),
        ("The gel cooled the skin (4,5).", "(4,5)", ["R4", "R5"]),
        ("The gel cooled the skin..(2)", "(2)", ["R2"]),
        ("The gel cooled the skin.³", "³", ["R3"]),
        ("The gel cooled the skin.¹⁻³", "¹⁻³", ["R1", "R2", "R3"]),
        ("The gel cooled the skin.2,3", "2,3", ["R2", "R3"]),
        ("The gel cooled the skin 4, 5.", "4, 5", ["R4", "R5"]),
    ],
)
def test_numbers_resolve_to_their_entries(text: str, marker: str, targets: list[str]) -> None:
    assert found(text) == [(marker, target, None) for target in targets]


@pytest.mark.parametrize(
    ("text", "marker", "target"),
    [
        ("The gel cooled the skin (Marlow et al., 2001).", "Marlow et al., 2001", "R1"),
        ("Okafor and colleagues (2002) tried the gel.", "Okafor and colleagues (2002)", "R2"),
        ("Lindqvist (2003) tried the gel.", "Lindqvist (2003)", "R3"),
        ("Tanaka et al. tried the gel.", "Tanaka et al.", "R4"),
        ("The gel cooled the skin (PMID: 11111111).", "PMID: 11111111", "R1"),
        ("The gel cooled the skin (doi:10.1000/ABC.2).", "doi:10.1000/ABC.2", "R2"),
        ("The gel cooled the skin (Cochrane CD001234).", "Cochrane CD001234", "R4"),
        ("The gel cooled the skin (NCT01234567).", "NCT01234567", "R5"),
    ],
)
def test_names_and_identifiers_resolve_to_their_entries(
    text: str, marker: str, target: str
) -> None:
    assert found(text) == [(marker, target, None)]


@pytest.mark.parametrize(
    ("text", "marker", "identifier"),
    [
        ("As reported (PMC1234567).", "PMC1234567", "pmcid:PMC1234567"),
        ("See PubMed 12345678", "PubMed 12345678", "pmid:12345678"),
        ("See Cochrane CD009999.", "Cochrane CD009999", "cochrane:CD009999"),
        (
            "See https://doi.org/10.1000/x(1)y.",
            "https://doi.org/10.1000/x(1)y",
            "doi:10.1000/x(1)y",
        ),
        ("Registered (ISRCTN12345678).", "ISRCTN12345678", "isrctn:ISRCTN12345678"),
    ],
)
def test_an_identifier_without_an_entry_stands_for_itself(
    text: str, marker: str, identifier: str
) -> None:
    assert found(text) == [(marker, None, identifier)]


def test_a_marker_whose_entry_is_missing_is_unresolved() -> None:
    assert found("The gel cooled the skin [9].") == [("[9]", None, None)]
    assert found("The gel cooled it (Heller et al., 1999).") == [
        ("Heller et al., 1999", None, None)
    ]


def test_bare_numbers_count_where_the_document_counts_upwards_with_them() -> None:
    others = ("The gel cooled the skin 2.", "It dried in the sun 3.")
    assert found("The gel is blue 1.", NOTHING, others) == [("1", None, None)]
    assert found("The gel is blue 1.", NOTHING) == []


@pytest.mark.parametrize(
    "text",
    [
        "The gel was sold until 2016.",
        "It was measured on day 90.",
        "It took part in phase 2.",
        "The dose was 5.",
        "(1) Wash the skin. (2) Dry it.",
        "1. Wash the skin",
        "The score rose to 3 (2).",
        "The median was 4 [2, 5].",
        "The area was 12 cm².",
        "It grew with R² of 0.4 and 10³ cells.",
        "CD4 cells fell (Smith 2010).",
        "It was opened in April (2012).",
        "The gel stung (3%).",
        "STEP 1",
    ],
)
def test_years_doses_and_list_numbers_are_no_citations(text: str) -> None:
    assert found(text, ReferenceIndex([Entry("R9", "9", None, None, {})])) == []


def test_every_shape_matches_its_example_and_not_its_counterexample() -> None:
    for rule in load_rules("citations"):
        assert rule.regex.search(rule.example), rule.id
        assert not rule.regex.search(rule.counterexample), rule.id


def _page(name: str) -> tuple[list[str], ReferenceIndex]:
    """Sentences and reference list of a seed page, cut by its simplest signs."""
    path = next(SEED.glob(f"{name}_*.txt"), None)
    if path is None:
        pytest.skip(f"no {SEED}")
    entries, body = [], []
    for line in path.read_text(encoding="utf-8").splitlines():
        entry = re.match(r"\s*(?:- )?\[?(\d+)[\].]\s.*(?:doi:|PMID)", line)
        if entry:
            entries.append(Entry(f"R{entry.group(1)}", entry.group(1), None, None, {}))
        else:
            body += [s for s in re.split(r"(?<=\.)\s+(?=[A-Z])", line) if s.strip()]
    return body, ReferenceIndex(entries)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("000", {None: 13}),
        ("001", {None: 6}),
        ("002", {None: 1}),
        ("003", {f"R{n}": 1 for n in range(1, 10)}),
        ("004", {"R1": 6, "R2": 1, "R3": 1, "R4": 2}),
    ],
)
def test_every_marker_of_the_seed_pages_is_found_and_none_invented(
    name: str, expected: dict[str | None, int]
) -> None:
    sentences, references = _page(name)
    styles = marker_style(sentences, references)
    citations = [c for s in sentences for c in find_citations(s, styles, references)]
    assert Counter(c.reference_id for c in citations) == expected
    identifiers = Counter((c.identifier or "none").split(":")[0] for c in citations)
    if name == "001":
        assert identifiers == {"pmid": 3, "pmcid": 2, "cochrane": 1}
