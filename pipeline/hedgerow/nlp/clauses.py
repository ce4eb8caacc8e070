"""Cut a sentence into the clauses that are claims of their own.

A clause is cut off only at a connective (`clauses.toml`), or at the comma behind a clause in front
(`clauses_front.toml`), and only where the two sides differ in certainty, polarity, attribution or,
where the connective allows, direction; everything else stays one claim.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass

from hedgerow.nlp.lexicon import lowered
from hedgerow.nlp.phrases import VERBS, Word, base_form
from hedgerow.nlp.rules import load_data, load_rules, words_of

_CONNECTIVES = [
    (r.id, str(r.fields["kind"]), tuple(r.fields["words"]), r.lower) for r in load_rules("clauses")
]
_SUBORDINATORS = words_of("clauses", "subordinators")
_NON_FINITE = words_of("clauses", "non_finite")
_BAD = tuple(load_data("clauses")["bad_outcomes"])
_BENEFITS = tuple(load_data("clauses")["benefits"])
_HARMS = tuple(load_data("clauses")["harms"])
_REPORT_VERBS = words_of("attribution", "report_verbs")
SCORES: dict[str, float] = dict(load_data("clauses")["score"])
"""Certainty score of a clause that its own cues place."""

_LEAD = re.compile(r"\s*(?:[-–—•*·▪◦‣✔✓+]\s+|\(?\d{1,2}[.)]\s+|[a-h][.)]\s+)?")
_FRONT, _OWN, _HELD, _NEEDED = (rule.regex for rule in load_rules("clauses_front"))
_EFFECTS = {r.id: r.lower for r in load_rules("effects")}
_RELATIVE = re.compile(
    r"(?<=[a-z]),?\s(?:which|who|whose|whom|where)\b|(?<=s)(?<!\bis)(?<!\bwas)\sthat\b"
)
_PAIRED = re.compile(r"\b(?:both|between|neither)\b[^,;]{0,60}$", re.I)
_ORDER = ("certain", "probable", "possible", "uncommitted")
_REACH = {"addition": 9, "contrast": 16, "concession": 16, "reason": 16}
"""A clause's verb stands at most so many words behind its connective."""

_ALWAYS_OPEN = frozenset({"relative", "participle", "verbless", "semicolon"})
_ALWAYS_CLOSED = frozenset({"verbless", "semicolon", "reason"})
_SAME_CLAUSE = frozenset({"relative", "reason"})
"""Kinds of connective that hang on the clause before the last one as well."""

_HINT = re.compile(
    "|".join(sorted({re.escape(hint) for _, _, hints, _ in _CONNECTIVES for hint in hints})), re.I
)
_WEAK_CUES = re.compile(r"or|possible(?= to\b)", re.I)
"""Words that the cue model takes for hedges, and that leave a clause its certainty."""


_INNER = frozenset({"which", "who", "where"})
_RELATIVES = frozenset({"that", "which", "who"})
_LONGEST = 5_000
"""Characters of a sentence that is cut; finding cuts takes time with the square of its length."""


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


@dataclass(frozen=True)
class _Cut:
    """A border between clauses: text[at:after] is the connective. kind: that of `clauses.toml`.

    comma: whether it opens with one.
    """

    at: int
    after: int
    kind: str
    comma: bool = False


@dataclass(frozen=True)
class _Part:
    """A clause's span, and the kind of the connective in front of it."""

    start: int
    end: int
    kind: str

    def holds(self, at: int) -> bool:
        """Whether an offset of the sentence lies in it."""
        return self.start <= at < self.end


