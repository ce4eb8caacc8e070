"""What a single line of text looks like: list markers, cells, references, figures, furniture.

These are judgements on one line alone; `readers/text.py` weighs them against a line's neighbours.
Wording that tells a kind of block (captions, page furniture, names of reference lists) is data:
`data/blocks.toml`.
"""

from __future__ import annotations

import re
from functools import cache

from hedgerow import data

_CITED = r"(?:\s?(?:\[[\d,;\s–-]+\]|\([\d,;\s–-]+\)|[¹²³⁰-⁹]+))*"
_CLOSING = "[\"'”’»)\\]*]*"
_STOP = re.compile(rf"[.!?…;,]{_CLOSING}{_CITED}$")
_SENTENCE_END = re.compile(rf"[.!?…]{_CLOSING}{_CITED}$|[^\W\d]\s\d{{1,3}}(?:,\s?\d{{1,3}})*\.$")
_QUESTION = re.compile(rf"\?{_CLOSING}$")

_BULLET = re.compile(r"(?:[•◦▪‣●○■□·∙⁃*+–—\-→➔➤▶►✓✔✅☐☑☒✗✘×✦#»🌿]\ufe0f?|\[[ xX]?\]){1,3}\s+(?=\S)")
_SYMBOL = re.compile(r"(?:[\U0001f300-\U0001faff☀-➿]\ufe0f?)+\s+(?=\S)")
_NUMBER = re.compile(
    r"(?:\(?(?:\d{1,2}[a-z]?|[a-z]|[ivx]{1,4})\)|\d{1,2}[a-z]?\.|[ivx]{1,4}\.|[①-⑳]|\d\ufe0f?\u20e3"
    r"|\d{1,2}/)\s+(?=\S)"
)
_TIME_CODE = re.compile(r"\[?\d{1,2}:\d{2}(?::\d{2})?\]?(?:\s[–—-])?\s+(?=\S)")
_SECTION_NUMBER = re.compile(r"\d{1,2}(?:\.\d{1,2}){1,3}\.?\s+(?=\S)")

_FIGURE = re.compile(
    r"""[~≈<>≤≥±+−–\-$£€]{0,2}\d[\d.,:–/\-]*\s?
    (?:%|x|×|k|m|bn|mg|g|ml|mL|µg|in\s\d+|of\s\d+|out\sof\s\d+|/\s?\d+|★+[☆★]*
      |(?:years?|weeks?|days?|hours?|months?|minutes?))?
    (?:\s(?:vs?\.?|to)\s[\d.,]+\s?%?)?[*†‡]?""",
    re.VERBOSE,
)
_STARS = re.compile(r"[★☆⭐]{2,}")

_REFERENCE_MARK = re.compile(
    r"(?:[-•*]\s+)?(?:\[\w{1,3}\]|\(\d{1,3}\)|\d{1,3}(?:[.):-]|\b(?=\s[A-Z]))|[¹²³⁰-⁹]+|[*†‡^])"
    r"\s*(?:\^\s*)?(?=\S)"
)
_REFERENCE_SIGNS = (
    re.compile(r"\b(?:18|19|20)\d\d[a-z]?\b"),
    re.compile(r"\bet al\b|\b[A-Z][\w'’-]+,? (?:[A-Z]\.? ?){1,3}(?:[,.;:&]|$| and\b)"),
    re.compile(r"\b\d{1,4}\s?(?:\(\d{1,3}(?:[-–]\d+|\s\w+ \d)?\))?\s?[:,]\s?e?\d{1,6}(?:[-–]\d+)?"),
    re.compile(r"(?i)\bdoi\b|\bpmid\b|\bpmc ?\d|\bpmcid\b|\bCD\d{6}\b|\bNCT\d{8}\b|https?://"),
    re.compile(
        r"\b(?:J|Am|Engl|Med|Rev|Clin|Sci|Ann|Res|Int|Lancet|BMJ|JAMA|Nature|Cochrane|Eur|Proc|Acta"
        r"|Arch|Br|Neurol|Psychiatry|Stroke|Cell|PLoS|Nutr|Pharmacol|Biol|Syst|Database|Circulation"
        r"|Ther|Surg|Rheumatol|Journal)\b"
    ),
)
_CITATION_START = re.compile(
    r"(?!(?:The|This|In|A|An|For|We|It|On|At|By|As|If|And|But|One|Two|No|All)\b)(?:"
    r"[A-Z][\w'’-]+(?: [A-Z][\w'’-]+)? (?:[A-Z]{1,3}\b|[A-Z]\.)"  # Smith J, Le Doux JE
    r"|[A-Z][\w'’-]+(?:,? et al\b| (?:&|and) [A-Z])"
    r"|[\w .&’'-]{3,60}\((?:19|20)\d\d"  # Some Body (2013)
    r"|(?:[A-Z][\w.]* ){1,8}(?:\([A-Z]\w+\)\.? )?(?:19|20)\d\d\s?[;:,])"  # J Neurol 2010;
)


