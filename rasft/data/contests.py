"""Problems of programming contests: tests of standard input and tests of a function.

APPS, TACO and CodeContests share it. Tests of standard input become {"inputs", "outputs"} with the
`tolerance` that a decimal may be off by; tests of a function become a script of calls, of the class
`Solution` where the solution has one. All of it is data: no test is executed outside the sandbox.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from rasft.data import rows
from rasft.data.source import Source
from rasft.errors import UserError
from rasft.records import Problem

OPTIONS = ("solutions", "tests_mb", "tolerance")
MOST_SOLUTIONS = 64
TESTS_MB = 4
TOLERANCE = 1e-6  # what contests usually allow a decimal
SECONDS_A_TEST = 4.0  # where a row states none
MOST_CPU_SECONDS = 60.0  # for all tests of a problem
MOST_MEMORY_MB = 4096
READS = "Write a Python program that reads standard input and prints the answer."
COMPLETED = "Complete this code. Answer with all of it in one code block."
CALLED = "Write the Python function `{name}`. Answer with one code block."
METHOD = "Write a Python class `Solution` with the method `{name}`. Answer with one code block."
USUAL_MODULES = (
    "string", "re", "datetime", "collections", "heapq", "bisect", "copy", "math", "random",
    "statistics", "itertools", "functools", "operator", "io", "sys", "json", "typing",
)  # fmt: skip
IMPORTS = "\n".join(
    (
        *(f"from {module} import *" for module in (*USUAL_MODULES, "builtins")),
        f"import {', '.join(USUAL_MODULES)}",  # the modules' names are the modules again
        "sys.setrecursionlimit(50_000)",
    )
)
Case = tuple[Any, Any]  # a text to read and a text to print, or arguments and what is returned
# JSON knows lists alone, and texts alone as keys
_CALLS = """\
import json

def _plain(value):
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {{str(key): _plain(item) for key, item in value.items()}}
    return value

for _given, _expected in json.loads({cases!r}):
    assert _plain({callee}(*_given)) == _expected
