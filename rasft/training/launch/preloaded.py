"""Trainings of one process on a CPU, forked from a process that has done the imports.

    python -m rasft.training.launch.preloaded SOCKET

A fresh interpreter imports torch and transformers for seconds, and `accelerate launch` does so
twice: with a tiny model that is most of a training. A forked one has memory, session, output and
environment of its own as a launched one has, and gives the same bits. The process that forks has
one thread and has computed nothing, so no lock and no thread pool is copied. It ends with its
parent, however that ends, and so does what it has forked.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from typing import IO, Self

from rasft.training.launch.command_line import PROGRAM, program_alone
from rasft.training.launch.starting import Launched, start_process

READY = b"ready"
# What `accelerate launch --cpu --num_processes=1` adds.
ACCELERATE = {
    "ACCELERATE_DYNAMO_BACKEND": "NO",
    "ACCELERATE_DYNAMO_MODE": "default",
    "ACCELERATE_DYNAMO_USE_DYNAMIC": "False",
    "ACCELERATE_DYNAMO_USE_FULLGRAPH": "False",
    "ACCELERATE_DYNAMO_USE_REGIONAL_COMPILATION": "False",
    "ACCELERATE_MIXED_PRECISION": "no",
    "ACCELERATE_USE_CPU": "True",
    "KMP_AFFINITY": "granularity=fine,compact,1,0",
    "KMP_BLOCKTIME": "1",
}
# Threads that imports start: numpy's and scipy's pools, and the one that cleans up for Arrow.
NO_THREADS = {
    "OPENBLAS_NUM_THREADS": "1",
    "JE_ARROW_MALLOC_CONF": "background_thread:false",
}


class Preloaded:
    """Starts trainings; a context manager, one training at a time."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._socket: socket.socket | None = None
        self._environment: Mapping[str, str] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._socket:
            self._socket.close()
        if self._process:
            self._process.wait()
        self._process = self._socket = None

    def start(self, line: Sequence[str], environment: Mapping[str, str]) -> Launched:
        """As `start_process`, which it calls for all but one process on a CPU."""
        program = program_alone(line)
        for _ in range(2 if program else 0):
            if (connection := self._connection(environment)) is None:
                break
            if forked := _fork(program, connection):
                return forked
            self.__exit__()  # killed since it was last used
        return start_process(line, environment)

    def _connection(self, environment: Mapping[str, str]) -> socket.socket | None:
        """To the process that forks, started if need be; None where it cannot be."""
        if self._process and self._process.poll() is None and self._environment == environment:
            return self._socket
        self.__exit__()
        self._environment = environment
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "rasft.training.launch.preloaded", str(theirs.fileno())],
                env={**environment, **ACCELERATE, **NO_THREADS},
                pass_fds=[theirs.fileno()],
                start_new_session=True,
            )
        return self._socket if _said(self._socket) == READY else None


class Forked:
    """A forked training, as far as `launcher` looks at a `subprocess.Popen`."""

    def __init__(self, pid: int, stdout: IO[str], connection: socket.socket) -> None:
        self.pid, self.stdout = pid, stdout
        self.returncode: int | None = None
        self._connection = connection

    def wait(self) -> int:
        """The exit code, negative for a signal, when it has ended."""
        if self.returncode is None:
            # Who would tell it was killed too: with the training, as a rule.
            self.returncode = int(_said(self._connection) or -signal.SIGKILL)
        return self.returncode


def _fork(program: Sequence[str], connection: socket.socket) -> Forked | None:
    """Nothing if the process that forks has ended."""
    ours, theirs = os.pipe()
    output = os.fdopen(ours, encoding="utf-8", errors="replace")
    with contextlib.suppress(OSError):
        socket.send_fds(connection, [json.dumps(program).encode()], [theirs])
    os.close(theirs)
    if pid := _said(connection):
        return Forked(int(pid), output, connection)
    output.close()
    return None


def _said(connection: socket.socket) -> bytes:
    """The next message; empty if the other end is gone."""
    with contextlib.suppress(OSError):
        return connection.recv(32)
    return b""


def serve(connection: socket.socket) -> int:
    """Fork a program for each request until the other end is gone; returns an exit code, also in
    each forked process."""
    importlib.import_module(PROGRAM)
    if len(os.listdir("/proc/self/task")) > 1:
        return 1  # a library started a thread: each training is to be a fresh interpreter
    connection.send(READY)
    while True:
        request, descriptors, _, _ = socket.recv_fds(connection, 65536, 1)
        if not request:
            return 0
        if (child := os.fork()) == 0:
            return _run(json.loads(request), descriptors[0], connection)
        os.close(descriptors[0])
        _watch(child, connection)


def _run(program: Sequence[str], output: int, connection: socket.socket) -> int:
    os.setsid()
    connection.send(str(os.getpid()).encode())
    connection.close()
    for standard in (1, 2):
        os.dup2(output, standard)
    os.close(output)
    sys.argv = list(program)
    code: int = importlib.import_module(program[0]).main()
    return code


def _watch(child: int, connection: socket.socket) -> None:
    """Tell the exit code of the child; if nobody is there any more, end it."""
    ended = os.pidfd_open(child)
    ready, _, _ = select.select([connection.fileno(), ended], [], [])
    os.close(ended)
    if connection.fileno() in ready:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child, signal.SIGTERM)
        return
    _, status = os.waitpid(child, 0)
    with contextlib.suppress(BrokenPipeError):
        connection.send(str(os.waitstatus_to_exitcode(status)).encode())


if __name__ == "__main__":
    sys.exit(serve(socket.socket(fileno=int(sys.argv[1]))))
