"""Hostile inputs: how long each takes, in how much memory, and how it ends.

    python -m tests.benchmarks.hostile [NAME …]

Each input lies in a corpus folder beside an honest document and is read in a process of its own:
the scan and the documents stage, or for inputs that are rightly read, all stages. Seconds are also
given as a ratio to an honest document of the same size, where there is one to compare with.
"""

from __future__ import annotations

import bz2
import gzip
import io
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
import zipfile
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

HONEST = "Zinc may shorten colds. It did not prevent them in a trial of 140 adults (P = 0.9).\n\n"
SENTENCES = HONEST.strip() + " "
_ZEROS = b"zinc " * 20_000_000


@dataclass(frozen=True)
class Input:
    """A hostile file: its name, what writes it, and the reason of the reject; None if it is read.

    limit: the limit that the reject names. slow: left to the benchmark, not to the tests.
    size: bytes beside those of an honest sentence, for what is compared with an honest document.
    """

    name: str
    write: Callable[[Path], Any]
    reason: str | None
    limit: str = ""
    slow: bool = False
    size: int = 0


def _bytes(content: bytes | Callable[[], bytes]) -> Callable[[Path], Any]:
    return lambda path: path.write_bytes(content if isinstance(content, bytes) else content())


def _article(body: str, head: str = "") -> bytes:
    return (
        f"{head}<article><front><article-meta><article-id pub-id-type='pmid'>1</article-id>"
        "<title-group><article-title>Zinc</article-title></title-group></article-meta></front>"
        f"<body>{body}</body></article>"
    ).encode()


def _laughs() -> bytes:
    names = "".join(f'<!ENTITY l{i} "{f"&l{i - 1};" * 10}">' for i in range(1, 10))
    return _article("<p>&l9;</p>", f'<!DOCTYPE article [<!ENTITY l0 "ha">{names}]>')


