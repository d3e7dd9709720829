"""APPS, the 5,000 problems to train on (Hendrycks et al. 2021): introductory to competition.

The expert response is the first of a row's solutions; with the option `solutions` the first few are
expert sequences of the problem. Some are Python 2: the verifier refuses them, and they are dropped
and counted. A program of standard input has to print the expected tokens, a decimal within
`tolerance` (absolute or relative); APPS's own checker is laxer, and also takes tokens in another
order. What a function returns has to equal the expected value.

Options: `solutions`, 1 by default; `tests_mb`, how many million characters of a problem's tests are
kept, 4 by default; `tolerance`, 1e-6 by default, null to compare lines as they stand.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from rasft.data import contests, rows
from rasft.data.source import Source
from rasft.records import Problem

ROWS = 5_000
LOCATION = rows.Location(
    "code/apps_train.jsonl",
    hub="codeparrot/apps",
    split="train",
    revision="21e74ddf8de1a21436da12e3e653065c5213e9d1",
    files=("train.jsonl",),
)


def load(source: Source) -> Iterator[Problem]:
    """Yield the problems. Raises UserError."""
    reader = contests.Reader("apps", source)
    found = map(_contest, rows.read(replace(source, limit=None), LOCATION, _from_hub))
    return reader.problems(found, source.limit)


def _from_hub(fields: rows.Fields, index: int) -> rows.Fields:
    # the hub's file calls it `id`, its card and its loaded rows `problem_id`
    return {"problem_id": fields.get("problem_id", fields.get("id", index)), **fields}


def _contest(row: rows.Row) -> contests.Contest:
    cases, function = contests.cases_of(row)
    return contests.Contest(
        id=f"apps/{row.text('problem_id')}",
        question=row.text("question"),
        solutions=contests.solutions_of(row),
        cases=cases,
        function=function,
        starter=row.optional("starter_code"),
    )
