"""Weights and router buckets against numbers of the authors' published script."""

import json
from pathlib import Path

import pytest

from rasft.config.settings import WeightingConfig
from rasft.method import routing
from rasft.method.weighting import advantages, group_weights

HERE = Path(__file__).parent
WEIGHTS = json.loads((HERE / "rasft_weights.json").read_text())["rows"]
ROUTER = json.loads((HERE / "router.json").read_text())


def settings_of(params: dict) -> WeightingConfig:
    return WeightingConfig(
        variant="reference",
        reward_max=params["rmax"],
        reward_min=params["rmin"],
        alpha=params["alpha"],
        rollout_coefficient=params["coef"],
        rollout_floor=params["floor"],
        rollout_cap=params["cap"],
    )


@pytest.mark.parametrize("row", WEIGHTS)
def test_group_weights(row: dict) -> None:
    counts = row["unique_rollouts"], row["correct"], row["incorrect_kept"]
    weights = group_weights(*counts, settings_of(row["params"]))
    rollouts = [] if weights.rollout is None else [weights.rollout] * row["correct"]
    assert weights.expert_reward == pytest.approx(row["expert_reward"])
    assert weights.expert == pytest.approx(row["expert_weight"], abs=1e-6)
    assert rollouts == pytest.approx(row["rollout_weights"], abs=1e-6)


@pytest.mark.parametrize("row", WEIGHTS)
def test_advantages(row: dict) -> None:
    computed = advantages(row["group_rewards"], row["params"]["alpha"])
    if row["group_advantages"] is None:
        assert computed is None
    else:
        assert computed == pytest.approx(row["group_advantages"], abs=1e-6)


@pytest.mark.parametrize("row", ROUTER["rows"], ids=lambda row: f"step{row['step']}")
def test_router(row: dict) -> None:
    at = routing.window(
        routing.Thresholds(**ROUTER["thresholds"]), row["step"] / row["total_steps"]
    )
    expected = row["window"]
    assert (at.low, at.high) == pytest.approx((expected["window_low"], expected["window_high"]))
    for name in routing.BUCKETS:
        members = [i for i, x in enumerate(ROUTER["losses"]) if routing.bucket(x, at) == name]
        assert members == row[name], name
