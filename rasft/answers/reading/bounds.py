"""Size refusals: what is too big to evaluate is turned away before any work on it.

Every limit is far above what a benchmark answer needs and far below what costs a second.
"""

from __future__ import annotations

MOST_CHARACTERS = 2_000  # of one answer
MOST_SYMBOLIC_CHARACTERS = 300  # of what may reach sympy
MOST_TOKENS = 1_200
MOST_DEPTH = 40  # nested groups
MOST_ITEMS = 200  # elements of a list, tuple or matrix
MOST_EXACT_BITS = 40_000  # of a fraction's numerator or denominator
MOST_FACTORIAL = 20_000  # argument of an exact or numeric factorial
MOST_EXPONENT = 10**7  # base-2 logarithm of a numeric power


class TooLarge(ValueError):
    """An answer that would cost more to evaluate than any sensible answer does."""


def check_length(text: str) -> str:
    """Return `text`, or raise TooLarge when it is longer than any answer."""
    if len(text) > MOST_CHARACTERS:
        raise TooLarge(f"{len(text)} characters, at most {MOST_CHARACTERS}")
    return text
