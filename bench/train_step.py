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
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import torch
from torch import Tensor

from bench import authors_step
from bench.authors_step import MICRO_BATCH, backward, pairs
from rasft import models
from rasft.config import ModelConfig
from rasft.records import TrainingExample
from rasft.training.attention import PACKED
from rasft.training.batching import Layout, collate
from rasft.training.compiling import compile_layers
from rasft.training.forward import response_logps
from rasft.training.language_model import DTYPES, load_model, load_tokenizer
from rasft.training.log import peak_memory_bytes

BASELINE, SCORING = "authors", "scoring pass"
Step = Callable[[Any], None]


def load_sequences(data: Path, tokenizer: Any, count: int, limit: int) -> list[TrainingExample]:
    """The first MATH rows of at most `limit` tokens, as prompt and response; not yet scored."""
    rows: list[TrainingExample] = []
    with (data / "math/train/math_train.jsonl").open(encoding="utf-8") as lines:
        for line in map(json.loads, lines):
            prompt = tokenizer(line["problem"] + "\n")["input_ids"]
            response = tokenizer(line["solution"])["input_ids"] + [tokenizer.eos_token_id]
            ids = (*prompt, *response)
            if len(ids) <= limit:
                rows.append(TrainingExample(line["id"], -1, ids, len(prompt), 1.0, ()))
            if len(rows) == count:
                return rows
    raise SystemExit(f"only {len(rows)} rows of at most {limit} tokens")


class Bench:
    """The policy, the reference, and the same sequences for every variant."""

    def __init__(self, folder: Path, rows: list[TrainingExample], dtype: str):
        self.rows = rows
        self.dtype = dtype
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self.tokens = sum(len(row.input_ids) - row.prompt_tokens for row in rows)
        self.policy = response_logps(load_model(folder).to(self.device), packed=False)
        for parameter in self.policy.parameters():
            parameter.grad = torch.zeros_like(parameter)
        compile_layers(self.policy.model)
        torch.compiler.set_stance("force_eager")  # for every variant but one
        self.reference = load_model(folder).to(self.device)
        self.rows = self.scored()

    def autocast(self) -> torch.autocast:
        return torch.autocast(self.device.type, DTYPES[self.dtype], self.dtype != "float32")

    @torch.no_grad()
    def scored(self) -> list[TrainingExample]:
        """The scoring pass that the cached variants rely on."""
        rows = []
        self.attend(packed=True)
        with self.autocast():
            for group in self.groups(2200, packed=True):
                logp_BT = self.policy(collate(group).to(self.device)).tolist()
                for row, logps in zip(group, logp_BT, strict=True):
                    count = len(row.input_ids) - row.prompt_tokens
                    rows.append(replace(row, reference_logps=tuple(logps[:count])))
        return sorted(rows, key=lambda row: [r.problem_id for r in self.rows].index(row.problem_id))

    def groups(self, budget: int, packed: bool) -> list[list[TrainingExample]]:
        lengths = np.array([len(row.input_ids) for row in self.rows])
        plan = Layout(budget, packed).split(range(len(self.rows)), lengths)
        return [[self.rows[i] for i in group] for group in plan]

    def authors(self, reference: Any | None) -> None:
        """Full logits in padded pairs; the reference is run, or read from the examples."""
        self.attend(packed=False)
        authors_step.step(self.rows, self.policy.model, reference, self.autocast)

    def ours(self, groups: Sequence[Sequence[TrainingExample]], packed: bool) -> None:
        """Response positions alone, cached reference, in these micro-batches."""
        self.attend(packed)
        for group in groups:
            batch = collate(group, packed).to(self.device)
            with self.autocast():
                logp_BT = self.policy(batch)
            backward(logp_BT, batch, batch.reference_logp_BT, self.tokens)

    def compiled(self, budget: int) -> None:
        """`ours` with the layers as torch.compile made them."""
        with torch.compiler.set_stance("default"):
            self.ours(self.groups(budget, packed=True), packed=True)

    def checkpointed(self, budget: int) -> None:
        model = self.policy.model
        model.train()
        model.gradient_checkpointing_enable({"use_reentrant": False})
        self.ours(self.groups(budget, packed=True), packed=True)
        model.gradient_checkpointing_disable()
        model.eval()

    def variants(self) -> dict[str, Callable[[], Any]]:
        """Name -> a whole step, without the optimizer. Each adds one thing to the one before."""
        return {
            BASELINE: lambda: self.authors(self.reference),
            "cached reference": lambda: self.authors(None),
            "cached, response-only": lambda: self.unfused(pairs(self.rows), packed=False),
            "cached, response-only, packed 2200, unfused": lambda: self.unfused(
                self.groups(2200, packed=True), packed=True
            ),
            **{
                f"cached, fused head, packed {budget}": lambda budget=budget: self.ours(
                    self.groups(budget, packed=True), packed=True
                )
                for budget in (1100, 2200, 4400)
            },
            "fused head, packed 2200, compiled layers": lambda: self.compiled(2200),
            "fused head, packed 2200, checkpointing": lambda: self.checkpointed(2200),
            SCORING: self.scored,
        }

    def unfused(self, groups: Sequence[Sequence[TrainingExample]], packed: bool) -> None:
        """`ours` with the head in torch's own operations, by chunks."""
        with mock.patch("rasft.training.forward.fused_for", return_value=None):
            self.ours(groups, packed)

    def exact_head(self) -> None:
        """Unfused in padded pairs, with a float64 head: the error that is left is the layers'."""
        with mock.patch("rasft.training.forward.token_logps", _exact_logps):
            self.unfused(pairs(self.rows), packed=False)

    def attend(self, packed: bool) -> None:
        """Switch the policy's attention."""
        self.policy.model.set_attn_implementation(PACKED if packed else "sdpa")

    def gradient(self) -> Tensor:
        """All gradients of the last step in one vector, float64."""
        return torch.cat([p.grad.flatten().double() for p in self.policy.parameters()])


