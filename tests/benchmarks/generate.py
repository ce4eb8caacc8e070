"""Makes corpora of any size out of the sample documents: `python -m tests.benchmarks.generate`.

The sample documents are cut into sentences, and the sentences into templates whose names, numbers
and everyday words are slots. A document is 100 to 300 words put together from them: paragraphs,
headings, lists, tables and a reference list. Subjects follow Zipf's law, as in a real corpus: a
few are in every tenth document, most in a handful. Document n of a seed is always the same, and
does not depend on how many there are.
"""

from __future__ import annotations

import argparse
import bisect
import html
import itertools
import json
import random
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from hedgerow.nlp.segmenter import bounds
from hedgerow.resources import Resources
from hedgerow.settings import load, shipped_model
from hedgerow.tasks import run_stages

SAMPLE = Path(__file__).parents[2] / "corpus"
FILES_PER_FOLDER = 1_000
DOCUMENTS_PER_FILE = 10_000
MADE_UP_NAMES = 4_000

Fill = Callable[["Choice"], str]


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


_SYNONYMS = (
    ("patients", "participants", "adults", "volunteers", "outpatients", "people"),
    ("trial", "study"),
    ("trials", "studies"),
    ("drug", "product", "medicine", "preparation", "agent"),
    ("treatment", "therapy", "regimen"),
    ("reported", "described", "noted", "recorded"),
    ("small", "modest", "slight", "limited"),
    ("weeks", "months", "days"),
    ("doctors", "clinicians", "specialists", "physicians"),
    ("risk", "rate", "incidence"),
)
_SWAP = {word: group for group in _SYNONYMS for word in group}
_FUNCTION_WORDS = _words(
    "A All An Any As At Both But Common Each For From Gains How In It Its Many Most No None Not On "
    "One Other Our People Pooled Results Several Side Some Such That The Their There These They "
    "This Those Two We What When Whether Who"
)
_LEADS: tuple[str, ...] = (
    "In {n} adults with {disease}, ",
    "According to the {trial} group, ",
    "After {w} weeks of {drug}, ",
    "In {city} and {city}, ",
    "As {surname} and {surname} wrote in {year}, ",
    "For people with {disease} who also take {drug}, ",
    "In the {trial} study of {n} patients, ",
    "Since {year}, ",
)
_TAILS: tuple[str, ...] = (
    ", as the {trial} trial had it",
    ", at least in {n} patients from {city}",
    " (n = {n})",
    " when {drug} was given with it",
    ", most of all in {disease}",
    " over {w} weeks",
    ", {surname} and colleagues wrote in {year}",
)
_SYLLABLES = _words(
    "al an ar bel bo cal cer co da del dor el en fa fen ga gli ha in ka la lem li lo lu ma mer mi "
    "mo na nel no nu o pa per pra ra ri ro sa sel ser so ta ten ti to tra u va ve vi xa za zo"
)
_ENDINGS = _words("ine ol ide one ate umab inib astat eril azole oxin idine amide prost")
_NUMBER = re.compile(r"\d[\d,]*(?:\.\d+)?")
_TRIAL = re.compile(r"\b(?!NIHSS|ARAT|FDA|PMID|PMCID|NCT|WOMAC|SMD|HR|RR|CI|ECG|USP)[A-Z]{4,}\b")


@dataclass(frozen=True)
class Document:
    """A made document: kind (heading, paragraph, list, table) and texts of each block."""

    number: int
    title: str
    subject: str
    blocks: tuple[tuple[str, tuple[str, ...]], ...]
    references: tuple[str, ...]

    @property
    def doc_id(self) -> str:
        """Its declared id."""
        return f"made-{self.number:07d}"


class Choice:
    """What one document has drawn so far: the same name in the samples becomes the same here."""

    def __init__(self, seed: int, number: int) -> None:
        self.rng = random.Random(f"{seed}/{number}")
        self.factor = 1.0
        self._names: dict[str, str] = {}

    def name(self, kind: str, original: str) -> str:
        """Return what stands for a name of the samples in this document."""
        key = original.casefold()
        if key not in self._names:
            self._names[key] = self.draw(kind)
        return self._names[key]

    def draw(self, kind: str) -> str:
        """Return a name by Zipf's law."""
        names, weights = _names(kind)
        return names[bisect.bisect(weights, self.rng.random() * weights[-1])]

    def text(self, template: str) -> str:
        """Return a lead or tail with its slots filled."""
        rng = self.rng
        return re.sub(
            r"\{(\w+)\}",
            lambda m: {
                "n": lambda: str(rng.randint(20, 4_000)),
                "w": lambda: str(rng.randint(2, 60)),
                "year": lambda: str(rng.randint(1995, 2026)),
            }.get(m.group(1), lambda: self.draw(m.group(1)))(),
            template,
        )


