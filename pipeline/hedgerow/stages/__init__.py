"""The stages, in the order of their inputs and outputs."""

# No `from __future__ import annotations` here: it would hide the stage of that name.

import graphlib

from hedgerow.stages import (
    annotations,
    certainty,
    claims,
    cues,
    documents,
    entities,
    evidence,
    sentences,
    statements,
)
from hedgerow.stages.base import Stage, Tables

__all__ = ["CORPUS_STAGES", "DOCUMENT_STAGES", "STAGES", "Stage", "Tables"]


def _ordered(stages: tuple[Stage, ...]) -> tuple[Stage, ...]:
    by_output = {output: stage.name for stage in stages for output in stage.outputs}
    graph = {s.name: [by_output[i] for i in s.inputs if i in by_output] for s in stages}
    by_name = {stage.name: stage for stage in stages}
    return tuple(by_name[name] for name in graphlib.TopologicalSorter(graph).static_order())


STAGES = _ordered(
    (
        documents.STAGE,
        sentences.STAGE,
        annotations.STAGE,
        entities.STAGE,
        cues.STAGE,
        certainty.STAGE,
        claims.STAGE,
        statements.STAGE,
        evidence.STAGE,
    )
)
DOCUMENT_STAGES = tuple(stage for stage in STAGES if stage.name != "evidence")
"""The stages whose rows depend on one document at a time."""

CORPUS_STAGES = tuple(stage for stage in STAGES if stage.name == "evidence")
"""The stages that look across documents."""
