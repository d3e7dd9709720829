"""The real training program on a tiny Llama, in one process and in two."""

from __future__ import annotations

import dataclasses
import json
import math
import os
import random
import signal
from pathlib import Path
from typing import Any

import psutil
import pyarrow as pa
import pytest
import torch
from accelerate.state import AcceleratorState
from safetensors.torch import load_file

from rasft import tables
from rasft.config import TrainingConfig
from rasft.errors import MachineError, UserError
from rasft.records import TrainingExample, TrainingStep
from rasft.scoring import score
from rasft.training.batching import Batch
from rasft.training.checkpoints import Checkpoints, digest_of
from rasft.training.example_store import ExampleStore, convert
from rasft.training.jobs import (
    ARROW,
    CHECKPOINTS,
    CURVE,
    EXAMPLES,
    MODEL,
    PREFLIGHT,
    SUMMARY,
    TrainingJob,
    read_job,
    write_job,
)
from rasft.training.language_model import load_model, load_tokenizer
from rasft.training.launcher import command, launch
from rasft.training.program import check_first, open_accelerator, train
from rasft.training.trainer import Trainer
from tests import tiny_model

CONFIG = TrainingConfig(
    method="rasft", epochs=4.0, batch_size=8, learning_rate=3e-3, micro_batch_tokens=150
)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_model.build(tmp_path_factory.mktemp("base") / "tiny")


@pytest.fixture(scope="module")
def examples(base: Path) -> list[TrainingExample]:
    """Counting by a step from a start: 30 sequences that can be learnt, scored under the base."""
    draw = random.Random(0)
    sequences = []
    for i in range(30):
        start, length = draw.randrange(3, 150), draw.randrange(12, 50)
        ids = tuple(range(start, start + length))
        sequences.append((f"p{i}", -1, ids[:4], ids[4:]))
    scores = score(str(base), sequences, "float32", 500)
    return [
        TrainingExample(
            name,
            index,
            prompt + response,
            len(prompt),
            draw.choice([0.1, 1.0]),
            row.reference_logps,
        )
        for (name, index, prompt, response), row in zip(sequences, scores, strict=True)
    ]


def table(examples: list[TrainingExample]) -> pa.Table:
    return tables.to_table(examples, TrainingExample)


def job(folder: Path, base: Path, rows: list[TrainingExample], **changes: Any) -> Path:
    config = CONFIG.model_copy(update=changes)
    write_job(folder, TrainingJob(str(base), config, "float32", seed=1), table(rows))
    return folder


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return load_file(folder / MODEL / "model.safetensors")


def equal_bits(one: Path, other: Path) -> bool:
    first, second = weights(one), weights(other)
    return all(torch.equal(first[name], second[name]) for name in first)


def what_was_trained(folder: Path) -> list[tuple[int, int, int, float]]:
    """Of each step: which one, how many sequences and tokens, and the exact loss."""
    rows = tables.from_table(tables.read(folder / CURVE), TrainingStep)
    return [(row.step, row.sequences, row.tokens, row.loss) for row in rows]


def quiet(line: str) -> None:
    """Swallow the program's lines."""


@pytest.fixture(scope="module")
def trained(
    tmp_path_factory: pytest.TempPathFactory, base: Path, examples: list[TrainingExample]
) -> Path:
    folder = job(tmp_path_factory.mktemp("jobs") / "one", base, examples)
    lines: list[str] = []
    summary = launch(folder, CONFIG, lines.append)
    assert summary["processes"] == 1
    assert summary["steps"] == 16
    assert summary["sequences"] == 120
    assert any(line.startswith("train: step 16/16, ") for line in lines)
    return folder


