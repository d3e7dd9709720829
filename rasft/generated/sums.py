r"""Bare sums of one or two steps: a language that a model of 0.3 million parameters can learn.

The prompt is the sum, the solution writes an equation a step and ends in `\boxed{answer}`. No
answer is negative.
"""

from __future__ import annotations

import random

from rasft.generated import Draft, Families

LARGEST = 20  # to learn the sums of larger ones takes the tiny model longer than a minute


def adding(draw: random.Random) -> Draft:
    """a + b."""
    a, b = _number(draw), _number(draw)
    return _draft((a, b), f"{a}+{b}", [f"{a}+{b}={a + b}"], a + b)


def taking(draw: random.Random) -> Draft:
    """a - b."""
    a = 3 + _number(draw)
    b = draw.randint(2, a)
    return _draft((a, b), f"{a}-{b}", [f"{a}-{b}={a - b}"], a - b)


def adding_twice(draw: random.Random) -> Draft:
    """a + b + c."""
    a, b, c = (_number(draw) for _ in range(3))
    steps = [f"{a}+{b}={a + b}", f"{a + b}+{c}={a + b + c}"]
    return _draft((a, b, c), f"{a}+{b}+{c}", steps, a + b + c)


def adding_and_taking(draw: random.Random) -> Draft:
    """a + b - c."""
    a, b = _number(draw), _number(draw)
    c = draw.randint(2, a + b)
    steps = [f"{a}+{b}={a + b}", f"{a + b}-{c}={a + b - c}"]
    return _draft((a, b, c), f"{a}+{b}-{c}", steps, a + b - c)


FAMILIES: Families = {1: (adding, taking), 2: (adding_twice, adding_and_taking)}


def _number(draw: random.Random) -> int:
    return draw.randint(2, LARGEST)


def _draft(numbers: tuple[int, ...], prompt: str, steps: list[str], answer: int) -> Draft:
    response = f"{' '.join(steps)} \\boxed{{{answer}}}"
    return Draft(numbers, f"{prompt}=?", response, answer=str(answer))
