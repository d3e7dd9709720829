"""Says how the tests of a program are to be run, from their text alone.

Tests are recognised by their form:
  stdio      a JSON object {"inputs": [text, ...], "outputs": [text, ...]}, perhaps with
             "tolerance": a number from 0 to 0.01
  check      a top-level `def check(candidate)`, as in HumanEval, that nothing calls
  functions  top-level `def test_...` or `class Test...`, as pytest collects them
  script     the rest, asserts at top level, as in MBPP
"""

from __future__ import annotations

import builtins
import json
import re
from functools import lru_cache

from rasft.answers.programs import bound

MOST_TOLERANCE = 0.01
_CHECK = re.compile(r"^def check\s*\(", re.M)
_CHECK_CALLED = re.compile(r"^check\s*\(", re.M)
_TEST_FUNCTIONS = re.compile(r"^(?:def test|class Test)", re.M)
_CALL = re.compile(r"(?<![\w.])([A-Za-z_]\w*)\s*\(")
_IMPORTED = re.compile(r"^from solution import (\w+)", re.M)
_KEYWORDS = frozenset(("assert", "and", "or", "not", "in", "is", "if", "else", "for", "lambda"))


@lru_cache(maxsize=4096)
def form_of(tests: str) -> str:
    """Return the form of tests, one of those that the module names.

    >>> form_of("assert f(1) == 2"), form_of('{"inputs": ["1"], "outputs": ["2"]}')
    ('script', 'stdio')
    """
    if tests.lstrip().startswith("{") and _is_stdio(tests):
        return "stdio"
    if _CHECK.search(tests) and not _CHECK_CALLED.search(tests):
        return "check"
    return "functions" if _TEST_FUNCTIONS.search(tests) else "script"


def _is_stdio(tests: str) -> bool:
    try:
        cases = json.loads(tests)
    except ValueError:
        return False
    if set(cases) - {"tolerance"} != {"inputs", "outputs"}:
        return False
    tolerance = cases.get("tolerance", 0)
    if isinstance(tolerance, bool) or not isinstance(tolerance, int | float):
        return False
    if not 0 <= tolerance <= MOST_TOLERANCE:
        return False
    texts = [*cases["inputs"], *cases["outputs"]]
    same_length = len(cases["inputs"]) == len(cases["outputs"])
    return bool(texts) and same_length and all(isinstance(text, str) for text in texts)


@lru_cache(maxsize=4096)
def entry_point_of(tests: str) -> str | None:
    """Return the function under test, as far as the tests' text tells, for rows that lack it.

    The first function called in an assert (or imported from `solution`) that the tests neither
    define nor import and that is no builtin; where all are builtins, the first.

    >>> entry_point_of("assert set(shared([1], [1])) == set([1])")
    'shared'
    >>> entry_point_of("assert sum(1, 2) == 3")
    'sum'
    """
    imported = _IMPORTED.search(tests)
    if imported:
        return imported[1]
    own = bound(tests)
    asserts = "\n".join(line for line in tests.splitlines() if line.lstrip().startswith("assert"))
    called = [name for name in _CALL.findall(asserts or tests) if name not in own | _KEYWORDS]
    unknown = [name for name in called if name not in vars(builtins)]
    return next(iter(unknown or called), None)
