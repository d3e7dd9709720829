"""`rasft plan`: what a config will take, estimated before anything runs, against a budget."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rasft.config.settings import Config
from rasft.data.sizes import Size, size_of
from rasft.errors import UserError
from rasft.machine.disk_plan import DiskPlan, disk_plan
from rasft.machine.planning import OF_SIZE, StepEstimate, Timing, estimate, total
from rasft.machine.step_plans import steps
from rasft.machine.task_times import Span
from rasft.models.parameters import known_parameters
from rasft.progress import duration
from rasft.report.markdown import markdown_table
from rasft.results import runs
from rasft.stages.prepare import data_dir

# Where a machine's GPUs are used
ON_GPU = ("warmup", "score", "rollout", "sample", "train", "evaluate")


@dataclass(frozen=True)
class Plan:
    """The estimate of each step, what was assumed of the data, a phrase each, and the disk."""

    estimates: list[StepEstimate]
    assumed: list[str]
    disk: DiskPlan | None  # None: no model is trained, or its size is unknown


def plan(config: Config, gpus: int) -> Plan:
    """What a run will take where a task that uses GPUs gets `gpus` of them; no hub is asked.

    Raises UserError where the number of problems cannot be told.
    """
    where = data_dir(), config.seed
    datasets = [size_of("datasets", each, *where) for each in config.data.datasets]
    judged = [size_of("benchmarks", each, *where) for each in config.evaluation.benchmarks]
    problems = sum(each.problems for each in datasets)
    benchmarks = {each.name: each.problems for each in judged}
    planned = steps(config, problems, benchmarks, gpus_of_steps(config, gpus))
    assumed = _published([*datasets, *judged]) + _limits([*datasets, *judged])
    if config.evaluation.skip_unavailable and not all(each.counted for each in judged):
        assumed.append("every benchmark is there; a run skips one that it cannot load")
    size = None if config.models else known_parameters(config.model)
    active = size.active if size else None
    estimates = estimate(planned, _history(config, gpus), active)
    disk = disk_plan(config, size.total) if size else None
    return Plan(estimates, assumed + _speeds(estimates, active), disk)


def render(plan: Plan, parallel: int, gpu_price: float | None, budget: float | None) -> str:
    """The plan as text: a row a step, then the sums and assumptions. Costs in US dollars."""
    estimates = plan.estimates
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
    sums += [f"disk        {plan.disk.told()}"] if plan.disk else []
    sums += [f"assumed     {each}" for each in plan.assumed]
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


def _published(sizes: Sequence[Size]) -> list[str]:
    stated = [each for each in sizes if each.published is not None]
    if not stated:
        return []
    first, *others = stated
    told = ", ".join([f"{_told(first)} problems", *map(_told, others)])
    return [f"{told} (as published; nothing of them was loaded)"]


def _speeds(estimates: Sequence[StepEstimate], parameters: float | None) -> list[str]:
    """What the assumed speeds are those of; nothing where every speed was measured."""
    if not any(each.plan.kind not in (None, "verify") and not each.measured for each in estimates):
        return []
    if parameters is None:
        gpu, cpu = (_billions(OF_SIZE[device]) for device in ("gpu", "cpu"))
        return [f"speeds of a model of {gpu} parameters on a GPU, of {cpu} on two cores"]
    return [f"speeds of a model of {_billions(parameters)} parameters"]


def _billions(parameters: float) -> str:
    return (
        f"{parameters / 1e9:.3g} billion"
        if parameters >= 1e9
        else f"{parameters / 1e6:.3g} million"
    )


def _told(size: Size) -> str:
    whole = "" if size.published == size.problems else f" of {size.published:,}"
    return f"{size.name} {size.problems:,}{whole}"


def _limits(sizes: Sequence[Size]) -> list[str]:
    return [
        f"{each.name} {each.problems:,} problems (its limit; the rows are not here)"
        for each in sizes
        if not each.counted and each.published is None
    ]


def gpus_of_steps(config: Config, here: int) -> dict[str, int]:
    """GPUs of a task, by step: what the config asks of a cluster, else this machine's."""
    return {step: config.resources.of(step).gpu or here for step in ON_GPU}


def _history(config: Config, gpus: int) -> list[Timing]:
    found = []
    for run in runs.past(config.model.path):
        planned = steps(run.config, run.problems, run.benchmarks, gpus_of_steps(run.config, gpus))
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
