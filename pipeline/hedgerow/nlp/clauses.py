"""Cut a sentence into the clauses that are claims of their own.

A clause is cut off only at a connective (`clauses.toml`) with a verb group on either side, and
only where the two sides differ in certainty, polarity, direction or attribution; everything else
stays one claim. Precision goes before recall.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from hedgerow.nlp.phrases import Word, base_form
from hedgerow.nlp.rules import load_data, load_rules, words_of

_CONNECTIVES = [(r.id, str(r.fields["kind"]), r.regex) for r in load_rules("clauses")]
_SUBORDINATORS = words_of("clauses", "subordinators")
_NON_FINITE = words_of("clauses", "non_finite")
_BAD = tuple(load_data("clauses")["bad_outcomes"])
_REPORT_VERBS = words_of("attribution", "report_verbs")
SCORES: dict[str, float] = dict(load_data("clauses")["score"])
"""Certainty score of a clause that its own cues place."""

_LEAD = re.compile(r"\s*(?:[-–—•*·▪◦‣✔✓+]\s+|\(?\d{1,2}[.)]\s+|[a-h][.)]\s+)?")
_CONCESSION_FIRST = re.compile(
    r"\s*(?:al|even\s)?though\s|\s*while\s|\s*whereas\s|\s*despite\s", re.I
)
_EFFECTS = {r.id: r.regex for r in load_rules("effects")}
_RELATIVE = re.compile(r"(?<=[a-z]),?\s(?:which|who|whose|whom|where)\b|(?<=s)\sthat\b")
_PAIRED = re.compile(r"\b(?:both|between|neither)\b[^,;]{0,60}$", re.I)
_COMMA = re.compile(r",\s")
_ORDER = ("certain", "probable", "possible", "uncommitted")
_SUBJECT_WORDS = 8
"""A clause's verb stands at most so many words behind its connective."""


_RELATIVES = frozenset({"that", "which", "who"})


@dataclass(frozen=True)
class Cue:
    """A cue inside a sentence; start and end count from the sentence's start."""

    start: int
    end: int
    category: str
    level: str


@dataclass(frozen=True)
class Clause:
    """A claim's span in its sentence, and what its own cues say where the unit's labels do not.

    certainty, polarity, direction: None where the unit's label holds.
    """

    start: int
    end: int
    certainty: str | None = None
    polarity: str | None = None
    direction: str | None = None


def claim_span(text: str) -> tuple[int, int]:
    """Return the span of a sentence without a bullet or list number in front, nor blanks."""
    start = match.end() if (match := _LEAD.match(text)) else 0
    end = len(text.rstrip())
    return (start, end) if start < end else (0, max(end, 1))


def split_clauses(
    text: str, words: Sequence[Word], cues: Sequence[Cue], *, direction: str
) -> list[Clause]:
    """Return the claims of a sentence, that of the main clause first.

    words: the sentence's words. cues: its cues. direction: the unit's, the default of all clauses.
    """
    start, end = claim_span(text)
    cuts = _cuts(text, words, start, end)
    if not cuts:
        return [Clause(start, end)]
    parts = _parts(text, start, end, cuts)
    kept: list[tuple[int, int, str]] = [parts[0]]
    for part in parts[1:]:
        last = kept[-1]
        if _differ(text, words, cues, last, part):
            kept.append(part)
        else:
            kept[-1] = (last[0], part[1], last[2])
    if len(kept) == 1:
        return [Clause(start, end)]
    main = 1 if kept[1][2] == "main" else 0
    ordered = [kept[main], *kept[:main], *kept[main + 1 :]]
    return [
        Clause(s, e) if i == 0 else _labelled(text, words, cues, s, e, direction)
        for i, (s, e, _) in enumerate(ordered)
    ]


def _cuts(text: str, words: Sequence[Word], start: int, end: int) -> list[tuple[int, int, str]]:
    """Connectives with a verb group on both sides, outside brackets and quotation marks."""
    found: dict[int, tuple[int, int, str]] = {}
    listed = text.count(";", start, end) > 1
    for name, kind, pattern in _CONNECTIVES:
        if name == "semicolon" and listed:
            continue
        for match in pattern.finditer(text, start, end):
            at = match.start()
            before = text[start:at]
            if _nested(before) or (name == "and" and _PAIRED.search(before)):
                continue
            found.setdefault(at, (at, match.end(), kind))
    if _CONCESSION_FIRST.match(text, start):
        found |= {m.start(): (*m.span(), "main") for m in _COMMA.finditer(text, start, end)}
    cuts: list[tuple[int, int, str]] = []
    left = start
    for at, after, kind in sorted(found.values()):
        if at < left or not _closes_clause(words, left, at):
            continue
        if not _opens_clause(words, after, kind):
            continue
        if kind == "main" and any(c[2] == "main" for c in cuts):
            continue
        cuts.append((at, after, kind))
        left = after
    return cuts


def _nested(before: str) -> bool:
    return (
        before.count("(") > before.count(")")
        or before.count("[") > before.count("]")
        or before.count("“") > before.count("”")
        or before.count('"') % 2 == 1
    )


