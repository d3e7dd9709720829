"""FSDP2 and DeepSpeed's ZeRO-3 for real, over gloo: two processes, each with half of each weight.

DeepSpeed lies in a folder of its own (the Makefile says why).
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from rasft.errors import MachineError, UserError
from rasft.records import TrainingExample
from rasft.training.launch import command_line
from rasft.training.launch.launcher import launch
from rasft.training.storage.jobs import read_job
from tests.training_jobs import equal_bits, job, kill_at, quiet, weights

OPTIONAL = Path(sys.prefix) / "optional"
STEPS = 6


@pytest.fixture(scope="module", autouse=True)
def two_devices() -> Iterator[None]:
    """As on a machine with two GPUs, whose command line this is."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(command_line, "_gpus", lambda: 2)
        # DeepSpeed is in a folder of its own, which the processes of the training see alone
        patch.setattr(command_line.extras, "installed", lambda name: True)
        patch.setenv("PYTHONPATH", str(OPTIONAL), prepend=os.pathsep)
        patch.setenv("DS_ACCELERATOR", "cpu")
        yield


@pytest.fixture(
    scope="module", params=["fsdp2", pytest.param("deepspeed_zero3", marks=pytest.mark.whole)]
)
def launcher(request: pytest.FixtureRequest) -> str:
    return request.param


def sharded(folder: Path, base: Path, examples: list[TrainingExample], launcher: str) -> Path:
    """A job that saves a checkpoint after each step."""
    changes = {"launcher": launcher, "max_steps": STEPS, "checkpoint_steps": 1}
    return job(folder, base, examples, **changes)


def train(folder: Path, on_line: Callable[[str], None] = quiet) -> Path:
    launch(folder, read_job(folder).training, on_line, module="tests.sharded_on_cpu")
    return folder


@pytest.fixture(scope="module")
def undisturbed(
    tmp_path_factory: pytest.TempPathFactory,
    base: Path,
    examples: list[TrainingExample],
    launcher: str,
) -> Path:
    folder = tmp_path_factory.mktemp("jobs") / launcher
    return train(sharded(folder, base, examples, launcher))


@pytest.fixture(scope="module")
def whole(
    tmp_path_factory: pytest.TempPathFactory, base: Path, examples: list[TrainingExample]
) -> Path:
    """The same training by one process."""
    folder = job(tmp_path_factory.mktemp("jobs") / "one", base, examples, max_steps=STEPS)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(command_line, "_gpus", lambda: 0)
        launch(folder, read_job(folder).training, quiet)
    return folder


def test_shards_give_the_weights_of_one_process(whole: Path, undisturbed: Path) -> None:
    first, second = weights(whole), weights(undisturbed)
    assert first.keys() == second.keys()  # a tied weight is saved once
    assert max((first[name] - second[name]).abs().max().item() for name in first) < 1e-6


def test_killed_training_goes_on_with_the_same_bits(
    undisturbed: Path, launcher: str, tmp_path: Path, base: Path, examples: list[TrainingExample]
) -> None:
    folder = sharded(tmp_path / "killed", base, examples, launcher)
    with pytest.raises(MachineError, match="failed with exit code"):
        train(folder, kill_at(2))
    lines: list[str] = []
    train(folder, lines.append)
    assert any(line.startswith("resumed from") for line in lines)
    assert equal_bits(folder, undisturbed)


def test_weights_of_a_training_in_half_precision_are_saved_unrounded(
    launcher: str, tmp_path: Path, base: Path, examples: list[TrainingExample]
) -> None:
    folder = job(tmp_path, base, examples, "bfloat16", launcher=launcher, max_steps=2)
    for name, weight in weights(train(folder)).items():
        assert weight.float().ne(weight.bfloat16().float()).any(), name


def test_shards_out_of_memory_on_one_process_end_in_one_sentence(
    launcher: str,
    tmp_path: Path,
    base: Path,
    examples: list[TrainingExample],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The other process waits for it inside a layer, and must not wait for ever."""
    monkeypatch.setenv("SHORT_OF_MEMORY", "1")
    folder = job(tmp_path, base, examples, launcher=launcher)
    with pytest.raises(UserError, match=r"^out of GPU memory with 150 tokens .* rasft plan"):
        train(folder)
