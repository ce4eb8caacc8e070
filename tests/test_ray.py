"""The Ray engine maps the same tasks as the local one, to the same bytes."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time

import pytest

from hedgerow import engines, runner, settings
from hedgerow.engines import WorkerFailedError
from hedgerow.errors import ContractError, SettingsError
from hedgerow.tasks import run_batch
from tests.conftest import PAGES, ROOT, published, rows, write

CLUSTER = """
import sys
from hedgerow import settings
from hedgerow.engines.ray import RayData
with RayData(settings.load(workers=2)):
    import ray
    print(ray.get_runtime_context().gcs_address, flush=True)
    sys.stdin.read()
"""


@pytest.fixture(scope="module")
def cluster():
    """The address of a Ray cluster of two processors on this machine, for all tests here."""
    with pytest.MonkeyPatch.context() as patch:
        # Ray reads these when it is imported. The first: loopback only.
        patch.setenv("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")
        patch.setenv("RAY_AUTH_MODE", "token")
        patch.setenv("RAY_AUTH_TOKEN", "a token of the tests, of no worth elsewhere")
        pytest.importorskip("ray.data", reason="needs the extra hedgerow[ray]")
        child = subprocess.Popen(
            [sys.executable, "-c", CLUSTER],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        yield child.stdout.readline().strip()
        child.communicate(timeout=60)


@pytest.fixture
def ray_engine(cluster):
    with engines.open_engine(settings.load(engine="ray", ray_address=cluster, workers=2)) as found:
        yield found


def work(task, resources):
    """The work of these tests: some tasks kill their actor, or fail."""
    if task == 3:
        os._exit(9)
    if task == "broken":
        raise ContractError("broken")
    if task == "missing":
        raise FileNotFoundError(2, "No such file", "page.html")
    if task == "defect":
        raise TypeError("odd")
    return {"doubled": 2.0 * task}


def deadly(batch, resources):
    """The work of a run, but one document kills its worker."""
    if any(entry.doc_id == "melatonin" for entry in batch.entries):
        os._exit(9)
    return run_batch(batch, resources)


def test_actors_yield_every_task_once_and_name_the_one_that_kills(ray_engine):
    found = dict(ray_engine.map(work, range(6)))
    assert sorted(found) == list(range(6))
    assert isinstance(found.pop(3), WorkerFailedError)
    assert found == {task: {"doubled": 2.0 * task} for task in found}


@pytest.mark.parametrize(
    ("task", "kind", "message"),
    [
        ("broken", ContractError, "^broken$"),
        ("missing", FileNotFoundError, "page.html"),
        ("defect", RuntimeError, "TypeError.*odd"),
    ],
)
def test_an_error_that_the_work_raises_ends_the_map(ray_engine, task, kind, message):
    with pytest.raises(kind, match=message):
        list(ray_engine.map(work, [task]))


def test_both_engines_write_the_same_bytes(cluster, tmp_path):
    shutil.copytree(ROOT / "corpus" / "semaglutide", tmp_path / "corpus")
    how = {"corpus": tmp_path / "corpus", "batch_documents": 1}
    runner.run(settings.load(outputs=tmp_path / "local", **how))
    far = {"engine": "ray", "ray_address": cluster, "workers": 2}
    outcome = runner.run(settings.load(outputs=tmp_path / "ray", **how, **far))
    assert outcome.plan.documents > 2 and outcome.counts["claims"]
    assert published(tmp_path / "ray") == published(tmp_path / "local")


def test_a_document_that_kills_its_worker_is_the_same_reject_by_both_engines(
    cluster, run, outputs, tmp_path, monkeypatch
):
    monkeypatch.setattr(runner, "run_batch", deadly)
    run(engine="ray", ray_address=cluster, workers=2, batch_documents=1)
    (reject,) = rows(outputs, "rejects")
    assert (reject["path"], reject["reason"]) == ("two.md", "worker_failed")
    assert reject["transient"] and len(rows(outputs, "documents")) == len(PAGES)
    run(outputs=tmp_path / "local", workers=2, batch_documents=1)
    assert published(tmp_path / "local") == published(outputs)


def test_another_model_on_a_node_ends_the_run(cluster, run, monkeypatch):
    pytest.importorskip("ray.data", reason="needs the extra hedgerow[ray]")
    from hedgerow.engines import ray as engine

    original = engine._alike
    monkeypatch.setattr(engine, "_alike", lambda s: {**original(s), "model": "another"})
    with pytest.raises(Exception, match="found another model"):
        run(engine="ray", ray_address=cluster, workers=1)


def test_interrupting_a_run_ends_its_cluster_and_keeps_what_is_done(tmp_path):
    pytest.importorskip("ray.data", reason="needs the extra hedgerow[ray]")
    for number in range(40):
        write(tmp_path / "corpus" / f"{number}.txt", f"Zinc may help {number} people. " * 40)
    command = [sys.executable, "-m", "hedgerow", "run", "--engine", "ray", "--log", "json"]
    options = ["--corpus", "corpus", "--outputs", "outputs", "--batch-documents", "1"]
    child = subprocess.Popen(
        command + options,
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    for line in child.stdout:
        if '"batch"' in line:
            break
    os.killpg(child.pid, signal.SIGINT)  # as the terminal does
    _, told = child.communicate(timeout=60)
    assert child.returncode == 130, told
    assert "interrupted" in told and "Traceback" not in told
    assert list((tmp_path / "outputs" / "work").iterdir())
    assert not (tmp_path / "outputs" / "latest").exists()
    deadline = time.monotonic() + 20
    while _session_processes(child.pid) and time.monotonic() < deadline:
        time.sleep(0.2)
    assert _session_processes(child.pid) == []


def _session_processes(session):
    listed = subprocess.run(
        ["ps", "-eo", "sid=,pid=,args="], check=True, capture_output=True, text=True
    )
    return [line for line in listed.stdout.splitlines() if line.split()[0] == str(session)]


def test_without_ray_the_engine_says_how_to_install_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(SettingsError, match=r"found no package ray.*pip install 'hedgerow\[ray\]'"):
        engines.open_engine(settings.load(engine="ray"))
