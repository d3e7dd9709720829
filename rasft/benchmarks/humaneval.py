"""HumanEval: 164 functions to write from a header and a docstring (Chen et al. 2021).

The tests define `check(candidate)`, which the verifier calls with the function under test.
"""

from __future__ import annotations

from collections.abc import Iterator

from rasft.data import rows
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
INSTRUCTION = "Complete this Python function. Answer with the whole function in one code block."


def load(source: Source) -> Iterator[Problem]:
    """Yield the problems. Raises UserError."""
    rows.check_options("humaneval", source)
    for row in rows.read(source, LOCATION):
        header, solution = row.text("prompt"), row.optional("canonical_solution")
        yield Problem(
            id=row.text("task_id"),
            prompt=f"{INSTRUCTION}\n\n{rows.fenced(header)}",
            verifier="python",
            expert_response=rows.fenced(header + solution) if solution else None,
            tests=row.optional("test"),
            entry_point=row.text("entry_point"),
            code_prefix=header,
            source="humaneval",
        )
