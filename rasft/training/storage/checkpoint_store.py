"""Checkpoints that outlive the machine: taken from a running job, and given to one that starts.

What keeps them in between is the caller's: a retried task has another scratch folder, and often
another machine.
"""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Protocol

from rasft.training.storage.jobs import CHECKPOINTS, POSITION


class CheckpointStore(Protocol):
    """Keeps the checkpoints of one job, known by its digest, beyond the life of its folder."""

    def keep(self, checkpoint: Path, job: str) -> None:
        """Store a whole checkpoint; what fails ends the training, which can then be resumed."""
        ...

    def restore(self, job: str, job_dir: Path) -> None:
        """Bring back the newest checkpoint of that job, if there is one, by `give`."""
        ...


def take(checkpoint: Path, into: Path) -> Path | None:
    """The checkpoint's files in another folder, where the program does not remove them.

    By hard links: nothing is copied. None if the program has removed it already: a newer one is
    there.
    """
    target = into / checkpoint.name
    shutil.rmtree(target, ignore_errors=True)
    try:
        shutil.copytree(checkpoint, target, copy_function=os.link)
    except (FileNotFoundError, shutil.Error):
        shutil.rmtree(target, ignore_errors=True)
        return None
    return target


def give(checkpoint: Path, job_dir: Path) -> None:
    """Put a kept checkpoint, whatever its folder is called now, where the job looks for it."""
    steps = json.loads((checkpoint / POSITION).read_text(encoding="utf-8"))["steps"]
    final = job_dir / CHECKPOINTS / name_of(steps)
    partial = final.with_suffix(".partial")
    shutil.rmtree(partial, ignore_errors=True)
    shutil.copytree(checkpoint, partial)
    shutil.rmtree(final, ignore_errors=True)
    os.rename(partial, final)


def name_of(steps: int) -> str:
    """The name of the folder of the checkpoint after so many steps."""
    return f"step-{steps:08}"
