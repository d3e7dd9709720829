"""Streams read ahead: the very numbers that each seed gives one by one."""

from __future__ import annotations

import random

import torch

from rasft.decoding.uniforms import AHEAD, Uniforms


def one_by_one(seed: int, count: int) -> list[float]:
    generator = torch.Generator().manual_seed(seed)
    return [torch.rand((), generator=generator, dtype=torch.float64).item() for _ in range(count)]


def test_a_stream_is_what_its_seed_gives_whoever_draws_beside_it() -> None:
    """Slots that take at different paces, as rejections make them, and move in between."""
    draw, seeds = random.Random(0), [7, 2**62 + 1, 0, 12345]
    uniforms, taken = Uniforms(6), {seed: [] for seed in seeds}
    slot_of = dict(zip(seeds, range(4), strict=True))
    for seed, slot in slot_of.items():
        uniforms.start(slot, seed)
    for turn in range(3 * AHEAD):
        some = draw.sample(seeds, draw.randint(1, 4))
        numbers = uniforms.take(torch.tensor([slot_of[seed] for seed in some]))
        assert numbers.shape == (len(some), 1)
        for seed, number in zip(some, numbers[:, 0].tolist(), strict=True):
            taken[seed].append(number)
        if turn % 50 == 20:  # two go to other slots, one of them to where the other was
            a, b = draw.sample(seeds, 2)
            free = next(slot for slot in range(6) if slot not in slot_of.values())
            uniforms.move([slot_of[a]], [free])
            uniforms.move([slot_of[b]], [slot_of[a]])
            slot_of[a], slot_of[b] = free, slot_of[a]
    assert min(map(len, taken.values())) > AHEAD
    assert all(numbers == one_by_one(seed, len(numbers)) for seed, numbers in taken.items())


def test_a_slot_that_is_started_anew_forgets_what_was_read_ahead() -> None:
    uniforms = Uniforms(1)
    for seed in (1, 2):
        uniforms.start(0, seed)
        first = [uniforms.take(torch.tensor([0])).item() for _ in range(3)]
        assert first == one_by_one(seed, 3)
