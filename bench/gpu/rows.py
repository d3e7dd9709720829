"""What was measured, a line each, kept as soon as it is known: a killed part leaves what it had."""

from __future__ import annotations

import json
import operator
from dataclasses import asdict, dataclass
from pathlib import Path

ROWS = "rows.jsonl"
_COMPARED = {">=": operator.ge, "<=": operator.le, ">": operator.gt}


@dataclass(frozen=True)
class Row:
    """One figure, or in words why there is none.

    >>> Row("sampling", "share of the limit", 0.6, goal=">= 0.5").is_met
    True
    """

    part: str
    what: str
    value: float | str
    unit: str = ""
    goal: str = ""  # ">= 0.5", "<= 1e-4", or the very word that the value should be

    @property
    def is_met(self) -> bool | None:
        """Whether the goal is; None where there is none."""
        if not self.goal:
            return None
        sign, _, bound = self.goal.partition(" ")
        if sign not in _COMPARED:
            return self.value == self.goal
        return not isinstance(self.value, str) and bool(_COMPARED[sign](self.value, float(bound)))


def append(folder: Path, row: Row) -> None:
    """Add the row to the folder's file, and say it."""
    with (folder / ROWS).open("a", encoding="utf-8") as file:
        file.write(json.dumps(asdict(row)) + "\n")
    print(f"{row.part}: {row.what}: {row.value} {row.unit}".rstrip(), flush=True)


def read(folder: Path) -> list[Row]:
    """All rows so far; a last line that was cut off is none."""
    path = folder / ROWS
    text = path.read_text(encoding="utf-8") if path.is_file() else ""
    return [Row(**json.loads(line)) for line in text.splitlines(True) if line.endswith("\n")]
