"""How the model sees a row: what its configuration asks, and what is done about it.

What cannot be done is refused where the model is loaded, so these always pass.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rasft.models.traits import Traits, traits_of
from rasft.training.preflight.checks import Check
from rasft.training.storage.jobs import TrainingJob


def how_rows_are_read(job: TrainingJob, config: Mapping[str, Any], longest: int) -> list[Check]:
    """Positions, the reach of attention, how rows share a pass, and dropout.

    `longest` is of the rows, in tokens.
    """
    traits = traits_of(config)
    return [
        Check("positions", True, _positions(traits)),
        Check("what attention sees", True, _reach(traits, longest)),
        Check("sequences in a forward pass", True, _sharing(job, traits)),
        Check("dropout", True, _dropout(job)),
    ]


def _positions(traits: Traits) -> str:
    if traits.holds_to is None:
        return "mean the same in every batch"
    return (
        f"mean the same in every batch up to {traits.holds_to} tokens, which is taken for the "
        "model's context; longer rows are dropped"
    )


def _reach(traits: Traits, longest: int) -> str:
    scores = "; its scores are capped or have a sink" if traits.scores_changed else ""
    if traits.reach is None or traits.reach >= longest:
        return f"all tokens before{scores}"
    return (
        f"in some layers {traits.reach} tokens, of rows up to {longest}: checked against the "
        f"model's own forward pass beyond it{scores}"
    )


def _sharing(job: TrainingJob, traits: Traits) -> str:
    if job.training.packing:
        return "end to end in one row, each seeing itself alone (training.packing)"
    why = traits.why_not_packed
    return f"one a row, padded{f': {why}' if why else ''}"


def _dropout(job: TrainingJob) -> str:
    return (
        "as the model's configuration says (training.dropout): the policy's log-probs differ from "
        "the reference's from the first step"
        if job.training.dropout
        else "off (training.dropout)"
    )
