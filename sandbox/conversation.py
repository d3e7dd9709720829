"""One container's life in a pool: jobs go in ahead of time, outcomes come back in order.

When the container ends, whatever it had not answered goes back to the head of the queue; only
the job it was working on is suspected, and given up as `undecided` the second time.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections import deque
from dataclasses import fields
from typing import Any

from sandbox.container import DOCKER_FAILURES, Container
from sandbox.inside.statuses import UNDECIDED
from sandbox.job_queue import JobQueue, Task
from sandbox.protocol import STATUSES, Outcome


class Conversation:
    """One container's life: jobs go in ahead of time, outcomes come back in order."""

    def __init__(
        self, queue: JobQueue, container: Container, in_flight: int, recycle_after: int
    ) -> None:
        self._queue = queue
        self._container = container
        self._in_flight = in_flight  # jobs that it may hold unanswered
        self._recycle_after = recycle_after  # jobs in all
        self._pending: deque[Task] = deque()
        self._sent = 0
        self._over = False
        self._progress = time.monotonic()

    def hold(self) -> None:
        """Converse until the container ends, is due for replacement, or must be distrusted."""
        feeder = threading.Thread(target=self._feed, name="sandbox-feeder", daemon=True)
        feeder.start()
        trusted = False
        try:
            trusted = self._read()
        except (ValueError, KeyError, TypeError, *DOCKER_FAILURES):
            pass  # a bad message or a broken connection; the job in hand is suspected below
        with self._queue.changed:
            self._over = True
            self._queue.changed.notify_all()
        self._container.hang_up()
        feeder.join()
        if self._pending and not trusted:
            self._suspect(self._pending[0])
        self._queue.give_back(self._pending)

    def _feed(self) -> None:
        while (task := self._queue.take(self._wants_more)) is not None:
            self._pending.append(task)
            self._sent += 1
            if len(self._pending) == 1:
                self._progress = time.monotonic()
            with contextlib.suppress(OSError):
                self._container.send({"id": task.number, **task.job.to_json()})

    def _wants_more(self) -> bool | None:
        if self._over or self._sent >= self._recycle_after:
            return None
        return len(self._pending) < self._in_flight

    def _read(self) -> bool:
        """Read outcomes; return True when the container left of its own accord."""
        while not self._queue.closed:
            if not self._pending and self._sent >= self._recycle_after:
                return True
            try:
                message = self._container.receive()
            except TimeoutError:
                if self._is_stuck():
                    return False
                continue
            if message is None:
                return False
            if not self._accept(message):
                return True
        return True

    def _is_stuck(self) -> bool:
        if not self._pending:
            return False
        wall = self._pending[0].job.limits.wall_seconds
        # the container's own clocks end a program after four times its wall limit at most
        return time.monotonic() - self._progress > 4 * wall + 30

    def _accept(self, message: dict[str, Any]) -> bool:
        """Settle the job in hand; return whether the container may go on."""
        task = self._pending[0]
        if message["id"] != task.number or message["status"] not in STATUSES:
            raise ValueError("an outcome of another job")
        fit = message["fit"] is True
        with self._queue.changed:
            self._pending.popleft()
            self._progress = time.monotonic()
            self._queue.changed.notify_all()
        if message["status"] == UNDECIDED and not fit and task.failures == 0:
            task.failures = 1
            self._queue.give_back([task])
        else:
            names = (each.name for each in fields(Outcome))
            task.settle(Outcome(**{name: message[name] for name in names}))
        return fit

    def _suspect(self, task: Task) -> None:
        task.failures += 1
        if task.failures > 1 and not self._queue.closed:
            self._pending.popleft()
            reason = self._container.last_words() or "its container ended twice"
            task.settle(Outcome(UNDECIDED, reason[-500:]))
