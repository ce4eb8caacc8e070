"""Attribution: the party or study that a claim is put to is named where the text names it."""

from __future__ import annotations

import pytest

from hedgerow.nlp import ranking
from hedgerow.nlp.attribution import attribute
from hedgerow.nlp.rules import load_rules


def party(
    text: str, voice: str = "reported", *, before: str | None = None, cited: bool = False
) -> tuple[str, str | None]:
    """Voice and party of a sentence, `before` being the one before it."""
    start = len(before) + 1 if before else 0
    unit = ranking.make_unit(start, text, "paragraph")
    previous = ranking.make_unit(0, before, "paragraph") if before else None
    units = [u for u in (previous, unit) if u is not None]
    labels = ("efficacy", "cited" if cited else voice)
    candidates = ranking.find_candidates(
        unit,
        ranking.make_profile(units, None),
        lead_in=None,
        previous=previous,
        section=None,
        labels=labels,
    )
    found = attribute(voice, unit, ranking.Ranking(candidates, labels), cited=cited)
    whole = f"{before} {text}" if before else text
    if found.party is not None and found.start is not None:
        assert whole[found.start : found.end] == found.party
    return found.voice, found.party


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Manufacturers say that the gel cools the skin.", "Manufacturers"),
        ("Critics argue that the gel does nothing.", "Critics"),
        ("According to the agency, the gel may irritate the eyes.", "agency"),
        ("Users report less pain after a week.", "Users"),
        ("The committee concluded that the gel had no effect.", "committee"),
        ("It may, the reviewers insist, be real.", "reviewers"),
    ],
)
def test_the_party_of_a_frame_is_named(text: str, expected: str) -> None:
    assert party(text) == ("reported", expected)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The BEACON-2 trial found that the gel halved pain.", "BEACON-2 trial"),
        ("A 2019 Cochrane review found no benefit.", "2019 Cochrane review"),
        ("In a small pilot study, pain fell by half.", "small pilot study"),
    ],
)
def test_the_study_of_a_cited_claim_is_named(text: str, expected: str) -> None:
    assert party(text, "cited") == ("cited", expected)


def test_a_marker_makes_the_author_cite() -> None:
    assert party("The gel cools the skin.", "author", cited=True)[0] == "cited"


def test_the_author_is_no_party() -> None:
    assert party("Manufacturers sell the gel in tubes.", "author") == ("author", None)


def test_every_frame_matches_its_example_and_not_its_counterexample() -> None:
    for rule in load_rules("attribution"):
        assert rule.regex.search(rule.example), rule.id
        assert not rule.regex.search(rule.counterexample), rule.id