class TestLaunched:
    def test_nll_falls_and_the_curve_says_so(self, trained: Path) -> None:
        curve = tables.from_table(tables.read(trained / CURVE), TrainingStep)
        assert [row.step for row in curve] == list(range(1, 17))
        assert curve[0].nll == pytest.approx(5.6, abs=0.2)  # log 259 = 5.56
        assert curve[-1].nll < 4.5
        assert curve[0].mean_ratio == pytest.approx(1.0, abs=1e-5)
        assert curve[-1].epoch == 4.0

    def test_model_reloads_with_its_tokenizer(self, trained: Path, base: Path) -> None:
        model = load_model(trained / MODEL)
        assert model.config._attn_implementation == "sdpa"
        assert model.generation_config.eos_token_id == 2
        template = load_tokenizer(trained / MODEL).chat_template
        assert template == load_tokenizer(base).chat_template
        assert not (trained / f"{MODEL}.partial").exists()

    def test_two_processes_give_the_same_weights(
        self, trained: Path, tmp_path: Path, base: Path, examples: list[TrainingExample]
    ) -> None:
        two = job(tmp_path / "two", base, examples, processes=2)
        assert launch(two, read_job(two).training, quiet)["processes"] == 2
        first, second = weights(trained), weights(two)
        worst = max((first[name] - second[name]).abs().max().item() for name in first)
        assert worst < 1e-6
        single = tables.from_table(tables.read(trained / CURVE), TrainingStep)
        for mine, theirs in zip(
            single, tables.from_table(tables.read(two / CURVE), TrainingStep), strict=True
        ):
            assert mine.response_tokens == theirs.response_tokens
            assert mine.loss == pytest.approx(theirs.loss, rel=1e-4)

    def test_killed_and_preempted_training_ends_with_the_same_bits(
        self, trained: Path, tmp_path: Path, base: Path, examples: list[TrainingExample]
    ) -> None:
        """The same seed, killed after a random step, then told to end, then left alone."""
        folder = job(tmp_path / "killed", base, examples, checkpoint_steps=1)
        settings = read_job(folder).training
        last = random.choice(range(1, 7))

        def kill_after_checkpoint(line: str) -> None:
            if line.endswith(f"step-{last:08}"):
                for process in psutil.Process().children(recursive=True):
                    process.kill()

        with pytest.raises(MachineError, match=r"failed with exit code(?s:.)*train: step 1/16"):
            launch(folder, settings, kill_after_checkpoint)
        assert not (folder / SUMMARY).exists()
        assert not (folder / MODEL).exists()
        whole = [path for path in (folder / CHECKPOINTS).iterdir() if not path.suffix]
        assert 1 <= len(whole) <= settings.checkpoints_kept + 1

        (folder / CHECKPOINTS / "step-00000099.partial").mkdir()
        write_job(folder, read_job(folder), tables.read(folder / EXAMPLES))

        def preempt(line: str) -> None:
            if line.startswith("train: step"):
                os.kill(os.getpid(), signal.SIGTERM)

        with pytest.raises(MachineError, match="told to end: saved a checkpoint after step"):
            launch(folder, settings, preempt)

        lines: list[str] = []
        launch(folder, settings, lines.append)
        assert any(line.startswith("resumed from") for line in lines)
        assert not (folder / CHECKPOINTS).exists()
        assert equal_bits(folder, trained)
        assert what_was_trained(folder) == what_was_trained(trained)

    def test_interruption_ends_the_processes(
        self, tmp_path: Path, base: Path, examples: list[TrainingExample]
    ) -> None:
        folder = job(tmp_path / "interrupted", base, examples, epochs=1000.0)

        def interrupt(line: str) -> None:
            raise KeyboardInterrupt

        before = set(psutil.Process().children(recursive=True))
        with pytest.raises(KeyboardInterrupt):
            launch(folder, read_job(folder).training, interrupt)
        assert not set(psutil.Process().children(recursive=True)) - before
        assert not (folder / SUMMARY).exists()

    def test_failure_of_the_user_is_one_sentence(
        self, tmp_path: Path, base: Path, examples: list[TrainingExample]
    ) -> None:
        bad = dataclasses.replace(examples[3], weight=float("nan"))
        folder = job(tmp_path / "bad", base, [*examples[:3], bad])
        with pytest.raises(UserError, match="problem 'p3', sample -1: its weight is not a finite"):
            launch(folder, CONFIG, quiet)


