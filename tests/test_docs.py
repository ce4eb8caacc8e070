"""The documents say what the program does."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from hedgerow import schemas, tables
from tests.conftest import rows
from tests.test_cli import COMMANDS

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text("utf-8")


def test_the_table_reference_is_the_schemas():
    found = (ROOT / "docs" / "tables.md").read_text("utf-8")
    assert found == schemas.markdown(), "run `make docs`"


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_stands_in_the_readme(command):
    assert f"hedgerow {command}" in README


def test_every_label_is_defined():
    labels = (ROOT / "docs" / "labels.md").read_text("utf-8")
    for values in (
        tables.KINDS,
        tables.CERTAINTIES,
        tables.POLARITIES,
        tables.ATTRIBUTIONS,
        tables.CLAIM_TYPES,
        tables.DIRECTIONS,
        tables.EVIDENCE,
    ):
        for value in values:
            assert f"`{value}`" in labels, value


def test_every_python_example_of_the_readme_runs(run, outputs, monkeypatch, corpus):
    run()
    monkeypatch.chdir(outputs.parent)
    examples = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    assert examples
    for example in examples:
        exec(compile(example, "README.md", "exec"), {})


def test_the_excerpt_in_the_readme_is_what_a_run_gives(sample_outputs):
    claims = {row["text"]: row for row in rows(sample_outputs, "claims")}
    table = README.split("<!-- excerpt -->")[1].strip().splitlines()
    header = [cell.strip() for cell in table[0].strip("|").split("|")]
    assert len(table) > 4
    for line in table[2:]:
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        found = claims[cells[0]]
        assert cells == [found[name] or "" for name in header]


def test_links_between_documents_lead_somewhere():
    for document in (*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("models/*.md")):
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", document.read_text("utf-8")):
            assert (document.parent / target).exists(), f"{document}: {target}"
