"""Process 1 of the container: reads jobs from stdin, one line each, and answers in order.

For each job it has one zygote fork a solution and another a judge, watches the clocks until the
judge has spoken or time is up, has both killed and cleared away, and writes the outcome. It
leaves when stdin closes, so a container never outlives the host process that speaks to it, and
after a job that left anything behind.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import socket
import sys
import time
from collections.abc import Mapping, Sequence
from typing import Any

from sandbox.inside import judge, solution, statuses
from sandbox.inside.cleaning import SCRATCH, Remains
from sandbox.inside.watch import Watch, out_of_memory_kills
from sandbox.inside.wire_format import BorderError, Channel
from sandbox.inside.zygote import Role, Zygote

NUMPY, PYTEST = "numpy", "sandbox.inside.with_pytest"
_JUDGE_MEMORY_MB = 1024
_TAIL_BYTES = 2048
Zygotes = Mapping[str, Zygote]  # by what they load


class Supervisor:
    """Owns the zygotes; `run` takes a job through its whole life."""

    def __init__(self, solution_uid: int, judge_uid: int) -> None:
        solutions = Role(solution_uid, solution.main)
        judges = Role(judge_uid, judge.main, filtered=False)
        # forked before any request is read; what makes a process heavier to fork has one of its
        # own, which loads it when first asked to
        started: list[Zygote] = []
        self._solutions = _zygotes(solutions, ("", NUMPY), started)
        self._judges = _zygotes(judges, ("", NUMPY, PYTEST), started)
        self._pids = frozenset({os.getpid(), *(each.pid for each in started)})
        self._nothing = os.open(os.devnull, os.O_RDWR)

    def run(self, job: dict[str, Any]) -> dict[str, Any]:
        """Return the outcome of one job; its key "fit" says whether the container may go on."""
        run = _Run(job, self._nothing, self._pids)
        try:
            return run.through(self._solutions, self._judges)
        finally:
            run.close()


def _zygotes(role: Role, preloads: Sequence[str], started: list[Zygote]) -> dict[str, Zygote]:
    """One for each preload; each closes the sockets of those that were started before it."""
    made = {}
    for preload in preloads:
        made[preload] = Zygote(role, [zygote.socket for zygote in started])
        started.append(made[preload])
    return made


class _Run:
    """One job on its way: its descriptors, its two processes, its outcome."""

    def __init__(self, job: dict[str, Any], nothing: int, ours: frozenset[int]) -> None:
        self._job = job
        self._ours = ours
        self._nothing = nothing
        self._limits = job["limits"]
        self._border = socket.socketpair()
        self._control = socket.socketpair()
        self._outputs = [os.pipe(), os.pipe()] if job["keep_output"] else []
        self._tails = [b""] * len(self._outputs)
        self._machine_failed = False
        self._chosen = 0

    def close(self) -> None:
        """Close every descriptor that is still open here."""
        for pair in (self._border, self._control):
            for end in pair:
                end.close()
        for reading, _ in self._outputs:
            os.close(reading)

    def through(self, by_solution: Zygotes, by_judge: Zygotes) -> dict[str, Any]:
        """The job's outcome: both processes started, judged, stopped and cleared away."""
        started = time.monotonic()
        kills = out_of_memory_kills()
        heavy = _preloads(self._job)
        solutions, judges = by_solution[heavy[0]], by_judge[heavy[1]]
        pids = self._start(solutions, judges, heavy)
        status, detail = self._await_verdict(*pids)
        wall = time.monotonic() - started
        judges.stop()
        solutions.stop()
        judges.stopped()
        remains = solutions.stopped()
        self._drain()
        if status == statuses.CRASHED:
            status, detail = _why_it_died(status, detail, remains, kills)
        if status == statuses.CORRECT and remains.cpu_seconds >= self._limits["cpu_seconds"]:
            status, detail = statuses.TIMED_OUT, "CPU time, its child processes counted"
        fit = remains.clean and not self._machine_failed
        return {
            "status": status,
            "detail": detail,
            "fit": fit,
            "wall_seconds": wall,
            "cpu_seconds": remains.cpu_seconds,
            "stdout": self._tail(0),
            "stderr": self._tail(1),
            "chosen": self._chosen,
        }

    def _start(self, solutions: Zygote, judges: Zygote, heavy: tuple[str, str]) -> tuple[int, int]:
        cpu, memory = self._limits["cpu_seconds"], self._limits["memory_mb"]
        written = [writing for _, writing in self._outputs] or [self._nothing] * 2
        border = self._border[0].fileno()
        solutions.start([self._nothing, *written, border], cpu, memory, heavy[0])
        ends = [self._border[1].fileno(), self._control[0].fileno()]
        judges.start([self._nothing] * 3 + ends, 2 * cpu + 5, _JUDGE_MEMORY_MB, heavy[1])
        pids = solutions.started(), judges.started()
        for end in (*self._border, self._control[0]):
            end.close()
        for _, writing in self._outputs:
            os.close(writing)
        return pids

    def _await_verdict(self, pid: int, judging: int) -> tuple[str, str]:
        control = Channel(self._control[1].fileno())
        try:
            control.send(self._job)
        except (OSError, BorderError) as error:
            self._machine_failed = True
            return statuses.UNDECIDED, f"the judge took no job: {error}"
        watch = Watch(pid, judging, self._ours, self._limits)
        poller = select.poll()
        poller.register(control.descriptor, select.POLLIN)
        poller.register(0, 0)  # only to learn that the host hung up
        for reading, _ in self._outputs:
            poller.register(reading, select.POLLIN)
        while True:
            ready = poller.poll(watch.patience() * 1000)
            for descriptor, event in ready:
                if descriptor == control.descriptor:
                    verdict = self._hear(control)
                    if verdict is not None:
                        return verdict
                    continue
                if descriptor == 0 and event & (select.POLLHUP | select.POLLERR):
                    os._exit(0)
                self._keep(descriptor, poller)
            end = watch.expired()
            if end is not None:
                self._machine_failed = end[0] == statuses.UNDECIDED
                return end

    def _hear(self, control: Channel) -> tuple[str, str] | None:
        """The judge's verdict; None where it has only said which source is the program."""
        message = _message(control)
        if type(message) is not int:
            return _verdict(message)
        self._chosen = message
        return _verdict(_message(control)) if control.pending else None

    def _keep(self, descriptor: int, poller: select.poll) -> None:
        for index, (reading, _) in enumerate(self._outputs):
            if reading == descriptor:
                part = os.read(reading, 65536)
                self._tails[index] = (self._tails[index] + part)[-_TAIL_BYTES:]
                if not part:
                    poller.unregister(reading)

    def _drain(self) -> None:
        for index, (reading, _) in enumerate(self._outputs):
            # a process that could not be killed may still hold the other end
            os.set_blocking(reading, False)
            with contextlib.suppress(BlockingIOError):
                while part := os.read(reading, 65536):
                    self._tails[index] = (self._tails[index] + part)[-_TAIL_BYTES:]

    def _tail(self, index: int) -> str:
        return self._tails[index].decode("utf-8", "replace") if self._tails else ""


