"""Verify the verifier on gold answers: every reference solution of the public benchmarks passes,

written in the shapes in which chat models answer: each in one of them here, in all of them as text.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from rasft import plugins
from rasft.answers.program_tests import entry_point_of, form_of
from rasft.answers.programs import candidates
from rasft.data.source import Source
from rasft.records import Problem, Status
from rasft.verifiers import Submission, Verifier
from sandbox.inside.choice import choose
from sandbox.pool import Pool, PoolSettings
from sandbox.protocol import CORRECT, Limits, SandboxJob
from tests import benchmark_rows
from tests.answer_shapes import SHAPES, Shape, Solution, same_program, split

pytestmark = [
    pytest.mark.docker,
    pytest.mark.skipif(
        "RASFT_DATA_DIR" not in os.environ,
        reason="RASFT_DATA_DIR is not set; it names the folder that holds code/humaneval.jsonl",
    ),
]

PLAIN = [
    ("humaneval", 164),
    ("mbpp_test", 500),
    ("mbpp_train", 374),
    ("mbpp_validation", 90),
    ("mbpp_prompt", 10),
    ("mbpp_sanitized", 427),
]


@pytest.fixture(scope="module")
def pool() -> Iterator[Pool]:
    with Pool(PoolSettings(containers=2)) as opened:
        yield opened


def rows(name: str) -> list[dict[str, Any]]:
    path = Path(os.environ["RASFT_DATA_DIR"]) / "code" / f"{name}.jsonl"
    return [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n") if line]


def asserts_of(row: dict[str, Any]) -> str:
    """The asserts by which the row names its function."""
    return "\n".join(row["test_list"] + row.get("challenge_test_list", []))


def solution(row: dict[str, Any]) -> Solution:
    """The reference solution of a row of any of these benchmarks."""
    if "canonical_solution" in row:
        return Solution(
            row["prompt"] + row["canonical_solution"], row["entry_point"], row["prompt"]
        )
    entry_point = entry_point_of(asserts_of(row))
    assert entry_point is not None
    return split(row["code"].replace("\r\n", "\n"), entry_point)


def response(reference: Solution, shape: Shape) -> tuple[str, ...]:
    """What may be the program of a response that gives the reference in this shape."""
    prefix = reference.header if shape.completes else None
    return candidates(shape.write(reference), reference.entry_point, prefix)


def shape_of(number: int, reference: Solution) -> str:
    """Each row's shape in turn; a program whose header stands apart may be told as a body alone."""
    names = [name for name in SHAPES if reference.header or not SHAPES[name].completes]
    return names[number % len(names)]


def job(number: int, row: dict[str, Any], limits: Limits) -> SandboxJob:
    """The reference solution in one of the shapes, with all its tests."""
    reference = solution(row)
    source, *others = response(reference, SHAPES[shape_of(number, reference)])
    setup = row.get("test_setup_code") or "\n".join(row.get("test_imports", []))
    tests = row["test"] if "test" in row else asserts_of(row)
    return SandboxJob(
        source,
        tests,
        form_of(tests),
        reference.entry_point,
        row["prompt"] if "canonical_solution" in row else "",
        setup,
        limits,
        alternatives=tuple(others),
    )


# the function sets the name itself that its first part sets, and so needs no helper
UNNEEDED = {("mbpp_train", 631)}


@pytest.mark.filterwarnings("ignore")  # invalid escapes in published programs
@pytest.mark.parametrize(("name", "count"), PLAIN)
@pytest.mark.parametrize(
    "turn", [0, *(pytest.param(n, marks=pytest.mark.whole) for n in (1, 2, 3, 4))]
)
def test_every_reference_solution_is_found_in_every_shape(name: str, count: int, turn: int) -> None:
    """A fifth of the pairs of solution and shape at each turn, each shape with each fifth row."""
    found = list(enumerate(rows(name)))
    assert len(found) == count
    lost = [
        (row["task_id"], title)
        for number, row in found
        for place, (title, shape) in enumerate(SHAPES.items())
        if (number + place) % 5 == turn and not is_found(solution(row), shape)
    ]
    assert [(task, title) for task, title in lost if (name, task) not in UNNEEDED] == []


def is_found(reference: Solution, shape: Shape) -> bool:
    """True when the program chosen of a response in this shape is the reference."""
    if shape.completes and not reference.header:
        return True
    sources = response(reference, shape)
    chosen = sources[choose(sources, reference.entry_point)] if sources else ""
    return same_program(chosen, reference.program)


@pytest.mark.parametrize(("name", "count"), PLAIN)
def test_every_reference_solution_passes(pool: Pool, name: str, count: int) -> None:
    found = rows(name)
    assert len(found) == count
    limits = Limits(wall_seconds=60.0)
    outcomes = pool.run(job(number, row, limits) for number, row in enumerate(found))
    failed = [
        (row["task_id"], shape_of(number, solution(row)), outcome)
        for number, (row, outcome) in enumerate(zip(found, outcomes, strict=True))
        if outcome.status != CORRECT
    ]
    assert failed == []


EXTENDED = {"humanevalplus": 164, "mbppplus": 378}


