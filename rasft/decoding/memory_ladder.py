"""What an engine that ran out of memory is opened with next: less of it, rung by rung.

A rung is named by the plugin (`MEMORY_RUNGS`), in the order in which it is tried. Which samples
are drawn does not depend on the rung but for rounding: each has a seed of its own.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from rasft.decoding.engine import SIDE_BY_SIDE, EngineOptions

LOWER = 0.8  # of the share of the GPU's memory


def _fewer(options: EngineOptions) -> EngineOptions:
    return replace(options, max_sequences=max(1, (options.max_sequences or SIDE_BY_SIDE) // 2))


def _lower(options: EngineOptions) -> EngineOptions:
    return replace(options, gpu_memory_utilization=LOWER * options.gpu_memory_utilization)


def _eager(options: EngineOptions) -> EngineOptions:
    return replace(options, eager=True)


RUNGS: dict[str, Callable[[EngineOptions], EngineOptions]] = {
    "sequences": _fewer,
    "utilization": _lower,
    "eager": _eager,
}


def climb_down(options: EngineOptions, rung: str) -> tuple[EngineOptions, str]:
    """The options of the next rung, and what has changed.

    >>> climb_down(EngineOptions(max_sequences=64), "sequences")[1]
    'max_sequences 64 -> 32'
    """
    lower = RUNGS[rung](options)
    changes = [
        f"{name} {value} -> {getattr(lower, name)}"
        for name, value in vars(options).items()
        if value != getattr(lower, name)
    ]
    return lower, ", ".join(changes) or "nothing is left to lower"
