"""One engine in a process group of its own, which may hang, die or run out of memory.

A load has a deadline. While it samples, an engine that neither finishes a sample nor makes a step
for `silence_seconds` is hung. After any failure nothing of the group is left. `engine_host` is the
inside of the process, `hosted_engine` opens another one.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import asdict, astuple
from typing import Any

import psutil

from rasft.config.settings import EngineWatchConfig
from rasft.decoding import engine_host
from rasft.decoding.engine import Completion, EngineOptions, Request, Sampling
from rasft.decoding.engine_host import BEAT, DONE, FAILED, MEMORY, READY, SAMPLE, USER
from rasft.errors import UserError
from rasft.paths import PACKAGE
from rasft.workers.pipes import read_exactly
from rasft.workers.process import LENGTH

CLOSE_SECONDS = 20.0  # for an engine to free what it holds; then it is killed
TAIL_BYTES = 8192  # of what a process wrote to stderr, kept to tell what it died of


class EngineDown(Exception):
    """The engine's process is of no more use.

    `memory`: that is what it ran out of; `killed`: somebody else killed it, without a word.
    """

    def __init__(self, reason: str, memory: bool = False, killed: bool = False):
        super().__init__(reason)
        self.memory = memory
        self.killed = killed


class EngineProcess:
    """One process that holds one engine. Any failure leaves it killed, with all its children."""

    def __init__(
        self,
        name: str,
        model: str,
        options: EngineOptions,
        watch: EngineWatchConfig,
        environment: Mapping[str, str],
    ):
        self.watch = watch
        self._dead = False
        command = [sys.executable, "-P", "-m", "rasft.decoding.engine_host", name, model]
        self._process = subprocess.Popen(
            [*command, json.dumps(asdict(options))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**child_environment(), **environment},
            start_new_session=True,
        )
        self._tail: deque[int] = deque(maxlen=TAIL_BYTES)
        self._passing_on = threading.Thread(target=self._pass_on, daemon=True)
        self._passing_on.start()
        with self._killing():
            ready = self._expect(READY, watch.start_seconds, "to load")
        self.max_sequences: int = ready[1]  # that it samples side by side

    @property
    def process_id(self) -> int:
        """The process id, which is the group's too."""
        return self._process.pid

    def generate(
        self, requests: Sequence[Request], sampling: Sampling
    ) -> Generator[tuple[int, Completion], None, None]:
        """Yield (index of the request, its completion). Raises EngineDown or UserError."""
        with self._killing():
            asked = [astuple(request) for request in requests]
            self._send(engine_host.GENERATE, asked, asdict(sampling))
            steps, moved = -1, time.monotonic()
            while (message := self._heed(moved))[0] != DONE:
                if message[0] == SAMPLE:
                    _, index, token_ids, reason, logps = message
                    yield index, Completion(tuple(token_ids), reason, tuple(logps))
                    moved = time.monotonic()
                elif message[0] == BEAT and message[1] != steps:
                    steps, moved = message[1], time.monotonic()

    def reload(self, model: str) -> None:
        """Swap in another folder's weights. Raises EngineDown or UserError."""
        with self._killing():
            self._send(engine_host.RELOAD, model)
            self._expect(DONE, self.watch.start_seconds, "to take new weights")

    def close(self) -> None:
        """Let the engine free what it holds, then end whatever is left of the group."""
        with contextlib.suppress(EngineDown, subprocess.TimeoutExpired):
            self._send(engine_host.CLOSE)
            threading.Thread(target=self._drain, daemon=True).start()
            self._process.wait(CLOSE_SECONDS)
        self.kill()

    def kill(self) -> None:
        """End the process group and all descendants, and reap."""
        if self._dead:
            return
        self._dead = True
        family = _descendants(self._process.pid)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        for member in family:
            with contextlib.suppress(psutil.NoSuchProcess):
                member.kill()
        self._process.wait()
        self._passing_on.join()
        for pipe in (self._process.stdin, self._process.stdout, self._process.stderr):
            with contextlib.suppress(OSError):
                if pipe is not None:
                    pipe.close()

    @contextlib.contextmanager
    def _killing(self) -> Iterator[None]:
        """Kill the process if the block does not end well, also when its caller leaves early."""
        try:
            yield
        except BaseException:
            self.kill()
            raise

    def _send(self, *message: Any) -> None:
        body = json.dumps(message).encode()
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(LENGTH.pack(len(body)) + body)
            self._process.stdin.flush()
        except OSError as error:
            raise EngineDown(f"it was gone before it was asked: {error}") from None

    def _heed(self, moved: float) -> list[Any]:
        """The next message while it samples; `moved` is when it last got on."""
        limit = self.watch.silence_seconds
        try:
            return self._read(moved + limit)
        except TimeoutError:
            raise EngineDown(f"it hung: no step and no sample in {limit:g} s") from None

    def _expect(self, kind: str, seconds: float, purpose: str) -> list[Any]:
        deadline = time.monotonic() + seconds
        try:
            while (message := self._read(deadline))[0] != kind:
                continue
            return message
        except TimeoutError:
            raise EngineDown(f"it took more than {seconds:g} s {purpose}") from None

    def _read(self, deadline: float) -> list[Any]:
        (length,) = LENGTH.unpack(self._read_bytes(LENGTH.size, deadline))
        message: list[Any] = json.loads(self._read_bytes(length, deadline))
        if message[0] == FAILED:
            self._raise(*message[1:])
        return message

    def _raise(self, whose: str, words: str) -> None:
        if whose == USER:
            raise UserError(words)
        raise EngineDown(words, memory=whose == MEMORY or self._spoke_of_memory())

    def _spoke_of_memory(self) -> bool:
        """Whether what it wrote before its end says that memory ran out."""
        self.kill()  # then all that it wrote is here
        return engine_host.is_out_of_memory(bytes(self._tail).decode(errors="replace"))

    def _read_bytes(self, count: int, deadline: float) -> bytes:
        assert self._process.stdout is not None
        try:
            return read_exactly(self._process.stdout.fileno(), count, deadline)
        except EOFError as error:
            code = self._process.wait()
            killed, memory = code == -signal.SIGKILL, self._spoke_of_memory()
            raise EngineDown(f"its process died with exit code {code}", memory, killed) from error

    def _pass_on(self) -> None:
        """Copy the process's stderr to this one's and keep its end."""
        assert self._process.stderr is not None
        while chunk := os.read(self._process.stderr.fileno(), 65536):
            self._tail.extend(chunk)
            sys.stderr.write(chunk.decode(errors="replace"))

    def _drain(self) -> None:
        """Read what still comes while it closes, so that it does not block on a full pipe."""
        assert self._process.stdout is not None
        with contextlib.suppress(OSError, ValueError):
            while os.read(self._process.stdout.fileno(), 65536):
                continue


def _descendants(pid: int) -> list[psutil.Process]:
    try:
        return psutil.Process(pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def child_environment() -> dict[str, str]:
    """This process's, with its import path, so that an uninstalled project imports."""
    root = str(PACKAGE.parent)
    paths = [root, *(path or os.getcwd() for path in sys.path)]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
