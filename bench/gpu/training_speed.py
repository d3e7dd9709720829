"""Speed and memory of a training step: the authors', TRL's SFT, and ours, technique by technique.

Qwen2.5 1.5B's shape with random weights, bf16 over fp32 weights, tokens of real MATH lengths of at
most 2,048. All take turns; a figure is the median of the turns after one that is not counted.
"""

from __future__ import annotations

import statistics
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from bench.gpu import card, flops, lengths, shapes, small
from bench.gpu.card import Peak
from bench.gpu.part import Part, main, require
from bench.gpu.shapes import Shape
from bench.gpu.steps import AUTHORS, CACHED, Steps
from bench.train_step import Cost, cost_of
from rasft.models.language_model import load_tokenizer
from rasft.records import TrainingExample

BUDGETS, TOY_BUDGETS = (8192, 16384), (60, 120)  # tokens of a forward pass
ROWS, TURNS = 64, 2
THEIRS = (AUTHORS, CACHED)
BEST = "+ compiled layers"  # what the goals are for
FASTER, SMALLER, USED = ">= 3", "<= 0.3", "> 0.4"


def measure(part: Part) -> None:
    """The ladder, then TRL against the best of it."""
    shape = shapes.toy(shapes.QWEN_15B) if part.rehearse else shapes.QWEN_15B
    rows = lengths.sequences(
        lengths.TOY if part.rehearse else lengths.MATH[:ROWS], shape.vocabulary
    )
    config, device = shapes.config_of(shape), card.device()
    steps = Steps(
        shapes.build(config, device), shapes.build(config, device), rows, toy=part.rehearse
    )
    peak = card.peak()
    part.add("peak: bf16 products", peak.flops / 1e12, f"TFLOP/s ({peak.source})")
    table = Ladder(part, shape, rows, peak)
    for name, step in steps.named(*(TOY_BUDGETS if part.rehearse else BUDGETS)).items():
        part.attempt(name, partial(table.measure, name, step))
    del steps, step  # their memory is TRL's now
    part.attempt("TRL's SFTTrainer", partial(theirs, part, table, config, rows))


class Ladder:
    """Steps measured so far, and their rows."""

    def __init__(self, part: Part, shape: Shape, rows: list[TrainingExample], peak: Peak):
        self.part, self.peak = part, peak
        self.tokens = sum(len(row.input_ids) for row in rows)
        self.flops = flops.of_step(shape, rows)
        self.weights = 4 * flops.parameters(shape)  # bytes; the gradients take as many
        self.costs: dict[str, Cost] = {}

    def measure(self, name: str, step: Callable[[], Any]) -> None:
        """Run a step some times; its rows, also against the authors'."""
        cost = median_cost(step, 1 if self.part.rehearse else TURNS)
        self.costs[name] = cost
        goals = map(self.part.on_gpu, (USED, FASTER, SMALLER))
        used, faster, smaller = goals if name == BEST else ("", "", "")
        self.part.add(f"{name}: speed", self.tokens / cost.wall, "tokens/s")
        self.part.add(f"{name}: MFU", self.flops / cost.wall / self.peak.flops, goal=used)
        self.part.add(f"{name}: memory", self.whole(name) / 1e9, "GB")
        if base := self.costs.get(AUTHORS):
            self.part.add(f"{name}: speed", base.wall / cost.wall, "x authors'", faster)
            share = self.whole(name) / self.whole(AUTHORS)
            self.part.add(f"{name}: memory", share, "x authors'", smaller)

    def whole(self, name: str) -> float:
        """Bytes of a step with weights and gradients, and the reference where it runs."""
        return (3 if name == AUTHORS else 2) * self.weights + self.costs[name].held


def median_cost(step: Callable[[], Any], turns: int) -> Cost:
    """Of some turns, after one that is not counted."""
    costs = [cost_of(step) for _ in range(turns + 1)][1:]
    wall, cpu = (statistics.median(getattr(c, name) for c in costs) for name in ("wall", "cpu"))
    return Cost(wall, cpu, int(statistics.median(c.held for c in costs)))


def theirs(part: Part, table: Ladder, config: Any, rows: list[TrainingExample]) -> None:
    """Plain SFT by TRL, padded and padding-free, against our fastest step.

    Ours is timed with RASFT's loss, which costs what SFT's does and a few numbers a token.
    """
    require("trl")
    for size, free in ((1, False), (4, False), (16, False), (16, True)):
        kind = "padding-free" if free else "sorted"
        what = f"TRL's SFT, micro-batch {size}, {kind}"
        part.attempt(what, partial(_trl, part, table, config, rows, what, size, free))


def _trl(
    part: Part,
    table: Ladder,
    config: Any,
    rows: list[TrainingExample],
    what: str,
    size: int,
    free: bool,
) -> None:
    if free:
        require("flash_attn")
    from bench import trl_sft

    groups = trl_sft.micro_batches(rows, size, by_length=True)
    model = shapes.build(config, card.device())
    if free:
        model.set_attn_implementation("flash_attention_2")
    with (
        tempfile.TemporaryDirectory() as folder,
        trl_sft.opened(
            model, load_tokenizer(small.model(Path(folder))), "bfloat16", padding_free=free
        ) as trainer,
    ):
        cost = median_cost(lambda: trainer.step(groups), 1 if part.rehearse else TURNS)
    part.add(f"{what}: speed", table.tokens / cost.wall, "tokens/s")
    fastest = min(ours.wall for name, ours in table.costs.items() if name not in THEIRS)
    part.add(f"our fastest against {what}", cost.wall / fastest, "x", part.on_gpu(">= 1"))


if __name__ == "__main__":
    main("training_speed", measure, __doc__)
