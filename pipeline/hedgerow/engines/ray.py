"""The Ray engine: actors of Ray Data that load the model once each, on this machine or a cluster.

A row of the data set is a task: its number, and its fields as JSON. A row that comes back has the
number with the seconds by stage, or what the work raised. Documents and tables are in files: on a
cluster, every node sees the corpus and the outputs folder at the same place, and has the same
hedgerow installed.
"""

from __future__ import annotations

import itertools
import json
import logging
import os
import secrets
import traceback
import warnings
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
from pydantic import TypeAdapter

from hedgerow import errors
from hedgerow.engines import T, Work, WorkerFailedError
from hedgerow.errors import HedgerowError, ResourceError, SettingsError
from hedgerow.fingerprints import resource_digests
from hedgerow.resources import Resources
from hedgerow.settings import Settings

TASKS_PER_ACTOR = 256
"""Actors are replaced after so many tasks each, roughly, so that no leak lasts."""
_AHEAD = 2
"""Tasks handed to an actor ahead, so that it never waits."""
_STORE_BYTES = 100_000_000
"""The object store of a local cluster: only names and numbers go through it."""


class RayData:
    """Maps tasks over actors; a cluster at `ray_address`, else one of its own on this machine."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._ray = _import(settings)

    def __enter__(self) -> RayData:
        _connect(self._ray, self._settings)
        return self

    def __exit__(self, *exc: object) -> None:
        self._ray.shutdown()

    def map(
        self, work: Work[T], tasks: Iterable[T]
    ) -> Iterator[tuple[T, dict[str, float] | WorkerFailedError]]:
        """See `Engine.map`."""
        waiting = iter(tasks)
        size = TASKS_PER_ACTOR * self._settings.workers
        while some := list(itertools.islice(waiting, size)):
            lost = yield from self._round(work, some, ahead=_AHEAD)
            # An actor's death takes the tasks that wait for it along; which one is to blame shows
            # only when each has its actor to itself.
            lost = yield from self._round(work, lost, ahead=1)
            for task in lost:
                yield task, WorkerFailedError("its actor died")

    def _round(
        self, work: Work[T], tasks: Sequence[T], *, ahead: int
    ) -> Generator[tuple[T, dict[str, float]], None, list[T]]:
        """Map some tasks over new actors; return those whose actor died."""
        if not tasks:
            return []
        kind = type(tasks[0])
        write = TypeAdapter(kind).dump_json
        rows = [{"number": n, "task": write(task).decode()} for n, task in enumerate(tasks)]
        pending = dict(enumerate(tasks))
        for batch in self._dataset(rows, (work, kind), ahead).iter_batches(
            batch_size=None, batch_format="pyarrow", prefetch_batches=0
        ):
            for row in batch.to_pylist():
                result = json.loads(row["result"])
                if "error" in result:
                    raise _raised(**result)
                yield pending.pop(row["number"]), result
        return list(pending.values())

    def _dataset(self, rows: list[dict[str, Any]], made_from: tuple[Any, ...], ahead: int) -> Any:
        """Return the rows, one a block, with the actors to map them by."""
        data = self._ray.data
        pool = data.ActorPoolStrategy(
            size=min(self._settings.workers, len(rows)), max_tasks_in_flight_per_actor=ahead
        )
        arguments = (*made_from, self._settings, str(Path.cwd()), _alike(self._settings))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # max_restarts is to get another name after Ray 2.63
            return data.from_items(rows, override_num_blocks=len(rows)).map_batches(
                Actor,
                fn_constructor_args=arguments,
                compute=pool,
                batch_size=None,
                batch_format="pyarrow",
                num_cpus=1,
                max_restarts=-1,
                max_task_retries=0,
            )


class Actor:
    """Lives in a worker process and does one task after another.

    kind: the type of the tasks. folder: the working folder of the run. expected: see `_alike`.
    """

    def __init__(
        self,
        work: Work[Any],
        kind: type,
        settings: Settings,
        folder: str,
        expected: dict[str, str],
    ) -> None:
        os.chdir(folder)
        self._work = work
        self._read: Callable[[str], Any] = TypeAdapter(kind).validate_json
        self._resources = Resources(settings)
        found = _alike(settings)
        self._unlike = [cause for cause in expected if found[cause] != expected[cause]]

    def __call__(self, batch: pa.Table) -> pa.Table:
        """Return the number and the result of each task."""
        results = [self._result(task) for task in batch.column("task").to_pylist()]
        return pa.table(
            {"number": batch.column("number"), "result": [json.dumps(r) for r in results]}
        )

    def _result(self, task: str) -> dict[str, Any]:
        """Return the seconds by stage, or what `_raised` takes: an error ends the run, not Ray."""
        try:
            if self._unlike:
                raise ResourceError(
                    f"node {os.uname().nodename}: found another {', '.join(self._unlike)} than "
                    "where the run was started; expected the same everywhere; install the same "
                    "hedgerow, model and locked packages on all nodes"
                )
            return self._work(self._read(task), self._resources)
        except Exception as error:
            return {
                "error": type(error).__name__,
                "message": str(error),
                "number": getattr(error, "errno", None),
                "file": getattr(error, "filename", None),
                "trace": traceback.format_exc(),
            }


def _raised(error: str, message: str, number: int | None, file: Any, trace: str) -> Exception:
    """Return the exception that an actor met: one of hedgerow's, of the system's, or a defect."""
    kind: type[HedgerowError] | None = getattr(errors, error, None)
    if kind is not None:
        return kind(message)
    if number is not None:
        return OSError(number, os.strerror(number), file)
    return RuntimeError(f"{error} in an actor: {message}\n{trace}")


def _alike(settings: Settings) -> dict[str, str]:
    """Return the digests that must be the same on all nodes for rows to be the same."""
    digests = resource_digests(settings)
    causes = ("model", "lexicon", "knowledge base", "code", "dependencies")
    return {cause: digests[cause] for cause in causes}


def _import(settings: Settings) -> Any:
    """Return the module ray. Raises SettingsError where it is not installed."""
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"  # nothing is sent to anybody
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")  # deaths are told by the run itself
    if settings.ray_address is None:
        # Ray's own ways to make a cluster of one machine listen on loopback only, with a token.
        os.environ["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "0"
        os.environ["RAY_AUTH_MODE"] = "token"
        os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))
    try:
        import ray
        import ray.data
    except ImportError as error:
        raise SettingsError(
            f"engine 'ray': found no package ray ({error}); expected it beside hedgerow; "
            "pip install 'hedgerow[ray]', or use --engine local"
        ) from error
    return ray


def _connect(ray: Any, settings: Settings) -> None:
    """Join the cluster that the settings name, or start one for this run only."""
    quiet = {"log_to_driver": False, "logging_level": logging.ERROR}
    if settings.ray_address is None:
        ray.init(
            address="local",
            num_cpus=settings.workers,
            object_store_memory=_STORE_BYTES,
            include_dashboard=False,
            **quiet,
        )
    else:
        try:
            ray.init(address=settings.ray_address, **quiet)
        except (ConnectionError, RuntimeError) as error:
            raise SettingsError(
                f"ray_address {settings.ray_address!r}: {str(error).splitlines()[-1]}; expected a "
                "running Ray cluster, and its token in RAY_AUTH_MODE and RAY_AUTH_TOKEN where it "
                "has one"
            ) from error
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    context.print_on_execution_start = False
    context.max_errored_blocks = -1  # a task whose actor died is missing in what comes back
    logging.getLogger("ray.data").setLevel(logging.CRITICAL)  # it would print each such death
