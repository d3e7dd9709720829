"""Persistent worker processes that can be killed: the isolation of anything that may hang.

A worker is a fresh interpreter (never a fork of the calling process, so a process that holds a
GPU or threads may use it) that imports one function, `module:function`, and answers JSON requests
over a pipe. The parent waits until a wall-clock deadline, then kills the worker and puts a warm
spare in its place. The worker limits its own memory, processor time, files and output size.

What is guaranteed: a call returns within the deadline plus the time to take a worker; a dead
worker never takes the parent with it. What is not: the worker is no sandbox for code; the
function must not execute what it is given.
"""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import threading
import time
from typing import Any, Self

from rasft.errors import MachineError
from rasft.paths import PACKAGE
from rasft.workers.pipes import read_exactly
from rasft.workers.process import LENGTH, WorkerLimits

START_SECONDS = 120.0  # a cold disk may need long to import
RECYCLE_AFTER = 5_000  # requests, against slow growth of a worker's memory


class WorkerTimeout(Exception):
    """The deadline passed; the worker was killed."""


class WorkerFailed(Exception):
    """The function raised; the worker lives on."""


class WorkerDied(Exception):
    """The worker ended while it held the request, for instance out of memory."""


class Worker:
    """One process; `ask` sends a request and waits for the reply."""

    def __init__(self, target: str, limits: WorkerLimits) -> None:
        self.limits = limits
        self.asked = 0  # requests so far
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "rasft.workers.process", target, json.dumps(vars(limits))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=_environment(),
            close_fds=True,
        )

    @property
    def process_id(self) -> int:
        """The process id of the worker."""
        return self._process.pid

    def wait_ready(self) -> None:
        """Block until the worker has imported its function."""
        try:
            self._read(time.monotonic() + START_SECONDS)
        except (WorkerTimeout, WorkerDied) as error:
            self.kill()
            raise MachineError(
                f"a worker process did not start: {type(error).__name__}; its own message is "
                "above, check memory and that the project imports in a fresh interpreter"
            ) from error

    def ask(self, request: Any) -> Any:
        """The reply to one request; raises WorkerTimeout, WorkerDied or WorkerFailed."""
        self.asked += 1
        body = json.dumps(request).encode()
        deadline = time.monotonic() + self.limits.deadline_seconds
        try:
            assert self._process.stdin is not None
            self._process.stdin.write(LENGTH.pack(len(body)) + body)
            self._process.stdin.flush()
        except OSError as error:
            raise WorkerDied(str(error)) from error
        reply, failure = self._read(deadline)
        if failure:
            raise WorkerFailed(failure)
        return reply

    def stop(self) -> None:
        """End the process; whoever waits for its reply gets WorkerDied."""
        self._process.kill()

    def kill(self) -> None:
        """End the process, reap it and close its pipes; nobody may be waiting for a reply."""
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                _close_quietly(pipe)

    def _read(self, deadline: float) -> Any:
        (length,) = LENGTH.unpack(self._read_bytes(LENGTH.size, deadline))
        return json.loads(self._read_bytes(length, deadline))

    def _read_bytes(self, count: int, deadline: float) -> bytes:
        assert self._process.stdout is not None
        try:
            return read_exactly(self._process.stdout.fileno(), count, deadline)
        except TimeoutError as error:
            raise WorkerTimeout from error
        except EOFError as error:
            raise WorkerDied(f"exit code {self._process.wait()}") from error


class WorkerPool:
    """`workers` ready processes and one warm spare; `run` may be called from any thread."""

    def __init__(self, target: str, workers: int, limits: WorkerLimits) -> None:
        self.target = target
        self.workers = workers
        self.limits = limits
        # The spare makes one worker more than `run` callers may hold at a time.
        self._turn = threading.BoundedSemaphore(workers)
        self._idle: queue.SimpleQueue[Worker | MachineError] = queue.SimpleQueue()
        self._all: set[Worker] = set()
        self._warming: set[threading.Thread] = set()
        self._lock = threading.Lock()
        self._closed = True

    def __enter__(self) -> Self:
        self._closed = False
        started = [self._start() for _ in range(self.workers + 1)]
        try:
            for worker in started:
                worker.wait_ready()
                self._idle.put(worker)
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._closed = True
            workers, self._all = list(self._all), set()
            warming = list(self._warming)
        for worker in workers:
            worker.stop()
        for thread in warming:
            thread.join()
        for worker in workers:
            worker.kill()
        self._idle = queue.SimpleQueue()

    def process_ids(self) -> list[int]:
        """The processes alive now, the spare among them."""
        with self._lock:
            return [worker.process_id for worker in self._all]

    def run(self, request: Any) -> tuple[Any, float]:
        """(the function's reply, seconds it took).

        Raises WorkerTimeout, WorkerDied, WorkerFailed, or MachineError when no worker starts.
        """
        with self._turn:
            worker = self._take()
            kept = False
            try:
                start = time.perf_counter()
                reply = worker.ask(request)
                kept = worker.asked < RECYCLE_AFTER
                return reply, time.perf_counter() - start
            except WorkerFailed:
                kept = worker.asked < RECYCLE_AFTER
                raise
            finally:
                if kept:
                    self._idle.put(worker)
                else:
                    self._replace(worker)

    def _take(self) -> Worker:
        try:
            taken = self._idle.get(timeout=START_SECONDS)
        except queue.Empty:
            raise MachineError("no worker process became ready; see their messages above") from None
        if isinstance(taken, MachineError):
            raise taken
        return taken

    def _start(self) -> Worker:
        worker = Worker(self.target, self.limits)
        with self._lock:
            self._all.add(worker)
        return worker

    def _replace(self, worker: Worker) -> None:
        """Kill a worker and warm up another one in the background."""
        worker.kill()
        with self._lock:
            self._all.discard(worker)
            if self._closed:
                return
            thread = threading.Thread(target=self._warm_up, daemon=True)
            self._warming.add(thread)
            thread.start()

    def _warm_up(self) -> None:
        worker = self._start()
        try:
            if self._closed:
                worker.kill()
                return
            worker.wait_ready()
            self._idle.put(worker)
        except MachineError as error:
            self._idle.put(error)
        finally:
            self._warming.discard(threading.current_thread())


def _environment() -> dict[str, str]:
    """The parent's environment with its import path, so that an uninstalled project imports."""
    paths = [path or os.getcwd() for path in sys.path]
    root = str(PACKAGE.parent)
    return {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([root, *paths]),
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "PYTHONHASHSEED": "0",
    }


def _close_quietly(pipe: Any) -> None:
    try:
        pipe.close()
    except OSError:
        return
