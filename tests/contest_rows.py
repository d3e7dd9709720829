"""Rows as APPS, TACO and CodeContests have them: made here, with the fields of their cards."""

from __future__ import annotations

import json
from typing import Any

ADD = "a, b = map(int, input().split())\nprint(a + b)\n"
HALF = "print(int(input()) / 3)\n"
PYTHON2 = "a, b = map(int, raw_input().split())\nprint a + b\n"
PAIR = "def pair(a, b):\n    return (a, b)\n"
DOUBLE_STARTER = "class Solution:\n    def double(self, xs: List[int]) -> List[int]:\n        "
DOUBLE = f"{DOUBLE_STARTER}return [2 * x for x in xs]\n"
SUMS = {"inputs": ["1 2\n", "3 4\n"], "outputs": ["3\n", "7\n"]}


def apps(number: int, **fields: Any) -> dict[str, Any]:
    """A row of APPS; `solutions` and `input_output` are JSON, as there."""
    row = {"problem_id": number, "question": "Add two numbers.", "solutions": [ADD]} | fields
    row = {"input_output": SUMS, "difficulty": "interview", "starter_code": "", "url": ""} | row
    texts = {name: json.dumps(row[name]) for name in ("solutions", "input_output") if row[name]}
    return row | {"solutions": "", "input_output": ""} | texts


APPS = [
    apps(0, solutions=[ADD, HALF]),
    apps(1, solutions=[PYTHON2]),
    apps(2, solutions=[HALF], input_output={"inputs": ["1\n"], "outputs": ["0.333333333\n"]}),
    apps(
        3, solutions=[DOUBLE], starter_code=DOUBLE_STARTER,
        input_output={"fn_name": "double", "inputs": [[[1, 2]], [[]]], "outputs": [[[2, 4]], [[]]]},
    ),
    apps(
        4, solutions=[PAIR], starter_code="def pair(a, b):\n\t",
        input_output={"fn_name": "pair", "inputs": [[1, 2], [3, 4]], "outputs": [[1, 2], [3, 4]]},
    ),
    apps(5, input_output=None),
    apps(6, solutions=None),
    apps(7, input_output={"inputs": [["1 2", ""]], "outputs": [["3"]]}),
]  # fmt: skip
TACO = [
    row | {"time_limit": "2.0 seconds", "memory_limit": "1024.0 megabytes", "name": "A"}
    for row in APPS
]
LANGUAGES = {"unknown": 0, "python2": 1, "cpp": 2, "python3": 3, "java": 4}


def code_contests(*solutions: tuple[str, str], **fields: Any) -> dict[str, Any]:
    """A row of CodeContests: lists side by side, languages by number."""
    return {
        "name": "1_A. Sum",
        "description": "Add two numbers.",
        "public_tests": {"input": ["1 2\n"], "output": ["3\n"]},
        "private_tests": {"input": [], "output": []},
        "generated_tests": {"input": ["3 4\n"], "output": ["7\n"]},
        "solutions": {
            "language": [LANGUAGES[language] for language, _ in solutions],
            "solution": [text for _, text in solutions],
        },
        "time_limit": {"seconds": 1, "nanos": 500_000_000},
        "memory_limit_bytes": 256_000_000,
        "input_file": "",
        "output_file": "",
    } | fields


CODE_CONTESTS = [
    code_contests(("cpp", "int main() {}"), ("python2", PYTHON2), ("python3", ADD)),
    code_contests(("cpp", "int main() {}"), ("python2", PYTHON2)),
    code_contests(("python3", ADD), input_file="input.txt"),
]
