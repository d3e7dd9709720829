"""A run's samples for readers elsewhere: a row a sample, a row a problem, with what came of each.

Pure functions of a run's tables; `rasft export --samples` writes what they return.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rasft.records import Group, Problem, Rollout, Status, Verdict


@dataclass(frozen=True)
class ExportedSample:
    """One response sampled from the policy, keyed (problem_id, sample_index)."""

    problem_id: str
    sample_index: int
    prompt: str  # the user's message, before any chat template
    response: str
    finish_reason: str  # as of Rollout
    response_tokens: int
    seed: int
    verifier: str | None
    verifier_version: str | None
    status: str | None  # of the verdict; None where there is none
    correct: bool | None  # None where the machine could not tell
    extracted: str | None  # what the verifier read as the answer
    detail: str | None
    weight: float  # of its training sequence; 0 where it is not trained on


@dataclass(frozen=True)
class ExportedProblem:
    """One training problem with its expert response and what its samples say of it."""

    problem_id: str
    source: str
    prompt: str
    expert_response: str | None
    verifier: str
    answer: str | None  # the gold answer
    tests: str | None  # of a program
    bucket: str | None  # of the router
    sampled: int
    unique: int
    correct: int
    solvability: float | None  # None where nothing was sampled
    expert_weight: float | None


def samples(
    problems: Sequence[Problem],
    rollouts: Sequence[Rollout],
    verdicts: Sequence[Verdict],
    groups: Sequence[Group],
) -> Iterator[ExportedSample]:
    """Yield the samples in the order of the run's table."""
    prompts = {problem.id: problem.prompt for problem in problems}
    judged = {(row.problem_id, row.sample_index): row for row in verdicts}
    weights = {
        (group.problem_id, index): weight
        for group in groups
        for index, weight in zip(group.rollout_indices, group.rollout_weights, strict=True)
    }
    for row in rollouts:
        key = row.problem_id, row.sample_index
        yield _sample(prompts[row.problem_id], row, judged.get(key), weights.get(key, 0.0))


def problem_rows(problems: Sequence[Problem], groups: Sequence[Group]) -> Iterator[ExportedProblem]:
    """Yield the problems in the order of the run's table."""
    found = {group.problem_id: group for group in groups}
    for problem in problems:
        group = found.get(problem.id)
        yield ExportedProblem(
            problem_id=problem.id,
            source=problem.source,
            prompt=problem.prompt,
            expert_response=problem.expert_response,
            verifier=problem.verifier,
            answer=problem.answer,
            tests=problem.tests,
            bucket=group.bucket if group else None,
            sampled=group.sampled if group else 0,
            unique=group.unique if group else 0,
            correct=group.correct if group else 0,
            solvability=group.solvability if group else None,
            expert_weight=group.expert_weight if group else None,
        )


def _sample(prompt: str, row: Rollout, verdict: Verdict | None, weight: float) -> ExportedSample:
    return ExportedSample(
        problem_id=row.problem_id,
        sample_index=row.sample_index,
        prompt=prompt,
        response=row.text,
        finish_reason=row.finish_reason,
        response_tokens=len(row.token_ids),
        seed=row.seed,
        verifier=verdict.verifier if verdict else None,
        verifier_version=verdict.verifier_version if verdict else None,
        status=verdict.status.value if verdict else None,
        correct=_is_correct(verdict),
        extracted=verdict.answer if verdict else None,
        detail=verdict.detail if verdict else None,
        weight=weight,
    )


def _is_correct(verdict: Verdict | None) -> bool | None:
    return verdict.status is Status.CORRECT if verdict and verdict.status.is_decided else None
