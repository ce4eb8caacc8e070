"""What a run has to do: the corpus folder and the stages against the latest snapshot."""

from __future__ import annotations

import datetime
import json
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import pyarrow as pa

from hedgerow import changes, tables
from hedgerow.corpus import Entry, Reject, Scan, scan
from hedgerow.fingerprints import digest, resource_digests, stage_fingerprints
from hedgerow.places import read_file
from hedgerow.settings import Settings
from hedgerow.stages import DOCUMENT_STAGES
from hedgerow.store import Outputs, Snapshot, assign_buckets
from hedgerow.tasks import Batch, Bucket

Listener = Callable[[str, Mapping[str, Any]], None]
"""Called with the name of an event and its facts, while a run goes on."""


@dataclass
class Run:
    """The state of one run, shared by its steps.

    full: nothing is taken from the previous snapshot, which then only tells what changed.
    """

    settings: Settings
    listen: Listener
    full: bool
    outputs: Outputs
    previous: Snapshot | None
    digests: Mapping[str, str]
    prints: Mapping[str, str]
    started: datetime.datetime
    seconds: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    lost: list[Reject] = field(default_factory=list)


def begin(settings: Settings, listen: Listener, *, full: bool = False) -> Run:
    """Return the state of a run that has done nothing yet."""
    outputs = Outputs(settings.outputs)
    previous = outputs.snapshot()
    if full and previous is not None and not previous.readable:
        previous = None  # A full run is the way on from another version's snapshot.
    digests = resource_digests(settings)
    return Run(
        settings=settings,
        listen=listen,
        full=full,
        outputs=outputs,
        previous=previous,
        digests=digests,
        prints=stage_fingerprints(digests),
        started=datetime.datetime.now(datetime.timezone.utc),
    )


@dataclass(frozen=True)
class Plan:
    """What a run has to do.

    batches: documents to process. buckets: parts to write; the others are kept as they are.
    added, changed, removed: documents, against the previous snapshot; causes: why each of them
    differs.
    cause: why unchanged documents are processed again, if they are; one of `tables.CAUSES`.
    """

    found: Scan
    batches: tuple[Batch, ...]
    buckets: tuple[Bucket, ...]
    keys: Mapping[str, str]
    added: tuple[str, ...]
    changed: tuple[str, ...]
    removed: tuple[str, ...]
    causes: Mapping[str, str]
    cause: str | None
    nothing: bool

    @property
    def documents(self) -> int:
        """Documents to process."""
        return sum(len(batch.entries) for batch in self.batches)


def make_plan(state: Run, *, until: str | None) -> Plan:
    """Return what must be done: compare the corpus folder and the stages with the snapshot."""
    settings, previous = state.settings, state.previous
    sources = previous.read("sources") if previous else None
    same_readers = previous is not None and (
        previous.manifest.stages.get("documents") == state.prints["documents"]
    )
    stamps = _stamps(previous) if previous and same_readers and not state.full else {}
    found = scan(settings, sources if same_readers else None, stamps)
    before = changes.entries(sources)
    rejects = previous.read("rejects").to_pylist() if previous else []
    causes = changes.document_causes(before, found.entries)
    last = len(DOCUMENT_STAGES) if until is None else 1 + _stage_number(until)
    stale = _first_stale_stage(state, last)
    transient = {(row["path"], row["item"]) for row in rejects if row["transient"]}

    def first_stage(entry: Entry) -> int:
        old = before.get(entry.doc_id)
        if old is None or old.key != entry.key or (entry.path, entry.label) in transient:
            return 0
        return stale

    fingerprints = tuple(state.prints[stage.name] for stage in DOCUMENT_STAGES)
    assigned = assign_buckets(found.entries)
    keys = {
        name: digest(*(found.entries[doc_id].key for doc_id in doc_ids))
        for name, doc_ids in assigned.items()
    }
    batches: list[Batch] = []
    buckets: list[Bucket] = []
    for name, doc_ids in assigned.items():
        groups: dict[int, list[Entry]] = {}
        for doc_id in doc_ids:
            entry = found.entries[doc_id]
            groups.setdefault(first_stage(entry), []).append(entry)
        members = []
        for first, entries in sorted(groups.items()):
            own = tuple(
                Batch(
                    entries=chunk,
                    first=first,
                    last=last,
                    fingerprints=fingerprints,
                    work=state.outputs.work,
                    previous=previous.path if previous else None,
                )
                for chunk in (_chunks(entries, settings) if first < last else ())
            )
            batches += own
            members.append((tuple(entry.doc_id for entry in entries), own, first))
        kept = previous is not None and previous.manifest.buckets.get(name) == keys[name]
        unchanged = min(groups) if kept else 0
        if unchanged < len(DOCUMENT_STAGES):
            buckets.append(
                Bucket(
                    name=name,
                    key=keys[name],
                    members=tuple(members),
                    unchanged=unchanged,
                    work=state.outputs.work,
                    fingerprints=fingerprints,
                    previous=previous.path if previous else None,
                )
            )
    same = previous is not None and (
        dict(previous.manifest.buckets) == keys
        and dict(previous.manifest.stages) == dict(state.prints)
        and sources_table(found).equals(sources)
        and [r for r in rejects if r["stage"] == "scan"] == [asdict(r) for r in found.rejects]
    )
    return Plan(
        found=found,
        batches=tuple(batches),
        buckets=tuple(buckets),
        keys=keys,
        added=tuple(sorted(found.entries.keys() - before.keys())),
        changed=tuple(sorted(causes.keys() & before.keys() & found.entries.keys())),
        removed=tuple(sorted(before.keys() - found.entries.keys())),
        causes=causes,
        cause=(
            changes.first_difference(previous.manifest.digests, state.digests)
            if previous and stale < last
            else None
        ),
        nothing=same and not batches if until is None else not batches,
    )


STAMPS_FILE = "objects.json"
"""Beside the manifest: path to stamp of a corpus in an object store (see `Scan`)."""


def _stamps(previous: Snapshot) -> dict[str, str]:
    data = read_file(previous.path, STAMPS_FILE)
    return dict(json.loads(data)) if data else {}


def _stage_number(name: str) -> int:
    return next(i for i, stage in enumerate(DOCUMENT_STAGES) if stage.name == name)


def _first_stale_stage(state: Run, last: int) -> int:
    """Return the number of the first stage whose fingerprint differs from the snapshot's."""
    if state.full or state.previous is None:
        return 0
    before = state.previous.manifest.stages
    for number, stage in enumerate(DOCUMENT_STAGES[:last]):
        if before.get(stage.name) != state.prints[stage.name]:
            return number
    return len(DOCUMENT_STAGES)


def sources_table(found: Scan) -> pa.Table:
    """Return the `sources` table: where each document stands."""
    columns = {
        column.name: [getattr(entry, column.name) for entry in found.entries.values()]
        for column in tables.SOURCES.columns
    }
    return tables.conform("sources", tables.from_columns("sources", columns))


def _chunks(entries: list[Entry], settings: Settings) -> Iterator[tuple[Entry, ...]]:
    """Cut documents into batches that are bounded in documents and in bytes."""
    chunk: list[Entry] = []
    size = 0
    for entry in entries:
        full = len(chunk) == settings.batch_documents or size + entry.length > settings.batch_bytes
        if chunk and full:
            yield tuple(chunk)
            chunk, size = [], 0
        chunk.append(entry)
        size += entry.length
    if chunk:
        yield tuple(chunk)
