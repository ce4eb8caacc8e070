"""What tests share: a small corpus, runs in this process, and comparison of snapshots."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from hedgerow import runner, settings, store, tables

ROOT = Path(__file__).parents[1]
SHARED = ROOT.parent / "shared"

PAGES: Mapping[str, str] = {
    "one.txt": "Aspirin\n\nAspirin reduces fever. It may also lower the risk of stroke [1].\n\n"
    "References\n\n[1] Smith J, Jones K. Aspirin and stroke. J Made Up. 2019. PMID 12345678\n",
    "two.md": "---\nid: melatonin\ntitle: Melatonin for sleep\npublisher: The Sleep Page\n"
    "interest: vendor\n---\n\n# Melatonin\n\nMelatonin helps you fall asleep faster. "
    "Common side effects include:\n\n- headache\n- dizziness\n\nIt is not approved in Japan.\n",
    "deep/three.html": "<html lang='en'><head><title>Zinc</title></head><body><main><h1>Zinc</h1>"
    "<p>Zinc did not shorten colds in a randomised trial of 140 adults (HR 0.98, 95% CI 0.70 to "
    "1.36, P=0.9).</p><p>Researchers suggest that zinc might reduce symptoms.</p></main></body>"
    "</html>",
    "four.jsonl": '{"id": "a", "text": "Aspirin does not reduce the risk of stroke.", '
    '"interest": "journal"}\n{"id": "b", "text": "Vitamin C probably has no effect on colds."}\n',
}


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    """A corpus of five documents in four formats."""
    root = tmp_path / "corpus"
    for name, text in PAGES.items():
        write(root / name, text)
    return root


@pytest.fixture
def outputs(tmp_path: Path) -> Path:
    return tmp_path / "outputs"


@pytest.fixture
def run(corpus: Path, outputs: Path) -> Callable[..., runner.Outcome]:
    """Run the pipeline in this process; keywords are settings, or full, dry_run and until."""

    def call(**options: Any) -> runner.Outcome:
        how = {
            name: options.pop(name)
            for name in ("full", "dry_run", "until", "listen")
            if name in options
        }
        return runner.run(settings.load(**{"corpus": corpus, "outputs": outputs, **options}), **how)

    return call


@pytest.fixture(scope="session")
def sample_outputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The outputs of a run over the sample corpus."""
    folder = tmp_path_factory.mktemp("sample") / "outputs"
    runner.run(settings.load(corpus=ROOT / "corpus", outputs=folder))
    return folder


@pytest.fixture
def small_buckets(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two documents a bucket, so that a small corpus has several parts."""
    monkeypatch.setattr(store, "BUCKET_DOCUMENTS", 2)


def write(path: Path, text: str | bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode() if isinstance(text, str) else text)


def published(outputs: Path) -> dict[str, bytes]:
    """The bytes of every part that must be a function of the corpus alone."""
    latest = outputs / "latest"
    return {
        str(path.relative_to(latest)): path.read_bytes()
        for name in tables.TABLES
        if name not in ("runs", "changes")
        for path in sorted((latest / name).iterdir())
    }


def listing(root: Path) -> dict[str, tuple[int, int, int]]:
    """Every file below a folder with its inode, size and time of change."""
    return {
        str(p.relative_to(root)): (p.lstat().st_ino, p.lstat().st_size, p.lstat().st_mtime_ns)
        for p in sorted(root.rglob("*"))
        if not p.is_dir()
    }


def rows(outputs: Path, name: str) -> list[dict[str, Any]]:
    snapshot = store.Outputs(outputs).snapshot()
    assert snapshot is not None
    return snapshot.read(name).to_pylist()


def require(path: Path) -> Path:
    """Return a path beside the project, or skip where it is not there."""
    if not path.exists():
        pytest.skip(f"{path} is not there: this test reads data that is not part of the project")
    return path
