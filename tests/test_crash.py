"""Whatever ends a run, the latest snapshot stays whole and the next run finishes the work."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time

import pytest

from hedgerow import runner, settings, store
from hedgerow.errors import StoreError
from tests.conftest import PAGES, published, write

COMMIT_STEPS = ("fsync", "rename", "replace", "link", "mkdir", "unlink")
"""The calls of the operating system between which a crash leaves different files behind."""


def _run(corpus, outputs):
    return runner.run(settings.load(corpus=corpus, outputs=outputs, batch_documents=1))


def _forked(corpus, outputs, *, steps=None, seconds=None, count=None):
    """Run in a child process and kill it at the given commit step or after some seconds.

    Return whether it was killed. count: a file to write the number of steps to, instead.
    """
    child = os.fork()
    if child == 0:  # pragma: no cover - the child
        done = 0

        def counted(call):
            def wrapper(*args, **kwargs):
                nonlocal done
                done += 1
                if done == steps:
                    os.kill(os.getpid(), signal.SIGKILL)
                return call(*args, **kwargs)

            return wrapper

        for name in COMMIT_STEPS:
            setattr(os, name, counted(getattr(os, name)))
        try:
            _run(corpus, outputs)
            if count is not None:
                count.write_text(str(done))
            os._exit(0)
        except BaseException as error:
            print(error, file=sys.stderr)
            os._exit(1)
    if seconds is not None:
        time.sleep(seconds)
        os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    return os.WIFSIGNALED(status)


def _kill_many(tmp_path, kills, seed):
    """Kill runs at seeded steps and moments; check what is left, and what the next run makes."""
    corpus = tmp_path / "corpus"
    for name, text in PAGES.items():
        write(corpus / name, text)
    first, undisturbed, work = tmp_path / "first", tmp_path / "undisturbed", tmp_path / "work"
    _run(corpus, first)
    before = published(first)
    write(corpus / "five.txt", "Ginger relieves nausea. It might help in pregnancy.")
    write(corpus / "one.txt", PAGES["one.txt"].replace("lower", "raise"))

    shutil.copytree(first, undisturbed, symlinks=True)
    began = time.perf_counter()
    count = tmp_path / "count"
    assert not _forked(corpus, undisturbed, count=count)
    duration, steps = time.perf_counter() - began, int(count.read_text())
    expected = published(undisturbed)
    assert expected != before

    chance = random.Random(seed)
    killed = 0
    for number in range(kills):
        shutil.rmtree(work, ignore_errors=True)
        shutil.copytree(first, work, symlinks=True)
        at = (
            {"steps": chance.randint(1, steps)}
            if number % 2
            else {"seconds": chance.uniform(0, duration)}
        )
        killed += _forked(corpus, work, **at)
        folder = store.Outputs(work)
        assert published(work) in (before, expected), at
        assert store.verify(folder.snapshot()) == [], at
        _run(corpus, work)
        assert published(work) == expected, at
        assert store.verify(folder.snapshot()) == [], at
        folder.collect(keep=9, grace_seconds=0)
        assert not list(work.glob("snapshots/.[!.]*")), at
    assert killed > kills // 2


def test_twenty_kills_leave_a_whole_snapshot_and_the_next_run_ends_the_same(tmp_path):
    _kill_many(tmp_path, 20, seed=1)


@pytest.mark.soak
def test_two_hundred_kills(tmp_path):
    _kill_many(tmp_path, 200, seed=2)


def test_finished_batches_of_a_killed_run_are_not_repeated(run, outputs):
    class Killed(Exception):
        pass

    def stop(event, facts):
        if event == "batch":
            raise Killed

    with pytest.raises(Killed):
        run(batch_documents=1, listen=stop)
    counted = []
    run(batch_documents=1, listen=lambda event, facts: counted.append(event))
    assert counted.count("batch") == 4, "one of five documents was done"


@pytest.fixture
def tiny_disk(tmp_path):
    """A file system of 300 kB."""
    folder = tmp_path / "tiny"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=300k", "tmpfs", str(folder)],
        check=False,
        capture_output=True,
    )
    if mounted.returncode:
        pytest.skip("cannot mount a small tmpfs here: needs root")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_full_disk_leaves_the_latest_snapshot_as_it_was(corpus, tiny_disk, tmp_path):
    outputs = tiny_disk / "outputs"
    outputs.mkdir()
    filler = tiny_disk / "filler"
    with pytest.raises(StoreError, match="No space left"):
        write(filler, b"x" * 250_000)
        _run(corpus, outputs)
    assert not (outputs / "latest").exists()
    subprocess.run(["mount", "-o", "remount,size=64m", str(tiny_disk)], check=True)
    _run(corpus, outputs)
    before = published(outputs)
    write(corpus / "five.txt", "Ginger relieves nausea. " * 50)
    used = shutil.disk_usage(tiny_disk).used
    size = (used + 60_000) // 4096 * 4096
    subprocess.run(["mount", "-o", f"remount,size={size}", str(tiny_disk)], check=True)
    with pytest.raises(StoreError, match="No space left"):
        _run(corpus, outputs)
    assert published(outputs) == before
    assert store.verify(store.Outputs(outputs).snapshot()) == []
    subprocess.run(["mount", "-o", "remount,size=64m", str(tiny_disk)], check=True)
    _run(corpus, outputs)
    other = tmp_path / "other"
    _run(corpus, other)
    assert published(outputs) == published(other)
