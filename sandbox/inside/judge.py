"""The judge: runs the tests against a program it can only talk to, and alone decides.

One fresh process for each program, under its own user. It holds the tests, which the program
can neither read nor reach, and takes the names that they do not define from the program, as
Remotes. Helpers come from the prelude, never from the program.
"""

from __future__ import annotations

import builtins
import json
import os
import sys
import types
from collections.abc import Callable
from typing import Any

from sandbox.inside import plain_tests, printed, statuses
from sandbox.inside.remote import ProgramEnd, Session, TestsError
from sandbox.inside.wire_format import Channel

SOLUTION, CONTROL = 3, 4
MODULE = "tests"
Report = Callable[[int], None]
_BUILTINS = frozenset(vars(builtins))
_GUARDED = ("allclose", "isclose", "array_equal")
_GUARDED_TESTING = (
    "assert_allclose",
    "assert_array_equal",
    "assert_equal",
    "assert_almost_equal",
    "assert_array_almost_equal",
)


class Tests:
    """A test module bound to one program."""

    def __init__(self, job: dict[str, Any], session: Session, report: Report) -> None:
        self._job = job
        self._session = session
        self._report = report
        self._entry = job["entry_point"]
        module = types.ModuleType(MODULE)
        sys.modules[MODULE] = self._module = module
        self._namespace: dict[str, Any] = module.__dict__

    def run(self) -> None:
        """Run every test; returns when all pass and raises the first failure."""
        if self._job["form"] == "stdio":
            self._load(execute=False)
            _run_stdio(self._job, self._session)
            return
        self._prepare()
        self._execute(self._job["tests"], "tests")
        if self._job["form"] == "check":
            self._namespace["check"](self._session.remote(self._entry))
        elif self._job["form"] == "functions":
            self._run_functions()

    def _run_functions(self) -> None:
        if needs_pytest(self._job):
            from sandbox.inside import with_pytest  # this process was forked with it

            with_pytest.run(self._module)
        else:
            plain_tests.run(self._namespace)

    def _prepare(self) -> None:
        sys.modules["solution"] = _SolutionModule(self._session)
        self._execute_prelude(self._job["prelude"])
        if self._entry:
            self._namespace[self._entry] = self._session.remote(self._entry)
        self._load()
        self._execute(self._job["setup"], "setup")

    def _load(self, execute: bool = True) -> None:
        sources = [self._job["source"], *self._job["alternatives"]]
        number = 0
        if len(sources) > 1:
            number = self._session.choose(sources, self._entry)
            self._report(number)
        self._session.load(sources[number], execute)

    def _execute_prelude(self, source: str) -> None:
        """Define helpers; a prompt that stops after `def f(x):` lacks only a body."""
        if not source.strip():
            return
        for text in (source, source.rstrip() + "\n    pass\n"):
            try:
                code = compile(text, "<prelude>", "exec", dont_inherit=True)
            except SyntaxError:
                continue
            exec(code, self._namespace)
            return

    def _execute(self, source: str, what: str) -> None:
        if not source.strip():
            return
        try:
            code = compile(source, f"<{what}>", "exec", dont_inherit=True)
        except (SyntaxError, ValueError, RecursionError) as error:
            raise TestsError(f"the {what} cannot be parsed: {error}") from None
        for name in _names(code):
            if name not in self._namespace and name not in _BUILTINS:
                self._namespace[name] = self._session.remote(name)
        exec(code, self._namespace)


class _SolutionModule(types.ModuleType):
    """What the tests get from `import solution`."""

    def __init__(self, session: Session) -> None:
        super().__init__("solution")
        self.__dict__["_session"] = session

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return self.__dict__["_session"].remote(name)


def _names(code: types.CodeType) -> set[str]:
    """Return every name that the code or a function in it may look up globally."""
    names = set(code.co_names)
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            names |= _names(constant)
    return names


def needs_pytest(job: dict[str, Any]) -> bool:
    """Whether the job's tests are for a judge that has pytest."""
    return plain_tests.need_pytest(job["form"], job["prelude"], job["setup"], job["tests"])


def _run_stdio(job: dict[str, Any], session: Session) -> None:
    cases = json.loads(job["tests"])
    for number, (given, expected) in enumerate(
        zip(cases["inputs"], cases["outputs"], strict=True), 1
    ):
        if not printed.same(session.run(given), expected, cases.get("tolerance")):
            raise AssertionError(f"case {number} of {len(cases['inputs'])}: another output")


def guard_numpy() -> None:
    """Make comparisons of an empty array with a non-empty one fail.

    numpy stretches the one to the other and finds nothing unequal: `allclose([], 3.14)` is True,
    so a program that returns [] would pass every test of a float.
    """
    numpy = sys.modules.get("numpy")
    if numpy is None:
        return
    for owner, names in ((numpy, _GUARDED), (numpy.testing, _GUARDED_TESTING)):
        for name in names:
            setattr(owner, name, _same_emptiness(getattr(owner, name), numpy.size))


def _same_emptiness(compare: Callable[..., Any], size: Callable[..., int]) -> Callable[..., Any]:
    def guarded(actual: Any, expected: Any, *rest: Any, **named: Any) -> Any:
        if (size(actual) == 0) != (size(expected) == 0):
            raise AssertionError("an empty answer against a non-empty one, or the reverse")
        return compare(actual, expected, *rest, **named)

    return guarded


def judge(job: dict[str, Any], session: Session, report: Report) -> tuple[str, str]:
    """Return the status of the program and what there is to say about it.

    `report` is told which of several sources is the program, before it runs.
    """
    try:
        Tests(job, session, report).run()
    except ProgramEnd:
        pass  # the session remembers it, whether or not the tests let it through
    except TestsError as error:
        return statuses.UNDECIDED, str(error)
    except BaseException as error:
        if session.end is None:
            return _failure(error)
    if session.end is not None:
        return session.end.status, session.end.detail
    return statuses.CORRECT, ""


def _failure(error: BaseException) -> tuple[str, str]:
    try:
        text = str(error)[:500]
    except BaseException:
        text = ""
    if getattr(error, "from_program", False):
        return statuses.CRASHED, f"raised {type(error).__name__}: {text}"
    if isinstance(error, AssertionError):
        return statuses.INCORRECT, f"a test failed: {text}" if text else "a test failed"
    return statuses.INCORRECT, f"a test failed on the answer: {type(error).__name__}: {text}"


def main() -> None:
    """Run in a fresh child of the judges' zygote: one job, one verdict, no return."""
    control = Channel(CONTROL)
    job = control.receive()
    if job is not None:
        guard_numpy()
        control.send(judge(job, Session(Channel(SOLUTION)), control.send))
    os._exit(0)
