"""Scoring by several processes of one task, each with GPUs of its own.

    python -m rasft.training.scoring_processes FOLDER PROCESS PROCESSES

The parent writes what is to be scored into a folder, each process scores every so many-th pass,
and the parent puts the scores together. A pass is the same whoever makes it.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from rasft import tables
from rasft.config.settings import ModelConfig
from rasft.decoding.engine import EngineOptions
from rasft.decoding.engine_process import child_environment
from rasft.decoding.layout import Devices, environments
from rasft.errors import MachineError, UserError
from rasft.models import memory
from rasft.models.memory import Batch
from rasft.models.shape import read_shape
from rasft.records import SequenceScore, TrainingExample
from rasft.training.scoring import Passes, score_passes

EXAMPLES, PASSES, SCORES, ERROR = "examples.parquet", "passes.json", "scores-{}.parquet", "error"


@dataclass(frozen=True)
class Layout:
    """So many processes, each over so many GPUs; no GPUs: on the cores."""

    processes: int = 1
    gpus_each: int = 0

    def environments(self, count: int) -> list[dict[str, str]]:
        """What keeps each of `count` processes to its own devices."""
        alike = EngineOptions(tensor_parallel=max(1, self.gpus_each), data_parallel=count)
        return environments(alike)


def lay_out(model: Path, dtype: str, batch: Batch, processes: int | None, here: Devices) -> Layout:
    """As many processes as stated, else as many as the GPUs hold copies of the model.

    Raises UserError where there are fewer GPUs than processes.
    """
    if not here.are_gpus:
        return Layout(processes or 1)
    gpus = here.count
    if processes and processes > gpus:
        raise UserError(
            f"data.score_processes is {processes}, and the task has {here.words}: lower it, or "
            "raise the step's gpu in resources.steps"
        )
    if processes or gpus == 1:
        return Layout(processes or 1, gpus // (processes or 1))
    shape = read_shape(ModelConfig(path=str(model)))
    needs = {n: memory.scoring(shape, dtype, batch, n) for n in range(1, gpus + 1)}
    each = next((n for n, need in needs.items() if memory.holds(need, here.memory)), gpus)
    return Layout(gpus // each, each)


def score_together(
    model: Path, passes: Passes, dtype: str, layout: Layout
) -> dict[int, SequenceScore]:
    """Row -> its score, of all processes.

    Raises UserError for what the user can mend, and MachineError for a process that fails.
    """
    count = min(layout.processes, max(1, len(passes.rows)))
    if count == 1:
        return score_passes(str(model), passes, dtype, spread=layout.gpus_each > 1)
    with tempfile.TemporaryDirectory(prefix="rasft-score-") as scratch:
        folder = Path(scratch)
        _write(folder, model, passes, dtype, layout.gpus_each > 1)
        with ExitStack() as running:
            started = [
                running.enter_context(_process(folder, number, count, own))
                for number, own in enumerate(layout.environments(count))
            ]
            for process in started:
                _wait(folder, process)
        return {
            row: score
            for number in range(count)
            for row, score in _read(folder, passes.share(number, count).rows, number)
        }


def _write(folder: Path, model: Path, passes: Passes, dtype: str, spread: bool) -> None:
    tables.write(tables.to_table(passes.examples, TrainingExample), folder / EXAMPLES)
    job = {"model": str(model), "dtype": dtype, "packed": passes.packed, "spread": spread}
    (folder / PASSES).write_text(json.dumps({**job, "rows": passes.rows}), encoding="utf-8")


@contextmanager
def _process(
    folder: Path, number: int, count: int, own: dict[str, str]
) -> Iterator[subprocess.Popen[bytes]]:
    """One of them, which is gone when this is left."""
    line = [sys.executable, "-m", "rasft.training.scoring_processes"]
    process = subprocess.Popen(
        [*line, str(folder), str(number), str(count)], env={**child_environment(), **own}
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def _wait(folder: Path, process: subprocess.Popen[bytes]) -> None:
    if not (code := process.wait()):
        return
    if (folder / ERROR).is_file():
        raise UserError((folder / ERROR).read_text(encoding="utf-8"))
    raise MachineError(f"a scoring process ended with code {code}; what it said stands above")


def _read(
    folder: Path, rows: Sequence[tuple[int, ...]], number: int
) -> Iterator[tuple[int, SequenceScore]]:
    scores = tables.from_table(tables.read(folder / SCORES.format(number)), SequenceScore)
    return zip((row for made in rows for row in made), scores, strict=True)


def _main() -> int:
    folder, number, count = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    job = json.loads((folder / PASSES).read_text(encoding="utf-8"))
    examples = tables.from_table(tables.read(folder / EXAMPLES), TrainingExample)
    rows = [tuple(made) for made in job["rows"]]
    mine = Passes(examples, rows, job["packed"]).share(number, count)
    try:
        scores = score_passes(job["model"], mine, job["dtype"], job["spread"])
    except UserError as error:
        (folder / ERROR).write_text(str(error), encoding="utf-8")
        return 1
    made = [scores[row] for rows in mine.rows for row in rows]
    tables.write(tables.to_table(made, SequenceScore), folder / SCORES.format(number))
    return 0


if __name__ == "__main__":
    sys.exit(_main())
