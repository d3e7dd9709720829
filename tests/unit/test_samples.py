"""Exported samples: what came of each stands beside it, in the dataset and in the log."""

import sampled

from rasft.config import files as config_files
from rasft.report.inspect_log import log
from rasft.results.samples import problem_rows, samples

ROWS = list(samples(sampled.PROBLEMS, sampled.ROLLOUTS, sampled.VERDICTS, sampled.GROUPS))
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
    values = log("RasftFlow/12", "2026-11-30T00:00:00+00:00", config, PROBLEMS, ROWS)
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
