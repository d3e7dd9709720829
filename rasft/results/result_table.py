"""The table of a comparison: rows methods, columns benchmarks and their averages.

Everything comes from the stored matrices: means over samples, problems and seeds, intervals and
differences of `comparison`. The best of a column is marked only where its interval against every
other row of that column excludes zero, in one family over all columns; the differences from the
baseline are a family of their own.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

from rasft import plugins
from rasft.errors import UserError
from rasft.records import BenchmarkResult
from rasft.results import comparison, metrics, outcomes, table_notes
from rasft.results.cells import (
    JUDGED,
    UNTRAINED,
    Cell,
    Failure,
    Source,
    StoredRun,
    cells,
    failures,
    labels,
)
from rasft.results.comparison import Column, Contrast, Interval
from rasft.results.outcomes import Outcomes
from rasft.results.statistics import FEWEST_PROBLEMS

# The columns of the paper, in its order, and the averages over them.
MATH = ("math500", "minerva_math", "olympiadbench", "aime24", "aime25", "amc23")
CODE = ("humaneval", "mbpp")
AVERAGES = {"math average": MATH, "code average": CODE}


@dataclass(frozen=True)
class Entry:
    """One place of the table: a mean with its interval, or why there is none."""

    value: float | None  # share of 1
    low: float | None = None
    high: float | None = None
    seeds: int = 0
    problems: int = 0
    best: bool = False  # better than every other row, beyond noise
    cut: float | None = None  # share of responses cut at the limit, where it is worth a warning
    failure: str | None = None
    sources: tuple[Source, ...] = ()


@dataclass(frozen=True)
class Row:
    """A line of the table; `remark` is set for a published one."""

    name: str
    entries: tuple[Entry, ...]
    remark: str | None = None


@dataclass(frozen=True)
class ResultTable:
    """What the renderers show. `differences` are from the row `baseline`, paired; `outcomes` say
    what each figure of a single benchmark is made of.
    """

    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    baseline: str | None
    differences: tuple[Interval, ...]
    notes: tuple[str, ...]
    outcomes: tuple[Outcomes, ...] = ()


@dataclass(frozen=True)
class Plan:
    """How a table is computed."""

    metric: str = "avg"
    baseline: str | None = None  # None: sft where it is, else the first row
    draws: int = 10_000
    confidence: float = 0.95
    seed: int = 0


def plan(
    runs: Sequence[StoredRun], metric: str = "avg", baseline: str | None = None, seed: int = 0
) -> Plan:
    """A plan with the bootstrap settings of the first run's config."""
    settings = runs[0].config["evaluation"]
    draws, confidence = settings["bootstrap_samples"], settings["confidence"]
    return Plan(metric, baseline, draws, confidence, seed)


def build(runs: Sequence[StoredRun], how: Plan) -> ResultTable:
    """The table of these runs. Raises UserError for runs that cannot stand in one table."""
    found, failed = cells(runs), failures(runs)
    if not found:
        raise UserError(f"no run has results; {_first_failure(failed)}")
    columns = columns_of(found, how.metric)
    names = _row_names(found, runs)
    baseline = _baseline(names, columns, how.baseline)
    alone = {(i.contrast.column, i.contrast.row): i for i in _alone(columns, how)}
    best = _best(columns, how)
    made_of = _outcomes(found)
    cut = {(each.benchmark, each.row): each.cut for each in made_of if each.is_cut_short}
    rows = [
        Row(name, tuple(_entry(name, column, alone, best, found, failed) for column in columns))
        for name in names
    ]
    differences = _differences(columns, baseline, how)
    seeds = sorted({entry.seeds for row in rows for entry in row.entries if entry.seeds})
    level = f"{100 * how.confidence:g} %"
    return ResultTable(
        columns=tuple(column.name for column in columns),
        rows=tuple(_with_cuts(row, columns, cut) for row in rows),
        baseline=baseline,
        differences=tuple(differences),
        notes=(
            *table_notes.verdict(differences, level),
            table_notes.metric(how.metric, level, seeds),
            *_averaged(columns),
            *table_notes.of_cells(found, failed, made_of),
        ),
        outcomes=tuple(made_of),
    )


def _averaged(columns: Sequence[Column]) -> list[str]:
    return [
        f"{column.name}: {', '.join(column.parts)}, weighed alike."
        for column in columns
        if column.name in AVERAGES
    ]


def _with_cuts(row: Row, columns: Sequence[Column], cut: Mapping[tuple[str, str], float]) -> Row:
    entries = zip(row.entries, columns, strict=True)
    marked = (replace(entry, cut=cut.get((column.name, row.name))) for entry, column in entries)
    return replace(row, entries=tuple(marked))


def _outcomes(found: Sequence[Cell]) -> list[Outcomes]:
    """What became of the responses of each row on each benchmark, all seeds together."""
    results: dict[tuple[str, str], list[BenchmarkResult]] = {}
    for cell in found:
        results.setdefault((cell.benchmark, cell.row), []).extend(cell.results)
    return [outcomes.outcomes(*place, rows) for place, rows in results.items()]


def _first_failure(failed: Sequence[Failure]) -> str:
    return f"{failed[0].run} failed: {failed[0].message}" if failed else "name other runs"


