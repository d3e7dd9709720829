"""KodCode-V1-SFT-R1: 245,937 generated coding problems, each with a tested solution.

The expert response is the dataset's own solution, which passes the tests; option `response: r1`
takes the published answer of DeepSeek-R1 instead, without its thinking, which is much longer.
Tests are pytest functions that import from a module `solution`; that import goes, since programs
here run beside their tests, under pytest where the tests need it. Tests that ask for what is not
there (tmp_path, capsys, modules other than numpy) refuse their own solution, so that the row is
dropped and counted when the rows are validated.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from rasft.answers.thinking import after_thinking
from rasft.data import rows
from rasft.data.source import Source
from rasft.errors import UserError
from rasft.records import Problem

ROWS = 245_937
LOCATION = rows.Location(
    "code/kodcode.jsonl",
    hub="KodCode/KodCode-V1-SFT-R1",
    split="train",
    revision="ae0c7208b5542c180493fe03d7f17e715e3d4805",
)
# as it stands, on one line or on several; for what has another name the judge has the module
_IMPORT = re.compile(
    r"^(?:from solution import (?:\*|\w+(?:[ \t]*,[ \t]*\w+)*|\(\s*\w+(?:\s*,\s*\w+)*\s*,?\s*\))"
    r"|import solution)[ \t]*(?:\n|\Z)",
    re.MULTILINE,
)


def load(source: Source) -> Iterator[Problem]:
    """Yield the problems. Raises UserError."""
    rows.check_options("kodcode", source, ("response",))
    kind = source.options.get("response", "solution")
    if kind not in ("solution", "r1"):
        raise UserError(f"kodcode: option response = {kind!r} must be 'solution' or 'r1'")
    for row in rows.read(source, LOCATION):
        yield Problem(
            id=row.text("question_id"),
            prompt=row.text("question"),
            verifier="python",
            expert_response=_r1(row) if kind == "r1" else _solution(row),
            tests=tests(row.optional("test_code") or ""),
            source="kodcode",
        )


def tests(code: str) -> str | None:
    """The test functions without the import of the solution.

    >>> tests("from solution import (\\n    inc,\\n)\\n\\ndef test_it(): assert inc(1) == 2")
    'def test_it(): assert inc(1) == 2'
    >>> tests("import solution as s"), tests("from solution import inc as f")
    ('import solution as s', 'from solution import inc as f')
    """
    return _IMPORT.sub("", code).strip() or None


def _solution(row: rows.Row) -> str | None:
    program = row.optional("solution")
    return rows.fenced(program) if program else None


def _r1(row: rows.Row) -> str | None:
    turns = row.fields.get("conversations") or []
    answers = [turn.get("value") for turn in turns if turn.get("from") == "gpt"]
    visible = after_thinking(answers[-1]) if answers and answers[-1] else None
    return visible.strip() or None if visible else None
