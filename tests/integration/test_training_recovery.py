"""A training that is killed, preempted, out of disk or diverging loses nothing."""

from __future__ import annotations

import dataclasses
import os
import random
import resource
import shutil
import signal
from pathlib import Path

import pytest

from rasft import tables
from rasft.errors import MachineError, UserError
from rasft.records import TrainingExample
from rasft.training.launch.launcher import launch
from rasft.training.model.batching import Order
from rasft.training.storage.checkpoint_store import give, take
from rasft.training.storage.checkpoints import found
from rasft.training.storage.jobs import CHECKPOINTS, CONSUMED, MODEL, SUMMARY, read_job
from tests.training_jobs import equal_bits, job, kill_at, quiet, what_was_trained


@pytest.fixture(scope="module")
def undisturbed(
    tmp_path_factory: pytest.TempPathFactory, base: Path, examples: list[TrainingExample]
) -> Path:
    folder = job(tmp_path_factory.mktemp("jobs") / "one", base, examples, checkpoint_steps=1)
    launch(folder, read_job(folder).training, quiet)
    return folder


def preempt(line: str) -> None:
    if line.startswith("train: step"):
        os.kill(os.getpid(), signal.SIGTERM)


def test_killed_and_preempted_training_ends_with_the_same_bits(
    undisturbed: Path, tmp_path: Path, base: Path, examples: list[TrainingExample]
) -> None:
    """Killed after two random steps, laid out anew, told to end, then left alone."""
    folder = job(tmp_path / "killed", base, examples, checkpoint_steps=1)
    settings = read_job(folder).training
    first, second = sorted(random.sample(range(1, 9), 2))
    with pytest.raises(MachineError, match=r"failed with exit code(?s:.)*train: step 1/16"):
        launch(folder, settings, kill_at(first))
    assert not (folder / SUMMARY).exists()
    assert not (folder / MODEL).exists()
    assert 1 <= len(found(folder / CHECKPOINTS)) <= settings.checkpoints_kept + 1

    (folder / CHECKPOINTS / "step-00000099.partial").mkdir()
    job(folder, base, examples, checkpoint_steps=1)
    with pytest.raises(MachineError, match="failed with exit code"):
        launch(folder, settings, kill_at(second))
    with pytest.raises(MachineError, match="told to end: saved a checkpoint after step"):
        launch(folder, settings, preempt)

    lines: list[str] = []
    launch(folder, settings, lines.append)
    assert any(line.startswith("resumed from") for line in lines)
    assert not (folder / CHECKPOINTS).exists()
    assert equal_bits(folder, undisturbed)
    assert what_was_trained(folder) == what_was_trained(undisturbed)
    assert tables.read(folder / CONSUMED) == tables.read(undisturbed / CONSUMED)


def test_training_goes_on_elsewhere_from_a_kept_checkpoint(
    undisturbed: Path, tmp_path: Path, base: Path, examples: list[TrainingExample]
) -> None:
    """The machine is gone with its disk; what was kept elsewhere is enough."""
    lost = job(tmp_path / "lost", base, examples, checkpoint_steps=1)
    settings = read_job(lost).training
    kept: list[Path | None] = []

    def keep(checkpoint: Path) -> None:
        kept.append(take(checkpoint, tmp_path / "kept"))

    with pytest.raises(MachineError):
        launch(lost, settings, kill_at(5), keep)
    folder = job(tmp_path / "new", base, examples, checkpoint_steps=1)
    shutil.rmtree(lost)
    give((tmp_path / "kept" / "step-00000004").rename(tmp_path / "renamed"), folder)
    lines: list[str] = []
    launch(folder, settings, lines.append)
    assert any(line.endswith("step-00000004") for line in lines if line.startswith("resumed"))
    assert equal_bits(folder, undisturbed)


def test_full_disk_fails_in_one_line_and_goes_on_after_it(
    undisturbed: Path, tmp_path: Path, base: Path, examples: list[TrainingExample]
) -> None:
    """No file may grow beyond a limit that the optimizer's state exceeds."""
    folder = job(tmp_path / "full", base, examples, checkpoint_steps=1)
    settings = read_job(folder).training
    with pytest.raises(MachineError, match="failed with exit code"):
        launch(folder, settings, kill_at(2))
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (500_000, limits[1]))
    try:
        with pytest.raises(MachineError, match=r"cannot save a checkpoint .* goes on after step"):
            launch(folder, settings, quiet)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert not list((folder / CHECKPOINTS).glob("*.partial"))
    launch(folder, settings, quiet)
    assert equal_bits(folder, undisturbed)


def test_store_that_is_gone_ends_the_training_and_nothing_is_lost(
    undisturbed: Path, tmp_path: Path, base: Path, examples: list[TrainingExample]
) -> None:
    folder = job(tmp_path / "gone", base, examples, checkpoint_steps=1)
    settings = read_job(folder).training

    def no_store(checkpoint: Path) -> None:
        raise MachineError("the store is gone")

    with pytest.raises(MachineError, match="the store is gone"):
        launch(folder, settings, quiet, no_store)
    assert found(folder / CHECKPOINTS)
    launch(folder, settings, quiet)
    assert equal_bits(folder, undisturbed)


def test_diverging_training_keeps_the_last_good_state(
    tmp_path: Path, base: Path, examples: list[TrainingExample]
) -> None:
    """The second step meets a row that cannot be."""
    rows = list(examples)
    place = Order(len(rows), 8, epochs=1.0, seed=1).step(1)[0]
    rows[place] = dataclasses.replace(rows[place], problem_id="bad", weight=1e38)
    folder = job(tmp_path, base, rows, method="sft", micro_batch_tokens=1)
    wanted = r"not finite .* problems bad;.*; the checkpoint after step 1 is the last good state"
    with pytest.raises(UserError, match=wanted):
        launch(folder, read_job(folder).training, quiet)
    assert [path.name for path in found(folder / CHECKPOINTS)] == ["step-00000001"]