def extended(name: str) -> list[Problem]:
    source = Source(os.environ["RASFT_DATA_DIR"])
    return list(plugins.load("benchmarks", name).load(source))


@pytest.fixture(scope="module")
def verifier() -> Iterator[Verifier]:
    with plugins.load("verifiers", "python").build({"containers": 2}) as built:
        yield built


def statuses(verifier: Verifier, problems: list[Problem], answers: list[str]) -> list[Status]:
    pairs = zip(problems, answers, strict=True)
    return [each.status for each in verifier.judge(Submission(*pair) for pair in pairs)]


@pytest.mark.parametrize("name", EXTENDED)
def test_every_reference_solution_of_an_extended_benchmark_passes(
    verifier: Verifier, name: str
) -> None:
    problems = extended(name)
    assert len(problems) == EXTENDED[name]
    found = statuses(verifier, problems, [problem.expert for problem in problems])
    judged = zip(problems, found, strict=True)
    assert [(p.id, status) for p, status in judged if status is not Status.CORRECT] == []


@pytest.mark.parametrize("name", EXTENDED)
def test_a_wrong_program_fails_each_problem_of_an_extended_benchmark(
    verifier: Verifier, name: str
) -> None:
    problems = extended(name)
    wrong = [f"def {p.entry_point}(*given, **named):\n    return '?'" for p in problems]
    found = statuses(verifier, problems, wrong)
    assert [p.id for p, s in zip(problems, found, strict=True) if s is Status.CORRECT] == []


ROOTS = {
    "within a thousandth": "return root(xs) + 1e-3",
    "always zero": "return 0",
    "far below zero": "return -1e3 if xs[-1] > 0 else 1e3",
    "no number": "return float('nan')",
}


@pytest.mark.parametrize("name", ROOTS)
def test_the_mended_test_of_humaneval_32_refuses_a_wrong_root(
    verifier: Verifier, name: str
) -> None:
    (problem,) = (row for row in extended("humanevalplus") if row.id == "HumanEval/32")
    renamed = problem.expert.replace("def find_zero", "def root").removesuffix("```")
    program = f"{renamed}\ndef find_zero(xs):\n    {ROOTS[name]}\n```"
    assert statuses(verifier, [problem], [program]) == [Status.INCORRECT]


COMBINATIONS = {
    "a set in place of a list": "sorted(set(cwr(l, n)))",
    "without repetition": "list(itertools.combinations(l, n))",
    "all but the last": "list(cwr(l, n))[:-1]",
}


@pytest.mark.parametrize("name", COMBINATIONS)
def test_the_calls_left_of_mbpp_255_refuse_wrong_combinations(
    verifier: Verifier, name: str
) -> None:
    (problem,) = (row for row in extended("mbppplus") if row.id == "mbpp/255")
    program = (
        "import itertools\ncwr = itertools.combinations_with_replacement\n"
        f"def combinations_colors(l, n):\n    return {COMBINATIONS[name]}\n"
    )
    (status,) = statuses(verifier, [problem], [program])
    assert status in (Status.INCORRECT, Status.CRASHED)  # `sorted` of mixed types raises


SUMS = {
    "the sum": ("print(sum(map(int, input().split())))", Status.CORRECT),
    "the first number": ("print(input().split()[0])", Status.INCORRECT),
    "the public test by heart": ("print({'1 2': 3}[input()])", Status.CRASHED),
    "nothing": ("x = input()", Status.INCORRECT),
}
HEAD = "class Solution:\n    def common(self, a: List[int], k: int) -> List[int]:\n"
COMMON = {
    "with modules that it never imports": ("return Counter(a).most_common(1)[0]", Status.CORRECT),
    "with a list": ("return list(collections.Counter(a).most_common(1)[0])", Status.CORRECT),
    "without the count": ("return [max(a, key=a.count)]", Status.INCORRECT),
    "the public test by heart": ("return [2, 2]", Status.INCORRECT),
    "an answer equal to all": (
        "return type('E', (), {'__eq__': lambda s, o: True})()", Status.INCORRECT
    ),
    "an error": ("return a[9]", Status.CRASHED),
}  # fmt: skip


def contest(tmp_path: Path, problem_id: str) -> Problem:
    source = Source(str(benchmark_rows.write(tmp_path)))
    (found,) = (
        row for row in plugins.load("benchmarks", "livecodebench").load(source)
        if row.id == problem_id
    )  # fmt: skip
    return found


@pytest.mark.parametrize("name", SUMS)
def test_programs_of_livecodebench_read_standard_input(
    verifier: Verifier, tmp_path: Path, name: str
) -> None:
    program, status = SUMS[name]
    row = contest(tmp_path, "livecodebench/abc301_a")
    assert statuses(verifier, [row], [f"```python\n{program}\n```"]) == [status]


@pytest.mark.parametrize("name", COMMON)
def test_methods_of_livecodebench_are_called(verifier: Verifier, tmp_path: Path, name: str) -> None:
    body, status = COMMON[name]
    row = contest(tmp_path, "livecodebench/3001")
    answer = f"Here it is.\n```python\n{HEAD}        {body}\n```"
    assert statuses(verifier, [row], [answer]) == [status]
