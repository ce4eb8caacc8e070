"""Knowledge bases from files that a user has: OBO, JSON lines, MeSH and UMLS.

Each reader yields entries with the types that the file gives; `data/kb_types.toml`, or the user,
says which labels these are. Nothing in a file is executed, looked up elsewhere or expanded: XML is
read without entities, DTD or network.
"""

from __future__ import annotations

import contextlib
import gzip
import json
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from hedgerow.errors import ResourceError, SettingsError
from hedgerow.nlp.linker import read_concepts
from hedgerow.nlp.names import Concept, NameIndex, name_key
from hedgerow.nlp.rules import load_data
from hedgerow.settings import KB, KB_MANIFEST, shipped_model
from hedgerow.tables import ENTITY_LABELS

LEFT_OUT = "-"
"""In place of a label: entries of this type are left out."""

MAX_NAME = 200
"""Longer names (whole definitions, systematic names) are nobody's way of writing in a text."""

Listener = Callable[[Path, int], None]
"""Told the file and the entries read so far, now and then."""

_TELL_EVERY = 10_000


@dataclass(frozen=True)
class Entry:
    """An entry as a file has it.

    types: keys of `kb_types.toml`, most specific first. name may be empty, where other rows of the
    same id (UMLS) have it.
    """

    id: str
    name: str
    aliases: tuple[str, ...]
    types: tuple[str, ...]


@dataclass(frozen=True)
class Filters:
    """What is kept of UMLS: vocabularies (SAB) and semantic types (TUI); all where empty."""

    sources: frozenset[str] = frozenset()
    semantic_types: frozenset[str] = frozenset()


@dataclass
class Summary:
    """What a build kept and left out, and why."""

    entries: int = 0
    names: int = 0
    merged: int = 0
    by_label: Counter[str] = field(default_factory=Counter)
    dropped: Counter[str] = field(default_factory=Counter)


def build(
    files: Sequence[Path],
    out: Path,
    *,
    types: Mapping[str, str] | None = None,
    filters: Filters | None = None,
    find: bool = False,
    listen: Listener = lambda file, read: None,
) -> Summary:
    """Build a knowledge base of the shipped entries and those of `files`, in this order.

    types: type to label, over those of `kb_types.toml`. find: whether the names are also found in
    text, as those of the shipped entries are, rather than only linked to where the model or a rule
    finds a mention: right for lists of distinctive names, wrong for large vocabularies, in which
    "all", "severe" and "damage" are names too. Entries of one id become one: the first
    name stays, later ones are aliases. The same files in the same order give the same bytes. The
    folder is replaced only once the new one is complete.

    Raises ResourceError, naming the file and line, where a file cannot be read, and SettingsError
    for a label that does not exist.
    """
    labels = {**load_data("kb_types")["labels"], **(types or {})}
    unknown = sorted(set(labels.values()) - {*ENTITY_LABELS, LEFT_OUT})
    if unknown:
        raise SettingsError(
            f"--types: found the labels {', '.join(unknown)}; expected some of "
            f"{', '.join(ENTITY_LABELS)}, or {LEFT_OUT} to leave a type out"
        )
    if (
        out.exists()
        and not (out.is_dir() and not any(out.iterdir()))
        and not (out / KB_MANIFEST).is_file()
    ):
        raise SettingsError(
            f"{out}: found a folder that is no knowledge base; expected a new or empty one, or one "
            "that `hedgerow kb build` made; look at --out"
        )
    summary = Summary()
    merged: dict[str, tuple[dict[str, None], dict[str, None]]] = {}
    for concept in read_concepts(sorted((shipped_model() / KB).glob("*.jsonl"))):
        _merge(merged, concept.id, (concept.name, *concept.aliases), concept.types, summary)
    shipped = len(merged)
    for file in files:
        number = 0
        for number, entry in enumerate(_read(file, filters or Filters()), 1):
            if number % _TELL_EVERY == 0:
                listen(file, number)
            _add(merged, entry, labels, summary)
        listen(file, number)
        if not number:
            raise ResourceError(f"{file}: found no entries; {_EXPECTED}")
    concepts = [
        Concept(id_, names[0], tuple(names[1:]), tuple(kinds))
        for id_, (found, kinds) in merged.items()
        if (names := list(found))
    ]
    merged.clear()
    summary.entries = len(concepts)
    summary.names = sum(1 + len(c.aliases) for c in concepts)
    summary.by_label.update(c.types[0] for c in concepts)
    _write(concepts, out, summary, find=None if find else shipped)
    return summary


