"""Scores of a stored 0/1 matrix by the metric's name: `avg`, `pass@K` or `maj`.

All come from the same stored samples: avg@k is their mean, pass@K the unbiased estimate for K of
them, maj whether their most frequent answer is right. Votes are counted over answers in their
normal form, so that `1/2` and `\\frac{1}{2}` are one.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from rasft.answers.reading.bounds import TooLarge
from rasft.answers.reading.notation import normal_form
from rasft.errors import UserError
from rasft.records import BenchmarkResult
from rasft.results import statistics
from rasft.results.statistics import Scores

_PASS = re.compile(r"pass@([1-9][0-9]*)")


def scores(rows: Sequence[BenchmarkResult], metric: str) -> Scores:
    """One score a problem, NaN where there is none. Raises UserError for what cannot be had."""
    matrix = [row.correct for row in rows]
    if metric == "avg":
        return statistics.share_correct(matrix)
    if metric == "maj":
        return statistics.majority(matrix, [_votes(row) for row in rows])
    found = _PASS.fullmatch(metric)
    if not found:
        raise UserError(f"unknown metric {metric!r}; known: avg, maj, and pass@K such as pass@4")
    return _pass_at(rows, int(found[1]))


def _pass_at(rows: Sequence[BenchmarkResult], k: int) -> Scores:
    fewest = min(len(row.correct) for row in rows)
    if k > fewest:
        raise UserError(
            f"pass@{k} needs {k} samples a problem; {rows[0].benchmark} has {fewest}: "
            "ask for fewer, or raise evaluation.samples_per_problem and run again"
        )
    return statistics.pass_at([row.correct for row in rows], k)


def _votes(row: BenchmarkResult) -> list[str | None]:
    if len(row.answers) != len(row.correct):
        raise UserError(
            f"maj needs the samples' answers, and the stored results of {row.benchmark} have none: "
            "the run was made by an older version; run the evaluation again"
        )
    return [answer and _spelling(answer) for answer in row.answers]


def _spelling(answer: str) -> str:
    try:
        return normal_form(answer)
    except TooLarge:
        return answer
