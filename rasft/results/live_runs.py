"""A run as it stands now, from Metaflow's store and what its tasks leave on this machine."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from rasft.errors import UserError
from rasft.results import live_notes
from rasft.results.runs import find, first_message, works

QUIET = timedelta(minutes=5)  # with a failed task and none at work a run elsewhere has ended
SUCCEEDED = "succeeded"


@dataclass(frozen=True)
class TaskNow:
    """One task: `seconds` since it began, or that it took; `line` is its last of progress."""

    step: str
    state: str  # "running", "done" or "failed"
    seconds: float
    line: str = ""


@dataclass(frozen=True)
class RunNow:
    """A run at a moment; `ended` says how, and is None while it is going on."""

    run: str
    seconds: float
    tasks: tuple[TaskNow, ...]
    verdicts: Counter[str]  # of the verifying tasks that are done, by status
    reused: Counter[str]  # what the tasks that are done took from the ledger, by kind ...
    made: Counter[str]  # ... and what they made
    ended: str | None

    @property
    def running(self) -> list[TaskNow]:
        """The tasks at work."""
        return [task for task in self.tasks if task.state == "running"]


class Watched:
    """A run that is read again and again; a task that is done is read once."""

    def __init__(self, run_id: str):
        """Raises UserError where there is no such run."""
        self._run = find(run_id)
        self.name = str(self._run.pathspec)
        self._done: dict[str, TaskNow] = {}
        self._verdicts: Counter[str] = Counter()
        self._reused: Counter[str] = Counter()
        self._made: Counter[str] = Counter()

    def now(self) -> RunNow:
        """How it stands."""
        run = self._run = find(self.name)
        tasks = tuple(self._tasks(run))
        moment = _now(run.created_at)
        return RunNow(
            run=self.name,
            seconds=((run.finished_at or moment) - run.created_at).total_seconds(),
            tasks=tasks,
            verdicts=self._verdicts,
            reused=self._reused,
            made=self._made,
            ended=self._ended(run, tasks),
        )

    def _tasks(self, run: Any) -> Iterator[TaskNow]:
        for step in reversed(list(run)):
            for task in reversed(list(step)):
                if task.pathspec not in self._done and task.finished:
                    self._done[task.pathspec] = self._finished(task, step.id)
                yield self._done.get(task.pathspec) or self._running(task, step.id)

    def _running(self, task: Any, step: str) -> TaskNow:
        seconds = (_now(task.created_at) - task.created_at).total_seconds()
        line = live_notes.line(self.name, step, task.id) or _last_line(task)
        return TaskNow(step, "running", seconds, line)

    def _finished(self, task: Any, step: str) -> TaskNow:
        seconds = (task.finished_at - task.created_at).total_seconds()
        if not task.successful:
            said = str(task.exception or "").strip().splitlines()
            return TaskNow(step, "failed", seconds, said[-1] if said else "")
        held = {artifact.id for artifact in task}
        if step == "verify" and "verdicts" in held:
            self._verdicts.update(task["verdicts"].data["status"].to_pylist())
        for row in works(task):
            self._reused[row["kind"]] += row["reused"]
            self._made[row["kind"]] += row["made"]
        return TaskNow(step, "done", seconds)

    def _ended(self, run: Any, tasks: tuple[TaskNow, ...]) -> str | None:
        if run.finished:
            return SUCCEEDED if run.successful else "failed"
        scheduled = live_notes.is_scheduled(self.name)
        failed = [task for task in tasks if task.state == "failed"]
        running = [task for task in tasks if task.state == "running"]
        latest = max((task.created_at for step in run for task in step), default=run.created_at)
        quiet = not running and _now(latest) - latest > QUIET
        if scheduled is False or (scheduled is None and failed and quiet):
            said = first_message(run)
            return f"failed: {said}" if said else "was stopped before its end"
        return None


def _now(like: datetime) -> datetime:
    return datetime.now(like.tzinfo)


def _last_line(task: Any) -> str:
    """Of a pod's log, which is kept while it runs."""
    lines = [line for line in (task.stderr or "").splitlines() if line.strip()]
    return lines[-1] if lines else ""


def going_on(run_id: str) -> Watched:
    """A run to watch. Raises UserError where there is none, or it is over."""
    watched = Watched(run_id)
    now = watched.now()
    if now.ended == SUCCEEDED:
        raise UserError(f"run {now.run} has finished: rasft tables {now.run} shows what came of it")
    if now.ended:
        number = now.run.split("/")[1]
        raise UserError(f"run {now.run} is not going on: it {now.ended}; resume --origin-run-id "
                        f"{number} in the flow's command goes on from there")  # fmt: skip
    return watched
