"""The learning rate rises, then falls, and no step is lost to a rate of zero."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rasft.records import TrainingStep
from rasft.training.loop.log import describe
from rasft.training.loop.schedule import rate_factor


def test_cosine_after_warm_up() -> None:
    factors = [rate_factor(step, 12, 4, "cosine") for step in range(12)]
    assert factors[:4] == [0.25, 0.5, 0.75, 1.0]
    assert factors[4:] == pytest.approx([(1 + math.cos(math.pi * i / 8)) / 2 for i in range(8)])


@given(
    steps=st.integers(1, 50),
    warmup=st.integers(0, 60),
    kind=st.sampled_from(["cosine", "linear", "constant"]),
)
def test_every_step_has_a_rate_above_zero(steps: int, warmup: int, kind: str) -> None:
    factors = [rate_factor(step, steps, warmup, kind) for step in range(steps)]  # type: ignore[arg-type]
    assert all(0 < factor <= 1 for factor in factors)
    assert factors[: warmup + 1] == sorted(factors[: warmup + 1])
    assert factors[warmup:] == sorted(factors[warmup:], reverse=True)


def test_line_for_the_reader() -> None:
    row = TrainingStep(
        step=3,
        epoch=0.3,
        sequences=8,
        tokens=900,
        response_tokens=700,
        loss=0.0712,
        nll=1.234,
        mean_weight=0.5,
        grad_norm=2.3,
        learning_rate=5e-5,
        seconds=0.5,
        peak_memory_bytes=1_500_000_000,
        mean_ratio=0.98,
        ratio_clip_share=0.25,
    )
    assert describe(row, 10) == (
        "train: step 3/10, 1,800 tokens/s, loss 0.0712, NLL 1.234, weight 0.500, "
        "ratio 0.980 (25 % clipped), gradient norm 2.3, rate 5e-05, memory 1.5 GB"
    )
