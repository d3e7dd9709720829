"""AIME 2026: the 30 problems of both papers; every answer is an integer from 0 to 999.

The problems are the MAA's; the hub dataset states Apache-2.0. Published figures are means over 16
to 64 samples of a problem.
"""

from __future__ import annotations

from collections.abc import Iterator

from rasft.data import rows
from rasft.data.source import Source
from rasft.records import Problem

KIND = "math"
ROWS = 30
LOCATION = rows.Location(
    "math/aime26.jsonl",
    hub="math-ai/aime26",
    split="train",
    revision="79037aebdb6580008fb960d17cb21fd3099083e3",
    files=("aime2026.jsonl",),
)


def load(source: Source) -> Iterator[Problem]:
    """Yield the problems. Raises UserError."""
    rows.check_options("aime26", source)
    for row in rows.read(source, LOCATION, _from_hub):
        yield rows.math_problem(row, "aime26", rules="aime")


def _from_hub(fields: rows.Fields, index: int) -> rows.Fields:
    return {"id": f"aime26/{index}", "problem": fields["problem"], "answer": fields["answer"]}
