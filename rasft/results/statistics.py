"""From the 0/1 matrix (problems x samples) to scores with honest intervals.

The matrix holds True, False or None. None is an undecided sample, the machine's failure: it is
left out, never counted as wrong. A problem's scores come from its decided samples alone, and a
problem with none (or, for pass@k, fewer than k) leaves the average; `scored` says how many stay.

Intervals are over problems, the unit that was drawn: percentile bootstrap, Efron and Tibshirani, An
Introduction to the Bootstrap (1993), chapter 13; where all problems score alike, which resampling
takes for certainty, the rule of three. Differences are paired by problem: each resample draws the
same problems for both sides, so what the problems share cancels.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Row = Sequence[bool | None]
Scores = NDArray[np.float64]  # one a problem, NaN where the problem has no score

FEWEST_PROBLEMS = 8  # for an interval: over fewer a bootstrap looks surer than it is
CHUNK = 4_000_000  # resampled values held at once


@dataclass(frozen=True)
class Estimate:
    """A mean over problems with its interval."""

    value: float
    low: float
    high: float
    scored: int  # problems that entered the mean
    confidence: float


def share_correct(rows: Sequence[Row]) -> Scores:
    """avg@k of each problem: correct / decided samples."""
    counts = _counts(rows)
    return np.array([c / n if n else math.nan for c, n in counts], dtype=np.float64)


def pass_at(rows: Sequence[Row], k: int) -> Scores:
    """pass@k of each problem: the chance that one of k samples drawn without replacement is right.

    1 - C(n - c, k) / C(n, k) with c of n decided samples correct, which is unbiased (Chen et al.,
    arXiv 2107.03374, equation 1).
    """
    if k < 1:
        raise ValueError(f"pass@k needs k of at least 1, not {k}")
    counts = _counts(rows)
    return np.array(
        [1 - math.comb(n - c, k) / math.comb(n, k) if n >= k else math.nan for c, n in counts],
        dtype=np.float64,
    )


def majority(rows: Sequence[Row], answers: Sequence[Sequence[str | None]]) -> Scores:
    """maj@k of each problem: the share of its most frequent answers that are correct.

    Votes are the decided samples that have an answer; one without votes for nothing. Of several
    equally frequent answers each counts in part. With no vote at all the score is 0, unless no
    sample was decided (Wang et al., self-consistency, arXiv 2203.11171).
    """
    pairs = zip(rows, answers, strict=True)
    return np.array([_vote(row, given) for row, given in pairs], dtype=np.float64)


def mean(
    scores: Scores,
    samples: int = 10_000,
    confidence: float = 0.95,
    seed: int = 0,
    least: float = 0.0,
) -> Estimate:
    """Mean over the scored problems and its interval; NaN where nothing is scored.

    A score lies between `least` and 1.
    """
    scored = scores[~np.isnan(scores)]
    if not len(scored):
        return Estimate(math.nan, math.nan, math.nan, 0, confidence)
    if len(scored) > 1 and np.ptp(scored) == 0:
        value, reach = float(scored[0]), unseen(len(scored), (1 - confidence) / 2)
        low, high = max(least, value - reach), min(1.0, value + reach)
        return Estimate(value, low, high, len(scored), confidence)
    means = _resampled_means(scored, samples, seed)
    low, high = np.quantile(means, [(1 - confidence) / 2, (1 + confidence) / 2])
    return Estimate(float(scored.mean()), float(low), float(high), len(scored), confidence)


def difference(
    base: Scores, trained: Scores, samples: int = 10_000, confidence: float = 0.95, seed: int = 0
) -> Estimate:
    """Mean of trained - base over the problems scored in both, paired by position."""
    if len(base) != len(trained):
        raise ValueError(f"paired scores differ in length: {len(base)} and {len(trained)}")
    return mean(trained - base, samples, confidence, seed, least=-1.0)


def unseen(problems: int, tail: float) -> float:
    """How far a mean may be off where all problems score alike, so that no resample varies.

    The share of problems that score otherwise, had more been drawn, is below this, but for a chance
    of `tail` (the rule of three; Clopper and Pearson, Biometrika 1934).
    """
    return float(1 - tail ** (1 / problems))


def macro_mean(
    parts: Sequence[Scores], samples: int = 10_000, confidence: float = 0.95, seed: int = 0
) -> Estimate:
    """The mean of several means that count alike, such as an average over benchmarks.

    Each resample draws problems within each part, so every part keeps its size. `scored` is the
    number of problems in all; NaN where a part, or everything, has none.
    """
    scored = [part[~np.isnan(part)] for part in parts]
    if not scored or not all(len(part) for part in scored):
        return Estimate(math.nan, math.nan, math.nan, sum(map(len, scored)), confidence)
    value = float(np.mean([part.mean() for part in scored]))
    means = np.mean(
        [_resampled_means(part, samples, seed + n) for n, part in enumerate(scored)], axis=0
    )
    low, high = np.quantile(means, [(1 - confidence) / 2, (1 + confidence) / 2])
    return Estimate(value, float(low), float(high), sum(map(len, scored)), confidence)


def _resampled_means(scored: Scores, samples: int, seed: int) -> Scores:
    generator = np.random.default_rng(seed)
    size = len(scored)
    together = max(1, CHUNK // size)
    parts = [
        scored[generator.integers(size, size=(min(together, samples - done), size))].mean(axis=1)
        for done in range(0, samples, together)
    ]
    return np.concatenate(parts)


def _counts(rows: Sequence[Row]) -> list[tuple[int, int]]:
    """(correct, decided) of each problem."""
    decided = [[bool(value) for value in row if value is not None] for row in rows]
    return [(sum(row), len(row)) for row in decided]


def _vote(row: Row, answers: Sequence[str | None]) -> float:
    decided = [(a, bool(r)) for r, a in zip(row, answers, strict=True) if r is not None]
    votes = Counter(answer for answer, _ in decided if answer is not None)
    if not votes:
        return 0.0 if decided else math.nan
    most = max(votes.values())
    right = [r for answer, r in decided if answer is not None and votes[answer] == most]
    return sum(right) / len(right)
