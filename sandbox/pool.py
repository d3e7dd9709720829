"""The pool of warm containers: jobs in, outcomes out, each exactly once.

Every container has a thread that reads outcomes and one that keeps it supplied with a few jobs
in advance (`sandbox.conversation`). A container that ends is replaced, for as long as Docker
answers; the pool waits for a daemon that restarts.
"""

from __future__ import annotations

import os
import secrets
import threading
import time
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import CancelledError, Future
from dataclasses import dataclass, field, replace
from typing import Self

import docker

from sandbox import image
from sandbox.container import Container, Lockdown, sweep
from sandbox.conversation import Conversation
from sandbox.inside.statuses import MALFORMED, UNDECIDED
from sandbox.job_queue import JobQueue
from sandbox.protocol import MAX_SOURCE_BYTES, MAX_TESTS_BYTES, Outcome, SandboxError, SandboxJob


@dataclass(frozen=True)
class PoolSettings:
    """How many containers, how far ahead each is supplied, and when one is replaced."""

    containers: int = field(default_factory=lambda: os.cpu_count() or 1)
    in_flight: int = 8  # jobs that one container has been sent and not answered
    memory_mb: int = 512  # of one program in these containers
    most_memory_mb: int = 0  # jobs may ask for so much: larger containers, started for the first
    runtime: str | None = None
    base_image: str | None = None
    recycle_after: int = 5000  # programs
    patience_seconds: float = 90.0  # how long Docker may be away before the pool gives up


class Pool:
    """A context manager; `run` judges a stream in order, `submit` one job."""

    def __init__(self, settings: PoolSettings | None = None) -> None:
        self.settings = settings or PoolSettings()
        self.queue = JobQueue()
        self._slots: list[_Slot] = []
        self._larger: Pool | None = None
        self._enlarging = threading.Lock()

    def __enter__(self) -> Self:
        self.client = image.connect()
        try:
            self.lockdown = _lockdown(self.client, self.settings)
            sweep(self.client)
        except BaseException:
            self.client.close()
            raise
        first = secrets.randbelow(1 << 10)  # pools side by side do not crowd on one processor
        self._slots = [_Slot(self, first + place) for place in range(self.settings.containers)]
        for slot in self._slots:
            slot.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._larger is not None:
            self._larger.__exit__()
            self._larger = None
        self.queue.close()
        for slot in self._slots:
            slot.hang_up()
        for slot in self._slots:
            slot.join()
        self.client.close()

    def submit(self, job: SandboxJob) -> Future[Outcome | None]:
        """Return the future outcome of a job; it raises SandboxError when Docker is gone."""
        if not self._slots:
            raise SandboxError("the pool is not open")
        refusal = _refusal(job, self.settings)
        if refusal is not None:
            return _answered(refusal)
        if job.limits.memory_mb > self.settings.memory_mb:
            return self._with_more_memory().submit(job)
        return self.queue.put(job)

    def run(self, jobs: Iterable[SandboxJob | None]) -> Iterator[Outcome | None]:
        """Yield the outcome of each job in the order of the jobs, which are read as needed.

        None among the jobs holds its place and comes out as None.
        """
        ahead = 4 * self.settings.containers * self.settings.in_flight
        futures: deque[Future[Outcome | None]] = deque()
        try:
            for job in jobs:
                futures.append(_answered(None) if job is None else self.submit(job))
                while len(futures) >= ahead or (futures and futures[0].done()):
                    yield futures.popleft().result()
            while futures:
                yield futures.popleft().result()
        except CancelledError:
            raise SandboxError("the pool was closed") from None
        finally:
            for future in futures:
                future.cancel()

    def _with_more_memory(self) -> Pool:
        with self._enlarging:
            if self._larger is None:
                settings = replace(self.settings, memory_mb=self.settings.most_memory_mb)
                self._larger = Pool(settings).__enter__()
            return self._larger


def _lockdown(client: docker.DockerClient, settings: PoolSettings) -> Lockdown:
    """How every container of a pool is held. Raises SandboxError for a runtime Docker lacks."""
    daemon = client.info()
    runtimes = sorted(daemon.get("Runtimes") or {})
    if settings.runtime is not None and settings.runtime not in runtimes:
        raise SandboxError(
            f"Docker has no runtime {settings.runtime!r}, it has {', '.join(runtimes)}: install it "
            "(for runsc, gVisor) and name it in the daemon's configuration, or leave "
            "verification.python.runtime out"
        )
    options = " ".join(daemon.get("SecurityOptions") or ())
    shared = "userns" in options or "rootless" in options
    tag = image.ensure_image(settings.base_image, client)
    return Lockdown(tag, settings.memory_mb, settings.runtime, user_namespace=shared)


def _refusal(job: SandboxJob, settings: PoolSettings) -> Outcome | None:
    """Return the outcome of a job that no container needs to see."""
    size = sum(len(source.encode("utf-8", "replace")) for source in job.sources)
    if size > MAX_SOURCE_BYTES:
        return Outcome(MALFORMED, f"{size >> 10} kB of source; at most {MAX_SOURCE_BYTES >> 10}")
    if not job.tests.strip():
        return Outcome(UNDECIDED, "there are no tests")
    if len(job.tests) > MAX_TESTS_BYTES:
        return Outcome(UNDECIDED, f"tests longer than {MAX_TESTS_BYTES >> 20} MB")
    most = max(settings.memory_mb, settings.most_memory_mb)
    if job.limits.memory_mb > most:
        return Outcome(UNDECIDED, f"asks for {job.limits.memory_mb} MB of {most}")
    return None


class _Slot(threading.Thread):
    """Keeps one container alive and in conversation until the pool closes."""

    def __init__(self, pool: Pool, place: int) -> None:
        super().__init__(name="sandbox-slot", daemon=True)
        self._pool = pool
        self._place = place
        self._container: Container | None = None

    def hang_up(self) -> None:
        """Break off whatever conversation is going on."""
        container = self._container
        if container is not None:
            container.hang_up()

    def run(self) -> None:
        """Make a container, converse until it ends, make the next."""
        settings = self._pool.settings
        while not self._pool.queue.closed:
            container = self._start_container()
            if container is None:
                return
            with container:
                self._container = container
                Conversation(
                    self._pool.queue, container, settings.in_flight, settings.recycle_after
                ).hold()
                self._container = None

    def _start_container(self) -> Container | None:
        deadline = time.monotonic() + self._pool.settings.patience_seconds
        pause = 0.2
        while not self._pool.queue.closed:
            try:
                return Container(self._pool.client, self._pool.lockdown, self._place)
            except SandboxError as error:
                if time.monotonic() + pause > deadline:
                    self._pool.queue.give_up(error)
                    return None
            time.sleep(pause)
            pause = min(2 * pause, 5.0)
        return None


def _answered(outcome: Outcome | None) -> Future[Outcome | None]:
    future: Future[Outcome | None] = Future()
    future.set_result(outcome)
    return future
