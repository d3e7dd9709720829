"""GPUs by name, with the memory that a program finds on them."""

from __future__ import annotations

import difflib

from rasft.errors import UserError

CARDS = {  # GiB
    "a10g": 22.5,
    "a100-40": 40.0,
    "a100-80": 80.0,
    "b200": 179.0,
    "gh200": 95.0,
    "h100": 79.6,
    "h200": 140.4,
    "l4": 22.5,
    "l40s": 45.0,
    "mi300x": 192.0,
    "rtx3090": 24.0,
    "rtx4090": 24.0,
    "rtx5090": 31.8,
    "t4": 15.0,
    "v100-32": 32.0,
}


def gib_of(name: str) -> float:
    """The memory of a card, GiB. Raises UserError for an unknown one, with those that are known."""
    if found := CARDS.get(name.lower()):
        return found
    near = difflib.get_close_matches(name.lower(), CARDS, n=1)
    hint = f"did you mean {near[0]}?" if near else f"known: {', '.join(sorted(CARDS))}"
    raise UserError(f"no GPU {name!r} is known ({hint}); or say --gpu-memory, in GiB")
