"""The math verifier as a whole: accuracy on the labelled pairs, order, threads, time, cache."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from rasft.answers.golds import check_golds
from rasft.errors import UserError
from rasft.records import Problem, Status
from rasft.verifiers import Submission
from rasft.verifiers.math import MathVerifier, build

PAIRS = Path(__file__).parent.parent / "golden" / "math_pairs.jsonl"
RULES = {
    "aime24": "aime", "aime25": "aime", "amc23": "amc", "math500": None,
    "minerva_math": "minerva", "olympiadbench": "olympiadbench",
}  # fmt: skip
MALFORMED = {"olympiadbench/1965", "olympiadbench/2045", "olympiadbench/2349"}


def submission(gold: str, response: str, rules: str | None = None) -> Submission:
    return Submission(Problem("p", "", "math", answer=gold, rules=rules), response)


def boxed(gold: str, answer: str) -> Submission:
    return submission(gold, f"\\boxed{{{answer}}}")


def statuses(verifier: MathVerifier, submissions: list[Submission]) -> list[Status]:
    return [judgement.status for judgement in verifier.judge(submissions)]


@pytest.fixture(scope="module")
def verifier():
    with build({"workers": 2}) as built:
        yield built


def test_labelled_pairs(verifier):
    rows = [json.loads(line) for line in PAIRS.read_text(encoding="utf-8").splitlines()]
    assert len(rows) >= 1500
    judged = verifier.judge(
        Submission(
            Problem(
                "p", "", "math",
                answer=row["answer"], rules=row.get("rules"), tolerance=row.get("tolerance"),
            ),
            row["response"],
        )
        for row in rows
    )  # fmt: skip
    found = Counter(
        (row["correct"], judgement.status is Status.CORRECT)
        for row, judgement in zip(rows, judged, strict=True)
    )
    assert found[False, True] == 0, "false positives"
    assert (found[True, True] + found[False, False]) / len(rows) >= 0.995


@pytest.mark.skipif("RASFT_DATA_DIR" not in os.environ, reason="RASFT_DATA_DIR is not set")
def test_every_well_formed_gold_of_the_benchmarks_is_sound():
    folder = Path(os.environ["RASFT_DATA_DIR"]) / "math"
    problems = [
        Problem(row["id"], "", "math", answer=row["answer"], rules=rules)
        for name, rules in RULES.items()
        for row in map(json.loads, (folder / f"{name}.jsonl").read_text().splitlines())
    ]
    assert len(problems) == 1547
    assert {identifier for identifier, _ in check_golds(problems)} == MALFORMED


def test_statuses(verifier):
    assert statuses(
        verifier, [boxed("5", "5"), boxed("5", "6"), submission("5", "5"), boxed("5", "")]
    ) == [Status.CORRECT, Status.INCORRECT, Status.NO_ANSWER, Status.NO_ANSWER]


def test_stated_answers_count_for_evaluation_only(verifier):
    said = submission("5", "Adding up, the final answer is $5$. Done.")
    unsaid = submission("5", "Adding up gives 5")
    assert statuses(verifier, [said, unsaid]) == [Status.NO_ANSWER] * 2
    with build({"workers": 1, "format": "stated"}) as lenient:
        assert statuses(lenient, [said, unsaid]) == [Status.CORRECT, Status.NO_ANSWER]


def test_order_is_kept_between_quick_and_slow_answers(verifier):
    golds = ["7" if n % 3 else rf"\sqrt{{{2 * n + 3}}}" for n in range(200)]
    wanted = [n % 2 == 0 for n in range(200)]
    batch = [
        boxed(gold, gold.replace(r"\sqrt{", "sqrt(").replace("}", ")") if right else "19 x")
        for gold, right in zip(golds, wanted, strict=True)
    ]
    found = statuses(verifier, batch)
    assert [status is Status.CORRECT for status in found] == wanted


def test_threads_and_asyncio(verifier):
    batch = [boxed(r"\frac{\sqrt{3}}{3}", r"1/\sqrt3"), boxed("2k", "k+k"), boxed("2k", "k^2")]
    wanted = [Status.CORRECT, Status.CORRECT, Status.INCORRECT]
    with ThreadPoolExecutor(8) as threads:
        results = list(threads.map(lambda _: statuses(verifier, batch), range(24)))

    async def from_a_loop():
        return await asyncio.gather(
            *(asyncio.to_thread(statuses, verifier, batch) for _ in range(8))
        )

    async def in_the_loop():
        return statuses(verifier, batch)

    assert results + asyncio.run(from_a_loop()) == [wanted] * 32
    assert asyncio.run(in_the_loop()) == wanted


def test_a_slow_answer_is_undecided_not_wrong():
    with build({"workers": 1, "deadline_seconds": 1e-4, "cache": True}) as hurried:
        for _ in range(2):  # an undecided verdict is not kept
            (judgement,) = hurried.judge([boxed(r"\sqrt{2}+x", r"x+2^{1/2}")])
            assert judgement.status is Status.UNDECIDED
            assert "no verdict" in judgement.detail


def test_the_cache_changes_no_verdict(verifier):
    batch = [boxed(r"\sqrt{8}", a) for a in (r"2\sqrt2", r"2 \sqrt{2}", r"\sqrt{9}", r"2\sqrt2")]
    wanted = [Status.CORRECT, Status.CORRECT, Status.INCORRECT, Status.CORRECT]
    with build({"workers": 1, "cache": False}) as plain:
        assert statuses(plain, batch) == statuses(verifier, batch) == wanted


def test_a_worker_imports_no_torch():
    code = "import sys, rasft.answers.worker, rasft.workers.pool; print('torch' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "False"


def test_it_works_in_a_process_that_uses_torch_in_threads():
    code = """
import torch
from rasft.verifiers import Submission
from rasft.verifiers.math import build
from rasft.records import Problem
torch.ones(512, 512) @ torch.ones(512, 512)
with build({"workers": 1}) as verifier:
    row = Submission(Problem("p", "", "math", answer="x+1"), r"\\boxed{1+x}")
    print([j.status.value for j in verifier.judge([row])])
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "['correct']"


def test_settings_are_checked():
    with pytest.raises(UserError, match="wokers"):
        build({"wokers": 2})
    with pytest.raises(UserError, match="boxd"):
        build({"format": "boxd"})
    with pytest.raises(UserError, match="deadline"):
        build({"deadline_seconds": 0})


def test_a_problem_without_gold_is_the_users_to_mend(verifier):
    row = Submission(Problem("p7", "", "math"), "\\boxed{1}")
    with pytest.raises(UserError, match="p7"):
        list(verifier.judge([row]))


def test_version_names_the_deciding_sources(verifier):
    assert verifier.version == build({}).version
    assert len(verifier.version) == 16
