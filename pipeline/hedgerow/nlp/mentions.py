"""Mentions of entities in a document: what the model, the name list and the rules find, made one.

Abbreviations are found with scispaCy's implementation of Schwartz and Hearst (2003), "A simple
algorithm for identifying abbreviation definitions in biomedical text", over the whole document: a
short form stands for its long form wherever it occurs.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache

from scispacy.abbreviation import filter_matches, find_abbreviation, short_form_filter
from spacy.tokens import Doc
from spacy.vocab import Vocab

from hedgerow.errors import ResourceError
from hedgerow.nlp.lexicon import lowered
from hedgerow.nlp.rules import Rule, load_rules
from hedgerow.tables import ENTITY_LABELS

LAYERS = {"POPULATION": 1, "STUDY": 2}
"""Mentions of these labels may hold others ("patients with asthma"); the rest are of layer 0."""

NAME_SCORE = 0.9
RULE_SCORE = 0.8
"""Scores of mentions that the name list, or a rule, finds: the share of such that is right."""

MODEL = "model"
NAMES = "names"
ABBREVIATION = "abbreviation"
STUDY_NAME = "study-name"
"""What found a mention, where it was no rule."""

_PIECE = re.compile(r"[()\[\],;]|[^\s()\[\],;]+")
_INNER = re.compile(r"\(\?P<(core|study)>")
_CAPITAL = re.compile(r"(?<!\\)[A-Z](?!<)")
_MAX_LONG_FORM = 8
_REACHED = frozenset({"CHEMICAL", "DISEASE", "GENE", "PROCEDURE"})
_NEAR = re.compile(r" (?:[\w-]+ ){0,2}")


@dataclass(frozen=True)
class Mention:
    """A mention in a sentence: sentence[start:end], in code points.

    label: one of `tables.ENTITY_LABELS`. score: raw, 0 to 1. source: what found it: `MODEL`,
    `NAMES`, `ABBREVIATION`, `STUDY_NAME` or the id of a rule. long_form: what the mention
    abbreviates, if anything. study: the name of a trial that the mention gives, if any.
    """

    start: int
    end: int
    label: str
    score: float
    source: str
    long_form: str | None = None
    study: str | None = None

    @property
    def layer(self) -> int:
        """Mentions of one layer do not overlap once resolved."""
        return LAYERS.get(self.label, 0)

    def overlaps(self, other: Mention) -> bool:
        """Return whether the two share a character."""
        return self.start < other.end and other.start < self.end


@dataclass(frozen=True)
class Definition:
    """An abbreviation and what the document says that it stands for.

    sentence: number of the sentence that defines it; long_start, long_end: the long form in it.
    """

    short: str
    long_form: str
    sentence: int
    long_start: int
    long_end: int


class MentionRules:
    """The rules of `data/mentions.toml`, as two patterns: for the text, and for it in lower case.

    At one place the first rule that matches counts. A rule's fields: label, and for rules with a
    group `core` whether it counts `bare` (default true), with no mention of another kind beside it.
    """

    def __init__(self, rules: Sequence[Rule]) -> None:
        unknown = sorted({str(r.fields.get("label")) for r in rules} - set(ENTITY_LABELS))
        if unknown:
            raise ResourceError(
                f"mentions.toml: found the labels {unknown}; expected some of {ENTITY_LABELS}"
            )
        self._cased = _Scanner([rule for rule in rules if rule.case])
        self._uncased = _Scanner([rule for rule in rules if not rule.case])

    def find(self, text: str, others: Sequence[Mention]) -> list[Mention]:
        """Return the mentions in `text`; `others` are those that a match may reach to."""
        matches = list(self._uncased.scan(lowered(text)))
        if not text.isupper():
            matches += self._cased.scan(text)
        found = []
        for rule, match in matches:
            span = _span(text, rule, match, others)
            if span is not None:
                study = match.groupdict().get(f"study_{_suffix(rule)}")
                label = str(rule.fields["label"])
                found.append(Mention(*span, label, RULE_SCORE, rule.id, study=study))
        return found


class _Scanner:
    """Several rules as one pattern; each rule's groups bear its id."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        self._rules = {_group(rule): rule for rule in rules}
        for rule in rules:
            if not rule.case and _CAPITAL.search(rule.pattern):
                raise ResourceError(
                    f"mentions.toml, entry {rule.id!r}: found a capital in {rule.pattern!r}; "
                    "expected lower case, or case = true"
                )
        self._pattern = re.compile(
            rf"(?<!\w)(?:{'|'.join(_renamed(rule) for rule in rules)})(?!\w)"
        )

    def scan(self, text: str) -> Iterator[tuple[Rule, re.Match[str]]]:
        """Yield the rule and the match of everything found, in order."""
        for match in self._pattern.finditer(text):
            yield self._rules[str(match.lastgroup)], match


