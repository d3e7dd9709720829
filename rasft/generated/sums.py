r"""Bare sums of one or two steps: a language that a model of 0.3 million parameters can learn.

The prompt is the sum, the solution writes an equation a step and ends in `\boxed{answer}`. No
answer is negative.
"""

from __future__ import annotations

import random

from rasft.generated import Draft, Families


def adding(draw: random.Random) -> Draft:
    """a + b."""
    a, b = draw.randint(2, 60), draw.randint(2, 39)
    return _draft((a, b), f"{a}+{b}", [f"{a}+{b}={a + b}"], a + b)


def taking(draw: random.Random) -> Draft:
    """a - b."""
    a = draw.randint(5, 99)
    b = draw.randint(2, a)
    return _draft((a, b), f"{a}-{b}", [f"{a}-{b}={a - b}"], a - b)


def adding_twice(draw: random.Random) -> Draft:
    """a + b + c."""
    a, b, c = (draw.randint(2, 33) for _ in range(3))
    steps = [f"{a}+{b}={a + b}", f"{a + b}+{c}={a + b + c}"]
    return _draft((a, b, c), f"{a}+{b}+{c}", steps, a + b + c)


def adding_and_taking(draw: random.Random) -> Draft:
    """a + b - c."""
    a, b = draw.randint(2, 60), draw.randint(2, 39)
    c = draw.randint(2, a + b)
    steps = [f"{a}+{b}={a + b}", f"{a + b}-{c}={a + b - c}"]
    return _draft((a, b, c), f"{a}+{b}-{c}", steps, a + b - c)


FAMILIES: Families = {1: (adding, taking), 2: (adding_twice, adding_and_taking)}


def _draft(numbers: tuple[int, ...], prompt: str, steps: list[str], answer: int) -> Draft:
    response = f"{' '.join(steps)} \\boxed{{{answer}}}"
    return Draft(numbers, f"{prompt}=?", response, answer=str(answer))
