"""Reads what another process writes, up to a deadline."""

from __future__ import annotations

import os
import select
import time


def read_exactly(descriptor: int, count: int, deadline: float) -> bytes:
    """The next `count` bytes; `deadline` is a time of `time.monotonic`.

    Raises TimeoutError at the deadline and EOFError where the writer has closed its end.
    """
    poll, parts = select.poll(), bytearray()
    poll.register(descriptor, select.POLLIN | select.POLLHUP)
    while len(parts) < count:
        left = deadline - time.monotonic()
        if left <= 0 or not poll.poll(left * 1000):
            raise TimeoutError
        chunk = os.read(descriptor, count - len(parts))
        if not chunk:
            raise EOFError
        parts += chunk
    return bytes(parts)
