"""Test functions and classes that need nothing of pytest: a call each, in the judge.

To run them under pytest would cost more than most programs take.
"""

from __future__ import annotations

import re
import types
from collections.abc import Callable, Iterator
from typing import Any

from sandbox.inside.remote import TestsError

_ARGUMENT = re.compile(r"\bdef test\w*\(\s*(?:self\s*,\s*)?(?!self\b)\w")
_UNRUN = (types.CoroutineType, types.GeneratorType, types.AsyncGeneratorType)


def need_pytest(form: str, *sources: str) -> bool:
    """Whether these tests name pytest, or have a test whose arguments it would have to give.

    >>> need_pytest("functions", "def test_it(): assert f(1) == 2")
    False
    >>> need_pytest("functions", "def test_it(a): assert f(a)"), need_pytest("script", "pytest")
    (True, True)
    """
    return any(
        "pytest" in source or (form == "functions" and _ARGUMENT.search(source) is not None)
        for source in sources
    )


def run(namespace: dict[str, Any]) -> None:
    """Run every test. No test at all, or one that runs nothing when called, would pass anything."""
    ran = False
    for call in _calls(namespace):
        if isinstance(call(), _UNRUN):
            raise TestsError("a test is no plain function: a call of it runs nothing")
        ran = True
    if not ran:
        raise TestsError("the tests hold no test")


def _calls(namespace: dict[str, Any]) -> Iterator[Callable[[], Any]]:
    """Yield each test of a test module as a call: test* functions, test* methods of Test*."""
    for name, value in list(namespace.items()):
        if name.startswith("test") and isinstance(value, types.FunctionType):
            yield value
        elif name.startswith("Test") and isinstance(value, type):
            for method in [key for key in dir(value) if key.startswith("test")]:
                yield _method_call(value, method)


def _method_call(owner: Any, method: str) -> Callable[[], Any]:
    if hasattr(owner, "debug"):  # unittest: set-up, the test and tear-down, errors raised
        return lambda: owner(method).debug()
    instance = owner()
    setup = getattr(instance, "setup_method", lambda: None)
    return lambda: (setup(), getattr(instance, method)())[1]
