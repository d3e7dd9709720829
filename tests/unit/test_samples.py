"""Exported samples: what came of each stands beside it, in the dataset and in the log."""

import sampled

from rasft.config import files as config_files
from rasft.records import BenchmarkResponse, Status
from rasft.report.inspect_log import benchmark_log, rollouts_log
from rasft.results.samples import problem_rows, samples

ROWS = list(samples(sampled.PROBLEMS, sampled.ROLLOUTS, sampled.VERDICTS, sampled.GROUPS))
CREATED = "2026-11-30T00:00:00+00:00"
PROBLEMS = list(problem_rows(sampled.PROBLEMS, sampled.GROUPS))


def test_each_sample_has_its_verdict_and_its_weight() -> None:
    assert [(row.problem_id, row.sample_index) for row in ROWS] == [("a", 0), ("a", 1), ("b", 0)]
    assert [row.correct for row in ROWS] == [True, False, None]
    assert [row.weight for row in ROWS] == [0.02, 0.0, 0.0]
    assert [row.response_tokens for row in ROWS] == [3, 2, 1]
    assert ROWS[1].prompt == "What is 1 + 1?"


def test_a_sample_without_a_verdict_and_a_problem_without_a_group_are_kept() -> None:
    (row,) = samples(sampled.PROBLEMS, sampled.ROLLOUTS[:1], [], [])
    assert (row.status, row.correct, row.weight) == (None, None, 0.0)
    found = list(problem_rows(sampled.PROBLEMS, sampled.GROUPS[:1]))
    assert [(row.sampled, row.solvability, row.expert_weight) for row in found] == [
        (2, 0.5, 0.3),
        (0, None, None),
    ]


def test_a_log_scores_what_was_judged() -> None:
    config = config_files.load("demo")
    values = rollouts_log("RasftFlow/12", CREATED, config, PROBLEMS, ROWS)
    assert values["eval"]["dataset"]["sample_ids"] == ["a", "b"]
    (score,) = values["results"]["scores"]
    assert score["metrics"]["accuracy"]["value"] == 0.5
    assert (score["scored_samples"], score["unscored_samples"]) == (2, 1)
    told = [(s["id"], s["epoch"], s["scores"]) for s in values["samples"]]
    right = {"value": "C", "answer": "2", "explanation": "correct"}
    wrong = {"value": "I", "answer": "3", "explanation": "incorrect: 3 is not 2"}
    assert told == [
        ("a", 1, {"verdict": right}),
        ("a", 2, {"verdict": wrong}),
        ("b", 1, {}),
    ]
    stops = [s["output"]["choices"][0]["stop_reason"] for s in values["samples"]]
    assert stops == ["stop", "max_tokens", "unknown"]


def test_a_benchmark_under_a_checkpoint_is_a_log_of_its_own() -> None:
    rows = [
        BenchmarkResponse("quiz", "trained", "a", 0, "\\boxed{2}", "stop", Status.CORRECT, "2"),
        BenchmarkResponse("quiz", "trained", "a", 1, "?", "length", Status.NO_ANSWER),
        BenchmarkResponse("quiz", "trained", "b", 0, "5", "stop", Status.UNDECIDED, None, "died"),
    ]
    config = config_files.load("demo")
    values = benchmark_log("SftFlow/3", CREATED, config, sampled.PROBLEMS, rows)
    assert values["eval"]["task"] == "demo-quiz-trained"
    assert values["eval"]["model"] == "embedded:smollm2-135m/trained"
    assert values["eval"]["config"] == {"epochs": 2}
    (score,) = values["results"]["scores"]
    assert score["metrics"]["accuracy"]["value"] == 0.5
    assert [(s["id"], s["epoch"], s["target"]) for s in values["samples"]] == [
        ("a", 1, "2"),
        ("a", 2, "2"),
        ("b", 1, "5"),
    ]
    assert [s["scores"].get("verdict", {}).get("value") for s in values["samples"]] == [
        "C",
        "I",
        None,
    ]
