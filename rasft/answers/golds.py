"""Verify the verifier on the golds: each must equal itself and be refused against a neighbour.

A gold that fails could only ever be met by its own spelling, or by too much; it is reported and
left out rather than silently wrong.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from rasft.answers.choices import gold_letter
from rasft.answers.judging import Pair, decide, well_formed
from rasft.answers.reading.bounds import TooLarge
from rasft.answers.reading.notation import normal_form
from rasft.records import Problem

_NUMBER = re.compile(r"\d+")


def check_golds(problems: Iterable[Problem]) -> list[tuple[str, str]]:
    """(problem id, reason) for each problem whose gold answer cannot be judged against."""
    faults = {"math": fault_of, "choice": choice_fault}
    return [
        (problem.id, reason)
        for problem in problems
        if problem.verifier in faults and (reason := faults[problem.verifier](problem))
    ]


def choice_fault(problem: Problem) -> str:
    """Why the gold of a multiple-choice problem is unusable; "" when it is sound."""
    if gold_letter(problem.answer, problem.choices):
        return ""
    return f"{problem.answer!r} is no letter of its choices"


def fault_of(problem: Problem) -> str:
    """Why the gold of a math problem is unusable; "" when it is sound."""
    return unreadable(problem.answer) or _self_check(problem, problem.answer or "")


def unreadable(gold: str | None) -> str:
    """Why a gold cannot be read as an answer; "" when it can. Compares nothing."""
    if gold is None or not gold.strip():
        return "there is no gold answer"
    if gold.replace("\\$", "").count("$") % 2:
        return f"the dollar signs of {gold!r} do not pair"
    if gold.replace("\\{", "").count("{") != gold.replace("\\}", "").count("}"):
        return f"the braces of {gold!r} do not pair"
    if not well_formed(gold):
        return f"{gold!r} cannot be read as an answer"
    return ""


def _self_check(problem: Problem, gold: str) -> str:
    def accepts(answer: str) -> bool:
        return decide(Pair(gold, answer, problem.rules, problem.tolerance)).correct is True

    try:
        if not accepts(f"{{{normal_form(gold)}}}"):
            return f"{gold!r} does not equal itself"
        near = next((answer for answer in neighbours(gold) if accepts(answer)), None)
    except TooLarge as error:
        return f"{gold!r} is too large: {error}"
    return f"{gold!r} accepts its neighbour {near!r}" if near is not None else ""


def neighbours(gold: str) -> Iterator[str]:
    """Answers that are certainly not the gold: a number in it changed, or something appended.

    >>> list(neighbours("(3, x)"))
    ['(13, x)']
    """
    plain = normal_form(gold)
    number = _NUMBER.search(plain)
    if number is None:
        yield f"{plain} zz" if "\\words" in plain or plain.isalpha() else f"{plain}+1"
        return
    yield f"{plain[: number.start()]}{2 * int(number[0]) + 7}{plain[number.end() :]}"