@dataclass(frozen=True)
class _Sentence:
    """What clauses are cut and compared by. words: those outside brackets and quotation marks."""

    text: str
    words: Sequence[Word]
    cues: Sequence[Cue]
    citations: Sequence[tuple[int, int]]

    def level(self, part: _Part, without: _Part | None = None) -> str:
        """The certainty that a clause's hedges leave it."""
        levels = [
            c.level
            for c in self.cues
            if c.category == "speculation"
            and part.holds(c.start)
            and c.level in _ORDER
            and not _WEAK_CUES.match(self.text, c.start, c.end + 4)
            and not (without is not None and without.holds(c.start))
        ]
        return max(levels, key=_ORDER.index, default="certain")

    def negated(self, part: _Part, without: _Part | None = None) -> bool:
        """Whether a clause is denied: a negation inside a relative clause denies something else."""
        first = part.start + (len("which") if part.kind == "relative" else 0)
        relative = _RELATIVE.search(self.text, first, part.end) if without is None else None
        stop = relative.start() if relative else part.end
        return any(
            c.category == "negation"
            and part.start <= c.start < stop
            and self.text[c.start : c.end] != "without"
            and not (without is not None and without.holds(c.start))
            for c in self.cues
        )

    def cited(self, part: _Part, without: _Part | None = None) -> bool:
        """Whether a citation marker stands in a clause."""
        return any(
            part.holds(start) and not (without is not None and without.holds(start))
            for start, _ in self.citations
        )

    def own(self, part: _Part) -> bool:
        """Whether a clause is plainly the authors' own."""
        return _OWN.search(self.text, part.start, part.end) is not None


def claim_span(text: str) -> tuple[int, int]:
    """Return the span of a sentence without a bullet or list number in front, nor blanks."""
    start = match.end() if (match := _LEAD.match(text)) else 0
    end = len(text.rstrip())
    return (start, end) if start < end else (0, max(end, 1))


def split_clauses(
    text: str,
    words: Sequence[Word],
    cues: Sequence[Cue],
    *,
    direction: str,
    citations: Sequence[tuple[int, int]] = (),
) -> list[Clause]:
    """Return the claims of a sentence, that of the main clause first.

    words: the sentence's words. cues: its cues. direction: the unit's, the default of all clauses.
    citations: where its citation markers stand.
    A relative clause inside the main clause lies in its span. A unit too long to be a sentence is
    one claim.
    """
    start, end = claim_span(text)
    if len(text) > _LONGEST or not (_HINT.search(text, start, end) or _FRONT.match(text, start)):
        return [Clause(start, end)]
    sentence = _Sentence(text, _outside(words), cues, citations)
    inner = _inner_relative(sentence, start, end)
    cuts = _cuts(sentence, start, end, inner)
    if not cuts and inner is None:
        return [Clause(start, end)]
    kept: list[_Part] = []
    for part in _parts(text, start, end, cuts):
        if kept and not _differ(sentence, kept[-1], part):
            kept[-1] = _Part(kept[-1].start, part.end, kept[-1].kind)
        else:
            kept.append(part)
    main = 1 if len(kept) > 1 and kept[1].kind == "main" else 0
    ordered = [kept[main], *kept[:main], *kept[main + 1 :]]
    if inner is not None and _differ(sentence, ordered[0], inner, without=inner):
        ordered.insert(1, inner)
    if len(ordered) == 1:
        return [Clause(start, end)]
    return [
        Clause(part.start, part.end) if i == 0 else _labelled(sentence, part, direction)
        for i, part in enumerate(ordered)
    ]


def _outside(words: Sequence[Word]) -> list[Word]:
    """The words outside brackets and quotation marks."""
    depth, quoted, found = 0, False, []
    for word in words:
        if word.tag != "punct":
            if depth <= 0 and not quoted:
                found.append(word)
        elif word.lower in "([“":
            depth += 1
        elif word.lower in ")]”":
            depth = max(0, depth - 1)
        elif word.lower == '"':
            quoted = not quoted
        elif depth <= 0 and not quoted:
            found.append(word)
    return found