def _add(
    merged: dict[str, tuple[dict[str, None], dict[str, None]]],
    entry: Entry,
    labels: Mapping[str, str],
    summary: Summary,
) -> None:
    prefix = entry.id.partition(":")[0]
    known = [label for label in map(labels.get, entry.types) if label]
    known = known or [label for label in (labels.get(prefix),) if label]
    if LEFT_OUT in known[:1] or not known:
        shown = ", ".join(entry.types[-1:]) or prefix
        summary.dropped[f"type {shown} " + ("is left out" if known else "has no label")] += 1
        return
    names = [name for name in (entry.name, *entry.aliases) if _usable(name, summary)]
    if not names:
        summary.dropped["entry without a usable name"] += 1
        return
    kinds = [label for label in known if label != LEFT_OUT]
    _merge(merged, entry.id, names, kinds, summary)


def _merge(
    merged: dict[str, tuple[dict[str, None], dict[str, None]]],
    id_: str,
    names: Iterable[str],
    kinds: Iterable[str],
    summary: Summary,
) -> None:
    if id_ in merged:
        summary.merged += 1
    found = merged.setdefault(id_, ({}, {}))
    found[0].update(dict.fromkeys(names))
    found[1].update(dict.fromkeys(kinds))


def _usable(name: str, summary: Summary) -> bool:
    why = None
    if len(name) > MAX_NAME:
        why = f"name of more than {MAX_NAME} characters"
    elif not name_key(name):
        why = "name without a letter or digit"
    if why:
        summary.dropped[why] += 1
    return why is None


def _write(concepts: Sequence[Concept], out: Path, summary: Summary, *, find: int | None) -> None:
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=f".{out.name}-") as folder:
        new = Path(folder) / "kb"
        index = NameIndex.build(concepts, find=find)
        index.save(new, {"entries": summary.entries, "names": summary.names})
        if out.exists():
            shutil.rmtree(out)
        new.replace(out)


_EXPECTED = (
    "expected OBO (.obo), JSON lines (.jsonl), MeSH (descriptors or supplementary records as .xml, "
    "descriptors as .bin) or UMLS (MRCONSO.RRF with MRSTY.RRF beside it), packed with gzip or not"
)


def _read(file: Path, filters: Filters) -> Iterator[Entry]:
    """Yield the entries of a file, by what its name says that it is."""
    suffix = Path(file.name.removesuffix(".gz")).suffix.lower()
    if not file.is_file():
        raise ResourceError(f"{file}: found no such file; {_EXPECTED}")
    reader = _READERS.get(suffix)
    if reader is None or (suffix == ".rrf" and not file.name.startswith("MRCONSO")):
        raise ResourceError(f"{file}: found a file of no known format; {_EXPECTED}")
    try:
        yield from reader(file, filters)
    except (EOFError, OSError, UnicodeDecodeError) as error:
        raise ResourceError(f"{file}: {error}; expected a whole file; fetch it again") from error


@contextlib.contextmanager
def _opened(file: Path) -> Iterator[IO[bytes]]:
    with file.open("rb") as raw:
        if file.suffix == ".gz":
            with gzip.open(raw) as unpacked:
                yield unpacked  # type: ignore[misc]
        else:
            yield raw


def _lines(file: Path) -> Iterator[tuple[int, str]]:
    with _opened(file) as opened:
        for number, line in enumerate(opened, 1):
            try:
                yield number, line.decode("utf-8").rstrip("\r\n")
            except UnicodeDecodeError as error:
                raise _malformed(file, number, str(error), "UTF-8") from error


