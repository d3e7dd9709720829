"""Every sequence is trained on, once an epoch, within the budget, however the step is cut up."""

from __future__ import annotations

from itertools import chain

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from rasft.records import TrainingExample
from rasft.training.model.batching import Layout, Order, collate, deal, plan_step

LENGTHS = st.lists(st.integers(1, 400), min_size=1, max_size=60)
BUDGETS = st.integers(1, 1000)


def example(ids: range, prompt: int, weight: float = 1.0, scored: bool = True) -> TrainingExample:
    logps = tuple(-0.1 * i for i in range(len(ids) - prompt)) if scored else ()
    return TrainingExample(f"p{ids.start}", -1, tuple(ids), prompt, weight, logps)


@given(
    rows=st.integers(1, 200),
    batch_size=st.integers(1, 64),
    epochs=st.sampled_from([0.01, 0.5, 1.0, 1.7, 3.0]),
    seed=st.integers(0, 5),
)
def test_order_trains_every_row_as_often_as_asked(
    rows: int, batch_size: int, epochs: float, seed: int
) -> None:
    order = Order(rows, batch_size, epochs, seed)
    steps = [order.step(index) for index in range(order.steps)]
    seen = list(chain(*steps))
    assert len(seen) == order.total == max(1, round(epochs * rows))
    counts = np.bincount(seen, minlength=rows)
    assert counts.max() - counts.min() <= 1
    assert all(1 <= len(step) <= batch_size for step in steps)
    assert [order.done(index) for index in range(order.steps)] == list(
        np.cumsum([len(step) for step in steps])
    )


def test_order_follows_the_seed_and_differs_between_epochs() -> None:
    order = Order(rows=100, batch_size=100, epochs=2, seed=3)
    assert order.step(0) == Order(100, 100, 2, 3).step(0)
    assert order.step(0) != order.step(1)
    assert order.step(0) != Order(100, 100, 2, 4).step(0)


@given(lengths=LENGTHS, budget=BUDGETS, packed=st.booleans())
def test_split_keeps_all_rows_within_the_budget(
    lengths: list[int], budget: int, packed: bool
) -> None:
    sizes = np.array(lengths)
    groups = Layout(budget, packed).split(range(len(lengths)), sizes)
    assert sorted(chain(*groups)) == list(range(len(lengths)))
    for group in groups:
        longest, total = sizes[list(group)].max(), sizes[list(group)].sum()
        cost = total if packed else longest * len(group)
        assert cost <= budget or len(group) == 1
        assert sizes[group[0]] == longest


@given(lengths=LENGTHS, processes=st.integers(1, 8))
def test_deal_is_balanced_to_one_sequence(lengths: list[int], processes: int) -> None:
    sizes = np.array(lengths)
    shares = deal(range(len(lengths)), sizes, processes)
    assert sorted(chain(*shares)) == list(range(len(lengths)))
    tokens = [int(sizes[share].sum()) if share else 0 for share in shares]
    assert max(tokens) - min(tokens) <= max(lengths)


@given(lengths=LENGTHS, budget=BUDGETS, processes=st.integers(1, 8))
def test_plan_gives_every_process_equally_many_passes(
    lengths: list[int], budget: int, processes: int
) -> None:
    plans = plan_step(range(len(lengths)), np.array(lengths), Layout(budget), processes)
    assert len(plans) == processes
    assert len({len(plan) for plan in plans}) == 1
    assert sorted(chain(*chain(*plans))) == list(range(len(lengths)))


@pytest.mark.parametrize("packed", [True, False])
def test_collate_points_at_the_position_before_each_response_token(packed: bool) -> None:
    batch = collate([example(range(10, 16), 4), example(range(20, 25), 2, 0.5)], packed)
    sources = batch.input_ids_RS.flatten()[batch.source_N]
    assert batch.target_N.tolist() == [14, 15, 22, 23, 24]
    assert sources.tolist() == [13, 14, 21, 22, 23]
    assert batch.mask_BT.tolist() == [[True, True, False], [True, True, True]]
    assert batch.weights_B.tolist() == [1.0, 0.5]
    assert batch.reference_logp_BT.flatten().tolist() == pytest.approx([0, -0.1, 0, 0, -0.1, -0.2])
    assert batch.problem_ids == ("p10", "p20")


def test_packed_row_restarts_positions_and_padded_rows_mask_the_padding() -> None:
    examples = [example(range(10, 14), 1), example(range(20, 22), 1)]
    packed, padded = collate(examples, packed=True), collate(examples, packed=False)
    assert packed.position_ids_RS.tolist() == [[0, 1, 2, 3, 0, 1]]
    assert packed.lengths == (4, 2)
    assert packed.attention_mask_RS is None
    assert padded.attention_mask_RS is not None
    assert padded.attention_mask_RS.tolist() == [[1, 1, 1, 1], [1, 1, 0, 0]]


def test_no_reference_is_nan_on_the_response_alone() -> None:
    batch = collate([example(range(10, 14), 1), example(range(20, 22), 1, scored=False)])
    assert batch.reference_logp_BT[1].isnan().tolist() == [True, False, False]


@pytest.mark.parametrize("packed", [True, False])
def test_batch_of_no_sequences_still_has_a_token(packed: bool) -> None:
    batch = collate([], packed)
    assert batch.input_ids_RS.shape == (1, 1)
    assert batch.mask_BT.shape == (0, 0)
    assert batch.source_N.dtype == torch.long
