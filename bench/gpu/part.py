"""One part of the check, from inside: its rows, its time, and checks that fail alone."""

from __future__ import annotations

import argparse
import importlib.util
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from bench.gpu.rows import Row, append


class NotAvailable(Exception):
    """What a check needs is not here; its row says so."""


def require(module: str) -> None:
    """Raise NotAvailable unless the package is installed; nothing is imported."""
    if importlib.util.find_spec(module) is None:
        raise NotAvailable(f"{module} is not installed")


@dataclass
class Part:
    """A part that runs: rows go to `folder`; after `seconds` no further check begins."""

    name: str
    folder: Path
    seconds: float
    rehearse: bool
    start: float = field(default_factory=time.monotonic)

    @property
    def left(self) -> float:
        """Seconds."""
        return self.start + self.seconds - time.monotonic()

    def add(self, what: str, value: float | str, unit: str = "", goal: str = "") -> None:
        """Keep one figure."""
        append(self.folder, Row(self.name, what, value, unit, goal))

    def on_gpu(self, goal: str) -> str:
        """A goal of speed or memory, which a rehearsal does not have."""
        return "" if self.rehearse else goal

    def attempt(self, what: str, check: Callable[[], object]) -> None:
        """Run a check; one that cannot, or fails, is a row, and the next one goes on."""
        if self.left <= 0:
            self.add(what, "not measured: no time was left")
            return
        try:
            check()
        except NotAvailable as reason:
            self.add(what, f"not available: {reason}")
        except Exception as error:  # whatever a library or a kernel raises here
            traceback.print_exc()
            first = (str(error).strip().splitlines() or [""])[0]
            self.add(what, f"failed: {type(error).__name__}: {first[:200]}")


def main(name: str, measure: Callable[[Part], object], description: str | None) -> None:
    """The command line of a part: `python -m bench.gpu.NAME FOLDER --seconds S [--rehearse]`."""
    parser = argparse.ArgumentParser(prog=f"python -m bench.gpu.{name}", description=description)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("--rehearse", action="store_true", help="on the CPU, at toy size")
    given = parser.parse_args()
    given.folder.mkdir(parents=True, exist_ok=True)
    part = Part(name, given.folder, given.seconds, given.rehearse)
    part.attempt("the whole part", lambda: measure(part))
