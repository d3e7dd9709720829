"""Expert losses in, routes out: which problems are worth rollouts (paper, section 3.1)."""

from __future__ import annotations

from collections import defaultdict
from statistics import fmean

import pyarrow as pa
import pyarrow.compute as pc

from rasft.config.settings import Config
from rasft.method import routing
from rasft.records import NO_VERIFIER, Route, SequenceScore
from rasft.tables import from_table, to_table


def route(config: Config, rows: pa.Table, scores: pa.Table) -> pa.Table:
    """Each problem's bucket, and whether it is rolled out, from its expert loss: Route rows.

    The loss of a problem with several expert responses is their mean. One without a verifier is in
    a bucket of its own, and its loss sets no threshold.
    """
    losses = expert_losses(scores)
    unverified = unverified_ids(rows)
    verified = {name: loss for name, loss in losses.items() if name not in unverified}
    routes = routing.route(verified, config.router, config.seed) if verified else []
    routed = {each.problem_id: each for each in routes}
    found = [routed.get(name, Route(name, routing.UNVERIFIED, False)) for name in losses]
    return to_table(found, Route)


def expert_losses(scores: pa.Table) -> dict[str, float]:
    """The mean loss of each problem's expert responses, nats per token."""
    losses: dict[str, list[float]] = defaultdict(list)
    for score in from_table(scores, SequenceScore):
        losses[score.problem_id].append(score.loss)
    return {name: fmean(found) for name, found in losses.items()}


def unverified_ids(rows: pa.Table) -> set[str]:
    """The ids of the problems without a verifier."""
    chosen = rows.filter(pc.equal(rows["verifier"], NO_VERIFIER))
    return set(chosen["id"].to_pylist())
