"""Which problems get rollouts: the expert's loss under the current policy against a moving window.

`quantile_window` (arXiv 2606.07006): thresholds are quantiles of the losses over a calibration
sample; the window moves from the start pair to the end pair as training advances. `all` rolls out
every problem. Losses are mean negative log-likelihoods in nats per token.
"""

from __future__ import annotations

import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from rasft.config.settings import RouterConfig
from rasft.records import Route

EASY, ROLLOUT, HARD, OTHER = "expert_only_easy", "rollout", "hard_pool", "expert_only_other"
BUCKETS = (EASY, ROLLOUT, HARD, OTHER)
UNVERIFIED = "unverified"  # beside them: no verifier can judge its rollouts, so it is not routed


@dataclass(frozen=True)
class Thresholds:
    """Loss thresholds at the start and the end of training."""

    easy_floor: float
    start_low: float
    start_high: float
    end_low: float
    end_high: float
    hard_probe_ceiling: float


@dataclass(frozen=True)
class Window:
    """The thresholds that hold at one moment of training."""

    easy_floor: float
    low: float
    high: float
    hard_probe_ceiling: float


def thresholds(losses: Sequence[float], settings: RouterConfig) -> Thresholds:
    """Interpolated quantiles of a calibration sample. Raises ValueError if it is empty."""
    if not losses:
        raise ValueError("no losses to calibrate the router on")
    quantiles = (
        settings.easy_quantile,
        *settings.start_quantiles,
        *settings.end_quantiles,
        settings.ceiling_quantile,
    )
    return Thresholds(*(float(q) for q in np.quantile(losses, quantiles)))


def window(at: Thresholds, progress: float) -> Window:
    """The window after a share `progress` of training, which is clipped to [0, 1]."""
    share = min(1.0, max(0.0, progress))
    return Window(
        easy_floor=at.easy_floor,
        low=at.start_low + share * (at.end_low - at.start_low),
        high=at.start_high + share * (at.end_high - at.start_high),
        hard_probe_ceiling=at.hard_probe_ceiling,
    )


def bucket(loss: float, at: Window) -> str:
    """The bucket of one expert loss."""
    if loss <= at.easy_floor:
        return EASY
    if at.low <= loss <= at.high:
        return ROLLOUT
    if at.high < loss <= at.hard_probe_ceiling:
        return HARD
    return OTHER


def route(losses: Mapping[str, float], settings: RouterConfig, seed: int) -> list[Route]:
    """A route for each problem id; the choice depends on losses and seed, not on their order."""
    if settings.kind == "all":
        return [Route(problem_id, ROLLOUT, True) for problem_id in losses]
    at = window(thresholds(list(losses.values()), settings), settings.progress)
    buckets = {problem_id: bucket(loss, at) for problem_id, loss in losses.items()}
    members = {name: [i for i in buckets if buckets[i] == name] for name in (ROLLOUT, HARD)}
    wanted = {
        ROLLOUT: rolled_out(len(members[ROLLOUT]), settings.main_rollout_ratio),
        HARD: probed(len(members[HARD]), settings.hard_probe_ratio),
    }
    chosen = {i for name, ids in members.items() for i in _sample(ids, wanted[name], seed)}
    return [Route(problem_id, name, problem_id in chosen) for problem_id, name in buckets.items()]


def rolled_out(problems: int, share: float) -> int:
    """How many of the window's problems are rolled out; the authors' script rounds up.

    >>> [rolled_out(n, 0.35) for n in (0, 1, 2, 10)], rolled_out(10, 0.0)
    ([0, 1, 1, 4], 0)
    """
    return math.ceil(share * problems)


def probed(problems: int, share: float) -> int:
    """How many of the hard pool are probed; the authors' script rounds down, to 1 at the least.

    >>> [probed(n, 0.03) for n in (0, 1, 66, 67)], probed(10, 0.0)
    ([0, 1, 1, 2], 0)
    """
    return max(1, int(share * problems)) if share and problems else 0


def _sample(ids: list[str], count: int, seed: int) -> list[str]:
    return random.Random(seed).sample(sorted(ids), count)
