"""MBPP rows (Austin et al. 2021): 500 test problems, ids 11-510, and 374 to train on, 601-974.

The prompt ends with the asserts, as in the paper: only they say what the function is called.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from rasft.data import rows
from rasft.data.source import Source
from rasft.errors import UserError
from rasft.records import Problem

_DEFINED = re.compile(r"^\s*def\s+(\w+)", re.MULTILINE)
_CALLED = re.compile(r"\b(\w+)\s*\(")


def load(source: Source, name: str, split: str) -> Iterator[Problem]:
    """Yield the rows of the split "train" or "test" as problems of the plugin `name`."""
    location = rows.Location(
        f"code/mbpp_{split}.jsonl",
        hub="google-research-datasets/mbpp",
        split=split,
        revision="4bb6404fdc6cacfda99d4ac4205087b89d32030c",
        config="full",
    )
    rows.check_options(name, source)
    for row in rows.read(source, location):
        yield _problem(row, name)


def _problem(row: rows.Row, name: str) -> Problem:
    asserts = row.fields.get("test_list")
    if not isinstance(asserts, list) or not all(isinstance(test, str) for test in asserts):
        raise UserError(f"{row.where}: field 'test_list' must be a list of assert statements")
    tests = "\n".join(asserts)
    program = row.optional("code")
    setup = row.optional("test_setup_code")
    return Problem(
        id=f"mbpp/{row.text('task_id')}",
        prompt=f"{row.text('text')}\nYour code should pass these tests:\n\n{tests}",
        verifier="python",
        expert_response=rows.fenced(program) if program else None,
        tests=tests or None,
        entry_point=entry_point(program, tests) if program else None,
        setup="\n".join(setup.splitlines()) if setup else None,
        source=name,
    )


def entry_point(program: str, tests: str) -> str | None:
    """The function of the program that the tests call; None unless there is exactly one.

    >>> entry_point("def a(): ...\\ndef b(): ...", "assert abs(b()) == 1")
    'b'
    """
    names = set(_DEFINED.findall(program)) & set(_CALLED.findall(tests))
    return names.pop() if len(names) == 1 else None
