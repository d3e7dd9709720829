"""What becomes of programs of every kind, in real containers."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from typing import Any

import pytest

from rasft.errors import UserError
from rasft.records import Problem, Status
from rasft.verifiers import Submission
from rasft.verifiers.python import build
from sandbox import image
from sandbox.container import Container, Lockdown
from sandbox.health import checks
from sandbox.pool import Pool, PoolSettings
from sandbox.protocol import (
    CORRECT,
    CRASHED,
    INCORRECT,
    MALFORMED,
    MAX_SOURCE_BYTES,
    OUT_OF_MEMORY,
    TIMED_OUT,
    UNDECIDED,
    Limits,
    Outcome,
    SandboxError,
    SandboxJob,
)
from tests.answer_shapes import BINDINGS, HEADER, SHAPES, TESTS, Solution, block
from tests.pytest_style import PYTEST, UNLIKE

pytestmark = pytest.mark.docker

ASSERT = "assert f(1) == 2"
QUICK = Limits(cpu_seconds=0.5, wall_seconds=4.0)


@pytest.fixture(scope="module")
def pool() -> Iterator[Pool]:
    with Pool(PoolSettings(containers=2)) as opened:
        yield opened


def outcome(pool: Pool, job: SandboxJob) -> Outcome:
    (only,) = pool.run([job])
    assert only is not None
    return only


@pytest.mark.parametrize(
    ("source", "status", "words"),
    [
        ("def f(x): return x + 1", CORRECT, ""),
        ("def f(x): return x", INCORRECT, "a test failed"),
        ("def f(x): return None", INCORRECT, "a test failed"),
        ("def g(x): return x + 1", CRASHED, "name 'f' is not defined"),
        ("def f(x): return x.y", CRASHED, "AttributeError"),
        ("def f(x): assert False, 'mine'", CRASHED, "raised AssertionError: mine"),
        ("raise ValueError('early')", CRASHED, "raised ValueError: early"),
        ("import os\nos._exit(3)", CRASHED, "exited with code 3"),
        ("import os\nos.kill(os.getpid(), 11)", CRASHED, "killed by signal 11"),
        ("def f(x: return 2", MALFORMED, "SyntaxError"),
        ("def f(x):\n    return 2\x00", MALFORMED, "null bytes"),
        ("def f(x):\n    while True: pass", TIMED_OUT, "CPU time"),
        ("import time\ndef f(x): time.sleep(60)", TIMED_OUT, "idle"),
        ("def f(x): return bytearray(1 << 40)", OUT_OF_MEMORY, "memory"),
        ("#" * (MAX_SOURCE_BYTES + 1), MALFORMED, "kB of source"),
    ],
)
def test_statuses(pool: Pool, source: str, status: str, words: str) -> None:
    found = outcome(pool, SandboxJob(source, ASSERT, limits=QUICK))
    assert found.status == status
    assert words in found.detail


RIGHT, WRONG = "def f(x): return x + 1", "def f(x): return x"


@pytest.mark.parametrize(
    ("sources", "chosen", "status"),
    [
        ((RIGHT, WRONG), 0, CORRECT),
        ((WRONG, RIGHT), 0, INCORRECT),  # the tests have no part in the choice
        (("def f(x: return 2", RIGHT, WRONG), 1, CORRECT),
        (("g = 1", "f(1)", "class A:\n    def f(x): return 2", RIGHT), 3, CORRECT),
        (("1 / 0", "from operator import pos as f"), 1, INCORRECT),
        (("def f(x):\n    global f\n    f = 2", RIGHT), 0, INCORRECT),
        (("def f(x: return 2", "x = 1", "def f(x) = 2"), 1, CRASHED),
        (("def f(x: return 2", "def f(x) = 2"), 0, MALFORMED),
        (("f = 1 \x00", "f = '\ud800'", RIGHT), 2, CORRECT),
        # one that fails is not followed by another try
        (("raise ValueError\ndef f(x): ...", RIGHT), 0, CRASHED),
        (("import os\nos._exit(0)\ndef f(x): ...", RIGHT), 0, CRASHED),
        (("", "def f(x):\n    while True: pass", RIGHT), 1, TIMED_OUT),
        (("", "def f(x): return bytearray(1 << 40)", RIGHT), 1, OUT_OF_MEMORY),
    ],
)
def test_one_of_several_sources_is_the_program(
    pool: Pool, sources: tuple[str, ...], chosen: int, status: str
) -> None:
    source, *others = sources
    job = SandboxJob(source, ASSERT, entry_point="f", limits=QUICK, alternatives=tuple(others))
    found = outcome(pool, job)
    assert (found.chosen, found.status) == (chosen, status)


def test_a_program_cannot_say_that_another_was_judged(pool: Pool) -> None:
    lie = (
        "import json, os, struct\n"
        "for message in (1, [\"ok\", 1], ['chosen', 1]):\n"
        "    body = json.dumps(message).encode()\n"
        "    os.write(3, struct.pack('>I', len(body)) + body)\n"
        "def f(x): return x + 1"
    )
    job = SandboxJob(lie, ASSERT, entry_point="f", limits=QUICK, alternatives=(WRONG,))
    assert outcome(pool, job).chosen == 0


def test_the_first_that_compiles_reads_standard_input(pool: Pool) -> None:
    tests = json.dumps({"inputs": ["1\n", "2\n"], "outputs": ["2", "3"]})
    sources = ("print(", "print(int(input()) + 1)", "print(2)")
    found = outcome(pool, SandboxJob(sources[0], tests, "stdio", alternatives=sources[1:]))
    assert (found.chosen, found.status) == (1, CORRECT)


def test_sources_are_bounded_together(pool: Pool) -> None:
    half = "#" * (MAX_SOURCE_BYTES // 2 + 1)
    found = outcome(pool, SandboxJob(half, ASSERT, alternatives=(half,)))
    assert (found.status, found.chosen) == (MALFORMED, 0)


OTHER_TESTS = {
    "an import under its name": "assert f(4, 6) == 2",
    "an async function": "assert f(1) is not None",  # what it returns cannot be awaited here
}


def test_every_shape_of_answer_is_judged_and_no_near_miss_passes() -> None:
    body = "    y = x\n    while y == x:\n        y += 1\n    return y\n"
    rows, answers, right = [], [], []
    for name, shape in SHAPES.items():
        row = problem(
            tests=TESTS, entry_point="f", **{"code_prefix": HEADER} if shape.completes else {}
        )
        whole = Solution(HEADER + body, "f", HEADER)
        rows += [row, row]
        answers += [shape.write(whole), shape.near]
        right += [f"{name}: right", ""]
    for name, (written, near, _) in BINDINGS.items():
        row = problem(tests=OTHER_TESTS.get(name, TESTS), entry_point="f")
        rows += [row, row]
        answers += [block(written), block(near)]
        right += [f"{name}: right", ""]
    with build({"containers": 1, "cpu_seconds": 1.0, "wall_seconds": 4.0}) as verifier:
        judged = list(verifier.judge(map(Submission, rows, answers)))
    wrong = [
        (title or answer, found)
        for title, answer, found in zip(right, answers, judged, strict=True)
        if (found.status is Status.CORRECT) is not bool(title)
    ]
    assert wrong == []


@pytest.mark.parametrize(
    ("tests", "words"),
    [
        ("assert f(1 == 2", "the tests cannot be parsed"),
        ("class A: pass\nassert f(A()) == 2", "cannot cross"),
        ("  \n", "no tests"),
    ],
)
def test_tests_that_cannot_judge_leave_it_undecided(pool: Pool, tests: str, words: str) -> None:
    found = outcome(pool, SandboxJob("def f(x): return 2", tests))
    assert found.status == UNDECIDED
    assert words in found.detail


# (program, tests) that hold, though values, objects and functions cross a process boundary
HOLD = {
    "a class and its state": (
        "class Stack:\n    def __init__(self): self.items = []\n    def push(self, x): "
        "self.items.append(x)\n    def pop(self): return self.items.pop()",
        "s = Stack()\ns.push(3)\ns.push([1])\nassert s.pop() == [1]\nassert s.items == [3]\n"
        "assert isinstance(s, Stack)\ns.items = [7]\nassert s.pop() == 7",
    ),
    "objects handed back": (
        "class Node:\n    def __init__(self, v): self.v = v; self.next = None\n"
        "def total(n):\n    return 0 if n is None else n.v + total(n.next)",
        "head = Node(1)\nhead.next = Node(2)\nassert total(head) == 3\n"
        "assert head.next is head.next",
    ),
    "a generator": ("def f(n):\n    yield from range(n)", "assert list(f(3)) == [0, 1, 2]"),
    "a truth": (
        "import re\ndef f(s): return re.match('a', s)",
        "assert f('ab')\nassert not f('b')",
    ),
    "a function of the tests": (
        "def f(g, xs): return [g(x) for x in xs]",
        "assert f(lambda x: x * 2, [1, 2]) == [2, 4]\nassert f(str, (1,)) == ['1']",
    ),
    "a function that fails in the tests": (
        "def f(g):\n    try:\n        return g(1)\n"
        "    except ZeroDivisionError:\n        return 'caught'",
        "assert f(lambda x: x / 0) == 'caught'",
    ),
    "a closure from the program": (
        "def adder(n): return lambda x: x + n",
        "add = adder(3)\nassert add(4) == 7",
    ),
    "a list sorted in place": (
        "def f(xs): xs.sort()",
        "xs = [3, 1, 2]\nassert f(xs) is None\nassert xs == [1, 2, 3]",
    ),
    "a dict changed in place": (
        "def f(d): d['new'] = d.pop('old')",
        "d = {'old': 1}\nf(d)\nassert d == {'new': 1}",
    ),
    "an exception": (
        "def f(x): raise KeyError(x)",
        "try:\n    f(1)\nexcept KeyError:\n    pass\nelse:\n    raise AssertionError",
    ),
    "a subclass of an exception": (
        "class Mine(ValueError): pass\ndef f(x): raise Mine('no')",
        "try:\n    f(1)\nexcept ValueError as error:\n    assert str(error) == 'no'",
    ),
    "an iterator as argument": ("def f(xs): return sum(xs)", "assert f(x for x in [1, 2]) == 3"),
    "a name of a builtin": ("def sum(a, b): return a + b", "assert sum(1, 2) == 3"),
    "text of an object": (
        "class P:\n    def __str__(self): return 'P!'",
        "assert str(P()) == 'P!'",
    ),
    "keyword arguments": ("def f(*, a, b=2): return a * b", "assert f(a=3) == 6"),
    "asyncio": (
        "import asyncio\nasync def g(): return 5\ndef f(): return asyncio.run(g())",
        "assert f() == 5",
    ),
    "threads": (
        "from concurrent.futures import ThreadPoolExecutor\n"
        "def f(xs):\n    with ThreadPoolExecutor(2) as p: return list(p.map(abs, xs))",
        "assert f([-1, 2]) == [1, 2]",
    ),
    "a scratch file": (
        "def f():\n    open('/tmp/x', 'w').write('hi')\n    return open('/tmp/x').read()",
        "assert f() == 'hi'",
    ),
}


@pytest.mark.parametrize("name", HOLD)
def test_values_objects_and_functions_cross(pool: Pool, name: str) -> None:
    source, tests = HOLD[name]
    found = outcome(
        pool, SandboxJob(source, tests, entry_point="sum" if "sum(a" in source else "f")
    )
    assert (found.status, found.detail) == (CORRECT, "")


PLAIN = """
import unittest
from solution import f
def test_error():
    try:
        f(None)
    except TypeError:
        return
    raise AssertionError("no error")
