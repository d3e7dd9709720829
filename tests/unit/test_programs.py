"""Taking the program out of an answer, and recognising tests."""

from __future__ import annotations

import pytest

from rasft.answers.programs import defines, entry_point_of, extract_program, form_of

PREFIX = 'from typing import List\n\n\ndef f(xs: List[int]) -> int:\n    """Sum."""\n'


@pytest.mark.parametrize(
    ("response", "entry_point", "prefix", "program"),
    [
        ("```python\ndef f(x):\n    return x\n```", "f", None, "def f(x):\n    return x\n"),
        # the last block that defines it, not the last block
        (
            "```py\ndef f(x): return 1\n```\nbetter:\n```\ndef f(x): return 2\n```\n"
            "run:\n```\nf(3)\n```",
            "f",
            None,
            "def f(x): return 2\n",
        ),
        # a block that never closes, as where tokens ran out
        ("Sure\n```python\ndef f(x):\n    return x\n", "f", None, "def f(x):\n    return x\n"),
        ("~~~\nf = lambda x: x\n~~~", "f", None, "f = lambda x: x\n"),
        # what the prompt imports comes along with a full definition
        (
            "```\ndef f(xs: List[int]):\n    return 0\n```",
            "f",
            PREFIX,
            "from typing import List\n\n\ndef f(xs: List[int]):\n    return 0\n",
        ),
        # a completion continues the prompt, and ends where prose begins
        ("    return sum(xs)\n\nThis works because", "f", PREFIX, PREFIX + "    return sum(xs)\n"),
        ("```\n    return sum(xs)\n```", "f", PREFIX, PREFIX + "    return sum(xs)\n"),
        (
            "    return g(xs)\n\ndef g(xs):\n    return sum(xs)\n",
            "f",
            PREFIX,
            PREFIX + "    return g(xs)\n\ndef g(xs):\n    return sum(xs)\n",
        ),
        # no fence at all
        ("def f(x):\n    return x", "f", None, "def f(x):\n    return x"),
        ("print(input())", None, None, "print(input())"),
        # nothing that could be it
        ("I cannot do that.", "f", None, None),
        ("```\ndef g(x): return x\n```", "f", None, None),
        ("", "f", PREFIX, None),
        ("  \n", None, None, None),
    ],
)
def test_the_rule(
    response: str, entry_point: str | None, prefix: str | None, program: str | None
) -> None:
    assert extract_program(response, entry_point, prefix) == program


def test_windows_line_ends_are_no_part_of_a_program() -> None:
    assert extract_program("```python\r\ndef f(x):\r\n    return x\r\n```", "f") == (
        "def f(x):\n    return x\n"
    )


@pytest.mark.parametrize(
    ("source", "answer"),
    [
        ("async def f(): pass", True),
        ("class f: pass", True),
        ("f: int = 3", True),
        ("f == 3", False),
        ("def ff(): pass", False),
        ("class A:\n    def f(self): pass", False),
    ],
)
def test_what_defines_a_name(source: str, answer: bool) -> None:
    assert defines(source, "f") is answer


@pytest.mark.parametrize(
    ("tests", "form"),
    [
        ("assert f(1) == 2\nassert f(2) == 3", "script"),
        ("METADATA = {}\n\ndef check(candidate):\n    assert candidate(1) == 2\n", "check"),
        ("def check(c):\n    assert c(1)\ncheck(f)\n", "script"),
        ("from solution import f\ndef test_f():\n    assert f(1)\n", "functions"),
        ("class TestF:\n    def test_a(self):\n        assert f(1)\n", "functions"),
        ('{"inputs": ["1\\n"], "outputs": ["2\\n"]}', "stdio"),
        ('{"inputs": ["1"], "outputs": []}', "script"),
        ('{"inputs": [], "outputs": []}', "script"),
        ("{1: 2}\nassert f(1)", "script"),
    ],
)
def test_forms(tests: str, form: str) -> None:
    assert form_of(tests) == form


@pytest.mark.parametrize(
    ("tests", "name"),
    [
        ("assert similar((3, 4), (4, 5)) == (4,)", "similar"),
        ("assert set(similar((3, 4), (4, 5))) == set((4,))", "similar"),
        ("assert sum(10, 15) == 6", "sum"),
        ("import math\nassert math.isclose(area(3), 9.0)", "area"),
        ("from math import isclose\nassert isclose(area(3), 9.0)", "area"),
        ("def close(a, b): return a == b\nassert close(area(3), 9.0)", "area"),
        ("from solution import area\ndef test_a():\n    assert round(area(1)) == 1", "area"),
        ("assert (max_height(root)) == 3", "max_height"),
        ("x = 1", None),
    ],
)
def test_the_function_under_test(tests: str, name: str | None) -> None:
    assert entry_point_of(tests) == name


@pytest.mark.parametrize(
    ("response", "found"),
    [
        ("<think>\n```python\ndef f():\n    return 1\n```\n", None),  # the thinking never ends
        ("<think>\n```python\ndef f():\n    return 1\n```\n</think>\nI cannot.", None),
        (
            "<think>\n```python\ndef f():\n    return 1\n```\n</think>\n"
            "```python\ndef f():\n    return 2\n```\n",
            "def f():\n    return 2\n",
        ),
        ("```python\ndef f():\n    return '<think>'\n```\n", "def f():\n    return '<think>'\n"),
    ],
)
def test_a_program_that_is_only_thought_is_no_answer(response: str, found: str | None) -> None:
    assert extract_program(response, "f") == found
