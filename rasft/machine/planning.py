"""What a run will take, before it runs: tasks, GPU-hours, wall time and cost, each with a band.

A step's work (`step_plans`) is in a unit that its time grows with. Its speed comes from the tasks
of past runs with the same model on as many GPUs (`task_times`), else from an assumption that is
marked: the speed of a model of a known size, scaled with the size. Bands of steps are added as if
all were late together.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rasft.machine import task_times
from rasft.machine.step_plans import StepPlan
from rasft.machine.task_times import Line, Span

START_SECONDS = 10.0  # of a task that loads a model
IDLE_SECONDS = 3.0  # of one that does not

# Work a second where no run tells: tokens, or samples where a verifier judges them. Of a model of
# OF_SIZE parameters on a data-centre GPU, and on two cores.
OF_SIZE = {"gpu": 1.5e9, "cpu": 135e6}
MOST_SPEEDUP = 30.0  # of a small model: what is not computing does not shrink with it
ASSUMED_SPEED = {
    "generate": {"gpu": 3000.0, "cpu": 150.0},
    "score": {"gpu": 20000.0, "cpu": 600.0},
    "train": {"gpu": 8000.0, "cpu": 250.0},
    "verify": {"gpu": 50.0, "cpu": 50.0},
}


@dataclass(frozen=True)
class Timing:
    """One task of a past run: how much work took how long."""

    step: str
    work: float
    gpus: int
    seconds: float


@dataclass(frozen=True)
class StepEstimate:
    """One step with the time of one task, in seconds, and how many past tasks tell it."""

    plan: StepPlan
    seconds: Span
    measured: int

    def wall_seconds(self, parallel: int) -> Span:
        """Of the whole step with `parallel` tasks at a time."""
        turns = 1 if self.plan.together else math.ceil(self.plan.tasks / parallel)
        return self.seconds.times(turns)

    @property
    def gpu_hours(self) -> Span:
        """Of all its tasks."""
        return self.seconds.times(self.plan.tasks * self.plan.gpus / 3600)


def estimate(
    planned: Iterable[StepPlan], history: Sequence[Timing], parameters: float | None = None
) -> list[StepEstimate]:
    """The time of each step, from past tasks of the same step on as many GPUs where there are.

    `parameters` of the model: None assumes those of OF_SIZE.
    """
    return [_estimate(each, history, parameters) for each in planned]


def total(spans: Iterable[Span]) -> Span:
    """The sum; nothing is zero."""
    return sum(spans, Span(0.0, 0.0, 0.0))


def _estimate(plan: StepPlan, history: Sequence[Timing], parameters: float | None) -> StepEstimate:
    past = [(each.work, each.seconds) for each in history if _tells(each, plan)]
    seconds = task_times.estimate(_assumed(plan, parameters), past, plan.work)
    return StepEstimate(plan, seconds, len(past))


def _tells(timing: Timing, plan: StepPlan) -> bool:
    same = (timing.step, timing.gpus) == (plan.step, plan.gpus)
    return same and timing.seconds > 0 and bool(timing.work) == bool(plan.work)


def _assumed(plan: StepPlan, parameters: float | None) -> Line:
    if plan.kind is None:
        return Line(IDLE_SECONDS, pace=1.0)  # of work that it does not have
    device = "gpu" if plan.gpus else "cpu"
    speed = ASSUMED_SPEED[plan.kind][device] * max(1, plan.gpus)
    of_model = 1.0 if plan.kind == "verify" else _speedup(device, parameters)
    return Line(START_SECONDS, 1 / (speed * of_model))


def _speedup(device: str, parameters: float | None) -> float:
    return min(MOST_SPEEDUP, OF_SIZE[device] / (parameters or OF_SIZE[device]))
