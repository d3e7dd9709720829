r"""Where a row's gold answer stands, for rows that name none: the option `answer`.

| `answer` | the answer is |
|---|---|
| `boxed` | what the expert response boxes last |
| `hashes` | what follows the last `####`; that line becomes a sentence with the answer in a box |
| `field:NAME` | the row's field of this name, as in `fields: {answer: NAME}` |
| `{regex: PATTERN}` | the one group of the pattern's last match in the expert response |

Of several expert responses the first one is read. A pattern has a second for a text: one that takes
longer is refused, since it would take longer still on others.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from rasft.answers.extraction import extract
from rasft.data.hashes import boxed, stated
from rasft.errors import UserError
from rasft.records import Problem

Rule = Callable[[Problem, str], Problem]  # a problem without an answer, and where it was read

FIELD = "field:"
SECONDS = 1.0  # of a pattern on one text


def rule(name: str, option: object) -> Rule:
    """What the option `answer` of a plugin does. Raises UserError for one that it cannot be."""
    if option is None or (isinstance(option, str) and option.startswith(FIELD)):
        return lambda problem, where: problem
    if option == "boxed":
        return _boxed
    if option == "hashes":
        return _hashes
    if isinstance(option, Mapping) and set(option) == {"regex"}:
        return _matching(name, option["regex"])
    raise UserError(
        f"{name}: option answer = {option!r} must be 'boxed', 'hashes', 'field:NAME' or "
        "{regex: PATTERN}, or left out"
    )


def field_of(option: object) -> str | None:
    """The field that `field:NAME` names; None for any other option."""
    return str(option).removeprefix(FIELD) if str(option).startswith(FIELD) else None


def _boxed(problem: Problem, where: str) -> Problem:
    return replace(problem, answer=extract(problem.expert_response or "").text or None)


def _hashes(problem: Problem, where: str) -> Problem:
    text = problem.expert_response or ""
    return replace(
        problem,
        answer=stated(text),
        expert_response=boxed(text) or None,
        experts=tuple(map(boxed, problem.experts)),
    )


def _matching(name: str, pattern: object) -> Rule:
    import regex  # unlike re it has a time limit

    try:
        compiled = regex.compile(pattern)
    except (regex.error, TypeError) as error:
        raise UserError(f"{name}: option answer: no pattern is {pattern!r}: {error}") from None
    if compiled.groups != 1:
        raise UserError(
            f"{name}: option answer: the pattern {pattern!r} has {compiled.groups} groups; "
            "put the answer, and nothing else, in (parentheses): a group (?:...) does not count"
        )

    def matched(problem: Problem, where: str) -> Problem:
        return replace(problem, answer=_last(compiled, problem.expert_response or "", name, where))

    return matched


def _last(compiled: Any, text: str, name: str, where: str) -> str | None:
    found = None
    try:
        for match in compiled.finditer(text, timeout=SECONDS):
            found = match[1]
    except TimeoutError:
        raise UserError(
            f"{where}: {name}: option answer: the pattern {compiled.pattern!r} takes over "
            f"{SECONDS:g} s; use one without repeats within repeats"
        ) from None
    return found.strip() or None if found else None
