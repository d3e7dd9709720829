import math
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rasft.results import statistics

rows = st.lists(st.sampled_from([True, False, None]), min_size=1, max_size=8)


def test_undecided_samples_are_left_out_not_wrong():
    scores = statistics.share_correct([[True, None, False], [True, None, None], [None, None]])
    assert scores[0] == 0.5
    assert scores[1] == 1.0
    assert math.isnan(scores[2])
    assert statistics.mean(scores).scored == 2
    assert statistics.mean(scores).value == 0.75


@given(row=rows, k=st.integers(1, 8))
def test_pass_at_k_equals_enumeration(row, k):
    decided = [value for value in row if value is not None]
    (score,) = statistics.pass_at([row], k)
    draws = list(combinations(decided, k))
    if not draws:
        assert math.isnan(score)
    else:
        assert score == pytest.approx(sum(any(draw) for draw in draws) / len(draws))


def test_pass_at_one_is_the_average():
    matrix = [[True, False, False, True], [False] * 4, [True] * 4]
    assert statistics.pass_at(matrix, 1).tolist() == statistics.share_correct(matrix).tolist()


def test_pass_at_refuses_k_of_zero():
    with pytest.raises(ValueError, match="at least 1, not 0"):
        statistics.pass_at([[True]], 0)


@pytest.mark.parametrize(
    ("row", "answers", "score"),
    [
        ([True, True, False], ["5", "5", "7"], 1.0),
        ([False, False, True], ["7", "7", "5"], 0.0),
        ([True, False], ["5", "7"], 0.5),  # a tie counts in part
        ([True, False, False], ["5", None, None], 1.0),  # no answer is no vote
        ([False, False], [None, None], 0.0),
        ([None, True], ["7", "5"], 1.0),  # an undecided sample does not vote
    ],
)
def test_majority(row, answers, score):
    assert statistics.majority([row], [answers]).tolist() == [score]


def test_majority_of_nothing_decided_has_no_score():
    assert math.isnan(statistics.majority([[None]], [["5"]])[0])


def test_interval_is_seeded():
    scores = np.random.default_rng(0).random(50)
    assert statistics.mean(scores, seed=1) == statistics.mean(scores, seed=1)
    assert statistics.mean(scores, seed=1) != statistics.mean(scores, seed=2)


def test_chunks_do_not_change_the_number_of_resamples(monkeypatch):
    scores = np.random.default_rng(0).random(30)
    whole = statistics.mean(scores, samples=2000)
    monkeypatch.setattr(statistics, "CHUNK", 7 * 30)
    assert statistics.mean(scores, samples=2000) == whole


def test_problems_that_all_score_alike_are_no_certainty():
    """None right of 32 is what a share of one in ten gives once in thirty."""
    none = statistics.mean(np.zeros(32))
    assert (none.low, none.value) == (0, 0)
    assert none.high == pytest.approx(0.1088, abs=1e-4)
    assert (1 - none.high) ** 32 == pytest.approx(0.025)
    same = statistics.difference(np.ones(8), np.ones(8))
    assert (same.low, same.value, same.high) == pytest.approx((-0.3694, 0, 0.3694), abs=1e-4)
    assert statistics.mean(np.ones(32)).high == 1
    assert statistics.mean(np.array([0.25])).high == 0.25  # of one problem nothing can be said


def test_nothing_scored_gives_no_number():
    estimate = statistics.mean(np.array([math.nan]))
    assert math.isnan(estimate.value)
    assert estimate.scored == 0


def test_intervals_cover_the_truth():
    """Of 400 simulated benchmarks (60 problems, 4 samples) 95 % intervals hold the true mean."""
    generator = np.random.default_rng(0)
    covered = 0
    for trial in range(400):
        solvability = generator.beta(0.5, 0.7, size=60)  # true mean 0.5 / 1.2
        matrix = (generator.random((60, 4)) < solvability[:, None]).tolist()
        estimate = statistics.mean(statistics.share_correct(matrix), samples=1000, seed=trial)
        covered += estimate.low <= 0.5 / 1.2 <= estimate.high
    assert 0.92 <= covered / 400 <= 0.97


def test_pairing_cancels_what_the_problems_share():
    """Both sides share hard and easy problems; the gain of 0.1 shows only when paired."""
    base = np.linspace(0, 0.9, 40)
    trained = base + 0.1
    paired = statistics.difference(base, trained)
    assert paired.low == pytest.approx(0.1)
    assert paired.high == pytest.approx(0.1)
    apart = statistics.mean(base).high - statistics.mean(trained).low
    assert apart > 0  # the two intervals overlap


def test_paired_intervals_cover_the_truth():
    generator = np.random.default_rng(1)
    covered = 0
    for trial in range(300):
        base = generator.beta(0.6, 0.6, size=50)
        gain = generator.normal(0.05, 0.2, size=50)
        estimate = statistics.difference(base, base + gain, samples=1000, seed=trial)
        covered += estimate.low <= 0.05 <= estimate.high
    assert 0.91 <= covered / 300 <= 0.98


def test_difference_leaves_out_problems_scored_on_one_side():
    estimate = statistics.difference(np.array([0.0, math.nan, 0.5]), np.array([0.5, 1.0, math.nan]))
    assert (estimate.value, estimate.scored) == (0.5, 1)


def test_difference_refuses_unpaired_scores():
    with pytest.raises(ValueError, match="differ in length: 1 and 2"):
        statistics.difference(np.array([0.0]), np.array([0.0, 1.0]))
