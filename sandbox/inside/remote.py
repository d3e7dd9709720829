"""The judge's side of the border: what the tests hold in place of the program's objects.

A `Remote` can be called, iterated, read, set and truth-tested; each asks the program and returns
plain values or other Remotes. It refuses to be compared, hashed or measured, since the answer
would be the program's own. Of exceptions only the names of builtin Exception classes cross.
"""

from __future__ import annotations

import builtins
from collections.abc import Callable, Iterator
from typing import Any, NoReturn, cast

from sandbox.inside import statuses
from sandbox.inside.wire_format import BorderError, Channel, decode, encode, encode_iterator

# a StopIteration out of a call would end the loop of a test early, and with it the test
_EXCEPTIONS = {
    name: kind
    for name, kind in vars(builtins).items()
    if isinstance(kind, type)
    and issubclass(kind, Exception)
    and not issubclass(kind, (StopIteration, StopAsyncIteration, MemoryError))
}


class ProgramEnd(BaseException):
    """The program is over: died, out of memory, or speaking nonsense. No test can catch up."""

    def __init__(self, status: str, detail: str) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail


class TestsError(BaseException):
    """The tests ask for what cannot be done: nobody's answer could pass or fail them."""


class Session:
    """A conversation with one program."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._callbacks: list[Callable[..., Any]] = []
        self._remotes: dict[Any, Remote] = {}
        self.end: ProgramEnd | None = None  # also where a test's bare `except` swallowed it

    def choose(self, sources: list[str], entry_point: str | None) -> int:
        """Have it said which source is the program; before `load`, so nothing hostile answers."""
        number = self._request(["choose", sources, entry_point])
        if type(number) is not int or not 0 <= number < len(sources):
            self._finish(statuses.CRASHED, "the program spoke out of turn")
        return number

    def load(self, source: str, execute: bool = True) -> None:
        """Hand the program over and, unless told otherwise, execute it."""
        self._request(["load", source, execute])

    def run(self, text: str) -> str:
        """Run a whole program on one standard input; return what it printed."""
        printed = self._request(["run", text])
        return printed if type(printed) is str else ""

    def ask(self, operation: str, *values: Any, **named: Any) -> Any:
        """Have the program's side do one operation on values and Remotes."""
        return self._request(["do", operation, *self._encode_call(values, named)], values)

    def remote(self, reference: Any) -> Any:
        """Return the Remote for a name (str) or a number; the same one for the same object."""
        if type(reference) not in (str, int):
            self._finish(statuses.CRASHED, "the program spoke out of turn")
        if type(reference) is int and reference < 0:
            return self._callbacks[-1 - reference]
        if reference not in self._remotes:
            self._remotes[reference] = Remote(self, reference)
        return self._remotes[reference]

    def _request(self, message: list[Any], values: tuple[Any, ...] = ()) -> Any:
        if self.end is not None:
            raise self.end
        self._send(message)
        while True:
            reply = self._receive()
            if reply[0] == "callback":
                self._call_back(*reply[1:])
            elif reply[0] == "ok":
                return self._accept(reply, values)
            else:
                self._raise(*reply)

    def _accept(self, reply: list[Any], values: tuple[Any, ...]) -> Any:
        try:
            # only in-place functions may change what the tests hold, else `f(x) == g(x)` could
            # be met by spoiling x
            for position, after in reply[2] if len(reply) > 2 and reply[1] is None else ():
                _replace(values[position], decode(after, self.remote))
            return decode(reply[1], self.remote)
        except MemoryError:
            self._finish(statuses.INCORRECT, "an answer too large for its judge")
        except Exception as error:
            self._finish(statuses.CRASHED, f"an answer that is no value: {error}")

    def _raise(self, kind: str, name: str = "", text: str = "", *_: Any) -> NoReturn:
        if kind == "malformed":
            self._finish(statuses.MALFORMED, f"{name}: {text}")
        if name == "MemoryError":
            self._finish(statuses.OUT_OF_MEMORY, "the program ran out of memory")
        if name in ("StopIteration", "StopAsyncIteration"):
            name, text = "RuntimeError", f"{name} raised by a call"
        if kind != "raise" or name not in _EXCEPTIONS:
            self._finish(statuses.CRASHED, f"the program raised {name}: {text}")
        error = _make(_EXCEPTIONS[name], str(text))
        error.from_program = True  # type: ignore[attr-defined]
        raise error

    def _call_back(self, number: int, arguments: list[Any], named: dict[str, Any]) -> None:
        try:
            function = self._callbacks[number]
            values = [decode(item, self.remote) for item in arguments]
            keywords = {name: decode(item, self.remote) for name, item in named.items()}
            result = ["return", encode(function(*values, **keywords), self._refer)]
        except Exception as error:
            name = type(error).__name__
            result = ["raise", name if name in _EXCEPTIONS else "RuntimeError", str(error)[:500]]
        self._send(result)

    def _encode_call(self, values: tuple[Any, ...], named: dict[str, Any]) -> list[Any]:
        return [
            [encode(item, self._refer) for item in values],
            {name: encode(item, self._refer) for name, item in named.items()},
        ]

    def _refer(self, value: Any) -> dict[str, Any]:
        if type(value) is Remote:
            return {"ref": reference_of(value)}
        data = encode_iterator(value, self._refer)
        if data is not None:
            return cast(dict[str, Any], data)
        if not callable(value):
            raise TestsError(f"the tests pass a {type(value).__name__}, which cannot cross")
        self._callbacks.append(value)
        return {"ref": -len(self._callbacks)}

    def _send(self, message: list[Any]) -> None:
        try:
            self._channel.send(message)
        except OSError:
            self._finish(statuses.CRASHED, "the program's process ended")
        except BorderError as error:
            # too large: the tests hand on what the program made
            self._finish(statuses.INCORRECT, str(error))

    def _receive(self) -> list[Any]:
        try:
            reply = self._channel.receive()
        except OSError:
            reply = None
        except (BorderError, MemoryError) as error:
            self._finish(statuses.CRASHED, f"the program sent nonsense: {error}")
        if reply is None:
            self._finish(statuses.CRASHED, "the program's process ended")
        if type(reply) is not list or not reply:
            self._finish(statuses.CRASHED, "the program spoke out of turn")
        return reply

    def _finish(self, status: str, detail: str) -> NoReturn:
        self.end = ProgramEnd(status, detail)
        raise self.end


