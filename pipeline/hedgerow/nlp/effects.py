"""What a claim says happens to its outcome as measured, and what that is worth to the person.

The effect is increase, decrease or no_change, the value a benefit, a harm or neither.

The words that say so are data (`effects.toml`); where a sentence holds several, a small linear
model over their kind and their place relative to the outcome decides (`effect_weights.json`,
trained by `models/training/effects.py` on Evidence Inference 2.0, DeYoung and others 2020).
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from functools import cache, lru_cache
from importlib import resources

from hedgerow.nlp.lexicon import lowered
from hedgerow.nlp.rules import load_data, load_rules, words_of
from hedgerow.tables import EFFECTS

Span = tuple[int, int]

_PHRASES = [(r.id, r.lower) for r in load_rules("effects") if not r.fields.get("words")]
_WORDS = [(r.id, r.lower) for r in load_rules("effects") if r.fields.get("words")]
_LETTERS = re.compile(r"[^\W\d_]+(?:-[^\W\d_]+)*")
_BOUNDARY = re.compile(
    r"[.;]\s|,\s(?:but|while|whereas|although|and|which)\b|\b(?:but|whereas|while|although|however)\b"
)
_WORD = re.compile(r"[^\W\d_][\w-]*|[<>=≤≥]")
_P = re.compile(r"[Pp]\s?(?:-?value)?\s?(?P<operator>[<>=≤≥])\s?(?P<p>0?\.\d+)")
_SIGNIFICANT = 0.05
_THAN = re.compile(
    r"\b(?:than|compared (?:to|with)|versus|vs\.?|relative to|in comparison (?:to|with)|against)\b"
)
_CONTROL = re.compile(
    r"\b(?:in|with|for|among|of|on|by|given|receiving|than|to|and)\s"
    r"(?:the\s|those\s|an?\s|patients\s)?(?:in\s|on\s|the\s)*"
    r"(?P<control>(?:placebo|control|sham|saline|vehicle|comparison|untreated|usual care"
    r"|standard care|no treatment|waiting.?list)\w*)"
)
_SAME = frozenset(r.id for r in load_rules("effects") if r.fields["effect"] == "no_change")
_CHANGE = frozenset(r.id for r in load_rules("effects")) - _SAME
"""Rules whose words state a change; of what, and which way, their place in the text tells."""

_WEAK = words_of("effects", "weak")
_CHANGES = {r.id: r.lower for r in load_rules("directions")}
_TESTED = re.compile(
    r"\bthan\b(?!\s\d)|\bversus\b|\bvs\b|\bcompared\b|\bagainst\b|\brelative to\b"
    r"|\b[Pp]\s?[<>=≤≥]|\bCI\b|\bsignifican\w+|\bgroups?\b|\barms?\b|\bplacebo\b|\bcontrols?\b"
)
"""A text that compares: there, weak words of change state an effect as well."""

_STOP = re.compile("|".join(load_data("directions")["stops"]))
_OPENS = re.compile(r"[;:.()]|\b(?:but|while|whereas|although|and|that|which)\b")
_PASSIVE = re.compile(r"\b(?:is|are|was|were|be|been|being)\s(?:\w+ly\s)?$")
_NAME_REACH = int(load_data("directions")["reach"])
_PLAIN_LENGTH = 300
"""A longer text, in characters, says more than one thing."""

_UP = frozenset({"rise", "better"})
_NEITHER = frozenset({"no-difference", "same"})
_REACH = 60
_NEAR = (15, 40, 90)
_WINDOW = 9


def find_effect(
    text: str,
    outcome: Span | None,
    subject: Span | None = None,
    comparator: Span | None = None,
) -> str | None:
    """Return the effect that a claim states of its subject on its outcome, or None.

    outcome, subject, comparator: where the text names them, where it does.

    None where the text holds no word that speaks of one.
    """
    matches = _matches(text)
    if not matches:
        return None
    stated = {name for name, s, e in matches if text[s:e].lower() not in _WEAK}
    if not stated and _TESTED.search(text) is None:
        return None
    stated = stated or {name for name, _, _ in matches}
    weights = _weights()
    features = effect_features(text, outcome, subject, comparator, matches)
    scores = [sum(weights[e].get(f, 0.0) for f in features) for e in EFFECTS]
    allowed = [e for e in EFFECTS if stated & (_SAME if e == "no_change" else _CHANGE)]
    return max(allowed, key=lambda e: scores[EFFECTS.index(e)])


def find_direction(text: str, diseases: Sequence[Span] = ()) -> str | None:
    """Return what a claim's words plainly say its effect is worth, or None.

    Less of a bad thing or more of a good one is a benefit, the reverse a harm; a stated sameness
    is no_effect. Only where all words of change agree, and nothing turns them around.
    diseases: where the text names diseases: less of one is a benefit, whatever its name.
    """
    if len(text) > _PLAIN_LENGTH or text.count(" | ") > 2:
        return None
    text = lowered(text)
    if _CHANGES["turns"].search(text):
        return None
    if _CHANGES["same"].search(text):
        return "no_effect"
    if _CHANGES["open"].search(text):
        return None
    found = {
        "benefit" if (kind == "down") == (value == "bad") else "harm"
        for kind in ("down", "up")
        for match in _CHANGES[kind].finditer(text)
        if (value := _value(text, match.span(), diseases if kind == "down" else ())) is not None
    }
    return found.pop() if len(found) == 1 else None


def _value(text: str, change: Span, diseases: Sequence[Span]) -> str | None:
    """Whether what changes is bad or good: it is named behind the word, or before a passive."""
    start, end = change
    stop = _STOP.search(text, end, end + _NAME_REACH)
    behind = (end, stop.start() if stop else min(len(text), end + _NAME_REACH))
    value = _named(text, behind, diseases)
    if value is not None or not _PASSIVE.search(text, max(0, start - _NAME_REACH), start):
        return value
    first = max(0, start - _NAME_REACH)
    opens = [m.end() for m in _OPENS.finditer(text, first, start)]
    return _named(text, (max(opens, default=first), start), diseases)


def _named(text: str, span: Span, diseases: Sequence[Span]) -> str | None:
    """Whether a thing named in the span is bad or good."""
    bad, good = (_CHANGES[kind].search(text, *span) for kind in ("bad", "good"))
    if bad or good:
        return "bad" if good is None or (bad and bad.start() <= good.start()) else "good"
    if any(span[0] <= s < e <= span[1] and not text[e : span[1]].strip() for s, e in diseases):
        return "bad"
    return None


def _matches(text: str) -> list[tuple[str, int, int]]:
    """The effect words of a text: rule, start and end. A word is looked up once a process."""
    lower = lowered(text)
    found = [(name, *m.span()) for name, regex in _PHRASES for m in regex.finditer(lower)]
    for match in _LETTERS.finditer(lower):
        found += [(name, *match.span()) for name in _rules_of(match.group())]
    return found


@lru_cache(maxsize=100_000)
def _rules_of(word: str) -> tuple[str, ...]:
    return tuple(name for name, regex in _WORDS if regex.fullmatch(word))


def effect_features(
    text: str,
    outcome: Span | None,
    subject: Span | None,
    comparator: Span | None,
    matches: Sequence[tuple[str, int, int]] | None = None,
) -> list[str]:
    """Return the binary features of a text and outcome that the effect model weighs."""
    found = _matches(text) if matches is None else matches
    features = ["bias", *(f"has={name}" for name, _, _ in found)]
    lower = lowered(text)
    cuts = [m.start() for m in _BOUNDARY.finditer(lower)]
    if outcome is None:
        words = _WORD.findall(lower)
        return list(dict.fromkeys([*features, "no outcome", *(f"w={w}" for w in words)]))
    start, end = outcome
    best: dict[str, tuple[int, str]] = {}
    for name, s, e in found:
        side = "in" if s < end and e > start else "left" if e <= start else "right"
        gap = 0 if side == "in" else start - e if side == "left" else s - end
        apart = sum(min(s, start) <= c < max(e, end) for c in cuts)
        where = f"{side}{sum(gap > n for n in _NEAR)}{'x' if apart else ''}"
        features.append(f"{name}@{where}")
        if name not in best or gap + 60 * apart < best[name][0]:
            best[name] = (gap + 60 * apart, side)
    if best:
        order = sorted(best, key=lambda name: (best[name][0], name))
        places = {name: s for name, s, _ in reversed(found)}
        for name in order:
            turned = _turned(lower, outcome, places[name], subject, comparator)
            features += [f"{name}|{turned}", f"{_sign(name, turned)} somewhere"]
            if name == order[0]:
                features += [f"nearest={name}|{turned}", f"nearest is {_sign(name, turned)}"]
        features += [f"nearest={order[0]}", f"nearest={order[0]}|{best[order[0]][1]}"]
        features += [f"second={order[0]}|{order[1]}"] if len(order) > 1 else []
    clause_start = max((c for c in cuts if c < start), default=0)
    clause_end = min((c for c in cuts if c >= end), default=len(text))
    for word in dict.fromkeys(_WORD.findall(lower[clause_start:clause_end])):
        features.append(f"c={word}")
    before = _WORD.findall(lower[max(0, start - 80) : start])[-_WINDOW:]
    after = _WORD.findall(lower[end : end + 80])[:_WINDOW]
    features += [f"b={w}" for w in before] + [f"a={w}" for w in after]
    features += [f"w={w}" for w in _WORD.findall(lower[start:end])]
    for match in _P.finditer(text, clause_start, min(len(text), clause_end + 40)):
        small = match.group("operator") in "<≤=" and float(match.group("p")) < _SIGNIFICANT + 1e-9
        features.append(f"p={'small' if small else 'large'}")
    return list(dict.fromkeys(features))


def _sign(name: str, turned: str) -> str:
    """What an effect word says of the subject."""
    if name in _NEITHER:
        return "neither"
    up = (name in _UP) != (turned == "turned")
    return "up" if up else "down"


def _turned(
    text: str, outcome: Span, effect: int, subject: Span | None, comparator: Span | None
) -> str:
    """Whether the effect word at `effect` speaks of the subject or of what it is compared with.

    "Pain was lower with placebo than with the gel" speaks of the placebo's pain. Returns "as is",
    "turned" or "unknown". text: in lower case.
    """
    other = comparator
    if other is None:
        control = _CONTROL.search(text, effect) or _CONTROL.search(text)
        other = control.span("control") if control is not None else None
    than = _THAN.search(text, effect)
    if than is None:
        than = max(_THAN.finditer(text), key=lambda m: m.start(), default=None)
    sign = 0
    if than is not None:
        for span, weight in ((subject, 1), (other, -1)):
            if span is not None:
                sign += weight if span[0] < than.start() else -weight
    elif other is not None and effect < other[0] < effect + _REACH:
        sign = -1 if subject is None or not effect < subject[0] < other[0] else 1
    elif subject is not None:
        sign = 1
    return "as is" if sign > 0 else "turned" if sign < 0 else "unknown"


@cache
def _weights() -> Mapping[str, Mapping[str, float]]:
    path = resources.files("hedgerow.nlp") / "data" / "effect_weights.json"
    weights: Mapping[str, Mapping[str, float]] = json.loads(path.read_text(encoding="utf-8"))
    return weights