@lru_cache
def _names(kind: str) -> tuple[list[str], list[float]]:
    """Return the names of a kind and their cumulated weights."""
    rng = random.Random(kind)
    rows = [
        json.loads(line)
        for line in (shipped_model() / "kb" / "sample.jsonl").read_text("utf-8").splitlines()
        if line.strip()
    ]

    types = {"drug": "CHEMICAL", "disease": "DISEASE"}
    known = [row["name"] for row in rows if row["types"][0] == types.get(kind)]

    def made() -> str:
        stem = "".join(rng.choices(_SYLLABLES, k=rng.randint(2, 3)))
        shapes = {
            "drug": stem + rng.choice(_ENDINGS),
            "disease": f"{stem.title()} {rng.choice(('syndrome', 'disease', 'disorder'))}",
            "trial": stem.upper(),
        }
        return shapes.get(kind, stem.title())

    names = list(dict.fromkeys([*known, *(made() for _ in range(MADE_UP_NAMES))]))
    weights = itertools.accumulate(1 / (rank + 5) for rank in range(len(names)))
    return names, list(weights)


@dataclass(frozen=True)
class Template:
    """A sentence of the samples: literal pieces, and what fills the gaps between them."""

    pieces: tuple[str | Fill, ...]

    def fill(self, choice: Choice, *, prose: bool) -> str:
        """Return the sentence with all slots filled. prose: it may get a lead and a tail."""
        choice.factor = choice.rng.uniform(0.6, 1.0)
        text = "".join(p if isinstance(p, str) else p(choice) for p in self.pieces)
        if not prose or len(text) < 20:
            return text
        first, _, rest = text.partition(" ")
        if choice.rng.random() < 0.5 and first in _FUNCTION_WORDS and text[-1] != "?":
            text = choice.text(choice.rng.choice(_LEADS)) + first.lower() + " " + rest
        if choice.rng.random() < 0.35 and text[-1] == "." and text[-2].isalpha():
            text = f"{text[:-1]}{choice.text(choice.rng.choice(_TAILS))}."
        return text[0].upper() + text[1:]


@dataclass(frozen=True)
class Pools:
    """What the samples are cut into."""

    titles: Sequence[Template]
    headings: Sequence[Template]
    sentences: Sequence[Template]
    lists: Sequence[Sequence[Template]]
    tables: Sequence[Sequence[Template]]
    references: Sequence[Template]


@lru_cache
def pools(sample: Path = SAMPLE) -> Pools:
    """Cut the sample documents into templates."""
    items = []
    for path in sorted(p for p in sample.rglob("*") if p.is_file()):
        content = path.read_bytes()
        for part in content.splitlines() if path.suffix == ".jsonl" else [content]:
            items.append((str(len(items)), path.name, part))
    found = run_stages(items, Resources(load()), last="documents")
    texts = {d["doc_id"]: d["text"] for d in found["documents"].to_pylist()}
    kinds: dict[str, list[list[str]]] = {}
    before = None
    for block in found["blocks"].to_pylist():
        text = texts[block["doc_id"]][block["start"] : block["end"]]
        kind = block["block"]
        group = (kind, block["doc_id"], block["parent_id"])
        cut = [text[start:end] for start, end in bounds(text, kind)]
        if group == before and kind in ("list_item", "table_row"):
            kinds[kind][-1] += [" ".join(cut)]
        elif kind in ("list_item", "table_row"):
            kinds.setdefault(kind, []).append([" ".join(cut)])
        else:
            kinds.setdefault(kind, []).append(cut)
        before = group

    def flat(kind: str) -> list[Template]:
        return [template(sentence) for group in kinds[kind] for sentence in group]

    def groups(kind: str) -> list[list[Template]]:
        cleaned = [[t.lstrip("•- ") for t in group] for group in kinds[kind]]
        return [[template(t) for t in group] for group in cleaned if len(group) > 1]

    return Pools(
        titles=flat("title"),
        headings=flat("heading"),
        sentences=[
            template(sentence)
            for group in kinds["paragraph"]
            for sentence in group
            if not sentence.endswith(":")
        ],
        lists=groups("list_item"),
        tables=groups("table_row"),
        references=[
            template(re.sub(r"^\[?\d+[.\]]\s*", "", " ".join(group)))
            for group in kinds["reference"]
        ],
    )