"""


@dataclass(frozen=True)
class Contest:
    """What a row says of a problem, in the words of this project."""

    id: str
    question: str
    solutions: Sequence[str]  # of Python 3
    cases: Sequence[Case]
    function: str | None = None  # under test; None: programs that read standard input
    starter: str | None = None
    seconds: float | None = None  # that the contest gives a test
    memory_mb: int | None = None

    @property
    def in_class(self) -> bool:
        """True where the function under test is a method of the class `Solution`."""
        return "class Solution" in (self.starter or next(iter(self.solutions), ""))


class Reader:
    """Turns the contests of one dataset into problems, and says at the end what it left out."""

    def __init__(self, name: str, source: Source, known: tuple[str, ...] = OPTIONS) -> None:
        """Raises UserError for options that cannot be."""
        rows.check_options(name, source, known)
        self._name = name
        self._solutions = _whole(name, source, "solutions", 1, MOST_SOLUTIONS)
        self._most = _whole(name, source, "tests_mb", TESTS_MB, 30) * 1_000_000
        self._tolerance = _tolerance(name, source)
        self._unsolved = self._cut = 0

    def problems(self, contests: Iterable[Contest], limit: int | None) -> Iterator[Problem]:
        """The problems that have a solution, as many as are wanted."""
        found = 0
        for contest in contests if limit != 0 else ():
            if not contest.solutions:
                self._unsolved += 1
                continue
            yield self._problem(contest)
            found += 1
            if found == limit:
                break
        self._tell()

    def _problem(self, contest: Contest) -> Problem:
        kept = within(contest.cases, self._most)
        self._cut += len(contest.cases) - len(kept)
        in_class, name = contest.in_class, contest.function
        callee = f"Solution().{name}" if name and in_class else name
        programs = list(dict.fromkeys(contest.solutions))[: self._solutions]
        expert, *experts = map(rows.fenced, programs)
        seconds = (contest.seconds or SECONDS_A_TEST) * len(kept)
        return Problem(
            id=contest.id,
            prompt=f"{contest.question.strip()}\n\n{_asked(contest)}",
            verifier="python",
            expert_response=expert,
            experts=tuple(experts),
            tests=self._tests(kept, callee),
            entry_point=("Solution" if in_class else name) if name else None,
            code_prefix=f"{IMPORTS}\n\n\n{contest.starter}" if name and contest.starter else None,
            source=self._name,
            cpu_seconds=min(seconds, MOST_CPU_SECONDS) if kept else None,
            memory_mb=min(contest.memory_mb, MOST_MEMORY_MB) if contest.memory_mb else None,
        )

    def _tests(self, cases: Sequence[Case], callee: str | None) -> str | None:
        """The source of the tests; None where there are none, which drops the row."""
        if not cases:
            return None
        if callee is not None:
            return _CALLS.format(cases=json.dumps(cases), callee=callee)
        inputs, outputs = zip(*cases, strict=True)
        tests: dict[str, Any] = {"inputs": inputs, "outputs": outputs}
        if self._tolerance is not None:
            tests["tolerance"] = self._tolerance
        return json.dumps(tests)

    def _tell(self) -> None:
        """What is not among the problems: no table could count it."""
        if self._unsolved:
            print(
                f"{self._name}: rows without a Python 3 solution: {self._unsolved}", file=sys.stderr
            )
        if self._cut:
            print(f"{self._name}: tests beyond tests_mb, left out: {self._cut}", file=sys.stderr)


def within(cases: Iterable[Case], most_characters: int) -> list[Case]:
    """The tests, in order, without those that would pass beyond `most_characters` in all.

    >>> within([("1", "2"), ("1" * 99, ""), ("3", "4")], 10)
    [('1', '2'), ('3', '4')]
    """
    kept, left = [], most_characters
    for case in cases:
        size = sum(map(_size, case))
        if size <= left:
            left -= size
            kept.append(case)
    return kept


def _size(value: Any) -> int:
    return len(value) if isinstance(value, str) else len(json.dumps(value))


def cases_of(row: rows.Row, field: str = "input_output") -> tuple[list[Case], str | None]:
    """The tests of {inputs, outputs, fn_name} and the function under test.

    No tests where the field is empty. A function's expected values stand in a list of their own
    where all of them do: `[[3], [5]]` for 3 and 5. Raises UserError for what are no tests.
    """
    stated = row.fields.get(field)
    try:
        told = json.loads(stated) if isinstance(stated, str) and stated.strip() else stated or {}
        inputs, outputs = told.get("inputs", []), told.get("outputs", [])
        function = told.get("fn_name")
        pairs = list(zip(inputs, outputs, strict=True))
    except (ValueError, AttributeError, TypeError) as error:
        raise UserError(f"{row.where}: field {field!r} holds no tests: {error}") from None
    if function is None:
        return [(_text(given), _text(expected)) for given, expected in pairs], None
    if not (isinstance(function, str) and function.isidentifier()):
        raise UserError(f"{row.where}: fn_name {function!r} is no function's name")
    if any(not isinstance(given, list) for given in inputs):
        raise UserError(f"{row.where}: the inputs of {function} are no lists of arguments")
    wrapped = all(isinstance(value, list) and len(value) == 1 for value in outputs)
    return [(given, value[0] if wrapped else value) for given, value in pairs], function


def solutions_of(row: rows.Row, field: str = "solutions") -> list[str]:
    """The programs of a list, or of one that is written as JSON; empty ones left out."""
    stated = row.fields.get(field)
    try:
        listed = json.loads(stated) if isinstance(stated, str) and stated.strip() else stated or []
    except ValueError as error:
        raise UserError(f"{row.where}: field {field!r} is no JSON: {error}") from None
    return [text for text in listed if isinstance(text, str) and text.strip()]


def _text(value: Any) -> str:
    """A test's text; some rows have it as a list of lines."""
    return "\n".join(map(str, value)) if isinstance(value, list) else str(value)


def _asked(contest: Contest) -> str:
    if contest.function is None:
        return READS
    if contest.starter:
        return f"{COMPLETED}\n\n{rows.fenced(contest.starter)}"
    return (METHOD if contest.in_class else CALLED).format(name=contest.function)


def _whole(name: str, source: Source, option: str, default: int, most: int) -> int:
    value = source.options.get(option, default)
    if type(value) is not int or not 1 <= value <= most:
        raise UserError(
            f"{name}: option {option} = {value!r} must be a whole number from 1 to {most}"
        )
    return value


def _tolerance(name: str, source: Source) -> float | None:
    value = source.options.get("tolerance", TOLERANCE)
    if value is not None and not (isinstance(value, float | int) and 0 <= value <= 1e-2):
        raise UserError(f"{name}: option tolerance = {value!r} must be from 0 to 0.01, or null")
    return value
