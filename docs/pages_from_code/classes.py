"""What a page says of a class: its docstring, and a table of its fields."""

from __future__ import annotations

import dataclasses
import enum
import inspect
from collections.abc import Iterator
from typing import Any

from pages_from_code.markdown import prose, table
from pages_from_code.source import comments_of, line_of


def paragraphs(documented: type) -> Iterator[str]:
    """A class's docstring, its examples as code."""
    if documented.__doc__ is None or documented.__doc__.startswith(f"{documented.__name__}("):
        return  # a dataclass without one gets its signature
    lines = (inspect.getdoc(documented) or "").splitlines()
    example = next((n for n, line in enumerate(lines) if line.startswith(">>>")), len(lines))
    yield from prose(lines[:example])
    if lines[example:]:
        yield from ("```text", *lines[example:], "```")


def fields(record: type) -> Iterator[str]:
    """The table of a record's fields, or of an enum's values."""
    if issubclass(record, enum.Enum):
        yield from table(["value"], [(f"`{member.value}`",) for member in record])
        return
    comments = comments_of(*line_of(record))
    own: Any = record
    rows = [
        (f"`{field.name}`", f"`{field.type}`", comments.get(field.name, ""))
        for field in dataclasses.fields(own)
    ]
    yield from table(["field", "type", "meaning"], rows)
