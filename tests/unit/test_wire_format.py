"""What crosses between a program and its judge, and what dies on the way."""

from __future__ import annotations

import json
import math
import os
import socket
from collections import Counter, OrderedDict, defaultdict, deque
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.inside.seccomp import filter_program
from sandbox.inside.wire_format import MAX_MESSAGE_BYTES, BorderError, Channel, decode, encode

PLAIN = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
KEYS = st.booleans() | st.integers() | st.text() | st.binary() | st.tuples(st.integers(), st.text())
VALUES = st.recursive(
    PLAIN | st.binary() | st.complex_numbers(allow_nan=False) | st.fractions(),
    lambda inner: st.lists(inner) | st.dictionaries(KEYS, inner) | st.tuples(inner, inner),
    max_leaves=20,
)


def crossed(value: Any) -> Any:
    return decode(json.loads(json.dumps(encode(value))))


def exactly(value: Any) -> Any:
    """The value with the type of every part beside it."""
    if isinstance(value, dict):
        return dict, [(exactly(key), exactly(item)) for key, item in value.items()]
    if isinstance(value, (list, tuple)):
        return type(value), [exactly(item) for item in value]
    return type(value), value


@given(VALUES)
def test_plain_values_cross_unchanged(value: Any) -> None:
    assert exactly(crossed(value)) == exactly(value)


@pytest.mark.parametrize(
    "value",
    [
        {1, 2},
        frozenset({(1, "a")}),
        bytearray(b"\x00\xff"),
        range(3, 100, 7),
        deque([1, 2]),
        Decimal("1.10"),
        Fraction(1, 3),
        date(2024, 2, 29),
        datetime(2024, 2, 29, 1, 2, 3),
        time(1, 2),
        timedelta(days=-1, seconds=3),
        int,
        10**5000,
        -(10**5000),
        "\ud800",
        -0.0,
        2**63,
        float("inf"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_other_data_crosses_unchanged(value: Any) -> None:
    assert exactly(crossed(value)) == exactly(value)


def test_not_a_number_crosses() -> None:
    assert math.isnan(crossed(float("nan")))


class Point(NamedTuple):
    x: int


@pytest.mark.parametrize(
    ("value", "plain"),
    [
        (Counter("aab"), {"a": 2, "b": 1}),
        (OrderedDict(a=1), {"a": 1}),
        (defaultdict(list, {1: [2]}), {1: [2]}),
        (Point(3), (3,)),
        (np.float64(1.5), 1.5),
        (np.int32(7), 7),
        (np.bool_(True), True),
        (np.str_("a"), "a"),
    ],
)
def test_known_subclasses_lose_their_class(value: Any, plain: Any) -> None:
    assert exactly(crossed(value)) == exactly(plain)


def test_arrays_cross_and_empty_ones_become_lists() -> None:
    array = np.arange(6, dtype=np.float32).reshape(2, 3)
    assert crossed(array).dtype == np.float32
    assert crossed(array).tolist() == array.tolist()
    assert crossed(np.zeros((0, 2))) == []


class EqualInt(int):
    def __eq__(self, other: object) -> bool:
        return True

    __hash__ = int.__hash__


class EqualList(list[Any]):
    def __eq__(self, other: object) -> bool:
        return True


@pytest.mark.parametrize("value", [EqualInt(3), EqualList(), object(), print, [EqualInt(3)]])
def test_what_is_not_plain_is_referred_to(value: Any) -> None:
    with pytest.raises(BorderError):
        encode(value)
    assert "ref" in json.dumps(encode(value, lambda _: {"ref": 0}))


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"tuple": [], "set": []},
        {"object": 1},
        {"type": "ANY"},
        {"type": []},
        {"tuple": 3},
        {"set": [[1]]},
        {"dict": [[1]]},
        {"dict": [[[1], 2]]},
        {"int": "zz"},
        {"range": [0, 1, 0]},
        {"fraction": [1, 0]},
        {"date": "x"},
        {"complex": ["x", 1]},
        {"array": ["object", [1], [1]]},
        {"array": ["float64", [2], [1.0]]},
        {"ref": 0},
        {"decimal": "x"},
        {"bytes": "\u0100"},
    ],
    ids=json.dumps,
)
def test_forged_data_raises_an_ordinary_exception(data: Any) -> None:
    with pytest.raises((ArithmeticError, LookupError, TypeError, ValueError, BorderError)):
        decode(data)


@pytest.mark.parametrize(
    "written",
    [b"\xff\xff\xff\xff", b"\x00\x00\x00\x01x", b"\x00\x00\x00\x02\xff\xfe", None],
    ids=["too long", "no JSON", "no text", "too deep"],
)
def test_what_is_not_a_message_is_refused(written: bytes | None) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        nest = b"[" * 100_000
        theirs.sendall(written if written is not None else len(nest).to_bytes(4, "big") + nest)
        with pytest.raises(BorderError):
            Channel(ours.fileno()).receive()


def test_the_end_of_a_stream_is_none() -> None:
    ours, theirs = socket.socketpair()
    with ours:
        theirs.sendall(b"\x00\x00\x00\x09[1")
        theirs.close()
        assert Channel(ours.fileno()).receive() is None


def test_messages_keep_their_bounds() -> None:
    reading, writing = os.pipe()
    sender, receiver = Channel(writing), Channel(reading)
    for message in ([1], ["two"], {"three": 3}):
        sender.send(message)
    assert [receiver.receive() for _ in range(3)] == [[1], ["two"], {"three": 3}]
    with pytest.raises(BorderError):
        sender.send("x" * MAX_MESSAGE_BYTES)
    os.close(reading)
    os.close(writing)


@pytest.mark.parametrize(("machine", "socket_call"), [("x86_64", 41), ("aarch64", 198)])
def test_the_filter_denies_by_number(machine: str, socket_call: int) -> None:
    assert verdict(machine, socket_call) == 0x00050001  # EPERM
    assert verdict(machine, 435) == 0x00050026  # clone3: ENOSYS
    assert verdict(machine, 0) == 0x7FFF0000  # read or io_setup: allowed
    clone = {"x86_64": 56, "aarch64": 220}[machine]
    assert verdict(machine, clone, 17) == 0x7FFF0000
    assert verdict(machine, clone, 0x10000000 | 17) == 0x00050001


def test_the_filter_kills_other_architectures() -> None:
    assert verdict("x86_64", 20, architecture=0x40000003) == 0x80000000
    assert verdict("x86_64", 0x40000000 + 39) == 0x00050001


def verdict(machine: str, number: int, argument: int = 0, architecture: int = 0) -> int:
    """What the filter returns, by running its program here."""
    native = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}[machine]
    data = {0: number, 4: architecture or native, 16: argument}
    program, position, held = filter_program(machine), 0, 0
    while True:
        line = program[8 * position : 8 * position + 8]
        code, true, false = int.from_bytes(line[:2], "little"), line[2], line[3]
        constant = int.from_bytes(line[4:], "little")
        position += 1
        if code == 0x20:
            held = data[constant]
        elif code == 0x06:
            return constant
        else:
            holds = {0x15: held == constant, 0x35: held >= constant, 0x45: bool(held & constant)}
            position += true if holds[code] else false
