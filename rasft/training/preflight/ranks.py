"""Two processes give the gradient of one: the real program's step, on rows of the real data."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor

from rasft import tables
from rasft.errors import MachineError
from rasft.records import TrainingExample
from rasft.training.launch import command_line
from rasft.training.preflight.checks import Check
from rasft.training.preflight.gradients import close
from rasft.training.storage.jobs import GRADIENT, TrainingJob, write_job

RANKS = 2
SECONDS = 1800.0


def ranks_agree(
    job: TrainingJob, rows: Sequence[TrainingExample], expected: Tensor, scratch: Path
) -> Check:
    """The gradient that two processes add up, against that of one. One GPU cannot tell."""
    name = f"{RANKS} processes give the gradient of one"
    if torch.cuda.is_available() and torch.cuda.device_count() < RANKS:
        return Check(name, True, "not checked: there is one GPU", {"checked": False})
    settings = {"batch_size": len(rows), "epochs": 1.0, "launcher": "ddp", "processes": RANKS}
    plain = {"trackers": (), "gradient_checkpointing": False, "lora": None}
    training = job.training.model_copy(update={**settings, **plain})
    with tempfile.TemporaryDirectory(dir=scratch) as folder:
        together = replace(job, training=training, dtype="float32")
        write_job(Path(folder), together, tables.to_table(rows, TrainingExample))
        got = _gradient(Path(folder), together)
    return close(name, got, expected)


def _gradient(folder: Path, job: TrainingJob) -> Tensor:
    program = command_line.command(folder, job.training, "rasft.training.launch.gradient")
    done = subprocess.run(
        program,
        env=command_line.environment(RANKS),
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    if done.returncode or not (folder / GRADIENT).is_file():
        tail = "\n".join((done.stdout + done.stderr).splitlines()[-10:])
        raise MachineError(f"{RANKS} processes could not compute a gradient; they said:\n{tail}")
    parts = load_file(folder / GRADIENT)
    return torch.cat([parts[name].flatten() for name in sorted(parts)])
