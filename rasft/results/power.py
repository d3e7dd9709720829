"""How small a difference between methods a design can find, from what a pilot varied.

A score of method m on problem p in seed s is taken to be the sum of what m and p, m and s, and all
three have in common, and of the noise of its samples; what the methods share cancels. The variances
of these terms are estimated from the pilot's mean squares (a random-effects analysis of variance of
rows x seeds x problems). Seeds are few, so that theirs would be half a matter of luck: its upper
80 % limit is taken (Browne, On the use of a pilot sample for sample size determination, Statistics
in Medicine 1995).

A design is then played: tables of nothing but noise are drawn and go through the very intervals of
a result table, with its correction for all methods and benchmarks. A true difference d is found
where the noise of its estimate does not bring the interval back over zero, so one set of tables
tells the power for every d.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rasft.errors import UserError
from rasft.results import comparison
from rasft.results.comparison import Column, Contrast

Numbers = NDArray[np.float64]

POWER = 0.9
LIMIT = 0.8  # of the upper limit of the seeds' part
ESTIMATES = 300  # simulated differences behind a figure, or more
FEWEST_TABLES = 100
DRAWS = 1_000


@dataclass(frozen=True)
class Components:
    """Standard deviations, shares of 1, of what does not cancel between two methods."""

    seed: float  # a method trained with another seed; the upper limit of the pilot's
    problem: float  # a method on another problem
    both: float  # on another problem with another seed, but for sampling
    sample: float  # another sample; 0 where the pilot drew one a problem, and it is in `both`


@dataclass(frozen=True)
class Design:
    """What a comparison would run, and how many rows and columns its table would correct for."""

    methods: int
    seeds: int
    problems: int
    samples: int  # a problem
    columns: int = 1  # benchmarks, and averages over them
    starts: int = 0  # rows of models that the methods start from

    @property
    def pairs(self) -> int:
        """How many differences hold at once."""
        return (self.methods + self.starts - 1) * self.columns


def components(scores: Numbers, samples: int, one_sample: float) -> Components:
    """From a pilot's scores (methods, seeds, problems), each the mean of `samples`.

    `one_sample` is the variance of one of them.

    Raises UserError where there are too few of them to tell.
    """
    if min(scores.shape) < 2:
        raise UserError(
            f"a pilot needs two methods, seeds and problems at least, not {scores.shape}: "
            "run the comparison with two seeds or more"
        )
    methods, seeds, problems = scores.shape
    by_seed, by_problem = scores.mean(axis=2, keepdims=True), scores.mean(axis=1, keepdims=True)
    three = _interaction(scores - by_seed - by_problem + scores.mean(axis=(1, 2), keepdims=True))
    free = (methods - 1) * (seeds - 1)
    rest = _mean_square(three, free * (problems - 1))
    of_seed = problems * _mean_square(_centred(by_seed, 1), free) * _upper(free)
    of_problem = seeds * _mean_square(_centred(by_problem, 2), (methods - 1) * (problems - 1))
    return Components(
        seed=_root((of_seed - rest) / problems),
        problem=_root((of_problem - rest) / seeds),
        both=_root(rest - one_sample / samples),
        sample=_root(one_sample),
    )


def variance_of_a_sample(matrices: Iterable[Sequence[Sequence[bool | None]]]) -> float:
    """The mean of p (1 - p) over all problems, without bias; 0 where none has two samples."""
    found = []
    for rows in matrices:
        for row in rows:
            decided = [value for value in row if value is not None]
            if len(decided) > 1:
                share = sum(decided) / len(decided)
                found.append(share * (1 - share) * len(decided) / (len(decided) - 1))
    return float(np.mean(found)) if found else 0.0


def standard_error(parts: Components, design: Design) -> float:
    """Of the difference between two methods; shares of 1."""
    cells = design.seeds * design.problems
    return math.sqrt(
        2 * parts.seed**2 / design.seeds
        + 2 * parts.problem**2 / design.problems
        + 2 * (parts.both**2 + parts.sample**2 / design.samples) / cells
    )


def detectable(
    parts: Components,
    design: Design,
    power: float = POWER,
    confidence: float = 0.95,
    seed: int = 0,
) -> float:
    """The smallest true difference that is found with `power`; a share of 1."""
    estimates = (design.methods - 1) * design.columns  # of differences between methods in a table
    tables = max(FEWEST_TABLES, math.ceil(ESTIMATES / estimates))
    short = [
        (interval.high - interval.low) / 2 - interval.mean
        for table in range(tables)
        for interval in _played(parts, design, confidence, seed + table)
    ]
    return float(np.quantile(short, power))


def _played(
    parts: Components, design: Design, confidence: float, seed: int
) -> list[comparison.Interval]:
    """The intervals between the methods of one table that holds noise alone."""
    generator = np.random.default_rng(seed)
    methods = [f"method {number}" for number in range(design.methods)]
    starts = [f"start {number}" for number in range(design.starts)]
    columns = [
        _column(f"column {number}", [*methods, *starts], starts, _noise(generator, parts, design))
        for number in range(design.columns)
    ]
    contrasts = [
        Contrast(column.name, row, methods[0])
        for column in columns
        for row in (*methods[1:], *starts)
    ]
    intervals = comparison.simultaneous(columns, contrasts, DRAWS, confidence, seed)
    return [interval for interval in intervals if interval.contrast.row in methods]


def _column(name: str, rows: Sequence[str], starts: Sequence[str], scores: Numbers) -> Column:
    by_row = {row: dict(enumerate(each)) for row, each in zip(rows, scores, strict=True)}
    return Column(name, {name: by_row}, frozenset(starts))


def _noise(generator: np.random.Generator, parts: Components, design: Design) -> Numbers:
    """Scores (rows, seeds, problems)."""
    shape = design.methods + design.starts, design.seeds, design.problems
    cell = math.sqrt(parts.both**2 + parts.sample**2 / design.samples)
    noise: Numbers = (
        parts.seed * generator.standard_normal((*shape[:2], 1))
        + parts.problem * generator.standard_normal((shape[0], 1, shape[2]))
        + cell * generator.standard_normal(shape)
    )
    return noise


def _centred(means: Numbers, axis: int) -> Numbers:
    """What is left of means (methods, ...) without those of the methods and along `axis`."""
    return _interaction(means - means.mean(axis=axis, keepdims=True))


def _interaction(values: Numbers) -> Numbers:
    """What the methods do not have in common."""
    left: Numbers = values - values.mean(axis=0, keepdims=True)
    return left


def _mean_square(residuals: Numbers, freedom: int) -> float:
    return float((residuals**2).sum() / freedom)


def _upper(freedom: int) -> float:
    """What a mean square is to be multiplied with to be its upper limit (chi-squared)."""
    drawn = np.random.default_rng(0).chisquare(freedom, 200_000)
    return float(freedom / np.quantile(drawn, 1 - LIMIT))


def _root(variance: float) -> float:
    return math.sqrt(max(0.0, variance))
