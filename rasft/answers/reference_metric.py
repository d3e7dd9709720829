"""The lenient grader of the Qwen2.5-Math evaluation harness, from its observable behaviour.

Named `qwen25_math`: published tables of math accuracy were mostly made with it or a descendant, so
this is for comparison with them. It takes the text after the last box even when the box is not
closed, else the last number; it accepts a factor of 100 either way and a relative error of 1e-4,
and it ignores the ends of intervals. Never a reward.
"""

from __future__ import annotations

import re

from rasft.answers.comparing.numeric import Undefined, value_at
from rasft.answers.comparing.probes import equal
from rasft.answers.reading.bounds import TooLarge
from rasft.answers.reading.cursor import Unreadable
from rasft.answers.reading.expression import Node, symbols
from rasft.answers.reading.grammar import read_expression
from rasft.answers.reading.notation import normal_form
from rasft.answers.reading.tokens import Tokens, split, tokenize

NAME = "qwen25_math"
RELATIVE = 1e-4
_PHRASES = ("he answer is", "final answer is")
_LAST_NUMBER = re.compile(r"-?\d*\.?\d+")
_BRACKETS = str.maketrans("", "", "()[]{}\\ ")


def reference_correct(response: str, gold: str) -> bool:
    """Whether the lenient grader counts a response as correct."""
    return reference_equal(reference_answer(response), gold)


def reference_answer(response: str) -> str:
    """The answer the lenient grader takes from a response; "" when there is none."""
    if "boxed" in response:
        return _after_box(response.rpartition("boxed")[2])
    for phrase in _PHRASES:
        if phrase in response:
            return response.rpartition(phrase)[2].strip().split("\n")[0].strip(" .:$")
    numbers = _LAST_NUMBER.findall(response.replace(",", ""))
    return numbers[-1] if numbers else ""


def _after_box(text: str) -> str:
    if not text.startswith("{"):
        return text.split("$")[0].strip()
    depth = 0
    for position, character in enumerate(text):
        depth += (character == "{") - (character == "}")
        if depth == 0:
            return text[1:position]
    return text[1:]


def reference_equal(answer: str, gold: str) -> bool:
    """Whether the lenient grader takes two answers as equal."""
    try:
        first, second = normal_form(answer), normal_form(gold)
        return _equal(first, second)
    except (TooLarge, RecursionError):
        return False


def _equal(answer: str, gold: str) -> bool:
    if not answer:
        return False
    if answer.lower().replace(" ", "") == gold.lower().replace(" ", ""):
        return True
    numbers = _number(answer), _number(gold)
    if numbers[0] is not None and numbers[1] is not None:
        return any(_near(numbers[0], numbers[1] * factor) for factor in (0.01, 1.0, 100.0))
    if answer.translate(_BRACKETS).lower() == gold.translate(_BRACKETS).lower():
        return True
    return _parts_equal(answer, gold) or _equations_equal(answer, gold) or _symbolic(answer, gold)


def _number(text: str) -> float | None:
    text = text.replace(",", "").strip()
    percent = text.endswith("%")
    try:
        value = float(text.removesuffix("%").removesuffix("\\"))
    except ValueError:
        return None
    return value / 100 if percent else value


def _near(first: float, second: float) -> bool:
    return abs(first - second) <= RELATIVE * max(abs(first), abs(second))


def _parts_equal(answer: str, gold: str) -> bool:
    """Element by element, in order, whatever kind of bracket is at each end."""
    bracketed = all(text[:1] in "([" and text[-1:] in ")]" for text in (answer, gold))
    if not bracketed:
        return False
    parts = [
        split(tokenize(text[1:-1]), lambda token: token.text == ",")[0] for text in (answer, gold)
    ]
    if len(parts[0]) != len(parts[1]) or len(parts[0]) < 2:
        return False
    texts = [[_joined(part) for part in side] for side in parts]
    return all(_equal(a, g) for a, g in zip(*texts, strict=True))


def _joined(tokens: Tokens) -> str:
    return " ".join(token.text for token in tokens)


def _equations_equal(answer: str, gold: str) -> bool:
    sides = answer.split("="), gold.split("=")
    if len(sides[0]) == len(sides[1]) == 2:
        differences = [f"{left} - ({right})" for left, right in sides]
        return _symbolic(*differences) or _symbolic(f"-({differences[0]})", differences[1])
    if len(sides[0]) == 2 and len(sides[1]) == 1 and len(sides[0][0].strip()) <= 2:
        return _equal(sides[0][1].strip(), gold)
    if len(sides[1]) == 2 and len(sides[0]) == 1 and len(sides[1][0].strip()) <= 2:
        return _equal(answer, sides[1][1].strip())
    return False


def _symbolic(answer: str, gold: str) -> bool:
    try:
        first, second = (read_expression(tokenize(text)) for text in (answer, gold))
        return equal(first, second) is True or _numerically_near(first, second)
    except (Unreadable, Undefined):
        return False


def _numerically_near(first: Node, second: Node) -> bool:
    if symbols(first) or symbols(second):
        return False
    values = value_at(first, {}), value_at(second, {})
    return bool(abs(values[0] - values[1]) <= RELATIVE * max(abs(values[0]), abs(values[1])))
