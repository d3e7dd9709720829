"""Speed and memory of the training's data, from Arrow on disk to tensors, by number of examples.

    python -m bench.data_pipeline --examples 10000 200000

Each size runs in a process of its own: it maps the file, plans optimizer steps over all of its
rows and collates their micro-batches, as the trainer does. Rows repeat real lengths (MATH) or,
without RASFT_DATA_DIR, drawn ones. Prints JSON: tokens a second of CPU time for equally many
steps, and the process's anonymous memory (pages of the file can be dropped at any time).
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa

from rasft.records import TrainingExample
from rasft.tables import schema
from rasft.training.batching import Layout, Order, collate, plan_step
from rasft.training.example_store import ExampleStore, write_store

BATCH, BUDGET, STEPS = 256, 8192, 8
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
        "input_ids": pa.ListArray.from_arrays(ids, pa.array(np.arange(ids[-1]) % 49_000)),
        "prompt_tokens": pa.array([p for p, _ in lengths]),
        "weight": pa.array(np.ones(len(lengths))),
        "reference_logps": pa.ListArray.from_arrays(
            responses, pa.array(np.full(responses[-1], -0.5))
        ),
    }
    return pa.table(columns).cast(schema(TrainingExample))


def read(path: Path) -> dict[str, float]:
    """Collate some optimizer steps of a file."""
    store = ExampleStore(path)
    store.check(49_152, needs_reference=True)
    order, layout = Order(len(store), BATCH, 1.0, seed=0), Layout(BUDGET)
    tokens, start = 0, time.process_time()
    for index in np.linspace(0, order.steps - 2, STEPS).astype(int):
        rows = order.step(int(index))
        for group in plan_step(rows, store.lengths, layout, processes=1)[0]:
            tokens += sum(collate(store.take(group)).lengths)
    seconds = time.process_time() - start
    return {
        "examples": len(store),
        "file_mb": round(path.stat().st_size / 1e6, 1),
        "tokens": tokens,
        "tokens_per_cpu_second": round(tokens / seconds),
        "anonymous_memory_mb": round(anonymous_bytes() / 1e6, 1),
    }


def anonymous_bytes() -> int:
    """What this process holds beside mapped files."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("RssAnon:"))


def measured(folder: Path, count: int, repeats: int) -> list[dict[str, float]]:
    """`repeats` readings, each by a process of its own."""
    path = folder / f"{count}.arrow"
    write_store(table_of(lengths_of(count)), path)
    line = [sys.executable, "-m", "bench.data_pipeline", "--read", str(path)]
    return [json.loads(subprocess.check_output(line)) for _ in range(repeats)]


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.data_pipeline", description=__doc__)
    parser.add_argument("--examples", type=int, nargs="+", default=[10_000, 200_000])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--read", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.read:
        print(json.dumps(read(arguments.read)))
        return
    with tempfile.TemporaryDirectory() as folder:
        runs = {n: measured(Path(folder), n, arguments.repeats) for n in arguments.examples}
    best = [max(rows, key=lambda row: row["tokens_per_cpu_second"]) for rows in runs.values()]
    speeds = [row["tokens_per_cpu_second"] for row in best]
    print(json.dumps({"sizes": best, "slowest_to_fastest": min(speeds) / max(speeds)}, indent=2))


if __name__ == "__main__":
    main()