def template(sentence: str) -> Template:
    """Cut a sentence into literal pieces and slots."""
    slots = _slots()
    pieces: list[str | Fill] = []
    done = 0
    for match in slots.finditer(sentence):
        fill = _filler(match, sentence)
        if fill is None:
            continue
        pieces += [sentence[done : match.start()], fill]
        done = match.end()
    return Template((*pieces, sentence[done:]))


@lru_cache
def _slots() -> re.Pattern[str]:
    rows = [
        json.loads(line)
        for line in (shipped_model() / "kb" / "sample.jsonl").read_text("utf-8").splitlines()
        if line.strip()
    ]

    def names(*types: str) -> str:
        found = {n for r in rows if r["types"][0] in types for n in (r["name"], *r["aliases"])}
        return "|".join(re.escape(n) for n in sorted(found, key=lambda n: (-len(n), n)))

    parts = (
        rf"(?P<drug>(?i:\b(?:{names('CHEMICAL')})\b))",
        rf"(?P<disease>(?i:\b(?:{names('DISEASE')})\b))",
        rf"(?P<trial>{_TRIAL.pattern})",
        rf"(?P<word>\b(?:{'|'.join(_SWAP)})\b)",
        rf"(?P<number>{_NUMBER.pattern})",
    )
    return re.compile("|".join(parts))


def _filler(match: re.Match[str], sentence: str) -> Fill | None:
    """Return what fills a slot, or None where the text is kept."""
    kind, found = match.lastgroup, match.group()
    if kind in ("drug", "disease", "trial"):
        capital = found[0].isupper() and match.start() == 0
        if kind == "disease":
            return lambda c: found if len(found) % 3 else _cased(c.name("disease", found), capital)
        return lambda c, k=kind: _cased(c.name(k, found), capital)  # type: ignore[misc]
    if kind == "word":
        return lambda c: c.rng.choice(_SWAP[found])
    after, before = sentence[match.end() :], sentence[: match.start()]
    digits = found.replace(",", "")
    if len(digits) == 1 or after.startswith("% CI") or before.endswith(("<", "-", "doi:")):
        return None
    if digits.isdigit() and len(digits) >= 7:
        low = 10 ** (len(digits) - 1)
        return lambda c: str(c.rng.randrange(low, 10 * low))
    if digits.isdigit() and 1950 < int(digits) < 2030:
        return lambda c: str(c.rng.randint(1995, 2026))
    decimals = len(digits.partition(".")[2])
    comma = "," if "," in found else ""
    value = float(digits)
    return lambda c: f"{value * c.factor:{comma}.{decimals}f}"


def _cased(name: str, capital: bool) -> str:
    return name[0].upper() + name[1:] if capital else name


def document(number: int, *, seed: int = 0, sample: Path = SAMPLE) -> Document:
    """Make document `number` of a corpus."""
    found, choice = pools(sample), Choice(seed, number)
    rng = choice.rng
    title = rng.choice(found.titles).fill(choice, prose=False)
    target, words = rng.randint(100, 280), len(title.split())
    blocks: list[tuple[str, tuple[str, ...]]] = []
    while words < target:
        draw = rng.random()
        if draw < 0.12:
            rows = [t.fill(choice, prose=False) for t in rng.choice(found.lists)[:6]]
            blocks.append(("list", tuple(rows)))
        elif draw < 0.18:
            rows = [t.fill(choice, prose=False) for t in rng.choice(found.tables)[:5]]
            blocks.append(("table", tuple(rows)))
        else:
            if rng.random() < 0.4:
                blocks.append(("heading", (rng.choice(found.headings).fill(choice, prose=False),)))
            rows = [
                t.fill(choice, prose=True) for t in rng.sample(found.sentences, rng.randint(2, 5))
            ]
            blocks.append(("paragraph", (" ".join(rows),)))
        words += sum(len(text.split()) for text in rows)
    references: list[str] = []
    if rng.random() < 0.4:
        chosen = rng.sample(found.references, rng.randint(2, 4))
        references = [t.fill(choice, prose=False) for t in chosen]
    return Document(number, title, choice.draw("drug"), tuple(blocks), tuple(references))


def text(made: Document) -> str:
    """Render a document as plain text."""
    parts = [made.title]
    for kind, rows in made.blocks:
        lines = (f"- {row}" for row in rows) if kind == "list" else rows
        parts.append("\n".join(row.replace(" | ", "\t") for row in lines))
    if made.references:
        entries = (f"{n}. {entry}" for n, entry in enumerate(made.references, start=1))
        parts += ["References", "\n".join(entries)]
    return "\n\n".join(parts) + "\n"


