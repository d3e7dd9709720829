"""A decimal of many digits as the value of an exact gold: `3.14159265359` for pi.

Ten digits are no estimate: they come from having the value. Rules of benchmarks allow it; a problem
without rules, and a training's, is judged exactly.
"""

from __future__ import annotations

from fractions import Fraction

from rasft.answers.comparing.numeric import Undefined, value_at
from rasft.answers.reading.expression import Apply, Node, Number, exact_value, number, symbols

FEWEST_DIGITS = 10
MOST_DIGITS = 15  # beyond them a machine's arithmetic is noise


def agrees_in_every_digit(gold: Node, answer: Node) -> bool:
    """Whether the answer is a long decimal that rounds or cuts the gold off at its last digit.

    A gold that is itself a decimal, or that a decimal could give exactly, is only met exactly.
    """
    places = _places(answer)
    if places is None or symbols(gold) or _has_decimals(gold):
        return False
    try:
        if _terminates(exact_value(gold)):
            return False
        target, value = value_at(gold, {}), value_at(answer, {})
        unit = value_at(number(Fraction(1, 10**places)), {})
    except (Undefined, ZeroDivisionError):
        return False
    if getattr(target, "imag", 0) != 0:
        return False
    difference = abs(target) - abs(value)
    same_sign = target * value > 0
    return bool(same_sign and (abs(difference) <= unit / 2 or 0 <= difference < unit))


def _places(node: Node) -> int | None:
    """The decimal places that count; None for what is no decimal of ten digits or more."""
    if isinstance(node, Apply) and node.kind == "neg":
        return _places(node.operands[0])
    if not isinstance(node, Number) or "." not in node.text or "e" in node.text.lower():
        return None
    digits, places = node.text.replace(".", "").lstrip("0"), len(node.text.partition(".")[2])
    if len(digits) < FEWEST_DIGITS:
        return None
    return places - max(0, len(digits) - MOST_DIGITS)


def _has_decimals(node: Node) -> bool:
    if isinstance(node, Apply):
        return any(_has_decimals(part) for part in node.operands)
    return isinstance(node, Number) and "." in node.text


def _terminates(value: Fraction | None) -> bool:
    if value is None:
        return False
    rest = value.denominator
    for prime in (2, 5):
        while rest % prime == 0:
            rest //= prime
    return rest == 1