class TestMore:
    def setup_method(self): self.x = 3
    def test_setup(self): assert f(self.x) == LAST
class TestUnit(unittest.TestCase):
    def setUp(self): self.x = 4
    def test_unit(self): self.assertEqual(f(self.x), 8)
"""


@pytest.mark.parametrize(
    ("tests", "status", "words"),
    [
        ("async def test_it(): assert f(1) == 3", UNDECIDED, "a test is no plain function"),
        ("def test_a(): f(1)\ndef test_b(): yield f(1) == 3", UNDECIDED, "a test is no plain"),
        ("class TestNothing:\n    pass", UNDECIDED, "the tests hold no test"),
        ("import pytest\n@pytest.mark.parametrize('x', [])\ndef test_it(x): assert f(x) == 3",
         UNDECIDED, "the tests hold no test that passes"),
        ("import pytest\n@pytest.mark.skip\ndef test_it(): assert f(1) == 3",
         UNDECIDED, "the tests hold no test that passes"),
        ("import pytest\n@pytest.mark.xfail\ndef test_it(): assert f(1) == 2",
         UNDECIDED, "the tests hold no test that passes"),
        ("import pytest\ndef test_a(): assert f(1) == 2\ndef test_b(): pytest.exit('early')",
         UNDECIDED, "the tests hold no test that passes"),
        ("import pytest\nasync def test_it(): assert f(1) == 3",
         UNDECIDED, "the tests hold no test that passes"),
        ("import pytest\n@pytest.mark.parametrize('y', [1])\ndef test_it(x): assert f(x) == 3",
         UNDECIDED, "pytest cannot collect the tests"),
        ("def test_it(tmp_path): assert f(1) == 2", UNDECIDED, "not here: tmp_path"),
        ("def test_it(capsys): assert f(1) == 2", UNDECIDED, "not here: capsys"),
    ],
)  # fmt: skip
def test_tests_that_would_run_nothing_pass_nothing(
    pool: Pool, tests: str, status: str, words: str
) -> None:
    found = outcome(pool, SandboxJob("def f(x): return x + 1", tests, "functions", "f"))
    assert found.status == status
    assert words in found.detail


@pytest.mark.parametrize("tests", [PYTEST, PLAIN], ids=["pytest", "plain"])
@pytest.mark.parametrize(("last", "status"), [("6", CORRECT), ("7", INCORRECT)])
def test_pytest_style(pool: Pool, tests: str, last: str, status: str) -> None:
    source = "def f(x):\n    if x is None: raise TypeError('unsupported')\n    return x * 2"
    job = SandboxJob(source, tests.replace("LAST", last), "functions", "f")
    found = outcome(pool, job)
    assert found.status == status, found


@pytest.mark.parametrize(("answer", "expected"), UNLIKE)
def test_approximately_equal_is_of_one_form(pool: Pool, answer: str, expected: str) -> None:
    """Most of these are equal to pytest alone."""
    tests = "import numpy as np, pytest\ndef test_it(): assert f() == pytest.approx({})"
    wrong = SandboxJob(f"import numpy as np\ndef f(): return {answer}", tests.format(expected),
                       "functions", "f")  # fmt: skip
    right = SandboxJob(f"import numpy as np\ndef f(): return {expected}", tests.format(expected),
                       "functions", "f")  # fmt: skip
    assert outcome(pool, wrong).status == INCORRECT
    assert outcome(pool, right).status == CORRECT


def test_a_program_is_no_test_and_reaches_no_outcome(pool: Pool) -> None:
    tests = "import pytest\nfrom solution import *\ndef test_it(): assert testify(1) == 3"
    for body, status in (
        ("3", CORRECT),
        ("2", INCORRECT),
        ("__import__('pytest').skip('no')", CRASHED),
        ("__import__('os')._exit(0)", CRASHED),
        ("(_ for _ in ()).throw(SystemExit(0))", CRASHED),
        ("(_ for _ in ()).throw(KeyboardInterrupt())", CRASHED),
    ):
        job = SandboxJob(f"def testify(x=None): return {body}", tests, "functions", "testify")
        found = outcome(pool, job)
        assert found.status == status, (body, found)


@pytest.mark.parametrize(
    ("source", "status"),
    [
        ("a, b = map(int, input().split())\nprint(a + b)", CORRECT),
        ("import sys\nsys.stdout.write(str(sum(map(int, sys.stdin.read().split()))))", CORRECT),
        (
            "import threading\n"
            "threading.Thread(target=lambda: print(sum(map(int, input().split())))"
            ").start()",
            CORRECT,
        ),
        (
            "def main():\n    print(sum(map(int, input().split())))\n"
            "if __name__ == '__main__':\n    main()\n    exit()",
            CORRECT,
        ),
        ("print(3)", INCORRECT),
        ("print(sum(map(int, input().split())))\nraise SystemExit(1)", CRASHED),
        ("print(input(), input(), input())", CRASHED),
        ("while True: pass", TIMED_OUT),
        ("while True: print('x' * 10000)", CRASHED),
        ("print(", MALFORMED),
        ("x = bytearray(1 << 40)", OUT_OF_MEMORY),
    ],
)
def test_standard_input_and_output(pool: Pool, source: str, status: str) -> None:
    tests = json.dumps({"inputs": ["1 2\n", "3 4"], "outputs": ["3\n", "7  \n\n"]})
    found = outcome(pool, SandboxJob(source, tests, "stdio", limits=QUICK))
    assert found.status == status, found


def test_helpers_come_from_the_prelude(pool: Pool) -> None:
    prelude = "def helper(x):\n    return x + 1\n\ndef f(x):\n    '''To be written.'''\n"
    tests = "def check(candidate):\n    assert helper(candidate(1)) == 3\n"
    right = SandboxJob("def f(x): return 2", tests, "check", "f", prelude)
    wrong = SandboxJob("def helper(x): return 3\ndef f(x): return 0", tests, "check", "f", prelude)
    assert [found.status for found in pool.run([right, wrong])] == [CORRECT, INCORRECT]


def test_setup_may_use_what_the_program_defines(pool: Pool) -> None:
    setup = "root = Node(1)\nroot.left = Node(2)\n"
    source = (
        "class Node:\n    def __init__(self, v):\n        self.v, self.left = v, None\n"
        "def depth(n): return 0 if n is None else 1 + depth(n.left)"
    )
    assert (
        outcome(pool, SandboxJob(source, "assert depth(root) == 2", setup=setup)).status == CORRECT
    )


def test_output_is_kept_where_asked(pool: Pool) -> None:
    source = (
        "import sys\ndef f(x):\n    print('a' * 5000 + 'end')\n"
        "    print('err', file=sys.stderr)\n    return 2"
    )
    kept = outcome(pool, SandboxJob(source, ASSERT, keep_output=True))
    assert len(kept.stdout) == 2048
    assert kept.stdout.endswith("end\n")
    assert kept.stderr == "err\n"
    assert outcome(pool, SandboxJob(source, ASSERT)).stdout == ""


def test_limits_are_only_lowered() -> None:
    limits = Limits(6.0, 20.0, 512)
    assert limits.lowered(cpu_seconds=1.0, memory_mb=4096) == Limits(1.0, 20.0, 512)


def test_a_job_may_not_ask_for_more_memory_than_its_container(pool: Pool) -> None:
    found = outcome(pool, SandboxJob("def f(x): return 2", ASSERT, limits=Limits(memory_mb=4096)))
    assert found.status == UNDECIDED


def test_outcomes_come_in_the_order_of_the_jobs(pool: Pool) -> None:
    wait = "import time\ndef f(x):\n    time.sleep(0.2 if {n} % 10 == 0 else 0)\n    return {n}"
    jobs = [SandboxJob(wait.format(n=n), f"assert f(0) == {n if n % 3 else -1}") for n in range(60)]
    statuses = [found.status for found in pool.run(jobs)]
    assert statuses == [CORRECT if n % 3 else INCORRECT for n in range(60)]


def test_a_pool_that_is_not_open_says_so() -> None:
    with pytest.raises(SandboxError, match="not open"):
        list(Pool(PoolSettings(containers=1)).run([SandboxJob("x = 1", "assert x")]))


def problem(**named: Any) -> Problem:
    return Problem(id="p", prompt="", verifier="python", **named)


def test_the_plugin_judges_in_order_and_names_what_is_no_answer() -> None:
    tests = problem(tests="assert double(2) == 4")
    chat = "Sure:\n```python\ndef double(x):\n    return x * {}\n```\nDone."
    prefix = 'def double(x):\n    """Twice x."""\n'
    check = problem(
        tests="def check(candidate):\n    assert candidate(2) == 4\n",
        entry_point="double",
        code_prefix=prefix,
    )
    pairs = [
        (tests, chat.format(2), Status.CORRECT),
        (tests, "I would rather not.", Status.NO_ANSWER),
        (tests, chat.format(3), Status.INCORRECT),
        (check, "    return x * 2\n\nprint(double(1))", Status.CORRECT),
        (check, "    return x ** 3", Status.INCORRECT),
        (check, "", Status.NO_ANSWER),
    ]
    with build({"containers": 1}) as verifier:
        found = list(verifier.judge(Submission(row, response) for row, response, _ in pairs))
    assert [judgement.status for judgement in found] == [status for _, _, status in pairs]
    assert found[0].answer == "def double(x):\n    return x * 2\n"
    assert len(verifier.version) == 16


@pytest.mark.parametrize(
    ("row", "words"),
    [({}, "'p' has no tests"), ({"tests": "def check(candidate):\n    pass\n"}, "entry_point")],
)
def test_a_problem_that_cannot_be_judged_is_the_users_to_mend(
    row: dict[str, str], words: str
) -> None:
    with build({"containers": 1}) as verifier, pytest.raises(UserError, match=words):
        list(verifier.judge([Submission(problem(**row), "x = 1")]))


HOLDS = "def f(x):\n    held = bytearray({} << 20)\n    return 2"
SPINS = "import time\ndef f(x):\n    while time.process_time() < {}: pass\n    return 2"


Pair = tuple[Problem, str, Status]


def statuses(settings: dict[str, float], pairs: list[Pair]) -> list[Status]:
    with build({"containers": 1, **settings}) as verifier:
        found = verifier.judge(Submission(row, program) for row, program, _ in pairs)
        return [judgement.status for judgement in found]


def test_a_problem_may_need_more_memory_than_the_settings_and_never_gets_less() -> None:
    small, large = problem(tests=ASSERT), problem(tests=ASSERT, memory_mb=1600)
    pairs = [
        (small, HOLDS.format(1200), Status.OUT_OF_MEMORY),
        (large, HOLDS.format(1200), Status.CORRECT),
        (large, HOLDS.format(1800), Status.OUT_OF_MEMORY),
        (problem(tests=ASSERT, memory_mb=16), HOLDS.format(100), Status.CORRECT),
    ]
    assert statuses({}, pairs) == [status for _, _, status in pairs]


def test_a_problem_may_need_more_time_than_the_settings_and_never_gets_less() -> None:
    plain, quick = problem(tests=ASSERT), problem(tests=ASSERT, cpu_seconds=0.1)
    slow = problem(tests=ASSERT, cpu_seconds=4.0)
    pairs = [
        (plain, SPINS.format(1.5), Status.TIMED_OUT),
        (slow, SPINS.format(1.5), Status.CORRECT),
        (slow, SPINS.format(9), Status.TIMED_OUT),
        (quick, SPINS.format(0.3), Status.CORRECT),
    ]
    assert statuses({"cpu_seconds": 1.0}, pairs) == [status for _, _, status in pairs]


def test_a_problem_that_asks_for_more_memory_than_there_may_be_is_named() -> None:
    greedy = problem(tests=ASSERT, memory_mb=9000)
    with build({"containers": 1}) as verifier, pytest.raises(UserError, match=r"9000 MB.*4096 MB"):
        list(verifier.judge([Submission(greedy, "def f(x): return 2")]))


@pytest.mark.parametrize(
    ("settings", "words"),
    [({"cpus": 1}, "'cpus'"), ({"cpu_seconds": 0}, "cpu_seconds"), ({"runtime": "x"}, "runsc")],
)
def test_a_bad_setting_is_named(settings: dict[str, object], words: str) -> None:
    with pytest.raises(UserError, match=words):
        build(settings)


def test_health_finds_everything_well() -> None:
    findings = checks()
    assert [finding for finding in findings if not finding[1]] == []
    assert {"docker", "sandbox image", "sandbox container"} <= {name for name, _, _ in findings}


def test_a_program_and_its_judge_share_one_processor(pool: Pool) -> None:
    source = "import os\ndef f(x): return len(os.sched_getaffinity(0))"
    assert outcome(pool, SandboxJob(source, "assert f(1) == 1")).status == CORRECT


def test_containers_are_spread_over_the_processors() -> None:
    client = image.connect()
    lockdown = Lockdown(image.ensure_image(client=client))
    usable = sorted(os.sched_getaffinity(0))
    for place in (0, 1, len(usable)):
        with Container(client, lockdown, place) as container:
            process = client.api.inspect_container(container.id)["State"]["Pid"]
            assert os.sched_getaffinity(process) == {usable[place % len(usable)]}
    client.close()
