"""Rows of a result table against each other: paired by problem and by seed, with one family.

The scores of a row on a benchmark are a table seeds x problems, and every row meets the same
problems in the same seeds: the design is crossed. A hierarchical bootstrap, problems redrawn
within each seed, would treat the problems of one seed as unrelated to those of the next; so each
draw here takes one set of problems for all rows and all seeds (pigeonhole bootstrap: Owen, The
pigeonhole bootstrap, Annals of Applied Statistics 2007). What rows share cancels.

Seeds are too few to redraw: three have ten distinct draws and a variance a third too small. Their
part is drawn as Student's t instead, with the spread of the residuals of the table rows x seeds
and (rows - 1)(seeds - 1) degrees of freedom: the trained rows of a column are taken to vary alike
with the seed, as in any two-way analysis of variance; an untrained row is given the same spread,
which is conservative. Noise of single samples enters both parts, which is conservative too. With
one seed nothing can be said of seeds: the interval covers problems alone, and `seeds` says so.

Family-wise correction: max-t (Westfall and Young, Resampling-Based Multiple Testing, 1993). One
critical value holds for all contrasts of a family, so with the stated confidence all intervals of
the family hold at once, whatever their dependence.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import starmap

import numpy as np
from numpy.typing import NDArray

from rasft.results.statistics import unseen

Numbers = NDArray[np.float64]
BySeed = Mapping[int, Numbers]  # seed -> one score a problem, NaN where it has none


@dataclass(frozen=True)
class Column:
    """What is compared: the mean over one benchmark, or over several."""

    name: str
    parts: Mapping[str, Mapping[str, BySeed]]  # benchmark -> row -> scores
    untrained: frozenset[str] = frozenset()  # rows that no seed has trained

    def rows(self) -> list[str]:
        """The rows that every part has, in the order of the first part."""
        first, *others = self.parts.values()
        return [row for row in first if all(row in other for other in others)]

    def seeds(self, *rows: str) -> list[int]:
        """The seeds that all of these rows have in every part."""
        have = [set(part[row]) for part in self.parts.values() for row in rows]
        return sorted(set.intersection(*have)) if have else []


@dataclass(frozen=True)
class Contrast:
    """A row of a column, alone or less another row."""

    column: str
    row: str
    against: str | None = None


@dataclass(frozen=True)
class Interval:
    """The mean of a contrast with its interval; shares of 1."""

    contrast: Contrast
    mean: float
    low: float
    high: float
    seeds: int  # 1: the interval covers the choice of problems alone
    problems: int  # scored in both rows and all seeds, over all parts

    @property
    def is_real(self) -> bool:
        """Whether the interval excludes zero."""
        return self.low > 0 or self.high < 0


@dataclass(frozen=True)
class _Drawn:
    contrast: Contrast
    mean: float
    deviations: Numbers  # (draws,) about the mean
    error: float  # standard error
    seeds: int
    problems: int


def simultaneous(
    columns: Sequence[Column],
    contrasts: Sequence[Contrast],
    draws: int = 10_000,
    confidence: float = 0.95,
    seed: int = 0,
) -> list[Interval]:
    """An interval for each contrast; with `confidence` all of them hold at once.

    Raises ValueError for a contrast whose rows have no seed or no scored problem in common.
    """
    drawn = _draw_all(columns, contrasts, draws, seed)
    if not drawn:
        return []
    ratios = [np.abs(d.deviations) / d.error if d.error else np.zeros(draws) for d in drawn]
    critical = float(np.quantile(np.max(ratios, axis=0), confidence))
    tail = (1 - confidence) / 2 / len(drawn)
    reaches = [critical * d.error if d.error else unseen(d.problems, tail) for d in drawn]
    return [_interval(d, d.mean - r, d.mean + r) for d, r in zip(drawn, reaches, strict=True)]


def separate(
    columns: Sequence[Column],
    contrasts: Sequence[Contrast],
    draws: int = 10_000,
    confidence: float = 0.95,
    seed: int = 0,
) -> list[Interval]:
    """An interval for each contrast by itself, from the quantiles of its draws."""
    tails = [(1 - confidence) / 2, (1 + confidence) / 2]
    found = []
    for d in _draw_all(columns, contrasts, draws, seed):
        reach = 0.0 if d.error else unseen(d.problems, tails[0])
        low, high = d.mean + np.quantile(d.deviations, tails) + [-reach, reach]
        found.append(_interval(d, float(low), float(high)))
    return found


def _interval(drawn: _Drawn, low: float, high: float) -> Interval:
    least = 0.0 if drawn.contrast.against is None else -1.0
    return Interval(
        drawn.contrast, drawn.mean, max(least, low), min(1.0, high), drawn.seeds, drawn.problems
    )


def _draw_all(
    columns: Sequence[Column], contrasts: Sequence[Contrast], draws: int, seed: int
) -> list[_Drawn]:
    by_name = {column.name: column for column in columns}
    counts = _Redraws(draws, seed)
    noise = {column.name: _SeedNoise(column, draws, seed) for column in columns}
    return [_draw(by_name[c.column], c, counts, noise[c.column]) for c in contrasts]


class _Redraws:
    """How often each problem of a benchmark is drawn: one set of draws for all contrasts."""

    def __init__(self, draws: int, seed: int) -> None:
        self.draws, self.seed = draws, seed
        self._counts: dict[tuple[str, int], Numbers] = {}

    def means(self, benchmark: str, values: Numbers) -> Numbers:
        """Mean of `values` (problems,), NaN left out, in each draw, less the mean itself.

        A bootstrap's spread is sqrt((n - 1) / n) of what it should be; that is made good.
        """
        key = benchmark, len(values)
        if key not in self._counts:
            generator = np.random.default_rng([self.seed, zlib.crc32(benchmark.encode())])
            size = len(values)
            drawn = generator.multinomial(size, np.full(size, 1 / size), size=self.draws)
            self._counts[key] = drawn.astype(np.float64)
        scored = ~np.isnan(values)
        number = int(scored.sum())
        counts = self._counts[key][:, scored]
        centred = values[scored] - values[scored].mean()
        made_good = np.sqrt(number / max(1, number - 1))
        found: Numbers = made_good * (counts @ centred) / np.maximum(counts.sum(axis=1), 1)
        return found


class _SeedNoise:
    """What another training seed would have changed, for each row of a column.

    `spread` is of one row in one seed: squared, `table`'s residual mean square.
    """

    def __init__(self, column: Column, draws: int, seed: int) -> None:
        self.column, self.draws = column, draws
        self._seed = [seed, zlib.crc32(column.name.encode())]
        table = _pooled(column)
        self.freedom = (table.shape[0] - 1) * (table.shape[1] - 1)
        self.spread = _residual_spread(table, self.freedom)

    def of(self, contrast: Contrast, means: Numbers) -> tuple[Numbers, float]:
        """Deviations of the contrast, and their standard error before Student's factor."""
        seeds = len(means)
        if seeds < 2 or (contrast.against is None and contrast.row in self.column.untrained):
            return np.zeros(self.draws), 0.0
        spread, freedom = self._spread(contrast, means)
        generator = np.random.default_rng(self._seed)
        shrink = np.sqrt(generator.chisquare(freedom, self.draws) / freedom)
        rows = self.column.rows()
        normal = generator.standard_normal((len(rows), self.draws))
        deviation = normal[rows.index(contrast.row)]
        if contrast.against is not None:
            deviation = (deviation - normal[rows.index(contrast.against)]) / np.sqrt(2)
        error = spread / np.sqrt(seeds)
        return error * deviation / shrink, float(error)

    def _spread(self, contrast: Contrast, means: Numbers) -> tuple[float, int]:
        if contrast.against is None or not self.freedom:
            return float(means.std(ddof=1)), len(means) - 1
        return self.spread * np.sqrt(2), self.freedom


