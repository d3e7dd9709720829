"""A training that goes on from a checkpoint ends with the weights of one that was not disturbed.

Kernels that add in any order differ from run to run by themselves, so the measure is how far two
undisturbed runs are apart: on a CPU they are not.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import torch
from torch import Tensor

from bench.gpu import small
from bench.gpu.part import Part
from rasft.training.loop.trainer import Trainer
from rasft.training.storage.checkpoints import Checkpoints

STEPS, STOP = 6, 3


def compare(part: Part) -> None:
    """Two whole runs, and one that stops half-way and goes on in a new trainer."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        base = small.model(folder)
        whole, again = (run(_open(folder / name, base), 0, STEPS) for name in ("one", "two"))
        resumed = _interrupted(folder, base)
    own = float((whole - again).abs().max())
    apart = float((whole - resumed).abs().max())
    part.add("weights of two undisturbed runs, largest difference", own)
    part.add("weights after a resume, largest difference", apart, goal=f"<= {own:.3g}")


def _interrupted(folder: Path, base: Path) -> Tensor:
    first = _open(folder / "first", base)
    rows = [first.step(index) for index in range(STOP)]
    _checkpoints(folder, first).save(rows, first.consumed)
    second = _open(folder / "second", base)
    done, consumed = _checkpoints(folder, second).resume(second.planned)
    second.resume(done, consumed)
    return run(second, len(done), STEPS)


def run(trainer: Trainer, start: int, stop: int) -> Tensor:
    """All weights after these steps, in one vector."""
    for index in range(start, stop):
        trainer.step(index)
    return torch.cat([p.detach().flatten().cpu() for p in trainer.module.parameters()])


def _open(folder: Path, base: Path) -> Trainer:
    return small.trainer(folder, base, small.rows(), "bfloat16")


def _checkpoints(folder: Path, trainer: Trainer) -> Checkpoints:
    return Checkpoints(folder / "checkpoints", "same job", trainer.accelerator, kept=2)
