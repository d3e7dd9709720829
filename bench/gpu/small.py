"""A small training for what does not depend on the size: a model folder, rows, a trainer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from accelerate.state import AcceleratorState

from bench.gpu import lengths
from rasft import tables
from rasft.config.settings import TrainingConfig
from rasft.models import tiny_llama
from rasft.records import TrainingExample
from rasft.training.launch.program import open_accelerator
from rasft.training.loop.trainer import Trainer
from rasft.training.storage.example_store import ExampleStore
from rasft.training.storage.jobs import EXAMPLES, TrainingJob, read_job, write_job

CONFIG = TrainingConfig(
    method="sft", epochs=4.0, batch_size=4, learning_rate=1e-3, micro_batch_tokens=100, trackers=()
)
SIZE = tiny_llama.Size(hidden=128, intermediate=256, layers=2, heads=2, key_value_heads=1)


def model(folder: Path) -> Path:
    """A tiny Llama; its heads have 64 numbers each, which attention kernels want."""
    return tiny_llama.build(folder / "model", size=SIZE)


def rows(vocabulary: int = 250) -> list[TrainingExample]:
    """Eight sequences of random tokens."""
    return lengths.sequences([*lengths.TOY, *lengths.TOY[:3]], vocabulary)


def trainer(
    folder: Path,
    base: Path,
    examples: list[TrainingExample],
    dtype: str = "float32",
    **changes: Any,
) -> Trainer:
    """A trainer in this process, with a job folder of its own."""
    AcceleratorState._reset_state(reset_partial_state=True)
    settings = CONFIG.model_copy(update=changes)
    table = tables.to_table(examples, TrainingExample)
    write_job(folder, TrainingJob(str(base), settings, dtype, seed=1), table)
    job = read_job(folder)
    return Trainer(job, ExampleStore(folder / EXAMPLES), open_accelerator(job, 1, folder))
