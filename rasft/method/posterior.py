"""Solvability as a posterior: what the samples of a problem say of the next ones.

A problem's solvability p has a Beta posterior: with c correct of u unique rollouts,

    Beta(a0 + c, b0 + u - c)

over a prior Beta(a0, b0). Between rounds the policy moves, so old evidence fades: the next round's
prior keeps a share d of it, Beta(a0 + d (a - a0), b0 + d (b - b0)). With d = 0 every round starts
anew, with d = 1 the policy is taken never to move.

Adaptive sampling draws K1 rollouts of every problem, and K2 more where the group's weights could
still change materially. With j of the K2 correct, j beta-binomial under the posterior,

    change = sum over j of P(j) ( |w(j) - w| + |R(j) - R| )

where w is the expert's weight and R the summed weight of the policy's own solutions, now and with
all K = K1 + K2 rollouts: the expected distance of the group's weights from those of full K. A group
is extended if its change exceeds the threshold. Two things are taken for granted: the further
rollouts are no near-duplicates, and the incorrect ones shape the group as far as
`max_negative_keep` allows.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rasft.config.settings import AdaptiveConfig, PosteriorConfig, WeightingConfig
from rasft.method.weighting import GroupWeights, group_weights
from rasft.records import Group


@dataclass(frozen=True)
class Posterior:
    """What is believed of one problem's solvability: Beta(alpha, beta).

    >>> Posterior("p1", alpha=1.5, beta=2.5).mean
    0.375
    """

    problem_id: str
    alpha: float
    beta: float

    @property
    def mean(self) -> float:
        """The expected solvability."""
        return self.alpha / (self.alpha + self.beta)


@dataclass(frozen=True)
class Stop:
    """The decision on one problem after its first samples."""

    problem_id: str
    unique: int  # of the first samples
    correct: int
    expected_change: float  # of the group's weights, were it sampled in full
    extended: bool
    saved: int  # samples that were not drawn


def observe(prior: Posterior, correct: int, unique: int) -> Posterior:
    """The posterior after `correct` of `unique` rollouts."""
    return Posterior(prior.problem_id, prior.alpha + correct, prior.beta + unique - correct)


def fade(posterior: Posterior, settings: PosteriorConfig) -> Posterior:
    """The next round's prior: a share `discount` of the evidence is kept."""
    base_alpha, base_beta = settings.prior
    return Posterior(
        posterior.problem_id,
        base_alpha + settings.discount * (posterior.alpha - base_alpha),
        base_beta + settings.discount * (posterior.beta - base_beta),
    )


def priors(
    problem_ids: Iterable[str], before: Iterable[Posterior], settings: PosteriorConfig
) -> dict[str, Posterior]:
    """Each problem's prior in this round, from the posteriors of the round before, if any."""
    faded = {old.problem_id: fade(old, settings) for old in before}
    return {name: faded.get(name, Posterior(name, *settings.prior)) for name in problem_ids}


def posteriors(groups: Iterable[Group], before: dict[str, Posterior]) -> list[Posterior]:
    """Each problem's posterior; one that was not rolled out keeps its prior."""
    return [observe(before[g.problem_id], g.correct, g.unique) for g in groups]


def successes(posterior: Posterior, draws: int) -> list[float]:
    """P(j of `draws` rollouts are correct) for j = 0 .. draws: the beta-binomial.

    >>> [round(p, 3) for p in successes(Posterior("p1", 1.0, 1.0), 3)]
    [0.25, 0.25, 0.25, 0.25]
    """
    whole = _log_beta(posterior.alpha, posterior.beta)
    return [
        math.comb(draws, j)
        * math.exp(_log_beta(posterior.alpha + j, posterior.beta + draws - j) - whole)
        for j in range(draws + 1)
    ]


def distance(left: GroupWeights, right: GroupWeights, correct: tuple[int, int]) -> float:
    """|difference of the expert's weights| + |difference of the own solutions' summed weights|.

    `correct` are the numbers of own solutions behind the two.
    """
    own = [(w.rollout or 0.0) * count for w, count in zip((left, right), correct, strict=True)]
    return abs(left.expert - right.expert) + abs(own[0] - own[1])


def expected_change(group: Group, more: int, belief: Posterior, settings: WeightingConfig) -> float:
    """How far the group's weights are expected to be from those with `more` rollouts."""
    now = group_weights(group.unique, group.correct, group.incorrect_kept, settings)
    changes = []
    for j, probability in enumerate(successes(belief, more)):
        kept = min(group.incorrect_kept + more - j, settings.max_negative_keep)
        full = group_weights(group.unique + more, group.correct + j, kept, settings)
        changes.append(probability * distance(now, full, (group.correct, group.correct + j)))
    return math.fsum(changes)


def decide(
    groups: Sequence[Group],
    before: dict[str, Posterior],
    adaptive: AdaptiveConfig,
    weighting: WeightingConfig,
) -> list[Stop]:
    """Which problems are sampled further, from the groups of their first samples.

    `before` are the priors by problem id.
    """
    stops = []
    for group in groups:
        belief = observe(before[group.problem_id], group.correct, group.unique)
        change = expected_change(group, adaptive.more, belief, weighting)
        extended = change > adaptive.threshold
        stops.append(
            Stop(
                problem_id=group.problem_id,
                unique=group.unique,
                correct=group.correct,
                expected_change=change,
                extended=extended,
                saved=0 if extended else adaptive.more,
            )
        )
    return stops


def _log_beta(a: float, b: float) -> float:
    return math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b)