def _cuts(sentence: _Sentence, start: int, end: int, inner: _Part | None) -> list[_Cut]:
    """Connectives with a verb group on both sides.

    None in brackets or quotation marks, nor in the relative clause `inner`.
    """
    text, words = sentence.text, sentence.words
    found: dict[int, _Cut] = {}
    listed = text.count(";", start, end) > 1
    lower = lowered(text)
    for name, kind, hints, pattern in _CONNECTIVES:
        if (name == "semicolon" and listed) or not any(hint in lower for hint in hints):
            continue
        for match in pattern.finditer(lower, start, end):
            at = match.start()
            if not _among(words, match.end(), at):
                continue
            if name == "and" and _PAIRED.search(text, start, at):
                continue
            found.setdefault(at, _Cut(at, match.end(), kind, text[at] == ","))
    front = _front_cut(sentence, start, end)
    if front is not None:
        found = {at: cut for at, cut in found.items() if at > front.at} | {front.at: front}
    cuts: list[_Cut] = []
    left = start
    for cut in sorted(found.values(), key=lambda cut: cut.at):
        if cut.at < left or (inner is not None and inner.start <= cut.after <= inner.end):
            continue
        if cut.kind != "main" and not (
            _closes_clause(words, start if cut.kind in _SAME_CLAUSE else left, cut)
            and _opens_clause(words, cut)
        ):
            continue
        cuts.append(cut)
        left = cut.after
    return cuts


def _among(words: Sequence[Word], after: int, at: int) -> bool:
    """Whether a word begins at `after`, or begins or ends at `at`: none in brackets is given."""
    i, j = _index(words, after), _index(words, at)
    return (
        (i < len(words) and words[i].start == after)
        or (j < len(words) and words[j].start == at)
        or (j > 0 and words[j - 1].end == at)
    )


def _front_cut(sentence: _Sentence, start: int, end: int) -> _Cut | None:
    """The comma between a clause in front ("Although it helps, …") and the main clause."""
    front = _FRONT.match(sentence.text, start, end)
    if front is None:
        return None
    words = _from(sentence.words, front.end())
    verb = False
    for i, word in enumerate(words):
        verb = verb or _predicates(words, i)
        if word.lower == ";":
            return None
        if word.lower == "," and verb and _goes_on(words, i + 1):
            after = words[i + 1]
            if after.lower == "but" and i + 2 < len(words):
                after = words[i + 2]
            return _Cut(word.start, after.start, "main")
    return None


def _goes_on(words: Sequence[Word], first: int) -> bool:
    """Whether a clause with a subject begins there and has its verb before the next comma."""
    if first >= len(words) or words[first].lower in ("and", "or", "which", "who", "where"):
        return False
    if words[first].tag in ("verb", "aux") or words[first].lower.endswith("ing"):
        return False
    for i in range(first, len(words)):
        if words[i].lower in (",", ";"):
            return False
        if _predicates(words, i):
            return True
    return False


def _speaks(words: Sequence[Word], first: int) -> bool:
    """Whether an auxiliary stands behind a phrase in front ("to date there has been")."""
    for i in range(first, min(first + 2 * _REACH["addition"], len(words))):
        if words[i].tag == "aux":
            return words[i - 1].tag in ("noun", "pron", "conj", "adv")
        if words[i].lower in ("that", "which", "who", ";", "and"):
            return False
    return False


def _predicates(words: Sequence[Word], i: int) -> bool:
    """Whether a word is a finite verb."""
    word = words[i]
    before = words[i - 1].lower if i else ""
    if word.tag == "aux":
        return word.lower not in _NON_FINITE and before != "to"
    return word.tag == "verb" and before != "to"


def _inner_relative(sentence: _Sentence, start: int, end: int) -> _Part | None:
    """A relative clause between commas that interrupts the main clause before its verb."""
    words = [w for w in sentence.words if start <= w.start < end]
    for i, word in enumerate(words[:-1]):
        if word.lower != "," or words[i + 1].lower not in _INNER:
            continue
        if any(w.tag == "aux" for w in _since_that(words[:i])):
            return None
        stop = next((j for j in range(i + 2, len(words)) if words[j].lower == ","), None)
        if stop is None:
            return None
        following = words[stop + 1 : stop + 3]
        fronted = words[0].tag == "prep" and _goes_on(words, stop + 1)
        if fronted or (following and following[0].tag in ("verb", "aux", "adv")):
            return _Part(words[i + 1].start, words[stop - 1].end, "relative")
        return None
    return None


def _since_that(words: Sequence[Word]) -> Sequence[Word]:
    """The words behind the last "that"."""
    last = max((i for i, w in enumerate(words) if w.lower == "that"), default=-1)
    return words[last + 1 :]


