"""The solution's side of the border: executes the program under test and does what it is asked.

Everything here runs in the hostile program's own process and may be tampered with by it. That is
harmless: the judge believes nothing but the plain values that arrive, and those the program may
choose freely anyway.
"""

from __future__ import annotations

import contextlib
import operator
import os
import sys
import types
from collections.abc import Callable
from typing import Any

from sandbox.inside import preloaded, stdio  # noqa: F401  (preloaded: for its imports)
from sandbox.inside.choice import NOT_COMPILED, choose
from sandbox.inside.wire_format import Channel, decode, encode

CHANNEL = 3
MODULE = "solution"
_MUTABLE = frozenset({"list", "dict", "set", "bytearray", "deque", "ndarray"})


class Callback:
    """A function of the tests that the program was handed; calling it asks the judge."""

    def __init__(self, runtime: Runtime, number: int) -> None:
        self._runtime = runtime
        self._number = number

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        return self._runtime.call_back(self._number, arguments, named)


class Runtime:
    """Holds the program's module and the objects that the judge knows by reference."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._objects: list[Any] = []
        self._numbers: dict[int, int] = {}
        self._module = types.ModuleType(MODULE)
        self._code: types.CodeType | None = None

    def serve(self) -> None:
        """Answer requests until the judge hangs up."""
        while (request := self._channel.receive()) is not None:
            self._reply(request)

    def call_back(self, number: int, arguments: tuple[Any, ...], named: dict[str, Any]) -> Any:
        """Ask the judge to call one of its functions, answering what it asks meanwhile."""
        self._channel.send(["callback", number, *self._encode_call(arguments, named)])
        while (request := self._channel.receive()) is not None:
            if request[0] == "return":
                return decode(request[1], self._resolve)
            if request[0] == "raise":
                raise getattr(sys.modules["builtins"], request[1])(request[2])
            self._reply(request)
        os._exit(0)

    def _reply(self, request: list[Any]) -> None:
        try:
            answer = self._answer(*request)
        except BaseException as error:
            answer = _describe(error)
        with contextlib.suppress(Exception):
            sys.stdout.flush()
        try:
            self._channel.send(answer)
        except Exception as error:
            self._channel.send(_describe(error))

    def _answer(self, kind: str, *rest: Any) -> list[Any]:
        if kind == "load":
            return self._load(*rest)
        if kind == "choose":
            return ["ok", choose(*rest)]
        if kind == "run":
            return stdio.run(self._code, rest[0])
        return self._do(*rest)

    def _load(self, source: str, execute: bool) -> list[Any]:
        try:
            self._code = compile(source, "<solution>", "exec", dont_inherit=True)
        except NOT_COMPILED as error:
            return ["malformed", *_describe(error)[1:]]
        if execute:
            sys.modules[MODULE] = self._module
            exec(self._code, self._module.__dict__)
        return ["ok", None]

    def _do(self, operation: str, arguments: list[Any], named: dict[str, Any]) -> list[Any]:
        values = [decode(item, self._resolve) for item in arguments]
        keywords = {name: decode(item, self._resolve) for name, item in named.items()}
        result = _OPERATIONS[operation](*values, **keywords)
        answer = ["ok", encode(result, self._refer)]
        if result is None and operation == "call":
            answer.append(self._changes(arguments, values))
        return answer

    def _changes(self, before: list[Any], values: list[Any]) -> list[Any]:
        """Return [position, new value] of each argument that the call changed in place."""
        changes = []
        for position, value in enumerate(values):
            if type(value).__name__ not in _MUTABLE:
                continue
            after = encode(value, self._refer)
            if after != before[position]:
                changes.append([position, after])
        return changes

    def _encode_call(self, arguments: tuple[Any, ...], named: dict[str, Any]) -> list[Any]:
        return [
            [encode(item, self._refer) for item in arguments],
            {name: encode(item, self._refer) for name, item in named.items()},
        ]

    def _refer(self, value: Any) -> dict[str, Any]:
        if type(value) is Callback:
            return {"ref": -1 - value._number}
        number = self._numbers.get(id(value))
        if number is None:
            # kept alive for as long as the program runs, so that ids stay its own
            self._objects.append(value)
            number = self._numbers[id(value)] = len(self._objects) - 1
        return {"ref": number}

    def _resolve(self, reference: Any) -> Any:
        if type(reference) is str:
            try:
                return self._module.__dict__[reference]
            except KeyError:
                raise NameError(f"name {reference!r} is not defined") from None
        if reference < 0:
            return Callback(self, -1 - reference)
        return self._objects[reference]


def _next(iterator: Any) -> tuple[bool, Any]:
    try:
        return True, next(iterator)
    except StopIteration:
        return False, None


_OPERATIONS: dict[str, Callable[..., Any]] = {
    "call": lambda *values, **named: values[0](*values[1:], **named),
    "name": lambda value: value,
    "getattr": getattr,
    "setattr": setattr,
    "getitem": operator.getitem,
    "setitem": operator.setitem,
    "iter": iter,
    "next": _next,
    "bool": bool,
    "str": str,
    "repr": repr,
    "isinstance": isinstance,
}


def _describe(error: BaseException) -> list[Any]:
    """Return ["raise", nearest builtin class, text]."""
    name = next(kind.__name__ for kind in type(error).__mro__ if kind.__module__ == "builtins")
    try:
        text = str(error)[:500]
    except BaseException:
        text = ""
    return ["raise", name, text]


def main() -> None:
    """Run in a fresh child of the zygote until the judge hangs up or the zygote kills it."""
    Runtime(Channel(CHANNEL)).serve()
