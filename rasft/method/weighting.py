"""A group's counts -> the weights of its expert response and its correct rollouts.

    s   = correct / unique                          solvability
    r_E = r_min + (1 - s)(r_max - r_min)            expert reward; correct rollouts 1, incorrect 0
    A   = tanh(alpha z),  z = (r - mean r) / (std r + 1e-6) over [r_E, 1 x correct, 0 x incorrect]
    c   = 1 / (1 + correct)
    expert weight  A_E c;   each correct rollout  coef * min(cap, max(floor, A_j c))

Source: arXiv 2606.07006. With no correct rollout, or nothing to compare (all rewards equal), the
expert alone is trained with weight 1. That gives a fully solved problem more than a partly solved
one, which the published script does (`variant: reference`) and the paper's idea does not: in
`variant: paper` a fully solved group takes the limit of vanishing advantages, expert c *
expert_floor and each rollout coef * floor, and no expert advantage counts less than expert_floor,
so that, with the number of unique rollouts fixed, the
expert weight never rises with solvability. `variant: flat` is for comparison: expert 1 and each
correct rollout coef, whatever the solvability.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from rasft.config.settings import WeightingConfig


@dataclass(frozen=True)
class GroupWeights:
    """The weights of one group; `rollout` is the weight of each correct rollout.

    `advantages` lists expert, correct, incorrect; None where there was nothing to compare.
    """

    expert_reward: float
    advantages: tuple[float, ...] | None
    expert: float
    rollout: float | None


def expert_reward(solvability: float, settings: WeightingConfig) -> float:
    """The expert's reward: r_max where the policy always fails, r_min where it never does."""
    return settings.reward_min + (1 - solvability) * (settings.reward_max - settings.reward_min)


def advantages(rewards: Sequence[float], alpha: float) -> tuple[float, ...] | None:
    """tanh of the scaled standard scores (population deviation); None if all rewards are equal."""
    mean = math.fsum(rewards) / len(rewards)
    deviation = math.sqrt(math.fsum((r - mean) ** 2 for r in rewards) / len(rewards))
    if max(rewards) - min(rewards) < 1e-9:
        return None
    return tuple(math.tanh(alpha * (r - mean) / (deviation + 1e-6)) for r in rewards)


def group_weights(
    unique: int, correct: int, incorrect_kept: int, settings: WeightingConfig
) -> GroupWeights:
    """Weights of a group from its counts. Raises ValueError for counts that cannot be."""
    if not 0 <= correct <= unique or not 0 <= incorrect_kept <= unique - correct:
        raise ValueError(f"impossible group: {unique=}, {correct=}, {incorrect_kept=}")
    reward = expert_reward(correct / unique if unique else 0.0, settings)
    scores = advantages([reward, *[1.0] * correct, *[0.0] * incorrect_kept], settings.alpha)
    if correct == 0:
        return GroupWeights(reward, scores, expert=1.0, rollout=None)
    if settings.variant == "flat":
        return GroupWeights(reward, scores, expert=1.0, rollout=settings.rollout_coefficient)
    if settings.variant == "paper" and (scores is None or correct == unique):
        return _solved(reward, correct, settings)
    if scores is None:
        return GroupWeights(reward, scores, expert=1.0, rollout=None)
    share = 1 / (1 + correct)
    own = scores[0] if settings.variant == "reference" else max(scores[0], settings.expert_floor)
    return GroupWeights(
        reward, scores, expert=own * share, rollout=_rollout(scores[1] * share, settings)
    )


def _solved(reward: float, correct: int, settings: WeightingConfig) -> GroupWeights:
    expert = settings.expert_floor / (1 + correct)
    return GroupWeights(reward, None, expert=expert, rollout=_rollout(0.0, settings))


def _rollout(weight: float, settings: WeightingConfig) -> float:
    bounded = min(settings.rollout_cap, max(settings.rollout_floor, weight))
    return settings.rollout_coefficient * bounded
