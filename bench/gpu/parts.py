"""The parts, each in a process group of its own that ends at its deadline."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from bench.gpu.rows import Row, append

# In order of worth; the share of the time that is left when each begins, in parts of all shares.
SHARES = {"equality": 2.0, "training_speed": 3.0, "sampling": 2.0, "learning": 3.0}
FIRM = 0.9  # a part begins nothing new after this share of its time; the rest is for what it began


@dataclass(frozen=True)
class Plan:
    """What runs: the part's name -> its module and its share of the time."""

    modules: Mapping[str, tuple[str, float]]
    rehearse: bool


def planned(names: Iterable[str], rehearse: bool) -> Plan:
    """These parts, in order of worth."""
    wanted = {name: share for name, share in SHARES.items() if name in set(names)}
    return Plan({name: (f"bench.gpu.{name}", share) for name, share in wanted.items()}, rehearse)


def run_all(plan: Plan, folder: Path, seconds: float, after_each: Callable[[], None]) -> None:
    """Run the parts; what one does not use of its time goes to those after it."""
    end = time.monotonic() + seconds
    shares = [share for _, share in plan.modules.values()]
    for place, (name, (module, share)) in enumerate(plan.modules.items()):
        start, cpu = time.monotonic(), _cpu_seconds()
        mine = (end - start) * share / sum(shares[place:])
        if fault := run(module, folder, mine, plan.rehearse, folder / f"{name}.log"):
            append(folder, Row(name, "the whole part", fault))
        append(folder, Row(name, "time", time.monotonic() - start, "s"))
        append(folder, Row(name, "time of the CPU", _cpu_seconds() - cpu, "s"))
        after_each()


def run(module: str, folder: Path, seconds: float, rehearse: bool, log: Path) -> str | None:
    """Run one part, its output to `log`; returns what was wrong with it."""
    line = [sys.executable, "-u", "-m", module, str(folder), f"--seconds={FIRM * seconds:.0f}"]
    line += ["--rehearse"] if rehearse else []
    with log.open("wb") as file:
        process = subprocess.Popen(line, stdout=file, stderr=file, start_new_session=True)
        try:
            code = process.wait(max(0.0, seconds))
        except subprocess.TimeoutExpired:
            return f"killed at its deadline of {seconds:.0f} s"
        finally:
            _end(process)
    return None if code == 0 else f"ended with exit code {code}; see {log.name}"


def _cpu_seconds() -> float:
    """Of all ended children."""
    spent = resource.getrusage(resource.RUSAGE_CHILDREN)
    return spent.ru_utime + spent.ru_stime


def _end(process: subprocess.Popen[bytes]) -> None:
    """Kill the whole group: also what a part that has ended left behind."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
