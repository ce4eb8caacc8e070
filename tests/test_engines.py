"""A worker that dies costs one task, not the run."""

from __future__ import annotations

import os

import pytest

from hedgerow import runner, settings
from hedgerow.engines import WorkerFailedError, local
from hedgerow.engines.local import InProcess, Processes
from hedgerow.resources import Resources
from tests.conftest import rows, write


def double(task, resources):
    """The work of these tests: it kills its worker over the task 3."""
    if task == 3:
        os._exit(9)
    return {"doubled": 2.0 * task}


def test_processes_yield_every_task_once_and_name_the_one_that_kills():
    with Processes(settings.load(workers=2)) as engine:
        found = dict(engine.map(double, range(8)))
    assert sorted(found) == list(range(8))
    assert isinstance(found.pop(3), WorkerFailedError)
    assert found == {task: {"doubled": 2.0 * task} for task in found}


def where(task, resources):
    return {"pid": float(os.getpid())}


def test_workers_are_replaced_after_some_tasks(monkeypatch):
    monkeypatch.setattr(local, "TASKS_PER_WORKER", 3)
    with Processes(settings.load(workers=2)) as engine:
        found = dict(engine.map(where, range(14)))
    assert sorted(found) == list(range(14))
    assert len({result["pid"] for result in found.values()}) >= 3


def test_an_error_that_the_work_raises_ends_the_map():
    with Processes(settings.load(workers=2)) as engine, pytest.raises(TypeError):
        list(engine.map(double, [1, "two", None]))


class Deadly(InProcess):
    """Fails over every batch that holds the document of this name."""

    doc_id = "melatonin"

    def map(self, work, tasks):
        for task in tasks:
            entries = getattr(task, "entries", ())
            if any(entry.doc_id == self.doc_id for entry in entries):
                yield task, WorkerFailedError("died")
            else:
                yield task, work(task, self._resources)


def test_a_document_that_kills_its_worker_is_a_transient_reject(run, outputs, monkeypatch):
    original = runner.open_engine
    monkeypatch.setattr(runner, "open_engine", Deadly)
    run()
    (reject,) = rows(outputs, "rejects")
    assert (reject["path"], reject["reason"], reject["transient"]) == (
        "two.md",
        "worker_failed",
        True,
    )
    assert len(rows(outputs, "documents")) == 4
    monkeypatch.setattr(runner, "open_engine", original)
    outcome = run()
    assert outcome.plan.documents == 1
    assert rows(outputs, "rejects") == [] and len(rows(outputs, "documents")) == 5


def test_what_a_killed_run_wrote_without_a_document_is_not_taken_for_the_whole(
    run, outputs, monkeypatch
):
    class Stopped(Exception):
        pass

    original, publish = runner.open_engine, runner.publish

    def stop(state, plan):
        raise Stopped

    monkeypatch.setattr(runner, "open_engine", Deadly)
    monkeypatch.setattr(runner, "publish", stop)
    with pytest.raises(Stopped):
        run()
    monkeypatch.setattr(runner, "open_engine", original)
    monkeypatch.setattr(runner, "publish", publish)
    run()
    assert rows(outputs, "rejects") == [] and len(rows(outputs, "documents")) == 5


def test_the_vocabulary_does_not_grow_with_the_corpus(run, corpus):
    vocab = Resources(settings.load()).language.vocab

    def grow(number):
        words = " ".join(f"zinc{number}x{n} may help ailment{number}y{n}." for n in range(200))
        write(corpus / "new.txt", words)
        run()
        return len(vocab.strings)

    grow(0)  # what is loaded on first use is there
    assert grow(1) == grow(2) == grow(3)
