"""Stored 0/1 matrices -> accuracies and paired differences between checkpoints."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations

from rasft.config.settings import EvaluationConfig
from rasft.records import BenchmarkResult
from rasft.results import statistics
from rasft.results.statistics import Estimate

Key = tuple[str, str]  # benchmark, checkpoint


@dataclass(frozen=True)
class Accuracy:
    """Mean over samples of one checkpoint on one benchmark, with its interval; shares of 1."""

    benchmark: str
    checkpoint: str
    problems: int
    samples: int  # a problem
    undecided: int  # samples that the machine could not judge: left out, not wrong
    mean: float
    low: float
    high: float


@dataclass(frozen=True)
class Difference:
    """after - before on one benchmark, paired by problem, with its interval."""

    benchmark: str
    before: str
    after: str
    mean: float
    low: float
    high: float

    @property
    def is_real(self) -> bool:
        """Whether the interval excludes zero."""
        return self.low > 0 or self.high < 0


def accuracies(
    results: Iterable[BenchmarkResult], settings: EvaluationConfig, seed: int
) -> list[Accuracy]:
    """One row for each benchmark and checkpoint, in the order of the results."""
    return [
        _accuracy(key, rows, _mean(rows, settings, seed))
        for key, rows in _matrices(results).items()
    ]


def differences(
    results: Iterable[BenchmarkResult], settings: EvaluationConfig, seed: int
) -> list[Difference]:
    """Every earlier checkpoint against every later one, on each benchmark.

    Raises ValueError if two checkpoints were not judged on the same problems.
    """
    matrices = _matrices(results)
    pairs = [
        (left, right)
        for left, right in combinations(matrices, 2)
        if left[0] == right[0]  # the same benchmark
    ]
    return [_difference(pair, matrices, settings, seed) for pair in pairs]


def _matrices(results: Iterable[BenchmarkResult]) -> dict[Key, list[BenchmarkResult]]:
    matrices: dict[Key, list[BenchmarkResult]] = {}
    for row in results:
        matrices.setdefault((row.benchmark, row.checkpoint), []).append(row)
    return matrices


def _mean(rows: Sequence[BenchmarkResult], settings: EvaluationConfig, seed: int) -> Estimate:
    scores = statistics.share_correct([row.correct for row in rows])
    return statistics.mean(scores, settings.bootstrap_samples, settings.confidence, seed)


def _accuracy(key: Key, rows: Sequence[BenchmarkResult], estimate: Estimate) -> Accuracy:
    return Accuracy(
        benchmark=key[0],
        checkpoint=key[1],
        problems=len(rows),
        samples=len(rows[0].correct),
        undecided=sum(value is None for row in rows for value in row.correct),
        mean=estimate.value,
        low=estimate.low,
        high=estimate.high,
    )


def _difference(
    pair: tuple[Key, Key],
    matrices: dict[Key, list[BenchmarkResult]],
    settings: EvaluationConfig,
    seed: int,
) -> Difference:
    before, after = (matrices[key] for key in pair)
    if [row.problem_id for row in before] != [row.problem_id for row in after]:
        raise ValueError(f"{pair[0]} and {pair[1]} were judged on different problems")
    found = statistics.difference(
        statistics.share_correct([row.correct for row in before]),
        statistics.share_correct([row.correct for row in after]),
        settings.bootstrap_samples,
        settings.confidence,
        seed,
    )
    return Difference(pair[0][0], pair[0][1], pair[1][1], found.value, found.low, found.high)
