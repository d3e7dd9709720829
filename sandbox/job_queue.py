"""The queue of a pool: jobs wait here for a container, and come back when theirs has ended."""

from __future__ import annotations

import itertools
import threading
from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from dataclasses import dataclass

from sandbox.protocol import Outcome, SandboxError, SandboxJob


@dataclass
class Task:
    """A job in the queue or in a container, and what its submitter waits on."""

    number: int
    job: SandboxJob
    future: Future[Outcome | None]
    failures: int = 0  # containers that ended while they worked on it

    def settle(self, outcome: Outcome) -> None:
        """Give the outcome to the submitter, unless they have cancelled."""
        if self.future.set_running_or_notify_cancel():
            self.future.set_result(outcome)


class JobQueue:
    """Jobs in the order of their submission; `changed` wakes whoever waits for one."""

    def __init__(self) -> None:
        self.changed = threading.Condition()
        self.closed = False
        self._waiting: deque[Task] = deque()
        self._broken: SandboxError | None = None
        self._numbers = itertools.count()

    def put(self, job: SandboxJob) -> Future[Outcome | None]:
        """Queue a job; its future raises SandboxError where the queue is closed or given up."""
        task = Task(next(self._numbers), job, Future())
        with self.changed:
            if self.closed:
                task.future.set_exception(self._broken or SandboxError("the pool is not open"))
            else:
                self._waiting.append(task)
                self.changed.notify_all()
        return task.future

    def take(self, allowed: Callable[[], bool | None]) -> Task | None:
        """Wait for a job until `allowed()` is True; return None once it is None, or at the end."""
        with self.changed:
            while not self.closed:
                verdict = allowed()
                if verdict is None:
                    return None
                while verdict and self._waiting:
                    task = self._waiting.popleft()
                    if not task.future.cancelled():
                        return task
                self.changed.wait()
        return None

    def give_back(self, tasks: Iterable[Task]) -> None:
        """Put unanswered jobs back at the head of the queue, in their order."""
        with self.changed:
            if self._broken is not None:
                self._fail(tasks)
            elif self.closed:
                for task in tasks:
                    task.future.cancel()
            else:
                self._waiting.extendleft(reversed(list(tasks)))
            self.changed.notify_all()

    def close(self) -> None:
        """Take no more jobs, and cancel those that wait."""
        with self.changed:
            self.closed = True
            for task in self._waiting:
                task.future.cancel()
            self._waiting.clear()
            self.changed.notify_all()

    def give_up(self, error: SandboxError) -> None:
        """Fail everything that waits, and whatever comes later: Docker has been away too long."""
        with self.changed:
            self._broken = error
            self._fail(self._waiting)
            self._waiting.clear()
            self.closed = True
            self.changed.notify_all()

    def _fail(self, tasks: Iterable[Task]) -> None:
        for task in tasks:
            if task.future.set_running_or_notify_cancel():
                task.future.set_exception(self._broken)
