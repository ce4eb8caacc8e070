"""Measure how often the interest behind a page is told rightly: interest.py DATA.

DATA holds gold/. The authored pages say their genre; `GENRES` says which interest a genre means
where that is plain (a product page is a vendor's), and the other pages are left out. Each page is
read twice: with its publisher's name (without the remarks in brackets behind it), as a page with
metadata declares it, and as bare text. The health pages, of US agencies, are read with their
address and without. "unknown" is an honest answer and a wrong one is not, so for each part it
prints how many pages are right, wrong and unknown; and of train, on which the rules are written,
which ones are wrong.
"""

from __future__ import annotations

import json
import re
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from hedgerow.readers.base import Document
from hedgerow.readers.metadata import interest_of
from hedgerow.readers.text import READER

UNCLEAR = r"versus|association|column|sceptic|hospital press release|hospital pharmacist's page"
GENRES = (
    ("vendor", r"\bshop\b|product page|vendor|online pharmacy|marketing e-mail|product monograph"),
    (
        "manufacturer",
        (
            r"device maker|datasheet|drug label|summary of product|company press release"
            r"|consumer brand press|investigator's brochure|patient information leaflet"
        ),
    ),
    ("forum", r"forum|reddit|social-media|ask-me-anything|comment section|talk page|q&a site"),
    (
        "journal",
        (
            r"preprint|structured abstract|letters? to the editor|letters and response|case report"
            r"|editorial|narrative review|discussion and limitations|research article|short comm"
            r"|systematic review abstract|ophthalmology trial|diagnostic accuracy paper|viewpoint"
            r"|results section|letter disputing|critical-care review"
        ),
    ),
    (
        "government",
        (
            r"regulator|recall notice|safety notice|public notification|health department"
            r"|scientific opinion"
        ),
    ),
    (
        "reference work",
        (
            r"encyclop|textbook|monograph|handbook|drug interaction reference|test reference page"
            r"|open wiki"
        ),
    ),
    ("news", r"newspaper|wire\b|trade|news story|broadcaster|conference coverage|magazine|tabloid"),
    ("blog", r"\bblog\b|affiliate|newsletter|podcast|enthusiast|biohacker"),
    (
        "clinic",
        (
            r"clinic\b|hospital|med-spa|telehealth|dental practice|consent leaflet|practice page"
            r"|practice pharmacist|physiotherapy|hyperbaric|respiratory unit|dietetics"
        ),
    ),
)
"""Interest and what the genre says, first match first."""
REMARK = re.compile(r"\s*\([^)]*\)")
UNNAMED = re.compile(r"invented|style|-like")
"""Names that only describe the publisher, as in "invented UK charity"."""


def expected(genre: str) -> str | None:
    """Return the interest that a genre means; None where that is not plain."""
    if re.search(UNCLEAR, genre, re.IGNORECASE):
        return None
    return next((name for name, says in GENRES if re.search(says, genre, re.IGNORECASE)), None)


def pages(gold: Path) -> Iterator[tuple[str, str, str, dict[str, str]]]:
    """Yield (part, interest, text, what the page declares) of each page that counts."""
    for name in ("authored_pages", "health_pages"):
        parts = {
            json.loads(line)["doc"]: part
            for part in ("train", "dev")
            for line in (gold / f"{name}.{part}.jsonl").read_text("utf-8").splitlines()
        }
        for line in (gold / f"{name}.documents.jsonl").read_text("utf-8").splitlines():
            page = json.loads(line)
            if page["doc"] not in parts:
                continue
            if name == "health_pages":
                agency = ".gov" in page.get("url", "")
                found, declared = ("government" if agency else None), {"url": page.get("url", "")}
            else:
                publisher = REMARK.sub("", page["publisher"])
                found = expected(page["genre"])
                declared = {} if UNNAMED.search(publisher) else {"publisher": publisher}
            if found:
                yield f"{name} {parts[page['doc']]}", found, page["text"], declared


def main() -> None:
    """Print the counts, and what is wrong on train."""
    counts: dict[tuple[str, str], Counter[str]] = {}
    wrong = []
    for part, interest, text, declared in pages(Path(sys.argv[1]) / "gold"):
        document = READER.read(text.encode(), path="page.txt")
        for how, fields in (("with metadata", declared), ("text alone", {})):
            told, basis = interest_of(Document(**{**vars(document), **fields}))
            verdict = told if told == "unknown" else "right" if told == interest else "wrong"
            counts.setdefault((part, how), Counter())[verdict] += 1
            if verdict == "wrong" and part.endswith("train"):
                wrong.append(f"{how}: {interest}, told {told} by {basis}: {document.title}")
    for (part, how), count in sorted(counts.items()):
        told = count["right"] + count["wrong"]
        print(
            f"{part}, {how}: {count['right']} right, {count['wrong']} wrong, "
            f"{count['unknown']} unknown; precision {count['right'] / max(told, 1):.2f}"
        )
    print(*wrong, sep="\n")


if __name__ == "__main__":
    main()
