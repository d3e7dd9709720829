"""The inside of a worker: limits on itself, then requests in and replies out until the pipe ends.

Run as `python -m rasft.workers.process module:function limits`; `workers` holds the parent's side.
"""

from __future__ import annotations

import importlib
import json
import os
import resource
import struct
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

LENGTH = struct.Struct("!I")  # before every message: the bytes of JSON that follow


@dataclass(frozen=True)
class WorkerLimits:
    """What one worker may use."""

    deadline_seconds: float = 2.0
    memory_mb: int = 1024


def _limit_self(limits: WorkerLimits) -> None:
    memory = limits.memory_mb * 1024 * 1024
    for kind, value in (
        (resource.RLIMIT_AS, memory),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, 0),
    ):
        resource.setrlimit(kind, (value, value))


def _limit_processor(seconds: float) -> None:
    """At most `seconds` more of processor time: ends a worker whose parent was killed."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    soft = int(used.ru_utime + used.ru_stime + seconds) + 2
    hard = resource.getrlimit(resource.RLIMIT_CPU)[1]
    resource.setrlimit(resource.RLIMIT_CPU, (soft, hard))


def _forbid_side_effects(event: str, arguments: tuple[Any, ...]) -> None:
    """Audit hook: a worker neither starts programs, nor opens sockets, nor writes files."""
    if event in ("os.system", "os.exec", "os.fork", "os.posix_spawn", "subprocess.Popen"):
        raise PermissionError(event)
    if event.startswith(("socket.", "os.remove", "os.rename", "shutil.")):
        raise PermissionError(event)
    writes = os.O_WRONLY | os.O_RDWR
    if event == "open" and isinstance(arguments[2], int) and arguments[2] & writes:
        raise PermissionError(f"open {arguments[0]!r} for writing")


def _serve(function: Callable[[Any], Any], limits: WorkerLimits) -> None:
    requests = os.fdopen(os.dup(0), "rb")
    replies = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # a stray print must not corrupt the replies
    _limit_self(limits)
    sys.addaudithook(_forbid_side_effects)
    _send(replies, "ready")
    while header := requests.read(LENGTH.size):
        request = json.loads(requests.read(LENGTH.unpack(header)[0]))
        _limit_processor(limits.deadline_seconds)
        try:
            answer = [function(request), ""]
        except Exception as error:  # whatever it is, the parent gets to know and goes on
            answer = [None, f"{type(error).__name__}: {str(error)[:200]}"]
        _send(replies, answer)


def _send(replies: Any, message: Any) -> None:
    body = json.dumps(message).encode()
    replies.write(LENGTH.pack(len(body)) + body)
    replies.flush()


def _main() -> None:
    module, _, name = sys.argv[1].partition(":")
    function = getattr(importlib.import_module(module), name)
    _serve(function, WorkerLimits(**json.loads(sys.argv[2])))


if __name__ == "__main__":
    _main()
