"""Equations and inequalities: when two of them say the same, and which value one of them names."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any, Protocol

from rasft.answers.comparing.numeric import Point, Undefined, value_at
from rasft.answers.comparing.ratios import labelled
from rasft.answers.comparing.rules import Rules
from rasft.answers.reading.expression import (
    Apply,
    Node,
    Symbol,
    contains,
    exact_value,
    substitute,
    symbols,
)
from rasft.answers.reading.names import assignment
from rasft.answers.reading.shapes import Relation, Scalar, Shape, Side
from rasft.answers.reading.words import plain

Same = Callable[[Shape, Shape], bool | None]
_LESS = {"<": "<", "\\le": "\\le", ">": "<", "\\ge": "\\le"}
_FUNCTIONS = ("sin", "cos", "tan", "cot", "sec", "csc", "ln", "log")


class _Comparer(Protocol):
    def same(self, gold: Shape, answer: Shape) -> bool | None: ...


def value_of(relation: Relation, matcher: _Comparer) -> Shape | None:
    """The value a relation gives its name: all its other sides must agree; None otherwise."""
    found = assignment(relation)
    if found is None:
        return _labelled(relation, matcher.same)
    _, others = found
    if len(others) == 1:
        return others[0].shape
    exact = _exact_sides(relation, others)
    values = [side.shape for side in exact if not side.name] or [exact[-1].shape]
    agree = all(matcher.same(values[-1], value) is True for value in values[:-1])
    return values[-1] if agree else None


def _exact_sides(relation: Relation, others: Sequence[Side]) -> Sequence[Side]:
    """The sides before the first approximation sign, or all of them when it comes at once."""
    if "\\approx" not in relation.signs[1:]:
        return others
    return others[: relation.signs.index("\\approx", 1)]


def _labelled(relation: Relation, same: Same) -> Shape | None:
    """The right side of `m + n = 5` or `a:b = 1:2`: several names set to a constant."""
    ratio = labelled(relation)
    if ratio is not None:
        return ratio.values
    left, *others = (side.shape for side in relation.sides)
    if set(relation.signs) != {"="} or not isinstance(left, Scalar) or not _is_label(left.node):
        return None
    agree = all(same(others[-1], other) is True for other in others[:-1])
    return others[-1] if agree else None


def _is_label(node: Node) -> bool:
    if isinstance(node, Apply) and node.kind in _FUNCTIONS:
        return bool(symbols(node))
    return len(symbols(node)) >= 2


def agreed_side(gold: Shape, answer: Relation, same: Same) -> bool | None:
    """A chain without a name, `2 + 3 = 5`: every side must agree with the gold."""
    if not set(answer.signs) <= {"=", "\\approx"}:
        return False
    exact = [answer.sides[0]]
    for sign, side in zip(answer.signs, answer.sides[1:], strict=True):
        if sign == "\\approx":
            break
        exact.append(side)
    verdicts = [same(gold, side.shape) for side in exact]
    return all(verdict is True for verdict in verdicts)


def compatible_values(
    first: Side, second: Side, values: tuple[Shape | None, Shape | None], same: Same
) -> bool | None:
    """Compare named values; a function's argument may be renamed, a name may not."""
    gold, answer = values
    assert gold is not None
    assert answer is not None
    if first.variable and second.variable:
        return same(gold, _renamed(answer, second.variable, first.variable))
    kinds = {_kind(first), _kind(second)}
    if first.name == second.name or kinds == {"y", "function"}:
        return same(gold, answer)
    if _described(first.name) or _described(second.name):
        return same(gold, answer)
    return None


def _kind(side: Side) -> str:
    return "function" if side.name.endswith(")") else side.name


def _described(name: str) -> bool:
    """A name in words, such as "Area", is a description and not another unknown."""
    return len(name) > 3 and name.replace(" ", "").isalpha() and not name.isupper()


def _renamed(shape: Shape, old: str, new: str) -> Shape:
    if not isinstance(shape, Scalar) or old == new or new in symbols(shape.node):
        return shape
    return Scalar(substitute(shape.node, old, Symbol(new)), shape.unit)


def same_equation(gold: Relation, answer: Relation, rules: Rules, same: Same) -> bool | None:
    """Two equations: the differences of their sides are proportional at random points."""
    if gold.signs != ("=",) or answer.signs != ("=",):
        return None
    swapped = zip(gold.sides, answer.sides[::-1], strict=True)
    if all(same(g.shape, a.shape) is True for g, a in swapped):
        return True
    differences = _difference(gold), _difference(answer)
    if differences[0] is None or differences[1] is None:
        return None
    names = symbols(differences[0]) | symbols(differences[1])
    if symbols(differences[0]) != symbols(differences[1]) or not names:
        return False
    ratios = _ratios(differences[0], differences[1], sorted(names))
    if not ratios:
        return None
    if all(abs(ratio - ratios[0]) <= abs(ratios[0]) * 1e-25 for ratio in ratios):
        return True
    return rules.proportional and _monomial_ratio(differences[0], differences[1], names)