def _closes_clause(words: Sequence[Word], start: int, end: int) -> bool:
    """Whether a clause can end there: it has a verb, also behind the last "that" or "which".

    "It seems that zinc | and copper help" has none there: the connective joins two nouns. Nor has
    "A drug that does not help | and may harm costs money": its verb stands in a relative clause of
    the subject. A participle in front ("Taken together, the reviews | and trials show") is none.
    """
    verb = False
    inside = [word for word in words if start <= word.start < end]
    for i, word in enumerate(inside):
        if word.lower in _RELATIVES and i > 0 and not verb:
            return False
        if word.lower in ("that", "which", "whether", "if", "because"):
            verb = False
        participle = i == 0 and word.tag == "verb" and word.lower.endswith(("ed", "en", "ing"))
        verb = verb or (word.tag in ("verb", "aux") and not participle)
    return verb


def _opens_clause(words: Sequence[Word], start: int, kind: str) -> bool:
    """Whether a clause begins there: a verb group, or a subject and one soon after."""
    following = [w for w in words if w.start >= start][: _SUBJECT_WORDS + 1]
    for i, word in enumerate(following):
        if word.lower in _NON_FINITE and i == 0:
            return False
        if word.tag == "aux":
            return True
        if word.tag == "verb" and _is_finite(word, i):
            after = following[i + 1].tag if i + 1 < len(following) else "punct"
            participle = i > 0 and word.lower.endswith("ed") and after == "prep"
            return not participle or kind != "addition"
        if word.tag == "punct" or word.lower in _SUBORDINATORS:
            return False
        if word.tag == "prep" and i == 0 and kind == "addition":
            return False
    return False


def _is_finite(word: Word, index: int) -> bool:
    """Whether a verb form can be the clause's predicate; a bare base form needs a subject."""
    return index > 0 or word.lower != base_form(word.lower)


def _parts(
    text: str, start: int, end: int, cuts: Sequence[tuple[int, int, str]]
) -> list[tuple[int, int, str]]:
    edges = [(start, start, "main"), *cuts]
    parts = []
    for i, (_, after, kind) in enumerate(edges):
        stop = edges[i + 1][0] if i + 1 < len(edges) else end
        part = text[after:stop]
        parts.append(
            (after + len(part) - len(part.lstrip()), after + len(part.rstrip(" ,;")), kind)
        )
    return parts


def _differ(
    text: str,
    words: Sequence[Word],
    cues: Sequence[Cue],
    first: tuple[int, int, str],
    second: tuple[int, int, str],
) -> bool:
    """Whether two clauses differ in what makes claims separate."""
    if _level(cues, *first[:2]) != _level(cues, *second[:2]):
        return True
    if _negated(text, cues, *first[:2]) != _negated(text, cues, *second[:2]):
        return True
    own_voice = second[2] != "addition" or _has_subject(words, second[0])
    if own_voice and _reports(words, *second[:2]) and not _reports(words, *first[:2]):
        return True
    one, other = _effect(text, *first[:2]), _effect(text, *second[:2])
    return second[2] == "contrast" and one is not None and other is not None and one != other


def _has_subject(words: Sequence[Word], start: int) -> bool:
    """Whether a clause opens with a subject of its own."""
    first = next((w for w in words if w.start >= start), None)
    return first is not None and first.tag in ("noun", "det", "pron")


def _reports(words: Sequence[Word], start: int, end: int) -> bool:
    """Whether the clause's first verb puts what follows into somebody's mouth."""
    verb = next((w for w in words if start <= w.start < end and w.tag == "verb"), None)
    if verb is None or base_form(verb.lower) not in _REPORT_VERBS:
        return False
    after = next((w.lower for w in words if w.start >= verb.end), "")
    return after == "that"


def _level(cues: Sequence[Cue], start: int, end: int) -> str:
    levels = [
        c.level for c in cues
        if c.category == "speculation" and start <= c.start < end and c.level in _ORDER
    ]  # fmt: skip
    return max(levels, key=_ORDER.index, default="certain")


def _negated(text: str, cues: Sequence[Cue], start: int, end: int) -> bool:
    """Whether a clause is denied: a negation inside a relative clause denies something else."""
    relative = _RELATIVE.search(text, start, end)
    stop = relative.start() if relative else end
    return any(
        c.category == "negation" and start <= c.start < stop and text[c.start : c.end] != "without"
        for c in cues
    )


def _effect(text: str, start: int, end: int) -> str | None:
    """What the clause's first effect word says, with the value of the outcome: benefit or harm."""
    found = [
        (m.start(), name)
        for name, regex in _EFFECTS.items()
        if (m := regex.search(text, start, end)) is not None
    ]
    if not found:
        return None
    name = min(found)[1]
    if name in ("same", "no-difference"):
        return "no_effect"
    if name in ("better", "worse"):
        return "benefit" if name == "better" else "harm"
    lower = text[start:end].lower()
    bad = any(word in lower for word in _BAD)
    return "harm" if (name == "rise") == bad else "benefit"


def _labelled(
    text: str,
    words: Sequence[Word],
    cues: Sequence[Cue],
    start: int,
    end: int,
    direction: str,
) -> Clause:
    """A clause beside the main one, with the labels that its own cues give it."""
    negated = _negated(text, cues, start, end)
    effect = _effect(text, start, end)
    own = direction
    if direction != "none":
        own = "no_effect" if negated and effect is not None else effect or "neutral"
    return Clause(
        start,
        end,
        certainty=_level(cues, start, end),
        polarity="negated" if negated else "affirmed",
        direction=own,
    )
