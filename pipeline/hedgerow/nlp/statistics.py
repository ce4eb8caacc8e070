"""Numbers that report a result: what is measured, its value, interval, P value, unit and arm.

Every pattern starts or ends at a number and looks a bounded distance around it, so the time is
linear in the length of the text. What may stand before and behind a number is data
(`measures.toml`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from hedgerow.nlp.lexicon import lowered
from hedgerow.nlp.rules import Rule, load_data, load_rules, words_of

_PLAIN = str.maketrans(
    dict.fromkeys("−–—‐‑‒﹣－", "-") | dict.fromkeys("\xa0\u2009\u202f\u2007\t", " ") | {"·": "."}
)
"""One character for one: offsets into the plain text are offsets into the text."""

_DIGITS = r"(?:\d{1,3}(?:,\d{3}){1,4}(?!\d)|\d{1,12})(?:\.\d{1,8})?|\.\d{1,8}"
_SIGNED = rf"[-+]?(?:{_DIGITS})"
_NUMBER = re.compile(rf"(?:(?<![\d)%] )(?<![\w)%.])[-+]|(?<![\w.,])(?<![^\W\d]-))(?:{_DIGITS})")
_GAP = r"[\s,;:()\[\]]{0,4}(?:(?:and|with|a)\s)?"
_TO = r"\s?%?\s?(?:-|to|,|;|and|\.\.\.?)\s?"
_LEVEL = r"\d{2}(?:\.\d{1,3})?"
_INTERVAL = (
    rf"(?:(?P<level>{_LEVEL})\s?%\s?-?)?"
    r"(?:CI|CrI|(?:confidence|credible|credibility)\s(?:interval|limit))s?(?![a-z])"
    r"(?:\s?[(\[](?:CI|CrI)s?[)\]])?"
    rf"(?:\s?[(\[]?(?P<level_behind>{_LEVEL})\s?%[)\]]?)?"
    r"[\s:=,(\[]{0,3}(?:(?:from|of|was|ranged from)\s)?"
    rf"(?P<low>{_SIGNED}){_TO}(?P<high>{_SIGNED})"
)
_TINY = r"10(?:\^?-\d{1,3}|⁻[⁰¹²³⁴-⁹]{1,3})"
"""A power of ten: 10^-5, 10⁻⁵, or 10-5 where the superscript was lost."""
_P = (
    r"(?<![^\W_])[Pp](?:[\s-]?values?)?(?:\s?(?:interaction|trend|for\s[a-z]{3,14}))?"
    r"\s?(?P<operator><=|>=|=|<|>|≤|≥|≦|≧|of|was)"
    rf"\s?(?P<p>{_TINY}|(?:{_DIGITS})(?:\s?[×x]\s?{_TINY}|[eE]-\d{{1,3}})?)"
)
_POWER = re.compile(r"(?:(?P<base>[\d.]+)\s?[×x]\s?)?10\^?(?P<exponent>-\d+)")
_RAISED = str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "-0123456789")
_INTERVAL_HERE = re.compile(_INTERVAL)
_INTERVAL_NEXT = re.compile(_GAP + _INTERVAL)
_P_HERE = re.compile(_P)
_P_NEXT = re.compile(_GAP + _P)
_BARE_INTERVAL = re.compile(
    rf"\s?[(\[](?P<low>{_SIGNED})\s?(?:-|to|,|;)\s?(?P<high>{_SIGNED})[)\]]"
)
_CLOSERS = re.compile(r"\s?%?[)\]]{1,2}")
_LABEL_BEFORE = re.compile(
    r"(?:(?P<interval>(?:CI|CrI|interval)s?[\s:=,(\[]{0,3}(?:(?:from|of|was)\s)?)"
    r"|(?P<p>(?<![^\W_])[Pp](?:[\s-]?values?)?(?:\s(?:interaction|trend|for\s[a-z]{3,14}))?"
    r"\s?(?:<=|>=|=|<|>|≤|≥|≦|≧|of|was)\s?))$"
)
_LABEL_HINT = re.compile(r"CI|CrI|interval|[Pp]")
_OPERATORS = {"≤": "<=", "≥": ">=", "≦": "<=", "≧": ">=", "of": "=", "was": "="}
_SPREAD = re.compile(
    rf"\s?(?:±|\+/-)\s?(?:{_DIGITS})|\s?\((?:SD|SE|SEM)[\s=:]{{0,2}}(?:{_DIGITS})\)"
)
_PAIR = re.compile(
    r"\s?\(?(?:versus|vs\.?|v\.?|compared (?:with|to)|against)\s(?:an?\s)?(?=[-+]?\.?\d)"
)
_RANGE = re.compile(rf"\s?(?:-|to|or|and)\s?(?P<high>{_DIGITS})")
_CONNECT = (
    r"(?:\s?[(\[][A-Za-z]{1,6}[)\]])?"
    r"(?:\s?(?:=|:|,|of|was|were|is|are|only|about|over|under|at least|around)"
    r"(?=[\s(=\d.+-]|$)\s?|\s){0,3}[(\[]?$"
)
_FOLLOW_UP_BEFORE = re.compile(
    r"\b(?:at|after|by|until|followed(?: up)? for|follow-?up (?:of|at|for|was))"
    r"\s(?:a\s|about\s|the\s)?$",
    re.I,
)
_FOLLOW_UP_BEHIND = re.compile(r"[\s-](?:of\s)?(?:follow-?up|later|after)\b", re.I)
_AT_LEAST_AGE = re.compile(r"\s(?:or|and)\s(?:older|younger|over|above)\b", re.I)
_NOT_A_COUNT = re.compile(
    r"\b(?:phase|type|stage|grade|day|week|month|level|figure|table|group|step|section|category"
    r"|number|no\.?)\s$",
    re.I,
)
_ARM_BEHIND = re.compile(
    r"(?:\s\(\d{1,6}(?:/\d{1,6})?\))?(?:\s(?:in|with|on|for|of|among|receiving|taking|given))?"
    r"(?:\s(?:those|patients|people|participants)\s(?:on|taking|given|receiving|who took))?"
    r"(?:\sthe)?\s(?P<arm>[A-Za-z][\w-]{0,30}(?:\s[A-Za-z][\w-]{0,30}){0,2}?)"
    r"(?P<what>\s(?:group|arm)s?\b)?"
    r"(?=\s(?:versus|vs|v|compared|against)\b|,?\s(?:and|but|while)\s[-+]?\.?\d|[,;.)\]]|\s\(|\s?$)"
)
_AND_PAIR = re.compile(r",?\s(?:and|but|while)\s(?=[-+]?\.?\d)")
_ARM_AHEAD = re.compile(r"\b(?P<arm>[A-Za-z][\w-]{1,30})(?:\s(?:group|arm))?\s?:\s?$")
_AGE_UNIT = re.compile(r"\s?(years?|months?)\b")
_DIGIT = re.compile(r"\d")
_ONE_WORD = re.compile(r"\w+\s")
_YEARS = (1900.0, 2100.0)
_WINDOW = 64

_RULES = load_rules("measures")
_WORDS: dict[str, int] = dict(load_data("measures")["number_words"])
_ARMS = words_of("measures", "arm_words")
_NOT_ARM = words_of("measures", "not_arm")
_UNTESTED = frozenset({"trials", "n", "dose", "duration", "age", "follow-up"})
"""What an interval or a P value behind the number does not belong to."""
_RATIOS = frozenset({"OR", "RR", "HR", "MD", "SMD", "effect size"})


def _compile(
    rules: Iterable[Rule], head: str = "", tail: str = ""
) -> list[tuple[re.Pattern[str], Rule]]:
    return [
        (re.compile(f"{head}(?:{r.pattern}){tail}", 0 if r.case else re.IGNORECASE), r)
        for r in rules
    ]


_BEFORE = _compile([r for r in _RULES if r.fields["kind"] == "before"], tail=_CONNECT)
_BEFORE_HINT = re.compile("[A-Za-z]")
_UNITS = _compile(r for r in _RULES if r.fields["kind"] == "unit")
_CARD_LABELS = _compile(
    (r for r in _RULES if r.fields["kind"] in ("before", "noun") and not r.fields.get("timepoint")),
    head=r"\b",
)
_CARD_VALUE = re.compile(rf"\s*(?P<value>{_SIGNED})\s?(?P<unit>%|[A-Za-z]{{1,4}})?\s*")
_NOT_BETWEEN = "|".join(sorted(words_of("measures", "not_between")))
_ADJECTIVES = rf"[\s-](?:(?!(?:{_NOT_BETWEEN})\b)[A-Za-z][\w'’/-]{{0,24}}[\s,]\s?){{0,4}}?"
_NOUNS = _compile((r for r in _RULES if r.fields["kind"] == "noun"), head=_ADJECTIVES)
_SPELT = re.compile(rf"(?<![\w-])(?:{'|'.join(w for w in _WORDS if w != 'one')})(?=[\s-])")


@dataclass(frozen=True)
class Statistic:
    """A reported number; text[start:end] covers it with its measure, interval and P value.

    The fields are those of the table `statistics`.
    """

    start: int
    end: int
    measure: str
    value: float | None = None
    unit: str | None = None
    ci_low: float | None = None
    ci_high: float | None = None
    ci_level: float | None = None
    p_value: float | None = None
    p_operator: str | None = None
    arm: str | None = None


def find_statistics(text: str, taken: Sequence[tuple[int, int]] = ()) -> list[Statistic]:
    """Return the statistics of a sentence, in order.

    taken: spans that hold no statistics, such as citation markers.
    A range ("10 to 50 mL") and a comparison ("51.0 vs 27.0") give a row for each number; the
    first one's span covers both.
    """
    if not _DIGIT.search(text) and not _SPELT.search(lowered(text)):
        return []
    plain = text.translate(_PLAIN)
    found: list[Statistic] = []
    done = 0
    pair: tuple[int, int] | None = None
    """Where the second number of a comparison starts, and which row is the first."""
    for match in _NUMBER.finditer(plain):
        start, end = match.span()
        if start < done or any(s <= start < e for s, e in taken):
            continue
        first = found[pair[1]] if pair and pair[0] == start else None
        rows = _read(plain, start, end, first)
        if not rows:
            continue
        done = max(r.end for r in rows)
        if first is not None and pair is not None:
            found[pair[1]] = _share(first, rows[0])
        found += rows
        follows = _other_number(plain, rows[-1])
        pair = (follows.end(), len(found) - 1) if follows else None
        done = max(done, follows.end() if follows else 0)
    found = [r for r in found if not _is_empty(r)]
    found += _spelt(plain, found)
    return sorted(_unique(found), key=lambda r: (r.start, r.end))


def _is_empty(row: Statistic) -> bool:
    """Whether it is a bare number: half of a comparison that tests nothing."""
    return row.measure == "other" and not (row.unit or row.ci_low is not None or row.p_operator)


def card_statistic(value: str, others: Sequence[str]) -> Statistic | None:
    """Return the statistic of a figure card, or None where its first part is no number.

    value: the card's first part; the row's span counts from its start. others: its other parts,
    which say what the number is, and may hold its P value.
    """
    match = _CARD_VALUE.fullmatch(value.translate(_PLAIN))
    if match is None:
        return None
    label = (others[0] if others else "").translate(_PLAIN)
    measure = next((str(r.fields["measure"]) for p, r in _CARD_LABELS if p.search(label)), "other")
    unit = match.group("unit") or None
    if unit == "%":
        measure = "percentage"
    row = Statistic(*match.span(), measure, _number(match.group("value")), unit)
    tested = next((r for part in others for r in find_statistics(part) if r.measure == "P"), None)
    if tested is None:
        return row
    return replace(row, p_value=tested.p_value, p_operator=tested.p_operator)


def _unique(rows: Iterable[Statistic]) -> Iterable[Statistic]:
    return {(r.start, r.end): r for r in rows}.values()


def _read(plain: str, start: int, end: int, first: Statistic | None) -> list[Statistic]:
    """The rows of the number at start:end; none where it reports nothing."""
    before = plain[max(0, start - _WINDOW) : start]
    label = _LABEL_BEFORE.search(before) if _LABEL_HINT.search(before) else None
    label_start = start - len(label.group()) if label is not None else start
    if _INTERVAL_HERE.match(plain, start):
        return _lone_interval(plain, start)
    if label is not None and label.group("interval"):
        return _lone_interval(plain, label_start)
    if label is not None:
        return _lone_p(plain, label_start)
    value = _number(plain[start:end])
    unit = _unit(plain, end)
    span = _RANGE.match(plain, unit.end)
    if span is None or not _is_range(plain, span, value, before):
        row = _result(plain, start, end, before, unit, first)
        return [] if row is None else [row]
    row = _result(plain, start, span.end(), before, _unit(plain, span.end()), first)
    if row is None:
        return []
    return [row, replace(row, start=span.start("high"), value=_number(span.group("high")))]


def _result(
    plain: str, start: int, end: int, before: str, unit: _Unit, first: Statistic | None
) -> Statistic | None:
    """The row of a number, or of a range of numbers, at start:end, with its unit behind it."""
    value = _number(plain[start : _first_end(plain, start)])
    named, named_start, timepoint = _measure_before(before, start)
    if named is None and unit.measure is None:
        unit = _counted(plain, start, end, value) or unit
    if timepoint:
        if unit.measure is None and not _is_year(value) and "." not in plain[start:end]:
            return Statistic(named_start, end, "follow-up", value, plain[named_start:start].strip())
        named, named_start = None, start
    spread = _SPREAD.match(plain, unit.end)
    measure = _merge(named, unit.measure, first) or ("mean" if spread else None)
    row = Statistic(
        named_start,
        spread.end() if spread else unit.end,
        measure or "other",
        value,
        unit.text,
    )
    if measure in ("duration", "age"):
        row = _aged(plain, _follow_up(plain, row, before))
    if row.measure not in _UNTESTED:
        row = _tail(plain, row)
    tested = row.ci_low is not None or row.p_value is not None
    if measure is None and not tested and _PAIR.match(plain, row.end) is None:
        return None
    if row.unit is None and first is not None:
        row = replace(row, unit=first.unit)
    return _behind_arm(plain, replace(row, arm=_arm(plain, row, before, unit.end, first)))


def _first_end(plain: str, start: int) -> int:
    match = _NUMBER.match(plain, start)
    return match.end() if match is not None else start + 1


def _is_year(value: float) -> bool:
    return _YEARS[0] <= value <= _YEARS[1]


def _is_range(plain: str, span: re.Match[str], value: float, before: str) -> bool:
    """Whether "low to high" holds: rising numbers, joined by a dash or "to"."""
    high = _number(span.group("high"))
    joint = span.group()[: span.start("high") - span.start()].strip()
    if joint in ("and", "or"):
        return high > value and (joint == "or" or bool(re.search(r"\bbetween\s$", before)))
    return high > value and not plain.startswith("-", span.end())


def _measure_before(before: str, start: int) -> tuple[str | None, int, bool]:
    """The measure named before a number, where its name starts, and whether it names a time."""
    if not _BEFORE_HINT.search(before):
        return None, start, False
    for pattern, rule in _BEFORE:
        match = pattern.search(before)
        timepoint = bool(rule.fields.get("timepoint"))
        if match is None or (timepoint and not _ONE_WORD.fullmatch(match.group())):
            continue
        return str(rule.fields["measure"]), start - len(before) + match.start(), timepoint
    return None, start, False


@dataclass(frozen=True)
class _Unit:
    """What stands behind a number: the unit as printed, where it ends, and what it measures."""

    text: str | None
    end: int
    measure: str | None


def _unit(plain: str, end: int) -> _Unit:
    for pattern, rule in _UNITS:
        match = pattern.match(plain, end)
        if match:
            text = match.groupdict().get("unit") or match.group().strip(" -")
            return _Unit(text, match.end(), str(rule.fields["measure"]))
    return _Unit(None, end, None)


def _counted(plain: str, start: int, end: int, value: float) -> _Unit | None:
    """What is counted behind a number, if anything: "205 patients"."""
    if "." in plain[start:end] or _NOT_A_COUNT.search(plain[max(0, start - 12) : start]):
        return None
    best: _Unit | None = None
    for pattern, rule in _NOUNS:
        match = pattern.match(plain, end)
        if match is None or (best is not None and match.end() >= best.end):
            continue
        measure = str(rule.fields["measure"])
        if measure != "trials" or not _is_year(value) or "," in plain[start:end]:
            best = _Unit(None, match.end(), measure)
    return best


def _merge(measure: str | None, unit_measure: str | None, first: Statistic | None) -> str | None:
    """The measure named before the number, else the unit's, else that of the pair's first row."""
    if measure in _RATIOS or measure in ("n", "follow-up"):
        return measure
    if measure in ("mean", "median", "age"):
        if unit_measure == "duration" and measure == "age":
            return "age"
        return unit_measure if unit_measure in ("percentage", "age", "trials") else measure
    if measure is None and unit_measure is None and first is not None:
        return first.measure
    if first is not None and unit_measure in ("percentage", None):
        return first.measure if unit_measure is None else unit_measure
    return unit_measure or measure


def _follow_up(plain: str, row: Statistic, before: str) -> Statistic:
    """A duration that says when something was measured, or how old somebody is, is no duration."""
    if row.measure != "duration":
        return row
    older = _AT_LEAST_AGE.match(plain, row.end)
    ahead = _FOLLOW_UP_BEFORE.search(before)
    behind = _FOLLOW_UP_BEHIND.match(plain, row.end)
    if older:
        return replace(row, measure="age", end=older.end())
    if ahead:
        return replace(row, measure="follow-up", start=row.start - len(ahead.group()))
    if behind:
        return replace(row, measure="follow-up", end=behind.end())
    return row


def _aged(plain: str, row: Statistic) -> Statistic:
    """An age takes the word "years" behind it as its unit."""
    years = _AGE_UNIT.match(plain, row.end) if row.measure == "age" and row.unit is None else None
    return row if years is None else replace(row, unit=years.group(1), end=years.end())


def _tail(plain: str, row: Statistic) -> Statistic:
    """Add the interval and P value that follow straight on."""
    interval = _INTERVAL_NEXT.match(plain, row.end)
    if interval is None and row.measure in _RATIOS:
        bare = _BARE_INTERVAL.match(plain, row.end)
        if bare is not None and row.value is not None:
            low, high = _number(bare.group("low")), _number(bare.group("high"))
            if low <= row.value <= high:
                row = replace(row, end=bare.end(), ci_low=low, ci_high=high)
    elif interval is not None:
        row = _with_interval(row, interval)
    p = _P_NEXT.match(plain, row.end)
    closers = _CLOSERS.match(plain, row.end)
    if p is None and closers:
        p = _P_NEXT.match(plain, closers.end())
    if p is not None:
        row = _with_p(row, p)
        if interval is None:
            # "P=0.02, 95% CI 0.1-0.4": the other order
            interval = _INTERVAL_NEXT.match(plain, row.end)
            row = _with_interval(row, interval) if interval is not None else row
    return _closed(plain, row)


def _closed(plain: str, row: Statistic) -> Statistic:
    """Take in the brackets that close those opened inside the span."""
    text = plain[row.start : row.end]
    missing = text.count("(") + text.count("[") - text.count(")") - text.count("]")
    end = row.end + (plain.startswith("%", row.end) and missing > 0)
    while missing > 0 and plain[end : end + 1] in (")", "]"):
        missing, end = missing - 1, end + 1
    return row if missing else replace(row, end=end)


def _with_interval(row: Statistic, match: re.Match[str]) -> Statistic:
    level = match.group("level") or match.group("level_behind")
    return replace(
        row,
        end=match.end(),
        ci_low=_number(match.group("low")),
        ci_high=_number(match.group("high")),
        ci_level=float(level) if level else None,
    )


def _with_p(row: Statistic, match: re.Match[str]) -> Statistic:
    """Add a P value; a number above 1 is none."""
    operator = match.group("operator")
    value = _number(match.group("p"))
    if value > 1:
        return row
    return replace(
        row,
        end=match.end(),
        p_value=value,
        p_operator=_OPERATORS.get(operator, operator),
    )


def _lone_interval(plain: str, start: int) -> list[Statistic]:
    """An interval whose estimate does not stand before it."""
    match = _INTERVAL_HERE.match(plain, start)
    if match is None:
        return []
    before = plain[max(0, start - _WINDOW) : start]
    measure, measure_start, _ = _measure_before(before, start)
    if measure not in _RATIOS:
        measure, measure_start = "other", start
    row = _with_interval(Statistic(measure_start, start, str(measure)), match)
    p = _P_NEXT.match(plain, row.end)
    return [_closed(plain, _with_p(row, p) if p is not None else row)]


def _lone_p(plain: str, start: int) -> list[Statistic]:
    match = _P_HERE.match(plain, start)
    if match is None:
        return []
    row = _with_p(Statistic(start, start, "P"), match)
    return [row] if row.p_value is not None else []


def _share(first: Statistic, second: Statistic) -> Statistic:
    """The first row of a comparison, with the P value (of both) that stands behind the second."""
    if first.p_value is not None or second.p_value is None or second.ci_low is not None:
        return first
    return replace(first, end=second.end, p_value=second.p_value, p_operator=second.p_operator)


def _other_number(plain: str, row: Statistic) -> re.Match[str] | None:
    """Where a comparison goes on: behind the row, or behind its arm's name."""
    direct = _PAIR.match(plain, row.end)
    if direct is not None or row.arm is None:
        return direct
    arm = _ARM_BEHIND.match(plain, row.end)
    if arm is None:
        return None
    return _PAIR.match(plain, arm.end()) or _AND_PAIR.match(plain, arm.end())


