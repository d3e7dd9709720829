"""TACO, the 25,443 problems to train on (Li et al. 2023), from contests and from teaching sites.

The rows are those of APPS with the contest's limits, and so are the rules. The expert response is
the first of a row's solutions; rows without one are left out and said. A row has no id: its number
is it.

Options: `solutions`, `tests_mb` and `tolerance`, as of `apps`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import count

from rasft.data import contests, rows
from rasft.data.source import Source
from rasft.records import Problem

ROWS = 25_443
LOCATION = rows.Location(
    "code/taco_train.jsonl",
    hub="BAAI/TACO",
    split="train",
    revision="d593ed0a2becbbc952230bb89be09189bf1056dc",
    files=("train/data-*.arrow",),
)
_AMOUNT = re.compile(r"(\d+(?:\.\d+)?)\s*([a-z]+?)s?\b", re.IGNORECASE)
_SECONDS = {"second": 1.0, "sec": 1.0, "millisecond": 1e-3}
_MEGABYTES = {"megabyte": 1.0, "mb": 1.0, "gigabyte": 1024.0, "gb": 1024.0}


def load(source: Source) -> Iterator[Problem]:
    """Yield the problems. Raises UserError."""
    reader = contests.Reader("taco", source)
    found = rows.read(replace(source, limit=None), LOCATION)
    return reader.problems(map(_contest, found, count()), source.limit)


def _contest(row: rows.Row, number: int) -> contests.Contest:
    cases, function = contests.cases_of(row)
    megabytes = amount(row.optional("memory_limit"), _MEGABYTES)
    return contests.Contest(
        id=f"taco/{number}",
        question=row.text("question"),
        solutions=contests.solutions_of(row),
        cases=cases,
        function=function,
        starter=row.optional("starter_code"),
        seconds=amount(row.optional("time_limit"), _SECONDS),
        memory_mb=round(megabytes) if megabytes else None,
    )


def amount(text: str | None, units: Mapping[str, float]) -> float | None:
    """A stated limit in the units' own; None where none is stated, or in other units.

    >>> amount("2.0 seconds", _SECONDS), amount("256.0 megabytes", _MEGABYTES)
    (2.0, 256.0)
    >>> amount(None, _SECONDS), amount("some time", _SECONDS), amount("0.5 hours", _SECONDS)
    (None, None, None)
    """
    stated = _AMOUNT.match(text or "")
    factor = units.get(stated[2].lower()) if stated else None
    return float(stated[1]) * factor if stated and factor else None
