"""How a training's process comes to be."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Mapping, Sequence
from typing import IO, Protocol


class Launched(Protocol):
    """A process in a session of its own, whose output, errors included, is read as text."""

    @property
    def pid(self) -> int:
        """Its own and its group's."""
        ...

    @property
    def stdout(self) -> IO[str] | None:
        """What it writes."""
        ...

    @property
    def returncode(self) -> int | None:
        """Its exit code, once it was waited for; negative for a signal."""
        ...

    def wait(self) -> int:
        """Its exit code, when it has ended."""
        ...


Start = Callable[[Sequence[str], Mapping[str, str]], Launched]  # command line, environment


def start_process(line: Sequence[str], environment: Mapping[str, str]) -> Launched:
    """A fresh interpreter."""
    return subprocess.Popen(
        line,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        env=environment,
        start_new_session=True,
    )
