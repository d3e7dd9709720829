"""One problem of a benchmark: the responses of each checkpoint beside each other."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from rasft.page.stored import RunTables
from rasft.records import BenchmarkResponse, BenchmarkResult, Problem

FIXED, BROKEN, UNCHANGED = "fixed", "broken", "unchanged"


@dataclass(frozen=True)
class Answered:
    """A checkpoint's samples of one problem; of older runs the texts are not stored."""

    checkpoint: str
    result: BenchmarkResult
    responses: tuple[BenchmarkResponse, ...]

    @property
    def share(self) -> float:
        """Of the decided samples, those that are correct; 0 where there are none."""
        decided = [value for value in self.result.correct if value is not None]
        return sum(decided) / len(decided) if decided else 0.0


@dataclass(frozen=True)
class EvaluatedProblem:
    """A benchmark's problem under each checkpoint, in the order of their training."""

    benchmark: str
    problem: Problem
    answered: tuple[Answered, ...]

    @property
    def change(self) -> str:
        """Whether more or fewer samples are correct at the end than at the start."""
        first, last = self.answered[0].share, self.answered[-1].share
        return FIXED if last > first else BROKEN if last < first else UNCHANGED


def evaluated(run: RunTables) -> list[EvaluatedProblem]:
    """Every benchmark's problems that have results."""
    results: dict[tuple[str, str], list[BenchmarkResult]] = defaultdict(list)
    for row in run.results:
        results[row.benchmark, row.problem_id].append(row)
    texts: dict[tuple[str, str, str], list[BenchmarkResponse]] = defaultdict(list)
    for response in run.responses:
        place = response.benchmark, response.checkpoint, response.problem_id
        texts[place].append(response)
    return [
        EvaluatedProblem(name, problem, _answered(results[name, problem.id], texts))
        for name, problems in run.benchmarks.items()
        for problem in problems
        if (name, problem.id) in results
    ]


def _answered(
    rows: Sequence[BenchmarkResult],
    texts: dict[tuple[str, str, str], list[BenchmarkResponse]],
) -> tuple[Answered, ...]:
    return tuple(
        Answered(
            row.checkpoint,
            row,
            tuple(texts.get((row.benchmark, row.checkpoint, row.problem_id), ())),
        )
        for row in rows
    )
