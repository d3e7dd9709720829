"""Uniform random numbers, a stream a slot: each slot's own generator, read some numbers ahead.

A stream is what its seed alone gives, number by number, whatever the other slots do: reading ahead
changes none of them. They are drawn on the CPU, so alike on every device.
"""

from __future__ import annotations

import torch
from torch import Tensor

AHEAD = 64  # numbers of a stream drawn by one call


class Uniforms:
    """The streams of so many slots; a slot has none until it is started."""

    def __init__(self, slots: int):
        self._generators = [torch.Generator() for _ in range(slots)]
        self._drawn = torch.empty(slots, AHEAD, dtype=torch.float64)
        self._used = torch.full((slots,), AHEAD)

    def start(self, slot: int, seed: int) -> None:
        """A new stream in a slot."""
        self._generators[slot] = torch.Generator().manual_seed(seed)
        self._used[slot] = AHEAD

    def move(self, sources: list[int], targets: list[int]) -> None:
        """Streams go on in other slots, whose own ones are lost."""
        for source, target in zip(sources, targets, strict=True):
            self._generators[target] = self._generators[source]
        self._drawn[targets] = self._drawn[sources]
        self._used[targets] = self._used[sources]

    def take(self, slots: Tensor) -> Tensor:
        """The next number in [0, 1) of each of these slots (n,), which differ: (n, 1), float64."""
        for slot in slots[self._used[slots] == AHEAD].tolist():
            torch.rand(AHEAD, generator=self._generators[slot], out=self._drawn[slot])
            self._used[slot] = 0
        numbers = self._drawn[slots, self._used[slots]]
        self._used[slots] += 1
        return numbers[:, None]
