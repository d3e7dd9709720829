"""Any JSONL file of problems.

Options:

- `path`: the file; a relative path is taken from RASFT_DATA_DIR.
- `verifier`: "math", "python" or "choice", for rows without such a field.
- `fields`: which field of the file fills which field of a problem, such as
  `{prompt: question, expert_response: solution}`; a field not named here has its own name.
- `answer: boxed` takes the answer from the box of the expert response, for rows without one.

A row without an id gets the file's name and its number. So the file that the authors of RASFT train
on (10,000 rows of NuminaMath-CoT, fields `instruction` and `response`) is
`{path: numina_cot_10k.jsonl, verifier: math, answer: boxed,
fields: {prompt: instruction, expert_response: response}}`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from rasft.answers.extraction import extract
from rasft.data import rows
from rasft.data.source import Source
from rasft.errors import UserError
from rasft.records import Problem

REQUIRED = ("prompt", "verifier")
FIELDS = tuple(field.name for field in fields(Problem))
NUMBERS = {"tolerance": float, "cpu_seconds": float, "memory_mb": int}


def load(source: Source) -> Iterator[Problem]:
    """Yield the rows of the file as problems. Raises UserError naming the option or the line."""
    rows.check_options("jsonl", source, ("path", "verifier", "fields", "answer"))
    boxed = _boxed(source.options.get("answer"))
    renamed = _renamed(source.options.get("fields", {}))
    path = _path(source)
    for index, row in enumerate(rows.read_jsonl(path)):
        if source.limit is not None and index >= source.limit:
            return
        problem = _problem(row, renamed, source.options.get("verifier"), path.stem, index)
        yield _with_boxed_answer(problem) if boxed else problem


def _boxed(option: object) -> bool:
    if option not in (None, "boxed"):
        raise UserError(f"jsonl: option answer = {option!r} must be 'boxed', or left out")
    return option == "boxed"


def _with_boxed_answer(problem: Problem) -> Problem:
    if problem.answer is not None:
        return problem
    return replace(problem, answer=extract(problem.expert_response or "").text or None)


def _problem(
    row: rows.Row, renamed: Mapping[str, str], verifier: str | None, name: str, index: int
) -> Problem:
    texts = [field for field in FIELDS if field != "choices"]
    values: dict[str, Any] = {field: row.optional(renamed.get(field, field)) for field in texts}
    values["id"] = values["id"] or f"{name}/{index}"
    values["verifier"] = values["verifier"] or verifier
    values["source"] = values["source"] or name
    for field in REQUIRED:
        if values[field] is None:
            values[field] = row.text(renamed.get(field, field))
    for field, kind in NUMBERS.items():
        if values[field] is not None:
            values[field] = _number(row, field, values[field], kind)
    return Problem(**values, choices=row.texts(renamed.get("choices", "choices")))


def _number(row: rows.Row, field: str, text: str, kind: type[int] | type[float]) -> float:
    try:
        return kind(text)
    except ValueError:
        number = "whole number" if kind is int else "number"
        raise UserError(f"{row.where}: {field} {text!r} is not a {number}") from None


def _renamed(value: object) -> dict[str, str]:
    if not isinstance(value, Mapping):
        raise UserError(f"jsonl: option fields = {value!r} must map problem fields to file fields")
    if unknown := sorted(set(value) - set(FIELDS)):
        raise UserError(
            f"jsonl: option fields names {unknown[0]!r}, which a problem does not have; "
            f"known: {', '.join(FIELDS)}"
        )
    return dict(value)


def _path(source: Source) -> Path:
    if not source.options.get("path"):
        raise UserError("jsonl: option path is missing; name the file with the problems")
    path = Path(str(source.options["path"])).expanduser()
    if not path.is_absolute() and source.data_dir:
        path = Path(source.data_dir, path)
    if not path.is_file():
        raise rows.SourceUnavailable(
            f"jsonl: option path = {str(source.options['path'])!r}: there is no file {path}; "
            "give an absolute path, or set RASFT_DATA_DIR to the folder that it is relative to"
        )
    return path
