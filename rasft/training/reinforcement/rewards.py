"""Responses -> rewards, by the project's verifiers, which stay open for a whole training."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from typing import Any, Self

from rasft import plugins
from rasft.config.verification import VerificationConfig
from rasft.records import Problem, Status
from rasft.verifiers import Submission


class Rewards:
    """A context manager; each verifier starts when it is first needed."""

    def __init__(self, problems: Mapping[str, Problem], settings: VerificationConfig):
        self.problems = problems
        self.settings = settings
        self._open = contextlib.ExitStack()
        self._verifiers: dict[str, Any] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._open.close()

    def of(self, responses: Sequence[tuple[str, str]]) -> list[float | None]:
        """The reward of each (problem id, text): 1 if it is correct, else 0; None if undecided."""
        rewards: dict[int, float | None] = {}
        for name in sorted({self.problems[problem_id].verifier for problem_id, _ in responses}):
            chosen = {
                place: Submission(self.problems[problem_id], text)
                for place, (problem_id, text) in enumerate(responses)
                if self.problems[problem_id].verifier == name
            }
            judgements = self._verifier(name).judge(chosen.values())
            for place, judgement in zip(chosen, judgements, strict=True):
                rewards[place] = _reward(judgement.status)
        return [rewards[place] for place in range(len(responses))]

    def _verifier(self, name: str) -> Any:
        if name not in self._verifiers:
            section = getattr(self.settings, name, None)
            built = plugins.load("verifiers", name).build(section.model_dump() if section else {})
            self._verifiers[name] = self._open.enter_context(built)
        return self._verifiers[name]


def _reward(status: Status) -> float | None:
    return float(status is Status.CORRECT) if status.is_decided else None
