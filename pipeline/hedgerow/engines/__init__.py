"""Engines map tasks over worker processes; only plain data crosses between them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Protocol, TypeVar

from hedgerow.resources import Resources
from hedgerow.settings import Settings

T = TypeVar("T")
Work = Callable[[T, Resources], dict[str, float]]


class WorkerFailedError(Exception):
    """A worker process died twice over the same task."""


class Engine(Protocol):
    """Maps tasks. A context manager: workers live as long as it is open."""

    def __enter__(self) -> Engine: ...

    def __exit__(self, *exc: object) -> None: ...

    def map(
        self, work: Work[T], tasks: Iterable[T]
    ) -> Iterator[tuple[T, dict[str, float] | WorkerFailedError]]:
        """Yield (task, seconds by stage) as tasks end, in any order.

        An exception that the work raises ends the map. A worker process that dies is replaced and
        its task tried once more; a second death yields WorkerFailedError for that task.
        """
        ...


def open_engine(settings: Settings) -> Engine:
    """Return the engine that the settings name. Raises SettingsError where it is not installed."""
    if settings.engine == "ray":
        from hedgerow.engines.ray import RayData

        return RayData(settings)
    from hedgerow.engines.local import InProcess, Processes

    return InProcess(settings) if settings.workers == 1 else Processes(settings)
