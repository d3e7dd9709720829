"""What a check of the machine finds."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Check:
    """One finding; `detail` says what was found, and what to do where it is not ok."""

    name: str
    ok: bool
    detail: str
