"""The judge's pytest, in the version that is installed here; the image may have another."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.pytest_style import PYTEST, UNLIKE

ROOT = Path(__file__).parents[2]
HEAD = "import sys, types; from sandbox.inside import with_pytest; import numpy as np"
# each source in a module of its own; a line says what came of it
EACH = """
for source in SOURCES:
    module = sys.modules["tests"] = types.ModuleType("tests")
    exec(source, module.__dict__)
    try:
        with_pytest.run(module)
        print("passed")
    except BaseException as error:
        print(type(error).__name__)
"""
DOUBLE = """
class solution: pass
def f(x):
    if x is None: raise TypeError("unsupported")
    return x * 2
"""


def outcomes(*sources: str) -> list[str]:
    program = f"{HEAD}\nSOURCES = {sources!r}\n{EACH}"
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stderr == ""
    return done.stdout.splitlines()


def test_fixtures_marks_and_parameters_are_pytests_own() -> None:
    tests = DOUBLE + PYTEST.replace("from solution import f\n", "")
    unknown = "def test_it(mocker): pass"
    skipped = "import pytest\n@pytest.mark.skip\ndef test_it(): pass"
    found = outcomes(tests.replace("LAST", "6"), tests.replace("LAST", "7"), unknown, skipped)
    assert found == ["passed", "AssertionError", "TestsError", "TestsError"]


def test_only_like_forms_are_approximately_equal() -> None:
    tests = "import numpy as np, pytest\ndef test_it(): assert {} == pytest.approx({})"
    unlike = [tests.format(*pair) for pair in UNLIKE]
    alike = [tests.format(expected, expected) for _, expected in UNLIKE]
    assert outcomes(*unlike) == ["AssertionError"] * len(UNLIKE)
    assert outcomes(*alike) == ["passed"] * len(UNLIKE)
