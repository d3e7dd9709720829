"""Plain SFT: forward and backward by TRL's SFTTrainer and by ours, on the same sequences.

    python -m bench.plain_sft --sequences 16 --turns 3 --compile

MATH solutions. TRL has padded micro-batches of 1, 2 and 4, as they come and sorted by length, and
its best is the baseline; ours packs to a budget of tokens. They take turns in one process, so that
a busy machine slows them alike; on one, read the CPU time. Prints JSON: medians, the ratios, and
how far the gradients are apart (relative to TRL's in fp32).
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch
from torch import Tensor

from bench import trl_sft
from bench.step_variants import load_sequences
from bench.train_step import Cost, cost_of
from bench.trl_sft import Groups, TrlSft, micro_batches
from rasft.config.settings import ModelConfig
from rasft.models import sources
from rasft.models.language_model import DTYPES, load_model, load_tokenizer
from rasft.records import TrainingExample
from rasft.training.model.batching import Layout, collate
from rasft.training.model.compiling import compile_layers
from rasft.training.model.forward import response_logps

Rows = Sequence[TrainingExample]
Step = Callable[[Rows], None]
PADDED = ((1, False), (2, False), (2, True), (4, False), (4, True))  # rows, sorted by length


class Ours:
    """Our forward and backward pass with the loss of SFT."""

    def __init__(self, model: Any, dtype: str):
        self.module = response_logps(model, packed=True).train()
        self.dtype, self.device = dtype, model.device

    def step(self, rows: Rows, budget: int) -> None:
        """Add the gradient of all rows, packed to the budget."""
        tokens = sum(len(row.input_ids) - row.prompt_tokens for row in rows)
        for group in packed(rows, budget):
            batch = collate(group).to(self.device)
            with torch.autocast(self.device.type, DTYPES[self.dtype], self.dtype != "float32"):
                logp_BT = self.module(batch)
            (-logp_BT.sum() / tokens).backward()


def packed(rows: Rows, budget: int) -> Groups:
    """Micro-batches of at most so many tokens."""
    lengths = np.array([len(row.input_ids) for row in rows])
    return [[rows[i] for i in group] for group in Layout(budget).split(range(len(rows)), lengths)]


def steps(theirs: TrlSft, ours: Ours, budgets: Sequence[int], compiled: bool) -> dict[str, Step]:
    """Name -> a whole step; TRL's begin with TRL."""

    def of_trl(size: int, by_length: bool) -> Step:
        return lambda rows: theirs.step(micro_batches(rows, size, by_length))

    def packed_to(budget: int, stance: str) -> Step:
        def step(rows: Rows) -> None:
            with torch.compiler.set_stance(stance):
                ours.step(rows, budget)

        return step

    found = {
        f"TRL, micro-batch {size}{', sorted' if by_length else ''}": of_trl(size, by_length)
        for size, by_length in PADDED
    }
    found |= {f"ours, packed {budget}": packed_to(budget, "force_eager") for budget in budgets}
    if compiled:
        largest = budgets[-1]
        found[f"ours, packed {largest}, compiled"] = packed_to(largest, "default")
    return found


def measure(found: dict[str, Step], rows: Rows, turns: int) -> dict[str, Cost]:
    """Median cost of each over the turns, after a turn on a few rows."""
    costs: dict[str, list[Cost]] = {name: [] for name in found}
    for turn in range(turns + 1):
        for name, step in found.items():
            some = rows if turn else rows[:4]
            cost = cost_of(lambda step=step, some=some: step(some))
            print(f"turn {turn}: {name}: {cost}", file=sys.stderr, flush=True)
            if turn:
                costs[name].append(cost)
    return {name: _median(values) for name, values in costs.items()}


def _median(costs: Sequence[Cost]) -> Cost:
    middle = (median(getattr(cost, name) for cost in costs) for name in ("wall", "cpu", "held"))
    return Cost(*middle)


def compared(costs: dict[str, Cost], tokens: int) -> dict[str, Any]:
    """Speeds against TRL's best, by wall and by CPU time."""
    stock = [cost for name, cost in costs.items() if name.startswith("TRL")]
    wall, cpu = min(cost.wall for cost in stock), min(cost.cpu for cost in stock)
    return {
        name: {
            "seconds": round(cost.wall, 2),
            "cpu_seconds": round(cost.cpu, 2),
            "tokens_per_second": round(tokens / cost.wall, 1),
            "speed": round(wall / cost.wall, 3),
            "speed_by_cpu_time": round(cpu / cost.cpu, 3),
        }
        for name, cost in costs.items()
    }


def gradient_of(model: Any, step: Callable[[], None]) -> Tensor:
    """All gradients of a step in one vector."""
    model.zero_grad(set_to_none=True)
    step()
    return torch.cat([p.grad.flatten() for p in model.parameters() if p.grad is not None])


def gradients(folder: Path, tokenizer: Any, rows: Rows) -> dict[str, float]:
    """How far each gradient is from TRL's in fp32, relative."""
    found: dict[str, Tensor] = {}
    for dtype in ("float32", "bfloat16"):
        model = load_model(folder)
        with trl_sft.opened(model, tokenizer, dtype) as theirs:
            found[f"TRL, {dtype}"] = gradient_of(
                model, lambda theirs=theirs: theirs.step(micro_batches(rows, 2, by_length=False))
            )
        ours = Ours(load_model(folder), dtype)
        found[f"ours, {dtype}"] = gradient_of(
            ours.module, lambda ours=ours: ours.step(rows, budget=2200)
        )
    exact = found["TRL, float32"]
    return {name: float((grad - exact).norm() / exact.norm()) for name, grad in found.items()}


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.plain_sft", description=__doc__)
    parser.add_argument("--model", default="embedded:smollm2-135m")
    parser.add_argument("--sequences", type=int, default=16)
    parser.add_argument("--max-tokens", type=int, default=2048)
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--budgets", type=int, nargs="+", default=[1100, 2200])
    parser.add_argument("--without", default="", help="leave out those whose names hold this")
    parser.add_argument("--compile", action="store_true", help="also with compiled layers")
    parser.add_argument("--dtype", choices=list(DTYPES), default="bfloat16")
    parser.add_argument("--gradient-sequences", type=int, default=4)
    given = parser.parse_args()
    if not (data := os.environ.get("RASFT_DATA_DIR")):
        raise SystemExit("RASFT_DATA_DIR is to name the folder of math/train/math_train.jsonl")
    folder = sources.resolve(ModelConfig(path=given.model))
    tokenizer = load_tokenizer(folder)
    rows = load_sequences(Path(data), tokenizer, given.sequences, given.max_tokens)
    tokens = sum(len(row.input_ids) for row in rows)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    ours = Ours(load_model(folder).to(device), given.dtype)
    if given.compile:
        compile_layers(ours.module.model)
    with trl_sft.opened(load_model(folder), tokenizer, given.dtype) as theirs:
        found = steps(theirs, ours, given.budgets, given.compile)
        found = {
            n: step for n, step in found.items() if not given.without or given.without not in n
        }
        costs = measure(found, rows, given.turns)
    result = {
        "threads": torch.get_num_threads(),
        "sequences": len(rows),
        "tokens": tokens,
        "steps": compared(costs, tokens),
        "gradient_against_TRL_in_fp32": gradients(
            folder, tokenizer, rows[: given.gradient_sequences]
        ),
    }
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
