"""What every loss plugin must be: one suite for all of them."""

from __future__ import annotations

import dataclasses

import pytest
import torch

from rasft import plugins
from rasft.errors import UserError
from rasft.losses import LossInputs, LossOutput, LossSettings, uses_kl
from rasft.records import TrainingStep

NAMES = plugins.names("losses")


def example(seed: int = 0, batch: int = 3, tokens: int = 7) -> LossInputs:
    random = torch.Generator().manual_seed(seed)
    lengths = torch.randint(1, tokens + 1, (batch,), generator=random)
    mask = torch.arange(tokens)[None] < lengths[:, None]
    logp = -3 * torch.rand(batch, tokens, generator=random) * mask
    reference = -3 * torch.rand(batch, tokens, generator=random) * mask
    return LossInputs(
        logp.requires_grad_(),
        reference,
        mask,
        torch.randn(batch, generator=random),
        (torch.rand(batch, tokens, generator=random) * mask).requires_grad_(),
    )


def run(name: str, inputs: LossInputs) -> LossOutput:
    output = plugins.load("losses", name).token_loss(inputs, LossSettings())
    assert isinstance(output, LossOutput)
    return output


@pytest.mark.parametrize("name", NAMES)
class TestEveryLoss:
    def test_terms_are_finite_and_zero_off_the_mask(self, name: str) -> None:
        inputs = example()
        terms = run(name, inputs).loss_BT
        assert terms.shape == inputs.mask_BT.shape
        assert terms.dtype == torch.float32
        assert terms.isfinite().all()
        assert (terms[~inputs.mask_BT] == 0).all()

    def test_gradient_is_finite_and_zero_off_the_mask(self, name: str) -> None:
        inputs = example()
        run(name, inputs).loss_BT.sum().backward()
        assert inputs.logp_BT.grad is not None
        assert inputs.logp_BT.grad.isfinite().all()
        assert inputs.logp_BT.grad[inputs.mask_BT].abs().sum() > 0
        assert (inputs.logp_BT.grad[~inputs.mask_BT] == 0).all()

    def test_weight_multiplies_the_sequence(self, name: str) -> None:
        inputs = example()
        doubled = dataclasses.replace(inputs, weights_B=2 * inputs.weights_B)
        torch.testing.assert_close(run(name, doubled).loss_BT, 2 * run(name, inputs).loss_BT)

    def test_sequences_do_not_touch_each_other(self, name: str) -> None:
        inputs = example()
        first = LossInputs(*(getattr(inputs, f.name)[:1] for f in dataclasses.fields(inputs)))
        torch.testing.assert_close(run(name, first).loss_BT, run(name, inputs).loss_BT[:1])

    def test_is_deterministic_and_leaves_its_inputs_alone(self, name: str) -> None:
        inputs, again = example(), example()
        assert torch.equal(run(name, inputs).loss_BT, run(name, inputs).loss_BT)
        for field in dataclasses.fields(inputs):
            assert torch.equal(getattr(inputs, field.name), getattr(again, field.name))

    def test_no_sequences_give_an_empty_sum(self, name: str) -> None:
        empty = LossInputs(
            torch.zeros(0, 0, requires_grad=True),
            torch.zeros(0, 0),
            torch.zeros(0, 0, dtype=torch.bool),
            torch.zeros(0),
            torch.zeros(0, 0),
        )
        assert run(name, empty).loss_BT.sum().item() == 0

    def test_metrics_are_one_number_a_sequence_for_the_log(self, name: str) -> None:
        known = {field.name for field in dataclasses.fields(TrainingStep)}
        for metric, values in run(name, example()).metrics.items():
            assert metric in known
            assert values.shape == (3,)
            assert not values.requires_grad

    def test_reads_the_reference_exactly_if_it_says_so(self, name: str) -> None:
        inputs = example()
        none = dataclasses.replace(
            inputs, reference_logp_BT=torch.full_like(inputs.reference_logp_BT, torch.nan)
        )
        unread = bool(run(name, none).loss_BT.isfinite().all())
        assert unread is not plugins.load("losses", name).USES_REFERENCE

    def test_reads_the_divergence_exactly_if_it_says_so(self, name: str) -> None:
        inputs = example()
        run(name, inputs).loss_BT.sum().backward()
        assert inputs.kl_BT is not None
        assert (inputs.kl_BT.grad is not None) is uses_kl(plugins.load("losses", name))

    def test_counts_tokens_of_the_mask_alone(self, name: str) -> None:
        inputs = example()
        counted = run(name, inputs).counted_BT
        assert counted is None or not (counted & ~inputs.mask_BT).any()


def test_unknown_constant_is_one_clear_error() -> None:
    with pytest.raises(UserError, match=r"unknown constant 'ratio_mim' \(did you mean 'ratio_min'"):
        LossSettings.of({"ratio_mim": 0.3})


def test_constants_reach_the_loss() -> None:
    inputs = example()
    loss = plugins.load("losses", "rasft").token_loss
    fixed = loss(inputs, LossSettings.of({"ratio_min": 0.7, "ratio_max": 0.7}))
    assert fixed.metrics["mean_ratio"].tolist() == pytest.approx([0.7] * 3)


def test_without_its_parts_rasft_is_sft_and_with_the_probability_dft() -> None:
    inputs = dataclasses.replace(example(), weights_B=torch.ones(3))
    without_ratio = {"ratio_min": 1.0, "ratio_max": 1.0}

    def rasft(**constants: float) -> torch.Tensor:
        settings = LossSettings.of({**without_ratio, **constants})
        return plugins.load("losses", "rasft").token_loss(inputs, settings).loss_BT

    assert torch.equal(rasft(), run("dft", inputs).loss_BT)
    assert torch.equal(rasft(probability_power=0.0), run("sft", inputs).loss_BT)
