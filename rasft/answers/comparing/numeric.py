"""The numeric value of an expression at a point, to a chosen number of digits.

Every operation refuses a size that would take long (`bounds`) before it computes anything.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from functools import lru_cache
from typing import Any

from mpmath.ctx_mp import MPContext

from rasft.answers.reading.bounds import MOST_EXPONENT, MOST_FACTORIAL, TooLarge
from rasft.answers.reading.expression import Apply, Node, Number, Symbol, contains

ROUGH_DIGITS, SURE_DIGITS = 60, 400
Point = dict[str, Fraction]


class Undefined(ValueError):
    """The expression has no finite value at this point."""


@lru_cache(maxsize=8)
def context(digits: int) -> Any:
    """The arithmetic with that many digits, apart from mpmath's global one."""
    made = MPContext()
    made.dps = digits
    return made


def value_at(node: Node, point: Point, digits: int = ROUGH_DIGITS) -> Any:
    """The value (mpf or mpc) at a point; raises Undefined, or TooLarge before heavy work."""
    mp = context(digits)
    try:
        value = _evaluate(node, point, mp)
    except (ZeroDivisionError, ValueError, OverflowError, TypeError) as error:
        if isinstance(error, TooLarge):
            raise
        raise Undefined(str(error)) from error
    if mp.isnan(value):
        raise Undefined("not a number")
    return value


def _evaluate(node: Node, point: Point, mp: Any) -> Any:
    if isinstance(node, Number):
        return _quotient(node.value, mp)
    if isinstance(node, Symbol):
        return _quotient(point[node.name], mp)
    constant = _CONSTANTS.get(node.kind)
    if constant is not None:
        return constant(mp)
    if node.kind in ("sin", "cos", "tan", "cot", "sec", "csc", "cis") and _in_degrees(node):
        node = Apply(node.kind, (_radians(node.operands[0]),))
    values = [_evaluate(part, point, mp) for part in node.operands]
    operation = _OPERATIONS.get(node.kind)
    if operation is None:
        raise Undefined(node.kind)
    return operation(mp, *values)


def _in_degrees(node: Apply) -> bool:
    return contains(node.operands[0], "degree")


@lru_cache(maxsize=1_024)
def _radians(node: Node) -> Node:
    """Degree marks as factors of pi/180."""
    if not isinstance(node, Apply):
        return node
    inside = tuple(_radians(part) for part in node.operands)
    if node.kind == "degree":
        return Apply("div", (Apply("mul", (*inside, Apply("pi"))), Number(Fraction(180))))
    return Apply(node.kind, inside)


def _quotient(value: Fraction, mp: Any) -> Any:
    return mp.mpf(value.numerator) / value.denominator


def _power(mp: Any, base: Any, exponent: Any) -> Any:
    if base == 0:
        if mp.re(exponent) <= 0:
            raise Undefined("a power of zero")
        return mp.mpf(0)
    size = abs(mp.re(exponent)) * abs(mp.log(abs(base), 2))
    if size > MOST_EXPONENT or abs(exponent) > 10**9:
        raise TooLarge("a power beyond the bounds")
    return mp.power(base, exponent)


def _factorial(mp: Any, value: Any) -> Any:
    if abs(value) > MOST_FACTORIAL:
        raise TooLarge("a factorial beyond the bounds")
    if mp.im(value) == 0 and mp.re(value) < 0:
        raise Undefined("a factorial of a negative number")
    return mp.factorial(value)


def _binomial(mp: Any, above: Any, below: Any) -> Any:
    if max(abs(above), abs(below)) > MOST_FACTORIAL:
        raise TooLarge("a binomial beyond the bounds")
    return mp.binomial(above, below)


def _exponential(mp: Any, value: Any) -> Any:
    if abs(value) > MOST_EXPONENT:
        raise TooLarge("an exponential beyond the bounds")
    return mp.exp(value)


def _trigonometric(name: str) -> Callable[..., Any]:
    def evaluate(mp: Any, value: Any) -> Any:
        if abs(value) > 10**30 or abs(mp.im(value)) > 10**4:
            raise TooLarge(f"{name} of a value beyond the bounds")
        return getattr(mp, name)(value)

    return evaluate


def _cis(mp: Any, value: Any) -> Any:
    return _trigonometric("cos")(mp, value) + mp.mpc(0, 1) * _trigonometric("sin")(mp, value)


def _logarithm(mp: Any, value: Any) -> Any:
    if value == 0:
        raise Undefined("the logarithm of zero")
    return mp.log(value)


def _rounded(name: str) -> Callable[..., Any]:
    def evaluate(mp: Any, value: Any) -> Any:
        if abs(value) > mp.mpf(10) ** (mp.dps // 2):
            raise TooLarge(f"{name} of a value beyond the precision")
        nearest = mp.nint(mp.re(value))
        near = abs(value - nearest) < mp.mpf(10) ** (-mp.dps // 2)
        return nearest if near else getattr(mp, name)(mp.re(value))

    return evaluate


def _whole(value: Any) -> int:
    if value != int(value) or abs(value) > 10**15:
        raise Undefined("no whole number")
    return int(value)


def _gcd(mp: Any, *values: Any) -> Any:
    return mp.mpf(math.gcd(*(_whole(value) for value in values)))


def _lcm(mp: Any, *values: Any) -> Any:
    return mp.mpf(math.lcm(*(_whole(value) for value in values)))


def _root(mp: Any, value: Any, degree: Any) -> Any:
    """The real root of a negative number where the degree is odd, else the principal one."""
    odd = mp.im(degree) == 0 and mp.re(degree) % 2 == 1
    if odd and mp.im(value) == 0 and mp.re(value) < 0:
        return -_power(mp, -value, 1 / degree)
    return _power(mp, value, 1 / degree)


_CONSTANTS: dict[str, Callable[[Any], Any]] = {
    "pi": lambda c: +c.pi,
    "e": lambda c: +c.e,
    "i": lambda c: c.mpc(0, 1),
    "infinity": lambda c: c.inf,
}
_OPERATIONS: dict[str, Callable[..., Any]] = {
    "add": lambda c, *values: sum(values[1:], values[0]),
    "mul": lambda c, *values: values[0] * values[1],
    "div": lambda c, a, b: a / b,
    "neg": lambda c, a: -a,
    "pow": _power,
    "sqrt": lambda c, a: c.sqrt(a),
    "root": _root,
    "abs": lambda c, a: abs(a),
    "sgn": lambda c, a: c.sign(a),
    "degree": lambda c, a: a,
    "percent": lambda c, a: a / 100,
    "factorial": _factorial,
    "binomial": _binomial,
    "exp": _exponential,
    "cis": _cis,
    "ln": _logarithm,
    "log": lambda c, a: _logarithm(c, a) / c.log(10),
    "floor": _rounded("floor"),
    "ceil": _rounded("ceil"),
    "max": lambda c, *values: max(values),
    "min": lambda c, *values: min(values),
    "gcd": _gcd,
    "lcm": _lcm,
    "arcsin": lambda c, a: c.asin(a),
    "arccos": lambda c, a: c.acos(a),
    "arctan": lambda c, a: c.atan(a),
    "arccot": lambda c, a: c.acot(a),
    **{
        name: _trigonometric(name)
        for name in ("sin", "cos", "tan", "cot", "sec", "csc", "sinh", "cosh", "tanh", "coth")
    },
}