def _group(rule: Rule) -> str:
    return f"rule_{_suffix(rule)}"


def _renamed(rule: Rule) -> str:
    """Return a rule's pattern as a group of its own name, which closes after those inside."""
    inside = _INNER.sub(lambda match: f"(?P<{match[1]}_{_suffix(rule)}>", rule.pattern)
    return f"(?P<{_group(rule)}>{inside})"


def _suffix(rule: Rule) -> str:
    return rule.id.replace("-", "_")


def _span(
    text: str, rule: Rule, match: re.Match[str], others: Sequence[Mention]
) -> tuple[int, int] | None:
    """Return the mention in a match, or None where it is none.

    A "trial" of something that has a name of its own kind ("ALS trials") is no trial's name.
    """
    study, core_group = f"study_{_suffix(rule)}", f"core_{_suffix(rule)}"
    if study in match.re.groupindex:
        named = match.span(study)
        return None if any((m.start, m.end) == named for m in others) else match.span()
    if core_group not in match.re.groupindex:
        return match.span()
    core = match.span(core_group)
    reached = _reach(text, core, match.end(), others)
    return reached or (core if rule.fields.get("bare", True) else None)


def _reach(
    text: str, core: tuple[int, int], end: int, others: Sequence[Mention]
) -> tuple[int, int] | None:
    """Return `core` stretched over the mentions beside it, or None where there are none.

    end: where the rule's match ends, past words such as "with" that lead to a mention behind.
    """
    beside = [m for m in others if m.label in _REACHED]
    left = [m.start for m in beside if text[m.end : core[0]] == " "]
    right = [
        m.end
        for m in beside
        if core[1] < end < m.start and _NEAR.fullmatch(text[end : m.start]) is not None
    ]
    if not left and not right:
        return None
    return min([core[0], *left]), max([core[1], *right[:1]])


@cache
def load_mention_rules() -> MentionRules:
    """Return the rules that ship in `data/mentions.toml`."""
    return MentionRules(load_rules("mentions"))


def add_studies(texts: Sequence[str], mentions: Sequence[Sequence[Mention]]) -> list[list[Mention]]:
    """Return the mentions of each sentence, with every occurrence of a trial's name.

    A name that the document once calls a trial ("the X trial") is one wherever it stands.
    """
    names = {m.study for found in mentions for m in found if m.study}
    if not names:
        return [list(found) for found in mentions]
    pattern = _any_of(names)
    return [
        [
            *found,
            *(
                Mention(*match.span(), "STUDY", RULE_SCORE, STUDY_NAME)
                for match in pattern.finditer(text)
            ),
        ]
        for text, found in zip(texts, mentions, strict=True)
    ]


def _any_of(names: Iterable[str]) -> re.Pattern[str]:
    """Return a pattern that finds any of the names as written, as whole words, longest first."""
    ordered = sorted(set(names), key=lambda name: (-len(name), name))
    return re.compile(rf"(?<![\w-])(?:{'|'.join(map(re.escape, ordered))})(?!\w)")


def find_definitions(texts: Sequence[str], vocab: Vocab) -> dict[str, Definition]:
    """Return the abbreviations that a document defines, by short form; the first definition counts.

    texts: its sentences, in order.
    """
    definitions: dict[str, Definition] = {}
    for number, text in enumerate(texts):
        if "(" not in text:
            continue
        for short, start, end in _definitions(text, vocab):
            definitions.setdefault(
                short, Definition(short, " ".join(text[start:end].split()), number, start, end)
            )
    return definitions


