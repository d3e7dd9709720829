"""What a decoding step costs beside the model, in Python and on the CPU.

    python -m bench.decoding --rows 128 512

The transformers engine over a model that answers at once with the same logits, so that what is
left is the loop: drawing, book-keeping, masks. Prints JSON: milliseconds a step. On a GPU a step of
a 1.5B model takes a few milliseconds, which this must stay well below.
"""

from __future__ import annotations

import argparse
import json
import time
from types import SimpleNamespace
from typing import Any

import torch

from rasft.decoding.continuous_batching import TransformersEngine
from rasft.decoding.engine import EngineOptions, Request, Sampling

VOCABULARY, PROMPT, NEW = 64, 32, 128


class Instant:
    """A model whose logits are there at once; its cache stays empty."""

    device, dtype = torch.device("cpu"), torch.float32

    def __init__(self) -> None:
        self.config = self
        self.num_hidden_layers = 1
        self.logits = torch.randn(1, 1, VOCABULARY, generator=torch.Generator().manual_seed(0))

    def get_text_config(self) -> Instant:
        return self

    def __call__(self, input_ids: torch.Tensor, **_: Any) -> SimpleNamespace:
        return SimpleNamespace(logits=self.logits.expand(len(input_ids), -1, -1))


def milliseconds(rows: int, top_p: float) -> float:
    """Of one step of so many rows."""
    engine = TransformersEngine.__new__(TransformersEngine)
    engine.options, engine.steps = EngineOptions("float32", PROMPT + NEW, rows), 0
    engine.device, engine.model = Instant.device, Instant()
    requests = [Request(tuple(range(PROMPT)), seed) for seed in range(rows)]
    start = time.perf_counter()
    tokens = sum(len(c.token_ids) for _, c in engine.generate(requests, Sampling(1.0, top_p, NEW)))
    assert tokens == rows * NEW
    return 1000 * (time.perf_counter() - start) / engine.steps


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.decoding", description=__doc__)
    parser.add_argument("--rows", type=int, nargs="+", default=[128, 512])
    parser.add_argument("--top-p", type=float, default=1.0)
    parser.add_argument("--turns", type=int, default=3)
    given = parser.parse_args()
    found = {
        rows: round(min(milliseconds(rows, given.top_p) for _ in range(given.turns)), 3)
        for rows in given.rows
    }
    print(json.dumps({"milliseconds_a_step": found, "torch": torch.__version__}))


if __name__ == "__main__":
    main()
