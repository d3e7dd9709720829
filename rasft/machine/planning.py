"""What a run will take, before it runs: tasks, GPU-hours, wall time and cost, each with a band.

A step's work (`step_plans`) is in a unit that its time grows with. Its speed comes from the tasks
of past runs with the same model on as many GPUs (`task_times`), else from an assumption that is
marked. Bands of steps are added as if all were late together.
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
# about 1.5 billion parameters on a data-centre GPU, and of one of 135 million on two cores.
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


def estimate(planned: Iterable[StepPlan], history: Sequence[Timing]) -> list[StepEstimate]:
    """The time of each step, from past tasks of the same step on as many GPUs where there are."""
    return [_estimate(each, history) for each in planned]


def total(spans: Iterable[Span]) -> Span:
    """The sum; nothing is zero."""
    return sum(spans, Span(0.0, 0.0, 0.0))


def _estimate(plan: StepPlan, history: Sequence[Timing]) -> StepEstimate:
    past = [(each.work, each.seconds) for each in history if _tells(each, plan)]
    return StepEstimate(plan, task_times.estimate(_assumed(plan), past, plan.work), len(past))


def _tells(timing: Timing, plan: StepPlan) -> bool:
    same = (timing.step, timing.gpus) == (plan.step, plan.gpus)
    return same and timing.seconds > 0 and bool(timing.work) == bool(plan.work)


def _assumed(plan: StepPlan) -> Line:
    if plan.kind is None:
        return Line(IDLE_SECONDS, pace=1.0)  # of work that it does not have
    speed = ASSUMED_SPEED[plan.kind]["gpu" if plan.gpus else "cpu"] * max(1, plan.gpus)
    return Line(START_SECONDS, 1 / speed)
