"""Start the training program by Accelerate in a process group of its own, and watch over it.

Its lines are read as they come, its checkpoints handed on, and it ends with this process.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rasft.config.settings import TrainingConfig
from rasft.errors import MachineError, UserError
from rasft.losses import LossSettings
from rasft.training.launch.command_line import PROGRAM, command, environment, world_size
from rasft.training.launch.nodes import ONE_NODE, Node
from rasft.training.launch.starting import Launched, Start, start_process
from rasft.training.storage.checkpoint_store import CheckpointStore
from rasft.training.storage.jobs import (
    CURVE,
    ERROR,
    FAILED,
    MODEL,
    SAVED,
    STEP,
    SUMMARY,
    clear_outputs,
    digest_of,
)

SECONDS_TO_SAVE = 30.0  # between the order to end and the kill
TAIL_LINES = 30


@dataclass(frozen=True)
class LaunchContext:
    """What surrounds a training: what keeps its checkpoints, who watches its curve grow, which of
    its nodes this is, and what starts its process."""

    store: CheckpointStore | None = None
    on_curve: Callable[[Path], None] | None = None  # called with the Parquet file, now and then
    node: Node = ONE_NODE
    start: Start = start_process


STANDALONE = LaunchContext()


def launch_kept(job_dir: Path, training: TrainingConfig, context: LaunchContext) -> dict[str, Any]:
    """As `launch`, from the job's newest kept checkpoint on; new ones are kept as they come."""
    store, on_curve = context.store, context.on_curve
    digest = digest_of(job_dir)

    def on_line(line: str) -> None:
        print(line, flush=True)
        if on_curve and line.startswith(STEP) and (job_dir / CURVE).is_file():
            on_curve(job_dir / CURVE)

    if not store:
        return launch(job_dir, training, on_line, context=context)
    keep = store.keep
    store.restore(digest, job_dir)
    return launch(
        job_dir, training, on_line, lambda checkpoint: keep(checkpoint, digest), context=context
    )


def launch(
    job_dir: Path,
    training: TrainingConfig,
    on_line: Callable[[str], None] = print,
    on_checkpoint: Callable[[Path], None] | None = None,
    module: str = PROGRAM,
    context: LaunchContext = STANDALONE,
) -> dict[str, Any]:
    """Train the job that was laid out for the module; returns its summary, on the first node.

    Of the context it heeds the node, and what starts the process.

    Each line that the program writes goes to `on_line`, and each whole checkpoint's folder to
    `on_checkpoint`, which must take what it wants of it at once: the program removes it once
    newer ones are there. Raises UserError for what the user can
    mend and MachineError, with the program's last lines, for any other failure; launched again,
    the same job resumes from its last checkpoint. An interruption ends the whole process group,
    and so does SIGTERM; both leave the program some seconds to save its state.
    """
    LossSettings.of(training.loss)
    clear_outputs(job_dir)
    tail: deque[str] = deque(maxlen=TAIL_LINES)
    node = context.node
    words = command(job_dir, training, module, node)
    sharers = world_size(training) * node.sharers
    process = context.start(words, environment(sharers, training.threads))
    try:
        with _passing_on_sigterm(process):
            for line in process.stdout or ():
                tail.append(line.rstrip("\n"))
                on_line(tail[-1])
                if on_checkpoint and line.startswith(SAVED):
                    on_checkpoint(Path(tail[-1].removeprefix(SAVED)))
            process.wait()
    finally:
        _end(process)
    return _result(job_dir, process.returncode, tail, node)


@contextlib.contextmanager
def _passing_on_sigterm(process: Launched) -> Iterator[None]:
    """A preempted machine tells this process alone: the program must hear it, to save its state."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, lambda number, frame: _signal(process, signal.SIGTERM))
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _signal(process: Launched, number: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, number)


def _end(process: Launched) -> None:
    """End the process group, if it still runs; the end of its output tells that all have gone."""
    _signal(process, signal.SIGTERM)
    if process.stdout:
        deadline = time.monotonic() + SECONDS_TO_SAVE
        output = process.stdout.fileno()
        while select.select([output], [], [], max(0.0, deadline - time.monotonic()))[0]:
            if not os.read(output, 65536):
                break
        process.stdout.close()
    _signal(process, signal.SIGKILL)
    process.wait()


def _result(job_dir: Path, code: int | None, tail: deque[str], node: Node) -> dict[str, Any]:
    if (job_dir / ERROR).is_file():
        raise UserError(json.loads((job_dir / ERROR).read_text(encoding="utf-8"))["message"])
    if code == 0 and not node.is_first:
        return {}
    if code != 0 or not (job_dir / MODEL).is_dir() or not (job_dir / SUMMARY).is_file():
        if said := [line for line in tail if line.startswith(FAILED)]:
            raise MachineError(said[0])
        lines = "\n".join(tail)
        raise MachineError(f"the training program failed with exit code {code}; it said:\n{lines}")
    summary: dict[str, Any] = json.loads((job_dir / SUMMARY).read_text(encoding="utf-8"))
    return summary
