"""The border between the solution and its judge: length-prefixed JSON of plain values.

JSON's own types cross as themselves; every other value crosses as an object with one key, its
tag. `decode` builds exact builtin (or standard library data) types and nothing else, so whatever
a program attached to a value, an overridden `__eq__` for instance, is left behind. What is not
plain data goes through the `refer` callback, which turns it into a reference.

>>> decode(json.loads(json.dumps(encode((1, {2.5: {3}})))))
(1, {2.5: {3}})
"""

from __future__ import annotations

import builtins
import json
import os
import struct
import sys
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

MAX_MESSAGE_BYTES = 32 << 20
_HEADER = struct.Struct(">I")
_BIG_INT_BITS = 8192  # Python refuses longer decimal literals; those cross in hexadecimal

_AS_THEY_ARE = frozenset({type(None), bool, float, str})
_ARRAY_KINDS = "biufc"  # booleans, integers, floats, complex; never objects
_TYPES = {
    name: value
    for name, value in vars(builtins).items()
    if type(value) is type and not issubclass(value, BaseException)
}
_TYPE_NAMES = {value: name for name, value in _TYPES.items()}
_ITERATORS = frozenset(
    map(
        type,
        (
            iter([]),
            iter(()),
            iter({}),
            iter(set()),
            iter(""),
            iter(range(0)),
            map(abs, []),
            filter(None, []),
            zip(),
            enumerate([]),
            (item for item in [None]),
        ),
    )
)


class BorderError(Exception):
    """A value that may not cross, or a message that no honest runner sends."""


Refer = Callable[[Any], Any]


def _no_reference(value: Any) -> Any:
    raise BorderError(f"a value of type {type(value).__name__} cannot cross")


def encode(value: Any, refer: Refer = _no_reference) -> Any:
    """Return `value` as JSON-ready data; `refer` maps what is not plain data to such data."""
    kind = type(value)
    if kind in _AS_THEY_ARE:
        return value
    if kind is int:
        return value if value.bit_length() < _BIG_INT_BITS else {"int": hex(value)}
    encoder = _ENCODERS.get(kind)
    if encoder is not None:
        return encoder(value, refer)
    return _encode_rest(value, kind, refer)


def _encode_rest(value: Any, kind: type, refer: Refer) -> Any:
    if kind is type and value in _TYPE_NAMES:
        return {"type": _TYPE_NAMES[value]}
    if isinstance(value, tuple) and hasattr(kind, "_fields"):
        return _encode_items("tuple", tuple.__iter__(value), refer)
    if kind.__module__ == "numpy":
        return _encode_numpy(value, refer)
    return refer(value)


def _encode_numpy(value: Any, refer: Refer) -> Any:
    numpy = sys.modules["numpy"]
    if isinstance(value, numpy.generic) and value.dtype.kind in _ARRAY_KINDS + "U":
        return encode(value.item(), refer)
    if type(value) is numpy.ndarray and value.dtype.kind in _ARRAY_KINDS:
        flat = [encode(item) for item in value.ravel().tolist()]
        return {"array": [value.dtype.name, list(value.shape), flat]}
    return refer(value)


def _encode_items(tag: str, items: Any, refer: Refer) -> dict[str, Any]:
    return {tag: [encode(item, refer) for item in items]}


def _encode_list(value: Any, refer: Refer) -> Any:
    return [encode(item, refer) for item in value]


def _encode_dict(value: Any, refer: Refer) -> Any:
    # the base class's own method: a subclass of the standard library may override it
    pairs = dict.items(value)
    return {"dict": [[encode(key, refer), encode(item, refer)] for key, item in pairs]}


def _collection(tag: str) -> Callable[[Any, Refer], Any]:
    return lambda value, refer: _encode_items(tag, value, refer)


_ENCODERS: dict[type, Callable[[Any, Refer], Any]] = {
    list: _encode_list,
    dict: _encode_dict,
    OrderedDict: _encode_dict,
    defaultdict: _encode_dict,
    Counter: _encode_dict,
    tuple: _collection("tuple"),
    set: _collection("set"),
    frozenset: _collection("frozenset"),
    deque: _collection("deque"),
    bytes: lambda value, refer: {"bytes": value.decode("latin-1")},
    bytearray: lambda value, refer: {"bytearray": value.decode("latin-1")},
    complex: lambda value, refer: {"complex": [value.real, value.imag]},
    range: lambda value, refer: {"range": [value.start, value.stop, value.step]},
    Decimal: lambda value, refer: {"decimal": str(value)},
    Fraction: lambda value, refer: {"fraction": [value.numerator, value.denominator]},
    date: lambda value, refer: {"date": value.isoformat()},
    datetime: lambda value, refer: {"datetime": value.isoformat()},
    time: lambda value, refer: {"time": value.isoformat()},
    timedelta: lambda value, refer: {"timedelta": [value.days, value.seconds, value.microseconds]},
}


