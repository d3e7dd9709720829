"""What a worker process of the math verifier runs: every stage, math-verify's last.

Importing this module pays for sympy and for the first parse, so that no answer's deadline does.
"""

from __future__ import annotations

from typing import Any

from rasft.answers.comparing.symbolic import last_resort
from rasft.answers.judging import Decision, Pair, decide

last_resort(r"\sum_{n=1}^{3} n", r"\sum_{k=1}^{3} k")


def judge_pair(request: dict[str, Any]) -> list[Any]:
    """A Pair as a mapping in, [correct, stage] out."""
    pair = Pair(**request)
    decision = decide(pair)
    if decision.correct is None:
        decision = Decision(*last_resort(pair.gold, pair.answer))
    return [decision.correct, decision.stage]
