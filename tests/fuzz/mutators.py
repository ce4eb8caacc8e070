"""Changes to an input that keep its format: tokens put in or repeated, what is packed changed."""

from __future__ import annotations

import bz2
import copy
import gzip
import io
import json
import random
import re
import zipfile
from collections.abc import Callable, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from lxml import etree

Mutate = Callable[[bytes, int], bytes]
"""The fuzzer's own mutation: (input, most bytes) to another input."""

_MAX_REPEATS = 3000
_STREAM = re.compile(rb"stream\r?\n(.*?)endstream", re.DOTALL)
_MAX_PART = 2_000_000


def splice(data: bytes, most: int, chance: random.Random, tokens: Sequence[bytes]) -> bytes:
    """Put tokens in, once or many times; or repeat, move or take out a part of the input."""
    a, b = sorted(chance.randrange(len(data) + 1) for _ in range(2))
    kind = chance.randrange(8)
    repeats = chance.choice((1, 1, 2, 3, chance.randrange(1, _MAX_REPEATS)))
    if kind < 4:
        repeats = repeats if kind == 0 else min(repeats, 3)
        unit = b"".join(chance.choices(tokens, k=chance.choice((1, 1, 2, 4))))
        made = data[:a] + unit * repeats + data[a:]
    elif kind == 4:
        made = (
            data[:a]
            + "".join(
                map(
                    chr,
                    (chance.choice((*range(1, 0x250), *range(0x2000, 0x2100))) for _ in range(5)),
                )
            ).encode()
            + data[a:]
        )
    elif kind == 5:
        made = data[:a] + data[b:]
    elif kind == 6:
        b = min(b, a + 200)
        made = data[:a] + data[a:b] * min(repeats, 500) + data[b:]
    else:
        c = chance.randrange(len(data) + 1)
        rest = data[:a] + data[b:]
        made = rest[:c] + data[a:b] + rest[c:]
    return made[:most]


def mutate(
    name: str, data: bytes, most: int, seed: int, tokens: Sequence[bytes], fuzzer: Mutate
) -> bytes:
    """Return a changed input for the reader `name`."""
    chance = random.Random(seed)

    def inner(content: bytes, limit: int) -> bytes:
        if chance.random() < 0.5:
            return fuzzer(content, limit)
        for _ in range(chance.randrange(1, 4)):
            content = splice(content, limit, chance, tokens)
        return content

    change = _INSIDE.get(name)
    if change is not None and chance.random() < 0.9:
        try:
            return change(data, most, chance, inner)
        except Exception:
            pass  # an input broken before, or a change that no writer takes: change the bytes
    return inner(data, most)


Inner = Callable[[bytes, int], bytes]


def _tree(data: bytes, most: int, chance: random.Random, inner: Inner) -> bytes:
    """Change the tree of an XML file, so that it stays well formed; or sometimes its bytes."""
    if chance.random() < 0.3:
        return inner(data, most)
    root = etree.fromstring(data, etree.XMLParser(recover=True, resolve_entities=False))
    if root is None:
        raise ValueError("no tree is left")
    for _ in range(chance.randrange(1, 5)):
        elements = list(root.iter(etree.Element))
        one, other = chance.choice(elements), chance.choice(elements)
        _TREE_CHANGES[chance.randrange(len(_TREE_CHANGES))](one, other, chance, inner)
    made = etree.tostring(root, encoding="utf-8")
    return made if len(made) <= most else data[:most]


def _inside(element: Any, other: Any) -> bool:
    return element is other or any(a is element for a in other.iterancestors())


def _remove(one: Any, other: Any, chance: random.Random, inner: Inner) -> None:
    if one.getparent() is not None:
        one.getparent().remove(one)


def _repeat(one: Any, other: Any, chance: random.Random, inner: Inner) -> None:
    if one.getparent() is not None and len(list(one.iter())) < 30:
        for _ in range(chance.choice((1, 1, 2, 20))):
            one.addnext(copy.deepcopy(one))


def _move(one: Any, other: Any, chance: random.Random, inner: Inner) -> None:
    if not _inside(one, other):
        other.insert(chance.randrange(len(other) + 1), one)


def _wrap(one: Any, other: Any, chance: random.Random, inner: Inner) -> None:
    parent = one.getparent()
    if parent is None:
        return
    outer = etree.Element(other.tag, dict(other.attrib))
    parent.replace(one, outer)
    for _ in range(chance.choice((0, 0, 0, 3, 120))):
        outer = etree.SubElement(outer, other.tag)
    outer.append(one)


def _rename(one: Any, other: Any, chance: random.Random, inner: Inner) -> None:
    one.tag = other.tag


