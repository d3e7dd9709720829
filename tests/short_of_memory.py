"""The training program where the second process has no memory for more than `TOKENS` in a pass.

A whole copy runs out after its backward pass, when gradients are there that must go again; shards
run out between forward and backward, while the other process goes on into the next layer's talk.
"""

from __future__ import annotations

import sys

import torch
from torch import Tensor

from rasft.training.launch import program
from rasft.training.loop import ranks
from rasft.training.loop.trainer import Trainer
from rasft.training.model.batching import Batch

TOKENS = 75
_pass = Trainer._pass


def shorten() -> None:
    """Take the memory away."""
    Trainer._pass = _short_pass  # type: ignore[method-assign]


def _short_pass(self: Trainer, batch: Batch, divisor: int) -> dict[str, Tensor]:
    short = self.accelerator.process_index == 1 and sum(batch.lengths) > TOKENS
    if not short:
        return _pass(self, batch, divisor)
    if ranks.is_sharded(self.accelerator):
        self.module(batch)
    else:
        _pass(self, batch, divisor)
    raise torch.OutOfMemoryError("simulated")


if __name__ == "__main__":
    shorten()
    sys.exit(program.main())
