"""What a training hands on: a Hugging Face folder, with its adapters and its curve."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import torch

from rasft.models.adapters import ADAPTER, name_base
from rasft.models.language_model import load_tokenizer, save_checked, stop_at
from rasft.training.loop.trackers import RUNS, event_folder
from rasft.training.loop.trainer import Trainer
from rasft.training.model.lora import merge_checked
from rasft.training.model.zero3 import whole_weights
from rasft.training.storage.example_store import ExampleStore
from rasft.training.storage.jobs import EXAMPLES, MODEL, TrainingJob


def save_trained(trainer: Trainer, job: TrainingJob, job_dir: Path) -> None:
    """Write the trained model into the job's folder, checked by reading it back.

    Every process calls it. Raises MachineError if what was read back is not what was trained.
    """
    state = whole_weights(trainer.accelerator, trainer.module)
    if trainer.accelerator.is_main_process:
        weights = {name.removeprefix("model."): value.cpu() for name, value in state.items()}
        if trainer.adapted:
            _save_merged(trainer.adapted, weights, job, job_dir)
        else:
            _save(trainer.model, weights, job, job_dir)
        if (events := event_folder(job_dir)).is_dir():
            shutil.copytree(events, job_dir / MODEL / RUNS)
    trainer.accelerator.wait_for_everyone()


def _save(model: Any, weights: dict[str, torch.Tensor], job: TrainingJob, job_dir: Path) -> None:
    """The weights, with what makes the model be served as it was trained."""
    stop_at(model, job.served.stop_token_ids)
    tokenizer = load_tokenizer(job.model, job.served.chat_template)
    save_checked(model, weights, tokenizer, job_dir / MODEL)


def _save_merged(
    adapted: Any, weights: dict[str, torch.Tensor], job: TrainingJob, job_dir: Path
) -> None:
    """The adapters beside the weights they were merged into."""
    adapter = job_dir / ADAPTER
    shutil.rmtree(adapter, ignore_errors=True)
    adapted.save_pretrained(
        adapter, state_dict={f"base_model.model.{name}": value for name, value in weights.items()}
    )
    name_base(adapter, Path(job.model))
    probe = torch.tensor([ExampleStore(job_dir / EXAMPLES).take([0])[0].input_ids])
    merged = merge_checked(job.model, adapter, probe)
    _save(merged, merged.state_dict(), job, job_dir)
    shutil.move(adapter, job_dir / MODEL / ADAPTER)