_MAX_ENTRY_WORDS = 60
_ENDING = 200
"""Characters at the end of a line that tell how it ends."""


@cache
def _wording(block: str) -> re.Pattern[str]:
    """Return one pattern for all rules of a kind in data/blocks.toml."""
    rules = [
        rule["pattern"] if rule.get("case") else f"(?i:{rule['pattern']})"
        for rule in data.load("blocks")["rule"]
        if rule["block"] == block
    ]
    return re.compile("|".join(f"(?:{pattern})" for pattern in rules))


def ends_with_stop(text: str) -> bool:
    """Return whether a line ends in a stop, comma or semicolon, citations after it aside."""
    return _STOP.search(text[-_ENDING:]) is not None


def ends_sentence(text: str) -> bool:
    """Return whether a line ends as a sentence does."""
    return _SENTENCE_END.search(text[-_ENDING:]) is not None


def is_question(text: str) -> bool:
    """Return whether a line ends in a question mark."""
    return _QUESTION.search(text[-_ENDING:]) is not None


def marker_of(text: str) -> str:
    """Return the list marker that a line begins with, without its blank; "" where it has none."""
    match = _BULLET.match(text) or _NUMBER.match(text) or _SYMBOL.match(text)
    return match.group().rstrip() if match else ""


def is_bulleted(text: str) -> bool:
    """Return whether a line begins with a bullet, tick, arrow, box or emoji."""
    return (_BULLET.match(text) or _SYMBOL.match(text)) is not None


def is_numbered(text: str) -> bool:
    """Return whether a line begins with a number or letter as items of a list do."""
    return _NUMBER.match(text) is not None


def has_time_code(text: str) -> bool:
    """Return whether a line begins with a time code such as 12:30 or [1:02:30]."""
    return _TIME_CODE.match(text) is not None


def is_figure(text: str) -> bool:
    """Return whether a line is only a figure, as the first line of a figure card is."""
    return _FIGURE.fullmatch(text) is not None


def has_stars(text: str) -> bool:
    """Return whether a line begins with rating stars."""
    return _STARS.match(text) is not None


def has_reference_mark(text: str) -> bool:
    """Return whether a line begins with the number of a reference entry."""
    return _REFERENCE_MARK.match(text) is not None


def reference_signs(text: str) -> int:
    """Return how many of 5 signs of a reference entry a line shows.

    They are a year, authors with initials, volume and pages, an identifier and a journal's name.
    """
    return sum(1 for sign in _REFERENCE_SIGNS if sign.search(text))


def is_reference(text: str, *, listed: bool) -> bool:
    """Return whether a line is a reference entry; listed: it stands in a list of them."""
    signs = reference_signs(text)
    marked = has_reference_mark(text)
    if listed:
        return signs >= 2 or (marked and signs >= 1)
    body = _REFERENCE_MARK.sub("", text, count=1) if marked else text
    if text.count(" ") >= _MAX_ENTRY_WORDS:
        return False
    if _CITATION_START.match(body):
        return signs >= 3
    return marked and signs >= 3 and not ends_sentence(body.split(";")[0])


def is_reference_heading(text: str) -> bool:
    """Return whether a heading says that reference entries follow, such as "Sources"."""
    return _wording("reference_heading").fullmatch(text.strip()) is not None


def is_caption(text: str) -> bool:
    """Return whether a line reads as the caption or note of a figure or table."""
    return _wording("caption").match(text) is not None


def is_card(text: str) -> bool:
    """Return whether a line reads as part of a card: a verdict, a grade, a speaker's name."""
    return _wording("card").search(text) is not None


def is_furniture(text: str, *, edge: bool) -> bool:
    """Return whether a line reads as page furniture; edge: it stands near the page's ends."""
    return _wording("boilerplate").search(text) is not None or (
        edge and _wording("boilerplate_edge").search(text) is not None
    )
