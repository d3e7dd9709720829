"""The folder that a training program is given, and what it leaves there.

job.json          TrainingJob                    examples.arrow    TrainingExample rows
model/            the trained model folder       curve.parquet     TrainingStep rows
checkpoints/      the state after some steps     consumed.parquet  which sequence at which step
state/            where another round follows: the optimizer's, by Accelerate
summary.json      written last: the training is whole only if it is there
error.json        the message of a failure that the user can mend
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from rasft.config.settings import TrainingConfig
from rasft.models import folders
from rasft.training.storage.example_store import write_store

EXAMPLES = "examples.arrow"
CURVE = "curve.parquet"
CONSUMED = "consumed.parquet"
MODEL = "model"
SUMMARY = "summary.json"
ERROR = "error.json"
CHECKPOINTS = "checkpoints"
GRADIENT = "gradient.safetensors"
STEP = "train: step "  # begins the line of one step
FAILED = "training failed: "  # begins its last line, where it knows why
SAVED = "checkpoint: "  # begins the program's line that says where a whole checkpoint is
POSITION = "position.json"  # of a checkpoint: which job, how many steps
STATE = "state"
_JOB = "job.json"


@dataclass(frozen=True)
class RoundPosition:
    """Where a training stands in a chain of rounds, and the state of the optimizer before it."""

    number: int = 0  # of the round, from 0
    rounds: int = 1
    state: str | None = None  # the folder STATE that the round before left
    reference: str | None = None  # the first round's starting model; None: this job's own

    @property
    def is_followed(self) -> bool:
        """Whether another round goes on from this one."""
        return self.number + 1 < self.rounds


ONLY_ROUND = RoundPosition()


@dataclass(frozen=True)
class Served:
    """What is saved beside the weights, so that the model is served as it was trained."""

    stop_token_ids: tuple[int, ...] = ()  # the EOS of the generation config; none: as they were
    chat_template: str | None = None  # of the tokenizer; None: as it was


@dataclass(frozen=True)
class TrainingJob:
    """What to train: the starting model's folder, how, and in which compute dtype."""

    model: str
    training: TrainingConfig
    dtype: str
    seed: int
    position: RoundPosition = ONLY_ROUND
    served: Served = Served()


def write_job(job_dir: Path, job: TrainingJob, examples: pa.Table) -> None:
    """Lay out the folder for `launcher.launch`; what an earlier training left there is removed."""
    clear_outputs(job_dir)
    write_store(examples, job_dir / EXAMPLES)
    parts = {"position": vars(job.position), "served": vars(job.served)}
    training = job.training.model_dump(mode="json")
    write_json(job_dir / _JOB, {**vars(job), **parts, "training": training})


def read_job(job_dir: Path) -> TrainingJob:
    """The job of a folder that `write_job` laid out."""
    values = json.loads((job_dir / _JOB).read_text(encoding="utf-8"))
    training = TrainingConfig.model_validate_json(json.dumps(values.pop("training")))
    position, served = RoundPosition(**values.pop("position")), values.pop("served")
    served["stop_token_ids"] = tuple(served["stop_token_ids"])
    return TrainingJob(training=training, position=position, served=Served(**served), **values)


def digest_of(job_dir: Path) -> str:
    """sha256 of what is trained and how: the model's content, the settings, the examples' rows."""
    job = read_job(job_dir)
    position = (job.position.number, job.position.rounds)
    settings = [
        job.training.model_dump(mode="json"),
        job.dtype,
        job.seed,
        position,
        vars(job.served),
    ]
    digest = hashlib.sha256(json.dumps(settings, sort_keys=True).encode())
    digest.update(folders.fingerprint(Path(job.model)).encode())
    with (job_dir / EXAMPLES).open("rb") as rows:
        digest.update(hashlib.file_digest(rows, "sha256").digest())
    return digest.hexdigest()


def clear_outputs(job_dir: Path) -> None:
    """Remove what an earlier training left but its checkpoints, the mark of its success first."""
    for name in (SUMMARY, ERROR, CURVE, CONSUMED):
        (job_dir / name).unlink(missing_ok=True)
    for name in (MODEL, STATE):
        shutil.rmtree(job_dir / name, ignore_errors=True)


def write_json(path: Path, values: dict[str, Any]) -> None:
    """Write JSON atomically."""
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    partial.write_text(json.dumps(values, indent=2) + "\n", encoding="utf-8")
    os.replace(partial, path)
