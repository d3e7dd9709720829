"""The real training program on a tiny Llama, in one process and in two."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import psutil
import pytest
from accelerate.state import AcceleratorState
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from rasft import tables
from rasft.errors import UserError
from rasft.models.language_model import load_model, load_tokenizer
from rasft.records import TrainingExample, TrainingStep
from rasft.training.launch.launcher import launch
from rasft.training.launch.program import train
from rasft.training.storage.jobs import CONSUMED, CURVE, MODEL, SUMMARY, read_job
from tests.training_jobs import CONFIG, job, quiet, weights


@pytest.fixture(scope="module")
def trained(
    tmp_path_factory: pytest.TempPathFactory, base: Path, examples: list[TrainingExample]
) -> Path:
    settings = CONFIG.model_copy(update={"trackers": ("tensorboard",)})
    folder = job(tmp_path_factory.mktemp("jobs") / "one", base, examples, trackers=("tensorboard",))
    lines: list[str] = []
    summary = launch(folder, settings, lines.append)
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

    def test_tensorboard_reads_the_curve(self, trained: Path) -> None:
        curve = tables.from_table(tables.read(trained / CURVE), TrainingStep)
        events = EventAccumulator(str(trained / MODEL / "runs" / "rasft")).Reload()
        told = events.Scalars("train/nll")
        assert [event.step for event in told] == [row.step for row in curve]
        assert [event.value for event in told] == pytest.approx([row.nll for row in curve])

    def test_every_sequence_is_trained_on_once_an_epoch(
        self, trained: Path, examples: list[TrainingExample]
    ) -> None:
        taken = tables.read(trained / CONSUMED)["problem_id"].to_pylist()
        for epoch in range(4):
            assert sorted(taken[30 * epoch : 30 * (epoch + 1)]) == sorted(
                row.problem_id for row in examples
            )

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

    def test_out_of_memory_on_one_process_halves_the_budget_of_both(
        self, trained: Path, tmp_path: Path, base: Path, examples: list[TrainingExample]
    ) -> None:
        two, lines = job(tmp_path / "two", base, examples, processes=2), list[str]()
        training = read_job(two).training
        launch(two, training, lines.append, module="tests.short_of_memory")
        assert [line for line in lines if "out of GPU memory" in line] == [
            "out of GPU memory: from now on 75 tokens in a forward pass"
        ]
        first, second = weights(trained), weights(two)
        assert max((first[name] - second[name]).abs().max().item() for name in first) < 1e-6

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

    def test_wrong_world_size_is_refused(
        self, tmp_path: Path, base: Path, examples: list[TrainingExample]
    ) -> None:
        AcceleratorState._reset_state(reset_partial_state=True)
        folder = job(tmp_path, base, examples)
        with pytest.raises(UserError, match="was to run on 2 processes but was started on 1"):
            train(folder, processes=2)
        assert not (folder / MODEL).exists()