def _definitions(text: str, vocab: Vocab) -> list[tuple[str, int, int]]:
    """Return (short form, start and end of its long form) for each definition in a sentence."""
    pieces = list(_PIECE.finditer(text))
    words = [piece.group() for piece in pieces]
    ends = [piece.end() for piece in pieces]
    spaces = [end < following.start() for end, following in zip(ends, pieces[1:], strict=False)] + [
        False
    ]
    doc = Doc(vocab, words=words, spaces=spaces)
    found = []
    for start, end in _brackets(words):
        pairs = filter_matches([(0, start, end)], doc)
        short = doc[start - 2 : start - 1] if start > 1 else None
        if short is not None and short_form_filter(short):
            pairs.append((doc[start:end], short))  # "TBI (traumatic brain injury)"
        for long_candidate, short_candidate in pairs:
            if len(long_candidate) == 0 or not _is_short_form(short_candidate.text):
                continue
            _, long_form = find_abbreviation(long_candidate, short_candidate)
            if long_form is not None and short_candidate.text not in long_form.text:
                span = pieces[long_form.start].start(), pieces[long_form.end - 1].end()
                found.append((short_candidate.text, *span))
                break
    return found


def _brackets(words: Sequence[str]) -> Iterator[tuple[int, int]]:
    """Yield what stands inside each innermost pair of brackets, as [start, end) in words."""
    opened = None
    for i, word in enumerate(words):
        if word == "(":
            opened = i + 1
        elif word == ")" and opened is not None:
            if 0 < i - opened <= _MAX_LONG_FORM:
                yield opened, i
            opened = None


def _is_short_form(text: str) -> bool:
    """Return whether a short form is written like one: two capitals, or one in three letters."""
    capitals = sum(c.isupper() for c in text)
    return capitals >= 2 or (capitals == 1 and len(text) <= 3)


def add_abbreviations(
    texts: Sequence[str],
    mentions: Sequence[Sequence[Mention]],
    definitions: Mapping[str, Definition],
    label_of: Callable[[str], str | None],
) -> list[list[Mention]]:
    """Return the mentions of each sentence with abbreviations expanded, and further ones found.

    A mention that is a defined short form gets its long form, and the label of the long form where
    that is known: from the mention that covers it in its definition, else from `label_of`.
    """
    if not definitions:
        return [list(found) for found in mentions]
    labels = {
        short: _label_of_long_form(d, mentions[d.sentence]) or label_of(d.long_form)
        for short, d in definitions.items()
    }
    pattern = _any_of(definitions)
    return [
        _expanded(text, found, definitions, labels, pattern)
        for text, found in zip(texts, mentions, strict=True)
    ]


def _label_of_long_form(definition: Definition, mentions: Sequence[Mention]) -> str | None:
    covering = [
        m
        for m in mentions
        if m.layer == 0
        and m.end == definition.long_end
        and 2 * (m.end - m.start) >= definition.long_end - definition.long_start
    ]
    best = max(covering, key=lambda m: (m.end - m.start, m.score, m.label), default=None)
    return best.label if best else None


def _expanded(
    text: str,
    mentions: Sequence[Mention],
    definitions: Mapping[str, Definition],
    labels: Mapping[str, str | None],
    pattern: re.Pattern[str],
) -> list[Mention]:
    expanded = list(mentions)
    for match in pattern.finditer(text):
        start, end = match.span()
        long_form, label = definitions[match.group()].long_form, labels[match.group()]
        same = [i for i, m in enumerate(expanded) if (m.start, m.end) == (start, end)]
        for i in same:
            expanded[i] = replace(
                expanded[i], long_form=long_form, label=label or expanded[i].label
            )
        if not same and label is not None:
            expanded.append(Mention(start, end, label, NAME_SCORE, ABBREVIATION, long_form))
    return expanded


def resolve(mentions: Iterable[Mention]) -> list[Mention]:
    """Return the mentions without overlaps in a layer, in order.

    The longest wins, then the best score, then the order of the labels, then the source's name.
    """
    ranked = sorted(
        mentions,
        key=lambda m: (
            m.start - m.end,
            -m.score,
            ENTITY_LABELS.index(m.label),
            m.source,
            m.start,
            m.long_form or "",
        ),
    )
    kept: list[Mention] = []
    for mention in ranked:
        if not any(mention.layer == k.layer and mention.overlaps(k) for k in kept):
            kept.append(mention)
    return sorted(kept, key=lambda m: (m.start, m.end, m.layer))
