"""A step that runs out of GPU memory halves its token budget and has the same gradient.

On a GPU the allocator is limited to what half the budget needs and the whole one does not; on a
CPU the forward pass of a large micro-batch is made to say that memory is out.
"""

from __future__ import annotations

import gc
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import torch
from torch import Tensor

from bench.gpu import card, lengths, shapes, small
from bench.gpu.part import Part
from rasft.records import TrainingExample
from rasft.training.loop.trainer import Trainer


def compare(part: Part) -> None:
    """The gradient of a step with memory enough, and with too little for its budget."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        base, rows, budget = _sized(folder, part.rehearse)
        open_with = lambda name, tokens: small.trainer(  # noqa: E731
            folder / name, base, rows, "bfloat16", micro_batch_tokens=tokens, batch_size=len(rows)
        )
        half = _peak(open_with("half", budget // 2))
        expected, whole = _measured(open_with("whole", budget))
        with _limited((half + whole) // 2, budget):
            short = open_with("short", budget)
            gradient = _gradient(short)
        part.add("out of memory: token budget", short.layout.budget, "tokens", f"<= {budget // 2}")
        apart = float((gradient - expected).norm() / expected.norm())
        simulated = "" if torch.cuda.is_available() else ", memory's end simulated"
        part.add(f"out of memory: gradient{simulated}", apart, "relative", "<= 0.02")


def _sized(folder: Path, toy: bool) -> tuple[Path, list[TrainingExample], int]:
    """A model folder, rows, and a budget that holds all of them."""
    if toy:
        rows = small.rows()
        return small.model(folder), rows, sum(len(row.input_ids) for row in rows)
    shape = shapes.QWEN_15B
    shapes.build(shapes.config_of(shape, layers=2), card.device()).save_pretrained(folder / "model")
    rows = lengths.sequences(lengths.MATH[:64], shape.vocabulary)
    return folder / "model", rows, sum(len(row.input_ids) for row in rows)


def _measured(trainer: Trainer) -> tuple[Tensor, int]:
    """The gradient of the first step, and the most memory that it held; none on a CPU."""
    _free()
    gradient = _gradient(trainer)
    held = torch.cuda.max_memory_reserved() if torch.cuda.is_available() else 0
    del trainer
    _free()
    return gradient, held


def _peak(trainer: Trainer) -> int:
    return _measured(trainer)[1]


def _gradient(trainer: Trainer) -> Tensor:
    """Through the step's own handling of memory, without an update."""
    trainer._accumulate_in_memory(0, trainer.order.step(0))
    found = [p.grad.flatten().cpu() for p in trainer.module.parameters() if p.grad is not None]
    trainer.optimizer.zero_grad()
    return torch.cat(found)


@contextmanager
def _limited(limit: int, budget: int) -> Iterator[None]:
    """Memory for `limit` bytes; on a CPU for less than `budget` tokens."""
    if torch.cuda.is_available():
        _free()
        whole = torch.cuda.get_device_properties(0).total_memory
        torch.cuda.set_per_process_memory_fraction(limit / whole)
        try:
            yield
        finally:
            torch.cuda.set_per_process_memory_fraction(1.0)
        return
    whole_pass = Trainer._pass

    def short(self: Trainer, batch: Any, divisor: int) -> dict[str, Tensor]:
        if batch.input_ids_RS.numel() >= budget:
            raise torch.OutOfMemoryError("simulated")
        return whole_pass(self, batch, divisor)

    with mock.patch.object(Trainer, "_pass", short):
        yield


def _free() -> None:
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
