"""Methods side by side: each cell's config, and its training from what the cells of a seed share.

A cell is a method under a seed. The cells of a seed start from the same policy and train on the
same problems, expert scores, rollouts and verdicts, so a difference between two of them comes from
the method. Methods that train on the same rows see them in the same order.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from rasft import tables
from rasft.config import comparison as comparison_config
from rasft.config.comparison import cell
from rasft.config.settings import ComparisonConfig, Config
from rasft.errors import UserError
from rasft.stages import (
    collect,
    reinforce,
    rollout,
    route,
    score,
    train,
    training_method,
    verify,
)
from rasft.stages.train import Trained
from rasft.stages.training_method import trains_on
from rasft.training.launch.launcher import STANDALONE, LaunchContext


@dataclass(frozen=True)
class Shared:
    """What the cells of one seed have in common: tables of Problem, SequenceScore, ... rows."""

    problems: pa.Table
    expert_scores: pa.Table
    routes: pa.Table | None = None  # None where no method of the comparison trains on rollouts
    rollouts: pa.Table | None = None
    rollout_scores: pa.Table | None = None
    verdicts: pa.Table | None = None


def of(config: Config) -> ComparisonConfig:
    """The comparison of a config. Raises UserError where it has none, or one that cannot be run."""
    comparison = config.comparison
    if comparison is None:
        raise UserError(f"config {config.name!r} compares nothing: add a section 'comparison'")
    if len(set(comparison.seeds)) < len(comparison.seeds):
        raise UserError(f"comparison.seeds = {list(comparison.seeds)} names a seed twice")
    _check_plan(config, comparison)
    for method in comparison.methods:
        made = cell(config, method, comparison.seeds[0])
        training_method.check_launch(made.training, several=False)
        trains_on(made.training.method)
    return comparison


def _check_plan(config: Config, comparison: ComparisonConfig) -> None:
    """Raise UserError where the config would not run what it says it has planned."""
    planned = comparison.planned
    if planned is None:
        return
    for name, value in vars(comparison_config.sizes(config, planned.benchmark)).items():
        wanted = getattr(planned, name)
        if value not in (wanted, None):
            raise UserError(
                f"comparison.planned.{name} = {wanted}, but the config has {value}: a run is held "
                "to its plan, so change one of them"
            )


def check_verifiers(config: Config, problems: pa.Table) -> None:
    """Raise UserError for problems without a verifier if a method of the comparison needs one."""
    comparison = of(config)
    for name in comparison.methods:
        method = cell(config, name, comparison.seeds[0]).training.method
        training_method.check_verifiers(method, problems)


def need_rollouts(config: Config) -> bool:
    """Whether a method of the comparison trains on rollouts that are sampled beforehand."""
    comparison = of(config)
    kinds = {
        trains_on(cell(config, name, comparison.seeds[0]).training.method)
        for name in comparison.methods
    }
    return bool(kinds - {"expert", training_method.REWARDS})


def share(config: Config, problems: pa.Table, policy: Path, with_rollouts: bool) -> Shared:
    """Score the experts under the policy and, where wanted, sample and verify rollouts."""
    scores, _ = score.score_experts(config, problems, policy, shard=0)
    if not with_rollouts:
        return Shared(problems, scores)
    routes = route.route(config, problems, scores)
    sampled = rollout.roll_out(config, problems, routes, policy, shard=0)
    verdicts, _ = verify.verify(config, problems, sampled.rollouts)
    return Shared(problems, scores, routes, sampled.rollouts, sampled.scores, verdicts)


def train_cell(
    config: Config,
    shared: Shared,
    policy: Path,
    folder: Path,
    context: LaunchContext = STANDALONE,
) -> Trained:
    """Train one cell by its method."""
    kind = trains_on(config.training.method)
    if kind == training_method.REWARDS:
        return reinforce.reinforce(config, shared.problems, policy, folder, context)
    scores = shared.expert_scores
    if kind == "expert" or shared.rollouts is None:
        groups = collect.expert_groups(config, shared.problems)
    else:
        groups = collect.group(config, shared.routes, shared.rollouts, shared.verdicts)
        scores = tables.concat([scores, shared.rollout_scores])
    rows = collect.examples(config, shared.problems, groups, scores, policy)
    return train.train(config, rows, policy, folder, context)
