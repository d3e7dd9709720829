"""Whether two scalars are equal: values, units, percent and degree marks, stated tolerances."""

from __future__ import annotations

from fractions import Fraction

from rasft.answers.comparing.decimals import agrees_in_every_digit
from rasft.answers.comparing.numeric import Undefined, value_at
from rasft.answers.comparing.probes import equal
from rasft.answers.comparing.readings import parameter_renamed, real_roots
from rasft.answers.comparing.rules import Rules
from rasft.answers.reading.expression import (
    Apply,
    Node,
    Number,
    Symbol,
    contains,
    exact_value,
    number,
    substitute,
    symbols,
)
from rasft.answers.reading.shapes import Scalar
from rasft.answers.reading.units import measure


def same_scalar(gold: Scalar, answer: Scalar, rules: Rules, tolerance: float | None) -> bool | None:
    """Whether the answer's amount is the gold's; None when neither can be evaluated."""
    if rules.rename_constant:
        answer = Scalar(_same_constant(gold.node, answer.node), answer.unit)
    answer = Scalar(parameter_renamed(gold.node, answer.node), answer.unit)
    verdict: bool | None = False
    for left, right in _readings(gold, answer, rules):
        verdict = _equal(left, right)
        if verdict is not False:
            return verdict
        if _within(left, right, rules, tolerance):
            return True
        if rules.long_decimals and agrees_in_every_digit(left, right):
            return True
    return verdict


def _equal(gold: Node, answer: Node) -> bool | None:
    """Equal as written, or with every odd root real."""
    verdict = equal(gold, answer)
    if verdict is not False:
        return verdict
    real = real_roots(gold), real_roots(answer)
    return equal(*real) if real != (gold, answer) else verdict


def _same_constant(gold: Node, answer: Node) -> Node:
    """The answer with its constant of integration named as in the gold."""
    missing, extra = symbols(gold) - symbols(answer), symbols(answer) - symbols(gold)
    if len(missing) == len(extra) == 1 and (missing | extra) == {"c", "C"}:
        return substitute(answer, next(iter(extra)), Symbol(next(iter(missing))))
    return answer


def _readings(gold: Scalar, answer: Scalar, rules: Rules) -> list[tuple[Node, Node]]:
    """Pairs of values to compare: units converted, or ignored where one side has none."""
    plain = (gold.node, answer.node)
    if "%" in (_short(gold.unit), _short(answer.unit)):
        return _percent_readings(gold, answer)
    known = measure(gold.unit), measure(answer.unit)
    if known[0] is None or known[1] is None:
        return [plain, *_angle_readings(gold, answer)]
    if known[0][0] != known[1][0]:
        return [plain] if rules.ignore_units else []
    converted = _scaled(answer.node, known[1][1] / known[0][1])
    return [(gold.node, converted)] + ([plain] if rules.ignore_units else [])


def _short(unit: str) -> str:
    return "%" if unit.strip().lower() in ("%", "\\%", "percent") else unit


def _percent_readings(gold: Scalar, answer: Scalar) -> list[tuple[Node, Node]]:
    """A percent sign divides by 100, or is a unit that one side left out of a whole amount."""
    marks = _short(gold.unit) == "%", _short(answer.unit) == "%"
    plain = (gold.node, answer.node)
    if all(marks):
        return [plain]
    if marks[0]:
        return [plain, (_scaled(gold.node, Fraction(1, 100)), answer.node)]
    divided = (gold.node, _scaled(answer.node, Fraction(1, 100)))
    return [divided] if _is_share(gold.node) else [divided, plain]


def _is_share(node: Node) -> bool:
    """Between -1 and 1: a share, for which a percent sign cannot be mere decoration."""
    try:
        value = value_at(node, {}) if not symbols(node) else 2
    except Undefined:
        return False
    return bool(abs(value) < 1)


def _angle_readings(gold: Scalar, answer: Scalar) -> list[tuple[Node, Node]]:
    """Degrees against radians, where one side carries the mark and the other has pi."""
    if _in_degrees(gold) and contains(answer.node, "pi"):
        return [(_radians(gold.node), answer.node)]
    if _in_degrees(answer) and contains(gold.node, "pi"):
        return [(gold.node, _radians(answer.node))]
    return []


def _in_degrees(scalar: Scalar) -> bool:
    found = measure(scalar.unit)
    return found is not None and found[0] == (("angle", 1),)


def _radians(node: Node) -> Node:
    return Apply("mul", (node, Apply("div", (Apply("pi"), number(180)))))


def _scaled(node: Node, factor: Fraction) -> Node:
    return node if factor == 1 else Apply("mul", (node, number(factor)))


def _within(gold: Node, answer: Node, rules: Rules, tolerance: float | None) -> bool:
    """Whether the answer is inside a tolerance that the benchmark states."""
    if tolerance is None and not rules.half_unit and not rules.relative:
        return False
    if symbols(gold) or symbols(answer):
        return False
    try:
        target, value = value_at(gold, {}), value_at(answer, {})
    except Undefined:
        return False
    if getattr(target, "imag", 0) != 0 or getattr(value, "imag", 0) != 0:
        return False
    allowed = max(tolerance or 0.0, rules.relative * abs(target))
    difference = abs(value - target)
    if difference <= allowed * (1 + 1e-12):  # a difference of exactly the tolerance is inside
        return True
    unit = last_place(gold) if rules.half_unit else None
    return unit is not None and bool(difference < value_at(number(unit / 2), {}))


def last_place(node: Node) -> Fraction | None:
    """The size of a decimal's last given place: 1/10 for 1.6, 10^32 for 4.5e33."""
    if isinstance(node, Apply) and node.kind == "neg":
        return last_place(node.operands[0])
    if isinstance(node, Apply) and node.kind == "mul" and len(node.operands) == 2:
        place, power = last_place(node.operands[0]), node.operands[1]
        scale = exact_value(power) if isinstance(power, Apply) and power.kind == "pow" else None
        return place * scale if place is not None and scale is not None else None
    if not isinstance(node, Number) or not node.text:
        return None
    mantissa, _, exponent = node.text.lower().partition("e")
    places = len(mantissa.partition(".")[2])
    return Fraction(10) ** (int(exponent or 0) - places)
