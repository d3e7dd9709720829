"""Runs a flow as a user does and injects faults from outside: kills tasks, kills the scheduler.

Metaflow's scheduler starts each task as a child process whose command line says which it is.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import psutil

FLOWS = Path(__file__).parents[1] / "flows"
# What a flow kept beside its test needs to import flows.base as the product's flows do.
IMPORTS = {"PYTHONPATH": f"{FLOWS.parent}{os.pathsep}{FLOWS}"}
Fault = Literal["none", "kill task", "kill scheduler"]
SECONDS = 900.0  # of one command


@dataclass(frozen=True)
class Task:
    """One attempt at one task."""

    step: str
    split: int | None  # its place in a foreach
    attempt: int
    runs_user_code: bool  # False for the attempt in which @catch stands in


@dataclass(frozen=True)
class Done:
    """How a command ended; `left` counts the workers that a killed scheduler left behind."""

    code: int | None  # None: the scheduler was killed
    output: str
    left: int = 0


def drive(
    flow: Path | str,
    words: list[str],
    folder: Path,
    fault: Callable[[Task], Fault] = lambda task: "none",
    environment: Mapping[str, str] | None = None,
) -> Done:
    """Run a flow's command in a folder and inject the fault asked for at each task's start."""
    command = [sys.executable, str(FLOWS / flow), *words]
    log = folder / "output.log"
    with log.open("wb") as sink:
        scheduler = subprocess.Popen(
            command,
            cwd=folder,
            stdout=sink,
            stderr=subprocess.STDOUT,
            env={**os.environ, "METAFLOW_USER": "rasft", **(environment or {})},
        )
        try:
            left = _inject(psutil.Process(scheduler.pid), fault)
        finally:
            code = scheduler.wait()
    return Done(None if left else code, log.read_text(errors="replace"), left)


def _inject(scheduler: psutil.Process, fault: Callable[[Task], Fault]) -> int:
    """Watch the scheduler's tasks until it ends; returns how many workers it left behind."""
    seen: set[int] = set()
    deadline = time.monotonic() + SECONDS
    while scheduler.is_running() and scheduler.status() != psutil.STATUS_ZOMBIE:
        if time.monotonic() > deadline:
            _end([scheduler, *scheduler.children(recursive=True)])
            raise TimeoutError(f"the flow took over {SECONDS:g} s")
        for process in scheduler.children():
            task = _task(process) if process.pid not in seen else None
            if task is None:
                continue
            seen.add(process.pid)
            wanted = fault(task)
            if wanted == "kill task":
                process.kill()
            elif wanted == "kill scheduler":
                return _kill_scheduler(scheduler)
        time.sleep(0.02)
    return 0


def _kill_scheduler(scheduler: psutil.Process) -> int:
    """SIGKILL leaves the workers running, so whoever kills a scheduler must end them too."""
    workers = scheduler.children(recursive=True)
    scheduler.kill()
    alive = [worker for worker in workers if worker.is_running()]
    _end(alive)
    return len(alive)


def _end(processes: list[psutil.Process]) -> None:
    for process in processes:
        try:
            process.kill()
        except psutil.NoSuchProcess:
            continue


def _task(process: psutil.Process) -> Task | None:
    try:
        words = process.cmdline()
    except (psutil.NoSuchProcess, psutil.ZombieProcess):
        return None
    if "step" not in words or "--retry-count" not in words:
        return None
    attempt = int(_option(words, "--retry-count"))
    return Task(
        step=words[words.index("step") + 1],
        split=int(_option(words, "--split-index")) if "--split-index" in words else None,
        attempt=attempt,
        runs_user_code=attempt <= int(_option(words, "--max-user-code-retries")),
    )


def _option(words: list[str], name: str) -> str:
    return words[words.index(name) + 1]
