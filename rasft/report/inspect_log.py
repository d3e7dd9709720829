"""A run's samples as logs of inspect_ai, for its viewer and its readers (`inspect view`).

The form is version 2 of inspect_ai's EvalLog as JSON: a sample of a problem is an "epoch" of it.
The rollouts are one log; each benchmark under each checkpoint is one too.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from rasft.config.settings import Config
from rasft.records import BenchmarkResponse, Problem, Status
from rasft.results.samples import ExportedProblem, ExportedSample

VERSION = 2
SCORER = "verdict"
STOPS = {"stop": "stop", "length": "max_tokens"}  # finish_reason -> inspect's stop_reason


@dataclass(frozen=True)
class Task:
    """What all samples of a log share."""

    run: str
    created: str  # ISO 8601, with a time zone
    name: str
    model: str
    dataset: str
    generation: Mapping[str, Any]  # temperature, top_p, max_tokens
    epochs: int
    metadata: Mapping[str, Any]


@dataclass(frozen=True)
class LoggedSample:
    """One response with what the verifier says of it."""

    problem_id: str
    sample_index: int
    prompt: str
    target: str
    response: str
    finish_reason: str
    correct: bool | None  # None where the machine could not tell
    answer: str | None
    explanation: str
    metadata: Mapping[str, Any] = field(default_factory=dict)


def rollouts_log(
    run: str,
    created: str,
    config: Config,
    problems: Sequence[ExportedProblem],
    samples: Sequence[ExportedSample],
) -> dict[str, Any]:
    """The rollouts with their verdicts and weights."""
    sources = ", ".join(source.name for source in config.data.datasets)
    generation = _generation(config.rollout)
    metadata = {"method": config.training.method, "seed": config.seed}
    epochs = config.rollout.samples_per_problem
    model = config.model.path
    task = Task(run, created, config.name, model, sources, generation, epochs, metadata)
    known = {problem.problem_id: problem for problem in problems}
    return log(task, [_rollout(row, known[row.problem_id]) for row in samples])


def benchmark_log(
    run: str,
    created: str,
    config: Config,
    problems: Iterable[Problem],
    responses: Sequence[BenchmarkResponse],
) -> dict[str, Any]:
    """The responses of one checkpoint to one benchmark."""
    benchmark, checkpoint = responses[0].benchmark, responses[0].checkpoint
    model = f"{config.model.path}/{checkpoint}"
    metadata = {
        "method": config.training.method,
        "seed": config.seed,
        "benchmark": benchmark,
        "checkpoint": checkpoint,
    }
    epochs = 1 + max(row.sample_index for row in responses)
    generation = _generation(config.evaluation)
    name = f"{config.name}-{benchmark}-{checkpoint}"
    task = Task(run, created, name, model, benchmark, generation, epochs, metadata)
    known = {problem.id: problem for problem in problems}
    return log(task, [_response(row, known[row.problem_id]) for row in responses])


def log(task: Task, samples: Sequence[LoggedSample]) -> dict[str, Any]:
    """The log, as plain values."""
    sampled = list(dict.fromkeys(row.problem_id for row in samples))
    return {
        "version": VERSION,
        "status": "success",
        "eval": {
            "run_id": task.run,
            "created": task.created,
            "task": task.name,
            "task_id": f"{task.run}/{task.name}",
            "dataset": {
                "name": task.dataset,
                "samples": len(sampled),
                "sample_ids": sampled,
                "shuffled": False,
            },
            "model": task.model,
            "model_generate_config": dict(task.generation),
            "config": {"epochs": task.epochs},
            "metadata": dict(task.metadata),
        },
        "results": _results(samples),
        "samples": [_sample(row, task.model) for row in samples],
    }


def _generation(settings: Any) -> dict[str, Any]:
    """Of the config's section `rollout` or `evaluation`."""
    return {
        "temperature": settings.temperature,
        "top_p": settings.top_p,
        "max_tokens": settings.max_new_tokens,
    }


def _rollout(row: ExportedSample, problem: ExportedProblem) -> LoggedSample:
    metadata = {
        "bucket": problem.bucket,
        "solvability": problem.solvability,
        "weight": row.weight,
        "tests": problem.tests,
        "seed": row.seed,
    }
    return LoggedSample(
        problem_id=row.problem_id,
        sample_index=row.sample_index,
        prompt=row.prompt,
        target=problem.answer or "",
        response=row.response,
        finish_reason=row.finish_reason,
        correct=row.correct,
        answer=row.extracted,
        explanation=_explained(row.status, row.detail),
        metadata=metadata,
    )


def _response(row: BenchmarkResponse, problem: Problem) -> LoggedSample:
    status = Status(row.status)
    return LoggedSample(
        problem_id=row.problem_id,
        sample_index=row.sample_index,
        prompt=problem.prompt,
        target=problem.answer or "",
        response=row.text,
        finish_reason=row.finish_reason,
        correct=status is Status.CORRECT if status.is_decided else None,
        answer=row.answer,
        explanation=_explained(row.status, row.detail),
        metadata={"tests": problem.tests},
    )


def _explained(status: str | None, detail: str | None) -> str:
    return ": ".join(part for part in (status, detail) if part)


def _results(samples: Iterable[LoggedSample]) -> dict[str, Any]:
    """Counts, and the accuracy over the samples that the machine could judge."""
    verdicts = [row.correct for row in samples]
    decided = [correct for correct in verdicts if correct is not None]
    accuracy = sum(decided) / len(decided) if decided else 0.0
    return {
        "total_samples": len(verdicts),
        "completed_samples": len(verdicts),
        "scores": [
            {
                "name": SCORER,
                "scorer": SCORER,
                "scored_samples": len(decided),
                "unscored_samples": len(verdicts) - len(decided),
                "metrics": {"accuracy": {"name": "accuracy", "value": accuracy}},
            }
        ],
    }


def _sample(row: LoggedSample, model: str) -> dict[str, Any]:
    reply = {"role": "assistant", "content": row.response, "source": "generate", "model": model}
    stop = STOPS.get(row.finish_reason, "unknown")
    return {
        "id": row.problem_id,
        "epoch": row.sample_index + 1,
        "input": row.prompt,
        "target": row.target,
        "messages": [{"role": "user", "content": row.prompt, "source": "input"}, reply],
        "output": {
            "model": model,
            "choices": [{"message": reply, "stop_reason": stop}],
            "completion": row.response,
        },
        "scores": {} if row.correct is None else {SCORER: _score(row)},
        "metadata": dict(row.metadata),
    }


def _score(row: LoggedSample) -> dict[str, Any]:
    return {
        "value": "C" if row.correct else "I",
        "answer": row.answer,
        "explanation": row.explanation,
    }