def _attribute(one: Any, other: Any, chance: random.Random, inner: Inner) -> None:
    if other.attrib:
        name, value = chance.choice(sorted(other.attrib.items()))
        if chance.random() < 0.5:
            value = chance.choice(("", "-1", "0", "2", "99999999999", "x", "\u0663", "1.5", " 1 "))
        one.set(name, value)


def _write(one: Any, other: Any, chance: random.Random, inner: Inner) -> None:
    text = inner((other.text or "").encode(), 3000).decode("utf-8", "replace")
    text = re.sub("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", "", text)
    if chance.random() < 0.7:
        one.text = text
    else:
        one.tail = text


_TREE_CHANGES = (_remove, _repeat, _repeat, _move, _wrap, _rename, _attribute, _write, _write)


def _docx(data: bytes, most: int, chance: random.Random, inner: Inner) -> bytes:
    """Change one part of the archive, most often the document itself."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        parts = {i.filename: archive.read(i) for i in archive.infolist() if i.file_size < _MAX_PART}
    main = "word/document.xml"
    name = main if main in parts and chance.random() < 0.75 else chance.choice(sorted(parts))
    longest = len(parts[name]) + 20_000
    if name.endswith((".xml", ".rels")):
        parts[name] = _tree(parts[name], longest, chance, inner)
    else:
        parts[name] = inner(parts[name], longest)
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for part, content in parts.items():
            archive.writestr(zipfile.ZipInfo(part), content, zipfile.ZIP_DEFLATED, 1)
    made = out.getvalue()
    return made if len(made) <= most else data[:most]


def _pdf(data: bytes, most: int, chance: random.Random, inner: Inner) -> bytes:
    """Change one stream, unpacked; its length stays, so that the places of objects hold."""
    streams = list(_STREAM.finditer(data))
    if not streams or chance.random() < 0.4:
        return inner(data, most)
    stream = chance.choice(streams)
    body = stream[1]
    made = inner(body, len(body))
    made = made[: len(body)].ljust(len(body))
    return (data[: stream.start(1)] + made + data[stream.end(1) :])[:most]


def _packed(data: bytes, most: int, chance: random.Random, inner: Inner) -> bytes:
    """Change what is packed, or how: gzip, bzip2 or Zstandard, in one or two members."""
    if data.startswith(b"BZh"):
        content = bz2.decompress(data)
    elif data.startswith(b"\x28\xb5\x2f\xfd"):
        content = pa.input_stream(io.BytesIO(data), compression="zstd").read(_MAX_PART)
    else:
        content = gzip.decompress(data)
    content = inner(content[:_MAX_PART], 20_000)
    pack = chance.choice(
        (
            lambda part: gzip.compress(part, 1, mtime=0),
            lambda part: bz2.compress(part, 1),
            lambda part: pa.Codec("zstd").compress(part, asbytes=True),
        )
    )
    cut = chance.choice((0, 0, chance.randrange(len(content) + 1)))
    made = (pack(content[:cut]) if cut else b"") + pack(content[cut:])
    return made[:most]


def _parquet(data: bytes, most: int, chance: random.Random, inner: Inner) -> bytes:
    """Change a table's rows, written as JSON, or the name of one of its columns."""
    table = pq.read_table(io.BytesIO(data))
    columns = {name: table.column(i).to_pylist() for i, name in enumerate(table.column_names)}
    if chance.random() < 0.2:
        name = chance.choice(sorted(columns))
        renamed = inner(name.encode(), 40).decode("utf-8", "replace")
        columns = {renamed if c == name else c: v for c, v in columns.items()}
    else:
        name = chance.choice(sorted(columns))
        values = columns[name]
        row = chance.randrange(len(values))
        value = values[row]
        if isinstance(value, str | bytes):
            raw = value.encode("utf-8", "surrogatepass") if isinstance(value, str) else value
            changed = inner(raw, 20_000)
            values[row] = (
                changed if isinstance(value, bytes) else changed.decode("utf-8", "replace")
            )
        else:
            text = inner(json.dumps(values, default=str).encode(), 20_000)
            columns[name] = (list(json.loads(text)) * len(values))[: len(values)]
    if chance.random() < 0.1:
        columns = {c: v * 2 for c, v in columns.items()}
    out = io.BytesIO()
    pq.write_table(
        pa.table(columns),
        out,
        compression=chance.choice(("none", "snappy", "gzip", "zstd")),
        use_dictionary=chance.random() < 0.5,
        row_group_size=chance.choice((1, 2, 1000)),
        data_page_version=chance.choice(("1.0", "2.0")),
    )
    made = out.getvalue()
    return made if len(made) <= most else data[:most]


_INSIDE: dict[str, Callable[[bytes, int, random.Random, Inner], bytes]] = {
    "docx": _docx,
    "jats": _tree,
    "pubmed": _tree,
    "pdf": _pdf,
    "packed": _packed,
    "parquet": _parquet,
}
