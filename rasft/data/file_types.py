"""The rows of one open file by its type: JSON lines, JSON, CSV, TSV or Parquet.

A row comes with its place in the file. Lines and batches are read as they are asked for; only a
JSON list is held whole. Text is UTF-8, with a byte-order mark or without, and any line end is one
line feed. A name ending in .gz, .bz2 or .xz is unpacked as it is read.
"""

from __future__ import annotations

import csv
import io
import json
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import PurePosixPath
from typing import Any, TextIO

Placed = tuple[str, Any]  # "line 3" or "row 3", and what stands there: the row's fields

PACKED = (".gz", ".bz2", ".xz")
AT_ONCE = 512  # rows of Parquet held as values
PAGE = 1 << 20  # bytes of a Parquet column read at once


class Malformed(ValueError):
    """Content that is not of the type; the message begins with its place in the file."""


def json_lines(text: Iterable[str]) -> Iterator[Placed]:
    """One object a line; blank lines are skipped."""
    for number, line in enumerate(text, start=1):
        if line.strip():
            yield f"line {number}", _value(line, f"line {number}")


def read(file_type: str, fs: Any, path: str) -> Iterator[Placed]:
    """The rows of a file of a type of `TYPES`.

    Raises Malformed for content that is not of the type, and what file system and format raise.
    """
    if file_type == "parquet":
        yield from _parquet(fs, path)
        return
    with fs.open(path, "rt", encoding="utf-8-sig", compression="infer") as text:
        yield from _TEXTS[file_type](text)


def type_of(path: str) -> str | None:
    """The type that a file's name says; None where it says none.

    >>> type_of("a/rows.jsonl.gz"), type_of("rows.PARQUET"), type_of("rows")
    ('jsonl', 'parquet', None)
    """
    name = PurePosixPath(path.lower())
    suffix = PurePosixPath(name.stem).suffix if name.suffix in PACKED else name.suffix
    return SUFFIXES.get(suffix)


def _value(text: str, where: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise Malformed(f"{where} is not valid JSON: {error}") from None


def _json(text: TextIO) -> Iterator[Placed]:
    """A list, an object with one list, or lines under the name .json, as hubs have them."""
    content = text.read()
    try:
        value = json.loads(content)
    except json.JSONDecodeError as error:
        if error.msg != "Extra data":
            raise Malformed(f"line {error.lineno} is not valid JSON: {error}") from None
        yield from json_lines(io.StringIO(content))
        return
    for number, fields in enumerate(_listed(value), start=1):
        yield f"row {number}", fields


def _listed(value: Any) -> list[Any]:
    lists = [value] if isinstance(value, list) else []
    if isinstance(value, dict):
        lists = [part for part in value.values() if isinstance(part, list)]
    if len(lists) != 1:
        raise Malformed(
            f"holds one JSON value with {len(lists)} lists; it must be a list of rows, or an "
            "object with one list (for an object a line, set file_type: jsonl)"
        )
    return lists[0]


def _separated(delimiter: str) -> Callable[[TextIO], Iterator[Placed]]:
    def rows(text: TextIO) -> Iterator[Placed]:
        csv.field_size_limit(sys.maxsize)  # else a cell of 131,072 characters ends the reading
        for number, fields in enumerate(csv.DictReader(text, delimiter=delimiter), start=1):
            if None in fields:
                raise Malformed(f"row {number} has more cells than the header has names")
            yield f"row {number}", fields

    return rows


def _parquet(fs: Any, path: str) -> Iterator[Placed]:
    import pyarrow.parquet as pq

    with fs.open(path, "rb") as file:
        # in this thread alone: a thread of Arrow's that still holds a Python file when the
        # interpreter ends aborts it (apache/arrow#34314)
        parquet = pq.ParquetFile(file, pre_buffer=False, buffer_size=PAGE)
        number = 0
        for batch in parquet.iter_batches(AT_ONCE, use_threads=False):
            for fields in batch.to_pylist():
                number += 1
                yield f"row {number}", fields


_TEXTS: dict[str, Callable[[TextIO], Iterator[Placed]]] = {
    "jsonl": json_lines,
    "json": _json,
    "csv": _separated(","),
    "tsv": _separated("\t"),
}
TYPES = (*_TEXTS, "parquet")
SUFFIXES = {f".{name}": name for name in TYPES} | {".ndjson": "jsonl", ".pq": "parquet"}
