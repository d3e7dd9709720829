"""Whether a retrained candidate takes the champion's place: a pure decision with its reasons.

Both are judged on the same problems. A candidate is promoted only if the paired interval of the
average over benchmarks lies above zero, every benchmark that was asked for was judged, and none
falls by more than its margin. The average weighs each benchmark alike, as published averages do;
its interval is a bootstrap over problems, drawn within each benchmark.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from rasft.config.settings import EvaluationConfig, ScheduleConfig
from rasft.records import BenchmarkResult
from rasft.results import statistics
from rasft.results.statistics import Estimate, Scores

CHAMPION, CANDIDATE = "champion", "candidate"


@dataclass(frozen=True)
class BenchmarkChange:
    """One benchmark under both checkpoints; shares of 1, over the problems decided for both."""

    benchmark: str
    problems: int
    champion: float
    candidate: float
    margin: float  # how far the candidate may fall

    @property
    def falls_too_far(self) -> bool:
        """Whether the candidate lies below the champion by more than the margin."""
        return self.champion - self.candidate > self.margin


@dataclass(frozen=True)
class Decision:
    """Promoted or refused, why, and the figures behind it."""

    promoted: bool
    reasons: tuple[str, ...]
    average: Estimate | None  # candidate - champion, shares of 1; None where nothing was judged
    changes: tuple[BenchmarkChange, ...]


def from_plain(values: Mapping[str, Any]) -> Decision:
    """A Decision from what dataclasses.asdict made of one. Raises TypeError or KeyError."""
    average = values["average"]
    return Decision(
        promoted=values["promoted"],
        reasons=tuple(values["reasons"]),
        average=Estimate(**average) if average else None,
        changes=tuple(BenchmarkChange(**change) for change in values["changes"]),
    )


def decide(
    results: Iterable[BenchmarkResult],
    wanted: Sequence[str],
    schedule: ScheduleConfig,
    evaluation: EvaluationConfig,
    seed: int,
) -> Decision:
    """Compare the rows of the checkpoints "champion" and "candidate" on the `wanted` benchmarks.

    Raises ValueError if the two were judged on different problems.
    """
    pairs = _paired_scores(list(results), wanted)
    changes = tuple(_change(name, *pairs[name], schedule) for name in pairs)
    average = statistics.macro_mean(
        [candidate - champion for champion, candidate in pairs.values()],
        evaluation.bootstrap_samples,
        evaluation.confidence,
        seed,
    )
    lost = [name for name in wanted if name not in pairs]
    against = _against(average, changes, lost, schedule)
    reasons = against or (f"the average rises by {points(average)}",)
    return Decision(not against, reasons, average, changes)


def refusal(reason: str) -> Decision:
    """A candidate that is refused for what the scores do not show."""
    return Decision(promoted=False, reasons=(reason,), average=None, changes=())


def points(average: Estimate) -> str:
    """A difference in points with its interval: "+3.1 [+1.0, +5.2]"."""
    return f"{100 * average.value:+.1f} [{100 * average.low:+.1f}, {100 * average.high:+.1f}]"


def _against(
    average: Estimate,
    changes: Sequence[BenchmarkChange],
    lost: Sequence[str],
    schedule: ScheduleConfig,
) -> tuple[str, ...]:
    """Every reason to refuse."""
    found = [f"benchmark {name} was not judged for both" for name in lost]
    if average.scored < schedule.min_problems:
        found.append(
            f"{average.scored} problems were judged for both, and schedule.min_problems is "
            f"{schedule.min_problems}: too few to tell"
        )
    elif average.high < 0:
        found.append(f"the average falls by {points(average)}")
    elif not average.low > 0:
        found.append(f"the average shows no real difference: {points(average)} includes zero")
    found += [
        f"benchmark {each.benchmark} falls from {100 * each.champion:.1f} to "
        f"{100 * each.candidate:.1f}, beyond its margin of {100 * each.margin:g} points"
        for each in changes
        if each.falls_too_far
    ]
    return tuple(found)


def _paired_scores(
    results: Sequence[BenchmarkResult], wanted: Sequence[str]
) -> dict[str, tuple[Scores, Scores]]:
    """(champion, candidate) scores of each benchmark that both were judged on."""
    pairs = {}
    for name in wanted:
        champion, candidate = (
            [row for row in results if (row.benchmark, row.checkpoint) == (name, checkpoint)]
            for checkpoint in (CHAMPION, CANDIDATE)
        )
        if not champion or not candidate:
            continue
        if [row.problem_id for row in champion] != [row.problem_id for row in candidate]:
            raise ValueError(f"{name}: champion and candidate were judged on different problems")
        pairs[name] = (_scores(champion), _scores(candidate))
    return {name: pair for name, pair in pairs.items() if _both_scored(*pair).any()}


def _scores(rows: Sequence[BenchmarkResult]) -> Scores:
    return statistics.share_correct([row.correct for row in rows])


def _both_scored(champion: Scores, candidate: Scores) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    return ~np.isnan(champion - candidate)


def _change(
    name: str, champion: Scores, candidate: Scores, schedule: ScheduleConfig
) -> BenchmarkChange:
    both = _both_scored(champion, candidate)
    return BenchmarkChange(
        benchmark=name,
        problems=int(both.sum()),
        champion=float(champion[both].mean()),
        candidate=float(candidate[both].mean()),
        margin=schedule.margins.get(name, schedule.margin),
    )
