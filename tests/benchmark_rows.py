"""Rows in the shape of benchmarks whose files are not at hand, written for the tests."""

from __future__ import annotations

import base64
import json
import pickle
import zlib
from pathlib import Path
from typing import Any

Fields = dict[str, Any]

STARTER = """\
class Solution:
    def common(self, a: List[int], k: int) -> List[int]:
        """


def packed(cases: list[Fields]) -> str:
    """Tests as LiveCodeBench packs the private ones."""
    return base64.b64encode(zlib.compress(pickle.dumps(json.dumps(cases)))).decode()


def _case(given: str, expected: str, kind: str) -> Fields:
    return {"input": given, "output": expected, "testtype": kind}


def _contest(number: int, day: str) -> Fields:
    """A problem of standard input: the sum of a line."""
    public = [_case("1 2\n", "3\n", "stdin")]
    private = [_case("4 5 6\n", "15\n", "stdin"), _case(f"{number}\n", f"{number}", "stdin")]
    return {
        "question_title": "Sum",
        "question_content": "Print the sum of the numbers of a line.",
        "platform": "atcoder",
        "question_id": f"abc{number}_a",
        "contest_id": f"abc{number}",
        "contest_date": f"{day}T00:00:00",
        "starter_code": "",
        "difficulty": "easy",
        "public_test_cases": json.dumps(public),
        "private_test_cases": packed(private),
        "metadata": "{}",
    }


def _method(number: int, day: str) -> Fields:
    """A problem of a method: the most common value of a list, and how often it is there."""
    public = [_case("[1, 2, 2]\n1", "[2, 2]", "functional")]
    private = [_case('["a", "b", "a"]\n1', '["a", 2]', "functional")]
    return _contest(number, day) | {
        "question_content": "Return the most common value and its count.",
        "platform": "leetcode",
        "question_id": str(number),
        "starter_code": STARTER,
        "public_test_cases": json.dumps(public),
        "private_test_cases": json.dumps(private),
        "metadata": json.dumps({"func_name": "common"}),
    }


def _gpqa(number: int) -> Fields:
    wrong = {f"Incorrect Answer {n}": f"wrong {n}\n" for n in (1, 2, 3)}
    return {"Record ID": f"rec{number}", "Question": "Which?", "Correct Answer": "right\n"} | wrong


def _mmlu(number: int, category: str, options: int) -> Fields:
    return {
        "question_id": number,
        "question": "Which?",
        "options": [f"choice {n}" for n in range(options)] + ["N/A"] * (10 - options),
        "answer": "ABCDEFGHIJ"[number % options],
        "answer_index": number % options,
        "cot_content": "",
        "category": category,
        "src": "ori_mmlu",
    }


def _math(name: str, number: int) -> Fields:
    return {"id": f"{name}/{number}", "problem": f"What is {number} + 1?", "answer": number + 1}


FILES: dict[str, tuple[str, list[Fields]]] = {
    "aime26": ("math/aime26.jsonl", [_math("aime26", n) for n in range(6)]),
    "hmmt25": ("math/hmmt25.jsonl", [_math("hmmt25", n) for n in range(6)]),
    "math_test": (
        "math/math_test.jsonl",
        [
            _math("math_test", n) | {"level": f"Level {n % 5 + 1}", "solution": "s"}
            for n in range(9)
        ],
    ),
    "livecodebench": (
        "code/livecodebench.jsonl",
        [
            *(_contest(300 + n, f"2024-0{n}-15") for n in range(1, 5)),
            *(_method(3000 + n, f"2025-0{n}-15") for n in range(1, 3)),
        ],
    ),
    "gpqa_diamond": ("choice/gpqa_diamond.jsonl", [_gpqa(n) for n in range(40)]),
    "mmlu_pro": (
        "choice/mmlu_pro.jsonl",
        [_mmlu(n, ("math", "law", "computer science")[n % 3], 3 + n % 8) for n in range(12)],
    ),
}


def write(folder: Path) -> Path:
    """The files, below a folder as RASFT_DATA_DIR names one."""
    for name, found in FILES.values():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("\n".join(map(json.dumps, found)) + "\n")
    return folder
