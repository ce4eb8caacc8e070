"""Another package adds a format through an entry point; what it does wrong harms nothing else."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from hedgerow import readers
from hedgerow.errors import RejectedDocument, ResourceError
from tests.conftest import rows, write

PAGE = Path(__file__).parents[1] / "docs" / "formats.md"
EXAMPLE = re.search(r"```python\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)[1]

BAD = """
import os
class Bad:
    media_type = "text/x-bad"
    suffixes = (".bad",)
    def split(self, content, options):
        if content.startswith(b"die"):
            os._exit(3)
        if content.startswith(b"fill"):
            bytearray(1 << 50)
        from hedgerow.readers import Item
        yield Item(0, len(content))
        if content.startswith(b"raise"):
            raise RuntimeError("no such luck")
    def read(self, content, *, path, options):
        from hedgerow.readers import Block, Document
        return Document("Zinc helps.", (Block(0, 99, "paragraph"),), self.media_type)
READER = Bad()
"""


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Install a package of one module into a folder of sys.path, as pip would."""
    site = tmp_path / "site"
    site.mkdir()
    monkeypatch.syspath_prepend(str(site))
    monkeypatch.setenv("PYTHONPATH", f"{site}:{':'.join(p for p in sys.path if p)}")
    modules = set()

    def call(name: str, code: str, version: str = "1.0") -> None:
        modules.add(name)
        (site / f"{name}.py").write_text(code)
        for old in site.glob(f"{name}-*.dist-info"):
            for file in old.iterdir():
                file.unlink()
            old.rmdir()
        info = site / f"{name}-{version}.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        (info / "entry_points.txt").write_text(f"[hedgerow.readers]\nx = {name}:READER\n")
        forget(name)

    def forget(*names: str) -> None:
        for name in names:
            sys.modules.pop(name, None)
        readers.formats.cache_clear()
        readers._by_suffix.cache_clear()

    yield call
    monkeypatch.undo()
    forget(*modules)


LETTER = b"From: Lee\nSubject: Zinc\n\nZinc may shorten colds.\n\nIt did not prevent them.\n"


@pytest.mark.parametrize("workers", [1, 2])
def test_the_example_of_the_documentation_is_a_reader(run, corpus, outputs, install, workers):
    assert len(EXAMPLE.strip().splitlines()) <= 25
    install("hedgerow_letters", EXAMPLE)
    write(corpus / "one.letter", LETTER)
    run(workers=workers)
    (found,) = [d for d in rows(outputs, "documents") if d["path"] == "one.letter"]
    assert (found["title"], found["media_type"]) == ("Zinc", "text/x-letter")
    assert found["text"] == "Zinc may shorten colds.\n\nIt did not prevent them."
    assert rows(outputs, "rejects") == []
    claims = [c["text"] for c in rows(outputs, "claims") if c["doc_id"] == "one.letter"]
    assert claims == ["Zinc may shorten colds.", "It did not prevent them."]


def test_a_changed_plugin_is_run_again(run, corpus, outputs, install):
    install("hedgerow_letters", EXAMPLE)
    write(corpus / "one.letter", LETTER)
    run()
    assert not run().published
    install("hedgerow_letters", EXAMPLE + "\n# changed\n")
    outcome = run(dry_run=True)
    assert outcome.plan.cause == "dependencies" and outcome.plan.documents == 6
    install("hedgerow_letters", EXAMPLE, version="1.1")
    assert run(dry_run=True).plan.cause == "dependencies"
    install("hedgerow_letters", EXAMPLE)
    assert run(dry_run=True).plan.documents == 0


def test_a_plugin_that_fails_harms_only_its_own_documents(run, corpus, outputs, install):
    install("hedgerow_bad", BAD)
    for name in ("die", "fill", "raise", "wrong"):
        write(corpus / f"{name}.bad", name.encode())
    run()
    found = {r["path"]: r for r in rows(outputs, "rejects")}
    assert {path: r["reason"] for path, r in found.items()} == {
        "die.bad": "worker_failed",
        "fill.bad": "too_large",
        "raise.bad": "malformed",
        "wrong.bad": "malformed",
    }
    assert found["die.bad"]["transient"] and not found["raise.bad"]["transient"]
    assert "no such luck" in found["raise.bad"]["detail"]
    assert "report it to the makers of hedgerow_bad 1.0" in found["wrong.bad"]["detail"]
    assert len(rows(outputs, "documents")) == 5


@pytest.mark.parametrize(
    ("code", "said"),
    [
        (BAD.replace(".bad", ".txt"), r"the suffixes \['.txt'\]"),
        (BAD.replace(".bad", ".BAD"), r"the suffixes \['.BAD'\]"),
        ("import no_such_module", "ModuleNotFoundError"),
        ("READER = None", "AttributeError"),
    ],
)
def test_a_plugin_that_cannot_be_used_stops_the_run_and_is_named(install, code, said):
    install("hedgerow_bad", code)
    with pytest.raises(ResourceError, match=rf"hedgerow_bad 1.0: found .*{said}"):
        readers.formats()


def test_two_plugins_for_one_suffix_are_named(install):
    install("hedgerow_bad", BAD)
    install("hedgerow_worse", BAD)
    with pytest.raises(ResourceError, match=r"hedgerow_bad 1.0 and hedgerow_worse 1.0"):
        readers.suffixes()


def test_a_reader_that_raises_anything_is_a_rejection():
    class Odd:
        def split(self, content, options):
            raise KeyError(content)
            yield

    with pytest.raises(RejectedDocument, match="malformed: the parser failed: KeyError"):
        list(readers.split(Odd(), b"x", readers.Options()))


def test_the_formats_are_listed_with_where_they_come_from(install):
    install("hedgerow_letters", EXAMPLE)
    command = [sys.executable, "-m", "hedgerow", "formats"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert ".letter" in done.stdout and "hedgerow_letters 1.0" in done.stdout
    assert ".parquet" in done.stdout
