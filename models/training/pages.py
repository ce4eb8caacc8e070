"""Further units with labels, by the same guideline as the gold: `pages/`.

They are pages written for this project in many genres, on made-up sites: every unit was labelled as
it was written. Facts in them were not checked; they teach wording, not medicine. A page starts with
"@ genre | publisher | topic"; each further line is a unit, "SHAPE LABELS :: text". SHAPE is H
(heading), P (first sentence of a paragraph), + (a further one), L (bullet), N (numbered item), T
(table row), C (card or caption) or Q (quotation). LABELS is one word for a unit that is no claim
(`KINDS`), or, for a claim, "ce+au eff ben rct": certainty, polarity and attribution in one word,
then type, direction and evidence.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from hedgerow.errors import ResourceError
from hedgerow.evaluation import GoldDocument, GoldUnit

PAGES = "pages"
FOLDER = Path(__file__).parent / PAGES
KINDS = {
    "lead": "lead_in",
    "aim": "aim",
    "head": "heading",
    "ques": "question",
    "advi": "advice",
    "prom": "promotional",
    "opin": "opinion",
    "ref": "reference",
    "oth": "other",
}
CERTAINTIES = {"ce": "certain", "pr": "probable", "po": "possible", "un": "uncommitted"}
POLARITIES = {"+": "affirmed", "-": "negated"}
ATTRIBUTIONS = {"au": "author", "ci": "cited", "re": "reported"}
TYPES = {
    "eff": "efficacy",
    "saf": "safety",
    "mec": "mechanism",
    "com": "composition",
    "usa": "usage",
    "reg": "regulatory",
    "mar": "market",
    "evq": "evidence_quality",
    "bac": "background",
}
DIRECTIONS = {
    "ben": "benefit",
    "har": "harm",
    "noe": "no_effect",
    "mix": "mixed",
    "neu": "neutral",
    ".": "none",
}
EVIDENCE = {
    "met": "meta_analysis",
    "rct": "rct",
    "hum": "human",
    "ani": "animal",
    "inv": "in_vitro",
    "reg": "regulator",
    "exp": "expert",
    "ane": "anecdote",
    "non": "none",
}
_UNIT = re.compile(r"([HP+LNTCQ]) (\S+(?: \S+){0,3}) :: (.+)")
_MARKS = {"L": "- {}", "N": "{number}. {}"}


def labels_of(code: str) -> dict[str, str]:
    """Return the labels that a code stands for, task -> class.

    Raises ResourceError where it stands for none.
    """
    words = code.split()
    try:
        if len(words) == 1:
            return {"kind": KINDS[code]}
        first, kind, direction, evidence = words
        return {
            "kind": "claim",
            "certainty": CERTAINTIES[first[:2]],
            "polarity": POLARITIES[first[2:3]],
            "attribution": ATTRIBUTIONS[first[3:]],
            "claim_type": TYPES[kind],
            "direction": DIRECTIONS[direction],
            "evidence": EVIDENCE[evidence],
        }
    except (KeyError, ValueError) as error:
        raise ResourceError(
            f"found the labels {code!r}; expected a word such as 'head', or 'ce+au eff ben rct'"
        ) from error


def read_pages(folder: Path = FOLDER) -> list[GoldDocument]:
    """Return the pages of a folder as annotated documents.

    Raises ResourceError where a line is no unit.
    """
    return [page for path in sorted(folder.glob("*.txt")) for page in _pages(path)]


def _pages(path: Path) -> Iterator[GoldDocument]:
    lines = [line for line in path.read_text("utf-8").split("\n") if line]
    starts = [i for i, line in enumerate(lines) if line.startswith("@ ")]
    for number, (start, end) in enumerate(zip(starts, [*starts[1:], len(lines)], strict=True)):
        genre, publisher, topic = lines[start][2:].split(" | ")
        facts = {"genre": genre, "publisher": publisher, "topic": topic}
        facts["genre_group"] = f"pages {path.stem.split('-')[0]}"
        # Every other page has its blocks a line apart, as much text copied from the web has.
        blank = "\n\n" if number % 2 else "\n"
        yield _page(f"{PAGES}/{path.stem}-{number}", lines[start + 1 : end], blank, facts)


def _page(doc_id: str, lines: list[str], blank: str, facts: Mapping[str, str]) -> GoldDocument:
    text = ""
    units = []
    before, number = "", 0
    for line in lines:
        match = _UNIT.fullmatch(line)
        if match is None:
            raise ResourceError(f"{doc_id}: found {line!r}; expected 'SHAPE LABELS :: text'")
        shape, code, words = match.groups()
        number = number + 1 if shape == "N" else 0
        if text:
            text += " " if shape == "+" else "\n" if shape == before and shape in "LNT" else blank
        before = "P" if shape == "+" else shape
        start = len(text)
        text += _MARKS.get(shape, "{}").format(words, number=number)
        units.append(_unit(f"{doc_id}-{len(units)}", text, start, len(text), code))
    return GoldDocument(doc_id, PAGES, text, tuple(units), facts)


def _unit(identity: str, text: str, start: int, end: int, code: str) -> GoldUnit:
    return GoldUnit(identity, start, end, text[start:end], labels_of(code), {})
