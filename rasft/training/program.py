"""The training program: `python -m rasft.training.program JOB_DIR --processes N`.

It is started by `accelerate launch` (see `launcher`), one process for each device; JOB_DIR is laid
out by `jobs`. It resumes from the newest checkpoint of the same job, saves one every so often, and
on SIGTERM saves one and ends, to be started again.
"""

from __future__ import annotations

import argparse
import logging
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import Any

import torch
from accelerate import Accelerator
from accelerate.utils import set_seed
from transformers.utils.logging import disable_progress_bar

from rasft.config import TrainingConfig
from rasft.errors import UserError
from rasft.records import TrainingStep
from rasft.training.checkpoints import Checkpoints, digest_of
from rasft.training.example_store import ExampleStore, convert
from rasft.training.jobs import (
    ARROW,
    CHECKPOINTS,
    CURVE,
    ERROR,
    EXAMPLES,
    MODEL,
    PREFLIGHT,
    SUMMARY,
    TrainingJob,
    read_job,
    write_json,
)
from rasft.training.language_model import load_tokenizer, save_checked
from rasft.training.log import TrainingLog, peak_memory_bytes
from rasft.training.preflight import preflight
from rasft.training.trainer import Trainer

PRECISION = {"float32": "no", "bfloat16": "bf16", "float16": "fp16"}
STOPPED = 75  # exit code: told to end, the state is saved, start again


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


def train(job_dir: Path, processes: int) -> None:
    """Run the job of a folder and leave the trained model there, the summary last.

    Raises UserError for a job that cannot be trained, or if there are not `processes` processes,
    and Stopped after SIGTERM.
    """
    start = time.monotonic()
    job = read_job(job_dir)
    accelerator = open_accelerator(job.dtype, processes)
    set_seed(job.seed, device_specific=True)
    if accelerator.is_local_main_process:
        convert(job_dir / EXAMPLES, job_dir / ARROW)
    accelerator.wait_for_everyone()
    store = ExampleStore(job_dir / ARROW)
    if job.training.preflight and accelerator.is_main_process:
        check_first(job, store, job_dir)
    trainer = Trainer(job, store, accelerator)
    digest = digest_of(job, job_dir / ARROW)
    kept = job.training.checkpoints_kept
    checkpoints = Checkpoints(job_dir / CHECKPOINTS, digest, accelerator, kept)
    rows = run_steps(trainer, checkpoints, job_dir / CURVE)
    _save(trainer, job, job_dir)
    if accelerator.is_main_process:
        write_json(job_dir / SUMMARY, summarise(rows, processes, time.monotonic() - start))
        checkpoints.remove_all()
    accelerator.end_training()


def check_first(job: TrainingJob, store: ExampleStore, job_dir: Path) -> None:
    """Preflight: its result is kept; a check that fails is a UserError."""
    checks = preflight(job, store, load_tokenizer(job.model).eos_token_id)
    write_json(job_dir / PREFLIGHT, {"checks": [vars(check) for check in checks]})
    for check in checks:
        print(f"preflight: {check.name}: {check.detail}", flush=True)
    failed = [f"{check.name}: {check.detail}" for check in checks if not check.passed]
    if failed:
        raise UserError(f"preflight failed: {'; '.join(failed)}")


def run_steps(trainer: Trainer, checkpoints: Checkpoints, curve: Path) -> list[TrainingStep]:
    """The steps that are left; returns the rows of all. Raises Stopped after SIGTERM."""
    clock = SaveClock(trainer.config, trainer.accelerator)
    log = TrainingLog(curve, trainer.order.steps, checkpoints.resume())
    for index in range(len(log.rows), trainer.order.steps):
        log.add(trainer.step(index), speak=trainer.accelerator.is_main_process)
        if index + 1 == trainer.order.steps:
            break
        save, end = clock.ask(index + 1)
        if save:
            checkpoints.save(log.rows)
        if end:
            raise Stopped(f"told to end: saved a checkpoint after step {index + 1}")
    return log.rows


def open_accelerator(dtype: str, processes: int) -> Accelerator:
    """Join the processes of this launch and check that there are as many as were asked for."""
    on_cpu = not torch.cuda.is_available()
    if on_cpu and dtype == "float16":
        raise UserError("model.dtype float16 trains on a GPU alone: use bfloat16 or float32")
    accelerator = Accelerator(cpu=on_cpu, mixed_precision=PRECISION[dtype])
    if accelerator.num_processes != processes:
        raise UserError(
            f"training was to run on {processes} processes but was started on "
            f"{accelerator.num_processes}: check training.processes and the launcher's file "
            "in configs/accelerate"
        )
    return accelerator


def summarise(rows: Sequence[TrainingStep], processes: int, seconds: float) -> dict[str, Any]:
    """What a training did, in numbers."""
    return {
        "processes": processes,
        "steps": len(rows),
        "sequences": sum(row.sequences for row in rows),
        "tokens": sum(row.tokens for row in rows),
        "response_tokens": sum(row.response_tokens for row in rows),
        "final_loss": rows[-1].loss,
        "final_nll": rows[-1].nll,
        "peak_memory_bytes": peak_memory_bytes(),
        "step_seconds": sum(row.seconds for row in rows),
        "seconds": seconds,
    }


def _save(trainer: Trainer, job: TrainingJob, job_dir: Path) -> None:
    state = trainer.accelerator.get_state_dict(trainer.module)
    if trainer.accelerator.is_main_process:
        weights = {name.removeprefix("model."): value.cpu() for name, value in state.items()}
        save_checked(trainer.model, weights, load_tokenizer(job.model), job_dir / MODEL)
    trainer.accelerator.wait_for_everyone()


def main() -> int:
    """The command line. A failure that the user can mend is one sentence and exit code 1."""
    parser = argparse.ArgumentParser(prog="python -m rasft.training.program", description=__doc__)
    parser.add_argument("job_dir", type=Path)
    parser.add_argument("--processes", type=int, required=True, help="refuse to run on fewer")
    arguments = parser.parse_args()
    disable_progress_bar()  # type: ignore[no-untyped-call]
    logging.getLogger("accelerate").setLevel(logging.ERROR)  # tied weights are no news
    try:
        train(arguments.job_dir, arguments.processes)
    except UserError as error:
        write_json(arguments.job_dir / ERROR, {"message": str(error)})
        print(f"training failed: {error}", file=sys.stderr)
        return 1
    except Stopped as stopped:
        print(stopped, flush=True)
        return STOPPED
    return 0


if __name__ == "__main__":
    sys.exit(main())