def _malformed(file: Path, line: int, found: str, expected: str) -> ResourceError:
    return ResourceError(f"{file}, line {line}: found {found}; expected {expected}; mend the file")


def _jsonl(file: Path, filters: Filters) -> Iterator[Entry]:
    for number, line in _lines(file):
        if not line.strip():
            continue
        try:
            record = json.loads(line)
            entry = Entry(
                record["id"],
                record["name"],
                tuple(record.get("aliases") or ()),
                (*(record.get("types") or ()), *_tree(record.get("tree") or ())),
            )
            texts = (entry.id, entry.name, *entry.aliases, *entry.types)
            if not (entry.id and all(isinstance(text, str) for text in texts)):
                raise TypeError("a field that is no string")
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            expected = "an object with id, name, aliases and types"
            raise _malformed(file, number, repr(error), expected) from error
        yield entry


def _obo(file: Path, filters: Filters) -> Iterator[Entry]:
    """Terms of an OBO file that are not obsolete, with their exact and related synonyms."""
    try:
        import fastobo
    except ImportError as error:
        raise ResourceError(
            f"{file}: OBO files need fastobo; install it with `pip install 'hedgerow[kb]'`"
        ) from error
    try:
        with _opened(file) as opened:
            for frame in fastobo.iter(opened):
                if isinstance(frame, fastobo.term.TermFrame):
                    yield from _obo_term(str(frame.id), frame)
    except SyntaxError as error:
        found = str(error.msg).splitlines()[0]
        raise _malformed(file, error.lineno or 0, found, "OBO 1.4") from error


def _obo_term(id_: str, frame: Any) -> Iterator[Entry]:
    name, aliases, types = "", [], []
    for clause in frame:
        tag = clause.raw_tag()
        if tag == "is_obsolete" and clause.obsolete:
            return
        if tag == "name":
            name = clause.name
        elif tag == "namespace":
            types.append(str(clause.namespace))
        elif tag == "synonym" and clause.synonym.scope in ("EXACT", "RELATED"):
            aliases.append(clause.synonym.desc)
    if name:
        yield Entry(id_, name, tuple(aliases), tuple(types))


def _tree(numbers: Iterable[str]) -> tuple[str, ...]:
    """Return tree numbers and all above them, the most specific first: C10.228, C10, C."""
    found: list[str] = []
    for number in numbers:
        parts = number.split(".")
        found += [".".join(parts[:n]) for n in range(len(parts), 0, -1)] + [number[:1]]
    return tuple(sorted(dict.fromkeys(found), key=lambda place: -len(place)))


def _mesh_xml(file: Path, filters: Filters) -> Iterator[Entry]:
    """Descriptors (desc2025.xml) and supplementary records (supp2025.xml) of MeSH."""
    from lxml import etree

    safe = {"resolve_entities": False, "load_dtd": False, "no_network": True, "huge_tree": False}
    tags = ("DescriptorRecord", "SupplementalRecord")
    try:
        with _opened(file) as opened:
            for _, record in etree.iterparse(opened, events=("end",), tag=tags, **safe):
                yield _mesh_record(file, record)
                record.clear()
                while record.getprevious() is not None:
                    del record.getparent()[0]
    except etree.XMLSyntaxError as error:
        raise _malformed(file, error.lineno or 0, str(error), "XML of MeSH") from error


def _mesh_record(file: Path, record: Any) -> Entry:
    kind = "Descriptor" if record.tag == "DescriptorRecord" else "SupplementalRecord"
    id_ = record.findtext(f"{kind}UI")
    name = record.findtext(f"{kind}Name/String")
    if not id_ or not name:
        expected = f"{kind}UI and {kind}Name"
        raise _malformed(file, record.sourceline, "a record without one of them", expected)
    terms = record.iterfind("ConceptList/Concept/TermList/Term/String")
    types = _tree(number.text or "" for number in record.iterfind("TreeNumberList/TreeNumber"))
    if kind == "SupplementalRecord":
        types = (f"SCR{record.get('SCRClass', '1')}",)
    return Entry(f"MESH:{id_}", name, tuple(term.text for term in terms if term.text), types)


