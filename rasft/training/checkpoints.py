"""The state of a training on disk: weights, optimizer, random numbers, and the steps done.

The order of the data follows from the seed, so the number of steps done is the place in it: a
resumed training neither repeats nor skips a sequence. A checkpoint is written under another name
and renamed when whole; the newest few are kept.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
from collections.abc import Sequence
from pathlib import Path

from accelerate import Accelerator

from rasft import models, tables
from rasft.records import TrainingStep
from rasft.training.jobs import TrainingJob, write_json

_NAME = re.compile(r"step-\d{8}")
_POSITION = "position.json"
_CURVE = "curve.parquet"


class Checkpoints:
    """The checkpoints in `folder` of the job with this digest; every process calls alike."""

    def __init__(self, folder: Path, digest: str, accelerator: Accelerator, kept: int):
        self.folder = folder
        self.digest = digest
        self.accelerator = accelerator
        self.kept = kept

    def save(self, rows: Sequence[TrainingStep]) -> None:
        """Save the state after the steps in `rows`, then drop all but the newest."""
        final = self.folder / f"step-{len(rows):08}"
        partial = final.with_suffix(".partial")
        if self.accelerator.is_main_process:
            shutil.rmtree(partial, ignore_errors=True)
            partial.mkdir(parents=True)
        self.accelerator.wait_for_everyone()
        self.accelerator.save_state(str(partial))
        self.accelerator.wait_for_everyone()
        if self.accelerator.is_main_process:
            tables.write(tables.to_table(rows, TrainingStep), partial / _CURVE)
            write_json(partial / _POSITION, {"job": self.digest, "steps": len(rows)})
            _flush(partial)
            os.rename(partial, final)
            for old in self._found()[: -self.kept]:
                shutil.rmtree(old)
            print(f"checkpoint: {final}", flush=True)
        self.accelerator.wait_for_everyone()

    def resume(self) -> list[TrainingStep]:
        """Load the newest checkpoint; the rows of the steps it holds, else none.

        Those of another job are removed.
        """
        if self.accelerator.is_main_process:
            for checkpoint in self._found():
                if _job_of(checkpoint) != self.digest:
                    shutil.rmtree(checkpoint)
        self.accelerator.wait_for_everyone()
        if not (found := self._found()):
            return []
        self.accelerator.load_state(str(found[-1]))
        if self.accelerator.is_main_process:
            print(f"resumed from {found[-1]}", flush=True)
        return tables.from_table(tables.read(found[-1] / _CURVE), TrainingStep)

    def remove_all(self) -> None:
        """Remove them: the trained model is saved."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _found(self) -> list[Path]:
        """Whole checkpoints, oldest first."""
        if not self.folder.is_dir():
            return []
        return sorted(path for path in self.folder.iterdir() if _NAME.fullmatch(path.name))


def digest_of(job: TrainingJob, examples: Path) -> str:
    """sha256 of what is trained and how: the model's content, the settings, the examples' rows."""
    settings = [job.training.model_dump(mode="json"), job.dtype, job.seed]
    digest = hashlib.sha256(json.dumps(settings, sort_keys=True).encode())
    digest.update(models.fingerprint(Path(job.model)).encode())
    with examples.open("rb") as rows:
        digest.update(hashlib.file_digest(rows, "sha256").digest())
    return digest.hexdigest()


def _job_of(checkpoint: Path) -> str:
    return str(json.loads((checkpoint / _POSITION).read_text(encoding="utf-8"))["job"])


def _flush(folder: Path) -> None:
    """Wait until the files are on disk: a rename may otherwise outlive their content."""
    for path in [*folder.rglob("*"), folder]:
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
