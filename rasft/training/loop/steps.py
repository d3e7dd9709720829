"""The steps of a training with what surrounds them: resuming, saving, the log, the trackers."""

from __future__ import annotations

import signal
import time
from pathlib import Path
from types import FrameType

import torch
from accelerate import Accelerator

from rasft import tables
from rasft.config.settings import TrainingConfig
from rasft.errors import UserError
from rasft.records import TrainingStep
from rasft.training.loop.log import TrainingLog
from rasft.training.loop.trackers import track
from rasft.training.loop.trainer import Diverged, Trainer
from rasft.training.storage.checkpoints import Checkpoints
from rasft.training.storage.jobs import CONSUMED, CURVE


class Stopped(Exception):
    """The program was told to end and has saved its state."""


class SaveClock:
    """Says when to save: after minutes, after steps, or at once when SIGTERM has come.

    All processes must save together, so they agree after each step.
    """

    def __init__(self, config: TrainingConfig, accelerator: Accelerator):
        self.config = config
        self.accelerator = accelerator
        self.told_to_end = False
        self._saved = time.monotonic()
        signal.signal(signal.SIGTERM, self._on_sigterm)

    def ask(self, step: int) -> tuple[bool, bool]:
        """(save now, then end), the same on every process; `step` steps are done."""
        due = time.monotonic() - self._saved >= 60 * self.config.checkpoint_minutes
        due |= step % (self.config.checkpoint_steps or step + 1) == 0
        due &= self.accelerator.is_main_process
        votes = torch.tensor([int(due), int(self.told_to_end)], device=self.accelerator.device)
        save, end = (self.accelerator.reduce(votes, "sum") > 0).tolist()
        if save or end:
            self._saved = time.monotonic()
        return save or end, end

    def _on_sigterm(self, number: int, frame: FrameType | None) -> None:
        self.told_to_end = True


def run_steps(trainer: Trainer, checkpoints: Checkpoints, job_dir: Path) -> list[TrainingStep]:
    """The steps that are left; returns the rows of all.

    Raises Stopped after SIGTERM, and UserError for a step that diverged; the state before it is
    then the newest checkpoint.
    """
    steps, speaks = trainer.order.steps, trainer.accelerator.is_main_process
    clock = SaveClock(trainer.config, trainer.accelerator)
    rows, consumed = checkpoints.resume(trainer.planned)
    if not rows and trainer.position.state:
        trainer.accelerator.load_state(trainer.position.state)
    trainer.resume(rows, consumed)
    log = TrainingLog(job_dir / CURVE, steps, rows)
    for index in range(len(rows), steps):
        try:
            log.add(trainer.step(index), speak=speaks)
        except Diverged as fault:
            raise _with_last_good_state(fault, trainer, checkpoints, log) from None
        track(trainer.accelerator, log.rows[-1])
        if index + 1 == steps:
            break
        save, end = clock.ask(index + 1)
        if save:
            checkpoints.save(log.rows, trainer.consumed)
        if end:
            raise Stopped(f"told to end: saved a checkpoint after step {index + 1}")
    if speaks:
        tables.write(trainer.consumed, job_dir / CONSUMED)
    return log.rows


def _with_last_good_state(
    fault: Diverged, trainer: Trainer, checkpoints: Checkpoints, log: TrainingLog
) -> UserError:
    if not log.rows:
        return UserError(f"{fault}; no step was taken before it")
    checkpoints.save(log.rows, trainer.consumed)
    return UserError(f"{fault}; the checkpoint after step {len(log.rows)} is the last good state")
