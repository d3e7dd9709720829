"""Rows of HumanEval's form (Chen et al. 2021): a header to complete, tests, the function's name.

The tests define `check(candidate)`, which the verifier calls with the function under test.
"""

from __future__ import annotations

from rasft.data import rows
from rasft.records import Problem

INSTRUCTION = "Complete this Python function. Answer with the whole function in one code block."


def problem(row: rows.Row, name: str) -> Problem:
    """A row as a problem of the plugin `name`. Raises UserError."""
    header, solution = row.text("prompt"), row.optional("canonical_solution")
    return Problem(
        id=row.text("task_id"),
        prompt=f"{INSTRUCTION}\n\n{rows.fenced(header)}",
        verifier="python",
        expert_response=rows.fenced(header + solution) if solution else None,
        tests=row.optional("test"),
        entry_point=row.text("entry_point"),
        code_prefix=header,
        source=name,
    )
