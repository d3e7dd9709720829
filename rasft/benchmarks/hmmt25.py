"""HMMT February 2025: the 30 problems of the three short-answer rounds (MathArena's copy).

Licence CC-BY-NC-SA-4.0. Answers are exact expressions. Published figures are means over 4 to 64
samples of a problem.
"""

from __future__ import annotations

from collections.abc import Iterator

from rasft.data import rows
from rasft.data.source import Source
from rasft.records import Problem

KIND = "math"
ROWS = 30
LOCATION = rows.Location(
    "math/hmmt25.jsonl",
    hub="MathArena/hmmt_feb_2025",
    split="train",
    revision="6fdc4277120810ff75aa22d2d5489b91f7a262a1",
)


def load(source: Source) -> Iterator[Problem]:
    """Yield the problems. Raises UserError."""
    rows.check_options("hmmt25", source)
    for row in rows.read(source, LOCATION, _from_hub):
        yield rows.math_problem(row, "hmmt25", rules="math")


def _from_hub(fields: rows.Fields, index: int) -> rows.Fields:
    return {
        "id": f"hmmt25/{fields['problem_idx']}",
        "problem": fields["problem"],
        "answer": fields["answer"],
    }
