"""Time and memory of loading training problems, by number of rows.

    python -m bench.data_loading --rows 50000 200000

Each size is a JSONL file of its own, read by a process of its own: mapped to problems, checked,
cleared of a benchmark's problems and of near-duplicates, all on by default. Its words are drawn
from real problems (RASFT_DATA_DIR) or made up. Prints JSON: rows a second of CPU time, the size of
the Arrow table, and the most memory beyond what the process had before.
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
from typing import Any

import pyarrow as pa

from rasft.config import files as config_files
from rasft.data import problems
from rasft.training.loop.log import peak_memory_bytes

PROMPT_WORDS, RESPONSE_WORDS = 40, 110
BENCHMARK = {"name": "heldout_math", "limit": 500}


def vocabulary() -> list[str]:
    """Words of real problems, where there are any."""
    data = os.environ.get("RASFT_DATA_DIR")
    if not data:
        return [f"word{n}" for n in range(20_000)]
    text = Path(data, "math/train/math_train.jsonl").read_text(encoding="utf-8")
    return sorted(
        {word for line in text.splitlines() for word in json.loads(line)["problem"].split()}
    )


def write(path: Path, count: int) -> None:
    """A file of so many rows, none like another."""
    draw, words = random.Random(0), vocabulary()
    with path.open("w", encoding="utf-8") as file:
        for number in range(count):
            row = {
                "prompt": " ".join(draw.choices(words, k=PROMPT_WORDS)),
                "expert_response": " ".join(draw.choices(words, k=RESPONSE_WORDS)),
                "answer": str(number),
            }
            file.write(json.dumps(row) + "\n")


def load(path: Path) -> dict[str, Any]:
    """Load one file in this process."""
    config = config_files.build(
        {
            "name": "loading",
            "model": {"path": "embedded:tiny-llama"},
            "data": {
                "datasets": [{"name": "jsonl", "options": {"path": str(path), "verifier": "math"}}]
            },
            "prompts": {"math": {}},
            "evaluation": {"benchmarks": [BENCHMARK]},
        }
    )
    benchmark = problems.load_benchmark(config.evaluation.benchmarks[0], None)
    before, start = peak_memory_bytes(), time.process_time()
    table, dropped, _ = problems.load_problems(config, None, [benchmark])
    seconds = time.process_time() - start
    return {
        "rows": table.num_rows + len(dropped),
        "dropped": len(dropped),
        "rows_per_cpu_second": round(table.num_rows / seconds),
        "file_mb": round(path.stat().st_size / 1e6),
        "table_mb": round(table.nbytes / 1e6),
        "arrow_peak_mb": round(pa.default_memory_pool().max_memory() / 1e6),
        "memory_mb": round((peak_memory_bytes() - before) / 1e6),
    }


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.data_loading", description=__doc__)
    parser.add_argument("--rows", type=int, nargs="+", default=[50_000, 200_000])
    parser.add_argument("--read", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.read:
        print(json.dumps(load(arguments.read)))
        return
    with tempfile.TemporaryDirectory() as folder:
        found = []
        for count in arguments.rows:
            path = Path(folder, f"{count}.jsonl")
            write(path, count)
            line = [sys.executable, "-m", "bench.data_loading", "--read", str(path)]
            found.append(json.loads(subprocess.check_output(line)))
    print(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
