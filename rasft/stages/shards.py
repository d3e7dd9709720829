"""Shards that a run lost: how many it goes on without is the config's to say.

A shard is lost when every attempt at it has failed. Without a tolerance it ends the run, and
`resume` makes that shard alone. With one, the join goes on without it, up to the tolerance, and
names what is missing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rasft.errors import MachineError


@dataclass(frozen=True)
class LostShard:
    """One branch of a fan-out that ended without a result."""

    step: str  # the step that failed
    name: str  # a shard's number, or a benchmark
    reason: str  # the last line of what was raised

    def __str__(self) -> str:
        return f"{self.step} {self.name} ({self.reason})"


def last_line(failure: object) -> str:
    """What a stored exception says, without its trace."""
    lines = [line for line in str(failure).splitlines() if line.strip()]
    return lines[-1].strip() if lines else "no message"


def check_tolerance(lost: Sequence[LostShard], shards: int, tolerated: int, key: str) -> None:
    """Raise MachineError if more shards were lost than `key` allows, or all of them."""
    if not lost or (len(lost) <= tolerated and len(lost) < shards):
        return
    named = "; ".join(str(each) for each in lost)
    raise MachineError(
        f"{len(lost)} of {shards} shards were lost, and {key} is {tolerated}: {named}; "
        f"mend the cause and run `resume {lost[0].step}`"
    )
