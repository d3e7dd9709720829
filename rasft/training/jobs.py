"""The folder that a training program is given, and what it leaves there.

job.json          TrainingJob                    examples.parquet  TrainingExample rows
model/            the trained model folder       curve.parquet     TrainingStep rows
summary.json      written last: the training is whole only if it is there
error.json        the message of a failure that the user can mend
"""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from rasft import tables
from rasft.config import TrainingConfig

EXAMPLES = "examples.parquet"
ARROW = "examples.arrow"
CURVE = "curve.parquet"
MODEL = "model"
SUMMARY = "summary.json"
PREFLIGHT = "preflight.json"
ERROR = "error.json"
CHECKPOINTS = "checkpoints"
_JOB = "job.json"


@dataclass(frozen=True)
class TrainingJob:
    """What to train: the starting model's folder, how, and in which compute dtype."""

    model: str
    training: TrainingConfig
    dtype: str
    seed: int


def write_job(job_dir: Path, job: TrainingJob, examples: pa.Table) -> None:
    """Lay out the folder for `launcher.launch`; what an earlier training left there is removed."""
    clear_outputs(job_dir)
    tables.write(examples, job_dir / EXAMPLES)
    write_json(job_dir / _JOB, {**vars(job), "training": job.training.model_dump(mode="json")})


def read_job(job_dir: Path) -> TrainingJob:
    """The job of a folder that `write_job` laid out."""
    values = json.loads((job_dir / _JOB).read_text(encoding="utf-8"))
    training = TrainingConfig.model_validate_json(json.dumps(values.pop("training")))
    return TrainingJob(training=training, **values)


def clear_outputs(job_dir: Path) -> None:
    """Remove what an earlier training left but its checkpoints, the mark of its success first."""
    for name in (SUMMARY, ERROR, CURVE, PREFLIGHT):
        (job_dir / name).unlink(missing_ok=True)
    shutil.rmtree(job_dir / MODEL, ignore_errors=True)


def write_json(path: Path, values: dict[str, Any]) -> None:
    """Write JSON atomically."""
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    partial.write_text(json.dumps(values, indent=2) + "\n", encoding="utf-8")
    os.replace(partial, path)
