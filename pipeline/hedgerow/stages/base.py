"""What a stage is: a pure function from Arrow tables to Arrow tables, declared once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa

if TYPE_CHECKING:
    from hedgerow.resources import Resources

Tables = Mapping[str, pa.Table]


@dataclass(frozen=True)
class Stage:
    """A stage of the pipeline.

    name: what it is called on the command line and in manifests.
    version: raised whenever the same inputs would give other rows.
    inputs, outputs: names of tables in `hedgerow.tables`.
    uses: what else its rows depend on, of "source settings", "model", "lexicon",
        "knowledge base", "settings", "limits" and "dependencies".
    run: takes the input tables of one batch of documents and the loaded resources; returns the
        output tables, each with its declared schema. A stage that looks across documents gets
        whole tables, and with them its own outputs of the snapshot before ("previous NAME") where
        the same code, rules and settings wrote them.
    """

    name: str
    version: int
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    uses: tuple[str, ...]
    run: Callable[[Tables, Resources], dict[str, pa.Table]]
