"""Rollouts through the real verifiers, and a benchmark from prompts to its 0/1 matrix."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from rasft import plugins
from rasft.config import files as config_files
from rasft.config.settings import Config, PromptConfig
from rasft.config.verification import VerificationConfig
from rasft.errors import UserError
from rasft.ledger import Ledger
from rasft.ledger.store import Store
from rasft.records import Problem, Rollout, Status, Verdict
from rasft.stages import evaluate, verify
from tests import tiny_model

SUM = Problem(id="sum", prompt="What is 2 + 3?", verifier="math", answer="5")
ROOT = Problem(id="root", prompt="What is sqrt(4)/4?", verifier="math", answer="\\frac{1}{2}")
DOUBLE = Problem(
    id="double",
    prompt="Write double(x).",
    verifier="python",
    tests="def check(f):\n    assert f(2) == 4\n",
    entry_point="double",
)
SETTINGS = VerificationConfig()
NO_LEDGER = Ledger(None)


def docker_is_missing() -> bool:
    if not shutil.which("docker"):
        return True
    return subprocess.run(["docker", "info"], capture_output=True).returncode != 0


def rollout(problem: Problem, index: int, text: str) -> Rollout:
    return Rollout(problem.id, index, seed=0, token_ids=(1,), text=text, finish_reason="stop")


def test_math_verdicts_keep_the_order_of_the_rollouts():
    rollouts = [
        rollout(ROOT, 0, "It is \\boxed{0.5}."),
        rollout(SUM, 1, "It is \\boxed{6}."),
        rollout(SUM, 0, "It is \\boxed{5}."),
        rollout(ROOT, 1, "I do not know."),
    ]
    verdicts = verify.judge([SUM, ROOT], rollouts, SETTINGS, NO_LEDGER)
    assert [(v.problem_id, v.sample_index) for v in verdicts] == [
        ("root", 0),
        ("sum", 1),
        ("sum", 0),
        ("root", 1),
    ]
    statuses = [Status.CORRECT, Status.INCORRECT, Status.CORRECT, Status.NO_ANSWER]
    assert [verdict.status for verdict in verdicts] == statuses
    version = verify.version("math", SETTINGS)
    assert {(v.verifier, v.verifier_version) for v in verdicts} == {("math", version)}


def test_settings_reach_the_verifier():
    """An answer in words counts in evaluation alone."""
    rollouts = [rollout(SUM, 0, "So the answer is 5.")]
    (strict,) = verify.judge([SUM], rollouts, SETTINGS, NO_LEDGER)
    (stated,) = verify.judge([SUM], rollouts, evaluate.stated(SETTINGS), NO_LEDGER)
    assert (strict.status, stated.status) == (Status.NO_ANSWER, Status.CORRECT)


@pytest.mark.docker
@pytest.mark.skipif(docker_is_missing(), reason="Docker is not running")
def test_problems_of_several_verifiers_are_judged_in_one_call():
    rollouts = [
        rollout(DOUBLE, 0, "```python\ndef double(x):\n    return 2 * x\n```"),
        rollout(SUM, 0, "It is \\boxed{5}."),
        rollout(DOUBLE, 1, "```python\ndef double(x):\n    return x\n```"),
    ]
    verdicts = verify.judge([SUM, DOUBLE], rollouts, SETTINGS, NO_LEDGER)
    assert [v.verifier for v in verdicts] == ["python", "math", "python"]
    statuses = [Status.CORRECT, Status.CORRECT, Status.INCORRECT]
    assert [verdict.status for verdict in verdicts] == statuses


def test_nothing_to_judge_starts_no_verifier():
    assert verify.judge([DOUBLE], [], SETTINGS, NO_LEDGER) == []


def test_a_rollout_of_an_unknown_problem_is_refused():
    with pytest.raises(UserError, match=r"not in the table: \['sum'\]"):
        verify.judge([ROOT], [rollout(SUM, 0, "5")], SETTINGS, NO_LEDGER)


def verdicts(statuses: dict[tuple[str, int], Status]) -> list[Verdict]:
    return [Verdict(name, index, "math", "1", status) for (name, index), status in statuses.items()]


def drawn(judged: list[Verdict]) -> list[Rollout]:
    """What was judged; only the sum's first sample and the root's second were cut."""
    cut = {("sum", 0), ("root", 1)}
    return [
        Rollout(v.problem_id, v.sample_index, 0, (), "", "length" if name in cut else "stop")
        for v in judged
        if (name := (v.problem_id, v.sample_index))
    ]


def test_the_matrix_keeps_undecided_apart_from_wrong():
    judged = verdicts(
        {
            ("sum", 1): Status.UNDECIDED,
            ("sum", 0): Status.CORRECT,
            ("root", 0): Status.TIMED_OUT,
            ("root", 1): Status.NO_ANSWER,
        }
    )
    rows = evaluate.matrix("quiz", "base", [SUM, ROOT], drawn(judged), judged, samples=2)
    assert [row.finish_reasons for row in rows] == [("length", "stop"), ("stop", "length")]
    assert [row.correct for row in rows] == [(True, None), (False, False)]
    assert [row.statuses for row in rows] == [("correct", "undecided"), ("timed_out", "no_answer")]


def test_fewer_samples_than_asked_are_an_error():
    judged = verdicts({("sum", 0): Status.CORRECT})
    with pytest.raises(UserError, match="quiz, problem 'sum': 1 samples were judged, 2 were asked"):
        evaluate.matrix("quiz", "base", [SUM], drawn(judged), judged, samples=2)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_model.build(tmp_path_factory.mktemp("model") / "tiny")


def settings(folder: Path, samples: int) -> Config:
    return config_files.build(
        {
            "name": "test",
            "model": {"path": str(folder), "dtype": "float32"},
            "data": {"datasets": [{"name": plugins.names("datasets")[0]}]},
            "prompts": {"math": {}},
            "rollout": {"engine": "transformers"},
            "evaluation": {"samples_per_problem": samples, "max_new_tokens": 12},
        }
    )


def test_a_benchmark_gives_a_matrix_and_its_manifest(folder: Path):
    chosen = settings(folder, samples=3)
    asked = chosen, "quiz", [SUM, ROOT], {"base": folder}, NO_LEDGER
    rows, responses, (manifest,) = evaluate.sample_and_judge(*asked)
    assert [(row.problem_id, len(row.correct), row.checkpoint) for row in rows] == [
        ("sum", 3, "base"),
        ("root", 3, "base"),
    ]
    assert (manifest["samples"], manifest["engine_notes"]) == (3, [])
    assert manifest["sampling"]["max_new_tokens"] == 12
    assert manifest["verifiers"] == {"math": verify.version("math", SETTINGS)}
    assert [(row.problem_id, row.sample_index) for row in responses] == [
        (problem.id, index) for problem in (SUM, ROOT) for index in range(3)
    ]
    assert [row.status for row in responses] == [s for row in rows for s in row.statuses]
    assert evaluate.sample_and_judge(*asked) == (rows, responses, [manifest])
    restarted = manifest | {"engine_notes": ["restarted: it hung"]}
    assert evaluate.engine_notes([manifest, restarted]) == ["quiz, base: restarted: it hung"]


def test_a_benchmark_of_choices_is_asked_with_its_own_prompt(folder: Path):
    chosen = settings(folder, samples=2)
    (row,) = [replace(SUM, verifier="choice", answer="B", choices=("1", "2"))]
    with pytest.raises(UserError, match=r"the config has no prompts.choice; add it"):
        evaluate.sample_and_judge(chosen, "quiz", [row], {"base": folder}, NO_LEDGER)
    asked = chosen.model_copy(update={"prompts": {"choice": PromptConfig(system="Choose.")}})
    found, _, (manifest,) = evaluate.sample_and_judge(
        asked, "quiz", [row], {"base": folder}, NO_LEDGER
    )
    assert len(found[0].correct) == 2
    assert manifest["verifiers"] == {"choice": verify.version("choice", SETTINGS)}


def test_a_second_evaluation_makes_nothing(folder: Path, tmp_path: Path):
    chosen = settings(folder, samples=3)
    first, second = (Ledger(Store(str(tmp_path))) for _ in range(2))
    made, again = (
        evaluate.sample_and_judge(chosen, "quiz", [SUM, ROOT], {"base": folder}, ledger)
        for ledger in (first, second)
    )
    (chose,), (none,) = ([row.pop("engine_choices") for row in found[2]] for found in (made, again))
    assert (chose != [], none) == (True, [])  # no engine was started
    assert again == made
    assert [(row.kind, row.reused, row.made) for row in first.work("evaluate")] == [
        ("samples", 0, 6),
        ("verdicts", 0, 6),
    ]
    assert [(row.kind, row.reused, row.made) for row in second.work("evaluate")] == [
        ("samples", 6, 0),
        ("verdicts", 6, 0),
    ]


def test_a_verdict_is_asked_for_once(tmp_path: Path):
    """Of the same text for the same problem, under the same deciding settings."""
    rollouts = [rollout(SUM, 0, "\\boxed{5}"), rollout(SUM, 1, "\\boxed{5}")]
    counts = []
    for used in (
        SETTINGS,
        SETTINGS.model_copy(update={"math": SETTINGS.math.model_copy(update={"workers": 1})}),
        evaluate.stated(SETTINGS),
    ):
        ledger = Ledger(Store(str(tmp_path)))
        verdicts = verify.judge([SUM], rollouts, used, ledger)
        assert [row.status for row in verdicts] == [Status.CORRECT] * 2
        ((_, _, reused, made),) = [
            (w.stage, w.kind, w.reused, w.made) for w in ledger.work("verify")
        ]
        counts.append((reused, made))
    assert counts == [(0, 2), (2, 0), (0, 2)]


def test_the_manifest_follows_the_data(folder: Path, tmp_path: Path):
    chosen = settings(folder, samples=1)
    ledger = Ledger(Store(str(tmp_path)))  # the samples are the same
    manifests = [
        evaluate.sample_and_judge(chosen, "quiz", [problem], {"base": folder}, ledger)[2][0]
        for problem in (SUM, replace(SUM, answer="6"))
    ]
    assert manifests[0]["data_fingerprint"] != manifests[1]["data_fingerprint"]
    assert manifests[0]["template_fingerprint"] == manifests[1]["template_fingerprint"]


def test_a_prompt_beyond_the_models_context_cannot_be_evaluated(folder: Path):
    long = replace(SUM, prompt="x" * 3000)
    asked = settings(folder, samples=1), "quiz", [long], {"base": folder}, NO_LEDGER
    with pytest.raises(UserError, match=r"'sum' cannot be evaluated: .* the context 2048"):
        evaluate.sample_and_judge(*asked)
