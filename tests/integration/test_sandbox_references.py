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

from rasft.answers.programs import candidates, entry_point_of, form_of
from sandbox.inside.choice import choose
from sandbox.pool import Pool, PoolSettings
from sandbox.protocol import CORRECT, Limits, SandboxJob
from tests.answer_shapes import SHAPES, Shape, Solution, same_program, split

pytestmark = [
    pytest.mark.docker,
    pytest.mark.skipif(
        "RASFT_DATA_DIR" not in os.environ,
        reason="RASFT_DATA_DIR is not set; it names the folder that holds code/humaneval.jsonl",
    ),
]

# rows that no verifier can pass within ordinary limits, and why
FAULTY = {
    ("humanevalplus", "HumanEval/32"),  # its test unpacks a float, and fails its own solution
    ("mbppplus", 255),  # needs more than 512 MB
    ("mbppplus", 599),  # adds up huge ranges: half a minute of CPU time
}
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


@pytest.mark.parametrize(("name", "count"), [*PLAIN, ("humanevalplus", 164), ("mbppplus", 378)])
def test_every_reference_solution_passes(pool: Pool, name: str, count: int) -> None:
    found = rows(name)
    assert len(found) == count
    good = [row for row in found if (name, row["task_id"]) not in FAULTY]
    # the tests of the extended benchmarks use up to seconds, and more on a slow machine
    limits = Limits(cpu_seconds=20.0 if name.endswith("plus") else 6.0, wall_seconds=60.0)
    outcomes = pool.run(job(number, row, limits) for number, row in enumerate(good))
    failed = [
        (row["task_id"], shape_of(number, solution(row)), outcome)
        for number, (row, outcome) in enumerate(zip(good, outcomes, strict=True))
        if outcome.status != CORRECT
    ]
    assert failed == []
