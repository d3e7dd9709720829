"""Questions to worker processes, answered in the order they were asked, with several in flight."""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Self

from rasft.workers.pool import WorkerDied, WorkerFailed, WorkerPool, WorkerTimeout
from rasft.workers.process import WorkerLimits

IN_FLIGHT = 16  # questions a worker, before the first must be answered


@dataclass(frozen=True)
class Reply:
    """What a worker answered, or why there is no answer."""

    value: Any = None
    failure: str = ""  # it raised, took too long or died
    seconds: float = 0.0


class OrderedWorkers:
    """A context manager; its workers start with the first question. `ask` is safe in threads."""

    def __init__(self, target: str, workers: int | None, limits: WorkerLimits) -> None:
        """`target` is the workers' `module:function`; without a number there is one for a core."""
        self.workers = workers or len(os.sched_getaffinity(0))
        self._pool = WorkerPool(target, self.workers, limits)
        self._starting = threading.Lock()
        self._started = False

    def __enter__(self) -> Self:
        self._threads = ThreadPoolExecutor(self.workers, thread_name_prefix="ordered-workers")
        return self

    def __exit__(self, *_: object) -> None:
        # those that wait for a worker first: of a closed pool they would get none
        self._threads.shutdown(cancel_futures=True)
        if self._started:
            self._pool.__exit__()

    def process_ids(self) -> list[int]:
        """The worker processes alive now."""
        return self._pool.process_ids()

    def ask(self, questions: Iterable[Any]) -> Iterator[Reply | None]:
        """Yield the reply to each question, in order; None to None, which asks nobody.

        Raises MachineError when no worker starts.
        """
        pending: deque[Future[Reply] | None] = deque()
        waiting = 0
        for question in questions:
            pending.append(
                None if question is None else self._threads.submit(self._reply, question)
            )
            waiting += question is not None
            while pending and (waiting > IN_FLIGHT * self.workers or pending[0] is None):
                first = pending.popleft()
                waiting -= first is not None
                yield _replied(first)
        for left in pending:
            yield _replied(left)

    def _reply(self, question: Any) -> Reply:
        try:
            value, seconds = self._running().run(question)
            return Reply(value, seconds=seconds)
        except WorkerTimeout:
            seconds = self._pool.limits.deadline_seconds
            return Reply(failure=f"no verdict in {seconds} s", seconds=seconds)
        except WorkerDied as error:
            return Reply(failure=f"no verdict: its worker died, {error}")
        except WorkerFailed as error:
            return Reply(failure=f"no verdict: {error}")

    def _running(self) -> WorkerPool:
        with self._starting:
            if not self._started:
                self._pool.__enter__()
                self._started = True
        return self._pool


def _replied(asked: Future[Reply] | None) -> Reply | None:
    return asked.result() if asked is not None else None
