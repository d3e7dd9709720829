"""`rasft power`: what a comparison can find, and the designs that find more in a budget."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from rasft.commands.plan import cores
from rasft.config import comparison
from rasft.config.settings import Config, PlannedConfig
from rasft.errors import UserError
from rasft.progress import track
from rasft.report.markdown import markdown_table
from rasft.results import pilot, power, result_table, runs
from rasft.results.pilot import Budget, Pilot
from rasft.results.power import Design
from rasft.stages import compare

SEEDS = (2, 3, 5, 8, 12, 20, 30)
SAMPLES = (1, 2, 4, 8, 16)
SHARE = 1.0  # the largest difference that there is


@dataclass(frozen=True)
class Asked:
    """What is asked about a config's comparison."""

    pilot: str  # a run
    benchmark: str | None = None  # the config's first, if not said
    hours: float | None = None  # within which designs are proposed
    problems: int | None = None  # that there are; the pilot's, if not said
    parallel: int | None = None  # tasks at a time; one a core here, if not said


def run_power(config: Config, asked: Asked) -> str:
    """What the config's design finds, what others would, and the best as a part of a config."""
    if len(compare.of(config).methods) < 2:
        raise UserError("comparison.methods has one method: there is nothing to tell apart")
    known = _read(config, asked)
    own = _own_design(config, known)
    parallel = asked.parallel or cores()
    proposed = _proposed(asked, known, own, parallel)
    designs = list(dict.fromkeys([own, *proposed]))
    shown = track(designs, len(designs), "simulating", "designs")
    finds = {design: power.detectable(known.parts, design) for design in shown}
    best = min(proposed or [own], key=lambda design: finds[design])
    return "\n\n".join(_sections(known, own, best, finds, parallel))


def _read(config: Config, asked: Asked) -> Pilot:
    run = runs.find(asked.pilot)
    stored, seconds = runs.read([run.pathspec]), runs.seconds_of_tasks(run)
    benchmark = asked.benchmark or config.evaluation.benchmarks[0].name
    return pilot.pilot_of(run.pathspec, stored, seconds, benchmark)


def _own_design(config: Config, known: Pilot) -> Design:
    """The config's; of problems as many as its limit, or as the pilot had."""
    own = comparison.sizes(config, known.benchmark)
    benchmarks = {each.name for each in config.evaluation.benchmarks}
    return Design(
        methods=len(compare.of(config).methods),
        seeds=own.seeds,
        problems=own.problems or known.design.problems,
        samples=own.samples,
        columns=len(benchmarks) + len(result_table.averages_of(benchmarks)),
        starts=known.design.starts,
    )


def _proposed(asked: Asked, known: Pilot, own: Design, parallel: int) -> list[Design]:
    if asked.hours is None:
        return []
    budget = Budget(asked.hours, parallel, asked.problems or known.design.problems)
    # a pilot of one sample a problem cannot say what more would bring
    samples = SAMPLES if known.parts.sample else (known.design.samples,)
    found = pilot.proposals(known, own, budget, SEEDS, samples)
    if not found:
        raise UserError(
            f"in {asked.hours:g} h not even {SEEDS[0]} seeds with {pilot.FEWEST} problems are "
            f"done; the config's design takes {known.hours(own, parallel):.1f} h: give more hours, "
            "or leave out methods"
        )
    return found


def _sections(
    known: Pilot, own: Design, best: Design, finds: Mapping[Design, float], parallel: int
) -> Iterable[str]:
    yield _varied(known)
    header = ["design", "seeds", "problems", "samples", "hours", "finds, points"]
    rows = [
        (
            _name(design, own, best), design.seeds, design.problems, design.samples,
            f"{known.hours(design, parallel):.1f}", _points(found),
        )
        for design, found in finds.items()
    ]  # fmt: skip
    yield markdown_table(header, rows)
    yield (
        "A true difference of so many points from the baseline is found with "
        f"{100 * power.POWER:g} % chance, while intervals hold at 95 % for all {own.pairs} "
        f"differences of the table at once. Hours are the pilot's tasks, {parallel} at a time."
    )
    if finds[best] < SHARE:
        part = _as_config(known, best, finds[best])
        yield (
            "To hold a run to its plan, put this into the config, and let the benchmark have so "
            f"many problems and samples:\n\n{part}"
        )


def _name(design: Design, own: Design, best: Design) -> str:
    names = ["the config's"] * (design == own) + ["finds most"] * (design == best)
    return ", ".join(names)


def _points(found: float) -> str:
    return f"{100 * found:.1f}" if found < SHARE else "none"


def _varied(known: Pilot) -> str:
    parts, design = known.parts, known.design
    sample = f"{100 * parts.sample:.1f}" if parts.sample else "in the one before"
    return (
        f"Pilot {known.run}, {known.benchmark}: {design.methods} methods, {design.seeds} seeds, "
        f"{design.problems} problems, {design.samples} samples. What differs between methods "
        "varies by, in points:\n\n"
        + markdown_table(
            ["another seed (upper 80 %)", "another problem", "both", "one sample"],
            [(*(f"{100 * each:.1f}" for each in (parts.seed, parts.problem, parts.both)), sample)],
        )
    )


def _as_config(known: Pilot, best: Design, finds: float) -> str:
    planned = PlannedConfig(
        pilot=known.run,
        benchmark=known.benchmark,
        finds=round(100 * finds, 1),
        power=power.POWER,
        seeds=best.seeds,
        problems=best.problems,
        samples=best.samples,
    )
    values = ", ".join(f"{name}: {value}" for name, value in planned.model_dump().items())
    seeds = ", ".join(map(str, range(1, best.seeds + 1)))
    return f"    comparison:\n      seeds: [{seeds}]\n      planned: {{{values}}}"