def _difference(relation: Relation) -> Node | None:
    sides = [side.shape for side in relation.sides]
    if not all(isinstance(side, Scalar) for side in sides):
        return None
    left, right = (side.node for side in sides if isinstance(side, Scalar))
    return Apply("add", (left, Apply("neg", (right,))))


def _random_points(names: list[str], count: int, *, signed: bool = False) -> list[Point]:
    """Reproducible points, of both signs where an absolute value makes the sign matter."""
    chance = random.Random(repr(names))
    signs = (1, -1) if signed else (1,)
    return [
        {
            name: signs[number % len(signs)]
            * Fraction(chance.randint(300_000, 2_500_000), 1_000_003)
            for name in names
        }
        for number in range(count)
    ]


def _ratios(first: Node, second: Node, names: list[str]) -> list[Any]:
    ratios = []
    signed = any(contains(node, "abs", "sgn") for node in (first, second))
    for point in _random_points(names, 12, signed=signed):
        try:
            below = value_at(second, point)
            if below != 0:
                ratios.append(value_at(first, point) / below)
        except Undefined:
            continue
    return ratios if len(ratios) >= 4 else []


def _monomial_ratio(first: Node, second: Node, names: frozenset[str]) -> bool:
    """Whether the ratio is a product of powers of parameters, up to a constant.

    Doubling a variable then multiplies the ratio by one power of two, wherever that is done; a
    derivative is no parameter.
    """
    ratio = Apply("div", (first, second))
    return all(
        _is_power(ratio, name, sorted(names), (0,) if "'" in name else (-2, -1, 0, 1, 2))
        for name in names
    )


def _is_power(ratio: Node, name: str, names: list[str], powers: Sequence[int]) -> bool:
    try:
        changes = [
            value_at(ratio, point | {name: 2 * point[name]}) / value_at(ratio, point)
            for point in _random_points(names, 4)
        ]
    except (Undefined, ZeroDivisionError):
        return False
    return any(all(abs(c / 2.0**power - 1) < 1e-12 for c in changes) for power in powers)


def same_chain(gold: Relation, answer: Relation, same: Same) -> bool | None:
    """Chains of inequalities, side by side, in either direction; then as one difference."""
    first, second = _upward(gold), _upward(answer)
    if first is None or second is None:
        return False
    if first[1] == second[1] and len(first[0]) == len(second[0]):
        verdicts = [same(g.shape, a.shape) for g, a in zip(first[0], second[0], strict=True)]
        if all(verdict is True for verdict in verdicts):
            return True
    if len(first[1]) != 1 or first[1] != second[1]:
        return False
    return _same_direction(first[0], second[0])


def _upward(relation: Relation) -> tuple[tuple[Side, ...], tuple[str, ...]] | None:
    """The chain written with < and \\le only."""
    if set(relation.signs) <= {"<", "\\le"}:
        return relation.sides, relation.signs
    if set(relation.signs) <= {">", "\\ge"}:
        return relation.sides[::-1], tuple(_LESS[sign] for sign in relation.signs[::-1])
    return None


def _same_direction(gold: tuple[Side, ...], answer: tuple[Side, ...]) -> bool | None:
    differences = [_difference(Relation(sides, ("=",))) for sides in (gold, answer)]
    if differences[0] is None or differences[1] is None:
        return False
    names = symbols(differences[0])
    if names != symbols(differences[1]) or not names:
        return False
    ratios = _ratios(differences[0], differences[1], sorted(names))
    steady = bool(ratios) and all(abs(r - ratios[0]) <= abs(ratios[0]) * 1e-25 for r in ratios)
    return steady and getattr(ratios[0], "imag", 0) == 0 and ratios[0] > 0


def congruent(gold: Shape, answer: Shape, modulus: Shape) -> bool | None:
    """Whether two whole numbers differ by a multiple of the modulus; None without such numbers."""
    values = [_whole(shape) for shape in (gold, answer, modulus)]
    if values[0] is None or values[1] is None or not values[2]:
        return None
    return (values[0] - values[1]) % values[2] == 0


def _whole(shape: Shape) -> int | None:
    try:
        value = exact_value(shape.node) if isinstance(shape, Scalar) else None
    except ZeroDivisionError:
        return None
    return int(value) if value is not None and value.denominator == 1 else None


def symbol_name(shape: Scalar) -> str | None:
    """The name of a scalar that is one symbol or a number, for comparison with words."""
    if isinstance(shape.node, Symbol):
        return plain(shape.node.name)
    try:
        value = exact_value(shape.node)
    except ZeroDivisionError:
        return None
    if value is None or value.denominator != 1:
        return None
    return plain(f"{value.numerator} {shape.unit}")
