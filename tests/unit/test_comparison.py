"""Intervals over problems and seeds hold what they promise, in simulated comparisons."""

import math

import numpy as np
import pytest

from rasft.results.comparison import Column, Contrast, separate, simultaneous

TRUTH = {"sft": 0.0, "dft": 0.05, "rasft": 0.10}


def simulated(
    generator: np.random.Generator,
    seeds: int = 3,
    problems: int = 60,
    seed_spread: float = 0.03,
    noise: float = 0.2,
    truth: dict[str, float] = TRUTH,
) -> Column:
    """Rows that share problems and seeds, and differ by problem, by training seed and by sample."""
    shared = generator.normal(0.4, 0.3, problems)
    rows = {}
    for row, mean in truth.items():
        by_problem = generator.normal(mean, 0.15, problems)
        by_seed = generator.normal(0, seed_spread, seeds)
        scores = shared + by_problem + by_seed[:, None]
        scores = scores + generator.normal(0, noise, scores.shape)
        rows[row] = dict(enumerate(scores))
    return Column("math500", {"math500": rows})


FAMILY = [Contrast("math500", row, "sft") for row in ("dft", "rasft")]


@pytest.mark.parametrize(
    ("seed_spread", "noise", "seeds"), [(0.05, 0.05, 3), (0.0, 0.3, 3), (0.03, 0.2, 2), (0, 0.2, 1)]
)
def test_all_intervals_of_a_family_hold_together(seed_spread, noise, seeds):
    """At a nominal 95 %, over 300 comparisons of three rows; what is conservative may exceed it."""
    generator = np.random.default_rng(3)
    held = 0
    for trial in range(300):
        column = simulated(generator, seeds, seed_spread=seed_spread, noise=noise)
        found = simultaneous([column], FAMILY, draws=800, seed=trial)
        held += all(i.low <= TRUTH[i.contrast.row] <= i.high for i in found)
    assert 0.93 <= held / 300 <= 1


def test_an_interval_over_problems_alone_forgets_the_seeds():
    """Where seeds matter, pooling the seeds' scores by problem covers far less than 95 %."""
    generator = np.random.default_rng(5)
    held = {"crossed": 0, "problems alone": 0}
    for trial in range(200):
        column = simulated(generator, seed_spread=0.05, noise=0.05)
        part = column.parts["math500"]
        pooled = {row: {0: np.mean(list(s.values()), axis=0)} for row, s in part.items()}
        flat = Column("math500", {"math500": pooled})
        for name, each in (("crossed", column), ("problems alone", flat)):
            (found,) = separate([each], FAMILY[1:], draws=500, seed=trial)
            held[name] += found.low <= TRUTH["rasft"] <= found.high
    assert held["problems alone"] / 200 < 0.85
    assert held["crossed"] / 200 > 0.92


def test_a_larger_family_asks_for_more():
    column = simulated(np.random.default_rng(0))
    alone = simultaneous([column], FAMILY[:1])[0]
    together = simultaneous([column], FAMILY)[0]
    assert together.mean == alone.mean
    assert together.high - together.low > alone.high - alone.low


def test_pairing_cancels_what_problems_and_seeds_share():
    """Scores from 0 to 0.8, and a row that is 0.1 better in every problem and seed, nearly."""
    generator = np.random.default_rng(0)
    base = generator.random((3, 40)) * 0.8
    own = base + 0.1 + generator.normal(0, 0.01, base.shape)
    column = Column("b", {"b": {"base": dict(enumerate(base)), "own": dict(enumerate(own))}})
    (found,) = simultaneous([column], [Contrast("b", "own", "base")])
    assert found.is_real
    assert found.high - found.low < 0.04
    (alone,) = separate([column], [Contrast("b", "own")])
    assert alone.high - alone.low > 0.1


def test_nothing_solved_is_not_known_to_be_zero():
    """None of 30 problems: the rule of three allows about 12 % of them in a 95 % interval."""
    rows = {"base": {0: np.zeros(30)}, "own": {0: np.zeros(30)}}
    column = Column("b", {"b": rows})
    (alone,) = separate([column], [Contrast("b", "base")])
    assert (alone.low, alone.high) == (0, pytest.approx(1 - 0.025 ** (1 / 30)))
    (paired,) = simultaneous([column], [Contrast("b", "own", "base")])
    assert (paired.low, paired.high) == pytest.approx((-0.116, 0.116), abs=0.001)


def test_an_average_weighs_its_benchmarks_alike():
    large, small = np.zeros(100), np.ones(10)
    column = Column("average", {"a": {"r": {0: large}}, "b": {"r": {0: small}}})
    (found,) = separate([column], [Contrast("average", "r")])
    assert found.mean == 0.5
    assert found.problems == 110


def test_seeds_that_one_row_lacks_are_left_out_of_its_pairs_alone():
    column = simulated(np.random.default_rng(1))
    part = {row: dict(scores) for row, scores in column.parts["math500"].items()}
    del part["dft"][2]
    found = simultaneous([Column("math500", {"math500": part})], FAMILY)
    assert [interval.seeds for interval in found] == [2, 3]


def test_problems_without_a_score_are_left_out_of_the_pair():
    rows = {"a": {0: np.array([0.0, math.nan, 1.0])}, "b": {0: np.array([0.5, 1.0, 1.0])}}
    (found,) = simultaneous([Column("c", {"c": rows})], [Contrast("c", "b", "a")])
    assert (found.mean, found.problems) == (0.25, 2)


def test_no_seed_in_common_is_an_error():
    rows = {"a": {0: np.ones(3)}, "b": {1: np.ones(3)}}
    with pytest.raises(ValueError, match="no seed in common"):
        simultaneous([Column("c", {"c": rows})], [Contrast("c", "a", "b")])


def test_the_same_seed_gives_the_same_intervals():
    column = simulated(np.random.default_rng(0))
    assert simultaneous([column], FAMILY, seed=1) == simultaneous([column], FAMILY, seed=1)
    assert simultaneous([column], FAMILY, seed=1) != simultaneous([column], FAMILY, seed=2)
