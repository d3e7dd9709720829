"""What a run will take, before it runs: tasks, GPU-hours, wall time and cost, each with a band.

A step's work (`step_plans`) is in a unit that its time grows with. Its speed comes from the tasks
of past runs with the same model on as many GPUs, else from an assumption that is marked.

On the scale of logarithms a past task is one measurement. With n of them of standard deviation s,
the spread of the estimate is sqrt((s^2 (n - 1) + S^2) / n), where S stands for what one measurement
alone cannot tell; the band is 1.64 spreads wide on each side, 90 % where the logarithm is normal.
Bands of steps are added as if all were late together.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rasft.machine.step_plans import StepPlan

START_SECONDS = 10.0  # of a task that loads a model: grows with nothing below
IDLE_SECONDS = 3.0  # of one that does not
ONE_MEASUREMENT = math.log(1.5)  # S: data, prompts and machine differ between runs
ASSUMED = math.log(4.0)  # the spread of an assumption
BAND = 1.64

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
class Span:
    """A figure with its band."""

    low: float
    middle: float
    high: float

    def __add__(self, other: Span) -> Span:
        return Span(self.low + other.low, self.middle + other.middle, self.high + other.high)

    def times(self, factor: float) -> Span:
        """The same, scaled."""
        return Span(self.low * factor, self.middle * factor, self.high * factor)


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
    past = [
        _scaled(plan, timing)
        for timing in history
        if (timing.step, timing.gpus) == (plan.step, plan.gpus) and timing.seconds > 0
    ]
    if not past:
        return StepEstimate(plan, _span(_assumed_seconds(plan), ASSUMED), 0)
    logs = [math.log(seconds) for seconds in past]
    count = len(logs)
    variance = statistics.variance(logs) if count > 1 else 0.0
    spread = math.sqrt((variance * (count - 1) + ONE_MEASUREMENT**2) / count)
    return StepEstimate(plan, _span(math.exp(statistics.mean(logs)), spread), count)


def _scaled(plan: StepPlan, timing: Timing) -> float:
    """The seconds of a past task if it had this plan's work: the start does not grow with it."""
    fixed = min(timing.seconds, _start(plan))
    ratio = plan.work / timing.work if timing.work else 1.0
    return fixed + (timing.seconds - fixed) * ratio


def _assumed_seconds(plan: StepPlan) -> float:
    if plan.kind is None:
        return IDLE_SECONDS
    speed = ASSUMED_SPEED[plan.kind]["gpu" if plan.gpus else "cpu"] * max(1, plan.gpus)
    return _start(plan) + plan.work / speed


def _start(plan: StepPlan) -> float:
    return START_SECONDS if plan.kind else IDLE_SECONDS


def _span(middle: float, spread: float) -> Span:
    factor = math.exp(BAND * spread)
    return Span(middle / factor, middle, middle * factor)
