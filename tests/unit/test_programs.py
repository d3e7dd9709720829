"""Taking the program out of an answer, and recognising tests."""

from __future__ import annotations

import pytest
from attacks.hostile_answers import DEEP, DEEPENED, GUESSES, LONG, RIGHT, fenced

from rasft.answers.program_tests import entry_point_of, form_of
from rasft.answers.programs import (
    MOST_BYTES,
    MOST_CANDIDATES,
    candidates,
    defines,
    extract_program,
)
from sandbox.inside.choice import choose
from tests.answer_shapes import BINDINGS, HEADER, SHAPES, Solution, block, same_program
from tests.programs import found_by

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
        ("f, g = 1, 2", True),
        ("(g, *f) = 1, 2", True),
        ("x.f = 3", False),
        ("print(f(1), end='')", False),
        ("    f = 3", False),
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


@pytest.mark.parametrize(
    ("response", "found"),
    [
        ("<THINK>\n" + RIGHT + "</Think>\n", None),
        ("<thinking>a</thinking><thinking>b</thinking>\nx = 3\n", "x = 3\n"),
        ("a\n<think>b</think>x = 1\n<think>", None),
        (RIGHT + "</think>x = 2", "x = 2"),
        ("text = '</think>'.join('ab')", "text = '</think>'.join('ab')"),
    ],
)
def test_tags_of_thinking(response: str, found: str | None) -> None:
    assert extract_program(response) == found


LONGER = Solution(
    "import math\n\n\ndef h(x):\n    return math.floor(x)\n\n\n"
    'def f(x):\n    """One more."""\n    y = h(x)\n    if y:\n        y += 1\n    return y or 1\n',
    "f",
)
BODY = "    y = x\n    while y == x:\n        y += 1\n    return y\n"


def chosen(response: str, entry_point: str | None = "f", prefix: str | None = None) -> str | None:
    """The program of a trusted response, chosen as the sandbox does."""
    found = candidates(response, entry_point, prefix)
    return found[choose(found, entry_point)] if found else None


@pytest.mark.parametrize("name", SHAPES)
def test_a_program_is_found_in_every_shape(name: str) -> None:
    shape = SHAPES[name]
    solution = Solution(HEADER + BODY, "f", HEADER) if shape.completes else LONGER
    found = chosen(shape.write(solution), prefix=HEADER if shape.completes else None)
    assert found is not None
    assert same_program(found, solution.program)


@pytest.mark.parametrize("name", SHAPES)
def test_what_is_nearly_that_shape_is_not_taken_for_it(name: str) -> None:
    shape = SHAPES[name]
    assert chosen(shape.near, prefix=HEADER if shape.completes else None) == shape.judged


@pytest.mark.parametrize("name", BINDINGS)
def test_what_binds_the_entry_point(name: str) -> None:
    right, near, judged = BINDINGS[name]
    assert chosen(block(right)) == right
    assert chosen(block(near)) == judged


def test_there_are_enough_shapes() -> None:
    assert len(SHAPES) + len(BINDINGS) >= 39 + 20


@pytest.mark.parametrize(
    ("response", "found"),
    [
        (
            "```python\nprint(int(input()) + 1)\n```\nOutput:\n```\n5\n```",
            "print(int(input()) + 1)\n",
        ),
        (
            "```\nprint(int(input()) + 1)\n```\nFor 4 it is:\n```\n5\n```",
            "print(int(input()) + 1)\n",
        ),
        ("n = int(input())\nprint(n + 1)\n\nIt reads n.", "n = int(input())\nprint(n + 1)\n"),
        (
            "```python\ndef g(n):\n    return n + 1\n```\n```python\nprint(g(int(input())))\n```",
            "def g(n):\n    return n + 1\n\nprint(g(int(input())))\n",
        ),
        ("Reading n and printing n + 1 is enough.", None),
    ],
)
def test_programs_without_an_entry_point(response: str, found: str | None) -> None:
    assert chosen(response, None) == found


def test_the_last_of_two_programs_is_the_one() -> None:
    first, last = (f"def f(x):\n    return x + {n}\n" for n in (1, 2))
    assert chosen(block(first) + "\nor\n" + block(last)) == last
    assert chosen(block(last) + "\nor\n" + block(first)) == first
    assert chosen(f"{block(last)}\nIt is also:\n\n{first}") == last  # a fence comes first


def test_a_program_takes_from_other_blocks_only_what_it_lacks() -> None:
    entry = "def f(x):\n    return g(x) + n\n"
    others = ("n = 1", "def g(x):\n    return x", "def unused(x):\n    return x", "n = 2\nprint(n)")
    response = "\n".join(map(block, (*others, entry)))
    assert chosen(response) == "n = 1\n\ndef g(x):\n    return x\n\n" + entry


@pytest.mark.timeout(60)
@pytest.mark.parametrize("name", [*LONG, *GUESSES, *DEEPENED])
def test_reading_a_hostile_answer_ends_and_is_bounded(name: str) -> None:
    found = candidates((LONG | GUESSES | DEEPENED)[name], "solve", "def solve(x):\n")
    assert len(found) <= MOST_CANDIDATES
    assert sum(len(source.encode("utf-8", "replace")) for source in found[1:]) <= MOST_BYTES


@pytest.mark.parametrize("name", GUESSES)
def test_no_guess_brings_an_earlier_program_in(name: str) -> None:
    assert (chosen(GUESSES[name], "solve") or "").strip() != RIGHT.strip()


def test_what_does_not_compile_is_no_program() -> None:
    assert chosen(fenced(RIGHT) + fenced("def solve(x) = 7x + 3\n"), "solve") == RIGHT
    assert chosen(fenced("def solve(x) = 7x + 3\n"), "solve") == "def solve(x) = 7x + 3\n"
    assert choose([DEEP["parentheses"], DEEP["a null byte"], RIGHT], "solve") == 2


def test_a_verdict_depends_on_every_module_that_reads_a_program() -> None:
    code = (
        "import sys, rasft.answers.programs as p\n"
        "from rasft.verifiers.python import DECIDING\n"
        "read = {m.__file__ for n, m in sys.modules.items() if n.startswith('rasft.answers.')}\n"
        "import json; print(json.dumps({'missing': sorted(read - set(map(str, DECIDING)))}))"
    )
    assert found_by(code)["missing"] == []
