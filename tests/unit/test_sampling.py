"""Drawing tokens: the distribution that is drawn from, and whose randomness is used."""

import pytest
import torch

from rasft.decoding import sampling
from rasft.decoding.uniforms import Uniforms
from rasft.errors import UserError


def streams(count: int, seed: int = 0) -> Uniforms:
    found = Uniforms(count)
    for row in range(count):
        found.start(row, seed + row)
    return found


def frequencies(logits: torch.Tensor, top_p: float, draws: int = 20_000) -> torch.Tensor:
    tokens = sampling.draw(logits.expand(draws, -1), 1.0, top_p, streams(draws))
    return torch.bincount(tokens, minlength=len(logits)) / draws


def test_frequencies_are_the_softmax_over_several_blocks():
    """Over 1,000 tokens (blocks of 256) no frequency is off by 5 standard deviations."""
    logits = 1.5 * torch.randn(1000, generator=torch.Generator().manual_seed(0))
    probabilities = torch.softmax(logits, dim=-1)
    deviation = (probabilities * (1 - probabilities) / 20_000).sqrt()
    assert ((frequencies(logits, 1.0) - probabilities).abs() <= 5 * deviation + 1e-4).all()


def test_top_p_draws_the_renormalised_nucleus():
    """Of (0.4, 0.3, 0.2, 0.1) top-p 0.65 keeps two: 4/7 and 3/7."""
    found = frequencies(torch.tensor([0.1, 0.4, 0.2, 0.3]).log(), top_p=0.65)
    assert found.tolist() == pytest.approx([0, 4 / 7, 0, 3 / 7], abs=0.015)


def test_a_tiny_top_p_is_greedy():
    logits = torch.randn(6, 500, generator=torch.Generator().manual_seed(0))
    tokens = sampling.draw(logits, 1.0, 1e-6, streams(6))
    assert tokens.tolist() == logits.argmax(dim=-1).tolist()


def test_temperature_sharpens():
    logits = torch.tensor([[0.0, 1.0]]).expand(5000, -1)
    share = sampling.draw(logits, 0.5, 1.0, streams(5000)).float().mean().item()
    assert share == pytest.approx(torch.sigmoid(torch.tensor(2.0)).item(), abs=0.02)


def test_temperature_zero_uses_no_randomness():
    used, fresh = streams(1), streams(1)
    assert sampling.draw(torch.tensor([[0.0, 2.0, 1.0]]), 0.0, 0.5, used).tolist() == [1]
    assert torch.equal(used.take(torch.tensor([0])), fresh.take(torch.tensor([0])))


def test_a_row_draws_alone_what_it_draws_among_others():
    logits = torch.randn(8, 3000, generator=torch.Generator().manual_seed(0))
    together = sampling.draw(logits, 1.0, 0.5, streams(8))
    alone = [
        sampling.draw(logits[row : row + 1], 1.0, 0.5, streams(1, seed=row)).item()
        for row in range(8)
    ]
    assert together.tolist() == alone


def test_impossible_tokens_are_never_drawn():
    """300 tokens of which one is possible, in the last and unfilled block."""
    logits = torch.full((50, 300), -torch.inf)
    logits[:, 299] = 0
    assert set(sampling.draw(logits, 1.0, 1.0, streams(50)).tolist()) == {299}


@pytest.mark.parametrize("value", [torch.nan, torch.inf, -torch.inf])
@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_broken_logits_are_said(value, temperature):
    with pytest.raises(UserError, match="not numbers"):
        sampling.draw(torch.full((1, 4), value), temperature, 1.0, streams(1))


def test_the_penalty_lowers_seen_tokens_of_either_sign_once():
    logits = torch.tensor([[2.0, -2.0, 3.0]])
    seen = torch.tensor([[0, 1, 1, 0]])
    assert sampling.penalise(logits, seen, 2.0).tolist() == [[1.0, -4.0, 3.0]]
