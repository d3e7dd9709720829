"""Expert losses in, routes out: which problems are worth rollouts (paper, section 3.1)."""

from __future__ import annotations

import pyarrow as pa

from rasft.config.settings import Config
from rasft.method import routing
from rasft.records import Route, SequenceScore
from rasft.tables import from_table, to_table


def route(config: Config, scores: pa.Table) -> pa.Table:
    """Each problem's bucket, and whether it is rolled out, from its expert loss: Route rows."""
    losses = {score.problem_id: score.loss for score in from_table(scores, SequenceScore)}
    return to_table(routing.route(losses, config.router, config.seed), Route)
