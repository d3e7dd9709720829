"""The folder that the reinforcement program is given: its config, problems and batch shape.

job.json          ReinforcementJob               problems.parquet  Problem rows
What the program leaves is laid out as `jobs` has it, with ReinforcementStep rows in curve.parquet.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from rasft import tables
from rasft.config.settings import Config
from rasft.errors import UserError
from rasft.records import Problem
from rasft.training.storage.jobs import clear_outputs, write_json

PROBLEMS = "problems.parquet"
_JOB = "job.json"


@dataclass(frozen=True)
class Shape:
    """How the sequences of an optimizer step are spread, and how many steps there are."""

    batch_size: int  # sequences an optimizer step, over all processes
    micro_batch: int  # sequences of one forward pass on one process
    accumulation: int  # forward passes of one process in an optimizer step
    steps: int


@dataclass(frozen=True)
class ReinforcementJob:
    """What to train: the starting model's folder, and the whole config of the run."""

    model: str
    config: Config

    def shape(self, problems: int, processes: int) -> Shape:
        """The batches of a run. Raises UserError where groups cannot be kept whole."""
        training, settings = self.config.training, self.config.reinforcement
        size, group = training.batch_size, settings.group_size
        if size % (group * processes):
            raise UserError(
                f"training.batch_size = {size} must be a multiple of reinforcement.group_size x "
                f"processes = {group} x {processes}: each process samples whole groups"
            )
        if problems < size // group:
            raise UserError(
                f"training.batch_size = {size} takes {size // group} problems a step, and there "
                f"are {problems}; lower it, or raise a limit in data.datasets"
            )
        mine = size // processes
        micro_batch = next(n for n in range(min(settings.micro_batch, mine), 0, -1) if not mine % n)
        steps = max(1, round(training.epochs * problems * group / size))
        return Shape(size, micro_batch, mine // micro_batch, steps)


def write_job(folder: Path, job: ReinforcementJob, problems: pa.Table) -> None:
    """Lay out the folder for `launcher.launch`."""
    clear_outputs(folder)
    tables.write(problems, folder / PROBLEMS)
    write_json(folder / _JOB, {"model": job.model, "config": job.config.model_dump(mode="json")})


def read_job(folder: Path) -> tuple[ReinforcementJob, list[Problem]]:
    """The job of a folder that `write_job` laid out, and its problems."""
    values = json.loads((folder / _JOB).read_text(encoding="utf-8"))
    config = Config.model_validate_json(json.dumps(values["config"]))
    rows = tables.from_table(tables.read(folder / PROBLEMS), Problem)
    return ReinforcementJob(values["model"], config), rows
