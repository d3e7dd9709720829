"""The verifier of the user's own function: verdicts, faults, limits, versions, and its way in."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from pathlib import Path

import pytest

from rasft import plugins
from rasft.commands.verify import run_verify
from rasft.config import files as config_files
from rasft.config.settings import LedgerConfig, QualityConfig
from rasft.config.verification import FunctionVerifierConfig, VerificationConfig
from rasft.data import problems
from rasft.errors import UserError
from rasft.ledger import open_ledger
from rasft.ledger.rows import problem_digest
from rasft.method.quality import fault
from rasft.records import Problem, Rollout, Status
from rasft.stages import verify
from rasft.verifiers import Submission
from rasft.verifiers.function import build, seen

CORRECT, INCORRECT, UNDECIDED = Status.CORRECT, Status.INCORRECT, Status.UNDECIDED
GRADERS = '''"""Graders of a test."""

import os
import socket
import subprocess
import time


def judge(response, problem):
    if response == "raise":
        return problem["no such field"]
    if response == "hang":
        time.sleep(60)
    if response == "spin":
        while True:
            pass
    if response == "leave":
        os._exit(0)
    if response == "memory":
        bytearray(1 << 40)
    if response == "eat":
        hoard = []
        while True:
            hoard.append(bytearray(1 << 24))
    if response == "program":
        subprocess.run(["true"])
    if response == "write":
        open("/tmp/written-by-a-grader", "w")
    if response == "socket":
        socket.socket()
    if response == "print":
        print("true")
    others = {"none": None, "one": 1, "text": "true", "half": 0.5, "triple": (True, "a", "b")}
    if response in others:
        return others[response]
    return response == problem["answer"], f"{len(response)} characters"


def broken(response, problem):
    raise KeyError(response)


WRONG = 3
'''


@pytest.fixture(scope="module", autouse=True)
def registered(tmp_path_factory: pytest.TempPathFactory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RASFT_CACHE_DIR", str(tmp_path_factory.mktemp("cache")))
        patch.setenv(plugins.VARIABLE, "")
        plugins.register({"graders.py": GRADERS})
        yield


@pytest.fixture(scope="module")
def verifier(registered):
    settings = {"call": "graders:judge", "workers": 1, "deadline_seconds": 0.5, "memory_mb": 512}
    with build(settings) as opened:
        yield opened


def submission(response: str, answer: str = "yes") -> Submission:
    return Submission(Problem("p", "Well?", "function", answer=answer), response)


def test_its_word_is_the_verdict(verifier):
    found = list(verifier.judge(map(submission, ["yes", "no", "print", "yes"])))
    assert [each.status for each in found] == [CORRECT, INCORRECT, INCORRECT, CORRECT]
    assert [each.detail for each in found] == [f"{n} characters" for n in (3, 2, 5, 3)]


@pytest.mark.parametrize(
    ("response", "words"),
    [
        ("raise", "graders.py line 11: KeyError: 'no such field'"),
        ("hang", "no verdict in 0.5 s"),
        ("spin", "no verdict in 0.5 s"),
        ("leave", "its worker died"),
        ("memory", "graders.py line 20: MemoryError"),
        ("program", "PermissionError: subprocess.Popen"),
        ("write", "PermissionError: open '/tmp/written-by-a-grader' for writing"),
        ("socket", "PermissionError: socket.__new__"),
        ("none", "it returned None, which is neither True nor False"),
        ("one", "it returned 1, which is neither"),
        ("text", "it returned 'true', which is neither"),
        ("half", "it returned 0.5, which is neither"),
        ("triple", "it returned (True, 'a', 'b'), which is neither"),
    ],
)
def test_what_it_cannot_judge_is_undecided_and_the_next_is_judged(
    verifier, capsys, response, words
):
    found = list(verifier.judge(map(submission, [response, "yes", response, "no"])))
    assert [each.status for each in found] == [UNDECIDED, CORRECT, UNDECIDED, INCORRECT]
    assert words in found[0].detail
    told = capsys.readouterr().err
    assert told.count("problem 'p' is undecided") == 1
    assert words in told


def test_a_grader_that_eats_memory_is_stopped(verifier):
    found = list(verifier.judge(map(submission, ["eat", "yes"])))
    assert [each.status for each in found] == [UNDECIDED, CORRECT]


def test_judgements_come_in_order_and_as_they_are_asked_for(verifier):
    responses = [str(number) for number in range(300)]
    asked = 0

    def submissions():
        nonlocal asked
        for response in responses:
            asked += 1
            yield submission(response, "7")

    stream = verifier.judge(submissions())
    first = next(stream)
    assert asked < 100
    statuses = [each.status for each in (first, *stream)]
    assert [number for number, each in enumerate(statuses) if each is CORRECT] == [7]


def test_hostile_responses_are_text(verifier):
    hostile = ["\ud800", "\x00", "{" * 100_000, "a" * 4_000_000, "__import__('os')._exit(0)", ""]
    start = time.perf_counter()
    assert {each.status for each in verifier.judge(map(submission, hostile))} == {INCORRECT}
    assert time.perf_counter() - start < 20


def test_a_function_that_always_fails_ends_the_run():
    told = r"each of the first 10 .*graders.py line 4\d: KeyError"
    broken = build({"call": "graders:broken", "workers": 1})
    with broken as opened, pytest.raises(UserError, match=told):
        list(opened.judge(map(submission, ["yes"] * 12)))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (None, "function.call = None must name a function in a file beside the plugins"),
        ("graders", "'graders' must name a function"),
        ("graders.py:judge", "must name a function"),
        ("../x:judge", "must name a function"),
        ("grader:judge", "there is no module 'grader' .*known: graders"),
        ("graders:jugde", "graders.py has no function jugde"),
        ("graders:WRONG", "graders.py has no function WRONG"),
    ],
)
def test_a_function_that_is_not_there_is_said_at_once(call, message):
    with pytest.raises(UserError, match=message):
        build({"call": call})


def test_settings_are_checked():
    with pytest.raises(UserError, match="unknown setting 'format' of the function verifier"):
        build({"format": "boxed"})
    with pytest.raises(UserError, match="deadline_seconds > 0"):
        build({"call": "graders:judge", "deadline_seconds": 0})


def test_a_stored_verdict_depends_on_all_that_the_function_sees():
    row = Problem("p", "Well?", "function", answer="yes", source="s", expert_response="e")
    for name, value in seen(row).items():
        other = {"choices": ("a",), "tolerance": 1.0, "cpu_seconds": 1.0, "memory_mb": 1}
        changed = replace(row, **{name: other.get(name, f"{value} changed")})
        assert problem_digest(changed) != problem_digest(row), name


def test_its_version_follows_the_file(tmp_path, monkeypatch):
    monkeypatch.setenv("RASFT_CACHE_DIR", str(tmp_path))
    versions = []
    for text in (GRADERS, GRADERS + "# changed\n", GRADERS):
        monkeypatch.setenv(plugins.VARIABLE, "")
        plugins.register({"graders.py": text})
        versions.append(build({"call": "graders:judge"}).version)
    assert versions[0] == versions[2] != versions[1]
    assert {len(version) for version in versions} == {16}


def test_a_config_brings_it_and_the_stage_keeps_its_verdicts(tmp_path, monkeypatch):
    monkeypatch.setenv("RASFT_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv(plugins.VARIABLE, "")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "graders.py").write_text(GRADERS)
    text = (
        "extends: demo\nname: own\nplugins: [mine]\n"
        "verification: {function: {call: 'graders:judge', workers: 1}}\n"
    )
    (tmp_path / "own.yaml").write_text(text)
    settings = config_files.load(tmp_path / "own.yaml").verification
    rollouts = [Rollout("p", n, 0, (), word, "stop") for n, word in enumerate(("yes", "no"))]
    for made in (2, 0):
        ledger = open_ledger(LedgerConfig(path=str(tmp_path / "ledger")))
        found = verify.judge([submission("").problem], rollouts, settings, ledger)
        assert [each.status for each in found] == [CORRECT, INCORRECT]
        assert [work.made for work in ledger.work("verify")] == [made]


def test_rows_are_judged_by_the_command(tmp_path: Path):
    rows = [
        {"id": 1, "verifier": "function", "answer": "yes", "response": "yes"},
        {"id": 2, "verifier": "function", "response": "raise"},
        {"id": 3, "verifier": "function", "response": "no", "answer": 3},
    ]
    source, target = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    source.write_text("\n".join(map(json.dumps, rows)))
    chosen = FunctionVerifierConfig(call="graders:judge", workers=1)
    settings = VerificationConfig(function=chosen)
    assert run_verify(source, target, keep_output=False, settings=settings) == 1
    found = [json.loads(line) for line in target.read_text().splitlines()]
    assert [(each["status"], each["correct"]) for each in found] == [
        ("correct", True), ("undecided", None), ("malformed", None),
    ]  # fmt: skip


def test_a_row_needs_no_gold_and_a_response_no_box():
    row = Problem("p", "Well?", "function")
    assert problems.without_gold()(row) is None
    assert fault("All of the sources that there are say so.", "function", QualityConfig()) is None
