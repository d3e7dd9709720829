"""Numeric comparison of expressions with many digits, at random points where there are variables.

Exact rationals decide alone. Otherwise both sides are evaluated with 60 digits, which refutes
nearly every wrong answer, and an agreement is confirmed with 400. Random rational points make two
different closed forms agree with vanishing probability; where a floor, factorial or binomial
appears the points are positive integers of both parities.
"""

from __future__ import annotations

import random
from fractions import Fraction
from typing import Any

from rasft.answers.comparing.numeric import (
    ROUGH_DIGITS,
    SURE_DIGITS,
    Point,
    Undefined,
    context,
    value_at,
)
from rasft.answers.reading.expression import DISCRETE, Node, contains, exact_value, symbols

POINTS = 6
WHOLE_POINTS = 40
_TRIES = 12


def equal(first: Node, second: Node) -> bool | None:
    """Whether two expressions are equal; None when no point defines both."""
    try:
        exact = exact_value(first), exact_value(second)
    except ZeroDivisionError:
        return None
    if exact[0] is not None and exact[1] is not None:
        return exact[0] == exact[1]
    if first == second:
        return True
    names = sorted(symbols(first) | symbols(second))
    if not names:
        return _equal_at(first, second, {})
    return _equal_at_points(first, second, names)


def _equal_at_points(first: Node, second: Node, names: list[str]) -> bool | None:
    points = _points(first, second, names)
    agreed: list[Point] = []
    for point in points:
        verdict = _equal_at(first, second, point, sure=not agreed)
        if verdict is False:
            return False
        if verdict is True:
            agreed.append(point)
        if len(agreed) == POINTS and len(points) == _TRIES:
            return True
    return True if len(agreed) >= POINTS else None


def _points(first: Node, second: Node, names: list[str]) -> list[Point]:
    """Reproducible points: the same variables always take the same values."""
    chance = random.Random(repr(names))
    if any(contains(node, *DISCRETE) for node in (first, second)):
        return _whole_points(chance, names)
    signed = any(contains(node, "abs", "sgn") for node in (first, second))
    signs = (1, -1) if signed else (1,)
    return [
        {name: signs[number % len(signs)] * _rational(chance) for name in names}
        for number in range(_TRIES)
    ]


def _whole_points(chance: random.Random, names: list[str]) -> list[Point]:
    """Every small integer for one variable, where floors change; random ones for several."""
    if len(names) == 1:
        return [{names[0]: Fraction(value)} for value in range(1, WHOLE_POINTS + 1)]
    return [{name: Fraction(chance.randint(1, 16)) for name in names} for _ in range(WHOLE_POINTS)]


def _rational(chance: random.Random) -> Fraction:
    return Fraction(chance.randint(400_001, 2_199_999), 1_000_003)


def _equal_at(first: Node, second: Node, point: Point, *, sure: bool = True) -> bool | None:
    """Whether two values agree at a point; `sure` confirms an agreement with more digits."""
    try:
        rough = value_at(first, point), value_at(second, point)
        if not _may_be_equal(*rough):
            return False
        if not sure:
            return True
        fine = value_at(first, point, SURE_DIGITS), value_at(second, point, SURE_DIGITS)
    except Undefined:
        return None
    return _equal_settled(_settled(rough[0], fine[0]), _settled(rough[1], fine[1]))


def _may_be_equal(first: Any, second: Any) -> bool:
    mp = context(ROUGH_DIGITS)
    if mp.isinf(first) or mp.isinf(second):
        return bool(first == second)
    size = max(abs(first), abs(second))
    small = mp.mpf(10) ** (-ROUGH_DIGITS // 2)
    return bool(abs(first - second) <= small * max(size, small))


def _settled(rough: Any, fine: Any) -> Any:
    """The fine value, or 0 when it is the rounding noise of a zero: more digits shrink noise."""
    small = context(SURE_DIGITS).mpf(10) ** (-ROUGH_DIGITS // 2)
    return 0 if abs(fine) < small * abs(rough) else fine


def _equal_settled(first: Any, second: Any) -> bool:
    mp = context(SURE_DIGITS)
    if mp.isinf(first) or mp.isinf(second):
        return bool(first == second)
    small = mp.mpf(10) ** (-SURE_DIGITS // 2)
    return bool(abs(first - second) <= small * max(abs(first), abs(second)))
