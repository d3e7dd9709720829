"""Losses and gradients equal those that the authors' script gives (fp32)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from rasft import plugins
from rasft.losses import LossInputs, LossSettings
from rasft.losses.rasft import mean_over_tokens

GOLDEN = Path(__file__).parent
RASFT = json.loads((GOLDEN / "rasft_loss.json").read_text())["cases"]
VARIANTS = json.loads((GOLDEN / "sft_variants.json").read_text())["cases"]
IGNORED = -100


def inputs_of(case: dict[str, Any], logits: torch.Tensor) -> LossInputs:
    """labels[t] is predicted from logits[t - 1]; -100 is no response token."""
    labels = torch.tensor(case["labels"])[:, 1:]
    mask = labels != IGNORED
    target = labels.clamp(min=0)[:, :, None]

    def logps(values: torch.Tensor) -> torch.Tensor:
        return values[:, :-1].log_softmax(-1).gather(2, target)[:, :, 0] * mask

    weights = torch.tensor(case.get("weights", [1.0] * len(labels)))
    reference = torch.tensor(case["ref_logits"])
    kl = dense_kl(logits[:, :-1], reference[:, :-1]) * mask
    return LossInputs(logps(logits), logps(reference), mask, weights, kl)


def dense_kl(logits: torch.Tensor, reference: torch.Tensor) -> torch.Tensor:
    """KL(reference || policy) at each position, by its definition."""
    expected = reference.log_softmax(-1)
    return (expected.exp() * (expected - logits.log_softmax(-1))).sum(-1)


def loss_and_gradient(name: str, case: dict[str, Any]) -> tuple[float, torch.Tensor]:
    logits = torch.tensor(case["logits"], requires_grad=True)
    inputs = inputs_of(case, logits)
    output = plugins.load("losses", name).token_loss(inputs, LossSettings())
    counted = inputs.mask_BT if output.counted_BT is None else output.counted_BT
    loss = output.loss_BT.sum() / counted.sum()
    loss.backward()
    assert logits.grad is not None
    return loss.item(), logits.grad


@pytest.mark.parametrize("case", RASFT)
def test_rasft_loss_and_gradient(case: dict[str, Any]) -> None:
    loss, gradient = loss_and_gradient("rasft", case)
    assert loss == pytest.approx(case["expected"]["loss"], rel=1e-6, abs=1e-8)
    expected = torch.tensor(case["expected"]["grad_logits"])
    torch.testing.assert_close(gradient, expected, rtol=0, atol=2e-8)


@pytest.mark.parametrize("case", RASFT)
def test_rasft_ratio(case: dict[str, Any]) -> None:
    inputs = inputs_of(case, torch.tensor(case["logits"]))
    output = plugins.load("losses", "rasft").token_loss(inputs, LossSettings())
    expected = case["expected"]
    means = mean_over_tokens(inputs.logp_BT, inputs.mask_BT).tolist()
    assert means == pytest.approx(expected["mean_logp"], rel=1e-6)
    assert output.metrics["mean_ratio"].tolist() == pytest.approx(
        expected["ratio_clipped"], rel=1e-6
    )


@pytest.mark.parametrize("name", ["sft", "sft_kl", "dft", "asft", "profit"])
@pytest.mark.parametrize("case", VARIANTS)
def test_variant_loss_and_gradient(name: str, case: dict[str, Any]) -> None:
    loss, gradient = loss_and_gradient(name, case)
    expected = case["expected"][name.replace("_", "+")]
    assert loss == pytest.approx(expected["loss"], rel=1e-6)
    torch.testing.assert_close(gradient, torch.tensor(expected["grad_logits"]), rtol=0, atol=2e-8)
