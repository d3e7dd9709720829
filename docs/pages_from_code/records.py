"""The page of the records: the fields of each, their types and meaning."""

from __future__ import annotations

import dataclasses
import enum
import importlib
from collections.abc import Iterator

from pages_from_code.classes import fields, paragraphs
from pages_from_code.source import find

RECORDS = (
    "rasft.records",  # all of its dataclasses
    "rasft.method.posterior:Posterior",
    "rasft.method.posterior:Stop",
    "rasft.results.accuracy:Accuracy",
    "rasft.results.accuracy:Difference",
)


def page() -> Iterator[str]:
    """Every record that a run stores as a table: its fields, their types and meaning."""
    yield from (
        "# Records",
        "",
        "What crosses a boundary is a record: a frozen dataclass, stored as rows of an Arrow",
        "table. [Artifacts](artifacts.md) says which table of a run holds which record.",
        "",
    )
    for record in _records():
        yield from (f"## {record.__name__}", "", *paragraphs(record), "")
        yield from (*fields(record), "")


def _records() -> Iterator[type]:
    for place in RECORDS:
        if ":" in place:
            yield find(place)
            continue
        module = importlib.import_module(place)
        own = [v for v in vars(module).values() if getattr(v, "__module__", "") == place]
        yield from (value for value in own if isinstance(value, type) and _is_record(value))


def _is_record(value: type) -> bool:
    return dataclasses.is_dataclass(value) or issubclass(value, enum.Enum)