def _pooled(column: Column) -> Numbers:
    """Mean scores, rows x seeds, of the rows whose spread is pooled, complete in all seeds."""
    trained = [row for row in column.rows() if row not in column.untrained]
    rows = trained if len(trained) > 1 else column.rows()
    every = {seed for row in rows for seed in column.seeds(row)}
    full = [row for row in rows if set(column.seeds(row)) == every]
    rows = full if len(full) > 1 else rows
    seeds = column.seeds(*rows)
    return np.array([[_mean(column, row, seed) for seed in seeds] for row in rows]).reshape(
        len(rows), len(seeds)
    )


def _mean(column: Column, row: str, seed: int) -> float:
    return float(np.mean([np.nanmean(part[row][seed]) for part in column.parts.values()]))


def _residual_spread(table: Numbers, freedom: int) -> float:
    if freedom < 1:
        return 0.0
    residuals = table - table.mean(axis=0) - table.mean(axis=1, keepdims=True) + table.mean()
    return float(np.sqrt((residuals**2).sum() / freedom))


def _draw(column: Column, contrast: Contrast, counts: _Redraws, noise: _SeedNoise) -> _Drawn:
    rows = [contrast.row, *([] if contrast.against is None else [contrast.against])]
    seeds = column.seeds(*rows)
    if not seeds:
        raise ValueError(f"{contrast}: the rows have no seed in common")
    tables = {name: _table(part, contrast, seeds) for name, part in column.parts.items()}
    over_problems = {name: table.mean(axis=0) for name, table in tables.items()}  # NaN if any is
    scored = {name: ~np.isnan(values) for name, values in over_problems.items()}
    if not all(kept.any() for kept in scored.values()):
        raise ValueError(f"{contrast}: no problem is scored in every row and seed")
    deviations = np.mean(list(starmap(counts.means, over_problems.items())), axis=0)
    means = np.mean([tables[n][:, kept].mean(axis=1) for n, kept in scored.items()], axis=0)
    seed_deviations, seed_error = noise.of(contrast, means)
    return _Drawn(
        contrast=contrast,
        mean=float(means.mean()),
        deviations=deviations + seed_deviations,
        error=float(np.hypot(deviations.std(), seed_error)),
        seeds=len(seeds),
        problems=sum(int(kept.sum()) for kept in scored.values()),
    )


def _table(part: Mapping[str, BySeed], contrast: Contrast, seeds: Sequence[int]) -> Numbers:
    """The contrast's scores, seeds x problems. Raises ValueError for rows of unlike length."""
    own = np.stack([part[contrast.row][seed] for seed in seeds])
    if contrast.against is None:
        return own
    other = np.stack([part[contrast.against][seed] for seed in seeds])
    if own.shape != other.shape:
        raise ValueError(f"{contrast}: {own.shape[1]} problems against {other.shape[1]}")
    return own - other
