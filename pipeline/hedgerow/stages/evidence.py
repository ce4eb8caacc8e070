"""evidence: the map of claims by subject and outcome, and the pairs that disagree.

The one stage that looks across documents. It takes whole tables, and their order never matters;
rows of cells that nothing has changed are taken from the snapshot before.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa

from hedgerow.stages.base import Stage, Tables

if TYPE_CHECKING:
    from hedgerow.resources import Resources


def _run(tables: Tables, resources: Resources) -> dict[str, pa.Table]:
    from hedgerow.evidence.build import build  # slow to import, and most commands need none of it

    return build(tables, per_cell=resources.settings.conflicts_per_cell)


STAGE = Stage(
    name="evidence",
    version=3,
    inputs=("claims", "statements", "works"),
    outputs=("evidence_map", "evidence_claims", "candidates", "conflicts"),
    uses=("lexicon", "settings", "dependencies"),
    run=_run,
)