def _exact_logps(head: Any, hidden_ND: Tensor, target_N: Tensor) -> Tensor:
    logits_NV = hidden_ND.double() @ head.weight.double().T
    return logits_NV.log_softmax(-1).gather(1, target_N[:, None])[:, 0].float()


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


def measure(bench: Bench, repeats: int, only: str) -> dict[str, Any]:
    """The wanted variants in turn, `repeats` times, after a turn on a few rows."""
    wanted = [n for n in bench.variants() if n in (BASELINE, SCORING) or only in n]
    costs: dict[str, list[Cost]] = {name: [] for name in wanted}
    whole = bench.rows
    for turn in range(repeats + 1):
        bench.rows = whole if turn else whole[:MICRO_BATCH]
        for name in wanted:
            bench.policy.zero_grad(set_to_none=False)
            cost = cost_of(bench.variants()[name])
            print(f"turn {turn}: {name}: {cost}", file=sys.stderr)
            if turn:
                costs[name].append(cost)
    tokens = sum(len(row.input_ids) for row in bench.rows)
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
    bench = Bench(folder, rows, "float32")
    got = {}
    for name, step in bench.variants().items():
        if name != SCORING:
            bench.policy.zero_grad(set_to_none=False)
            step()
            got[name] = bench.gradient()
    bench.policy.zero_grad(set_to_none=False)
    bench.exact_head()
    got["fp32 layers under a float64 head"] = bench.gradient()
    bench.policy.double()
    bench.reference.double()
    bench.policy.zero_grad(set_to_none=False)
    bench.authors(bench.reference)
    oracle = bench.gradient()
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
    folder = models.resolve(ModelConfig(path=arguments.model))
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
        bench = Bench(folder, rows, arguments.dtype)
        result["variants"] = measure(bench, arguments.repeats, arguments.only)
    if arguments.gradient_sequences:
        few = rows[: arguments.gradient_sequences]
        result["gradient_error"] = gradient_errors(folder, few)
    result["peak_memory_bytes"] = peak_memory_bytes()
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
