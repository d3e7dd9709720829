"""FSDP2 for real, over gloo: two processes that each hold half of every weight."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from rasft.errors import MachineError
from rasft.records import TrainingExample
from rasft.training import command_line
from rasft.training.jobs import read_job
from rasft.training.launcher import launch
from tests.training_jobs import equal_bits, job, kill_at, quiet, weights


@pytest.fixture(scope="module", autouse=True)
def two_devices() -> Iterator[None]:
    """As on a machine with two GPUs, whose command line this is."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(command_line, "_gpus", lambda: 2)
        yield


def train(folder: Path, on_line: Callable[[str], None] = quiet) -> Path:
    launch(folder, read_job(folder).training, on_line, module="tests.fsdp_on_cpu")
    return folder


@pytest.fixture(scope="module")
def undisturbed(
    tmp_path_factory: pytest.TempPathFactory, base: Path, examples: list[TrainingExample]
) -> Path:
    folder = tmp_path_factory.mktemp("jobs") / "one"
    return train(job(folder, base, examples, launcher="fsdp2", checkpoint_steps=1))


def test_shards_give_the_weights_of_one_process(
    undisturbed: Path,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    base: Path,
    examples: list[TrainingExample],
) -> None:
    monkeypatch.setattr(command_line, "_gpus", lambda: 0)
    whole = job(tmp_path / "whole", base, examples)
    launch(whole, read_job(whole).training, quiet)
    first, second = weights(whole), weights(undisturbed)
    assert first.keys() == second.keys()  # a tied weight is saved once
    assert max((first[name] - second[name]).abs().max().item() for name in first) < 1e-6


def test_killed_training_goes_on_with_the_same_bits(
    undisturbed: Path, tmp_path: Path, base: Path, examples: list[TrainingExample]
) -> None:
    folder = job(tmp_path / "killed", base, examples, launcher="fsdp2", checkpoint_steps=1)
    with pytest.raises(MachineError, match="failed with exit code"):
        train(folder, kill_at(3))
    lines: list[str] = []
    train(folder, lines.append)
    assert any(line.startswith("resumed from") for line in lines)
    assert equal_bits(folder, undisturbed)


def test_shards_in_half_precision_hand_on_exact_logps(
    tmp_path: Path, base: Path, examples: list[TrainingExample]
) -> None:
    folder = job(tmp_path, base, examples, "bfloat16", launcher="fsdp2", max_steps=2)
    assert {str(weight.dtype) for weight in weights(train(folder)).values()} == {"torch.float32"}