class TestInProcess:
    @pytest.fixture(autouse=True)
    def fresh_accelerator(self) -> None:
        AcceleratorState._reset_state(reset_partial_state=True)

    def trainer(
        self, folder: Path, base: Path, rows: list[TrainingExample], **changes: Any
    ) -> Trainer:
        job(folder, base, rows, **changes)
        convert(folder / EXAMPLES, folder / ARROW)
        accelerator = open_accelerator("float32", 1)
        return Trainer(read_job(folder), ExampleStore(folder / ARROW), accelerator)

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
        whole = self.trainer(tmp_path / "whole", base, examples, micro_batch_tokens=10_000)
        cut = self.trainer(
            tmp_path / "cut",
            base,
            examples,
            micro_batch_tokens=micro_batch_tokens,
            packing=packing,
            gradient_checkpointing=packing,
        )
        rows = whole.order.step(0)
        expected, got = whole._accumulate(0, rows), cut._accumulate(0, rows)
        assert got == pytest.approx(expected, rel=1e-5)
        for mine, theirs in zip(cut.model.parameters(), whole.model.parameters(), strict=True):
            torch.testing.assert_close(mine.grad, theirs.grad, rtol=0, atol=1e-6)

    def test_profit_divides_by_the_tokens_it_keeps(
        self, tmp_path: Path, base: Path, examples: list[TrainingExample]
    ) -> None:
        changes = {"method": "profit", "loss": {"probability_threshold": 0.004}}
        whole = self.trainer(tmp_path / "a", base, examples, micro_batch_tokens=10_000, **changes)
        cut = self.trainer(tmp_path / "b", base, examples, micro_batch_tokens=100, **changes)
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
        free = self.trainer(tmp_path / "a", base, examples, method="sft", **changes)
        held = self.trainer(
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
        whole = self.trainer(tmp_path / "a", base, ones, **changes)
        each = self.trainer(tmp_path / "b", base, ones, denominator="micro_batch", **changes)
        rows = whole.order.step(0)
        loss, parity = whole._accumulate(0, rows)["loss"], each._accumulate(0, rows)["loss"]
        means = [-sum(row.reference_logps) / len(row.reference_logps) for row in ones]
        tokens = sum(len(row.reference_logps) for row in ones)
        assert loss == pytest.approx(sum(-sum(r.reference_logps) for r in ones) / tokens, rel=1e-5)
        assert parity == pytest.approx(sum(means) / 8, rel=1e-5)

    def test_checkpoint_is_known_by_its_content(
        self, tmp_path: Path, base: Path, examples: list[TrainingExample]
    ) -> None:
        def digest(model: Path, rows: list[TrainingExample], **changes: Any) -> str:
            folder = job(tmp_path / "job", model, rows, **changes)
            convert(folder / EXAMPLES, folder / ARROW)
            return digest_of(read_job(folder), folder / ARROW)

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
        trainer = self.trainer(tmp_path, base, examples)
        folder = tmp_path / "checkpoints"
        mine = Checkpoints(folder, "mine", trainer.accelerator, kept=2)
        rows = [trainer.step(index) for index in range(3)]
        for count in (1, 2, 3):
            mine.save(rows[:count])
        assert [path.name for path in sorted(folder.iterdir())] == [
            "step-00000002",
            "step-00000003",
        ]
        assert mine.resume() == rows
        assert Checkpoints(folder, "other", trainer.accelerator, kept=2).resume() == []

    @pytest.mark.parametrize("packing", [True, False])
    def test_preflight_passes_and_is_kept(
        self, tmp_path: Path, base: Path, examples: list[TrainingExample], packing: bool
    ) -> None:
        trainer = self.trainer(tmp_path, base, examples, packing=packing)
        check_first(read_job(tmp_path), trainer.store, tmp_path)
        checks = json.loads((tmp_path / PREFLIGHT).read_text())["checks"]
        assert len(checks) == 4
        assert all(check["passed"] for check in checks)

    def test_preflight_finds_log_probs_of_another_model(
        self, tmp_path: Path, base: Path, examples: list[TrainingExample]
    ) -> None:
        other = tiny_model.build(tmp_path / "other", seed=1)
        trainer = self.trainer(tmp_path, other, examples)
        with pytest.raises(UserError, match=r"stored reference log-probs are the starting model"):
            check_first(read_job(tmp_path), trainer.store, tmp_path)

    def test_gradient_checkpointing_is_on_in_every_layer(
        self, tmp_path: Path, base: Path, examples: list[TrainingExample]
    ) -> None:
        trainer = self.trainer(tmp_path, base, examples, gradient_checkpointing=True)
        layers = trainer.model.base_model.layers
        assert all(layer.training and layer.gradient_checkpointing for layer in layers)

    def test_loss_that_is_not_finite_names_the_problems(
        self, tmp_path: Path, base: Path, examples: list[TrainingExample]
    ) -> None:
        rows = [*examples[:7], dataclasses.replace(examples[7], weight=1e38)]
        trainer = self.trainer(tmp_path, base, rows, method="sft", micro_batch_tokens=1)
        before = [p.clone() for p in trainer.model.parameters()]
        with pytest.raises(UserError, match=r"the loss is not finite in a batch .* problems p7;"):
            trainer.step(0)
        assert all(map(torch.equal, before, trainer.model.parameters()))

    def test_out_of_memory_halves_the_budget_and_changes_nothing_else(
        self,
        tmp_path: Path,
        base: Path,
        examples: list[TrainingExample],
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        plain = self.trainer(tmp_path / "plain", base, examples, micro_batch_tokens=400)
        small = self.trainer(tmp_path / "small", base, examples, micro_batch_tokens=400)
        own_pass = small._pass

        def with_little_memory(batch: Batch, divisor: int) -> dict[str, torch.Tensor]:
            if sum(batch.lengths) > 100:
                raise torch.OutOfMemoryError
            return own_pass(batch, divisor)

        small._pass = with_little_memory
        first, second = plain.step(0), small.step(0)
        assert small.layout.budget == 100
        assert "from now on 100 tokens in a forward pass" in capsys.readouterr().out
        assert second.loss == pytest.approx(first.loss, rel=1e-5)
        assert second.grad_norm == pytest.approx(first.grad_norm, rel=1e-5)

    def test_out_of_memory_with_the_longest_sequence_alone_is_the_users(
        self, tmp_path: Path, base: Path, examples: list[TrainingExample]
    ) -> None:
        trainer = self.trainer(tmp_path, base, examples, micro_batch_tokens=100)

        def without_memory(batch: Batch, divisor: int) -> dict[str, torch.Tensor]:
            raise torch.OutOfMemoryError

        trainer._pass = without_memory
        with pytest.raises(UserError, match=r"out of GPU memory .* lower training\.micro_batch"):
            trainer.step(0)

    def test_bfloat16_computes_in_bfloat16_and_keeps_fp32_weights(
        self, tmp_path: Path, base: Path, examples: list[TrainingExample]
    ) -> None:
        folder = job(tmp_path, base, examples)
        convert(folder / EXAMPLES, folder / ARROW)
        values = dataclasses.replace(read_job(folder), dtype="bfloat16")
        accelerator = open_accelerator("bfloat16", 1)
        trainer = Trainer(values, ExampleStore(folder / ARROW), accelerator)
        row = trainer.step(0)
        assert {p.dtype for p in trainer.model.parameters()} == {torch.float32}
        assert row.mean_ratio == pytest.approx(1.0, abs=0.01)
        assert row.mean_ratio != 1.0

    def test_wrong_world_size_is_refused(
        self, tmp_path: Path, base: Path, examples: list[TrainingExample]
    ) -> None:
        folder = job(tmp_path, base, examples)
        with pytest.raises(UserError, match="was to run on 2 processes but was started on 1"):
            train(folder, processes=2)
        assert not (folder / MODEL).exists()


class TestBadInput:
    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"prompt_tokens": 0}, "no prompt token"),
            ({"input_ids": (5, 6, 7, 8)}, "its response has no tokens"),
            ({"weight": float("inf")}, "its weight is not a finite number"),
            ({"input_ids": (5, 6, 7, 8, 259), "reference_logps": (-1.0,)}, "vocabulary of 259"),
            ({"reference_logps": (-1.0,)}, "not one for each response token"),
            ({"reference_logps": ()}, "no reference log-probs, which the method needs"),
        ],
    )
    def test_row_that_cannot_be_trained_on(
        self,
        tmp_path: Path,
        examples: list[TrainingExample],
        change: dict[str, Any],
        message: str,
    ) -> None:
        rows = [*examples, dataclasses.replace(examples[0], problem_id="bad", **change)]
        tables.write(table(rows), tmp_path / EXAMPLES)
        convert(tmp_path / EXAMPLES, tmp_path / ARROW)
        with pytest.raises(UserError, match=f"problem 'bad'.*{message}"):
            ExampleStore(tmp_path / ARROW).check(259, needs_reference=True)

    def test_no_examples(self, tmp_path: Path) -> None:
        tables.write(table([]), tmp_path / EXAMPLES)
        convert(tmp_path / EXAMPLES, tmp_path / ARROW)
        with pytest.raises(UserError, match="no training examples"):
            ExampleStore(tmp_path / ARROW).check(259, needs_reference=False)

    def test_unknown_launcher(self, tmp_path: Path) -> None:
        config = CONFIG.model_copy(update={"launcher": "dpp"})
        with pytest.raises(UserError, match=r"'dpp' is no file of .*; known: ddp, deepspeed_zero3"):
            command(tmp_path, config)

    def test_sharded_launcher_needs_a_gpu(self, tmp_path: Path) -> None:
        config = CONFIG.model_copy(update={"launcher": "fsdp2"})
        with pytest.raises(UserError, match="'fsdp2' needs a GPU"):
            command(tmp_path, config)


def test_store_gives_the_rows_it_was_given(tmp_path: Path, examples: list[TrainingExample]) -> None:
    rows = [dataclasses.replace(examples[i % 30], problem_id=f"r{i}") for i in range(700)]
    tables.write(table(rows), tmp_path / EXAMPLES)
    convert(tmp_path / EXAMPLES, tmp_path / ARROW)
    store = ExampleStore(tmp_path / ARROW)
    picked = [699, 0, 256, 255, 512]
    assert store.take(picked) == [rows[i] for i in picked]
    assert store.lengths.tolist() == [len(row.input_ids) for row in rows]
    assert json.loads(json.dumps(len(store))) == 700