def _make(kind: type[Exception], text: str) -> Exception:
    for parent in kind.__mro__:
        try:
            return cast(Exception, parent(text))
        except TypeError:
            continue  # UnicodeDecodeError and the like want more than a text
    return Exception(text)


def _replace(old: Any, new: Any) -> None:
    """Give a mutable argument of the tests the contents that the program left in it."""
    if type(old) is not type(new):
        return
    if isinstance(old, (list, bytearray)):
        old[:] = new
    elif isinstance(old, (dict, set)):
        old.clear()
        old.update(new)
    elif hasattr(old, "extend"):
        old.clear()
        old.extend(new)
    elif old.shape == new.shape:
        old[...] = new


def reference_of(remote: Remote) -> Any:
    """Return the name or number by which the program knows an object."""
    return object.__getattribute__(remote, "_reference")


def _session_of(remote: Remote) -> Session:
    return object.__getattribute__(remote, "_session")  # type: ignore[no-any-return]


def _refuse(what: str) -> Callable[..., Any]:
    def refuse(self: Remote, *_: Any) -> NoReturn:
        raise TypeError(f"an object of the program cannot be {what}; only plain values can")

    return refuse


class Remote:
    """Stands for one object of the program."""

    __slots__ = ("_reference", "_session")

    def __init__(self, session: Session, reference: Any) -> None:
        object.__setattr__(self, "_session", session)
        object.__setattr__(self, "_reference", reference)

    def __call__(self, *values: Any, **named: Any) -> Any:
        return _session_of(self).ask("call", self, *values, **named)

    def __getattr__(self, name: str) -> Any:
        # numpy and others look for protocols such as __array_interface__, which holds an address
        if name.startswith("__"):
            raise AttributeError(name)
        return _session_of(self).ask("getattr", self, name)

    def __setattr__(self, name: str, value: Any) -> None:
        _session_of(self).ask("setattr", self, name, value)

    def __getitem__(self, key: Any) -> Any:
        return _session_of(self).ask("getitem", self, key)

    def __setitem__(self, key: Any, value: Any) -> None:
        _session_of(self).ask("setitem", self, key, value)

    def __iter__(self) -> Iterator[Any]:
        iterator = _session_of(self).ask("iter", self)
        if type(iterator) is not Remote:
            raise TypeError("iter() returned no iterator")
        return iterator

    def __next__(self) -> Any:
        answer = _session_of(self).ask("next", self)
        if type(answer) is not tuple or len(answer) != 2:
            raise TypeError("next() returned no item")
        if answer[0] is not True:
            raise StopIteration
        return answer[1]

    def __bool__(self) -> bool:
        return _session_of(self).ask("bool", self) is True

    def __str__(self) -> str:
        text = _session_of(self).ask("str", self)
        return text if type(text) is str else ""

    def __repr__(self) -> str:
        text = _session_of(self).ask("repr", self)
        return text if type(text) is str else ""

    def __instancecheck__(self, instance: Any) -> bool:
        return type(instance) is Remote and (
            _session_of(self).ask("isinstance", instance, self) is True
        )

    def __reduce_ex__(self, protocol: Any) -> NoReturn:
        raise TypeError("an object of the program cannot be copied")

    __eq__ = __ne__ = __lt__ = __le__ = __gt__ = __ge__ = _refuse("compared")
    __hash__ = _refuse("hashed")
    __len__ = _refuse("measured")
