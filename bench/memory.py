"""What a training step and a scoring pass hold at their peak, against what the formulas say.

    python -m bench.memory --tokens 1024

Each way runs in a process of its own, SmolLM2-135M in bfloat16 over fp32 weights, two optimizer
steps: the second has the optimizer's state from the first. Measured is the most resident memory
beyond what the process held before the model was there. Prints JSON: GB, and formula / measured.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from accelerate.state import AcceleratorState

from bench.train_step import _status
from rasft import tables
from rasft.config.settings import LoraSettings, ModelConfig, TrainingConfig
from rasft.models import memory, sources
from rasft.models.shape import read_shape
from rasft.records import TrainingExample
from rasft.training.launch.program import open_accelerator
from rasft.training.loop.trainer import Trainer
from rasft.training.scoring import score
from rasft.training.storage.example_store import ExampleStore
from rasft.training.storage.jobs import EXAMPLES, Served, TrainingJob, read_job, write_job

MODEL = ModelConfig(path="embedded:smollm2-135m")
DTYPE = "bfloat16"
LENGTH, PROMPT = 256, 16  # tokens of a sequence, and of its prompt
WAYS: dict[str, dict[str, Any]] = {
    "training": {},
    "training, checkpointing": {"gradient_checkpointing": True},
    "training, LoRA": {"lora": LoraSettings()},
    "scoring": {},
}


def settings_of(way: str, tokens: int) -> TrainingConfig:
    """A training whose steps are two passes each."""
    return TrainingConfig(
        method="sft",
        batch_size=2 * tokens // LENGTH,
        max_steps=2,
        micro_batch_tokens=tokens,
        trackers=(),
        **WAYS[way],
    )


def measure(way: str, tokens: int) -> int:
    """Bytes at the peak."""
    folder = sources.resolve(MODEL)
    count = 4 * tokens // LENGTH
    ids = [tuple(range(100 + i, 100 + i + LENGTH)) for i in range(count)]
    before = _status("VmRSS")
    if way == "scoring":
        rows = [(str(i), 0, each[:PROMPT], each[PROMPT:]) for i, each in enumerate(ids)]
        score(str(folder), rows, DTYPE, tokens)
        return _status("VmHWM") - before
    examples = [TrainingExample(str(i), 0, each, PROMPT, 1.0, ()) for i, each in enumerate(ids)]
    with tempfile.TemporaryDirectory() as scratch:
        job = TrainingJob(str(folder), settings_of(way, tokens), DTYPE, 1, served=Served((2,)))
        write_job(Path(scratch), job, tables.to_table(examples, TrainingExample))
        AcceleratorState._reset_state(reset_partial_state=True)
        accelerator = open_accelerator(read_job(Path(scratch)), 1, Path(scratch))
        trainer = Trainer(job, ExampleStore(Path(scratch) / EXAMPLES), accelerator)
        for index in range(2):
            trainer.step(index)
    return _status("VmHWM") - before


def predicted(way: str, tokens: int) -> float:
    """Bytes by the formulas."""
    shape, batch = read_shape(MODEL), memory.Batch(tokens, LENGTH)
    if way == "scoring":
        return sum(memory.scoring(shape, DTYPE, batch).values())
    return sum(memory.training(shape, settings_of(way, tokens), DTYPE, LENGTH, gpus=1).values())


def main() -> None:
    """The command line; with --way the process of one of them."""
    parser = argparse.ArgumentParser(prog="python -m bench.memory", description=__doc__)
    parser.add_argument("--tokens", type=int, default=1024)
    parser.add_argument("--way", choices=list(WAYS))
    arguments = parser.parse_args()
    if arguments.way:
        print(measure(arguments.way, arguments.tokens))
        return
    result = {}
    for way in WAYS:
        line = [sys.executable, "-m", "bench.memory", "--tokens", str(arguments.tokens)]
        # large blocks go straight back to the system, so that what is held can be seen
        environment = {**os.environ, "MALLOC_MMAP_THRESHOLD_": "65536"}
        done = subprocess.run(
            [*line, "--way", way], env=environment, stdout=subprocess.PIPE, text=True, check=True
        )
        held, told = int(done.stdout.split()[-1]), predicted(way, arguments.tokens)
        result[way] = {
            "measured_gb": round(held / 1e9, 2),
            "formula_gb": round(told / 1e9, 2),
            "formula_over_measured": round(told / held, 2),
        }
        print(json.dumps({way: result[way]}), file=sys.stderr, flush=True)
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
