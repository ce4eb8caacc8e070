"""Documents, settings and models from outside run no code and name no file of ours."""

from __future__ import annotations

import ast
import pickle
import subprocess

import numpy as np
import pytest

from hedgerow import settings, store
from hedgerow.errors import ResourceError, SettingsError, StoreError
from tests.conftest import PAGES, ROOT, listing, rows, write

RUNS_CODE = {
    ("pickle",),
    ("cloudpickle",),
    ("dill",),
    ("joblib",),
    ("marshal",),
    ("shelve",),
    ("eval",),
    ("exec",),
    ("os", "system"),
    ("os", "popen"),
    ("yaml", "unsafe_load"),
    ("yaml", "full_load"),
}


def _names(node):
    """The dotted names that a node imports or calls."""
    if isinstance(node, ast.Import):
        yield from (tuple(alias.name.split(".")) for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        yield from ((*(node.module or "").split("."), alias.name) for alias in node.names)
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        yield (node.func.id,)
    elif isinstance(node, ast.Call):
        yield tuple(ast.unparse(node.func).split("."))


def test_the_package_neither_unpickles_nor_evaluates():
    found = []
    for file in sorted((ROOT / "pipeline" / "hedgerow").rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            names = set(_names(node))
            found += [(file.name, n) for n in names if n[:1] in RUNS_CODE or n[:2] in RUNS_CODE]
            if ("yaml", "load") in names:
                loaders = {k.arg: ast.unparse(k.value) for k in node.keywords}
                assert loaders["Loader"] in ("yaml.BaseLoader", "_Loader"), file
            if ("np", "load") in names:
                assert {k.arg: ast.unparse(k.value) for k in node.keywords}["allow_pickle"] == (
                    "False"
                ), file
    assert found == []


class Trap:
    """Makes a file when it is unpickled."""

    def __init__(self, file):
        self.file = str(file)

    def __reduce__(self):
        return (open, (self.file, "w"))


def test_pickled_weights_are_refused_unopened(tmp_path):
    from hedgerow.nlp.classifier import UnitClassifier

    trap = tmp_path / "sprung"
    source = settings.shipped_model() / "units"
    for file in source.iterdir():
        write(tmp_path / "units" / file.name, file.read_bytes())
    with np.load(source / "weights.npz", allow_pickle=False) as arrays:
        names = {name: np.array([Trap(trap)], dtype=object) for name in arrays.files}
    np.savez(tmp_path / "units" / "weights.npz", **names)
    with pytest.raises(ResourceError, match=r"pickle|Object arrays"):
        UnitClassifier.load(tmp_path / "units")
    assert not trap.exists()
    pickle.loads(pickle.dumps(Trap(trap))).close()
    assert trap.exists(), "the trap works"


def test_an_id_that_looks_like_a_path_stays_a_value(run, corpus, outputs, tmp_path):
    before = listing(tmp_path).keys()
    hostile = ["../../../escaped", "/escaped", "latest/../../escaped", "nul"]
    for number, doc_id in enumerate(hostile):
        write(corpus / f"{number}.md", PAGES["two.md"].replace("id: melatonin", f"id: {doc_id}"))
    run()
    assert set(hostile) <= {row["doc_id"] for row in rows(outputs, "documents")}
    new = listing(tmp_path).keys() - before
    assert {name.split("/")[0] for name in new} <= {"corpus", "outputs"}
    assert not [name for name in new if "escaped" in name]
    assert store.verify(store.Outputs(outputs).snapshot()) == []


def test_front_matter_builds_no_objects(run, corpus, outputs, tmp_path):
    trap = tmp_path / "sprung"
    title = f'!!python/object/apply:os.system ["touch {trap}"]'
    write(corpus / "trap.md", f"---\ntitle: {title}\n---\n\nZinc may help.\n")
    run()
    assert not trap.exists()


def test_unknown_settings_are_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "hedgerow.toml", 'before_start = "rm -rf /"\n')
    with pytest.raises(SettingsError, match="before_start"):
        settings.load()


@pytest.mark.parametrize("name", ["..", "../..", "/etc", "."])
def test_a_snapshot_is_looked_for_in_its_folder_only(outputs, name):
    for folder in (outputs, outputs.parent, outputs / "snapshots"):
        write(folder / "manifest.json", "{}")
    with pytest.raises(StoreError, match="found no snapshot"):
        store.Outputs(outputs).snapshot(name)


def test_the_audit_covers_every_locked_package():
    command = ["make", "-n", "-o", ".venv/bin/.dev", "audit"]
    told = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    assert "pip_audit --strict" in told
    for file in (ROOT / "requirements").glob("*.txt"):
        assert f"-r 'requirements/{file.name}'" in told
