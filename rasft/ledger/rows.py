"""What the ledger stores, and under which keys.

A row's key is the blake2b digest of everything that decides its content and is not already in the
facts of its folder. 32 hexadecimal digits: two of 10^9 rows collide with a chance of 10^-21.
"""

from __future__ import annotations

import hashlib
import json
from array import array
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from rasft.records import LATER, Problem

SCORING = 2  # raise it when a response's score under the same weights would change
_UNJUDGED = ("id", "source", "expert_response")  # of a problem: they decide no verdict


@dataclass(frozen=True)
class SampleSource:
    """What all samples of one folder share."""

    checkpoint: str  # models.fingerprint of the policy
    engine: str  # name and version
    dtype: str  # of the engine's computation
    temperature: float
    top_p: float
    repetition_penalty: float
    stop_token_ids: tuple[int, ...]

    def facts(self) -> dict[str, Any]:
        """As plain values, which JSON gives back unchanged."""
        return {**asdict(self), "stop_token_ids": list(self.stop_token_ids)}


@dataclass(frozen=True)
class SampleRow:
    """One sampled response; see `records.Rollout`."""

    key: str
    problem: str  # problem_digest of the problem as it was sampled
    problem_id: str
    run_seed: int
    sample_index: int
    seed: int
    token_ids: tuple[int, ...]
    text: str
    finish_reason: str


@dataclass(frozen=True)
class VerdictRow:
    """What a verifier said of a text; see `records.Verdict`. An undecided one is never stored."""

    key: str
    status: str
    answer: str | None
    seconds: float
    detail: str
    stdout: str = ""
    stderr: str = ""


@dataclass(frozen=True)
class ScoreRow:
    """Log-probabilities of one response's tokens, nats; see `records.SequenceScore`."""

    key: str
    reference_logps: tuple[float, ...]


@dataclass(frozen=True)
class ProblemRow:
    """A problem as it was sampled and judged, so that both can be judged again."""

    key: str  # of the whole problem
    problem: str  # problem_digest
    content: str  # the Problem as JSON


def verdict_facts(verifier: str, version: str, settings: Mapping[str, Any]) -> dict[str, Any]:
    """What all verdicts of one folder share; `settings` are those that can change a verdict."""
    return {"verifier": verifier, "version": version, "settings": dict(settings)}


def score_facts(checkpoint: str, dtype: str) -> dict[str, Any]:
    """What all scores of one folder share."""
    return {"checkpoint": checkpoint, "dtype": dtype, "scoring": SCORING}


def sample_key(prompt_ids: Sequence[int], room: int, sample_index: int, seed: int) -> str:
    """`room` is the most tokens the response could have."""
    return _digest(_tokens(prompt_ids), f"{room} {sample_index} {seed}".encode())


def chat_key(
    messages: Sequence[Mapping[str, str]],
    switches: Mapping[str, Any],
    room: int,
    sample_index: int,
    seed: int,
) -> str:
    """As `sample_key`, of a model that is asked by messages."""
    asked = json.dumps([list(messages), dict(switches)], sort_keys=True)
    return _digest(asked.encode(), f"{room} {sample_index} {seed}".encode())


def verdict_key(problem: str, text: str) -> str:
    """`problem` is a problem_digest: responses with the same text share their verdict."""
    return _digest(problem.encode(), text.encode())


def score_key(prompt_ids: Sequence[int], response_ids: Sequence[int]) -> str:
    """Of the two token sequences, and of where one ends and the other begins."""
    return _digest(_tokens(prompt_ids), _tokens(response_ids))


def problem_digest(problem: Problem) -> str:
    """Of everything that may decide a verdict: not its id, source and expert response."""
    values = {
        name: value
        for name, value in asdict(problem).items()
        if name not in _UNJUDGED and (value or name not in LATER)
    }
    return _digest(json.dumps(values, sort_keys=True).encode())


def problem_row(problem: Problem) -> ProblemRow:
    """A problem as the ledger keeps it."""
    content = json.dumps(asdict(problem), sort_keys=True)
    return ProblemRow(_digest(content.encode()), problem_digest(problem), content)


def read_problem(row: ProblemRow) -> Problem:
    """The problem of a stored row."""
    fields = json.loads(row.content)
    return Problem(**fields | {"choices": tuple(fields.get("choices", ()))})


def _tokens(ids: Sequence[int]) -> bytes:
    return array("i", ids).tobytes()


def _digest(*parts: bytes) -> str:
    found = hashlib.blake2b(digest_size=16)
    for part in parts:
        found.update(len(part).to_bytes(8, "little") + part)
    return found.hexdigest()