def _closes_clause(words: Sequence[Word], start: int, cut: _Cut) -> bool:
    """Whether a clause can end there: it has a verb, also behind the last "that" or "which".

    "It seems that zinc | and copper help" has none there: the connective joins two nouns. Nor has
    "A drug that does not help | and may harm costs money": its verb stands in a relative clause of
    the subject. A participle in front ("Taken together, the reviews | and trials show") is none.
    """
    verb = False
    inside = words[_index(words, start) : _index(words, cut.at)]
    if cut.kind in _ALWAYS_CLOSED or (
        cut.kind == "relative" and cut.comma and inside and inside[0].tag != "prep"
    ):
        return True
    if cut.kind != "addition" or cut.comma or _subject_again(words, cut):
        return any(word.tag in ("verb", "aux") for word in inside)
    for i, word in enumerate(inside):
        if word.lower in _RELATIVES and i > 0 and not verb:
            return False
        if word.lower in ("that", "which", "whether", "if", "because"):
            verb = False
        participle = i == 0 and word.tag == "verb" and word.lower.endswith(("ed", "en", "ing"))
        verb = verb or (_predicates(inside, i) and not participle)
    return verb


def _index(words: Sequence[Word], start: int) -> int:
    """The number of the first word at or behind an offset."""
    return bisect_left(words, start, key=lambda word: word.start)


def _from(words: Sequence[Word], start: int, length: int | None = None) -> Sequence[Word]:
    """The words, at most `length` of them, from an offset on."""
    first = _index(words, start)
    return words[first:] if length is None else words[first : first + length]


def _subject_again(words: Sequence[Word], cut: _Cut) -> bool:
    """Whether a pronoun and an auxiliary open the next clause ("and this was", "and it may")."""
    following = [w for w in _from(words, cut.after, 4) if w.tag != "adv"][:2]
    return (
        len(following) > 1
        and (following[0].tag == "pron" or following[0].lower in ("this", "these"))
        and following[1].tag == "aux"
    )


def _opens_clause(words: Sequence[Word], cut: _Cut) -> bool:
    """Whether a clause begins there: a verb group, or a subject and one soon after."""
    if cut.kind in _ALWAYS_OPEN:
        return True
    following = _from(words, cut.after, _REACH[cut.kind])
    if cut.kind != "addition":
        return any(
            (_predicates(following, i) and (i or w.tag == "aux" or _is_finite(w, i)))
            or (i == 0 and w.lower.endswith("ed") and w.lower in VERBS)
            for i, w in enumerate(following)
        )
    for i, word in enumerate(following):
        if word.lower in _NON_FINITE and i == 0:
            return False
        if word.tag == "aux":
            return True
        owned = i > 0 and following[i - 1].lower.endswith(("'s", "’s"))
        if word.tag == "verb" and _is_finite(word, i) and not owned:
            after = following[i + 1].tag if i + 1 < len(following) else "punct"
            by = i == 0 and i + 1 < len(following) and following[i + 1].lower == "by"
            participle = word.lower.endswith("ed") and after == "prep" and (i > 0 or by)
            return not participle
        if word.tag == "prep" and i == 0:
            return cut.comma and _speaks(words, _index(words, cut.after))
        if word.lower in _SUBORDINATORS:
            return False
        if word.tag == "punct":
            return False
    return False


def _is_finite(word: Word, index: int) -> bool:
    """Whether a verb form can be the clause's predicate; a bare base form needs a subject."""
    return index > 0 or word.lower != base_form(word.lower)


def _parts(text: str, start: int, end: int, cuts: Sequence[_Cut]) -> list[_Part]:
    edges = [_Cut(start, start, "main"), *cuts]
    parts = []
    for i, cut in enumerate(edges):
        stop = edges[i + 1].at if i + 1 < len(edges) else end
        part = text[cut.after : stop]
        lead = _FRONT.match(part) if i == 0 and len(edges) > 1 and edges[1].kind == "main" else None
        first = lead.end() if lead is not None else len(part) - len(part.lstrip())
        parts.append(_Part(cut.after + first, cut.after + len(part.rstrip(" ,;")), cut.kind))
    return parts


