"""The command line: all parts, within the minutes, their results as they come."""

from __future__ import annotations

import argparse
import os
import shlex
import sys
from pathlib import Path

from bench import gpu
from bench.gpu import parts, rows, table


def main() -> None:
    """Measure; a part that fails is a row, so the exit code is 0 unless the command is wrong."""
    parser = argparse.ArgumentParser(prog="python -m bench.gpu", description=gpu.__doc__)
    parser.add_argument("--minutes", type=float, default=8.0)
    parser.add_argument("--output", type=Path, required=True, help="a folder; old rows are removed")
    parser.add_argument("--rehearse", action="store_true", help="on the CPU, at toy size")
    parser.add_argument("--parts", nargs="+", choices=list(parts.SHARES), help="some of them alone")
    given = parser.parse_args()
    given.output.mkdir(parents=True, exist_ok=True)
    (given.output / rows.ROWS).unlink(missing_ok=True)
    if given.rehearse:
        os.environ["CUDA_VISIBLE_DEVICES"] = ""
    about = table.facts(shlex.join(["python", "-m", "bench.gpu", *sys.argv[1:]]))

    def show() -> None:
        table.write(given.output, about)

    show()
    parts.run_all(
        parts.planned(given.parts or parts.SHARES, given.rehearse),
        given.output,
        60 * given.minutes,
        show,
    )
    print((given.output / table.TABLE).read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()
