"""The training loop in this process, on a tiny Llama."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path
from typing import Any

import pytest
import torch
from accelerate.state import AcceleratorState

from rasft.errors import MachineError, UserError
from rasft.records import TrainingExample
from rasft.training.launch.program import open_accelerator
from rasft.training.loop.trainer import Diverged, Trainer
from rasft.training.model.batching import Batch, Order
from rasft.training.storage.checkpoints import Checkpoints
from rasft.training.storage.example_store import ExampleStore
from rasft.training.storage.jobs import EXAMPLES, digest_of, read_job
from tests import tiny_model
from tests.training_jobs import job, open_trainer


class FixedOrder(Order):
    """One given row a step."""

    def __init__(self, rows: list[int]):
        super().__init__(rows=len(set(rows)), batch_size=1, epochs=1.0, seed=0)
        object.__setattr__(self, "given", rows)

    def step(self, index: int) -> tuple[int, ...]:
        return (self.given[index],)


class TestTrainer:
    @pytest.mark.parametrize("packing", [True, False])
    @pytest.mark.parametrize("micro_batch_tokens", [1, 100, 200])
    def test_gradient_does_not_depend_on_the_micro_batches(
        self,
        tmp_path: Path,
        base: Path,
        examples: list[TrainingExample],
        packing: bool,
        micro_batch_tokens: int,
    ) -> None:
        whole = open_trainer(tmp_path / "whole", base, examples, micro_batch_tokens=10_000)
        cut = open_trainer(
            tmp_path / "cut",
            base,
            examples,
            micro_batch_tokens=micro_batch_tokens,
            packing=packing,
            gradient_checkpointing=packing,
        )
        rows = whole.order.step(0)
        expected, got = whole.accumulate(0, rows), cut.accumulate(0, rows)
        assert got == pytest.approx(expected, rel=1e-5)
        for mine, theirs in zip(cut.model.parameters(), whole.model.parameters(), strict=True):
            torch.testing.assert_close(mine.grad, theirs.grad, rtol=0, atol=1e-6)

    def test_without_a_compiler_one_message_says_so(
        self, tmp_path: Path, base: Path, examples: list[TrainingExample], monkeypatch: Any
    ) -> None:
        monkeypatch.setenv("CXX", "no-such-compiler")
        with pytest.raises(UserError, match=r"needs a C\+\+ compiler, and there is no no-such-"):
            open_trainer(tmp_path / "a", base, examples, compile=True)

    def test_profit_divides_by_the_tokens_it_keeps(
        self, tmp_path: Path, base: Path, examples: list[TrainingExample]
    ) -> None:
        changes = {"method": "profit", "loss": {"probability_threshold": 0.004}}
        whole = open_trainer(tmp_path / "a", base, examples, micro_batch_tokens=10_000, **changes)
        cut = open_trainer(tmp_path / "b", base, examples, micro_batch_tokens=100, **changes)
        logps = [
            row.weight * logp if logp > math.log(0.004) else None
            for row in whole.store.take(whole.order.step(0))
            for logp in row.reference_logps
        ]
        kept = [-logp for logp in logps if logp is not None]
        assert 0 < len(kept) < len(logps)
        step, same = whole.step(0), cut.step(0)
        assert step.loss == pytest.approx(sum(kept) / len(kept), rel=1e-4)
        assert same.loss == pytest.approx(step.loss, rel=1e-5)
        assert same.grad_norm == pytest.approx(step.grad_norm, rel=1e-4)

    def test_a_penalty_holds_the_model_to_where_it_started(
        self, tmp_path: Path, base: Path, examples: list[TrainingExample]
    ) -> None:
        changes = {"batch_size": 30, "epochs": 6.0, "warmup_steps": 0}
        free = open_trainer(tmp_path / "a", base, examples, method="sft", **changes)
        held = open_trainer(
            tmp_path / "b", base, examples, method="sft_kl", loss={"kl_weight": 100.0}, **changes
        )
        first, last = held.step(0), [held.step(index) for index in range(1, 6)][-1]
        assert first.loss == pytest.approx(free.step(0).loss, rel=1e-5)  # no divergence yet
        assert last.nll > [free.step(index) for index in range(1, 6)][-1].nll + 0.05

    def test_micro_batch_denominator_weighs_each_micro_batch_alike(
        self, tmp_path: Path, base: Path, examples: list[TrainingExample]
    ) -> None:
        changes = {"method": "sft", "micro_batch_tokens": 1}
        ones = [dataclasses.replace(row, weight=1.0) for row in examples[:8]]
        whole = open_trainer(tmp_path / "a", base, ones, **changes)
        each = open_trainer(tmp_path / "b", base, ones, denominator="micro_batch", **changes)
        rows = whole.order.step(0)
        loss, parity = whole.accumulate(0, rows)["loss"], each.accumulate(0, rows)["loss"]
        means = [-sum(row.reference_logps) / len(row.reference_logps) for row in ones]
        tokens = sum(len(row.reference_logps) for row in ones)
        assert loss == pytest.approx(sum(-sum(r.reference_logps) for r in ones) / tokens, rel=1e-5)
        assert parity == pytest.approx(sum(means) / 8, rel=1e-5)

    def test_checkpoint_is_known_by_its_content(
        self, tmp_path: Path, base: Path, examples: list[TrainingExample]
    ) -> None:
        def digest(model: Path, rows: list[TrainingExample], **changes: Any) -> str:
            return digest_of(job(tmp_path / "job", model, rows, **changes))

        moved = tiny_model.build(tmp_path / "moved")
        other = tiny_model.build(tmp_path / "other", seed=1)
        assert digest(moved, examples) == digest(base, examples)
        assert (
            len(
                {
                    digest(base, examples),
                    digest(other, examples),
                    digest(base, examples[1:]),
                    digest(base, examples, batch_size=4),
                }
            )
            == 4
        )

    def test_checkpoint_of_another_job_is_not_resumed(
        self, tmp_path: Path, base: Path, examples: list[TrainingExample]
    ) -> None:
        trainer = open_trainer(tmp_path, base, examples)
        folder = tmp_path / "checkpoints"
        mine = Checkpoints(folder, "mine", trainer.accelerator, kept=2)
        rows = []
        for index in range(3):
            rows.append(trainer.step(index))
            mine.save(rows, trainer.consumed)
        assert [path.name for path in sorted(folder.iterdir())] == [
            "step-00000002",
            "step-00000003",
        ]
        assert mine.resume(trainer.planned) == (rows, trainer.consumed)
        assert trainer.consumed["step"].to_pylist() == [1] * 8 + [2] * 8 + [3] * 8
        other = Checkpoints(folder, "other", trainer.accelerator, kept=2)
        assert other.resume(trainer.planned) == ([], trainer.planned(0))

    def test_checkpoint_of_other_sequences_is_refused(
        self, tmp_path: Path, base: Path, examples: list[TrainingExample]
    ) -> None:
        trainer = open_trainer(tmp_path, base, examples)
        mine = Checkpoints(tmp_path / "checkpoints", "mine", trainer.accelerator, kept=2)
        mine.save([trainer.step(0)], trainer.planned(2).slice(8))
        with pytest.raises(MachineError, match="was trained on other sequences"):
            mine.resume(trainer.planned)

    def test_gradient_checkpointing_is_on_in_every_layer(
        self, tmp_path: Path, base: Path, examples: list[TrainingExample]
    ) -> None:
        trainer = open_trainer(tmp_path, base, examples, gradient_checkpointing=True)
        layers = trainer.model.base_model.layers
        assert all(layer.training and layer.gradient_checkpointing for layer in layers)

    def test_loss_that_is_not_finite_names_the_problems(
        self, tmp_path: Path, base: Path, examples: list[TrainingExample]
    ) -> None:
        rows = [*examples[:7], dataclasses.replace(examples[7], weight=1e38)]
        trainer = open_trainer(tmp_path, base, rows, method="sft", micro_batch_tokens=1)
        before = [p.clone() for p in trainer.model.parameters()]
        with pytest.raises(UserError, match=r"the loss is not finite in a batch .* problems p7;"):
            trainer.step(0)
        assert all(map(torch.equal, before, trainer.model.parameters()))

    def test_loss_spike_stops_before_the_weights_change(
        self, tmp_path: Path, base: Path, examples: list[TrainingExample]
    ) -> None:
        """Five steps of counting, then a sequence that jumps to and fro."""
        odd = dataclasses.replace(
            examples[0], problem_id="odd", input_ids=(9, 200, 7, 250) * 5, prompt_tokens=2
        )
        odd = dataclasses.replace(odd, reference_logps=(-5.0,) * 18)
        rows = [*examples[:8], odd]
        trainer = open_trainer(
            tmp_path,
            base,
            rows,
            method="sft",
            batch_size=1,
            schedule="constant",
            spike_factor=1.1,
        )
        usual, spike = list(range(8)), 8
        trainer.order = FixedOrder([*usual * 6, spike])
        for index in range(48):
            trainer.step(index)
        before = [p.clone() for p in trainer.model.parameters()]
        with pytest.raises(Diverged, match=r"the NLL is .* was usual in a batch .* problems odd;"):
            trainer.step(48)
        assert all(map(torch.equal, before, trainer.model.parameters()))

    def test_out_of_memory_halves_the_budget_and_changes_nothing_else(
        self,
        tmp_path: Path,
        base: Path,
        examples: list[TrainingExample],
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        plain = open_trainer(tmp_path / "plain", base, examples, micro_batch_tokens=400)
        small = open_trainer(tmp_path / "small", base, examples, micro_batch_tokens=400)
        own_pass = small._pass

        def with_little_memory(batch: Batch, divisor: int) -> dict[str, torch.Tensor]:
            sums = own_pass(batch, divisor)
            if sum(batch.lengths) > 100:  # when there are gradients, which must go again
                raise torch.OutOfMemoryError
            return sums

        small._pass = with_little_memory
        first, second = plain.step(0), small.step(0)
        assert small.layout.budget == 100
        assert "from now on 100 tokens in a forward pass" in capsys.readouterr().out
        assert second.loss == pytest.approx(first.loss, rel=1e-5)
        assert second.grad_norm == pytest.approx(first.grad_norm, rel=1e-5)

    def test_out_of_memory_with_the_longest_sequence_alone_is_the_users(
        self, tmp_path: Path, base: Path, examples: list[TrainingExample]
    ) -> None:
        trainer = open_trainer(tmp_path, base, examples, micro_batch_tokens=100)

        def without_memory(batch: Batch, divisor: int) -> dict[str, torch.Tensor]:
            raise torch.OutOfMemoryError

        trainer._pass = without_memory
        with pytest.raises(UserError, match=r"out of GPU memory .* lower training\.micro_batch"):
            trainer.step(0)

    def test_bfloat16_computes_in_bfloat16_and_keeps_fp32_weights(
        self, tmp_path: Path, base: Path, examples: list[TrainingExample]
    ) -> None:
        AcceleratorState._reset_state(reset_partial_state=True)
        folder = job(tmp_path, base, examples)
        values = dataclasses.replace(read_job(folder), dtype="bfloat16")
        accelerator = open_accelerator(values, 1, folder)
        trainer = Trainer(values, ExampleStore(folder / EXAMPLES), accelerator)
        row = trainer.step(0)
        assert {p.dtype for p in trainer.model.parameters()} == {torch.float32}
        assert row.mean_ratio == pytest.approx(1.0, abs=0.01)
        assert row.mean_ratio != 1.0