def markdown(made: Document) -> str:
    """Render a document as Markdown with front matter."""
    head = f'---\nid: {made.doc_id}\ntitle: "{made.title}"\npublisher: Made Press\n---\n'
    parts = [head + f"\n# {made.title}"]
    for kind, rows in made.blocks:
        if kind == "heading":
            parts.append(f"## {rows[0]}")
        elif kind == "list":
            parts.append("\n".join(f"- {row}" for row in rows))
        elif kind == "table":
            width = max(row.count(" | ") for row in rows) + 1
            lines = [f"| {row} |" for row in rows]
            parts.append("\n".join([lines[0], "|---" * width + "|", *lines[1:]]))
        else:
            parts += rows
    if made.references:
        entries = (f"{n}. {entry}" for n, entry in enumerate(made.references, start=1))
        parts += ["## References", "\n".join(entries)]
    return "\n\n".join(parts) + "\n"


def page(made: Document) -> str:
    """Render a document as an HTML page, with navigation and a footer around it."""
    parts = [f"<h1>{html.escape(made.title)}</h1>"]
    for kind, rows in made.blocks:
        cells = [html.escape(row) for row in rows]
        if kind == "list":
            parts.append("<ul>" + "".join(f"<li>{c}</li>" for c in cells) + "</ul>")
        elif kind == "table":
            lines = ("</td><td>".join(c.split(" | ")) for c in cells)
            parts.append("<table>" + "".join(f"<tr><td>{c}</td></tr>" for c in lines) + "</table>")
        else:
            tag = "h2" if kind == "heading" else "p"
            parts += [f"<{tag}>{c}</{tag}>" for c in cells]
    if made.references:
        entries = "".join(f"<li>{html.escape(entry)}</li>" for entry in made.references)
        parts.append(f"<h2>References</h2><ol>{entries}</ol>")
    return (
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        f"<title>{html.escape(made.title)}</title></head><body>"
        '<nav><ul><li><a href="/">Home</a></li><li><a href="/all">All pages</a></li></ul></nav>'
        f"<main><article>\n{chr(10).join(parts)}\n</article></main>"
        "<footer><p>Subscribe to our newsletter. All rights reserved.</p></footer></body></html>\n"
    )


_FORMATS: tuple[tuple[str, Callable[[Document], str]], ...] = (
    ("txt", text),
    ("md", markdown),
    ("txt", text),
    ("html", page),
)


def file_of(folder: Path, number: int) -> Path:
    """Return the file of a document in a corpus of one file each."""
    suffix = _FORMATS[number % len(_FORMATS)][0]
    return folder / f"{number // FILES_PER_FOLDER:04d}" / f"{number:07d}.{suffix}"


def write_file(folder: Path, number: int, *, seed: int = 0, sample: Path = SAMPLE) -> None:
    """Write one document of a corpus of one file each; every fourth is HTML or Markdown."""
    file = file_of(folder, number)
    file.parent.mkdir(parents=True, exist_ok=True)
    render = _FORMATS[number % len(_FORMATS)][1]
    file.write_text(render(document(number, seed=seed, sample=sample)), "utf-8")


def write_files(folder: Path, count: int, *, seed: int = 0, sample: Path = SAMPLE) -> None:
    """Write a corpus of one file a document."""
    for number in range(count):
        write_file(folder, number, seed=seed, sample=sample)


def write_lines(folder: Path, count: int, *, seed: int = 0, sample: Path = SAMPLE) -> None:
    """Write a corpus as JSON lines, DOCUMENTS_PER_FILE in each file."""
    folder.mkdir(parents=True, exist_ok=True)
    for first in range(0, count, DOCUMENTS_PER_FILE):
        with (folder / f"{first:07d}.jsonl").open("w", encoding="utf-8") as file:
            file.writelines(
                line(document(number, seed=seed, sample=sample))
                for number in range(first, min(first + DOCUMENTS_PER_FILE, count))
            )


def line(made: Document) -> str:
    """Render a document as a JSON line."""
    record = {"id": made.doc_id, "title": made.title, "text": text(made)}
    return json.dumps(record, ensure_ascii=False) + "\n"


def texts(count: int, *, seed: int = 0, sample: Path = SAMPLE) -> Iterator[str]:
    """Yield plain texts."""
    return (text(document(number, seed=seed, sample=sample)) for number in range(count))


def main() -> None:
    """Write a corpus."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("count", type=int)
    parser.add_argument("--lines", action="store_true", help="JSON lines, 10,000 a file")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    write = write_lines if given.lines else write_files
    write(given.folder, given.count, seed=given.seed)


if __name__ == "__main__":
    main()
