"""Tests that need pytest, run by pytest itself: its fixtures, marks, parameters and comparisons.

Loaded in a zygote of its own, since it makes a process heavier to fork. The test module is the
judge's own, made in memory: no file is read, so none can be planted. Accepted is a program by whose
answers at least one test passes and none fails. Fixtures that reach for what the program's process
does (its output, its files) are not there: the program runs apart, and they would see nothing.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from typing import Any

os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"

import numpy as np
import pytest

from sandbox.inside.remote import Remote, TestsError

_LEFT_OUT = ("cacheprovider", "capture", "faulthandler", "terminal", "tmpdir", "warnings")
_ARGUMENTS = [
    "--exitfirst",
    "--noconftest",
    "--assert=plain",
    "-c",
    os.devnull,
    f"--rootdir={os.path.dirname(__file__)}",
    *(f"-pno:{plugin}" for plugin in _LEFT_OUT),
    sys.executable,  # some file that is there and no .py: what is collected is the module in memory
]


class _Module(pytest.Module):
    def __init__(self, tests: Any, **named: Any) -> None:
        super().__init__(**named)
        self._tests = tests

    def _getobj(self) -> Any:
        return self._tests


class _Run:
    """What pytest asks about one test module, and what it finds."""

    def __init__(self, tests: Any) -> None:
        self._tests = tests
        self.passed = 0
        self.failure: BaseException | None = None

    def pytest_collect_file(self, file_path: Any, parent: Any) -> Any:
        return _Module.from_parent(parent, path=file_path, tests=self._tests)

    @pytest.hookimpl(tryfirst=True)
    def pytest_pycollect_makeitem(self, obj: Any) -> Any:
        return [] if type(obj) is Remote else None  # a function of the program is no test

    def pytest_collectreport(self, report: Any) -> None:
        if report.failed:
            self.failure = TestsError(f"pytest cannot collect the tests: {report.longreprtext}")

    def pytest_runtest_logreport(self, report: Any) -> None:
        if report.failed:
            self.failure = AssertionError(report.longreprtext)  # the error itself, where it is one
        elif report.when == "call" and report.passed and not hasattr(report, "wasxfail"):
            self.passed += 1

    def pytest_exception_interact(self, call: Any, report: Any) -> None:
        if not isinstance(report, pytest.CollectReport):
            self.failure = call.excinfo.value

    def pytest_internalerror(self, excinfo: Any) -> bool:
        self.failure = self.failure or excinfo.value
        return True  # nothing is to be printed


def run(tests: Any) -> None:
    """Run the tests of a module; returns when some pass and none fails, else raises the failure."""
    found = _Run(tests)
    code = pytest.main(_ARGUMENTS, plugins=[found])
    if isinstance(found.failure, pytest.FixtureLookupError):
        raise TestsError(f"the tests ask for a fixture that is not here: {found.failure.argname}")
    if found.failure is not None:
        raise found.failure
    if code != pytest.ExitCode.OK or not found.passed:
        raise TestsError("the tests hold no test that passes")


def _guard(kind: Any, fits: Callable[[Any, Any], bool]) -> None:
    """Make a comparison of pytest's `approx` false unless the answer has the expected form."""
    equal = kind.__eq__

    def guarded(self: Any, actual: Any) -> bool:
        return fits(actual, self.expected) and bool(equal(self, actual))

    kind.__eq__ = guarded


def _is_one(actual: Any, _: Any) -> bool:
    return np.shape(actual) == () if hasattr(actual, "shape") else True


def _is_sequence(actual: Any, _: Any) -> bool:
    return isinstance(actual, Sequence | np.ndarray) and not isinstance(
        actual, str | bytes | bytearray
    )


# As pytest compares them, an empty array is about equal to any number, a number to an empty array,
# and a mapping or bytes to the list of its keys or values: programs that return those would pass.
_guard(type(pytest.approx(1.0)), _is_one)
_guard(type(pytest.approx([1.0])), _is_sequence)
_guard(type(pytest.approx(np.ones(1))), lambda actual, expected: np.shape(actual) == expected.shape)

# A run of nothing, for what pytest imports and compiles on its first: each child has it from here.
pytest.main(_ARGUMENTS, plugins=[_Run(sys)])
