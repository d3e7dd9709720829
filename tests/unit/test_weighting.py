"""Properties of the weights that no table of numbers shows."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rasft.config.settings import WeightingConfig
from rasft.method.weighting import group_weights

PAPER = WeightingConfig(variant="paper")
REFERENCE = WeightingConfig(variant="reference")


def full_group(unique: int, correct: int, settings: WeightingConfig = PAPER) -> float:
    kept = min(settings.max_negative_keep, unique - correct)
    return group_weights(unique, correct, kept, settings).expert


@given(unique=st.integers(1, 64), keep=st.integers(0, 8), alpha=st.floats(0.05, 2))
def test_expert_weight_never_rises_with_solvability(unique: int, keep: int, alpha: float) -> None:
    settings = WeightingConfig(variant="paper", max_negative_keep=keep, alpha=alpha)
    weights = [full_group(unique, correct, settings) for correct in range(unique + 1)]
    assert weights == sorted(weights, reverse=True)


def test_a_group_with_one_failure_is_not_below_a_solved_one() -> None:
    settings = WeightingConfig(variant="paper", max_negative_keep=1, alpha=0.05078125)
    assert full_group(60, 59, settings) > full_group(60, 60, settings)


def test_the_variants_part_only_where_a_problem_is_fully_solved() -> None:
    assert full_group(4, 4, REFERENCE) == 1.0
    assert full_group(4, 4, PAPER) == pytest.approx(0.02 / 5)
    assert [full_group(4, k, PAPER) for k in range(4)] == [
        full_group(4, k, REFERENCE) for k in range(4)
    ]


@given(unique=st.integers(1, 32), data=st.data())
def test_own_solutions_stay_positive_and_beside_the_expert(
    unique: int, data: st.DataObject
) -> None:
    correct = data.draw(st.integers(1, unique))
    kept = data.draw(st.integers(0, unique - correct))
    weight = group_weights(unique, correct, kept, PAPER).rollout
    assert weight is not None
    assert 0.25 * 0.02 <= weight <= 0.25 * 0.15


def test_the_flat_variant_weighs_no_problem_by_its_solvability() -> None:
    flat = WeightingConfig(variant="flat")
    weights = [group_weights(4, correct, 0, flat) for correct in range(1, 5)]
    assert {(each.expert, each.rollout) for each in weights} == {(1.0, flat.rollout_coefficient)}
    assert group_weights(4, 0, 3, flat).rollout is None


def test_an_unsolved_problem_trains_on_its_expert_alone() -> None:
    for counts in [(0, 0, 0), (3, 0, 0), (3, 0, 3)]:
        weights = group_weights(*counts, PAPER)
        assert (weights.expert, weights.rollout) == (1.0, None)


@pytest.mark.parametrize("counts", [(1, 2, 0), (2, 1, 2), (1, -1, 0)])
def test_impossible_counts_are_refused(counts: tuple[int, int, int]) -> None:
    with pytest.raises(ValueError, match="impossible group"):
        group_weights(*counts, PAPER)