def encode_iterator(value: Any, refer: Refer) -> Any:
    """Return a builtin iterator as data, or None when it is none (an argument made of values)."""
    return _encode_items("iterator", value, refer) if type(value) in _ITERATORS else None


Resolve = Callable[[Any], Any]


def decode(data: Any, resolve: Resolve = _no_reference) -> Any:
    """Return the value of `data`, of exact builtin types; `resolve` maps references to values."""
    kind = type(data)
    if kind is list:
        return [decode(item, resolve) if type(item) in (list, dict) else item for item in data]
    if kind is not dict:
        return data
    if len(data) != 1:
        raise BorderError("a tagged value has exactly one key")
    ((tag, payload),) = data.items()
    if tag == "ref":
        return resolve(payload)
    decoder = _DECODERS.get(tag)
    if decoder is None:
        raise BorderError(f"unknown tag {tag!r}")
    return decoder(payload, resolve)


def _decode_dict(payload: Any, resolve: Resolve) -> Any:
    return {decode(key, resolve): decode(item, resolve) for key, item in payload}


def _decode_array(payload: Any, resolve: Resolve) -> Any:
    import numpy

    name, shape, flat = payload
    dtype = numpy.dtype(str(name))
    if dtype.kind not in _ARRAY_KINDS:
        raise BorderError(f"an array of {name} cannot cross")
    array = numpy.array(decode(flat), dtype=dtype).reshape([int(size) for size in shape])
    # an empty array is neither equal nor unequal to anything: `not (array != 17)` would hold
    return array if array.size else array.tolist()


_DECODERS: dict[str, Callable[[Any, Resolve], Any]] = {
    "int": lambda payload, resolve: int(payload, 16),
    "type": lambda payload, resolve: _TYPES[payload],
    "dict": _decode_dict,
    "array": _decode_array,
    "tuple": lambda payload, resolve: tuple(decode(payload, resolve)),
    "set": lambda payload, resolve: set(decode(payload, resolve)),
    "frozenset": lambda payload, resolve: frozenset(decode(payload, resolve)),
    "deque": lambda payload, resolve: deque(decode(payload, resolve)),
    "iterator": lambda payload, resolve: iter(decode(payload, resolve)),
    "bytes": lambda payload, resolve: payload.encode("latin-1"),
    "bytearray": lambda payload, resolve: bytearray(payload.encode("latin-1")),
    "complex": lambda payload, resolve: complex(*map(float, payload)),
    "range": lambda payload, resolve: range(*map(int, payload)),
    "decimal": lambda payload, resolve: Decimal(str(payload)),
    "fraction": lambda payload, resolve: Fraction(*map(int, payload)),
    "date": lambda payload, resolve: date.fromisoformat(payload),
    "datetime": lambda payload, resolve: datetime.fromisoformat(payload),
    "time": lambda payload, resolve: time.fromisoformat(payload),
    "timedelta": lambda payload, resolve: timedelta(*map(int, payload)),
}


class Channel:
    """Length-prefixed JSON messages over one stream socket.

    `receive` returns None at the end of the stream and raises BorderError on what is not a
    message; `send` raises BrokenPipeError or ConnectionResetError when nobody reads any more.
    """

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        self._buffer = b""

    @property
    def pending(self) -> bool:
        """True when bytes of a next message were read along with the last."""
        return bool(self._buffer)

    def send(self, message: Any) -> None:
        """Write one message; raises BorderError, with nothing written, when it is too large."""
        body = json.dumps(message).encode()
        if len(body) > MAX_MESSAGE_BYTES:
            raise BorderError(f"a message of {len(body) >> 20} MB cannot cross")
        data = memoryview(_HEADER.pack(len(body)) + body)
        while data:
            data = data[os.write(self.descriptor, data) :]

    def receive(self) -> Any:
        """Read one message."""
        header = self._read(_HEADER.size)
        if header is None:
            return None
        (length,) = _HEADER.unpack(header)
        if length > MAX_MESSAGE_BYTES:
            raise BorderError(f"a message of {length >> 20} MB cannot cross")
        body = self._read(length)
        if body is None:
            return None
        try:
            return json.loads(body)
        except (ValueError, RecursionError) as error:
            raise BorderError(f"not a message: {error}") from None

    def _read(self, length: int) -> bytes | None:
        buffer = self._buffer
        if len(buffer) < length:
            parts, missing = [buffer], length - len(buffer)
            while missing > 0:
                part = os.read(self.descriptor, max(65536, min(missing, 1 << 20)))
                if not part:
                    return None
                parts.append(part)
                missing -= len(part)
            buffer = b"".join(parts)
        self._buffer = buffer[length:]
        return buffer[:length]
