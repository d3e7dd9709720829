"""Expression trees: immutable, hashable, with a bounded exact value where they are rational."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

from rasft.answers.reading.bounds import MOST_EXACT_BITS, MOST_FACTORIAL, TooLarge


@dataclass(frozen=True, slots=True)
class Number:
    """An exact rational; `text` is how it was written, for rules about decimal places."""

    value: Fraction
    text: str = ""


@dataclass(frozen=True, slots=True)
class Symbol:
    """A variable, with its subscript and accents in the name."""

    name: str


@dataclass(frozen=True, slots=True)
class Apply:
    """An operation on operands: "add", "mul", "pow", ..., a constant ("pi") or a function."""

    kind: str
    operands: tuple[Node, ...] = ()


Node = Number | Symbol | Apply

CONSTANTS = ("pi", "e", "i", "infinity")
DISCRETE = ("floor", "ceil", "factorial", "binomial", "gcd", "lcm", "mod")


def number(value: int | Fraction) -> Number:
    """A number node."""
    return Number(Fraction(value))


def symbols(node: Node) -> frozenset[str]:
    """The names of the variables in a tree."""
    if isinstance(node, Symbol):
        return frozenset((node.name,))
    if isinstance(node, Apply):
        return frozenset().union(*(symbols(part) for part in node.operands))
    return frozenset()


def contains(node: Node, *kinds: str) -> bool:
    """Whether any operation in the tree is one of `kinds`."""
    return isinstance(node, Apply) and (
        node.kind in kinds or any(contains(part, *kinds) for part in node.operands)
    )


def substitute(node: Node, name: str, replacement: Node) -> Node:
    """The tree with one variable replaced."""
    if isinstance(node, Symbol):
        return replacement if node.name == name else node
    if isinstance(node, Apply):
        return Apply(
            node.kind, tuple(substitute(part, name, replacement) for part in node.operands)
        )
    return node


@lru_cache(maxsize=8_192)
def exact_value(node: Node) -> Fraction | None:
    """The tree's rational value, or None when it has none that is cheap to compute.

    Raises TooLarge for rational values whose digits would not fit the bounds and
    ZeroDivisionError where the tree divides by zero.
    """
    if isinstance(node, Number):
        return node.value
    if isinstance(node, Symbol):
        return None
    values = [exact_value(part) for part in node.operands]
    known = [value for value in values if value is not None]
    if len(known) < len(values) or not known:
        return None
    return _bounded(_combine(node.kind, known))


def _bounded(value: Fraction | None) -> Fraction | None:
    if value is None:
        return None
    bits = max(value.numerator.bit_length(), value.denominator.bit_length())
    if bits > MOST_EXACT_BITS:
        raise TooLarge(f"a number of {bits} bits")
    return value


def _combine(kind: str, values: list[Fraction]) -> Fraction | None:
    first = values[0]
    if kind == "add":
        return sum(values, Fraction(0))
    if kind == "mul":
        return math.prod(values, start=Fraction(1))
    if kind == "neg":
        return -first
    if kind == "div":
        return first / values[1]
    if kind == "pow":
        return _power(first, values[1])
    if kind == "sqrt":
        return _root(first, 2)
    if kind == "root":
        return _nth_root(first, values[1])
    if kind == "percent":
        return first / 100
    if kind == "abs":
        return abs(first)
    return _whole(kind, values)


def _whole(kind: str, values: list[Fraction]) -> Fraction | None:
    first = values[0]
    if kind == "floor":
        return Fraction(math.floor(first))
    if kind == "ceil":
        return Fraction(math.ceil(first))
    if any(value.denominator != 1 or value < 0 for value in values):
        return None
    integers = [int(value) for value in values]
    if kind == "factorial":
        return Fraction(math.factorial(integers[0])) if integers[0] <= 2_000 else None
    if kind == "binomial":
        small = integers[0] <= MOST_FACTORIAL
        return Fraction(math.comb(integers[0], integers[1])) if small else None
    if kind in ("gcd", "lcm"):
        return Fraction(math.gcd(*integers) if kind == "gcd" else math.lcm(*integers))
    return None


def _power(base: Fraction, exponent: Fraction) -> Fraction | None:
    if exponent.denominator != 1:
        if base < 0 or exponent.denominator > 64:
            return None
        root = _root(base, exponent.denominator)
        return None if root is None else _power(root, Fraction(exponent.numerator))
    power = exponent.numerator
    bits = max(base.numerator.bit_length(), base.denominator.bit_length())
    if base not in (0, 1, -1) and bits * abs(power) > MOST_EXACT_BITS:
        return None
    if abs(power) > 2**62:
        return None if base == -1 else base
    return base**power


def _nth_root(value: Fraction, degree: Fraction) -> Fraction | None:
    if degree.denominator != 1 or not 0 < degree <= 64:
        return None
    if value < 0 and degree % 2 == 1:
        root = _root(-value, int(degree))
        return None if root is None else -root
    return _root(value, int(degree))


def _root(value: Fraction, degree: int) -> Fraction | None:
    if value < 0:
        return None
    above, below = _integer_root(value.numerator, degree), _integer_root(value.denominator, degree)
    return None if above is None or below is None else Fraction(above, below)


def _integer_root(value: int, degree: int) -> int | None:
    if degree == 2:
        root = math.isqrt(value)
        return root if root * root == value else None
    if value.bit_length() > 2_000:
        return None
    root = round(value ** (1 / degree)) if value.bit_length() < 900 else 0
    return next((near for near in (root - 1, root, root + 1) if near**degree == value), None)
