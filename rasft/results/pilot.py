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

A_CELL = ("train", "evaluate")  # steps with a task for each cell, and one for the starting models
A_RUN = ("start", "report", "end")
FEWEST = 20  # problems of a design that is worth a proposal


@dataclass(frozen=True)
class Pilot:
    """One benchmark of a finished comparison."""

    run: str
    benchmark: str
    design: Design  # as it was run
    parts: Components


@dataclass(frozen=True)
class Times:
    """Mean seconds of a comparison's tasks."""

    run: float
    seed: float
    training: float  # a cell's
    evaluation: float  # a cell's, with as many samples as the pilot's
    samples: int  # of a cell in the pilot

    def hours(self, design: Design, parallel: int) -> float:
        """Wall time with so many tasks at a time; evaluation is taken to grow with its samples."""
        share = design.problems * design.samples / self.samples
        cell = self.training + self.evaluation * share
        each = self.seed + (design.methods + 1) * cell
        return (self.run + design.seeds * each / min(parallel, design.methods + 1)) / 3600


def pilot_of(run: str, stored: Sequence[StoredRun], benchmark: str) -> Pilot:
    """The variances of one benchmark. Raises UserError where the run cannot tell them."""
    found = cells(stored)
    by_name = {column.name: column for column in result_table.columns_of(found)}
    names = sorted({cell.benchmark for cell in found})
    if benchmark not in names:
        raise UserError(f"{run} has no benchmark {benchmark!r}; it has: {', '.join(names)}")
    scores = _trained(run, by_name[benchmark])
    own = [cell for cell in found if cell.benchmark == benchmark]
    matrices = [[row.correct for row in cell.results] for cell in own if _is_trained(cell)]
    samples = len(matrices[0][0])
    one_sample = power.variance_of_a_sample(matrices)
    methods, seeds, problems = scores.shape
    return Pilot(
        run,
        benchmark,
        Design(methods, seeds, problems, samples, len(names)),
        power.components(scores, samples, one_sample),
    )


def times_of(seconds: Sequence[tuple[str, float]], design: Design) -> Times:
    """From each task's step and seconds."""
    by_step: dict[str, list[float]] = {}
    for step, each in seconds:
        by_step.setdefault(step, []).append(each)
    means = {step: fmean(each) for step, each in by_step.items()}
    once = sum(means.get(step, 0.0) for step in A_RUN)
    training, evaluation = (means.get(step, 0.0) for step in A_CELL)
    seed = sum(means.values()) - once - training - evaluation
    return Times(once, seed, training, evaluation, design.problems * design.samples)


def proposals(
    pilot: tuple[Times, Components],
    most: Design,
    budget: tuple[float, int],
    seeds: Sequence[int],
    samples: Sequence[int],
) -> list[Design]:
    """For each number of seeds the design whose differences vary least within the budget.

    `most.problems` is how many there are; `budget` is hours and tasks at a time. Designs of fewer
    than 20 problems are left out.
    """
    times, parts = pilot
    found = []
    for number in seeds:
        tried = [replace(most, seeds=number, samples=each) for each in samples]
        within = [_within(times, design, *budget) for design in tried]
        if fitting := [design for design in within if design.problems >= FEWEST]:
            found.append(min(fitting, key=lambda design: power.standard_error(parts, design)))
    return found


def _within(times: Times, design: Design, hours: float, parallel: int) -> Design:
    """With as many problems as the hours allow, of those there are."""
    none = times.hours(replace(design, problems=0), parallel)
    one = times.hours(replace(design, problems=1), parallel) - none
    most = int((hours - none) / one) if one else design.problems
    return replace(design, problems=max(0, min(design.problems, most)))


def _trained(run: str, column: Column) -> np.ndarray:
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
