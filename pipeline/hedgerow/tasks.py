"""What worker processes do: run stages over a batch of documents, and write a bucket's parts.

Both leave their result in a folder of the work area whose name is made from everything that
the result depends on, and whose rename into place is the last step: what is there is finished.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import time
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from hedgerow import tables
from hedgerow.corpus import NO_OFFSET, Entry, Reject, file_of, item_bytes, read_bytes
from hedgerow.errors import ContractError, RejectedDocument
from hedgerow.fingerprints import digest
from hedgerow.readers import Options, reader_for, split
from hedgerow.resources import Resources
from hedgerow.stages import DOCUMENT_STAGES, STAGES, Stage
from hedgerow.store import Part, Snapshot, sync, write_part

ITEMS = pa.schema(
    [
        ("path", pa.string()),
        ("ordinal", pa.int32()),
        ("label", pa.string()),
        ("doc_id", pa.string()),
        ("sha256", pa.string()),
        ("content", pa.binary()),
        ("override", pa.string()),
    ]
)
"""The input of the first stage: the bytes of each document, in memory only."""


def run_stages(
    items: Iterable[tuple[str, str, bytes]], resources: Resources, *, last: str | None = None
) -> dict[str, pa.Table]:
    """Return the tables of (doc_id, path, bytes) items, in memory, by the stages up to `last`."""
    rows = [
        {
            "path": path,
            "ordinal": 0,
            "label": "",
            "doc_id": doc_id,
            "sha256": hashlib.sha256(content).hexdigest(),
            "content": content,
            "override": None,
        }
        for doc_id, path, content in items
    ]
    held = {"items": pa.Table.from_pylist(rows, schema=ITEMS)}
    for stage in STAGES:
        held |= stage.run({name: held[name] for name in stage.inputs}, resources)
        if stage.name == last:
            break
    del held["items"]
    return held


@dataclass(frozen=True)
class Batch:
    """Documents to take through the stages from number `first` to before number `last`.

    previous: the snapshot that holds their rows of earlier stages, or None.
    fingerprints: of the stages, in order.
    """

    entries: tuple[Entry, ...]
    first: int
    last: int
    previous: Path | None
    fingerprints: tuple[str, ...]
    work: Path

    @property
    def key(self) -> str:
        """Digest of the documents."""
        return digest(*(entry.key for entry in self.entries))

    def folder(self, stage: int) -> Path:
        """Where the stage's output tables lie once they are finished."""
        return self.work / digest(self.key, DOCUMENT_STAGES[stage].name, self.fingerprints[stage])

    @property
    def finished(self) -> bool:
        """Whether an earlier, interrupted run has done all of it."""
        return all(self.folder(stage).is_dir() for stage in range(self.first, self.last))


@dataclass(frozen=True)
class Bucket:
    """A bucket to write: which rows come from which batch, and which from the previous snapshot.

    members: groups of documents, each with the batches that hold their new rows and the number
    of the first stage whose rows are new. unchanged: how many stages the previous snapshot's
    parts of this bucket still stand for.
    """

    name: str
    key: str
    members: tuple[tuple[tuple[str, ...], tuple[Batch, ...], int], ...]
    unchanged: int
    previous: Path | None
    fingerprints: tuple[str, ...]
    work: Path

    @property
    def folder(self) -> Path:
        """Where its parts lie once they are finished."""
        # A document that killed its worker is in no batch, so the batches are part of the name.
        batches = [batch.key for _, own, _ in self.members for batch in own]
        new = self.fingerprints[self.unchanged :]
        return self.work / digest("bucket", self.name, self.key, *batches, *new)


def run_batch(batch: Batch, resources: Resources) -> dict[str, float]:
    """Run the stages over a batch; return stage name to seconds.

    Raises ContractError, naming the stage, where its tables break their contract.
    """
    held: dict[str, pa.Table] = {}
    seconds: dict[str, float] = {}
    for number in range(batch.first, batch.last):
        stage, folder = DOCUMENT_STAGES[number], batch.folder(number)
        if folder.is_dir():
            continue
        began = time.perf_counter()
        lost: list[Reject] = []
        inputs = {
            name: _items(batch, resources, lost) if name == "items" else _input(name, held, batch)
            for name in stage.inputs
        }
        outputs = stage.run(inputs, resources)
        if lost:
            rejects = tables.from_rows("rejects", (asdict(reject) for reject in lost))
            outputs["rejects"] = tables.concat("rejects", [outputs["rejects"], rejects])
        _check(stage, inputs, outputs)
        held |= outputs
        _keep(outputs, folder)
        seconds[stage.name] = time.perf_counter() - began
    return seconds


def _check(stage: Stage, inputs: Mapping[str, pa.Table], outputs: Mapping[str, pa.Table]) -> None:
    missing = sorted(set(stage.outputs) - set(outputs))
    if missing:
        raise ContractError(f"stage {stage.name}: found no table {missing}; expected it")
    try:
        tables.check({**inputs, **outputs}, names=outputs)
    except ContractError as error:
        raise ContractError(f"stage {stage.name}: {error}") from error


def _input(name: str, held: dict[str, pa.Table], batch: Batch) -> pa.Table:
    """Return a table of the batch: from this run, the work area or the previous snapshot."""
    if name not in held:
        number = _writer(name)
        if number >= batch.first:
            held[name] = _load(batch.folder(number) / f"{name}.arrow")
        else:
            assert batch.previous is not None  # a batch starts late only if there is one
            doc_ids = [entry.doc_id for entry in batch.entries]
            held[name] = _snapshot(batch.previous).read(name, doc_ids=doc_ids)
    return held[name]


