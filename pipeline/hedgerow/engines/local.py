"""The local engine: this process, or worker processes that load the model once each."""

from __future__ import annotations

import itertools
import multiprocessing
import signal
from collections.abc import Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool

from hedgerow.engines import T, Work, WorkerFailedError
from hedgerow.resources import Resources
from hedgerow.settings import Settings

TASKS_PER_WORKER = 256
"""Workers are replaced after so many tasks each, roughly. A spaCy vocabulary keeps some memory for
each word that a `memory_zone` gave back (16 MB for half a million): no such leak lasts."""
QUEUED_PER_WORKER = 2
"""Tasks handed out ahead: enough to keep workers busy, few enough to bound memory."""


class InProcess:
    """Runs tasks one after another in this process."""

    def __init__(self, settings: Settings) -> None:
        self._resources = Resources(settings)

    def __enter__(self) -> InProcess:
        return self

    def __exit__(self, *exc: object) -> None:
        return None

    def map(
        self, work: Work[T], tasks: Iterable[T]
    ) -> Iterator[tuple[T, dict[str, float] | WorkerFailedError]]:
        """See `Engine.map`."""
        for task in tasks:
            yield task, work(task, self._resources)


_resources: Resources | None = None


def _start(settings: Settings) -> None:
    global _resources
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    _resources = Resources(settings)


def _call(work: Work[T], task: T) -> dict[str, float]:
    assert _resources is not None  # _start ran first
    return work(task, _resources)


class Processes:
    """Runs tasks in spawned worker processes."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._pool = self._new_pool(settings.workers)

    def _new_pool(self, workers: int) -> ProcessPoolExecutor:
        return ProcessPoolExecutor(
            workers,
            mp_context=multiprocessing.get_context("spawn"),
            initializer=_start,
            initargs=(self._settings,),
        )

    def __enter__(self) -> Processes:
        return self

    def __exit__(self, *exc: object) -> None:
        self._pool.shutdown(cancel_futures=True)

    def map(
        self, work: Work[T], tasks: Iterable[T]
    ) -> Iterator[tuple[T, dict[str, float] | WorkerFailedError]]:
        """See `Engine.map`."""
        waiting = iter(tasks)
        size = TASKS_PER_WORKER * self._settings.workers
        some = list(itertools.islice(waiting, size))
        while some:
            yield from self._round(work, some)
            some = list(itertools.islice(waiting, size))
            if some:
                self._pool.shutdown()
                self._pool = self._new_pool(self._settings.workers)

    def _round(
        self, work: Work[T], tasks: Iterable[T]
    ) -> Iterator[tuple[T, dict[str, float] | WorkerFailedError]]:
        """Map tasks over the workers that are there now."""
        waiting = iter(tasks)
        running: dict[Future[dict[str, float]], T] = {}
        while True:
            try:
                while len(running) < QUEUED_PER_WORKER * self._settings.workers:
                    task = next(waiting)
                    running[self._submit(work, task)] = task
            except StopIteration:
                if not running:
                    return
            done, _ = wait(running, return_when=FIRST_COMPLETED)
            if any(isinstance(future.exception(), BrokenProcessPool) for future in done):
                # One death breaks the pool and fails all that was under way; which task was to
                # blame shows only when each is tried alone.
                suspects = list(running.values())
                running.clear()
                self._pool.shutdown()
                yield from (self._alone(work, task) for task in suspects)
                self._pool = self._new_pool(self._settings.workers)
                continue
            for future in done:
                yield running.pop(future), future.result()

    def _submit(self, work: Work[T], task: T) -> Future[dict[str, float]]:
        try:
            return self._pool.submit(_call, work, task)
        except BrokenProcessPool as error:  # a worker died just now: fail the task like the rest
            failed: Future[dict[str, float]] = Future()
            failed.set_exception(error)
            return failed

    def _alone(self, work: Work[T], task: T) -> tuple[T, dict[str, float] | WorkerFailedError]:
        with self._new_pool(1) as pool:
            try:
                return task, pool.submit(_call, work, task).result()
            except BrokenProcessPool as error:
                return task, WorkerFailedError(str(error))
