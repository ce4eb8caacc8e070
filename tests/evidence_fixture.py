"""A small corpus by hand: invented pages about an invented remedy, as tables."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from hedgerow import tables
from hedgerow.evidence.names import shipped
from hedgerow.evidence.statements import statements_of, works_of
from hedgerow.ids import make_id, occurrence_ids

_SCORES = {"certain": 0.95, "probable": 0.75, "possible": 0.45, "uncommitted": 0.2}
_CUES = {
    "may": ("speculation", "possible"),
    "might": ("speculation", "possible"),
    "could": ("speculation", "possible"),
    "probably": ("speculation", "probable"),
    "appears": ("speculation", "probable"),
    "suggests": ("speculation", "probable"),
    "unclear": ("speculation", "uncommitted"),
    "whether": ("speculation", "uncommitted"),
    "no": ("negation", "none"),
    "not": ("negation", "none"),
    "found": ("evidential", "none"),
    "reported": ("evidential", "none"),
    "clearly": ("booster", "none"),
}


@dataclass
class Corpus:
    """Collects rows; `tables()` gives the finished tables."""

    rows: defaultdict[str, list[dict[str, Any]]] = field(default_factory=lambda: defaultdict(list))

    def document(
        self,
        doc_id: str,
        interest: str,
        *units: str | Claim,
        references: Mapping[str, Mapping[str, Any]] | None = None,
        **metadata: Any,
    ) -> None:
        """Add a document of units: text ("# …" a heading, "- …" an item), or claims.

        references: marker -> columns of its entry, `raw` among them; `[1]` in a claim cites it.
        """
        parts: list[tuple[str, str, Claim | None]] = []
        for unit in units:
            claim = unit if isinstance(unit, Claim) else None
            text = claim.text if claim else str(unit)
            block = claim.block if claim else "paragraph"
            if text.startswith("# "):
                text, block = text[2:], "heading"
            parts.append((text, block, claim))
        references = references or {}
        parts += [(dict(entry)["raw"], "reference", None) for entry in references.values()]
        text = "\n".join(part[0] for part in parts)
        self.rows["documents"].append(
            {
                "doc_id": doc_id,
                "path": f"{doc_id}.md",
                "title": f"Title of {doc_id}",
                "publisher": f"Publisher {doc_id}",
                "url": f"https://{doc_id}.example.org/page",
                "media_type": "text/markdown",
                "interest": interest,
                "interest_basis": "declared",
                "source_sha256": "0" * 64,
                "text": text,
                **metadata,
            }
        )
        source = self.rows["documents"][-1]
        keys = list(references)
        block_ids = list(occurrence_ids(f"{doc_id}/block", [part[0] for part in parts]))
        sentence_ids = list(occurrence_ids(doc_id, [part[0] for part in parts]))
        start, section = 0, None
        reference_ids: dict[str, str] = {}
        places = []
        for words, block, claim in parts:
            places.append((start, words, block, claim))
            start += len(words) + 1
        for key, (start, words, _, _) in zip(keys, places[len(places) - len(keys) :], strict=True):
            reference_ids[key] = make_id(doc_id, "reference", key)
            self.rows["references"].append(
                {
                    "reference_id": reference_ids[key],
                    "doc_id": doc_id,
                    "index": keys.index(key),
                    "marker": key,
                    "start": start,
                    "end": start + len(words),
                    **references[key],
                }
            )
        for index, (start, words, block, claim) in enumerate(places):
            end = start + len(words)
            section = words if block == "heading" else section
            common = {"doc_id": doc_id, "index": index, "start": start, "end": end}
            self.rows["blocks"].append(
                {**common, "block_id": block_ids[index], "block": block, "section": section}
            )
            self.rows["sentences"].append(
                {
                    **common,
                    "sentence_id": sentence_ids[index],
                    "block_id": block_ids[index],
                    "text": words,
                    "block": block,
                    "section": section,
                }
            )
            if claim is not None:
                self._claim(claim, sentence_ids[index], start, section, source, reference_ids)

    def _claim(
        self,
        claim: Claim,
        sentence_id: str,
        start: int,
        section: str | None,
        source: Mapping[str, Any],
        reference_ids: Mapping[str, str],
    ) -> None:
        doc_id, text = source["doc_id"], claim.text
        claim_id = make_id(sentence_id, 0, len(text))

        def span(name: str, value: str | None) -> dict[str, Any]:
            at = text.find(value) if value else -1
            found = {name: value}
            if value and at >= 0:
                found |= {f"{name}_start": start + at, f"{name}_end": start + at + len(value)}
            return found

        self.rows["claims"].append(
            {
                "claim_id": claim_id,
                "sentence_id": sentence_id,
                "doc_id": doc_id,
                "index": 0,
                "start": start,
                "end": start + len(text),
                "text": text,
                "context": text,
                "claim_type": claim.claim_type,
                **span("subject", claim.subject),
                "subject_id": claim.subject_id,
                **span("outcome", claim.outcomes[0] if claim.outcomes else None),
                "outcome_id": claim.outcome_id,
                **span("population", claim.population),
                "direction": claim.direction,
                "certainty": claim.certainty,
                "certainty_score": _SCORES[claim.certainty],
                "polarity": claim.polarity,
                "confidence": claim.confidence,
                "attribution": claim.attribution,
                "study": claim.study,
                "evidence": claim.evidence,
                **{name: source[name] for name in ("title", "publisher", "url", "interest")},
                "section": section,
            }
        )
        for index, outcome in enumerate(claim.outcomes):
            self.rows["claim_outcomes"].append(
                {
                    "claim_id": claim_id,
                    "doc_id": doc_id,
                    "index": index,
                    **span("outcome", outcome),
                    "outcome_id": claim.outcome_id if index == 0 else None,
                }
            )
        for index, match in enumerate(re.finditer(r"\[(\w+)\]", text)):
            citation_id = make_id(sentence_id, match.start(), match.end())
            self.rows["citations"].append(
                {
                    "citation_id": citation_id,
                    "doc_id": doc_id,
                    "sentence_id": sentence_id,
                    "start": start + match.start(),
                    "end": start + match.end(),
                    "marker": match.group(),
                    "reference_id": reference_ids.get(match.group(1)),
                }
            )
            self.rows["claim_references"].append(
                {
                    "claim_id": claim_id,
                    "doc_id": doc_id,
                    "index": index,
                    "citation_id": citation_id,
                    "reference_id": reference_ids.get(match.group(1)),
                }
            )
        for index, match in enumerate(re.finditer(r"\w+", text)):
            if match.group().lower() not in _CUES:
                continue
            category, level = _CUES[match.group().lower()]
            cue_id = make_id(sentence_id, *match.span(), category)
            self.rows["cues"].append(
                {
                    "cue_id": cue_id,
                    "doc_id": doc_id,
                    "sentence_id": sentence_id,
                    "start": start + match.start(),
                    "end": start + match.end(),
                    "text": match.group(),
                    "lemma": match.group().lower(),
                    "category": category,
                    "level": level,
                    "score": 1.0,
                    "source": "test",
                }
            )
            self.rows["claim_cues"].append(
                {"claim_id": claim_id, "doc_id": doc_id, "index": index, "cue_id": cue_id}
            )
        for mention, (label, kb_id) in claim.mentions.items():
            for match in re.finditer(re.escape(mention), text):
                self.rows["entities"].append(
                    {
                        "entity_id": make_id(sentence_id, *match.span(), label),
                        "doc_id": doc_id,
                        "sentence_id": sentence_id,
                        "start": start + match.start(),
                        "end": start + match.end(),
                        "text": mention,
                        "label": label,
                        "kb_id": kb_id,
                        "kb_name": mention if kb_id else None,
                        "score": 0.9,
                        "source": "test",
                    }
                )
        for measure, printed in claim.numbers.items():
            at = text.index(printed)
            self.rows["statistics"].append(
                {
                    "statistic_id": make_id(sentence_id, at, at + len(printed)),
                    "doc_id": doc_id,
                    "claim_id": claim_id,
                    "sentence_id": sentence_id,
                    "start": start + at,
                    "end": start + at + len(printed),
                    "text": printed,
                    "measure": measure,
                }
            )

    def tables(self) -> dict[str, pa.Table]:
        """Return all tables, those without rows too, each in its declared order."""
        found = {
            name: tables.conform(name, tables.from_rows(name, self.rows[name]))
            for name in tables.TABLES
        }
        found["works"] = works_of(found["references"], shipped())
        found["statements"] = statements_of(found, shipped())
        tables.check(found, names=[name for name in found if found[name].num_rows])
        return found


@dataclass(frozen=True)
class Claim:
    """A claim as a test writes it; what is left out is the plainest value."""

    text: str
    subject: str | None = "Fernwort"
    outcomes: tuple[str, ...] = ()
    direction: str = "none"
    certainty: str = "certain"
    claim_type: str = "efficacy"
    polarity: str = "affirmed"
    evidence: str = "none"
    attribution: str = "author"
    population: str | None = None
    study: str | None = None
    subject_id: str | None = None
    outcome_id: str | None = None
    confidence: float = 0.9
    block: str = "paragraph"
    mentions: Mapping[str, tuple[str, str | None]] = field(default_factory=dict)
    numbers: Mapping[str, str] = field(default_factory=dict)


def claim(text: str, outcome: str | tuple[str, ...], direction: str = "none", **rest: Any) -> Claim:
    """Return a claim; a single outcome may be given as a string."""
    outcomes = (outcome,) if isinstance(outcome, str) else outcome
    return Claim(text, outcomes=outcomes, direction=direction, **rest)


_DISEASE = ("DISEASE", None)
_MIGRAINE = {"migraine": _DISEASE, "Fernwort": ("CHEMICAL", "TEST:1")}


def sample() -> Corpus:
    """Return six pages that disagree about a remedy called Fernwort."""
    corpus = Corpus()
    corpus.document(
        "shop",
        "vendor",
        "# Fernwort drops, 50 mL",
        claim(
            "Fernwort relieves migraine pain within minutes.",
            "pain",
            "benefit",
            population="migraine",
            mentions=_MIGRAINE,
        ),
        claim(
            "It clearly sharpens memory in healthy adults.",
            "memory",
            "benefit",
            population="healthy adults",
        ),
        "What customers notice after a week:",
        claim("better sleep", "sleep", "benefit", block="list_item", certainty="certain"),
        claim("more energy", "energy", "benefit", block="list_item"),
        claim(
            "Fernwort is free of serious side effects.",
            "serious side effects",
            "no_effect",
            claim_type="safety",
        ),
        claim(
            "Fernwort is approved in more than 30 countries.",
            "approval",
            claim_type="regulatory",
            evidence="regulator",
        ),
        "Add two bottles to your basket today.",
        title="Fernwort drops, 50 mL",
        publisher="Hollow Oak Apothecary",
    )
    corpus.document(
        "review",
        "journal",
        "# Effects of interventions",
        claim(
            "Pooled over nine trials, Fernwort did not reduce pain in people with migraine [1].",
            "pain",
            "no_effect",
            polarity="negated",
            evidence="meta_analysis",
            attribution="cited",
            population="people with migraine",
            mentions=_MIGRAINE,
        ),
        claim(
            "The evidence probably points to no difference in all-cause mortality [1].",
            "all-cause mortality",
            "no_effect",
            certainty="probable",
            polarity="negated",
            evidence="meta_analysis",
            attribution="cited",
        ),
        claim(
            "Two trials suggest that Fernwort may increase serious adverse events [2].",
            "serious adverse events",
            "harm",
            certainty="possible",
            claim_type="safety",
            evidence="rct",
            attribution="cited",
        ),
        claim(
            "There is no good evidence for use in healthy adults.",
            "use in healthy adults",
            claim_type="evidence_quality",
            polarity="negated",
            population="healthy adults",
        ),
        references={
            "1": {
                "raw": "Ash B, Elm C. Fernwort for the relief of migraine. Cochrane Library "
                "2021;CD900001. doi:10.9999/cd900001",
                "title": "Fernwort for the relief of migraine",
                "doi": "10.9999/cd900001",
                "cochrane_id": "CD900001",
                "year": 2021,
            },
            "2": {
                "raw": "Rowan D. Harms of Fernwort drops: the THICKET trial. 2019. PMID 90000002",
                "title": "Harms of Fernwort drops: the THICKET trial",
                "pmid": "90000002",
            },
        },
        title="Fernwort for the relief of migraine: a summary",
        publisher="Journal of Hedge Medicine",
    )
    corpus.document(
        "clinic",
        "clinic",
        "# Is it safe?",
        claim(
            "In the THICKET trial there were no serious adverse events [a].",
            "serious adverse events",
            "no_effect",
            claim_type="safety",
            polarity="negated",
            evidence="rct",
            attribution="cited",
            study="THICKET trial",
        ),
        claim(
            "Fernwort may lower the risk of death after a heart attack.",
            "risk of death",
            "benefit",
            certainty="possible",
            population="heart attack",
            mentions={"heart attack": _DISEASE},
        ),
        claim(
            "Our 20 mg course relieves pain in chronic migraine.",
            "pain",
            "benefit",
            population="chronic migraine",
            mentions={"chronic migraine": _DISEASE},
            numbers={"dose": "20 mg"},
        ),
        references={
            "a": {
                "raw": "Rowan D. Harms of Fernwort drops: the THICKET trial (PubMed 90000002).",
                "pmid": "90000002",
            },
        },
        publisher="Birchfield Clinic",
    )
    corpus.document(
        "regulator",
        "government",
        claim(
            "Fernwort is not approved by the FDA for any use.",
            "approval",
            polarity="negated",
            claim_type="regulatory",
            evidence="regulator",
        ),
        claim(
            "Whether Fernwort relieves migraine pain is unclear.",
            "pain",
            "benefit",
            certainty="uncommitted",
            population="migraine",
            mentions=_MIGRAINE,
        ),
        publisher="Medicines Board",
    )
    corpus.document(
        "blog",
        "blog",
        claim(
            "In aged rats, Fernwort improved memory for mazes.",
            "memory",
            "benefit",
            evidence="animal",
            population="aged rats",
            attribution="cited",
        ),
        claim(
            "Fernwort appears to help people sleep through the night.",
            "sleep",
            "benefit",
            certainty="probable",
            population="people",
        ),
        claim(
            "The evidence for Fernwort is mixed and the studies are small.",
            "evidence",
            claim_type="evidence_quality",
        ),
        publisher="Bramble & Bough",
    )
    corpus.document(
        "news",
        "news",
        claim(
            "A trial reported that Fernwort improved sleep and worsened memory.",
            ("sleep",),
            "benefit",
            evidence="rct",
            attribution="cited",
        ),
        claim(
            "Users of Fernwort lost focus at work, doctors found.",
            "focus",
            "harm",
            evidence="human",
            attribution="reported",
        ),
        publisher="The Copse Courier",
    )
    return corpus
