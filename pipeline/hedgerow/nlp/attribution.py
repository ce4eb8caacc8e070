"""Whom a claim is put to: the party that says it, or the study that found it.

In whose voice a unit speaks is the unit classifier's to say; this module names the party, by the
frames of `attribution.toml` and the ranking model (`ranking.py`), and corrects the one case that
text alone settles: a unit with a citation marker is cited, not the author's own.
"""

from __future__ import annotations

from dataclasses import dataclass

from hedgerow.nlp.ranking import Ranking, Unit, is_study, phrase_of


@dataclass(frozen=True)
class Attribution:
    """In whose voice a claim is said, and the party or study it is put to, if it is named.

    start, end: where the party is named in the document. study: the text, where it is one.
    """

    voice: str
    party: str | None = None
    start: int | None = None
    end: int | None = None
    study: str | None = None


def attribute(voice: str, unit: Unit, ranking: Ranking, *, cited: bool) -> Attribution:
    """Return the attribution of a claim.

    voice: the unit classifier's label. cited: whether a citation marker stands in the claim.
    ranking: the unit's candidates.
    """
    voice = "cited" if cited else voice
    if voice == "author":
        return Attribution(voice)
    party = ranking.best("party")
    if party is None:
        return Attribution(voice)
    text, start, end = phrase_of(party, unit)
    return Attribution(voice, text, start, end, text if is_study(party) else None)
