"""MBPP+: 378 problems of MBPP with some 35 times the tests (Liu et al. 2023, EvalPlus).

Licence Apache-2.0, of MBPP CC-BY-4.0. The prompt ends with MBPP's own asserts, which name the
function; the tests are those of MBPP+. Published figures are greedy pass@1, with one assert in the
prompt.

- The published tests of MBPP/737, 787 and 794 compare and never assert, so that every program
  passes. Here they assert what they compared.
- MBPP/255 asks for all combinations. Five of its 112 answers have 6 million elements and more: no
  such answer leaves the sandbox, whose messages end at 32 MB, whatever its memory. These five
  calls are left out; the other 107 are made.
- Six tests need a quarter of the verifier's usual CPU time and more, for the reference solution.
  EvalPlus gives a test four times the reference's time; here these have a limit of their own.
"""

from __future__ import annotations

from collections.abc import Iterator

from rasft.data import mbpp, rows
from rasft.data.source import Source
from rasft.records import Problem

KIND = "code"
ROWS = 378
LOCATION = rows.Location(
    "code/mbppplus.jsonl",
    hub="evalplus/mbppplus",
    split="test",
    revision="b2d74c91837c3f2a20c1299ae98133cbe7cfa077",
)
COMPARED = "        exact_match = exp == (out is not None)\n"
CALLS = "for i, inp in enumerate(inputs):\n    assertion(combinations_colors("
FEWER_CALLS = CALLS.replace(
    "enumerate(inputs)",
    "enumerate(inp for inp in inputs if inp[1] < 76 or len(inp[0]) < 4)",
)
CPU_SECONDS = {
    "mbpp/123": 10.0,
    "mbpp/271": 10.0,
    "mbpp/392": 20.0,
    "mbpp/592": 10.0,
    "mbpp/599": 120.0,  # adds up ranges of a hundred million
    "mbpp/603": 10.0,
}


def load(source: Source) -> Iterator[Problem]:
    """Yield the problems. Raises UserError."""
    rows.check_options("mbppplus", source)
    for row in rows.read(source, LOCATION):
        yield _problem(row)


def _problem(row: rows.Row) -> Problem:
    problem_id = f"mbpp/{row.text('task_id')}"
    asserts = "\n".join(row.texts("test_list"))
    program = row.text("code")
    return Problem(
        id=problem_id,
        prompt=f"{row.text('prompt')}\nYour code should pass these tests:\n\n{asserts}",
        verifier="python",
        expert_response=rows.fenced(program),
        tests=_mended(row.text("test")),
        entry_point=mbpp.entry_point(program, asserts),
        setup="\n".join(row.texts("test_imports")) or None,
        source="mbppplus",
        cpu_seconds=CPU_SECONDS.get(problem_id),
    )


def _mended(tests: str) -> str:
    return tests.replace(COMPARED, f"{COMPARED}    assert exact_match\n").replace(
        CALLS, FEWER_CALLS
    )
