"""Rows of contest datasets through the real sandbox: experts, other answers, and hostile prints."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from rasft import plugins
from rasft.data.rows import fenced
from rasft.data.source import Source
from rasft.errors import UserError
from rasft.records import Problem, Status
from rasft.verifiers import Submission
from rasft.verifiers.python import PythonVerifier, build
from tests import contest_rows

pytestmark = pytest.mark.docker

CORRECT, INCORRECT, CRASHED = Status.CORRECT, Status.INCORRECT, Status.CRASHED
ROWS = {
    "apps": ("apps_train", contest_rows.APPS),
    "taco": ("taco_train", contest_rows.TACO),
    "code_contests": ("code_contests_train", contest_rows.CODE_CONTESTS),
}


@pytest.fixture(scope="module")
def verifier() -> Iterator[PythonVerifier]:
    with build({"containers": 1}) as opened:
        yield opened


def loaded(folder: Path, name: str, **options: object) -> dict[str, Problem]:
    """The problems of the rows made for a dataset, by what follows its name in their ids."""
    file, values = ROWS[name]
    (folder / "code").mkdir(exist_ok=True)
    (folder / "code" / f"{file}.jsonl").write_text("\n".join(map(json.dumps, values)))
    found = plugins.load("datasets", name).load(Source(str(folder), options=options))
    return {problem.id.rpartition("/")[2]: problem for problem in found}


def statuses(verifier: PythonVerifier, pairs: list[tuple[Problem, str]]) -> list[Status]:
    return [each.status for each in verifier.judge(Submission(*pair) for pair in pairs)]


def test_experts_pass_and_those_of_another_python_do_not(tmp_path, verifier, capsys):
    for name in ("apps", "taco"):
        rows = {key: row for key, row in loaded(tmp_path, name).items() if row.tests}
        assert list(rows) == ["0", "1", "2", "3", "4", "7"]
        found = statuses(verifier, [(row, row.expert) for row in rows.values()])
        assert found == [CORRECT, CRASHED, *[CORRECT] * 4]
    rows = loaded(tmp_path, "code_contests")
    assert {key: bool(row.tests) for key, row in rows.items()} == {"0": True, "2": False}
    assert statuses(verifier, [(rows["0"], rows["0"].expert)]) == [CORRECT]
    told = capsys.readouterr().err.splitlines()
    assert told == [f"{name}: rows without a Python 3 solution: 1" for name in ROWS]


WRONG = [
    ("0", "print(3)", INCORRECT),
    ("0", "a, b = map(int, input().split())\nprint(float(a + b))", INCORRECT),
    ("0", "import os\nprint(3)\nos._exit(0)", INCORRECT),
    ("0", "print(int(input()))", CRASHED),
    ("2", "print(0.3333)", INCORRECT),
    ("2", "print('nan')", INCORRECT),
    ("2", "print('1e999')", INCORRECT),
    ("2", "print('0.333333333 ' * 2)", INCORRECT),
    ("2", "print('0.333333333' + '0' * (9 << 20))", CRASHED),
    ("3", "class Solution:\n    def double(self, xs):\n        return xs", INCORRECT),
    ("3", "def double(xs):\n    return [2 * x for x in xs]", INCORRECT),
    ("4", "def pair(a, b):\n    return (b, a)", INCORRECT),
    ("4", "def pair(a, b):\n    return a, b, b", INCORRECT),
    ("4", "class Same(list):\n    def __eq__(self, other): return True\n    __hash__ = None\n"
          "def pair(a, b):\n    return Same([0])", INCORRECT),
    ("4", "import json\njson.loads = lambda text: []\ndef pair(a, b):\n    return 0", CRASHED),
]  # fmt: skip


def test_no_wrong_program_passes(tmp_path, verifier):
    rows = loaded(tmp_path, "apps")
    found = statuses(verifier, [(rows[key], fenced(program)) for key, program, _ in WRONG])
    assert found == [status for _, _, status in WRONG]


def test_a_function_may_use_usual_modules_and_return_tuples(tmp_path, verifier):
    rows = loaded(tmp_path, "apps")
    assert "Complete this code" in rows["3"].prompt
    assert "standard input" in rows["0"].prompt
    nested = replace(rows["4"], tests=rows["4"].tests.replace("[[1, 2], [3, 4]]", "[[1, 2]]"))
    assert statuses(verifier, [(nested, fenced(contest_rows.PAIR))]) == [CORRECT]


def test_limits_tests_and_tolerance_are_the_rows_and_the_options(tmp_path, capsys):
    row = loaded(tmp_path, "taco")["0"]
    assert (row.cpu_seconds, row.memory_mb) == (4.0, 1024)
    assert json.loads(row.tests)["tolerance"] == 1e-6
    assert (loaded(tmp_path, "apps")["0"].cpu_seconds, row.entry_point) == (8.0, None)
    exact = loaded(tmp_path, "code_contests", tolerance=None)["0"]
    assert set(json.loads(exact.tests)) == {"inputs", "outputs"}
    assert (exact.cpu_seconds, exact.memory_mb) == (3.0, 244)


def test_further_solutions_are_expert_sequences_as_many_as_asked(tmp_path):
    assert loaded(tmp_path, "apps")["0"].experts == ()
    several = loaded(tmp_path, "apps", solutions=2)["0"]
    programs = [fenced(contest_rows.ADD), fenced(contest_rows.HALF)]
    assert [text for _, text in several.expert_sequences] == programs
    repeated = loaded(tmp_path, "code_contests", solutions=64)["0"]
    assert repeated.experts == ()
    with pytest.raises(UserError, match="solutions = 0 must be a whole number from 1 to 64"):
        loaded(tmp_path, "apps", solutions=0)