def _mesh_ascii(file: Path, filters: Filters) -> Iterator[Entry]:
    """Descriptors of MeSH in the form of d2025.bin: "MH = Name", a record each "*NEWRECORD"."""
    record: dict[str, list[str]] = {}
    start = number = 0
    for number, line in _lines(file):
        if line == "*NEWRECORD":
            if record:
                yield _mesh_ascii_record(file, start, record)
            record, start = {"start": []}, number
        elif line.strip():
            tag, equals, value = line.partition(" = ")
            if not equals or not start:
                raise _malformed(file, number, repr(line[:60]), '"TAG = value" after *NEWRECORD')
            record.setdefault(tag, []).append(value)
    if record:
        yield _mesh_ascii_record(file, start, record)


def _mesh_ascii_record(file: Path, line: int, record: Mapping[str, list[str]]) -> Entry:
    if not record.get("MH") or not record.get("UI"):
        raise _malformed(file, line, "a record without MH or UI", "a descriptor of MeSH")
    entries = (*record.get("PRINT ENTRY", ()), *record.get("ENTRY", ()))
    aliases = tuple(entry.partition("|")[0] for entry in entries)
    return Entry(f"MESH:{record['UI'][0]}", record["MH"][0], aliases, _tree(record.get("MN", ())))


_MRCONSO_FIELDS = 18
_MRSTY_FIELDS = 6


def _umls(file: Path, filters: Filters) -> Iterator[Entry]:
    """English names of MRCONSO.RRF that are not suppressed, with the types of MRSTY.RRF.

    Rows of one concept follow one another, and the preferred name of the preferred term comes
    first.
    """
    beside = file.with_name(file.name.replace("MRCONSO", "MRSTY"))
    if not beside.is_file():
        raise ResourceError(f"{beside}: found no such file; expected it beside {file.name}")
    types: dict[str, tuple[str, ...]] = {}
    for _, row in _rrf(beside, _MRSTY_FIELDS):
        types[row[0]] = (*types.get(row[0], ()), row[1])
    concept, names = "", list[tuple[bool, int, str]]()
    for number, row in _rrf(file, _MRCONSO_FIELDS):
        if row[0] != concept:
            yield from _umls_concept(concept, names, types, filters)
            concept, names = row[0], []
        kept = not filters.sources or row[11] in filters.sources
        if kept and row[1] == "ENG" and row[16] in ("N", ""):
            preferred = row[2] == "P" and row[4] == "PF" and row[6] == "Y"
            names.append((not preferred, number, row[14]))
    yield from _umls_concept(concept, names, types, filters)


def _umls_concept(
    concept: str,
    names: Sequence[tuple[bool, int, str]],
    types: Mapping[str, tuple[str, ...]],
    filters: Filters,
) -> Iterator[Entry]:
    kinds = types.get(concept, ())
    wanted = not filters.semantic_types or not filters.semantic_types.isdisjoint(kinds)
    if names and wanted:
        first, *others = (name for *_, name in sorted(names))
        yield Entry(f"UMLS:{concept}", first, tuple(others), kinds)


def _rrf(file: Path, fields: int) -> Iterator[tuple[int, list[str]]]:
    """Yield the rows of a UMLS file; each field is followed by a bar."""
    for number, line in _lines(file):
        row = line.split("|")
        if len(row) != fields + 1:
            expected = f"{fields}, each followed by |"
            raise _malformed(file, number, f"{len(row) - 1} fields", expected)
        yield number, row


_READERS: dict[str, Callable[[Path, Filters], Iterator[Entry]]] = {
    ".obo": _obo,
    ".jsonl": _jsonl,
    ".json": _jsonl,
    ".xml": _mesh_xml,
    ".bin": _mesh_ascii,
    ".rrf": _umls,
}
