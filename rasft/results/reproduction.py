"""Does a run reproduce a published row? Cell by cell: agrees, differs, or too noisy to say.

Both sides were measured on the same problems, so the choice of problems is no reason to differ;
what is left is the training seed and the samples. With v the variance of our seeds' means (S seeds
of k samples), W / k the part of it that samples alone explain, and the published figure taken to
be one seed of k' samples that varies as ours do,

    Var(ours - theirs) = v / S  +  v + max(0, W / k' - W / k),      Student's t, S - 1 degrees

W is the mean of p (1 - p) / problems, unbiased for each problem over all our samples. With one
seed of ours v is assumed, not measured, and the normal distribution holds.

With the interval at the stated confidence, Bonferroni over the row's cells:
- agrees: the whole interval lies within the margin (two one-sided tests);
- differs: it excludes zero, and is not within the margin;
- too noisy: neither.

Power: a cell is decided with probability 0.8, if the true difference is the one seen, once the
standard error is at most max(|d|, margin - |d|) / (t + 0.84). Seeds are added at our k, or samples
at our seeds (v falls to tau^2 + W / k, with tau^2 = max(0, v - W / k) of now), until it is. Their
part stays whatever we do: where it alone is too large, nothing of ours decides.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t as student

from rasft.records import BenchmarkResult
from rasft.results.cells import Cell
from rasft.results.published import PublishedRow
from rasft.results.result_table import AVERAGES
from rasft.results.statistics import share_correct

Counts = NDArray[np.int64]

POWER = 0.8
MOST = 1000  # seeds, or samples a problem: beyond this nothing is proposed


@dataclass(frozen=True)
class Question:
    """What counts as agreement; shares of 1."""

    margin: float = 0.02
    seed_spread: float = 0.01  # standard deviation over seeds, assumed where there is one
    confidence: float = 0.95


@dataclass(frozen=True)
class Reproduced:
    """One cell of a published row against ours; shares of 1."""

    column: str
    published: float
    ours: float
    seeds: int
    low: float  # of ours - published
    high: float
    verdict: str  # "agrees", "differs" or "too noisy"
    needed_seeds: int | None = None  # in all; None where it is decided, or none would do
    needed_samples: int | None = None


@dataclass(frozen=True)
class _Ours:
    mean: float
    seeds: int
    samples: int
    variance: float  # of the seeds' means, v
    sampling: float  # W


def reproduce(row: PublishedRow, cells: Sequence[Cell], question: Question) -> list[Reproduced]:
    """Every figure of the published row that these cells, all of one row of ours, can answer."""
    have = {cell.benchmark for cell in cells}
    wanted = {name: _parts(name, row) for name in row.percent}
    answerable = {name: parts for name, parts in wanted.items() if set(parts) <= have}
    confidence = 1 - (1 - question.confidence) / max(1, len(answerable))
    return [
        _judge(name, row, _measure(cells, parts, question), question, confidence)
        for name, parts in answerable.items()
    ]


def _parts(column: str, row: PublishedRow) -> Sequence[str]:
    """The benchmarks of a column; of an average, those that the paper's is over."""
    if column not in AVERAGES:
        return (column,)
    return row.setting.benchmarks or AVERAGES[column]


def _measure(cells: Sequence[Cell], parts: Sequence[str], question: Question) -> _Ours:
    """Mean, spread over seeds and sampling variance of a benchmark, or of several weighed alike."""
    tables = {part: [cell for cell in cells if cell.benchmark == part] for part in parts}
    seeds = sorted(set.intersection(*({c.seed for c in found} for found in tables.values())))
    used = {p: [c for c in found if c.seed in seeds] for p, found in tables.items()}
    means = np.mean([_seed_means(found) for found in used.values()], axis=0)
    samples = min(len(result.correct) for found in used.values() for result in found[0].results)
    sampling = sum(_sampling_variance(found) for found in used.values()) / len(parts) ** 2
    if len(seeds) > 1:
        variance = float(np.var(means, ddof=1))
    else:
        variance = question.seed_spread**2 + sampling / samples
    return _Ours(float(means.mean()), len(seeds), samples, variance, sampling)


def _seed_means(cells: Sequence[Cell]) -> list[float]:
    ordered = sorted(cells, key=lambda cell: cell.seed)
    return [float(np.nanmean(share_correct([r.correct for r in c.results]))) for c in ordered]


def _sampling_variance(cells: Sequence[Cell]) -> float:
    """W of one benchmark: a single sample of each problem gives its mean this variance."""
    drawn = [[v for r in rows for v in r.correct if v is not None] for rows in _by_problem(cells)]
    judged = [values for values in drawn if values]
    share = np.array([np.mean(values) for values in judged])
    number = np.array([len(values) for values in judged], dtype=np.float64)
    if number.max() < 2:  # one sample in all: the problems' own spread is an upper bound
        return float(share.mean() * (1 - share.mean()) / len(share))
    several = number > 1
    unbiased = share[several] * (1 - share[several]) * number[several] / (number[several] - 1)
    return float(unbiased.mean() / len(share))


def _by_problem(cells: Sequence[Cell]) -> list[tuple[BenchmarkResult, ...]]:
    return list(zip(*(cell.results for cell in cells), strict=True))


def _judge(
    column: str, row: PublishedRow, ours: _Ours, question: Question, confidence: float
) -> Reproduced:
    published = row.percent[column] / 100
    difference = ours.mean - published
    theirs = row.setting.samples or ours.samples
    now = np.array(ours.seeds), np.array(ours.samples)
    error, quantile = map(float, _error(ours, *now, theirs, confidence))
    low, high = difference - quantile * error, difference + quantile * error
    if -question.margin <= low and high <= question.margin:
        verdict = "agrees"
    elif low > 0 or high < 0:
        verdict = "differs"
    else:
        verdict = "too noisy"
    target = max(abs(difference), question.margin - abs(difference))
    needed = dict.fromkeys(("seeds", "samples"))
    if verdict == "too noisy":
        needed = {what: _fewest(ours, theirs, confidence, target, what) for what in needed}
    return Reproduced(
        column=column,
        published=published,
        ours=ours.mean,
        seeds=ours.seeds,
        low=low,
        high=high,
        verdict=verdict,
        needed_seeds=needed["seeds"],
        needed_samples=needed["samples"],
    )


def _error(
    ours: _Ours, seeds: Counts, samples: Counts, theirs: int, confidence: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Standard error of ours - theirs with so many seeds and samples, and its t quantile."""
    spread = max(0.0, ours.variance - ours.sampling / ours.samples)  # tau^2
    seen = np.where(samples == ours.samples, ours.variance, spread + ours.sampling / samples)
    variance = seen / seeds + seen
    variance = variance + np.maximum(0, ours.sampling / theirs - ours.sampling / samples)
    freedom = np.where(seeds > 1, seeds - 1, np.inf)
    return np.sqrt(variance), student.ppf((1 + confidence) / 2, freedom)


def _fewest(ours: _Ours, theirs: int, confidence: float, target: float, what: str) -> int | None:
    """The fewest seeds (or samples a problem) in all that decide; None where up to MOST do not."""
    start = ours.seeds if what == "seeds" else ours.samples
    tried = np.arange(start + 1, MOST + 1)
    same = np.ones_like(tried)
    seeds, samples = (tried, same * ours.samples) if what == "seeds" else (same * ours.seeds, tried)
    error, quantile = _error(ours, seeds, samples, theirs, confidence)
    enough = tried[(quantile + NormalDist().inv_cdf(POWER)) * error <= target]
    return int(enough[0]) if len(enough) else None