def _arm(plain: str, row: Statistic, before: str, end: int, first: Statistic | None) -> str | None:
    if row.measure in ("P", "trials", "age", "follow-up", "dose", "duration"):
        return None
    ahead = _ARM_AHEAD.search(before)
    if ahead and ahead.group("arm").lower() in _ARMS:
        return ahead.group("arm")
    behind = _ARM_BEHIND.match(plain, end) or _ARM_BEHIND.match(plain, row.end)
    if behind is None:
        return None
    arm = behind.group("arm")
    if any(word.lower() in _NOT_ARM for word in arm.split()):
        return None
    compared = (
        behind.group("what")
        or first is not None
        or _PAIR.match(plain, behind.end())
        or _AND_PAIR.match(plain, behind.end())
        or arm.lower() in _ARMS
    )
    return arm if compared else None


def _behind_arm(plain: str, row: Statistic) -> Statistic:
    """Add a P value that stands behind the arm's name: "20% in the placebo group (P<.001)"."""
    arm = _ARM_BEHIND.match(plain, row.end) if row.arm and row.p_value is None else None
    p = _P_NEXT.match(plain, arm.end()) if arm is not None else None
    return _closed(plain, _with_p(row, p)) if p is not None else row


def _spelt(plain: str, found: Sequence[Statistic]) -> Iterable[Statistic]:
    """Counts in words: "nine randomised trials"."""
    for match in _SPELT.finditer(lowered(plain)):
        if any(r.start <= match.start() < r.end for r in found):
            continue
        value = float(_WORDS[match.group()])
        counted = _counted(plain, match.start(), match.end(), value)
        if counted is not None and counted.measure is not None:
            yield Statistic(match.start(), counted.end, counted.measure, value)


def _number(text: str) -> float:
    """Read a number as printed: sign, thousands separators, "1 x 10-5", "10^-5", "1e-5"."""
    plain = text.replace(",", "").translate(_RAISED)
    power = _POWER.fullmatch(plain)
    return float(plain) if power is None else float(f"{power['base'] or 1}e{power['exponent']}")
