"""Solvability as a posterior: probabilities that add up, and weights near those of full K."""

import math
import random
import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rasft.config.settings import AdaptiveConfig, PosteriorConfig, WeightingConfig
from rasft.method.posterior import (
    Posterior,
    Stop,
    decide,
    distance,
    expected_change,
    fade,
    observe,
    posteriors,
    priors,
    successes,
)
from rasft.method.weighting import GroupWeights, group_weights
from rasft.records import Group

WEIGHTING = WeightingConfig()
shapes = st.floats(0.1, 50)
beliefs = st.builds(Posterior, st.just("p"), shapes, shapes)
counts = st.tuples(st.integers(1, 16), st.integers(0, 16)).map(lambda t: (t[0], min(t)))


def group(unique: int, correct: int, name: str = "p") -> Group:
    kept = min(unique - correct, WEIGHTING.max_negative_keep)
    weights = group_weights(unique, correct, kept, WEIGHTING)
    return Group(
        problem_id=name,
        bucket="rollout",
        sampled=unique,
        unique=unique,
        undecided=0,
        correct=correct,
        incorrect_kept=kept,
        solvability=correct / unique if unique else None,
        expert_reward=None,
        expert_weight=weights.expert,
        rollout_indices=tuple(range(correct)),
        rollout_weights=(weights.rollout or 0.0,) * correct,
        dropped=(),
    )


def weights_of(of: Group) -> GroupWeights:
    return group_weights(of.unique, of.correct, of.incorrect_kept, WEIGHTING)


@given(beliefs, st.integers(0, 20))
def test_the_beta_binomial_adds_up_and_has_the_posteriors_mean(belief, draws):
    probabilities = successes(belief, draws)
    assert math.fsum(probabilities) == pytest.approx(1, abs=1e-9)
    mean = math.fsum(j * p for j, p in enumerate(probabilities))
    assert mean == pytest.approx(draws * belief.mean, abs=1e-7)


@given(beliefs, counts, counts)
def test_evidence_adds_up_in_any_order(belief, one, other):
    """Two rounds of samples are one of all of them, and one success more raises the mean."""
    (u, c), (v, d) = one, other
    twice = observe(observe(belief, c, u), d, v)
    once = observe(belief, c + d, u + v)
    assert (twice.alpha, twice.beta) == pytest.approx((once.alpha, once.beta))
    assert observe(belief, 1, 1).mean > belief.mean > observe(belief, 0, 1).mean


@given(counts, st.floats(0, 1))
def test_old_evidence_fades_and_the_prior_stays(seen, discount):
    settings = PosteriorConfig(prior=(0.5, 1.5), discount=discount)
    unique, correct = seen
    kept = fade(observe(Posterior("p", 0.5, 1.5), correct, unique), settings)
    assert kept.alpha + kept.beta == pytest.approx(2 + discount * unique)
    assert (kept.alpha - 0.5) == pytest.approx(discount * correct)


def test_a_problem_that_was_not_rolled_out_keeps_its_prior():
    settings = PosteriorConfig(prior=(1.0, 1.0), discount=0.5)
    before = priors(["p", "new"], [Posterior("p", 5.0, 1.0)], settings)
    assert before == {"p": Posterior("p", 3.0, 1.0), "new": Posterior("new", 1.0, 1.0)}
    after = posteriors([group(0, 0), group(4, 1, "new")], before)
    assert after == [Posterior("p", 3.0, 1.0), Posterior("new", 2.0, 4.0)]


@given(beliefs, counts)
def test_no_further_samples_change_nothing(belief, seen):
    assert expected_change(group(*seen), 0, belief, WEIGHTING) == pytest.approx(0, abs=1e-12)


@given(beliefs, counts, st.integers(1, 12))
def test_the_expected_change_is_the_sum_over_every_outcome(belief, seen, more):
    now = group(*seen)
    outcomes = [group(now.unique + more, now.correct + j) for j in range(more + 1)]
    changes = [
        distance(weights_of(now), weights_of(full), (now.correct, full.correct))
        for full in outcomes
    ]
    found = expected_change(now, more, belief, WEIGHTING)
    wanted = sum(p * change for p, change in zip(successes(belief, more), changes, strict=True))
    assert found == pytest.approx(wanted, abs=1e-9)
    assert min(changes) - 1e-9 <= found <= max(changes) + 1e-9


def test_a_belief_from_earlier_rounds_spares_a_hopeless_problem():
    """Nothing solved of four: worth more samples at first sight, not after forty failures."""
    adaptive = AdaptiveConfig(first=4, more=4)
    for before, extended in ((Posterior("p", 0.5, 0.5), True), (Posterior("p", 0.5, 40.5), False)):
        (stop,) = decide([group(4, 0)], {"p": before}, adaptive, WEIGHTING)
        assert stop.extended is extended
        assert stop.saved == (0 if extended else 4)


def simulate(first: int, more: int, threshold: float, problems: int) -> tuple[list[float], list]:
    """Problems of solvability Beta(0.5, 0.5): each one's distance from full K, and decisions."""
    rng = random.Random(0)
    adaptive = AdaptiveConfig(first=first, more=more, threshold=threshold)
    errors: list[float] = []
    stops: list[Stop] = []
    for _ in range(problems):
        solvability = rng.betavariate(0.5, 0.5)
        drawn = [rng.random() < solvability for _ in range(first + more)]
        early, full = group(first, sum(drawn[:first])), group(first + more, sum(drawn))
        (stop,) = decide([early], {"p": Posterior("p", 0.5, 0.5)}, adaptive, WEIGHTING)
        used = full if stop.extended else early
        errors.append(distance(weights_of(used), weights_of(full), (used.correct, full.correct)))
        stops.append(stop)
    return errors, stops


@pytest.mark.parametrize(
    ("first", "more", "saved", "error"), [(4, 4, 0.30, 0.06), (4, 12, 0.15, 0.03)]
)
def test_samples_are_saved_and_the_weights_stay_near_those_of_full_k(first, more, saved, error):
    """On 2,000 simulated problems the mean error is small, and it is what was foretold."""
    errors, stops = simulate(first, more, threshold=0.1, problems=2000)
    share = sum(stop.saved for stop in stops) / ((first + more) * len(stops))
    foretold = statistics.mean(0 if s.extended else s.expected_change for s in stops)
    assert share >= saved
    assert statistics.mean(errors) <= error
    spread = statistics.stdev(errors) / math.sqrt(len(errors))
    assert abs(statistics.mean(errors) - foretold) < 4 * spread


def test_a_threshold_of_zero_is_full_k():
    errors, stops = simulate(4, 4, threshold=0.0, problems=200)
    assert all(stop.extended for stop in stops)
    assert max(errors) == 0
