"""What the cells of one seed share: problems, expert scores, rollouts and verdicts."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import pyarrow as pa

from rasft.config.settings import Config
from rasft.stages import rollout, route, score, verify
from rasft.stages.rollout import FIRST_ROUND, EarlierRounds


@dataclass(frozen=True)
class Shared:
    """Tables of Problem, SequenceScore, ... rows; the scores are the reference's."""

    problems: pa.Table
    expert_scores: pa.Table
    routes: pa.Table | None = None  # None where no method of the comparison trains on rollouts
    rollouts: pa.Table | None = None
    rollout_scores: pa.Table | None = None
    verdicts: pa.Table | None = None


def share(config: Config, problems: pa.Table, policy: Path, with_rollouts: bool) -> Shared:
    """Score the experts under the policy and, where wanted, sample and verify rollouts."""
    scores, _ = score.score_experts(config, problems, policy, shard=0)
    given = Shared(problems, scores)
    return _roll_out(config, given, scores, policy) if with_rollouts else given


def refresh(config: Config, before: Shared, policy: Path, earlier: EarlierRounds) -> Shared:
    """The same problems with rollouts of a policy that has moved from the reference."""
    losses, _ = score.score_experts(config, before.problems, policy, shard=0)
    return _roll_out(config, before, losses, policy, earlier)


def _roll_out(
    config: Config,
    given: Shared,
    losses: pa.Table,  # the experts' scores under the policy: what the router reads
    policy: Path,
    earlier: EarlierRounds = FIRST_ROUND,
) -> Shared:
    routes = route.route(config, given.problems, losses)
    sampled = rollout.roll_out(config, given.problems, routes, policy, 0, earlier)
    verdicts, _ = verify.verify(config, given.problems, sampled.rollouts)
    return replace(
        given,
        routes=routes,
        rollouts=sampled.rollouts,
        rollout_scores=sampled.scores,
        verdicts=verdicts,
    )