def _yaml_laughs() -> bytes:
    lines = ["a0: &a0 [ha, ha, ha, ha, ha, ha, ha, ha, ha, ha]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 10)]
    return ("---\n" + "\n".join(lines) + "\ntitle: *a9\n---\n\nZinc may help.\n").encode()


def _zip(part: str | bytes) -> bytes:
    """Return a zip archive of one part, a Word file's main document."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("word/document.xml", part)
    return out.getvalue()


def _tags_of_docx() -> bytes:
    runs = "".join(f"<w:r a='{n * 7919 % 999_983}'/>" for n in range(1_000_001))
    return _zip(f"<w:p>{runs}</w:p>")


def _runs_of_docx(count: int, between: str) -> str:
    runs = (f"<w:r><w:t>{n * 7919} mg zinc.</w:t></w:r>" for n in range(count))  # hard to pack
    return f"<w:p>{between.join(runs)}</w:p>"


def _docx(body: str) -> bytes:
    """Return a Word file with this body."""
    from docx import Document

    made, out = io.BytesIO(), io.BytesIO()
    Document().save(made)
    with zipfile.ZipFile(made) as old, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as new:
        for part in old.infolist():
            content = old.read(part)
            if part.filename == "word/document.xml":
                content = content.replace(b"<w:body>", b"<w:body>" + body.encode(), 1)
            new.writestr(part.filename, content)
    return out.getvalue()


def _zst(content: bytes) -> bytes:
    return bytes(pa.Codec("zstd").compress(content, asbytes=True))


def _sparse(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(10_000_000_000)


def _pdf(*objects: bytes) -> bytes:
    out = b"%PDF-1.4\n"
    places = []
    for number, body in enumerate(objects, 1):
        places.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    end = b"trailer<</Root 1 0 R/Size %d>>\nstartxref\n%d\n%%%%EOF" % (len(objects) + 1, len(out))
    return out + b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1) + table + end


def _pdf_stream(content: bytes, kids: bytes = b"3 0 R") -> bytes:
    packed = zlib.compress(content, 9)
    return _pdf(
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[%s]/Count 1/MediaBox[0 0 600 800]>>" % kids,
        b"<</Type/Page/Parent 2 0 R/Contents 4 0 R/Resources<<>>>>",
        b"<</Length %d/Filter/FlateDecode>>stream\n%s\nendstream" % (len(packed), packed),
    )


def _encrypted() -> bytes:
    from reportlab.lib.pdfencrypt import StandardEncryption
    from reportlab.pdfgen.canvas import Canvas

    file = io.BytesIO()
    canvas = Canvas(file, encrypt=StandardEncryption("secret", canPrint=0))
    canvas.drawString(50, 50, "Zinc may help.")
    canvas.save()
    return file.getvalue()


def _varint(value: int, width: int = 0) -> bytes:
    """Return a Thrift integer (zigzag), padded to a width."""
    value <<= 1
    out = []
    while value or len(out) < width or not out:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes([*out[:-1], out[-1] & 127])


def lying_parquet(size: int) -> bytes:
    """Return a Parquet file of one text of that size, whose footer says that it holds a byte."""
    out = io.BytesIO()
    table = pa.table({"id": ["a"], "text": ["z" * size]})
    pq.write_table(table, out, compression="zstd", use_dictionary=False, write_statistics=False)
    content = out.getvalue()
    group = pq.ParquetFile(pa.BufferReader(content)).metadata.row_group(0)
    footer = int.from_bytes(content[-8:-4], "little")
    start = len(content) - 8 - footer
    tail = content[start:]
    for true in (group.total_byte_size, group.column(1).total_uncompressed_size):
        tail = tail.replace(_varint(true), _varint(1, len(_varint(true))))
    return content[:start] + tail


def _blocks_of_jsonl() -> bytes:
    return json.dumps({"id": "many", "text": "Z.\n\n" * 1_000_000}).encode()


def _socket(path: Path) -> None:
    import socket

    here = Path.cwd()
    os.chdir(path.parent)  # the name of a socket is short
    try:
        socket.socket(socket.AF_UNIX).bind(path.name)
    finally:
        os.chdir(here)


INPUTS = (
    Input("laughs.xml", _bytes(_laughs), "malformed"),
    Input("quadratic.xml", _bytes(lambda: _article("<p>" + "&a;" * 50_000 + "</p>",
          f'<!DOCTYPE article [<!ENTITY a "{"x" * 50_000}">]>')), "malformed"),
    Input("external.xml", _bytes(_article("<p>&x;</p>",
          '<!DOCTYPE article [<!ENTITY x SYSTEM "file:///etc/passwd">]>')), "malformed"),
    Input("laughs.md", _bytes(_yaml_laughs), "malformed"),
    Input("bomb.txt.gz", _bytes(lambda: gzip.compress(_ZEROS)), "too_large", "unpacked_ratio"),
    Input("bomb.csv.bz2", _bytes(lambda: bz2.compress(_ZEROS[:10_000_000])), "too_large",
          "unpacked_ratio"),
    Input("bomb.jsonl.zst", _bytes(lambda: _zst(_ZEROS)), "too_large", "unpacked_ratio"),
    Input("nested.txt.gz.gz", _bytes(lambda: gzip.compress(gzip.compress(_ZEROS))),
          "unknown_format"),
    Input("bomb.docx", _bytes(lambda: _zip(b" " * 60_000_000)), "too_large", "unpacked_ratio"),
    Input("sparse.txt", _sparse, "too_large", "file_bytes"),
    Input("sparse.parquet", _sparse, "too_large", "file_bytes"),
    Input("sparse.jsonl.gz", _sparse, "too_large", "file_bytes"),
    Input("blocks.txt", _bytes(b"Z.\n\n" * 1_000_000), "too_large", "blocks"),
    Input("blocks.md", _bytes(b"Z.\n\n" * 1_000_000), "too_large", "blocks", slow=True),
    Input("blocks.html", _bytes(b"<p>Zinc.</p>" * 200_000), "too_large", "blocks"),
    Input("blocks.xml", _bytes(_article("<p>Zinc.</p>" * 200_000)), "too_large", "blocks"),
    Input("blocks.jsonl", _bytes(_blocks_of_jsonl), "too_large", "blocks"),
    Input("tags.md", _bytes(b"*a* " * 500_001), "too_large", "tags"),
    Input("tags.html", _bytes(b"<p>Zinc." + b"<br>" * 1_000_001), "too_large", "tags"),
    Input("tags.xml", _bytes(_article("<i/>" * 1_000_001)), "too_large", "tags"),
    Input("attributes.html", _bytes(b"<p>Zinc." + b"<i a b c></i>" * 400_000), "too_large", "tags"),
    Input("tags.docx", _bytes(_tags_of_docx), "too_large", "tags"),
    Input("lines.jsonl", _bytes(b"{}\n" * 500_001), "too_large", "documents", slow=True),
    Input("rows.csv", _bytes(b"id,text\n" + b"1,\n" * 500_001), "too_large", "documents",
          slow=True),
    Input("columns.csv", _bytes(b"c," * 1_000_000), "too_large", "columns"),
    Input("deep.html", _bytes(b"<div>" * 100_000 + b"Zinc."), "malformed"),
    Input("deep.xml", _bytes(_article("<sec>" * 100_000)), "too_large", "depth"),
    Input("deep.jsonl", _bytes(b'{"id": "x", "text": ' + b"[" * 1_000_000), "malformed"),
    Input("quotes.md", _bytes(b">" * 100_000 + b" Zinc."), "too_large", "depth"),
    Input("lists.md", _bytes(b"- " * 100_000 + b"Zinc."), "too_large", "depth"),
    Input("cyclic.pdf", _bytes(_pdf(b"<</Type/Catalog/Pages 2 0 R>>",
          b"<</Type/Pages/Kids[2 0 R 2 0 R]/Count 2>>")), "malformed"),
    Input("flate.pdf", _bytes(lambda: _pdf_stream(b" " * 100_000_000)), "too_large", "part_bytes"),
    Input("scan.pdf", _bytes(lambda: _pdf_stream(b"0 0 9 9 re f ")), "no_text"),
    Input("encrypted.pdf", _bytes(_encrypted), "unreadable"),
    Input("lie.parquet", _bytes(lambda: lying_parquet(100_000_000)), "too_large",
          "document_bytes"),
    Input("fifo.txt", os.mkfifo, "unreadable"),
    Input("socket.txt", _socket, "unreadable"),
    Input("out.txt", lambda path: path.symlink_to("/etc/hostname"), "unreadable"),
    Input("root", lambda path: path.symlink_to("/"), "unreadable"),
    Input("up.txt", lambda path: path.symlink_to("../up.txt"), "unreadable"),
    Input("loop.txt", lambda path: path.symlink_to("loop.txt"), "unreadable"),
    Input("device.txt", lambda path: path.symlink_to("/dev/zero"), "unreadable"),
    Input("line\nend.txt", _bytes(HONEST.encode()), "unreadable"),
    Input("back\\slash.txt", _bytes(HONEST.encode()), "unreadable"),
    Input("escape\x1b[2J.txt", _bytes(HONEST.encode()), "unreadable"),
    Input(os.fsdecode(b"latin-\xe9.txt"), _bytes(HONEST.encode()), "unreadable"),
    Input("n" * 250 + ".txt", _bytes(HONEST.encode()), None),
    Input("cafe\u0301.txt", _bytes(HONEST.encode()), None),
    Input("dtd.xml", _bytes(_article(f"<p>{HONEST}</p>",
          '<!DOCTYPE article SYSTEM "http://127.0.0.1:9/x.dtd">').replace(b">1<", b">2<")), None),
)  # fmt: skip
"""Each with the way that it must end."""

_MOST = 495_000
"""Elements of two tags each that are just within the limit of tags."""
_SENTENCE = "Zinc helps adults with a cold, and does no harm."
WORST = tuple(
    Input(f"worst-{name}", _bytes(content), None)
    for name, content in (
        ("lines.txt", lambda: f"{_SENTENCE}\n".encode() * 99_000),
        ("paragraphs.md", lambda: f"{_SENTENCE}\n\n".encode() * 99_000),
        ("marks.md", lambda: b"*a* " * _MOST),
        ("paragraphs.html", lambda: f"<p>{_SENTENCE}</p>".encode() * 99_000),
        ("inline.html", lambda: b"<p>Zinc." + b"<i>a</i>" * _MOST),
        ("attributes.html", lambda: b"<p>Zinc." + b"<i a b></i>" * _MOST),
        ("cells.html", lambda: b"<table>" + (b"<tr>" + b"<td>a" * 98) * 9_990),
        ("paragraphs.xml", lambda: _article(f"<p>{_SENTENCE}</p>" * 99_000)),
        ("inline.xml", lambda: _article("<p>Zinc." + "<i>a</i>" * _MOST + "</p>")),
        ("paragraphs.docx", lambda: _docx(_runs_of_docx(99_000, "</w:p><w:p>"))),
        ("runs.docx", lambda: _docx(_runs_of_docx(235_000, ""))),
        (
            "objects.jsonl",
            lambda: b'{"id": 1, "text": "Zinc.", "x": [' + b"{}," * 6_500_000 + b"0]}",
        ),
    )
)
"""What takes the most memory within the limits, a kind of file each."""

_RUNS = (
    "<!--",
    "<a ",
    "<?",
    "&a",
    "![",
    "|",
    "1 ",
    "1,",
    "[1,",
    "(",
    "[",
    "[[",
    ".",
    "?! ",
    '"',
    "-",
    "a-",
    "A. ",
    "* ",
    "_a",
    "<",
    "`",
)
_TIMES = 20_000
STRESS = tuple(
    Input(
        f"stress-{number:02}.{kind}",
        _bytes(HONEST.encode() + unit.encode() * _TIMES),
        None,
        size=len(unit) * _TIMES,
    )
    for number, unit in enumerate(_RUNS)
    for kind in ("txt", "md", "html")
)
"""Runs that set regular expressions going; read in time that grows with their length."""


def written(inputs: tuple[Input, ...], corpus: Path) -> Path:
    """Write inputs into a corpus folder, beside an honest document; return the folder."""
    corpus.mkdir(parents=True, exist_ok=True)
    (corpus / "honest.txt").write_text(HONEST)
    for one in inputs:
        one.write(corpus / one.name)
    return corpus


def read(corpus: Path, work: Path, stages: int) -> dict[str, Any]:
    """Take a corpus folder through the scan and that many stages (0: all), in this process."""
    from hedgerow import tasks
    from hedgerow.corpus import scan
    from hedgerow.resources import Resources
    from hedgerow.settings import load
    from hedgerow.stages import DOCUMENT_STAGES

    stages = stages or len(DOCUMENT_STAGES)
    settings = load(corpus=corpus, outputs=work)
    resources = Resources(settings)
    if stages > 1:
        _ = resources.language  # loading the model is no part of the time
    began = time.perf_counter()
    found = scan(settings)
    rejects = [vars(reject) for reject in found.rejects]
    documents = 0
    if found.entries:
        entries = tuple(found.entries.values())
        batch = tasks.Batch(entries, 0, stages, None, ("0",) * stages, work)
        tasks.run_batch(batch, resources)
        table = tasks.read_rejects(batch)
        rejects += table.to_pylist()
        documents = len(entries) - table.num_rows
    seconds = time.perf_counter() - began
    peak = max(_peak(), resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss) / 1024
    return {"seconds": seconds, "peak": peak, "rejects": rejects, "documents": documents}


def _peak() -> int:
    """Return the most kilobytes that this process has held; ru_maxrss is at least the parent's."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split(maxsplit=1)[0])


def measured(inputs: tuple[Input, ...], stages: int = 1) -> dict[str, Any]:
    """Return what `read` gives of a corpus with these inputs, in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        corpus = written(inputs, Path(folder, "corpus"))
        command = [sys.executable, "-m", "tests.benchmarks.hostile", "--read"]  # not as a file:
        command += [str(corpus), folder, str(stages)]  # the folder has a module named profile
        path = os.pathsep.join(p for p in sys.path if p)
        done = subprocess.run(
            command,
            check=False,
            capture_output=True,
            text=True,
            env={**os.environ, "PYTHONPATH": path},
        )
        if done.returncode:
            raise RuntimeError(f"it ended with {done.returncode}: {done.stderr[-2000:]}")
        found: Mapping[str, Any] = json.loads(done.stdout.splitlines()[-1])
        return dict(found)


def main(names: list[str]) -> None:
    """Print the table of all inputs, or of those named."""
    print(f"{'input':28} {'seconds':>8} {'ratio':>6} {'peak MB':>8}  end")
    honest: dict[tuple[int, int], float] = {}
    for one in (*INPUTS, *WORST, *STRESS):
        if names and one.name not in names:
            continue
        stages = 0 if one in STRESS else 1
        found = measured((one,), stages)
        ratio = ""
        if one.reason is None and one not in WORST:
            size = len(HONEST) + one.size
            if (stages, size) not in honest:
                text = (SENTENCES * (size // len(SENTENCES) + 1)).encode()
                plain = Input("plain.txt", _bytes(text), None)
                honest[stages, size] = measured((plain,), stages)["seconds"]
            ratio = f"{found['seconds'] / honest[stages, size]:.1f}"
        end = "; ".join(f"{r['reason']}: {r['detail'][:70]}" for r in found["rejects"]) or "read"
        shown = ascii(one.name)[1:-1][:28]
        print(
            f"{shown:28} {found['seconds']:8.2f} {ratio:>6} {found['peak']:8.0f}  {end}", flush=True
        )


if __name__ == "__main__":
    if sys.argv[1:2] == ["--read"]:
        print(json.dumps(read(Path(sys.argv[2]), Path(sys.argv[3]), int(sys.argv[4]))))
    else:
        main(sys.argv[1:])
