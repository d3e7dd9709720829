"""The training curve while it grows: rows for a file that can be read at any time, and a line for
the reader every few seconds (on a terminal one line that is written over)."""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import torch

from rasft import progress, tables
from rasft.records import TrainingStep
from rasft.training.storage.jobs import STEP


class TrainingLog:
    """The steps so far, of `steps`, kept in `path`; `rows` are those of an earlier start."""

    def __init__(self, path: Path, steps: int, rows: Sequence[TrainingStep] = ()):
        self.path = path
        self.steps = steps
        self.rows = list(rows)
        self._told = 0.0

    def add(self, row: TrainingStep, speak: bool = True) -> None:
        """Take one step; say it and save the curve if some seconds have passed, or at the end.

        Only one process should `speak`.
        """
        self.rows.append(row)
        if not speak:
            return
        now = time.monotonic()
        if now - self._told >= progress.SECONDS_BETWEEN_LINES or row.step == self.steps:
            self._told = now
            tables.write(tables.to_table(self.rows, TrainingStep), self.path)
            self._tell(row)

    def _tell(self, row: TrainingStep) -> None:
        done, seconds = len(self.rows), sum(step.seconds for step in self.rows)
        left = seconds / done * (self.steps - row.step)
        text = f"{describe(row, self.steps)}, {progress.duration(left)} left"
        if sys.stdout.isatty():
            print(f"\r\033[K{text}", end="\n" if row.step == self.steps else "", flush=True)
        else:
            print(text, flush=True)
        progress.leave(text)


def describe(row: TrainingStep, steps: int) -> str:
    """One step for a reader."""
    ratio = ""
    if row.mean_ratio is not None:
        clipped = 100 * (row.ratio_clip_share or 0.0)
        ratio = f"ratio {row.mean_ratio:.3f} ({clipped:.0f} % clipped), "
    return (
        f"{STEP}{row.step}/{steps}, {row.tokens / max(row.seconds, 1e-9):,.0f} tokens/s, "
        f"loss {row.loss:.4g}, NLL {row.nll:.4g}, weight {row.mean_weight:.3f}, {ratio}"
        f"gradient norm {row.grad_norm:.3g}, rate {row.learning_rate:.3g}, "
        f"memory {row.peak_memory_bytes / 1e9:.1f} GB"
    )


def peak_memory_bytes() -> int:
    """Most memory this process has held: of the GPU if there is one, else resident."""
    if torch.cuda.is_available():
        return torch.cuda.max_memory_allocated()
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
