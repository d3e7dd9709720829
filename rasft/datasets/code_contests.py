"""CodeContests, the 13,328 problems to train on (Li et al. 2022, AlphaCode), with limits and tests.

The expert response is the first of a row's solutions that are marked as Python 3; rows without one
are left out and said. The tests are the public, the private and the generated ones. A program has
to print the expected tokens, a decimal within `tolerance` (absolute or relative); the authors'
checker allows 1e-5 also between integers, and any case. Rows whose programs read or write a file
have no tests here, and are dropped and counted. A name may come twice, so a row's number is its id.

Options: `solutions`, `tests_mb` and `tolerance`, as of `apps`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import count
from typing import Any

from rasft.data import contests, rows
from rasft.data.source import Source
from rasft.errors import UserError
from rasft.records import Problem

ROWS = 13_328
LOCATION = rows.Location(
    "code/code_contests_train.jsonl",
    hub="deepmind/code_contests",
    split="train",
    revision="802411c3010cb00d1b05bad57ca77365a3c699d6",
)
TESTS = ("public_tests", "private_tests", "generated_tests")
PYTHON3 = 3  # of the field `language`


def load(source: Source) -> Iterator[Problem]:
    """Yield the problems. Raises UserError."""
    reader = contests.Reader("code_contests", source)
    found = rows.read(replace(source, limit=None), LOCATION)
    return reader.problems(map(_contest, found, count()), source.limit)


def _contest(row: rows.Row, number: int) -> contests.Contest:
    by_file = row.optional("input_file") or row.optional("output_file")
    memory = row.fields.get("memory_limit_bytes") or 0
    return contests.Contest(
        id=f"code_contests/{number}",
        question=row.text("description"),
        solutions=_solutions(row),
        cases=[] if by_file else [case for field in TESTS for case in _cases(row, field)],
        seconds=_seconds(row.fields.get("time_limit")),
        memory_mb=int(memory) >> 20 or None,
    )


def _cases(row: rows.Row, field: str) -> list[contests.Case]:
    pairs = _pairs(row, field, "input", "output")
    return [(str(given), str(expected)) for given, expected in pairs]


def _solutions(row: rows.Row) -> list[str]:
    marked = _pairs(row, "solutions", "language", "solution")
    return [text for language, text in marked if language == PYTHON3 and text.strip()]


def _pairs(row: rows.Row, field: str, first: str, second: str) -> list[tuple[Any, Any]]:
    """Of two lists side by side. Raises UserError for what is none."""
    stated = row.fields.get(field) or {first: [], second: []}
    try:
        return list(zip(stated[first], stated[second], strict=True))
    except (KeyError, TypeError, ValueError) as error:
        raise UserError(
            f"{row.where}: field {field!r} must hold the lists {first} and {second}: {error!r}"
        ) from None


def _seconds(limit: Any) -> float | None:
    """A duration of seconds and nanos."""
    if not isinstance(limit, dict):
        return None
    return float(limit.get("seconds") or 0) + float(limit.get("nanos") or 0) / 1e9 or None
