"""The analyst notebook runs on a snapshot of the sample corpus, and is stored without outputs."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

import pytest

nbformat = pytest.importorskip("nbformat", reason="needs the extra hedgerow[dev]")
nbclient = pytest.importorskip("nbclient", reason="needs the extra hedgerow[dev]")
pytest.importorskip("ipykernel", reason="needs the extra hedgerow[dev]")

ROOT = Path(__file__).parents[1]
NOTEBOOK = ROOT / "notebooks" / "explore.ipynb"


def stored() -> Any:
    return nbformat.read(NOTEBOOK, as_version=4)


@pytest.fixture(scope="session")
def executed(sample_outputs: Path) -> Any:
    """The notebook after a run beside the outputs of the sample corpus."""
    folder = sample_outputs.parent / "notebooks"
    folder.mkdir()
    notebook = stored()
    place = {"metadata": {"path": str(folder)}}
    nbclient.NotebookClient(notebook, timeout=120, resources=place).execute()
    return notebook


def outputs(notebook: Any, kind: str) -> list[Any]:
    return [
        output["data"][kind]
        for cell in notebook.cells
        for output in cell.get("outputs", [])
        if kind in output.get("data", {})
    ]


def test_it_is_stored_without_outputs_and_is_python() -> None:
    notebook = stored()
    nbformat.validate(notebook)
    assert outputs(notebook, "text/plain") == []
    for cell in notebook.cells:
        if cell.cell_type == "code":
            assert cell.execution_count is None and cell.outputs == []
            ast.parse(cell.source)


def test_it_shows_certainty_and_a_forest_plot(executed: Any) -> None:
    assert len(outputs(executed, "image/png")) == 2


def test_it_shows_the_conflicts_and_a_query(executed: Any) -> None:
    first, *tables = outputs(executed, "text/plain")
    assert " claims of 18 documents" in first
    html = " ".join(outputs(executed, "text/html"))
    assert "quote_a" in html and "without_evidence" in html
    assert len(tables) >= 2


def test_no_cell_complains(executed: Any) -> None:
    streams = [
        output["text"]
        for cell in executed.cells
        for output in cell.get("outputs", [])
        if output["output_type"] in ("stream", "error")
    ]
    assert streams == []
