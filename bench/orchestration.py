"""What the workflow costs beside its work: wall time of runs whose work is known.

    python -m bench.orchestration                 seconds an empty local task
    python -m bench.orchestration --minutes 1     and the share of a run of four such steps

One task runs after another. An empty task's cost is the slope between two lengths of a run, so
that the start of the run is not in it; the share is all that is not work, the start included.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

FLOW = Path(__file__).with_name("known_work_flow.py")
SHORT, LONG = 2, 22  # tasks
LONG_STEPS = 4
MAX_SECONDS_A_TASK, MAX_SHARE = 0.6, 0.05


def wall(tasks: int, seconds: float) -> float:
    """Seconds of one run, in a fresh folder."""
    command = [sys.executable, str(FLOW), "run", "--max-workers", "1"]
    command += ["--tasks", str(tasks), "--seconds", str(seconds)]
    with tempfile.TemporaryDirectory(prefix="rasft-bench-") as folder:
        started = time.monotonic()
        subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL)
        return time.monotonic() - started


def main() -> None:
    """Measure and print; exit 1 where a bound is not held."""
    parser = argparse.ArgumentParser(description="What the workflow costs beside its work.")
    parser.add_argument("--minutes", type=float, default=0.0, help="work of one of four steps")
    minutes = parser.parse_args().minutes
    short, long = wall(SHORT, 0.0), wall(LONG, 0.0)
    each = (long - short) / (LONG - SHORT)
    held = each <= MAX_SECONDS_A_TASK
    print(
        f"an empty local task: {each:.2f} s (at most {MAX_SECONDS_A_TASK}); run of 2: {short:.1f} s"
    )
    if minutes:
        work = LONG_STEPS * minutes * 60
        share = (wall(LONG_STEPS, minutes * 60) - work) / work
        held = held and share <= MAX_SHARE
        print(f"overhead: {share:.1%} of {work / 60:.0f} minutes of work (at most {MAX_SHARE:.0%})")
    sys.exit(not held)


if __name__ == "__main__":
    main()
