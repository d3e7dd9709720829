"""The gradient of a job's first step.

    python -m rasft.training.launch.gradient JOB_DIR --processes N

Started as the training program is, one process for each device, it computes what the first step
would apply, writes it beside the job and changes nothing. Preflight compares it with one process's.
"""

from __future__ import annotations

import sys
from pathlib import Path

from safetensors.torch import save_file

from rasft.training.launch.program import arguments_of, end, open_accelerator
from rasft.training.loop.trainer import Trainer
from rasft.training.storage.example_store import ExampleStore
from rasft.training.storage.jobs import EXAMPLES, GRADIENT, read_job


def write_gradient(job_dir: Path, processes: int) -> None:
    """Write each parameter's gradient, named by its place, to the job's folder."""
    job = read_job(job_dir)
    accelerator = open_accelerator(job, processes, job_dir)
    trainer = Trainer(job, ExampleStore(job_dir / EXAMPLES), accelerator)
    trainer.accumulate(0, trainer.order.step(0))
    if accelerator.is_main_process:
        gradients = {
            f"{place:06}": parameter.grad.cpu().contiguous()
            for place, parameter in enumerate(trainer.module.parameters())
            if parameter.grad is not None
        }
        save_file(gradients, job_dir / GRADIENT)
    end(accelerator)


if __name__ == "__main__":
    arguments = arguments_of(__doc__)
    write_gradient(arguments.job_dir, arguments.processes)
    sys.exit(0)
