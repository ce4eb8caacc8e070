"""statements: what the evidence stage needs of each claim and reference, from its own document.

Done here, the reading of names and numbers is done once a document and kept; the evidence stage
then only has to see which of them meet.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa

from hedgerow.stages.base import Stage, Tables

if TYPE_CHECKING:
    from hedgerow.resources import Resources


def _run(tables: Tables, resources: Resources) -> dict[str, pa.Table]:
    from hedgerow.evidence.names import shipped
    from hedgerow.evidence.statements import statements_of, works_of

    works = works_of(tables["references"], shipped())
    return {"statements": statements_of({**tables, "works": works}, shipped()), "works": works}


STAGE = Stage(
    name="statements",
    version=2,
    inputs=("claims", "claim_outcomes", "claim_references", "references", "statistics", "entities"),
    outputs=("statements", "works"),
    uses=("lexicon", "dependencies"),
    run=_run,
)
