"""Methods side by side: what a config compares, and whether it can be run.

A cell is a method under a seed. The cells of a seed start from the same policy and train on the
same problems, expert scores, rollouts and verdicts, so a difference between two of them comes from
the method.
"""

from __future__ import annotations

import pyarrow as pa

from rasft.config import comparison as comparison_config
from rasft.config.comparison import cell
from rasft.config.settings import ComparisonConfig, Config
from rasft.errors import UserError
from rasft.stages import training_method
from rasft.stages.training_method import ROLLED_OUT, trains_on


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
        _check_rounds(method, made)
    return comparison


def _check_rounds(name: str, made: Config) -> None:
    """Raise UserError for rounds of a method that has no rollouts to refresh."""
    kind = trains_on(made.training.method)
    if made.rounds > 1 and kind not in ROLLED_OUT:
        raise UserError(
            f"comparison.methods.{name}: rounds = {made.rounds} refreshes the rollouts, and "
            f"{made.training.method!r} trains on none that are sampled beforehand; set rounds: 1"
        )


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
    return not kinds.isdisjoint(ROLLED_OUT)
