"""`rasft watch`: a run while it is going on. On a terminal a table, elsewhere lines."""

from __future__ import annotations

import shutil
import sys
import time
from collections import Counter
from collections.abc import Iterator

import click

from rasft import progress
from rasft.results import live_runs
from rasft.results.live_runs import SUCCEEDED, RunNow, TaskNow

SECONDS_BETWEEN_LOOKS = 2.0
UP_AND_CLEAR = "\033[{}A\033[J"


@click.command()
@click.argument("run", metavar="RUN")
def watch(run: str) -> None:
    """Show RUN while it is going on: steps, tasks, samples a second, verdicts, loss, time left.

    On a terminal a table that is drawn anew, elsewhere a line every few seconds. It ends with the
    run and tells how that ended. The exit status is 1 if the run failed.

    \b
    Example:
      rasft watch RasftFlow/12
    """
    watched = live_runs.going_on(run)
    looks = _looks(watched)
    for now in _table(looks) if sys.stdout.isatty() else _lines(looks):
        if now.ended:
            took = progress.duration(now.seconds)
            click.echo(f"{now.run} {now.ended} after {took}; {_counts(now)}")
            sys.exit(now.ended != SUCCEEDED)


def _looks(watched: live_runs.Watched) -> Iterator[RunNow]:
    while True:
        yield watched.now()
        time.sleep(SECONDS_BETWEEN_LOOKS)


def _table(looks: Iterator[RunNow]) -> Iterator[RunNow]:
    """Draw each look over the one before."""
    height = 0
    for now in looks:
        lines = [line[: shutil.get_terminal_size().columns - 1] for line in table(now)]
        sys.stdout.write((UP_AND_CLEAR.format(height) if height else "") + "\n".join(lines) + "\n")
        sys.stdout.flush()
        height = len(lines)
        yield now


def _lines(looks: Iterator[RunNow]) -> Iterator[RunNow]:
    """Print what has changed, every few seconds."""
    told, last = "", 0.0
    for now in looks:
        text = line(now)
        if text != told and time.monotonic() - last >= progress.SECONDS_BETWEEN_LINES:
            click.echo(f"{progress.duration(now.seconds)}: {text}")
            sys.stdout.flush()
            told, last = text, time.monotonic()
        yield now


def line(now: RunNow) -> str:
    """The tasks at work with their progress, then the counts so far."""
    at_work = [f"{task.step}{f' ({task.line})' if task.line else ''}" for task in now.running]
    done = Counter(task.state for task in now.tasks)
    failed = f", {done['failed']} failed" if done["failed"] else ""
    doing = ", ".join(at_work) or "between steps"
    tasks = "1 task" if done["done"] == 1 else f"{done['done']} tasks"
    return f"{doing}; {tasks} done{failed}; {_counts(now)}"


def table(now: RunNow) -> list[str]:
    """A line a step: how many of its tasks are done, how long they took, the last of progress."""
    rows = [f"{now.run}, {progress.duration(now.seconds)}"]
    for step in dict.fromkeys(task.step for task in now.tasks):
        tasks = [task for task in now.tasks if task.step == step]
        rows += [f"  {step:<10} {_state(tasks)}", *(f"    {t.line}" for t in tasks if t.line)]
    return [*rows, f"  {_verdicts(now)}", f"  {_work(now)}"]


def _state(tasks: list[TaskNow]) -> str:
    states = Counter(task.state for task in tasks)
    longest = progress.duration(max(task.seconds for task in tasks))
    return f"{', '.join(f'{count} {state}' for state, count in states.items())}, {longest}"


def _counts(now: RunNow) -> str:
    return f"{_verdicts(now)}; {_work(now)}"


def _verdicts(now: RunNow) -> str:
    counts = ", ".join(f"{count} {status}" for status, count in now.verdicts.most_common())
    return f"rollouts judged: {counts or 'none yet'}"


def _work(now: RunNow) -> str:
    """What the tasks that are done have made, and what they found in the ledger."""
    kinds = [f"{kind} {now.made[kind]} + {now.reused[kind]}" for kind in now.made]
    return f"made + from the ledger: {', '.join(kinds) or 'nothing yet'}"
