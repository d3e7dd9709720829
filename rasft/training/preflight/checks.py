"""One thing that preflight checked."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Check:
    """What was checked, whether it holds, and the numbers that say so.

    >>> Check("lengths", True, "all fit", {"rows": 8}).line()
    'ok    lengths: all fit'
    """

    name: str
    passed: bool
    detail: str
    numbers: dict[str, Any] = field(default_factory=dict)

    def line(self) -> str:
        """For a reader."""
        return f"{'ok  ' if self.passed else 'FAIL'}  {self.name}: {self.detail}"
