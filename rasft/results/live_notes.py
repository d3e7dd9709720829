"""What a run on this machine leaves while it is going on, for `rasft watch`.

    <cache>/progress/RasftFlow/12/scheduler      the process that runs it
    <cache>/progress/RasftFlow/12/train-7        the last line of progress of a task, while it runs

Metaflow keeps a task's log, and says how a run ended, only when that is over.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator
from pathlib import Path

import psutil

from rasft.paths import cache_folder

SCHEDULER = "scheduler"


@contextlib.contextmanager
def of_task(pathspec: str) -> Iterator[None]:
    """Within it, progress of the task RasftFlow/12/train/7 is left where a watcher finds it.

    A folder that cannot be written costs the watcher his lines, and nobody else anything.
    """
    flow, run, step, task = pathspec.split("/")
    folder = _folder(f"{flow}/{run}")
    note = folder / f"{step}-{task}"
    with contextlib.suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True)
        (folder / SCHEDULER).write_text(json.dumps(_identity(os.getppid())), encoding="utf-8")
    os.environ["RASFT_PROGRESS"] = str(note)
    try:
        yield
    finally:
        del os.environ["RASFT_PROGRESS"]
        with contextlib.suppress(OSError):
            note.unlink(missing_ok=True)


def line(run: str, step: str, task: str) -> str:
    """The last line of a task's progress; empty where none was left on this machine."""
    try:
        return (_folder(run) / f"{step}-{task}").read_text(encoding="utf-8")
    except OSError:
        return ""


def is_scheduled(run: str) -> bool | None:
    """Whether the process that runs it lives; None where it does not run on this machine."""
    try:
        told = json.loads((_folder(run) / SCHEDULER).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return bool(told == _identity(told[0]))


def _folder(run: str) -> Path:
    return cache_folder() / "progress" / run


def _identity(process: int) -> list[float]:
    """Its number and when it began: numbers come again."""
    try:
        return [process, psutil.Process(process).create_time()]
    except psutil.Error:
        return [process, 0.0]