def _writer(name: str) -> int:
    return next(i for i, stage in enumerate(DOCUMENT_STAGES) if name in stage.outputs)


def _items(batch: Batch, resources: Resources, lost: list[Reject]) -> pa.Table:
    """Return the documents' bytes; those that vanished or changed since the scan go to `lost`."""
    settings = resources.settings
    contents: dict[str, bytes] = {}
    rows = []
    for entry in batch.entries:
        file = file_of(settings.corpus, entry.path)
        try:
            if entry.offset == NO_OFFSET:
                found = _rows_of(file, entry.file_sha256, Options.of(settings))
                data = found[entry.ordinal] if entry.ordinal < len(found) else b""
            else:
                if entry.path not in contents:
                    contents[entry.path] = read_bytes(file, settings.limits)
                data = contents[entry.path][entry.offset : entry.offset + entry.length]
        except RejectedDocument as error:
            lost.append(
                Reject(
                    entry.path,
                    entry.label,
                    "documents",
                    error.reason,
                    error.detail,
                    error.transient,
                )
            )
            continue
        if hashlib.sha256(data).hexdigest() != entry.sha256:
            detail = "found other bytes than a moment before; expected a file at rest; run again"
            lost.append(
                Reject(entry.path, entry.label, "documents", "unreadable", detail, transient=True)
            )
            continue
        rows.append(
            {
                "path": entry.path,
                "ordinal": entry.ordinal,
                "label": entry.label,
                "doc_id": entry.doc_id,
                "sha256": entry.sha256,
                "content": data,
                "override": entry.override,
            }
        )
    return pa.Table.from_pylist(rows, schema=ITEMS)


@lru_cache(maxsize=1)
def _rows_of(file: Path, file_sha256: str, options: Options) -> list[bytes]:
    """Return the items of a file that are no slices of it, cut once for all its batches."""
    content = read_bytes(file, options.limits)
    reader = reader_for(file.name)
    assert reader is not None  # the scan found one
    return [item_bytes(content, item) for item in split(reader, content, options)]


def _keep(outputs: Mapping[str, pa.Table], folder: Path) -> None:
    building = folder.with_name(f".{folder.name}")
    shutil.rmtree(building, ignore_errors=True)
    building.mkdir(parents=True)
    for name, table in outputs.items():
        with (
            pa.OSFile(str(building / f"{name}.arrow"), "wb") as sink,
            pa.ipc.new_file(sink, table.schema) as writer,
        ):
            writer.write_table(table)
        sync(building / f"{name}.arrow")
    building.rename(folder)


def _load(path: Path) -> pa.Table:
    with pa.OSFile(str(path)) as source:
        return pa.ipc.open_file(source).read_all()


def read_rejects(batch: Batch) -> pa.Table:
    """Return the rejects of a finished batch."""
    number = _writer("rejects")
    if not batch.first <= number < batch.last:
        return tables.empty("rejects")
    return _load(batch.folder(number) / "rejects.arrow")


def write_bucket(bucket: Bucket, resources: Resources) -> dict[str, float]:
    """Write a bucket's part of every per-document table into the work area."""
    building = bucket.folder.with_name(f".{bucket.folder.name}")
    shutil.rmtree(building, ignore_errors=True)
    parts: dict[str, dict[str, object]] = {}
    for number, stage in enumerate(DOCUMENT_STAGES):
        for name in stage.outputs:
            if number < bucket.unchanged or not tables.TABLES[name].per_document:
                continue
            table = tables.concat(name, _pieces(bucket, number, name))
            if table.num_rows:
                part = write_part(
                    table,
                    name,
                    building / name,
                    bucket=bucket.name,
                    fingerprint=bucket.fingerprints[number],
                )
                parts[name] = asdict(part)
    building.mkdir(parents=True, exist_ok=True)
    (building / "parts.json").write_text(json.dumps(parts), "utf-8")
    sync(building / "parts.json")
    building.rename(bucket.folder)
    return {}


def _pieces(bucket: Bucket, number: int, name: str) -> list[pa.Table]:
    """Return the rows of one table: new ones of batches, kept ones of the previous snapshot."""
    pieces = []
    kept: list[str] = []
    for doc_ids, batches, first in bucket.members:
        if number < first:
            kept += doc_ids
            continue
        for batch in batches:
            table = _load(batch.folder(number) / f"{name}.arrow")
            pieces.append(table.filter(pc.is_in(table.column("doc_id"), pa.array(doc_ids))))
    if kept:
        assert bucket.previous is not None  # rows are kept only where there is a snapshot
        pieces.append(_snapshot(bucket.previous).read(name, doc_ids=kept))
    return pieces


@lru_cache(maxsize=1)
def _snapshot(path: Path) -> Snapshot:
    """Return the snapshot in a folder; its manifest is parsed once for all tasks."""
    return Snapshot(path)


def bucket_parts(bucket: Bucket) -> dict[str, Part]:
    """Return table name to part of a finished bucket; tables without rows are left out."""
    data = json.loads((bucket.folder / "parts.json").read_text("utf-8"))
    return {name: Part(**part) for name, part in data.items()}
