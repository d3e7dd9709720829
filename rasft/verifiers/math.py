"""The math verifier: extraction here, everything that could hang in killable worker processes.

A submission goes through extraction, then verdicts from spelling and plain numbers alone, then
the cache, and only then to a worker (structure, value at random points, math-verify). An answer
that the worker could not judge in time is undecided, never wrong.
"""

from __future__ import annotations

import hashlib
import os
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from importlib.metadata import version as package_version
from typing import Any, Self

from rasft.answers.extraction import extract
from rasft.answers.judging import Decision, Pair, quick
from rasft.answers.reading.notation import normal_form
from rasft.errors import UserError
from rasft.paths import PACKAGE
from rasft.records import Status
from rasft.verifiers import Judgement, Submission
from rasft.workers.pool import WorkerDied, WorkerFailed, WorkerPool, WorkerTimeout
from rasft.workers.process import WorkerLimits

TARGET = "rasft.answers.worker:judge_pair"
FORMATS = ("boxed", "stated")
CACHE_SIZE = 100_000
IN_FLIGHT = 16  # submissions a worker, before the first must be finished
RECORDED_CHARACTERS = 500  # of an answer, in its judgement
_STATUS = {True: Status.CORRECT, False: Status.INCORRECT, None: Status.UNDECIDED}
INDIFFERENT = ("workers", "cache")  # settings that change no verdict
_DEFAULTS: dict[str, Any] = {
    "workers": None,  # None: one for each core
    "deadline_seconds": 2.0,
    "memory_mb": 1024,
    "format": "boxed",
    "cache": True,
}


def build(settings: Mapping[str, Any]) -> MathVerifier:
    """The verifier from the config section `verification.math`; raises UserError.

    Keys: `workers`, `deadline_seconds`, `memory_mb`, `format` ("boxed": no box is no answer;
    "stated": an explicit "the answer is ..." counts too), `cache`.
    """
    unknown = set(settings) - set(_DEFAULTS)
    if unknown:
        raise UserError(
            f"unknown setting {sorted(unknown)[0]!r} of the math verifier; "
            f"known: {', '.join(_DEFAULTS)}"
        )
    chosen = _DEFAULTS | dict(settings)
    if chosen["format"] not in FORMATS:
        raise UserError(
            f"format of the math verifier is {chosen['format']!r}; use one of {FORMATS}"
        )
    if float(chosen["deadline_seconds"]) <= 0 or int(chosen["memory_mb"]) < 256:
        raise UserError("the math verifier needs deadline_seconds > 0 and memory_mb >= 256")
    return MathVerifier(chosen)


class MathVerifier:
    """Judges boxed answers against gold answers; safe to use from several threads at once."""

    name = "math"

    def __init__(self, settings: Mapping[str, Any]) -> None:
        self.version = deciding_version()
        self.workers = int(settings["workers"] or 0) or len(os.sched_getaffinity(0))
        self._stated = settings["format"] == "stated"
        self._cache = _Cache(CACHE_SIZE) if settings["cache"] else None
        limits = WorkerLimits(float(settings["deadline_seconds"]), int(settings["memory_mb"]))
        self._pool = WorkerPool(TARGET, self.workers, limits)
        self._starting = threading.Lock()
        self._started = False

    def __enter__(self) -> Self:
        self._threads = ThreadPoolExecutor(self.workers, thread_name_prefix="math-verifier")
        return self

    def __exit__(self, *_: object) -> None:
        with self._starting:
            if self._started:
                self._pool.__exit__()
        self._threads.shutdown(cancel_futures=True)

    def process_ids(self) -> list[int]:
        """The worker processes alive now."""
        return self._pool.process_ids()

    def judge(self, submissions: Iterable[Submission]) -> Iterator[Judgement]:
        """Yield a judgement for each submission, in order, with several in flight."""
        pending: deque[Judgement | _InFlight] = deque()
        waiting = 0
        for submission in submissions:
            pending.append(self._start(submission))
            waiting += isinstance(pending[-1], _InFlight)
            while pending and (
                waiting > IN_FLIGHT * self.workers or isinstance(pending[0], Judgement)
            ):
                first = pending.popleft()
                waiting -= isinstance(first, _InFlight)
                yield _finished(first)
        for left in pending:
            yield _finished(left)

    def _start(self, submission: Submission) -> Judgement | _InFlight:
        """The judgement when it needs no worker, else what will become one."""
        start = time.perf_counter()
        problem = submission.problem
        if problem.answer is None:
            raise UserError(f"problem {problem.id!r} has no gold answer for the math verifier")
        found = extract(submission.response, stated=self._stated)
        if not found.pieces:
            return _judgement(Verdict(Status.NO_ANSWER, found.missing), None, _since(start))
        pair = Pair(problem.answer, found.text, problem.rules, problem.tolerance)
        decision = quick(pair)
        if decision is not None:
            return _judgement(_verdict(decision), found.text, _since(start))
        return _InFlight(self._verdict_of(pair), found.text, _since(start))

    def _verdict_of(self, pair: Pair) -> Future[Verdict]:
        """The verdict of a pair, shared by all that ask for the same one."""
        if self._cache is None:
            return self._threads.submit(self._ask_worker, pair)
        key = replace(pair, answer=normal_form(pair.answer))
        return self._cache.get(key, lambda: self._threads.submit(self._ask_worker, pair))

    def _ask_worker(self, pair: Pair) -> Verdict:
        try:
            (correct, stage), seconds = self._workers().run(vars(pair))
            return _verdict(Decision(correct, stage), seconds)
        except WorkerTimeout:
            seconds = self._pool.limits.deadline_seconds
            return Verdict(Status.UNDECIDED, f"no verdict in {seconds} s", seconds)
        except (WorkerDied, WorkerFailed) as error:
            return Verdict(Status.UNDECIDED, f"no verdict: {error}")

    def _workers(self) -> WorkerPool:
        """The worker processes. Each imports sympy, which takes seconds: they are started when the
        first answer needs one, and many benchmarks' answers are plain numbers."""
        with self._starting:
            if not self._started:
                self._pool.__enter__()
                self._started = True
        return self._pool


