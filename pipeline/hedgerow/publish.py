"""Putting a snapshot together: written parts, kept parts, and the tables over the whole."""

from __future__ import annotations

import datetime
import json
import platform
import shutil
import time
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

import pyarrow as pa

from hedgerow import __version__, changes, tables
from hedgerow.fingerprints import digest
from hedgerow.plan import STAMPS_FILE, Plan, Run, sources_table
from hedgerow.resources import Resources
from hedgerow.stages import CORPUS_STAGES, DOCUMENT_STAGES, STAGES, Stage
from hedgerow.store import Manifest, Part, Snapshot, read_parts, write_part
from hedgerow.tasks import bucket_parts, read_rejects


def publish(state: Run, plan: Plan) -> None:
    """Put the snapshot together: written parts, kept parts, and the tables over the whole."""
    previous, outputs = state.previous, state.outputs
    parts: dict[str, list[Part]] = {name: [] for name in tables.TABLES}
    sources: dict[str, Path] = {}

    def add(name: str, part: Part, folder: Path) -> None:
        parts[name].append(part)
        sources[f"{name}/{part.file}"] = folder / name / part.file

    unchanged = {bucket.name: bucket.unchanged for bucket in plan.buckets}
    for bucket in plan.buckets:
        for name, part in bucket_parts(bucket).items():
            add(name, part, bucket.folder)
    for number, stage in enumerate(DOCUMENT_STAGES):
        for name in stage.outputs:
            if previous is None or not tables.TABLES[name].per_document:
                continue
            for part in previous.manifest.tables[name]:
                stands = number < unchanged.get(part.bucket, len(DOCUMENT_STAGES))
                if part.bucket in plan.keys and part.rows and stands:
                    add(name, part, previous.path)
    whole = outputs.work / "whole"
    shutil.rmtree(whole, ignore_errors=True)
    for name, spec in tables.TABLES.items():
        if spec.per_document and not parts[name]:
            add(name, write_part(tables.empty(name), name, whole / name), whole)

    pieces = {name: [sources[f"{name}/{p.file}"] for p in parts[name]] for name in tables.TABLES}
    rejects = _rejects(state, plan)
    evidence = _evidence(state, parts, pieces)
    name = outputs.new_name(digest(*plan.keys.values(), *state.prints.values()))
    manifest = Manifest(
        snapshot=name,
        previous=previous.path.name if previous else None,
        digests=state.digests,
        stages=state.prints,
        buckets=plan.keys,
        tables=parts,
    )
    corpus_tables = {**evidence, "rejects": rejects, "sources": sources_table(plan.found)}
    corpus_tables["changes"] = _changes(state, plan, pieces)
    corpus_tables["runs"] = _runs(state, plan, manifest, corpus_tables)
    for table, rows in corpus_tables.items():
        writer = next((s.name for s in STAGES if table in s.outputs), "")
        part = write_part(rows, table, whole / table, fingerprint=state.prints.get(writer, ""))
        add(table, part, whole)
    outputs.publish(manifest, sources, _extras(state, plan, pieces, corpus_tables))
    shutil.rmtree(outputs.work)


def _rejects(state: Run, plan: Plan) -> pa.Table:
    """Return all rejects: of the scan, of this run's batches, and kept ones of the snapshot."""
    processed = {
        (entry.path, entry.label) for b in plan.batches if b.first == 0 for entry in b.entries
    } | {(reject.path, reject.item) for reject in state.lost}
    current = {(entry.path, entry.label) for entry in plan.found.entries.values()}
    kept = [
        row
        for row in (state.previous.read("rejects").to_pylist() if state.previous else ())
        if row["stage"] != "scan"
        and (row["path"], row["item"]) in current
        and (row["path"], row["item"]) not in processed
    ]
    new = [asdict(reject) for reject in (*plan.found.rejects, *state.lost)]
    batches = [read_rejects(batch) for batch in plan.batches]
    return tables.concat("rejects", [tables.from_rows("rejects", [*kept, *new]), *batches])


def _evidence(
    state: Run, parts: Mapping[str, list[Part]], pieces: Mapping[str, list[Path]]
) -> dict[str, pa.Table]:
    """Run the stages that look across documents, or keep their tables where no input changed."""
    found: dict[str, pa.Table] = {}
    for stage in CORPUS_STAGES:
        before = _made_alike(state, stage)
        if before is not None and all(
            {p.sha256 for p in before.manifest.tables[name]} == {p.sha256 for p in parts[name]}
            for name in stage.inputs
        ):
            found |= {name: before.read(name) for name in stage.outputs}
            continue
        began = time.perf_counter()
        inputs = {name: read_parts(name, pieces[name]) for name in stage.inputs}
        if before is not None:
            inputs |= {f"previous {name}": before.read(name) for name in stage.outputs}
        outputs = stage.run(inputs, Resources(state.settings))
        tables.check({**inputs, **outputs}, names=outputs)
        found |= outputs
        state.seconds[stage.name] += time.perf_counter() - began
        state.listen("stage", {"stage": stage.name})
    return found


def _made_alike(state: Run, stage: Stage) -> Snapshot | None:
    """Return the previous snapshot, if the same code, rules and settings wrote its rows."""
    before = state.previous
    if state.full or before is None:
        return None
    return before if before.manifest.stages.get(stage.name) == state.prints[stage.name] else None


def _changes(state: Run, plan: Plan, pieces: Mapping[str, list[Path]]) -> pa.Table:
    """Return the changes since the previous snapshot; none if there is no such snapshot."""
    if state.previous is None:
        return tables.empty("changes")
    cause = changes.first_difference(state.previous.manifest.digests, state.digests)
    before = state.previous.part_paths("claims")
    return changes.compare_parts(before, pieces["claims"], plan.causes, cause)


def _runs(
    state: Run, plan: Plan, manifest: Manifest, corpus_tables: Mapping[str, pa.Table]
) -> pa.Table:
    counts = {name: sum(p.rows for p in parts) for name, parts in manifest.tables.items()}
    row = {
        "run_id": manifest.snapshot,
        "started": state.started,
        "finished": datetime.datetime.now(datetime.timezone.utc),
        "hedgerow_version": __version__,
        "python_version": platform.python_version(),
        "engine": state.settings.engine,
        "workers": state.settings.workers,
        **{f"{cause.replace(' ', '_')}_digest": d for cause, d in state.digests.items()},
        "documents": counts["documents"],
        "documents_processed": plan.documents,
        "sentences": counts["sentences"],
        "claims": counts["claims"],
        "conflicts": corpus_tables["conflicts"].num_rows,
        "rejects": corpus_tables["rejects"].num_rows,
        **{f"seconds_{s.name}": round(state.seconds.get(s.name, 0.0), 3) for s in STAGES},
    }
    earlier = [state.previous.read("runs")] if state.previous else []
    return tables.concat("runs", [*earlier, tables.from_rows("runs", [row])])


def _extras(
    state: Run,
    plan: Plan,
    pieces: Mapping[str, list[Path]],
    corpus_tables: Mapping[str, pa.Table],
) -> Path:
    """Write the report and the stamps of the corpus, and return the folder that holds them."""
    from hedgerow.report import write_report

    folder = state.outputs.work / "extras"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    write_report(folder / "report.html", pieces, corpus_tables)
    if plan.found.stamps:
        (folder / STAMPS_FILE).write_text(json.dumps(plan.found.stamps), "utf-8")
    state.listen("stage", {"stage": "report"})
    return folder
