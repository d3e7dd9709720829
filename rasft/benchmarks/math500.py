"""MATH-500: 500 test problems of MATH (Hendrycks et al. 2021), chosen by Lightman et al. 2023."""

from __future__ import annotations

from collections.abc import Iterator

from rasft.data import rows
from rasft.data.source import Source
from rasft.records import Problem

KIND = "math"
ROWS = 500
LOCATION = rows.Location(
    "math/math500.jsonl",
    hub="HuggingFaceH4/MATH-500",
    split="test",
    revision="6e4ed1a2a79af7d8630a6b768ec859cb5af4d3be",
)


def load(source: Source) -> Iterator[Problem]:
    """Yield the problems. Raises UserError."""
    rows.check_options("math500", source)
    for row in rows.read(source, LOCATION, _from_hub):
        yield rows.math_problem(row, "math500", rules="math500")


def _from_hub(fields: rows.Fields, index: int) -> rows.Fields:
    return {**fields, "id": fields["unique_id"]}
