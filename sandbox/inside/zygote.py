"""A process that forks on command: how a warm interpreter reaches each program in a millisecond.

It is forked from the supervisor before any request is read, and requests never pass through it,
so no source and no test is ever in its memory or in that of the processes it forks. It hands
each child the descriptors that came with the command, and nothing else.
"""

from __future__ import annotations

import array
import contextlib
import gc
import json
import os
import resource
import socket
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sandbox.inside import seccomp
from sandbox.inside.cleaning import SCRATCH, Remains, clear_away

_PR_SET_CHILD_SUBREAPER, _PR_SET_DUMPABLE = 36, 4
FIRST_DESCRIPTOR = 3  # of those that a child is handed
Child = Callable[[], None]


@dataclass(frozen=True)
class Role:
    """What a zygote's children are: their user, their limits and their program."""

    uid: int
    main: Child  # runs in the child and never returns to the zygote
    descriptors: int = 64
    processes: int = 32
    file_mb: int = 64
    filtered: bool = True

    def become_user(self) -> None:
        """Drop root for good: every capability goes with it."""
        os.setgroups([])
        os.setresgid(self.uid, self.uid, self.uid)
        os.setresuid(self.uid, self.uid, self.uid)


class Zygote:
    """The supervisor's end: `start` a child, `stop` it and learn what remained of it.

    An order does not wait for its answer, so that two zygotes work at the same time.
    """

    def __init__(self, role: Role, inherited: list[socket.socket]) -> None:
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.pid = os.fork()
        if self.pid == 0:
            for other in (self._socket, *inherited):
                other.close()
            try:
                _serve(role, theirs)
            finally:
                os._exit(70)
        theirs.close()

    @property
    def socket(self) -> socket.socket:
        """The supervisor's socket, which later zygotes must not keep open."""
        return self._socket

    def start(
        self, descriptors: list[int], cpu_seconds: float, memory_mb: int, preload: str = ""
    ) -> None:
        """Fork a child with stdin, stdout, stderr and more from `descriptors`."""
        order = {"cpu": cpu_seconds, "memory": memory_mb, "preload": preload}
        rights = array.array("i", descriptors)
        self._socket.sendmsg(
            [json.dumps(order).encode()], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, rights)]
        )

    def started(self) -> int:
        """The pid of the child that was ordered."""
        return int(self._answer()["pid"])

    def stop(self) -> None:
        """Kill the child started last and whatever it started."""
        self._socket.send(b"{}")

    def stopped(self) -> Remains:
        """What remained of the child that was to be stopped."""
        return Remains(**self._answer())

    def _answer(self) -> dict[str, Any]:
        answer = self._socket.recv(4096)
        if not answer:
            raise ChildProcessError("a zygote died")
        reply: dict[str, Any] = json.loads(answer)
        return reply


def _serve(role: Role, commands: socket.socket) -> None:
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 0)
    os.dup2(nothing, 1)
    seccomp.prctl(_PR_SET_CHILD_SUBREAPER, 1)
    seccomp.prctl(_PR_SET_DUMPABLE, 0)
    _set_lasting_limits(role)
    if role.filtered:
        seccomp.install()
    address_space = _address_space()
    gc.collect()
    gc.freeze()  # pages that no collection touches stay shared with every child
    pid = 0
    while True:
        body, rights, _, _ = commands.recvmsg(4096, socket.CMSG_SPACE(16 * 4))
        if not body:
            os._exit(0)
        order = json.loads(body)
        if not order:
            remains = clear_away(pid, role.become_user)
            commands.send(json.dumps(vars(remains)).encode())
            continue
        if order["preload"]:
            __import__(order["preload"])
            gc.freeze()
            address_space = _address_space()
        descriptors = array.array("i", rights[0][2]).tolist() if rights else []
        pid = os.fork()
        if pid == 0:
            _become_child(role, descriptors, order, address_space)
        commands.send(b'{"pid": %d}' % pid)
        for descriptor in descriptors:
            os.close(descriptor)


def _set_lasting_limits(role: Role) -> None:
    # only what a child may not lower itself below; limits never go up again
    for name, value in (
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NOFILE, role.descriptors),
        (resource.RLIMIT_FSIZE, role.file_mb << 20),
        (resource.RLIMIT_MEMLOCK, 0),
        (resource.RLIMIT_MSGQUEUE, 0),
    ):
        resource.setrlimit(name, (value, value))
    os.umask(0o077)
    os.chdir(SCRATCH)


def _address_space() -> int:
    with open("/proc/self/statm") as statm:
        return int(statm.read().split()[0]) * resource.getpagesize()


def _become_child(role: Role, descriptors: list[int], order: dict[str, Any], base: int) -> None:
    try:
        os.setsid()
        _hand_over(descriptors)
        with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "wb") as score:
            score.write(b"1000")  # out of memory, the kernel takes this process first
        seconds = int(order["cpu"]) + 2  # the supervisor stops it earlier, and more exactly
        resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
        resource.setrlimit(resource.RLIMIT_NPROC, (role.processes, role.processes))
        memory = base + (int(order["memory"]) << 20)
        resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
        role.become_user()
        gc.enable()
        role.main()
    finally:
        os._exit(71)


def _hand_over(descriptors: list[int]) -> None:
    """Put the descriptors at 0, 1, 2, ... and close every other."""
    # first out of the way, so that none is overwritten before it is moved
    high = [os.dup2(descriptor, 32 + index) for index, descriptor in enumerate(descriptors)]
    for index, descriptor in enumerate(high):
        os.dup2(descriptor, index, inheritable=index < FIRST_DESCRIPTOR)
    os.closerange(len(descriptors), resource.getrlimit(resource.RLIMIT_NOFILE)[0])
