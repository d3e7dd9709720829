"""The code verifier: a program taken from the response, judged by tests in the sandbox.

A problem whose tests need more time or memory than the settings give says so, and never lowers
what they give. More memory comes with larger containers, started for the first such problem.

What it guarantees and what it does not is written in `sandbox.protocol`. Containers are started
when the verifier is entered and stay warm until it is left.
"""

from __future__ import annotations

import hashlib
import os
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Self

from rasft.answers import program_tests, programs
from rasft.errors import MachineError, UserError
from rasft.paths import PACKAGE
from rasft.records import Problem, Status
from rasft.verifiers import Judgement, Submission
from sandbox.image import image_files
from sandbox.pool import Pool, PoolSettings
from sandbox.protocol import Limits, Outcome, SandboxError, SandboxJob

GOLD = "tests"  # the field of a problem that says what is right
MOST_MEMORY_MB = 4096  # that a problem may ask for
# Settings that change no verdict.
INDIFFERENT = ("containers", "in_flight_per_container", "keep_output")
_DEFAULTS: dict[str, Any] = {
    "containers": None,  # one for each core
    "in_flight_per_container": 8,
    "cpu_seconds": 6.0,
    "wall_seconds": 20.0,
    "memory_mb": 512,
    "runtime": None,
    "base_image": None,
    "keep_output": False,  # also return the last 2 kB of stdout and stderr
}
# The sources outside the sandbox that a verdict depends on.
DECIDING = (
    PACKAGE / "answers" / "thinking.py",
    *sorted((PACKAGE / "answers").glob("program*.py")),
    PACKAGE / "verifiers" / "python.py",
)
_NO_PROGRAM = Judgement(Status.NO_ANSWER, detail="no program in the response")


def build(settings: Mapping[str, Any]) -> PythonVerifier:
    """The verifier from the config section `verification.python`; raises UserError."""
    unknown = sorted(set(settings) - set(_DEFAULTS))
    if unknown:
        raise UserError(
            f"unknown setting {unknown[0]!r} of the python verifier; known: {', '.join(_DEFAULTS)}"
        )
    chosen = _DEFAULTS | dict(settings)
    for name in ("in_flight_per_container", "cpu_seconds", "wall_seconds", "memory_mb"):
        if not float(chosen[name]) > 0:
            raise UserError(
                f"{name} of the python verifier is {chosen[name]!r}; it must be above 0"
            )
    if chosen["runtime"] not in (None, "runsc"):
        raise UserError(
            f"runtime of the python verifier is {chosen['runtime']!r}; use null or runsc"
        )
    return PythonVerifier(chosen)


class PythonVerifier:
    """Judges programs; a context manager that owns the containers."""

    name = "python"

    def __init__(self, settings: Mapping[str, Any]) -> None:
        self.version = deciding_version()
        self._keep_output = bool(settings["keep_output"])
        self._limits = Limits(
            float(settings["cpu_seconds"]),
            float(settings["wall_seconds"]),
            int(settings["memory_mb"]),
        )
        self._pool = Pool(
            PoolSettings(
                containers=settings["containers"] or os.cpu_count() or 1,
                in_flight=int(settings["in_flight_per_container"]),
                memory_mb=self._limits.memory_mb,
                most_memory_mb=MOST_MEMORY_MB,
                runtime=settings["runtime"],
                base_image=settings["base_image"],
            )
        )

    def __enter__(self) -> Self:
        try:
            self._pool.__enter__()
        except SandboxError as error:
            raise UserError(str(error)) from None
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.__exit__()

    def judge(self, submissions: Iterable[Submission]) -> Iterator[Judgement]:
        """Yield a judgement for each submission, in order; reads ahead by what is in flight.

        Raises UserError for a problem without tests or that asks for too much memory, MachineError
        when Docker stays away.
        """
        sources: deque[tuple[str, ...]] = deque()

        def jobs() -> Iterator[SandboxJob | None]:
            for submission in submissions:
                job = self._job(submission)
                sources.append(() if job is None else job.sources)
                yield job

        try:
            for outcome in self._pool.run(jobs()):
                yield _judgement(outcome, sources.popleft())
        except SandboxError as error:
            raise MachineError(f"the sandbox is gone: {error}") from error

    def _job(self, submission: Submission) -> SandboxJob | None:
        problem = submission.problem
        form, entry_point = _tests_of(problem)
        found = programs.candidates(submission.response, entry_point, problem.code_prefix)
        if not found:
            return None
        return SandboxJob(
            source=found[0],
            alternatives=found[1:],
            tests=problem.tests or "",
            form=form,
            entry_point=entry_point,
            prelude=problem.code_prefix or "",
            setup=problem.setup or "",
            limits=_raised(self._limits, problem),
            keep_output=self._keep_output,
        )


def _raised(limits: Limits, problem: Problem) -> Limits:
    """The limits, with what the problem's tests need beyond them; wall time grows with CPU time."""
    memory_mb = max(limits.memory_mb, problem.memory_mb or 0)
    if memory_mb > max(limits.memory_mb, MOST_MEMORY_MB):
        raise UserError(
            f"problem {problem.id!r} asks for {memory_mb} MB of memory; "
            f"the sandbox gives a problem {MOST_MEMORY_MB} MB at most"
        )
    cpu_seconds = max(limits.cpu_seconds, problem.cpu_seconds or 0)
    return Limits(cpu_seconds, limits.wall_seconds * cpu_seconds / limits.cpu_seconds, memory_mb)


def _tests_of(problem: Problem) -> tuple[str, str | None]:
    """Return the form of a problem's tests and the function under test."""
    if not (problem.tests or "").strip():
        raise UserError(f"problem {problem.id!r} has no tests for the python verifier")
    form = program_tests.form_of(problem.tests or "")
    if form == "stdio":
        return form, None
    entry_point = problem.entry_point or program_tests.entry_point_of(problem.tests or "")
    if form == "check" and entry_point is None:
        raise UserError(f"problem {problem.id!r} has tests that need an entry_point; name it")
    return form, entry_point


def _judgement(outcome: Outcome | None, sources: tuple[str, ...]) -> Judgement:
    if outcome is None:
        return _NO_PROGRAM
    return Judgement(
        Status(outcome.status),
        sources[outcome.chosen],
        outcome.cpu_seconds,
        outcome.detail,
        outcome.stdout,
        outcome.stderr,
    )


def deciding_version() -> str:
    """A hash of every source that a verdict depends on."""
    digest = hashlib.sha256()
    for source in DECIDING:
        digest.update(source.read_bytes())
    for path, content in sorted(image_files().items()):
        digest.update(path.encode() + content)
    return digest.hexdigest()[:16]
