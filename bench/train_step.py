"""Speed and transient memory of a training step, against the authors' step as it is described.

    python -m bench.train_step --sequences 16 --repeats 3 --gradient-sequences 2
    python -m bench.train_step --only "packed 2200" --repeats 2          a part of it

The baseline is `authors_step`. Each variant changes what its name says; all of them train on the
same real sequences (MATH solutions) and take turns in one process, so that a busy machine slows
them alike. Prints JSON: medians of wall and CPU time, speed and transient memory relative to the
baseline, gradient error relative to a float64 oracle. On a busy machine read the CPU time, with
OMP_NUM_THREADS=1. With --memory large blocks go straight back to the system, so that what a step
holds can be seen; that costs time, so speed is read without.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from bench.authors_step import MICRO_BATCH
from bench.step_variants import BASELINE, SCORING, Variants, load_sequences
from rasft.config.settings import ModelConfig
from rasft.models import sources
from rasft.models.language_model import DTYPES, load_tokenizer
from rasft.records import TrainingExample
from rasft.training.loop.log import peak_memory_bytes


@dataclass(frozen=True)
class Cost:
    """What a step took; `held` is the most memory beyond what it found, in bytes."""

    wall: float
    cpu: float  # of all threads: a busy machine changes it little
    held: int


def cost_of(step: Callable[[], Any]) -> Cost:
    """Run the step once."""
    on_gpu = torch.cuda.is_available()
    if on_gpu:
        torch.cuda.synchronize()
        torch.cuda.reset_peak_memory_stats()
    else:
        Path("/proc/self/clear_refs").write_text("5")  # forget the peak
    before = torch.cuda.memory_allocated() if on_gpu else _status("VmRSS")
    wall, cpu = time.perf_counter(), time.process_time()
    step()
    if on_gpu:
        torch.cuda.synchronize()
    peak = torch.cuda.max_memory_allocated() if on_gpu else _status("VmHWM")
    return Cost(time.perf_counter() - wall, time.process_time() - cpu, peak - before)


def _status(field: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(field + ":"))


def measure(variants: Variants, repeats: int, only: str) -> dict[str, Any]:
    """The wanted variants in turn, `repeats` times, after a turn on a few rows."""
    wanted = [n for n in variants.named() if n in (BASELINE, SCORING) or only in n]
    costs: dict[str, list[Cost]] = {name: [] for name in wanted}
    whole = variants.rows
    for turn in range(repeats + 1):
        variants.rows = whole if turn else whole[:MICRO_BATCH]
        for name in wanted:
            variants.policy.zero_grad(set_to_none=False)
            cost = cost_of(variants.named()[name])
            print(f"turn {turn}: {name}: {cost}", file=sys.stderr)
            if turn:
                costs[name].append(cost)
    tokens = sum(len(row.input_ids) for row in variants.rows)
    medians = {name: _median(values) for name, values in costs.items()}
    base, scoring = medians[BASELINE], medians[SCORING]
    return {
        name: {
            "seconds": round(cost.wall, 3),
            "cpu_seconds": round(cost.cpu, 3),
            "tokens_per_second": round(tokens / cost.wall, 1),
            "speed": round(base.wall / cost.wall, 3),
            "speed_with_a_scoring_pass": round(base.wall / (cost.wall + scoring.wall), 3),
            "speed_by_cpu_time": round(base.cpu / cost.cpu, 3),
            "speed_by_cpu_time_with_a_scoring_pass": round(base.cpu / (cost.cpu + scoring.cpu), 3),
            # kept blocks hide what a step holds, unless --memory gives them back
            "transient_memory": round(cost.held / base.held, 3) if base.held else None,
        }
        for name, cost in medians.items()
    }


def _median(costs: list[Cost]) -> Cost:
    return Cost(
        wall=statistics.median(cost.wall for cost in costs),
        cpu=statistics.median(cost.cpu for cost in costs),
        held=int(statistics.median(cost.held for cost in costs)),
    )


def gradient_errors(folder: Path, rows: list[TrainingExample]) -> dict[str, float]:
    """Relative error of each variant's fp32 gradient against the authors' step in float64."""
    variants = Variants(folder, rows, "float32")
    got = {
        name: variants.gradient_of(step)
        for name, step in variants.named().items()
        if name != SCORING
    }
    got["fp32 layers under a float64 head"] = variants.gradient_of(variants.exact_head)
    variants.policy.double()
    variants.reference.double()
    oracle = variants.gradient_of(lambda: variants.authors(variants.reference))
    return {name: float((grad - oracle).norm() / oracle.norm()) for name, grad in got.items()}


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.train_step", description=__doc__)
    parser.add_argument("--model", default="embedded:smollm2-135m")
    parser.add_argument("--sequences", type=int, default=16)
    parser.add_argument("--max-tokens", type=int, default=2048)
    parser.add_argument("--repeats", type=int, default=3, help="0: no speed")
    parser.add_argument("--only", default="", help="variants whose name holds this")
    parser.add_argument("--memory", action="store_true", help="for exact transient memory: slower")
    parser.add_argument("--dtype", choices=list(DTYPES), default="bfloat16")
    parser.add_argument("--gradient-sequences", type=int, default=0)
    arguments = parser.parse_args()
    if arguments.memory and "MALLOC_MMAP_THRESHOLD_" not in os.environ:
        line = [sys.executable, "-m", "bench.train_step", *sys.argv[1:]]
        os.execve(sys.executable, line, {**os.environ, "MALLOC_MMAP_THRESHOLD_": "65536"})
    folder = sources.resolve(ModelConfig(path=arguments.model))
    if not (data := os.environ.get("RASFT_DATA_DIR")):
        raise SystemExit("RASFT_DATA_DIR is to name the folder of math/train/math_train.jsonl")
    tokenizer = load_tokenizer(folder)
    rows = load_sequences(Path(data), tokenizer, arguments.sequences, arguments.max_tokens)
    result: dict[str, Any] = {
        "threads": torch.get_num_threads(),
        "dtype": arguments.dtype,
        "sequences": len(rows),
        "tokens": sum(len(row.input_ids) for row in rows),
        "response_tokens": sum(len(row.input_ids) - row.prompt_tokens for row in rows),
        "variants": {},
    }
    if arguments.repeats:
        variants = Variants(folder, rows, arguments.dtype)
        result["variants"] = measure(variants, arguments.repeats, arguments.only)
    if arguments.gradient_sequences:
        few = rows[: arguments.gradient_sequences]
        result["gradient_error"] = gradient_errors(folder, few)
    result["peak_memory_bytes"] = peak_memory_bytes()
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
