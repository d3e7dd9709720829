"""The config's section `verification`: how each verifier judges, and what it may use."""

from __future__ import annotations

from typing import Literal

from rasft.config.section import Count, Positive, Section


class MathVerifierConfig(Section):
    """Math answers, judged in killable worker processes."""

    workers: Count | None = None  # null: one for each core
    deadline_seconds: Positive = 2.0  # wall clock; then the worker is killed and replaced
    memory_mb: Count = 1024  # of one worker
    format: Literal["boxed", "stated"] = "boxed"  # "stated" also takes "the answer is ..."
    cache: bool = True  # equal pairs are judged once


class PythonVerifierConfig(Section):
    """Python programs, judged in warm Docker containers."""

    containers: Count | None = None  # null: one for each core
    in_flight_per_container: Count = 8  # programs sent ahead to a container
    cpu_seconds: Positive = 6.0  # of one program
    wall_seconds: Positive = 20.0  # of one program, asleep or not
    memory_mb: Count = 512  # of one program with its judge
    runtime: Literal["runsc"] | None = None  # gVisor, where Docker has it
    base_image: str | None = None  # null: sandbox/Dockerfile's default
    keep_output: bool = False  # also return the last 2 kB that a program printed


class ExactVerifierConfig(Section):
    """Answers that are compared as text."""

    format: Literal["boxed", "stated"] = "boxed"  # "stated" also takes "the answer is ..."
    match_case: bool = False  # true: "mW" is not "MW"


class RegexVerifierConfig(Section):
    """Answers that a pattern must match, in killable worker processes."""

    workers: Count | None = None  # null: one for each core
    deadline_seconds: Positive = 2.0  # wall clock; then the worker is killed and replaced
    memory_mb: Count = 512  # of one worker
    format: Literal["boxed", "stated"] = "boxed"  # "stated" also takes "the answer is ..."


class FunctionVerifierConfig(Section):
    """The user's own function, in killable worker processes."""

    call: str | None = None  # "graders:judge": judge in graders.py of a folder of `plugins`
    workers: Count | None = None  # null: one for each core
    deadline_seconds: Positive = 2.0  # wall clock; then the worker is killed and replaced
    memory_mb: Count = 1024  # of one worker


class VerificationConfig(Section):
    """Settings of each verifier."""

    math: MathVerifierConfig = MathVerifierConfig()
    python: PythonVerifierConfig = PythonVerifierConfig()
    exact: ExactVerifierConfig = ExactVerifierConfig()
    regex: RegexVerifierConfig = RegexVerifierConfig()
    function: FunctionVerifierConfig = FunctionVerifierConfig()
