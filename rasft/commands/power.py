"""`rasft power`: what a comparison can find, and the designs that find more in a budget."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from rasft.commands.plan import cores
from rasft.config.settings import Config, PlannedConfig
from rasft.errors import UserError
from rasft.progress import track
from rasft.report.markdown import markdown_table
from rasft.results import pilot, power, runs
from rasft.results.pilot import Pilot, Times
from rasft.results.power import Design
from rasft.stages import compare

SEEDS = (2, 3, 5, 8, 12, 20, 30)
SAMPLES = (1, 2, 4, 8, 16)


@dataclass(frozen=True)
class Asked:
    """What is asked about a config's comparison."""

    pilot: str
    benchmark: str | None = None  # the first of the config's that the pilot has, if not said
    hours: float | None = None  # within which designs are proposed
    problems: int | None = None  # the most there are; the pilot's, if not said
    parallel: int | None = None  # tasks at a time; one a core here, if not said


def run_power(config: Config, asked: Asked) -> str:
    """What the config's design finds, what others would, and the best as a part of a config."""
    methods = len(compare.of(config).methods)
    if methods < 2:
        raise UserError("comparison.methods has one method: there is nothing to tell apart")
    known, times = _read(config, asked)
    own = _own_design(config, known, methods)
    parallel = asked.parallel or cores()
    designs = [own, *_proposed(asked, known, times, own, parallel)]
    shown = track(designs, len(designs), "simulating", "designs")
    finds = {design: power.detectable(known.parts, design) for design in shown}
    return "\n\n".join(_sections(known, times, own, finds, parallel))


def _read(config: Config, asked: Asked) -> tuple[Pilot, Times]:
    run = runs.find(asked.pilot)
    stored = runs.read([asked.pilot])
    names = [each.name for each in config.evaluation.benchmarks]
    known = pilot.pilot_of(run.pathspec, stored, asked.benchmark or names[0])
    return known, pilot.times_of(runs.seconds_of_tasks(run), known.design)


def _own_design(config: Config, known: Pilot, methods: int) -> Design:
    """The config's; of problems as many as its limit, or as the pilot had."""
    named = {each.name: each for each in config.evaluation.benchmarks}
    if known.benchmark not in named:
        raise UserError(f"the config has no benchmark {known.benchmark!r}: {', '.join(named)}")
    benchmark = named[known.benchmark]
    return Design(
        methods=methods,
        seeds=len(compare.of(config).seeds),
        problems=benchmark.limit or known.design.problems,
        samples=benchmark.samples or config.evaluation.samples_per_problem,
        benchmarks=len(named),
    )


def _proposed(asked: Asked, known: Pilot, times: Times, own: Design, parallel: int) -> list[Design]:
    if asked.hours is None:
        return []
    most = replace(own, problems=asked.problems or known.design.problems)
    # a pilot of one sample a problem cannot say what more would bring
    samples = SAMPLES if known.parts.sample else (known.design.samples,)
    budget = asked.hours, parallel
    found = pilot.proposals((times, known.parts), most, budget, SEEDS, samples)
    if not found:
        raise UserError(
            f"in {asked.hours:g} h not even {SEEDS[0]} seeds with 20 problems are done; the "
            f"config's design takes {times.hours(own, parallel):.1f} h: give more hours, or leave "
            "out methods"
        )
    return [design for design in found if design != own]


def _sections(
    known: Pilot, times: Times, own: Design, finds: Mapping[Design, float], parallel: int
) -> Iterable[str]:
    yield _varied(known)
    header = ["design", "seeds", "problems", "samples", "hours", "finds, points"]
    best = min(finds, key=lambda design: finds[design])
    rows = [
        (
            "the config's" if design == own else "finds most" if design == best else "",
            design.seeds, design.problems, design.samples,
            f"{times.hours(design, parallel):.1f}", f"{100 * found:.1f}",
        )
        for design, found in finds.items()
    ]  # fmt: skip
    yield markdown_table(header, rows)
    pairs = (own.methods - 1) * own.benchmarks
    yield (
        f"A true difference of so many points from the baseline is found with {power.POWER:.0%} "
        f"chance, while intervals hold at 95 % for all {pairs} differences at once. Hours are the "
        f"pilot's tasks, {parallel} at a time."
    )
    part = _as_config(known, best, finds)
    yield f"To hold a run to its plan, put this into the config:\n\n{part}"


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


def _as_config(known: Pilot, best: Design, finds: Mapping[Design, float]) -> str:
    planned = PlannedConfig(
        pilot=known.run,
        benchmark=known.benchmark,
        finds=round(100 * finds[best], 1),
        seeds=best.seeds,
        problems=best.problems,
        samples=best.samples,
    )
    values = ", ".join(f"{name}: {value}" for name, value in planned.model_dump().items())
    seeds = ", ".join(map(str, range(1, best.seeds + 1)))
    return f"    comparison:\n      seeds: [{seeds}]\n      planned: {{{values}}}"