def _differ(sentence: _Sentence, first: _Part, second: _Part, without: _Part | None = None) -> bool:
    """Whether two clauses differ in what makes claims separate.

    without: a clause inside the first whose words do not count for it.
    """
    beside = second.kind == "addition" and _lacks_subject(sentence.words, second.start)
    if sentence.level(_last_that(sentence, first) if beside else first, without) != (
        sentence.level(second)
    ):
        return True
    if sentence.negated(first, without) != sentence.negated(second):
        return True
    if sentence.cited(first, without) and not sentence.cited(second):
        return second.kind != "relative" or sentence.own(second)
    if second.kind == "relative":
        return False
    if sentence.cited(second) and not sentence.cited(first) and sentence.own(first):
        return True
    if not beside and _reports(sentence, second) and not _reports(sentence, first):
        return True
    one, other = _effect(sentence.text, first), _effect(sentence.text, second)
    if second.kind == "addition" and beside and one is None:
        return other is not None and _opens_with_aux(sentence.words, second.start)
    if second.kind == "addition" and (beside or not _comma(sentence.text, first)):
        return one is not None and other is not None and {one, other} == {"benefit", "harm"}
    return one != other


def _opens_with_aux(words: Sequence[Word], start: int) -> bool:
    """Whether a clause opens with an auxiliary."""
    return any(w.tag == "aux" for w in _from(words, start, 1))


def _comma(text: str, part: _Part) -> bool:
    """Whether a comma closes a clause."""
    return text[part.end : part.end + 1] == ","


def _last_that(sentence: _Sentence, part: _Part) -> _Part:
    """The clause behind a part's last "that", which a verb without subject goes on with."""
    starts = [w.start for w in sentence.words if part.holds(w.start) and w.lower == "that"]
    return _Part(starts[-1], part.end, part.kind) if starts else part


def _lacks_subject(words: Sequence[Word], start: int) -> bool:
    """Whether a clause opens with its verb, and so shares the subject of the one before."""
    first = next((w for w in _from(words, start) if w.tag != "adv"), None)
    return first is None or first.tag in ("verb", "aux")


def _reports(sentence: _Sentence, part: _Part) -> bool:
    """Whether the clause puts what follows into somebody's mouth, with its first verb or a noun."""
    if _HELD.search(sentence.text, part.start, part.end) is not None:
        return True
    words = sentence.words
    verb = next((w for w in words if part.start <= w.start < part.end and w.tag == "verb"), None)
    if verb is None or base_form(verb.lower) not in _REPORT_VERBS:
        return False
    after = next((w.lower for w in words if w.start >= verb.end), "")
    return after == "that"


def _effect(text: str, part: _Part) -> str | None:
    """What the clause's first effect word says, with the value of the outcome: benefit or harm."""
    lower = lowered(text)
    found = [
        (m.start(), name)
        for name, regex in _EFFECTS.items()
        if (m := regex.search(lower, part.start, part.end)) is not None
    ]
    if _NEEDED.search(text, part.start, part.end) is not None:
        return None
    if not found:
        valued = (("benefit", _BENEFITS), ("harm", _HARMS))
        return next(
            (
                value
                for value, names in valued
                if any(lower.find(n, part.start, part.end) >= 0 for n in names)
            ),
            None,
        )
    name = min(found)[1]
    if name in ("same", "no-difference"):
        return "no_effect"
    if name in ("better", "worse"):
        return "benefit" if name == "better" else "harm"
    bad = any(lower.find(word, part.start, part.end) >= 0 for word in _BAD)
    return "harm" if (name == "rise") == bad else "benefit"


def _labelled(sentence: _Sentence, part: _Part, direction: str) -> Clause:
    """A clause beside the main one, with the labels that its own cues give it."""
    negated = sentence.negated(part)
    effect = _effect(sentence.text, part)
    own = direction
    if direction != "none":
        own = "no_effect" if negated and effect is not None else effect or "neutral"
    return Clause(
        part.start,
        part.end,
        certainty=sentence.level(part),
        polarity="negated" if negated else "affirmed",
        direction=own,
    )
