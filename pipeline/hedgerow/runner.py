"""A run: plan what must be done anew, do it, and publish the snapshot."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from hedgerow import tables
from hedgerow.corpus import Reject
from hedgerow.engines import Engine, Work, WorkerFailedError, open_engine
from hedgerow.errors import StoreError
from hedgerow.places import shown
from hedgerow.plan import Listener, Plan, Run, begin, make_plan
from hedgerow.publish import publish
from hedgerow.settings import Settings
from hedgerow.store import Outputs, explain_os_errors
from hedgerow.tasks import Batch, run_batch, write_bucket

T = TypeVar("T")


@dataclass(frozen=True)
class Outcome:
    """How a run ended.

    snapshot: the latest snapshot, or None where a run up to some stage published nothing.
    published: whether this run wrote it. counts: rows by table. certainties: claims by certainty.
    rejects: what could not be used. seconds: by stage, over all workers.
    """

    plan: Plan
    snapshot: Path | None
    published: bool
    counts: Mapping[str, int]
    certainties: Mapping[str, int]
    rejects: tuple[Mapping[str, Any], ...]
    seconds: Mapping[str, float]
    elapsed: float


def run(
    settings: Settings,
    *,
    listen: Listener = lambda event, facts: None,
    full: bool = False,
    dry_run: bool = False,
    until: str | None = None,
) -> Outcome:
    """Bring the outputs folder up to date with the corpus folder, and return how it ended.

    full: process every document anew. dry_run: plan only, write nothing. until: the last stage to
    run; its results wait in the work area for the next run and nothing is published.

    Raises LockedError where another run holds the folder, ContractError where a stage broke its
    contract, StoreError where the folder cannot be written; the latest snapshot is then as it was.
    """
    began = time.perf_counter()
    outputs = Outputs(settings.outputs)
    if dry_run:
        state = begin(settings, listen, full=full)
        plan = make_plan(state, until=until)
        return _outcome(state, plan, began, published=False)
    with explain_os_errors(settings.outputs), outputs.lock(shown(settings.corpus)):
        state = begin(settings, listen, full=full)
        if full:
            shutil.rmtree(outputs.work, ignore_errors=True)
        plan = make_plan(state, until=until)
        listen(
            "planned",
            {
                "documents": plan.documents,
                "batches": len(plan.batches),
                "kept": len(plan.found.entries) - plan.documents,
            },
        )
        if plan.nothing and not full:
            return _outcome(state, plan, began, published=False)
        with open_engine(settings) as engine:
            plan = _process(state, plan, engine)
            if until is None:
                _write(state, engine, plan)
        if until is not None:
            return _outcome(state, plan, began, published=False)
        publish(state, plan)
        removed = outputs.collect(
            keep=settings.keep_snapshots, grace_seconds=settings.grace_seconds
        )
        listen("published", {"snapshot": str(outputs.latest.resolve()), "collected": removed})
        return _outcome(state, plan, began, published=True)


def _process(state: Run, plan: Plan, engine: Engine) -> Plan:
    """Run the batches; return the plan with those that a worker died over cut into documents."""

    def attempt(batches: Sequence[Batch]) -> list[Batch]:
        def done(batch: Batch) -> None:
            state.listen("batch", {"documents": len(batch.entries)})

        return _map(state, engine, run_batch, [b for b in batches if not b.finished], done)

    singles: dict[Batch, tuple[Batch, ...]] = {}
    for batch in attempt(plan.batches):
        alone = [replace(batch, entries=(entry,)) for entry in batch.entries]
        broken = alone if len(alone) == 1 else attempt(alone)
        for one in broken:
            entry = one.entries[0]
            detail = "a worker process died over it, twice; expected a result; report the document"
            state.lost.append(
                Reject(entry.path, entry.label, "worker", "worker_failed", detail, transient=True)
            )
        singles[batch] = tuple(one for one in alone if one not in broken)
    if not singles:
        return plan
    return replace(
        plan,
        batches=tuple(one for batch in plan.batches for one in singles.get(batch, (batch,))),
        buckets=tuple(
            replace(
                bucket,
                members=tuple(
                    (doc_ids, tuple(one for b in own for one in singles.get(b, (b,))), first)
                    for doc_ids, own, first in bucket.members
                ),
            )
            for bucket in plan.buckets
        ),
    )


def _write(state: Run, engine: Engine, plan: Plan) -> None:
    """Write the parts of all buckets that changed."""
    pending = [bucket for bucket in plan.buckets if not bucket.folder.is_dir()]
    failed = _map(state, engine, write_bucket, pending, lambda bucket: None)
    if failed:
        raise StoreError(
            f"bucket {failed[0].name or 'all'}: a worker process died twice writing its parts; "
            "expected a part of every table; look for a lack of memory, then run again"
        )


def _map(
    state: Run,
    engine: Engine,
    work: Work[T],
    pending: Sequence[T],
    done: Callable[[T], None],
) -> list[T]:
    """Map tasks over the workers; return those that killed their worker."""
    failed = []
    for task, result in engine.map(work, pending):
        if isinstance(result, WorkerFailedError):
            failed.append(task)
        else:
            for stage, seconds in result.items():
                state.seconds[stage] += seconds
            done(task)
    return failed


def _outcome(state: Run, plan: Plan, began: float, *, published: bool) -> Outcome:
    snapshot = state.outputs.snapshot()
    counts: dict[str, int] = {}
    certainties: dict[str, int] = {}
    rejects: list[dict[str, Any]] = [asdict(reject) for reject in plan.found.rejects]
    if snapshot:
        counts = {n: sum(p.rows for p in ps) for n, ps in snapshot.manifest.tables.items()}
        found = snapshot.read("claims", columns=["certainty"]).column("certainty").to_pylist()
        certainties = {c: found.count(c) for c in tables.CERTAINTIES}
        rejects = snapshot.read("rejects").to_pylist()
    return Outcome(
        plan=plan,
        snapshot=snapshot.path if snapshot else None,
        published=published,
        counts=counts,
        certainties=certainties,
        rejects=tuple(rejects),
        seconds=dict(state.seconds),
        elapsed=time.perf_counter() - began,
    )
