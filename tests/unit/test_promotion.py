"""A candidate is promoted on evidence alone; every refusal has its reason."""

import pytest

from rasft.config.settings import EvaluationConfig, ScheduleConfig
from rasft.records import BenchmarkResult
from rasft.retraining.promotion import CANDIDATE, CHAMPION, Decision, decide

EVALUATION = EvaluationConfig(bootstrap_samples=2000)
SCHEDULE = ScheduleConfig(min_problems=10, margin=0.05)


def rows(benchmark: str, checkpoint: str, scores: str) -> list[BenchmarkResult]:
    """One sample a problem: 1 correct, 0 wrong, ? undecided."""
    marks = {"1": True, "0": False, "?": None}
    return [
        BenchmarkResult(benchmark, checkpoint, f"p{n}", (marks[score],), ("correct",))
        for n, score in enumerate(scores)
    ]


def judged(*benchmarks: tuple[str, str, str], schedule: ScheduleConfig = SCHEDULE) -> Decision:
    """The decision over (benchmark, champion's scores, candidate's scores)."""
    results = [
        row
        for name, champion, candidate in benchmarks
        for row in rows(name, CHAMPION, champion) + rows(name, CANDIDATE, candidate)
    ]
    return decide(results, [name for name, _, _ in benchmarks], schedule, EVALUATION, seed=3)


def test_a_better_candidate_is_promoted() -> None:
    found = judged(("a", "0" * 20, "1" * 15 + "0" * 5), ("b", "0" * 20, "1" * 10 + "0" * 10))
    assert found.promoted
    assert found.average is not None
    assert found.average.value == pytest.approx((0.75 + 0.5) / 2)
    assert found.average.low > 0
    assert found.reasons[0].startswith("the average rises by +62.5 [")


def test_benchmarks_count_alike_whatever_their_size() -> None:
    found = judged(("small", "0" * 10, "1" * 10), ("large", "0" * 90, "0" * 90))
    assert found.average is not None
    assert found.average.value == pytest.approx(0.5)
    assert found.average.scored == 100


def test_the_same_model_again_is_refused() -> None:
    found = judged(("a", "10" * 10, "10" * 10))
    assert not found.promoted
    assert found.reasons == (
        "the average shows no real difference: +0.0 [+0.0, +0.0] includes zero",
    )


def test_a_small_gain_within_the_noise_is_refused() -> None:
    found = judged(("a", "0" * 20, "1" + "0" * 19))
    assert not found.promoted
    assert "no real difference: +5.0 [" in found.reasons[0]


def test_a_worse_candidate_is_refused() -> None:
    found = judged(("a", "1" * 20, "0" * 20), schedule=ScheduleConfig(min_problems=10, margin=1.0))
    assert found.reasons == ("the average falls by -100.0 [-100.0, -100.0]",)


def test_a_gain_that_costs_one_benchmark_too_much_is_refused() -> None:
    pair = [("a", "0" * 20, "1" * 20), ("b", "1" * 20, "1" * 18 + "0" * 2)]
    refused = judged(*pair)
    assert not refused.promoted
    assert refused.reasons == (
        "benchmark b falls from 100.0 to 90.0, beyond its margin of 5 points",
    )
    wide = ScheduleConfig(min_problems=10, margin=0.05, margins={"b": 0.1})
    assert judged(*pair, schedule=wide).promoted


def test_too_few_problems_cannot_tell() -> None:
    found = judged(("a", "0" * 9, "1" * 9))
    assert found.reasons == (
        "9 problems were judged for both, and schedule.min_problems is 10: too few to tell",
    )


def test_a_benchmark_that_was_lost_refuses() -> None:
    results = rows("a", CHAMPION, "0" * 20) + rows("a", CANDIDATE, "1" * 20)
    found = decide(results, ["a", "b"], SCHEDULE, EVALUATION, seed=3)
    assert found.reasons == ("benchmark b was not judged for both",)
    half = results + rows("b", CHAMPION, "0" * 20)
    assert decide(half, ["a", "b"], SCHEDULE, EVALUATION, seed=3).reasons == found.reasons


def test_undecided_samples_leave_both_sides() -> None:
    found = judged(("a", "0" * 12 + "?", "1" * 12 + "1"), ("b", "?" * 20, "1" * 20))
    assert found.changes[0].problems == 12
    assert found.reasons == ("benchmark b was not judged for both",)


def test_nothing_judged_is_a_refusal() -> None:
    found = decide([], [], SCHEDULE, EVALUATION, seed=0)
    assert not found.promoted
    assert "0 problems" in found.reasons[0]


def test_different_problems_are_an_error() -> None:
    results = rows("a", CHAMPION, "0" * 20) + rows("a", CANDIDATE, "1" * 19)
    with pytest.raises(ValueError, match="different problems"):
        decide(results, ["a"], SCHEDULE, EVALUATION, seed=0)


def test_every_reason_is_given() -> None:
    found = judged(("a", "1" * 20, "0" * 20), ("b", "1" * 20, "0" * 20))
    assert len(found.reasons) == 3
