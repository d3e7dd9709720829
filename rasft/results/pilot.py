"""What a finished comparison tells for the design of another: variances, sizes, times."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import fmean

import numpy as np

from rasft.config.comparison import ROWS
from rasft.errors import UserError
from rasft.results import power, result_table
from rasft.results.cells import Cell, StoredRun, cells
from rasft.results.comparison import Column
from rasft.results.power import Components, Design

A_CELL = ("train", "evaluate")  # steps of cells, the starting models among them
A_RUN = ("start", "report", "end")
FEWEST = 20  # problems of a design that is worth a proposal


@dataclass(frozen=True)
class Times:
    """Mean seconds of a comparison's tasks."""

    run: float
    seed: float
    training: float  # a cell's
    evaluation: float  # a cell's, with as many samples as the pilot's


@dataclass(frozen=True)
class Pilot:
    """One benchmark of a finished comparison."""

    run: str
    benchmark: str
    design: Design  # as it was run
    parts: Components
    times: Times

    def hours(self, design: Design, parallel: int) -> float:
        """Wall time with so many tasks at a time; evaluation is taken to grow with its samples."""
        share = design.problems * design.samples / (self.design.problems * self.design.samples)
        branches = design.methods + 1
        cell = self.times.training + self.times.evaluation * share
        seeds = design.seeds * (self.times.seed + branches * cell)
        return (self.times.run + seeds / min(parallel, design.seeds * branches)) / 3600


@dataclass(frozen=True)
class Budget:
    """What a design may take."""

    hours: float
    parallel: int  # tasks at a time
    problems: int  # that there are


def pilot_of(
    run: str, stored: Sequence[StoredRun], seconds: Sequence[tuple[str, float]], benchmark: str
) -> Pilot:
    """One benchmark of a run, from its cells and the step and seconds of its tasks.

    Raises UserError where the run cannot tell how methods vary.
    """
    found = cells(stored)
    names = {cell.benchmark for cell in found}
    if benchmark not in names:
        raise UserError(f"{run} has no benchmark {benchmark!r}; it has: {', '.join(sorted(names))}")
    columns = result_table.columns_of(found)
    scores = _trained(run, next(column for column in columns if column.name == benchmark))
    matrices = [
        [row.correct for row in cell.results]
        for cell in found
        if cell.benchmark == benchmark and _is_trained(cell)
    ]
    samples = len(matrices[0][0])
    parts = power.components(scores, samples, power.variance_of_a_sample(matrices))
    if not any(vars(parts).values()):
        raise UserError(f"{run} is no pilot: all its methods score alike on {benchmark}")
    methods, seeds, problems = scores.shape
    starts = len({cell.row for cell in found if not _is_trained(cell)})
    design = Design(methods, seeds, problems, samples, len(columns), starts)
    return Pilot(run, benchmark, design, parts, times_of(seconds, methods + 1))


def times_of(seconds: Sequence[tuple[str, float]], branches: int) -> Times:
    """From each task's step and seconds, where a seed has so many cells, the start's included."""
    by_step: dict[str, list[float]] = {}
    for step, each in seconds:
        by_step.setdefault(step, []).append(each)
    means = {step: fmean(each) for step, each in by_step.items()}
    once = sum(means.get(step, 0.0) for step in A_RUN)
    training, evaluation = (means.get(step, 0.0) for step in A_CELL)
    seed = sum(means.values()) - once - training - evaluation
    prepared, trained = (len(by_step.get(step, ())) for step in ("prepare", "train"))
    cells = max(1.0, branches * prepared / max(1, trained))  # a task's
    return Times(once, seed, training / cells, evaluation / cells)


def proposals(
    known: Pilot, own: Design, budget: Budget, seeds: Sequence[int], samples: Sequence[int]
) -> list[Design]:
    """For each number of seeds the variant of `own` whose differences vary least in the budget.

    Designs of fewer than `FEWEST` problems are left out.
    """
    found = []
    for number in seeds:
        tried = [replace(own, seeds=number, samples=each) for each in samples]
        within = [_within(known, design, budget) for design in tried]
        if fitting := [design for design in within if design.problems >= FEWEST]:
            found.append(min(fitting, key=lambda each: power.standard_error(known.parts, each)))
    return found


def _within(known: Pilot, design: Design, budget: Budget) -> Design:
    """With as many problems as the hours allow, of those there are."""
    none, one = (
        known.hours(replace(design, problems=number), budget.parallel) for number in (0, 1)
    )
    most = int((budget.hours - none) / (one - none)) if one > none else budget.problems
    return replace(design, problems=max(0, min(budget.problems, most)))


def _trained(run: str, column: Column) -> power.Numbers:
    """Scores (methods, seeds, problems) of the methods that have every seed."""
    rows = column.parts[column.name]
    trained = [row for row in column.rows() if row not in ROWS.values()]
    seeds = sorted({seed for row in trained for seed in rows[row]})
    whole = [row for row in trained if set(rows[row]) == set(seeds)]
    if len(whole) < 2:
        raise UserError(f"{run} is no pilot: fewer than two methods have all of its seeds")
    scores = np.array([[rows[row][seed] for seed in seeds] for row in whole])
    return scores[:, :, ~np.isnan(scores).any(axis=(0, 1))]


def _is_trained(cell: Cell) -> bool:
    return cell.row not in ROWS.values()
