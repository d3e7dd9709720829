"""Whether a program printed what it should: line by line, or, with a tolerance, token by token.

Runs in the judge. The expected text is trusted and says by its own form what may differ: only a
token that is written as a decimal (`0.50`, `1e-3`) may be met by another number.
"""

from __future__ import annotations

import math
import re

_MOST_DIGITS = 400  # of a number; a longer token is compared as text
_NUMBER = re.compile(r"[+-]?(?:[0-9]++(?:\.[0-9]*+)?|\.[0-9]++)(?:[eE][+-]?[0-9]{1,4})?")


def same(printed: str, expected: str, tolerance: float | None = None) -> bool:
    """Lines without white space at their ends; with a tolerance, tokens and decimals near them.

    >>> same("1 2 \\n", "1 2"), same("1  2", "1 2"), same("0.5", "0.50")
    (True, False, False)
    >>> same("1\\n2", "1 2", 0), same("0.5", "0.50", 0), same("0.3333333", "0.33333330001", 1e-6)
    (True, True, True)
    """
    if tolerance is None:
        return _lines(printed) == _lines(expected)
    found, wanted = printed.split(), expected.split()
    return len(found) == len(wanted) and all(
        given == token or _near(given, token, tolerance)
        for given, token in zip(found, wanted, strict=True)
    )


def _lines(text: str) -> list[str]:
    """Return the lines that count: without white space at their ends or lines at the end."""
    return [line.rstrip() for line in text.rstrip().splitlines()]


def _near(given: str, expected: str, tolerance: float) -> bool:
    """True for numbers that differ by the tolerance at most, absolute or relative to the expected.

    An integer is exact: it is met by its own spelling alone.
    """
    if not any(mark in expected for mark in ".eE"):
        return False
    value, wanted = _value(given), _value(expected)
    if value is None or wanted is None:
        return False
    return abs(value - wanted) <= tolerance * max(1.0, abs(wanted))


def _value(token: str) -> float | None:
    """A finite number in ASCII digits: no nan, no infinity, no underscore, no hexadecimal."""
    if len(token) > _MOST_DIGITS or not _NUMBER.fullmatch(token):
        return None
    value = float(token)
    return value if math.isfinite(value) else None
