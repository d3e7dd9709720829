"""HumanEval: 164 functions to write from a header and a docstring (Chen et al. 2021)."""

from __future__ import annotations

from collections.abc import Iterator

from rasft.data import humaneval, rows
from rasft.data.source import Source
from rasft.records import Problem

KIND = "code"
ROWS = 164
LOCATION = rows.Location(
    "code/humaneval.jsonl",
    hub="openai/openai_humaneval",
    split="test",
    revision="7dce6050a7d6d172f3cc5c32aa97f52fa1a2e544",
)


def load(source: Source) -> Iterator[Problem]:
    """Yield the problems. Raises UserError."""
    rows.check_options("humaneval", source)
    for row in rows.read(source, LOCATION):
        yield humaneval.problem(row, "humaneval")
