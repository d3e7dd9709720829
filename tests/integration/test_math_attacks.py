"""Hostile answers: each is judged in time and memory, none is accepted, nothing is executed."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from attacks.math_hostile import BYTES, CASES, payloads

from rasft.records import Problem, Status
from rasft.verifiers import Submission
from rasft.verifiers.math import MathVerifier, build

SECONDS = 2.5
MEBIBYTES = 1536
GOLDS = ("5", "x^2+1", r"\{1,2\}")


@pytest.fixture(scope="module")
def verifier():
    with build({"workers": 2, "format": "stated"}) as built:  # the format that reads the most
        judged(built, "x+1", r"\boxed{1+x}")  # starts the workers, which no answer is to wait for
        yield built


def judged(verifier: MathVerifier, gold: str, response: str):
    start = time.monotonic()
    (judgement,) = verifier.judge([Submission(Problem("p", "", "math", answer=gold), response)])
    return judgement, time.monotonic() - start


@pytest.mark.parametrize("gold", GOLDS)
def test_hostile_answers_are_refused_in_time(verifier, gold):
    may_be_right = {"1 MB of text", "100,000 boxes"} | set(BYTES)
    for name, response in CASES.items():
        judgement, seconds = judged(verifier, gold, response)
        assert seconds < SECONDS, name
        if name not in may_be_right or gold != "5":
            assert judgement.status is not Status.CORRECT, name


def test_workers_stay_within_memory(verifier):
    for response in CASES.values():
        judged(verifier, "5", response)
    for process in verifier.process_ids():
        status = Path(f"/proc/{process}/status").read_text()
        peak = next(line for line in status.splitlines() if line.startswith("VmHWM"))
        assert int(peak.split()[1]) / 1024 < MEBIBYTES


def test_nothing_is_executed(verifier, tmp_path):
    target = tmp_path / "created"
    for name, response in payloads(str(target)).items():
        for gold in GOLDS:
            judgement, seconds = judged(verifier, gold, response)
            assert judgement.status in (Status.INCORRECT, Status.NO_ANSWER), name
            assert seconds < SECONDS, name
    assert not target.exists()


def test_a_payload_as_gold_and_answer_is_not_executed(verifier, tmp_path):
    target = tmp_path / "created"
    for response in payloads(str(target)).values():
        judged(verifier, response.removeprefix("\\boxed{").removesuffix("}"), response)
    assert not target.exists()


def test_the_answer_is_found_beside_a_megabyte_of_text(verifier):
    judgement, _ = judged(verifier, "5", CASES["1 MB of text"])
    assert judgement.status is Status.CORRECT
