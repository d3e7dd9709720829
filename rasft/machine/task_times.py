"""The time of a task from those of past ones: start + work x pace, with the band of the estimate.

Short tasks tell the start, long ones the pace, and what none tells stays assumed. So start and pace
are log-normal around their assumptions, with the spread ASSUMED, and the logarithm of a past task's
seconds is normal around log(start + work x pace), with the spread ONE_MEASUREMENT. The estimate is
the most probable pair. Its variance for other work is that of the fitted curve there (Laplace's
approximation), plus the mean square by which past tasks miss the curve. The band is 1.64 spreads
wide on each side: 90 % where the logarithm is normal.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares

ONE_MEASUREMENT = math.log(1.5)  # data, prompts and machine differ between runs
ASSUMED = math.log(4.0)
BAND = 1.64

Vector = NDArray[np.float64]


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
class Line:
    """Seconds of a task before its work begins, and for each unit of the work; both above 0."""

    start: float
    pace: float


def estimate(assumed: Line, past: Sequence[tuple[float, float]], work: float) -> Span:
    """The seconds of a task with so much work, from the (work, seconds) of past ones."""
    works, seconds = np.array(past, dtype=float).reshape(-1, 2).T
    measured: Vector = np.log(seconds)
    centre: Vector = np.log([assumed.start, assumed.pace])

    def off(logs: Vector) -> Vector:
        return _log_seconds(logs, works) - measured

    fit = least_squares(
        lambda logs: np.concatenate([off(logs) / ONE_MEASUREMENT, (logs - centre) / ASSUMED]),
        centre,
    )
    slope, covariance = _slope(fit.x, work), np.linalg.inv(fit.jac.T @ fit.jac)
    scatter = np.mean(off(fit.x) ** 2) if past else 0.0
    middle = float(np.exp(_log_seconds(fit.x, np.array(work))))
    return _span(middle, math.sqrt(slope @ covariance @ slope + scatter))


def _log_seconds(logs: Vector, works: Vector) -> Vector:
    start, pace = np.exp(logs)
    seconds: Vector = np.log(start + pace * works)
    return seconds


def _slope(logs: Vector, work: float) -> Vector:
    """How the logarithm of the seconds grows with those of start and pace."""
    start, pace = np.exp(logs)
    parts: Vector = np.array([start, pace * work])
    return parts / float(parts.sum())


def _span(middle: float, spread: float) -> Span:
    factor = math.exp(BAND * spread)
    return Span(middle / factor, middle, middle * factor)
