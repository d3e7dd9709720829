"""The training program: `python -m rasft.training.launch.program JOB_DIR --processes N`.

It is started by `accelerate launch` (see `launcher`), one process for each device; JOB_DIR is laid
out by `jobs`. It resumes from the newest checkpoint of the same job, saves one every so often, and
on SIGTERM saves one and ends, to be started again.
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

import torch
from accelerate import Accelerator
from accelerate.utils import gather_object, set_seed
from torch.distributed.fsdp import MixedPrecisionPolicy
from transformers.utils.logging import disable_progress_bar

from rasft.errors import MachineError, UserError
from rasft.models.language_model import DTYPES
from rasft.records import TrainingStep
from rasft.training.loop.log import peak_memory_bytes
from rasft.training.loop.saving import save_trained
from rasft.training.loop.steps import Stopped, run_steps
from rasft.training.loop.trackers import check_trackers, event_folder, start_trackers
from rasft.training.loop.trainer import LESS_MEMORY, Trainer
from rasft.training.model.zero3 import prepare_zero3
from rasft.training.storage.checkpoints import Checkpoints, save_state
from rasft.training.storage.example_store import ExampleStore
from rasft.training.storage.jobs import (
    CHECKPOINTS,
    ERROR,
    EXAMPLES,
    FAILED,
    STATE,
    SUMMARY,
    TrainingJob,
    digest_of,
    read_job,
    write_json,
)

PRECISION = {"float32": "no", "bfloat16": "bf16", "float16": "fp16"}
STOPPED = 75  # exit code: told to end, the state is saved, start again


def train(job_dir: Path, processes: int) -> None:
    """Run the job of a folder and leave the trained model there, the summary last.

    Raises UserError for a job that cannot be trained, or if there are not `processes` processes,
    and Stopped after SIGTERM.
    """
    start = time.monotonic()
    job = read_job(job_dir)
    accelerator = open_accelerator(job, processes, job_dir)
    digest = digest_of(job_dir)
    check_same_job(digest)
    set_seed(job.seed, device_specific=True)
    trainer = Trainer(job, ExampleStore(job_dir / EXAMPLES), accelerator)
    kept = job.training.checkpoints_kept
    checkpoints = Checkpoints(job_dir / CHECKPOINTS, digest, accelerator, kept)
    start_trackers(accelerator, job.training)
    rows = run_steps(trainer, checkpoints, job_dir)
    save_trained(trainer, job, job_dir)
    if job.position.is_followed and not trainer.adapted:
        save_state(accelerator, job_dir / STATE)
    if accelerator.is_main_process:
        write_json(job_dir / SUMMARY, summarise(rows, processes, time.monotonic() - start))
    if accelerator.is_local_main_process:
        checkpoints.remove_all()
    end(accelerator)


def end(accelerator: Accelerator) -> None:
    """Close the trackers and leave the others; of several processes this one ends here, with 0."""
    accelerator.end_training()
    if accelerator.num_processes > 1:
        leave(0)


def leave(code: int) -> NoReturn:
    """End this process at once.

    The destructor of a process group can wait for ever for a process that has gone before (seen
    with gloo and two on a busy machine), and by now there is nothing left to wait for.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def open_accelerator(job: TrainingJob, processes: int, job_dir: Path) -> Accelerator:
    """Join the processes of this launch and check that there are as many as were asked for."""
    on_cpu = not torch.cuda.is_available()
    if on_cpu and job.dtype == "float16":
        raise UserError("model.dtype float16 trains on a GPU alone: use bfloat16 or float32")
    check_trackers(job.training.trackers)
    accelerator = Accelerator(
        cpu=on_cpu,
        mixed_precision=PRECISION[job.dtype],
        log_with=list(job.training.trackers) or None,
        project_dir=event_folder(job_dir),
    )
    if accelerator.is_fsdp2 and job.dtype != "float32":
        accelerator.state.fsdp_plugin.mixed_precision_policy = precision_of_shards(job.dtype)
    prepare_zero3(accelerator)
    if accelerator.num_processes != processes:
        raise UserError(
            f"training was to run on {processes} processes but was started on "
            f"{accelerator.num_processes}: check training.processes and the launcher's file "
            "in configs/accelerate"
        )
    return accelerator


def precision_of_shards(dtype: str) -> MixedPrecisionPolicy:
    """Weights are used in this dtype; log-probs come out, and gradients are added up, in fp32.

    Accelerate would hand the log-probs on in the same dtype: in steps of 1/32 nat below -4.
    """
    return MixedPrecisionPolicy(param_dtype=DTYPES[dtype], reduce_dtype=torch.float32)


def check_same_job(digest: str) -> None:
    """Raise UserError unless every process was given the same job."""
    if len(jobs := set(gather_object([digest]))) > 1:
        raise UserError(
            f"the nodes were given {len(jobs)} different jobs: model, settings and examples must "
            "be the same on each"
        )


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


def arguments_of(description: str | None) -> argparse.Namespace:
    """The command line of a program that `launcher` starts."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("job_dir", type=Path)
    parser.add_argument("--processes", type=int, required=True, help="refuse to run on fewer")
    return parser.parse_args()


def main() -> int:
    """The command line. A failure that the user can mend is one sentence and exit code 1."""
    arguments = arguments_of(__doc__)
    disable_progress_bar()  # type: ignore[no-untyped-call]
    logging.getLogger("accelerate").setLevel(logging.ERROR)  # tied weights are no news
    code = _trained(arguments.job_dir, arguments.processes)
    return leave(code) if code and arguments.processes > 1 else code


def _trained(job_dir: Path, processes: int) -> int:
    try:
        train(job_dir, processes)
    except UserError as error:
        return _failed(job_dir, str(error))
    except torch.OutOfMemoryError as error:
        said = (str(error) or "no more is said").splitlines()[0].removesuffix(".")
        return _failed(job_dir, f"out of GPU memory: {said}; {LESS_MEMORY}")
    except (MachineError, OSError) as error:  # a traceback would hide which file could not be had
        print(f"{FAILED}{error}", file=sys.stderr)
        return 2
    except Stopped as stopped:
        print(stopped, flush=True)
        return STOPPED
    return 0


def _failed(job_dir: Path, sentence: str) -> int:
    write_json(job_dir / ERROR, {"message": sentence})
    print(f"{FAILED}{sentence}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
