"""The state of a training on disk: weights, optimizer, random numbers, and what was trained on.

The order of the data follows from the seed, so the number of steps done is the place in it. Which
sequences those steps took is stored beside it, and a training resumes only where both agree: it
neither repeats nor skips a sequence. A checkpoint is written under another name and renamed when
whole; the newest few are kept.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import pyarrow as pa
from accelerate import Accelerator
from accelerate.utils import gather_object
from accelerate.utils.constants import RNG_STATE_NAME
from safetensors import SafetensorError

from rasft import tables
from rasft.errors import MachineError
from rasft.records import TrainingStep
from rasft.training.storage.checkpoint_store import name_of
from rasft.training.storage.jobs import CONSUMED, CURVE, POSITION, SAVED, write_json

_NAME = re.compile(r"step-\d{8}")
_WRITE_FAULTS = (OSError, RuntimeError, SafetensorError)  # what the writers of torch and others say


class Checkpoints:
    """The checkpoints in `folder` of the job with this digest; every process calls alike."""

    def __init__(self, folder: Path, digest: str, accelerator: Accelerator, kept: int):
        self.folder = folder
        self.digest = digest
        self.accelerator = accelerator
        self.kept = kept

    def save(self, rows: Sequence[TrainingStep], consumed: pa.Table) -> None:
        """Save the state after the steps in `rows`, then drop all but the newest.

        Raises MachineError where it cannot be written; the earlier checkpoints are then untouched.
        """
        final = self.folder / name_of(len(rows))
        partial = final.with_suffix(".partial")
        try:
            self._write(partial, rows, consumed)
            if self.accelerator.is_main_process:
                _put_in_place(partial, final)
                self._drop_old()
        except _WRITE_FAULTS as error:
            shutil.rmtree(partial, ignore_errors=True)
            kept = [path.name for path in found(self.folder)]
            raise MachineError(
                f"cannot save a checkpoint in {self.folder}: {error}; mend the disk and start "
                f"again, it goes on after {kept[-1] if kept else 'nothing: none was saved yet'}"
            ) from error
        self.accelerator.wait_for_everyone()

    def resume(self, planned: Callable[[int], pa.Table]) -> tuple[list[TrainingStep], pa.Table]:
        """Load the newest checkpoint: the rows of the steps it holds, and what they trained on.

        Those of another job are removed. `planned` says what the first so many steps are to train
        on: a checkpoint that trained on other sequences is a MachineError.
        """
        if self.accelerator.is_local_main_process:
            for checkpoint in found(self.folder):
                if job_of(checkpoint) != self.digest:
                    _remove(checkpoint)
        self.accelerator.wait_for_everyone()
        if not (newest := self._newest_everywhere()):
            return [], planned(0)
        rows = tables.from_table(tables.read(newest / CURVE), TrainingStep)
        consumed = tables.read(newest / CONSUMED)
        if not consumed.equals(planned(len(rows))):
            raise MachineError(
                f"{newest} was trained on other sequences than this program would take (another "
                "version of numpy orders them otherwise); remove it to start over"
            )
        self.accelerator.load_state(str(newest))
        if self.accelerator.is_main_process:
            print(f"resumed from {newest}", flush=True)
        return rows, consumed

    def remove_all(self) -> None:
        """Remove them: the trained model is saved."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _write(self, partial: Path, rows: Sequence[TrainingStep], consumed: pa.Table) -> None:
        if self.accelerator.is_main_process:
            shutil.rmtree(partial, ignore_errors=True)
            partial.mkdir(parents=True)
        self.accelerator.wait_for_everyone()
        save_state(self.accelerator, partial)
        if self.accelerator.is_main_process:
            tables.write(tables.to_table(rows, TrainingStep), partial / CURVE)
            tables.write(consumed, partial / CONSUMED)
            write_json(partial / POSITION, {"job": self.digest, "steps": len(rows)})

    def _newest_everywhere(self) -> Path | None:
        """The newest checkpoint that lies on the disk of every node; newer ones are removed."""
        names = {path.name for path in found(self.folder)}
        common = names.intersection(*gather_object([sorted(names)]))
        newest = max(common, default="")
        if self.accelerator.is_local_main_process:
            for name in names:
                if name > newest:
                    _remove(self.folder / name)
        return self.folder / newest if common else None

    def _drop_old(self) -> None:
        for old in found(self.folder)[: -self.kept]:
            _remove(old)


def save_state(accelerator: Accelerator, folder: Path) -> None:
    """Accelerate's state, whole on the first node; every process calls.

    Each process writes its own random numbers, to its own node's disk.
    """
    accelerator.save_state(str(folder))
    mine = folder / f"{RNG_STATE_NAME}_{accelerator.process_index}.pkl"
    for name, content in gather_object([(mine.name, mine.read_bytes())]):
        if accelerator.is_main_process and not (folder / name).exists():
            (folder / name).write_bytes(content)
    if accelerator.is_local_main_process and not accelerator.is_main_process:
        shutil.rmtree(folder)
    accelerator.wait_for_everyone()


def found(folder: Path) -> list[Path]:
    """Whole checkpoints, oldest first."""
    if not folder.is_dir():
        return []
    return sorted(path for path in folder.iterdir() if _NAME.fullmatch(path.name))


def job_of(checkpoint: Path) -> str:
    """The digest of the job that saved it."""
    return str(json.loads((checkpoint / POSITION).read_text(encoding="utf-8"))["job"])


def _remove(checkpoint: Path) -> None:
    """Under another name first: one that is killed half-way leaves nothing that looks whole."""
    gone = checkpoint.with_suffix(".gone")
    shutil.rmtree(gone, ignore_errors=True)
    os.rename(checkpoint, gone)
    shutil.rmtree(gone)


def _put_in_place(partial: Path, final: Path) -> None:
    _flush(partial)
    os.rename(partial, final)
    print(f"{SAVED}{final}", flush=True)


def _flush(folder: Path) -> None:
    """Wait until the files are on disk: a rename may otherwise outlive their content."""
    for path in [*folder.rglob("*"), folder]:
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