@dataclass(frozen=True)
class Verdict:
    """A status with what led to it and the seconds a worker took."""

    status: Status
    detail: str
    seconds: float = 0.0


@dataclass(frozen=True)
class _InFlight:
    """A submission whose verdict a worker is to give."""

    verdict: Future[Verdict]
    answer: str
    seconds: float  # spent before the worker


class _Cache:
    """The verdicts asked for last, also those still to come; an undecided one is forgotten."""

    def __init__(self, size: int) -> None:
        self.size = size
        self._entries: OrderedDict[Pair, Future[Verdict]] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: Pair, ask: Callable[[], Future[Verdict]]) -> Future[Verdict]:
        """The verdict kept for `key`, or the one that `ask` starts now."""
        with self._lock:
            kept = self._entries.get(key)
            if kept is None or _is_undecided(kept):
                kept = self._entries[key] = ask()
            self._entries.move_to_end(key)
            if len(self._entries) > self.size:
                self._entries.popitem(last=False)
            return kept


def _since(start: float) -> float:
    return time.perf_counter() - start


def _is_undecided(verdict: Future[Verdict]) -> bool:
    if not verdict.done():
        return False
    failed = verdict.cancelled() or verdict.exception() is not None
    return failed or verdict.result().status is Status.UNDECIDED


def _verdict(decision: Decision, seconds: float = 0.0) -> Verdict:
    return Verdict(_STATUS[decision.correct], decision.stage, seconds)


def _finished(started: Judgement | _InFlight) -> Judgement:
    if isinstance(started, Judgement):
        return started
    return _judgement(started.verdict.result(), started.answer, started.seconds)


def _judgement(verdict: Verdict, answer: str | None, seconds: float) -> Judgement:
    kept = answer[:RECORDED_CHARACTERS] if answer is not None else None
    return Judgement(verdict.status, kept, seconds + verdict.seconds, verdict.detail)


def deciding_version() -> str:
    """A hash of every source that a verdict depends on, with the symbolic library's version."""
    sources = [
        *sorted((PACKAGE / "answers").rglob("*.py")),
        PACKAGE / "workers" / "pool.py",
        PACKAGE / "workers" / "process.py",
        PACKAGE / "verifiers" / "math.py",
    ]
    digest = hashlib.sha256()
    for source in sources:
        # other verifiers' parts of the package
        if not source.name.startswith("program") and source.name != "choices.py":
            name = source.relative_to(PACKAGE).as_posix()
            digest.update(name.encode() + source.read_bytes())
    for package in ("math-verify", "latex2sympy2_extended", "sympy", "mpmath"):
        digest.update(f"{package} {package_version(package)}".encode())
    return digest.hexdigest()[:16]
