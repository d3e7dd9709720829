"""HumanEval+: HumanEval's 164 problems with some 80 times the tests (Liu et al. 2023, EvalPlus).

Licence Apache-2.0, of HumanEval MIT. The problem ids are HumanEval's. Published figures are greedy
pass@1.

- The published test of HumanEval/32 unpacks the candidate's root where the coefficients belong,
  and so fails every program. Here it asks what EvalPlus's own evaluator asks: that the polynomial
  is at most 0.0001 from zero at the root.
- Three tests need half of the verifier's usual CPU time for the reference solution. EvalPlus
  gives a test four times the reference's time; here these have a limit of their own.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from rasft.data import humaneval, rows
from rasft.data.source import Source
from rasft.records import Problem

KIND = "code"
ROWS = 164
LOCATION = rows.Location(
    "code/humanevalplus.jsonl",
    hub="evalplus/humanevalplus",
    split="test",
    revision="d32357cf319e50e9c8d8dab5ea876c72b0fd321b",
)
BROKEN = "_poly(*candidate(*inp), inp) <= 0.0001"
MENDED = "abs(_poly(*inp, candidate(*inp))) <= 0.0001"
CPU_SECONDS = {"HumanEval/15": 20.0, "HumanEval/130": 20.0, "HumanEval/139": 20.0}


def load(source: Source) -> Iterator[Problem]:
    """Yield the problems. Raises UserError."""
    rows.check_options("humanevalplus", source)
    for row in rows.read(source, LOCATION):
        problem = humaneval.problem(row, "humanevalplus")
        yield replace(
            problem,
            tests=(problem.tests or "").replace(BROKEN, MENDED),
            cpu_seconds=CPU_SECONDS.get(problem.id),
        )
