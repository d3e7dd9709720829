"""LiveCodeBench's tests, as the sandbox runs them.

A row has public and private tests, each a JSON list of {input, output, testtype}. The private ones
are packed: base64 of zlib of a pickled string. They are unpacked by a reader that admits text and
nothing else, since a pickle may otherwise run what it likes.

Tests of standard input become {"inputs": [...], "outputs": [...]}. Tests of a method hold one JSON
value a line for its arguments, and one for the expected value; they become a script that calls the
class `Solution`. All of it is data: no test is executed outside the sandbox.
"""

from __future__ import annotations

import base64
import binascii
import io
import json
import pickle
import zlib
from collections.abc import Iterable, Iterator
from typing import Any, NoReturn

from rasft.data import rows
from rasft.errors import UserError

MOST_UNPACKED_BYTES = 1 << 30
Case = tuple[str, str]  # input and output

_CALLS = """\
import json

def _plain(value):
    return list(value) if isinstance(value, tuple) else value

for _given, _expected in json.loads({cases!r}):
    assert _plain(Solution().{method}(*_given)) == _expected
"""


def cases(row: rows.Row) -> Iterator[Case]:
    """The public tests of a row, then the private ones. Raises UserError for what are none."""
    for field in ("public_test_cases", "private_test_cases"):
        text = row.text(field)
        try:
            listed = json.loads(text if text.lstrip().startswith("[") else _unpacked(text))
            yield from [(case["input"], case["output"]) for case in listed]
        except (ValueError, KeyError, TypeError, zlib.error, pickle.UnpicklingError) as error:
            raise UserError(f"{row.where}: field {field!r} holds no tests: {error}") from None


def of_standard_input(found: Iterable[Case]) -> str:
    """Tests of a program that reads and prints.

    >>> of_standard_input([("1 2", "3")])
    '{"inputs": ["1 2"], "outputs": ["3"]}'
    """
    inputs, outputs = zip(*found, strict=True)
    return json.dumps({"inputs": inputs, "outputs": outputs})


def of_method(found: Iterable[Case], method: str) -> str:
    """Tests of a method of the class `Solution`. Raises ValueError for what is no JSON."""
    calls = [
        [[json.loads(line) for line in given.split("\n")], json.loads(expected)]
        for given, expected in found
    ]
    return _CALLS.format(cases=json.dumps(calls), method=method)


def method_of(row: rows.Row) -> str | None:
    """The method under test; None where programs read standard input. Raises UserError."""
    try:
        name = json.loads(row.optional("metadata") or "{}").get("func_name")
    except (ValueError, AttributeError):
        raise UserError(f"{row.where}: field 'metadata' holds no JSON object") from None
    if name is not None and not (isinstance(name, str) and name.isidentifier()):
        raise UserError(f"{row.where}: func_name {name!r} is no method's name")
    return name


class _Text(pickle.Unpickler):
    """Reads what is made of literals alone."""

    def find_class(self, module: str, name: str) -> NoReturn:
        raise pickle.UnpicklingError(f"{module}.{name} is no text")

    def persistent_load(self, reference: Any) -> NoReturn:
        raise pickle.UnpicklingError("a reference is no text")


def _unpacked(packed: str) -> str:
    """The string in base64 of zlib of a pickle. Raises ValueError, zlib.error, UnpicklingError."""
    try:
        squeezed = base64.b64decode(packed, validate=True)
    except binascii.Error:
        raise ValueError("neither a JSON list nor base64") from None
    unpacking = zlib.decompressobj()
    content = unpacking.decompress(squeezed, MOST_UNPACKED_BYTES)
    if unpacking.unconsumed_tail:
        raise ValueError(f"more than {MOST_UNPACKED_BYTES >> 20} MB")
    try:
        text = _Text(io.BytesIO(content)).load()
    except (EOFError, IndexError, AttributeError, MemoryError, RecursionError):
        raise ValueError("no pickle") from None
    if not isinstance(text, str):
        raise ValueError(f"a pickled {type(text).__name__}, not text")
    return text