def _row_names(found: Sequence[Cell], runs: Sequence[StoredRun]) -> list[str]:
    """Untrained rows first, then the methods in the order of their runs, failed ones included."""
    methods = dict.fromkeys(labels(runs))
    shared = [name for name in dict.fromkeys(cell.row for cell in found) if name not in methods]
    return [*shared, *methods]


def columns_of(found: Sequence[Cell], metric: str = "avg") -> list[Column]:
    """Benchmarks in the paper's order, its averages after them, then all others."""
    judged = {cell.row for cell in found if cell.results[0].checkpoint == JUDGED}
    parts = _parts(found, metric)
    for by_row in parts.values():
        _in_every_seed(by_row, judged)
    untrained = UNTRAINED | judged
    published = [name for name in (*MATH, *CODE) if name in parts]
    others = [name for name in parts if name not in published]
    single = [Column(name, {name: parts[name]}, untrained) for name in (*published, *others)]
    averages = [
        Column(name, {part: parts[part] for part in AVERAGES[name] if part in parts}, untrained)
        for name in averages_of(parts)
    ]
    return [*single[: len(published)], *averages, *single[len(published) :]]


def averages_of(benchmarks: Collection[str]) -> list[str]:
    """The averages that a table of these benchmarks has a column for."""
    return [
        name
        for name, members in AVERAGES.items()
        if sum(member in benchmarks for member in members) > 1
    ]


def _parts(found: Sequence[Cell], metric: str) -> dict[str, dict[str, dict[int, Any]]]:
    parts: dict[str, dict[str, dict[int, Any]]] = {}
    for cell in found:
        if metric != "maj" or _kind(cell.benchmark) != "code":  # programs do not vote
            scores = metrics.scores(cell.results, metric)
            parts.setdefault(cell.benchmark, {}).setdefault(cell.row, {})[cell.seed] = scores
    return parts


def _in_every_seed(by_row: Mapping[str, dict[int, Any]], judged: set[str]) -> None:
    """A model that no seed has trained is met by the rows of all seeds, on the same problems."""
    seeds = {seed for scores in by_row.values() for seed in scores}
    for row in judged & by_row.keys():
        if len(by_row[row]) == 1:
            (scores,) = by_row[row].values()
            by_row[row].update(dict.fromkeys(seeds - by_row[row].keys(), scores))


def _kind(benchmark: str) -> str:
    return str(plugins.load("benchmarks", benchmark).KIND)


def _baseline(names: Sequence[str], columns: Sequence[Column], wanted: str | None) -> str | None:
    have = [name for name in names if any(name in column.rows() for column in columns)]
    if wanted is not None and wanted not in have:
        raise UserError(f"no row {wanted!r} to compare with; rows: {', '.join(have)}")
    return wanted or ("sft" if "sft" in have else have[0])


def _alone(columns: Sequence[Column], how: Plan) -> list[Interval]:
    wanted = [Contrast(column.name, row) for column in columns for row in column.rows()]
    return comparison.separate(columns, wanted, how.draws, how.confidence, how.seed)


def _differences(columns: Sequence[Column], baseline: str | None, how: Plan) -> list[Interval]:
    wanted = [
        Contrast(column.name, row, baseline)
        for column in columns
        for row in column.rows()
        if baseline in column.rows() and row != baseline and column.seeds(row, str(baseline))
    ]
    return _family(columns, wanted, how)


def _best(columns: Sequence[Column], how: Plan) -> set[tuple[str, str]]:
    """(column, row) of each best row whose lead over every other row is beyond noise."""
    pairs = [
        Contrast(column.name, *rows)
        for column in columns
        for rows in product(column.rows(), repeat=2)
        if rows[0] < rows[1] and column.seeds(*rows)
    ]
    ahead: dict[tuple[str, str], int] = {}
    for found in _family(columns, pairs, how):
        if found.is_real and found.problems >= FEWEST_PROBLEMS:
            pair = found.contrast
            winner = pair.row if found.mean > 0 else str(pair.against)
            ahead[pair.column, winner] = ahead.get((pair.column, winner), 0) + 1
    others = {column.name: len(column.rows()) - 1 for column in columns}
    return {place for place, wins in ahead.items() if wins == others[place[0]]}


def _family(columns: Sequence[Column], wanted: Sequence[Contrast], how: Plan) -> list[Interval]:
    return comparison.simultaneous(columns, wanted, how.draws, how.confidence, how.seed)


def _entry(
    name: str,
    column: Column,
    alone: Mapping[tuple[str, str], Interval],
    best: set[tuple[str, str]],
    found: Sequence[Cell],
    failed: Sequence[Failure],
) -> Entry:
    own = tuple(c.source for c in found if c.row == name and c.benchmark in column.parts)
    message = next((f.message for f in failed if f.row == name), None)
    interval = alone.get((column.name, name))
    if interval is None:
        return Entry(None, failure=message, sources=own)
    entry = Entry(
        value=round(interval.mean, 6),  # what a processor's rounding cannot change
        seeds=min(interval.seeds, len({source.seed for source in own})),
        problems=interval.problems,
        best=(column.name, name) in best,
        failure=message,
        sources=own,
    )
    if interval.problems < FEWEST_PROBLEMS:
        return entry
    return replace(entry, low=round(interval.low, 6), high=round(interval.high, 6))
