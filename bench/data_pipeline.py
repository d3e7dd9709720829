"""Speed and memory of a training by its number of examples: do both stay?

    python -m bench.data_pipeline --examples 10000 200000

Two readings of each size, by processes of their own that take turns. `data`: map the file, plan
optimizer steps over all of its rows, collate their micro-batches. `training`: the trainer's own
steps on them, with a model of 0.4 million parameters, the least that could hide the data's cost.
Rows repeat real lengths (MATH) or, without RASFT_DATA_DIR, drawn ones. Prints JSON: medians of
tokens a second of CPU time over equally many steps, and a process's anonymous memory at its end
(pages of the file can be dropped at any time).
"""

from __future__ import annotations

import argparse
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import torch

from rasft.config.settings import ModelConfig, TrainingConfig
from rasft.models import sources
from rasft.records import TrainingExample
from rasft.tables import schema
from rasft.training.launch.program import open_accelerator
from rasft.training.loop.trainer import Trainer
from rasft.training.model.batching import Layout, Order, collate, plan_step
from rasft.training.storage.example_store import ExampleStore
from rasft.training.storage.jobs import EXAMPLES, TrainingJob, read_job, write_job

BATCH, BUDGET, STEPS = 256, 8192, 8
VOCABULARY = 250  # below the tiny model's
CHARACTERS_A_TOKEN = 3.5


def lengths_of(count: int) -> list[tuple[int, int]]:
    """(prompt, response) tokens of so many rows."""
    draw = random.Random(0)
    data = os.environ.get("RASFT_DATA_DIR")
    if not data:
        return [(draw.randrange(30, 150), draw.randrange(50, 600)) for _ in range(count)]
    lines = (Path(data) / "math/train/math_train.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    real = [
        tuple(max(2, round(len(row[key]) / CHARACTERS_A_TOKEN)) for key in ("problem", "solution"))
        for row in rows
    ]
    return [real[i % len(real)] for i in range(count)]


def table_of(lengths: list[tuple[int, int]]) -> pa.Table:
    """TrainingExample rows of these lengths, made column by column."""
    ids = np.cumsum([0, *(p + r for p, r in lengths)], dtype=np.int32)
    responses = np.cumsum([0, *(r for _, r in lengths)], dtype=np.int32)
    columns = {
        "problem_id": pa.array([f"p{i}" for i in range(len(lengths))]),
        "sample_index": pa.array(np.full(len(lengths), -1)),
        "input_ids": pa.ListArray.from_arrays(ids, pa.array(np.arange(ids[-1]) % VOCABULARY)),
        "prompt_tokens": pa.array([p for p, _ in lengths]),
        "weight": pa.array(np.ones(len(lengths))),
        "reference_logps": pa.ListArray.from_arrays(
            responses, pa.array(np.full(responses[-1], -0.5))
        ),
    }
    return pa.table(columns).cast(schema(TrainingExample))


def collated(job_dir: Path) -> tuple[int, float]:
    """(tokens, CPU seconds) of the data of some optimizer steps."""
    store = ExampleStore(job_dir / EXAMPLES)
    store.check(VOCABULARY, needs_reference=True)
    order, layout = Order(len(store), BATCH, 1.0, seed=0), Layout(BUDGET)
    tokens, start = 0, time.process_time()
    for index in some_of(order.steps):
        for group in plan_step(order.step(index), store.lengths, layout, processes=1)[0]:
            tokens += sum(collate(store.take(group)).lengths)
    return tokens, time.process_time() - start


def trained(job_dir: Path) -> tuple[int, float]:
    """(tokens, CPU seconds) of some optimizer steps."""
    torch.set_num_threads(1)  # threads that wait spinning would be counted
    job = read_job(job_dir)
    trainer = Trainer(job, ExampleStore(job_dir / EXAMPLES), open_accelerator(job, 1, job_dir))
    start = time.process_time()
    tokens = sum(trainer.step(index).tokens for index in some_of(trainer.order.steps))
    return tokens, time.process_time() - start


KINDS = {"data": collated, "training": trained}


def some_of(steps: int) -> list[int]:
    """Steps from the whole of a training, but its last, which may be short."""
    return [int(index) for index in np.linspace(0, steps - 2, STEPS)]


def read(job_dir: Path, kind: str) -> dict[str, float]:
    """One reading."""
    tokens, seconds = KINDS[kind](job_dir)
    return {"tokens_per_cpu_second": tokens / seconds, "anonymous_mb": anonymous_bytes() / 1e6}


def anonymous_bytes() -> int:
    """What this process holds beside mapped files."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("RssAnon:"))


def lay_out(job_dir: Path, count: int) -> None:
    """A job with so many examples."""
    training = TrainingConfig(batch_size=BATCH, micro_batch_tokens=BUDGET, spike_factor=None)
    model = sources.resolve(ModelConfig(path="embedded:tiny-llama"))
    job = TrainingJob(str(model), training.model_copy(update={"trackers": ()}), "float32", seed=0)
    job_dir.mkdir()
    write_job(job_dir, job, table_of(lengths_of(count)))


def reading(job_dir: Path, kind: str) -> dict[str, float]:
    """One reading by a process of its own."""
    line = [sys.executable, "-m", "bench.data_pipeline", "--read", str(job_dir), "--kind", kind]
    return json.loads(subprocess.check_output(line).splitlines()[-1])


def measured(counts: list[int], repeats: int) -> dict[str, dict[str, Any]]:
    """Medians by kind and size; sizes take turns."""
    with tempfile.TemporaryDirectory() as folder:
        places = {count: Path(folder) / str(count) for count in counts}
        for count, place in places.items():
            lay_out(place, count)
        runs = [
            (kind, count, reading(place, kind))
            for kind in KINDS
            for _ in range(repeats)
            for count, place in places.items()
        ]
    return {
        kind: {
            str(count): _median([r for k, c, r in runs if (k, c) == (kind, count)])
            for count in counts
        }
        for kind in KINDS
    }


def _median(readings: list[dict[str, float]]) -> dict[str, float]:
    return {
        name: round(statistics.median(each[name] for each in readings), 1) for name in readings[0]
    }


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.data_pipeline", description=__doc__)
    parser.add_argument("--examples", type=int, nargs="+", default=[10_000, 200_000])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--read", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--kind", choices=list(KINDS), default="data", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.read:
        print(json.dumps(read(arguments.read, arguments.kind)))
        return
    found = measured(arguments.examples, arguments.repeats)
    for sizes in found.values():
        speeds = [each["tokens_per_cpu_second"] for each in sizes.values()]
        sizes["slowest_to_fastest"] = round(min(speeds) / max(speeds), 3)
    print(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
