"""Records <-> Arrow tables. The schema is derived from the dataclass, never written twice.

Rows leave a table by `take`, which copies them: an Arrow slice keeps (and pickles) the whole
buffer it was cut from.
"""

from __future__ import annotations

import dataclasses
import os
import types
import typing
from collections.abc import Iterable, Iterator, Sequence
from enum import Enum
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar, Union

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

Record = TypeVar("Record")

AT_ONCE = 4096  # rows held as records while a table is made or streamed

_ARROW = {str: pa.string(), int: pa.int64(), float: pa.float64(), bool: pa.bool_()}


def schema(record: type) -> pa.Schema:
    """The Arrow schema of a record class. Raises TypeError for an annotation outside the rules."""
    hints = typing.get_type_hints(record)
    return pa.schema([_field(f.name, hints[f.name]) for f in dataclasses.fields(record)])


def to_table(records: Iterable[Any], record: type) -> pa.Table:
    """Records of one class as an Arrow table (also for no rows at all), taken as they come."""
    names = [f.name for f in dataclasses.fields(record)]
    form = schema(record)
    rows = iter(records)
    parts = [form.empty_table()]
    while part := list(islice(rows, AT_ONCE)):
        fields = [{name: getattr(row, name) for name in names} for row in part]
        parts.append(pa.Table.from_pylist(fields, schema=form))
    return pa.concat_tables(parts)


def from_table(table: pa.Table, record: type[Record]) -> list[Record]:
    """The rows of a table as records; a column that an older run lacks takes its default.

    Raises KeyError if a column without a default is missing.
    """
    convert = {name: _reader(hint) for name, hint in typing.get_type_hints(record).items()}
    names = [n for n in schema(record).names if n in table.column_names or _is_needed(record, n)]
    columns = {name: map(convert[name], table[name].to_pylist()) for name in names}
    return [
        record(**dict(zip(columns, row, strict=True)))
        for row in zip(*columns.values(), strict=True)
    ]


def stream(table: pa.Table, record: type[Record]) -> Iterator[Record]:
    """The rows of a table as records, a few thousand at a time."""
    for start in range(0, table.num_rows, AT_ONCE):
        yield from from_table(table.slice(start, AT_ONCE), record)


def take(table: pa.Table, indices: Sequence[int] | np.ndarray) -> pa.Table:
    """A copy of some rows, in the order asked."""
    return table.take(pa.array(indices, type=pa.int64()))


def shard_rows(table: pa.Table, shard: int, shards: int) -> pa.Table:
    """Every `shards`-th row from `shard` on: shards differ by one row at most."""
    return take(table, range(shard, table.num_rows, shards))


def write(table: pa.Table, path: Path) -> None:
    """Write Parquet atomically: a reader sees the old file or the whole new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    pq.write_table(table, partial)
    os.replace(partial, path)


def read(path: Path) -> pa.Table:
    """Read a Parquet file written by `write`."""
    return pq.read_table(path)


def _is_needed(record: type, name: str) -> bool:
    field = record.__dataclass_fields__[name]  # type: ignore[attr-defined]
    return field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING


def _field(name: str, hint: Any) -> pa.Field:
    inner, nullable = _strip_none(hint)
    return pa.field(name, _arrow_type(inner), nullable=nullable)


def _arrow_type(hint: Any) -> pa.DataType:
    if typing.get_origin(hint) is tuple:
        element, nullable = _strip_none(typing.get_args(hint)[0])
        return pa.list_(pa.field("item", _arrow_type(element), nullable=nullable))
    if isinstance(hint, type) and issubclass(hint, Enum):
        return pa.string()
    if hint not in _ARROW:
        raise TypeError(f"{hint!r} cannot be stored: use str, int, float, bool, None or tuple")
    return _ARROW[hint]


def _strip_none(hint: Any) -> tuple[Any, bool]:
    if typing.get_origin(hint) not in (Union, types.UnionType):
        return hint, False
    (inner,) = (part for part in typing.get_args(hint) if part is not type(None))
    return inner, True


def _reader(hint: Any) -> Any:
    inner, _ = _strip_none(hint)
    if typing.get_origin(inner) is tuple:
        return lambda value: None if value is None else tuple(value)
    if isinstance(inner, type) and issubclass(inner, Enum):
        return lambda value: None if value is None else inner(value)
    return lambda value: value


def concat(parts: Iterable[pa.Table]) -> pa.Table:
    """The rows of several tables of one schema."""
    return pa.concat_tables(parts).combine_chunks()
