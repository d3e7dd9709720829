r"""Bare sums of one to three steps: a language that a model of 0.3 million parameters can learn.

The prompt is the sum, the solution writes an equation a step and ends in `\boxed{answer}`. No
answer is negative. `WRITINGS` are ways to write the same solution: a policy that has learnt one
and experts that use another differ in form alone.
"""

from __future__ import annotations

import random
import re
from bisect import bisect
from collections.abc import Callable, Mapping
from itertools import accumulate

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


def adding_three_times(draw: random.Random) -> Draft:
    """a + b + c + d."""
    a, b, c, d = (_number(draw) for _ in range(4))
    first, second, third = a + b, a + b + c, a + b + c + d
    steps = [f"{a}+{b}={first}", f"{first}+{c}={second}", f"{second}+{d}={third}"]
    return _draft((a, b, c, d), f"{a}+{b}+{c}+{d}", steps, third)


FAMILIES: Families = {
    1: (adding, taking),
    2: (adding_twice, adding_and_taking),
    3: (adding_three_times,),
}


def in_words(solution: str) -> str:
    r"""A solution's equations as a sentence: `2+3=5 5+4=9 \boxed{9}` -> `from 2 add 3 to get 5, add
    4 to get 9: \boxed{9}`."""
    *equations, boxed = solution.split(" ")
    parts = [re.split("([-+=])", equation) for equation in equations]
    told = [f"{VERBS[sign]} {number} to get {result}" for _, sign, number, _, result in parts]
    return f"from {parts[0][0]} {', '.join(told)}: {boxed}"


VERBS = {"+": "add", "-": "take away"}
WRITINGS: Mapping[str, Callable[[str], str]] = {"equations": str, "words": in_words}


def writer(shares: Mapping[str, float]) -> Callable[[str, str], str]:
    """(id, solution) -> the solution in one of these writings, drawn by their shares and the id."""
    names, bounds = list(shares), list(accumulate(shares.values()))

    def write(problem_id: str, solution: str) -> str:
        place = random.Random(problem_id).random() * bounds[-1]
        return WRITINGS[names[bisect(bounds, place)]](solution)

    return write


def _number(draw: random.Random) -> int:
    return draw.randint(2, LARGEST)


def _draft(numbers: tuple[int, ...], prompt: str, steps: list[str], answer: int) -> Draft:
    response = f"{' '.join(steps)} \\boxed{{{answer}}}"
    return Draft(numbers, f"{prompt}=?", response, answer=str(answer))
