"""The sandbox's contract: what goes in, what comes out, what is guaranteed and what is not.

A job is a program and the tests that judge it; an outcome is a status. The program, its output
and its answers are hostile; the tests and their helpers are trusted. Where it is open which part
of an answer is the program, a job names several in order: one of them is chosen by what compiles
and binds the entry point, before any of them runs and without the tests, and it alone is judged.

Guaranteed
- The tested program never decides. Tests run in another process, under another user, and see
  its answers only as exact builtin values rebuilt from JSON; anything else is a handle, which
  can be called, iterated, read and truth-tested, never compared, hashed or measured. Exit codes,
  printed text, early exits, overridden comparisons and patched modules change nothing.
- A program cannot read its tests, reach the network, gain a capability, write outside /tmp, or
  leave a process or a file to the next program. A container that is not provably clean after a
  program is thrown away.
- CPU time decides, so a loaded machine does not change a verdict: wall time is a backstop, and
  time spent waiting for a processor does not count towards it.
- A failure of the machine is `undecided`: retried once on a fresh container, then reported, never
  counted as wrong. Every job gets exactly one outcome.

NOT guaranteed
- Weak tests stay weak. A program that hard-codes the answers to visible tests passes them, and
  so does one that satisfies an assert which asks for too little.
- Containers share the host's kernel: a kernel exploit escapes. `runtime: runsc` (gVisor) puts a
  second kernel in between; for adversaries rather than policies, use it or a virtual machine.
- Side channels (timing, caches, load) between a program and its neighbours are not closed.
- Programs see a small machine: no sockets, one processor, few processes, a scratch /tmp.
- Arguments cross by value. A test sees what a call did to a list, dict or set it passed only if
  the call returned None, as functions that work in place do.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from sandbox.inside.statuses import (
    CORRECT,
    CRASHED,
    INCORRECT,
    MALFORMED,
    OUT_OF_MEMORY,
    TIMED_OUT,
    UNDECIDED,
)

STATUSES = {
    CORRECT: "every test passed",
    INCORRECT: "a test failed",
    CRASHED: "it raised where no test expects it, or its process died",
    TIMED_OUT: "it used up its CPU time, or sat idle past its wall time",
    OUT_OF_MEMORY: "it used up its memory",
    MALFORMED: "it does not parse, or is too large",
    UNDECIDED: "the machine failed, or the tests cannot be run; never counted as wrong",
}

FORMS = ("script", "check", "functions", "stdio")
MAX_SOURCE_BYTES = 1 << 20
MAX_TESTS_BYTES = 32 << 20


class SandboxError(Exception):
    """The sandbox itself is broken: no Docker, no image, no container that starts."""


@dataclass(frozen=True)
class Limits:
    """What one program may use."""

    cpu_seconds: float = 6.0
    wall_seconds: float = 20.0
    memory_mb: int = 512  # address space beyond the bare interpreter's, for each process

    def lowered(
        self,
        cpu_seconds: float | None = None,
        wall_seconds: float | None = None,
        memory_mb: int | None = None,
    ) -> Limits:
        """Return these limits, each replaced where the given one is lower."""
        return Limits(
            min(self.cpu_seconds, cpu_seconds or self.cpu_seconds),
            min(self.wall_seconds, wall_seconds or self.wall_seconds),
            min(self.memory_mb, memory_mb or self.memory_mb),
        )


@dataclass(frozen=True)
class SandboxJob:
    """One program with the tests that judge it.

    `form` says how tests are run:
    "script"     execute them: asserts at top level
    "check"      execute them, then call check(<entry point>)
    "functions"  execute them, then call every test_* function and Test* class
    "stdio"      tests are {"inputs": [text], "outputs": [text]}: run the program on each input
                 and compare what it prints, trailing white space apart; with "tolerance", a
                 number, compare tokens, where a decimal may be off by it, absolute or relative

    The program is the first of `source` and `alternatives` that compiles and binds the entry
    point at module level; where none does, the first that compiles; else `source`.

    >>> SandboxJob(source="def f(x): return x + 1", tests="assert f(1) == 2").form
    'script'
    """

    source: str
    tests: str
    form: str = "script"
    entry_point: str | None = None
    prelude: str = ""  # trusted source that defines helpers for the tests, run before them
    setup: str = ""  # trusted source run after the prelude; may use what the program defines
    limits: Limits = field(default_factory=Limits)
    keep_output: bool = False
    alternatives: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return the job as the container reads it, less its id."""
        return asdict(self)

    @property
    def sources(self) -> tuple[str, ...]:
        """`source` and its alternatives, in order."""
        return (self.source, *self.alternatives)


@dataclass(frozen=True)
class Outcome:
    """What became of one program."""

    status: str
    detail: str = ""
    cpu_seconds: float = 0.0
    wall_seconds: float = 0.0
    stdout: str = ""  # the last 2 kB, where the job asked for it
    stderr: str = ""
    chosen: int = 0  # which of the job's sources was judged