def _message(control: Channel) -> Any:
    try:
        return control.receive()
    except (OSError, BorderError):
        return None


def _verdict(message: Any) -> tuple[str, str]:
    if message is None:
        return statuses.INCORRECT, "the judge died of the program's answers"
    status, detail = message
    return str(status), str(detail)


def _preloads(job: dict[str, Any]) -> tuple[str, str]:
    """What the processes of the solution and of the judge are forked with."""
    solution = NUMPY if _uses_numpy(job["source"], *job["alternatives"]) else ""
    if judge.needs_pytest(job):
        return solution, PYTEST
    return solution, NUMPY if _uses_numpy(job["tests"], job["setup"]) else ""


def _uses_numpy(*sources: str) -> bool:
    return any("numpy" in source for source in sources)


def _why_it_died(status: str, detail: str, remains: Remains, kills: int) -> tuple[str, str]:
    """Name the cause of a process's end, as far as the kernel tells."""
    code = os.waitstatus_to_exitcode(remains.wait_status)
    if out_of_memory_kills() > kills:
        return statuses.OUT_OF_MEMORY, "the kernel ended it: out of memory"
    if code == -signal.SIGXCPU:
        return statuses.TIMED_OUT, "CPU time"
    if "process ended" not in detail:
        return status, detail
    how = f"killed by signal {-code}" if code < 0 else f"exited with code {code}"
    return status, f"{detail}: {how}"


def _prepare_container() -> None:
    """Close what a program could leave a note in; raises RuntimeError where that fails."""
    # tmpfs options are ignored where the image already has the folder, so set and check here;
    # the sticky bit also keeps programs from setting attributes of the folder itself
    for folder, mode in ((SCRATCH, 0o1777), ("/dev/mqueue", 0o700), ("/dev/shm", 0o700)):
        if not os.path.isdir(folder):
            continue
        os.chmod(folder, mode)
        if os.stat(folder).st_mode & 0o7777 != mode:
            raise RuntimeError(f"{folder} could not be closed")


def _settle_down(place: int) -> None:
    """Stay on one processor, with every process to come.

    Solution and judge wait for each other at each call: to wake a process on another processor
    costs more than to go on where one is, by a quarter of all time on a virtual machine.
    """
    usable = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {usable[place % len(usable)]})


def _write(message: dict[str, Any]) -> None:
    data = memoryview(json.dumps(message).encode() + b"\n")
    while data:
        data = data[os.write(1, data) :]


def main() -> None:
    """Serve until stdin closes. Arguments: the solutions' uid, the judges' uid, the processor."""
    solution_uid, judge_uid, place = map(int, sys.argv[1:4])
    _prepare_container()
    _settle_down(place)
    supervisor = Supervisor(solution_uid, judge_uid)
    # process 1 ignores what it does not handle, and Docker would wait ten seconds to stop it
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    _write({"ready": True})
    with open(0, "rb", buffering=1 << 20, closefd=False) as jobs:
        for line in jobs:
            job = json.loads(line)
            outcome = supervisor.run(job)
            _write({"id": job["id"], **outcome})
            if not outcome["fit"]:
                return
