"""Measure linking on gold mentions: `python models/training/evaluate_linking.py --data ../shared`.

First a knowledge base of all of `data/kb` is built and opened. Then mentions of the dev parts that
have one id are linked by their text and gold label to one of MeSH, the Disease Ontology and NCBI
Gene, the vocabularies that the corpora use. A link is right where its id is the gold one, or its
entry's cross-references hold that. The baseline is right where any entry of the same name in lower
case is, so it chooses as well as can be.
Variants are the same mentions written another way: in capitals, with a plural ending, in the other
of British and American spelling.
"""

import argparse
import gzip
import json
import re
import resource
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from hedgerow import kb
from hedgerow.nlp.linker import Linker
from hedgerow.nlp.names import NameIndex

CORPORA = (
    ("bc5cdr", "CHEMICAL"),
    ("bc5cdr", "DISEASE"),
    ("ncbi_disease", "DISEASE"),
    ("biored", "CHEMICAL"),
    ("biored", "DISEASE"),
    ("biored", "GENE"),
)
SPELLINGS = (
    ("haem", "hem"), ("aemia", "emia"), ("oede", "ede"), ("oeso", "eso"), ("tumour", "tumor"),
    ("ischaem", "ischem"), ("leuk", "leuc"), ("paed", "ped"), ("anaes", "anes"),
    ("orrhoea", "orrhea"), ("sulph", "sulf"), ("behaviour", "behavior"), ("aetio", "etio"),
)  # fmt: skip
USED = ("mesh_2015", "doid", "ncbigene_human")
Gold = tuple[str, str]
Variant = Callable[[str], str]


def records(path: Path) -> Iterator[dict]:
    """Yield the objects of a packed file of JSON lines."""
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        yield from map(json.loads, lines)


def mentions(data: Path, corpus: str, label: str) -> list[Gold]:
    """Return (text, id) of a corpus's dev mentions that have one id."""
    found = []
    for document in records(data / "data" / "ner" / corpus / "dev.jsonl.gz"):
        for start, end, kind, *ids in document["entities"]:
            single = ids and ids[0] and re.fullmatch(r"\w+:\w+", ids[0])
            if kind == label and single and not ids[0].endswith(":-1"):
                found.append((document["text"][start:end], ids[0]))
    return found


def other_spelling(text: str) -> str:
    """Return a name in British spelling where it is American, and the other way round."""
    for british, american in SPELLINGS:
        for old, new in ((british, american), (american, british)):
            if old in text.lower():
                return re.sub(old, new, text, count=1, flags=re.IGNORECASE)
    return text


VARIANTS: dict[str, Variant] = {
    "as written": lambda text: text,
    "capitals": lambda text: text.upper() if len(text) > 5 else text,
    "plural": lambda text: text if len(text) < 6 or text[-1] in "sy" else f"{text}s",
    "other spelling": other_spelling,
}


def share(hits: int, of: int) -> str:
    """Return a share in per cent."""
    return f"{100 * hits / of:5.1f}" if of else "    –"


def main(arguments: Sequence[str] | None = None) -> None:
    """Build, load, link, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    data = parser.parse_args(arguments).data
    files = sorted((data / "data" / "kb").glob("*.jsonl.gz"))
    same: dict[str, set[str]] = {}
    named: dict[str, set[str]] = {}
    used = [data / "data" / "kb" / f"{name}.jsonl.gz" for name in USED]
    for file in used:
        for record in records(file):
            same.setdefault(record["id"], set()).update(record.get("xrefs", ()))
            for name in (record["name"], *record["aliases"]):
                named.setdefault(name.lower(), set()).add(record["id"])

    def right(found: str | None, gold: str) -> bool:
        return found == gold or gold in same.get(found or "", ())

    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        summary = kb.build(files, Path(folder) / "kb")
        built = time.perf_counter() - start
        size = sum(f.stat().st_size for f in (Path(folder) / "kb").iterdir())
        print(f"{summary.entries:,} entries, {summary.names:,} names: built in {built:.0f} s,")
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        start = time.perf_counter()
        NameIndex.load(Path(folder) / "kb")
        loaded = time.perf_counter() - start
        print(f"peak {peak:.0f} MB; {size / 1e6:.0f} MB on disk, opened in {1000 * loaded:.0f} ms")
        kb.build(used, Path(folder) / "used")
        linker = Linker(NameIndex.load(Path(folder) / "used"))
        print("corpus, label                mentions  baseline  linker: right  of links")
        for corpus, label in CORPORA:
            gold = mentions(data, corpus, label)
            for variant, change in VARIANTS.items():
                pairs = [(change(text), id_) for text, id_ in gold]
                pairs = [
                    pair
                    for pair, (text, _) in zip(pairs, gold, strict=True)
                    if variant == "as written" or pair[0] != text
                ]
                links = linker.link((text, label) for text, _ in pairs)
                ids = [
                    (link.concept.id if (link := links[text, label]) else None, id_)
                    for text, id_ in pairs
                ]
                baseline = sum(
                    any(right(id_, gold_id) for id_ in named.get(text.lower(), ()))
                    for text, gold_id in pairs
                )
                hits = sum(right(found, id_) for found, id_ in ids)
                linked = sum(found is not None for found, _ in ids)
                name = f"{corpus} {label} {variant}"
                print(
                    f"{name:38} {len(pairs):5}  {share(baseline, len(pairs))}  "
                    f"{share(hits, len(pairs))}  {share(hits, linked)}"
                )


if __name__ == "__main__":
    main()
