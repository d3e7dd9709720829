"""`rasft plan`: what a config will take, estimated before anything runs, against a budget."""

from __future__ import annotations

import os
from collections.abc import Callable

from rasft import plugins
from rasft.config import Config, DatasetConfig
from rasft.data import problems
from rasft.data.preparation import data_dir
from rasft.data.rows import SourceUnavailable
from rasft.datasets import Source
from rasft.errors import UserError
from rasft.machine.planning import Span, StepEstimate, Timing, estimate, steps, total
from rasft.progress import duration
from rasft.report.reporting import markdown_table
from rasft.results import runs

ON_GPU = ("warmup", "score", "rollout", "train", "evaluate")  # where a machine's GPUs are used


def plan(config: Config, gpus: int) -> list[StepEstimate]:
    """The estimate of each step, where a task that uses GPUs gets `gpus` of them.

    Raises UserError where the number of problems cannot be told.
    """
    planned = steps(config, _problems(config), _benchmarks(config), _gpus(config, gpus))
    return estimate(planned, _history(config, gpus))


def render(
    estimates: list[StepEstimate], parallel: int, gpu_price: float | None, budget: float | None
) -> str:
    """The plan as text: a row a step, then the sums. Costs in US dollars."""
    rows = [_row(each, parallel) for each in estimates]
    header = ["step", "tasks", "GPUs a task", "GPU-hours", "wall time", "from"]
    hours = total(each.gpu_hours for each in estimates)
    wall = total(each.wall_seconds(parallel) for each in estimates)
    sums = [f"GPU-hours   {_band(hours, _hours)}", f"wall time   {_band(wall, duration)}"]
    if gpu_price is not None:
        cost = hours.times(gpu_price)
        sums.append(f"cost        {_band(cost, _dollars)} at {_dollars(gpu_price)} a GPU-hour")
        if budget is not None and cost.middle <= budget < cost.high:
            sums.append(f"careful: the upper end is above the budget of {_dollars(budget)}")
    sums.append("In brackets: the error band, wide where nothing was measured.")
    return "\n".join([markdown_table(header, rows), "", *sums])


def check_budget(estimates: list[StepEstimate], gpu_price: float | None, budget: float) -> None:
    """Raise UserError if the run is expected to cost more than the budget, in US dollars."""
    if gpu_price is None:
        raise UserError("a budget needs a price: add --gpu-price, in US dollars a GPU-hour")
    cost = total(each.gpu_hours for each in estimates).middle * gpu_price
    if cost > budget:
        raise UserError(
            f"the run is expected to cost {_dollars(cost)}, above the budget of "
            f"{_dollars(budget)}; take fewer problems, samples or benchmarks, or raise the budget"
        )


def gpus_here() -> int:
    """How many GPUs this machine has."""
    import torch

    return int(torch.cuda.device_count())


def cores() -> int:
    """How many tasks a local run makes at a time."""
    return os.cpu_count() or 1


def _problems(config: Config) -> int:
    return sum(each.limit or _count(config, each) for each in config.data.datasets)


def _count(config: Config, wanted: DatasetConfig) -> int:
    source = Source(data_dir(), None, config.seed, wanted.options)
    return sum(1 for _ in plugins.load("datasets", wanted.name).load(source))


def _benchmarks(config: Config) -> dict[str, int]:
    """How many problems of each benchmark are judged; those that a run would skip are left out."""
    found = {}
    for wanted in config.evaluation.benchmarks:
        try:
            found[wanted.name] = len(problems.load_benchmark(wanted, data_dir(), config.seed))
        except SourceUnavailable:
            if config.evaluation.skip_unavailable:
                continue
            if wanted.limit is None:
                raise
            found[wanted.name] = wanted.limit
    return found


def _gpus(config: Config, here: int) -> dict[str, int]:
    """GPUs of a task, by step: what the config asks of a cluster, else this machine's."""
    return {step: config.resources.of(step).gpu or here for step in ON_GPU}


def _history(config: Config, gpus: int) -> list[Timing]:
    found = []
    for run in runs.past(config.model.path):
        planned = steps(run.config, run.problems, run.benchmarks, _gpus(run.config, gpus))
        by_step = {each.step: each for each in planned}
        found += [
            Timing(step, by_step[step].work, by_step[step].gpus, seconds)
            for step, seconds in run.seconds
            if step in by_step
        ]
    return found


def _row(each: StepEstimate, parallel: int) -> tuple[object, ...]:
    told = f"past tasks: {each.measured}" if each.measured else "an assumption"
    return (
        each.plan.step,
        each.plan.tasks,
        each.plan.gpus,
        _band(each.gpu_hours, _hours) if each.plan.gpus else "",
        _band(each.wall_seconds(parallel), duration),
        told,
    )


def _band(span: Span, show: Callable[[float], str]) -> str:
    return f"{show(span.middle)} [{show(span.low)}, {show(span.high)}]"


def _hours(hours: float) -> str:
    return f"{hours:.2f}" if hours < 10 else f"{hours:,.0f}"


def _dollars(amount: float) -> str:
    return f"${amount:,.2f}"
