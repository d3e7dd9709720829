"""How a problem's weights came about, step by step, and what each method would give instead."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from rasft import plugins
from rasft.config.settings import WeightingConfig
from rasft.method.aggregation import WEIGHTS
from rasft.method.weighting import group_weights
from rasft.records import Group


@dataclass(frozen=True)
class Derivation:
    """The numbers of `method.weighting` for one group; None where there is nothing to say."""

    solvability: float
    expert_reward: float
    expert_advantage: float | None
    rollout_advantage: float | None
    incorrect_advantage: float | None
    share: float  # c = 1 / (1 + correct)
    expert_weight: float
    rollout_weight: float | None


def derive(group: Group, settings: WeightingConfig) -> Derivation | None:
    """The derivation of a group's weights; None for a problem that was not rolled out."""
    if group.solvability is None:
        return None
    found = group_weights(group.unique, group.correct, group.incorrect_kept, settings)
    scores = found.advantages or ()
    wrong = scores[1 + group.correct :]
    return Derivation(
        solvability=group.solvability,
        expert_reward=found.expert_reward,
        expert_advantage=scores[0] if scores else None,
        rollout_advantage=scores[1] if scores and group.correct else None,
        incorrect_advantage=wrong[0] if wrong else None,
        share=1 / (1 + group.correct),
        expert_weight=found.expert,
        rollout_weight=found.rollout,
    )


def by_kind(group: Group) -> dict[str, list[tuple[int, float]]]:
    """What each kind of `EXAMPLES` trains on: (sample_index, weight) of its sequences."""
    return {kind: weights(group) for kind, weights in WEIGHTS.items()}


def trained_weights(group: Group, method: str) -> dict[int, float]:
    """The sequences that a method trains on, by sample_index; of no loss plugin there are none."""
    kind = methods().get(method)
    return dict(by_kind(group)[kind]) if kind else {}


@cache
def methods() -> dict[str, str]:
    """Each loss plugin that can be shown, and which sequences it trains on."""
    return {name: plugins.load("losses", name).EXAMPLES for name in plugins.names("losses")}
