"""Trainings that are forked: started, ended and told of as launched ones are."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from accelerate.commands.launch import _validate_launch_command, launch_command_parser
from accelerate.utils.launch import prepare_simple_launcher_cmd_env

from rasft.config.settings import TrainingConfig
from rasft.errors import MachineError, UserError
from rasft.records import TrainingExample
from rasft.training.launch import command_line, preloaded
from rasft.training.launch.launcher import LaunchContext, launch
from rasft.training.launch.preloaded import Preloaded
from rasft.training.storage.checkpoints import found
from rasft.training.storage.jobs import CHECKPOINTS, SUMMARY, read_job
from tests.training_jobs import equal_bits, job, kill_at, quiet, what_was_trained

PARENT = """
import sys, time
from rasft.training.launch.command_line import command, environment
from rasft.training.launch.preloaded import Preloaded
from rasft.training.storage.jobs import read_job
from pathlib import Path
job = Path(sys.argv[1])
forks = Preloaded()
training = forks.start(command(job, read_job(job).training), environment(1))
print(forks._process.pid, training.pid, flush=True)
for line in training.stdout:
    if line.startswith("train: step"):
        print(flush=True)
"""


@pytest.fixture(scope="module")
def context() -> Iterator[LaunchContext]:
    with Preloaded() as forks:
        yield LaunchContext(start=forks.start)


def test_the_environment_is_that_of_accelerate_launch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command_line, "_gpus", lambda: 0)
    line = command_line.command(Path("job"), TrainingConfig())
    assert command_line.program_alone(line) == [command_line.PROGRAM, "job", "--processes", "1"]
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    arguments = launch_command_parser().parse_args(line[line.index("--config_file") :])
    arguments, _, _ = _validate_launch_command(arguments)
    _, environment = prepare_simple_launcher_cmd_env(arguments)
    assert environment == {**os.environ, **preloaded.ACCELERATE}


def test_several_processes_are_launched_by_torchrun(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command_line, "_gpus", lambda: 0)
    line = command_line.command(Path("job"), TrainingConfig(processes=2))
    assert command_line.program_alone(line) == []


def test_killed_and_preempted_trainings_end_with_the_bits_of_a_launched_one(
    context: LaunchContext, tmp_path: Path, base: Path, examples: list[TrainingExample]
) -> None:
    launched = job(tmp_path / "launched", base, examples, checkpoint_steps=1)
    settings = read_job(launched).training
    launch(launched, settings, quiet)
    folder = job(tmp_path / "forked", base, examples, checkpoint_steps=1)
    with pytest.raises(MachineError, match=r"failed with exit code -9(?s:.)*train: step 1/16"):
        launch(folder, settings, kill_at(3), context=context)
    assert not (folder / SUMMARY).exists()
    assert found(folder / CHECKPOINTS)

    def preempt(line: str) -> None:
        if line.startswith("train: step"):
            os.kill(os.getpid(), signal.SIGTERM)

    with pytest.raises(MachineError, match="told to end: saved a checkpoint after step"):
        launch(folder, settings, preempt, context=context)
    lines: list[str] = []
    launch(folder, settings, lines.append, context=context)
    assert any(line.startswith("resumed from") for line in lines)
    assert equal_bits(folder, launched)
    assert what_was_trained(folder) == what_was_trained(launched)


def test_what_the_user_can_mend_is_one_sentence(
    context: LaunchContext, tmp_path: Path, base: Path, examples: list[TrainingExample]
) -> None:
    folder = job(tmp_path / "huge", base, examples, learning_rate=1e30, warmup_steps=0)
    with pytest.raises(UserError, match="training stopped before step"):
        launch(folder, read_job(folder).training, quiet, context=context)


def test_an_interruption_ends_the_forked_training(
    context: LaunchContext, tmp_path: Path, base: Path, examples: list[TrainingExample]
) -> None:
    def interrupt(line: str) -> None:
        if line.startswith("train: step"):
            raise KeyboardInterrupt

    folder = job(tmp_path / "stopped", base, examples)
    with pytest.raises(KeyboardInterrupt):
        launch(folder, read_job(folder).training, interrupt, context=context)


def test_all_processes_end_with_a_parent_that_is_killed(
    tmp_path: Path, base: Path, examples: list[TrainingExample]
) -> None:
    folder = job(tmp_path / "orphan", base, examples, epochs=400)
    line = [sys.executable, "-c", PARENT, str(folder)]
    with subprocess.Popen(line, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout
        pids = [int(word) for word in parent.stdout.readline().split()]
        parent.stdout.readline()  # a step is done
        assert all(_runs(pid) for pid in pids)
        parent.kill()
    deadline = time.monotonic() + 20
    while any(_runs(pid) for pid in pids) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert [_runs(pid) for pid in pids] == [False, False]


def _runs(pid: int) -> bool:
    with contextlib.suppress(OSError):
        status = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
        return status.rpartition(")")[2].split()[0] != "Z"
    return False
