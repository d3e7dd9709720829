"""The fused head against a chain of torch's own operations."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from rasft.training.model import head
from rasft.training.model.forward import token_logps
from rasft.training.model.head import fused_for, fused_logps
from rasft.training.model.logits import LogitRule

WIDTH, VOCABULARY = 24, 301


def operands(positions: int, dtype: torch.dtype = torch.float32) -> tuple[Tensor, ...]:
    """Hidden states, weights, targets and the gradient from above."""
    random = torch.Generator().manual_seed(positions)
    hidden = torch.randn(positions, WIDTH, generator=random).to(dtype)
    weight = torch.randn(VOCABULARY, WIDTH, generator=random)
    target = torch.randint(VOCABULARY, (positions,), generator=random)
    return hidden, weight, target, torch.randn(positions, generator=random)


def through(fused: bool, hidden: Tensor, weight: Tensor, target: Tensor, above: Tensor):
    """(log-probs, gradient of the hidden states, gradient of the weights)."""
    layer = nn.Linear(WIDTH, VOCABULARY, bias=False)
    layer.weight = nn.Parameter(weight.clone())
    hidden = hidden.clone().requires_grad_()
    logps = (
        fused_logps(hidden, layer.weight, target)
        if fused
        else token_logps(layer, LogitRule(), hidden, target)
    )
    (logps * above).sum().backward()
    return logps.detach(), hidden.grad, layer.weight.grad


@pytest.mark.parametrize("positions", [1, 31, 32, 512, 513, 1100])
def test_log_probs_and_gradients_are_those_of_the_chain(positions: int) -> None:
    """In fp32, also where the positions fill no whole tile or chunk."""
    values = operands(positions)
    exact = through(False, *(v.double() if v.is_floating_point() else v for v in values))
    for got, expected in zip(through(True, *values), exact, strict=True):
        assert got.dtype == torch.float32
        assert (got - expected).norm() / expected.norm() < 1e-6


def test_gradients_of_bfloat16_are_as_near_as_the_chains() -> None:
    values = operands(600)
    exact = through(False, *values)
    with torch.autocast("cpu", torch.bfloat16):
        fused, chain = through(True, *values), through(False, *values)
    for mine, theirs, expected in zip(fused, chain, exact, strict=True):
        error = (mine - expected).norm() / expected.norm()
        assert error < 1.2 * (theirs - expected).norm() / expected.norm() + 1e-3


def test_frozen_weights_get_no_gradient() -> None:
    hidden, weight, target, above = operands(40)
    hidden.requires_grad_()
    (fused_logps(hidden, weight, target) * above).sum().backward()
    assert weight.grad is None
    expected = through(False, hidden.detach(), weight, target, above)[1]
    torch.testing.assert_close(hidden.grad, expected)


def test_logits_of_all_positions_never_exist(monkeypatch: pytest.MonkeyPatch) -> None:
    """The largest matrix product gives as many rows as `ROWS` says."""
    monkeypatch.setattr(head, "ROWS", 64)
    rows = []

    class Sizes(torch.overrides.TorchFunctionMode):
        def __torch_function__(self, function, types, arguments=(), options=None):
            result = function(*arguments, **(options or {}))
            if isinstance(result, Tensor) and result.shape[-1:] == (VOCABULARY,):
                rows.append(result.shape[0])
            return result

    with Sizes():
        through(True, *operands(500))
    assert 32 <= max(rows) <= 64


def test_other_heads_do_not_fit() -> None:
    assert fused_for(nn.Linear(4, 9, bias=False)) is fused_logps
    assert fused_for(nn.Linear(4, 9)) is None
    assert fused_for(nn.Sequential(nn.Linear(4, 9, bias=False))) is None
    sharded = nn.Linear(4, 9, bias=False)
    sharded.weight.data = torch.empty(0)  # as DeepSpeed leaves it between two forward passes
    assert fused_for(sharded) is None
