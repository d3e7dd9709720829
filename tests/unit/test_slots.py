"""Attention over slots: equal to plain attention, and honest about what it does not do."""

import pytest
import torch

from rasft.decoding import slots
from rasft.errors import UserError


def states(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("tokens", [1, 5])
def test_grouped_heads_attend_as_repeated_keys_do(tokens):
    """6 heads over 2 groups of keys: the same as with each group's keys repeated 3 times."""
    query, key, value = states(2, 6, tokens, 8), states(2, 2, 9, 8, seed=1), states(2, 2, 9, 8)
    mask = torch.arange(9) <= torch.arange(9 - tokens, 9)[:, None]
    found, _ = slots.attend(torch.nn.Module(), query, key, value, mask[None, None])
    expected = torch.nn.functional.scaled_dot_product_attention(
        query,
        key.repeat_interleave(3, dim=1),
        value.repeat_interleave(3, dim=1),
        attn_mask=mask[None, None],
    )
    assert torch.allclose(found, expected.transpose(1, 2), atol=1e-6)


def test_an_attention_of_an_unknown_kind_is_refused():
    query, key = states(1, 1, 1, 8), states(1, 1, 9, 8)
    mask = torch.ones(1, 1, 1, 9) > 0
    with pytest.raises(UserError, match=r"position_bias.*rollout\.engine to vllm"):
        slots.attend(torch.nn.Module(), query, key, key, mask, position_bias=1)


def test_a_window_that_is_never_passed_does_not_matter():
    key = states(1, 1, 9, 8)
    mask = torch.ones(1, 1, 1, 9) > 0
    plain, _ = slots.attend(torch.nn.Module(), key[:, :, :1], key, key, mask)
    windowed, _ = slots.attend(torch.nn.Module(), key[:, :, :1], key, key, mask, sliding_window=9)
    assert torch.equal(windowed, plain)


def test_slots_keep_what_others_write_and_copy_whole_prefixes():
    cache = slots.Slots(layers=2, slots=3, columns=4)
    for layer in range(2):
        for slot in range(3):
            cache.open(slots.Window(torch.tensor([slot]), torch.tensor([[0, 1]]), 2))
            fill = torch.full((1, 1, 2, 2), 10.0 * layer + slot)
            cache.update(fill, -fill, layer)
    cache.copy([2], [0], width=1)
    cache.open(slots.Window(slice(0, 3), torch.tensor([[2], [2], [2]]), 3))
    new = torch.full((3, 1, 1, 2), 7.0)
    keys, values = cache.update(new, new, 1)
    assert keys[:, 0, :, 0].tolist() == [[12, 10, 7], [11, 11, 7], [12, 12, 7]]
    assert values[:, 0, :, 0].tolist() == [[-12, -10, 7], [-11, -11, 7], [-12, -12, 7]]
