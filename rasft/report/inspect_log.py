"""A run's samples as a log of inspect_ai, for its viewer and its readers (`inspect view`).

The form is version 2 of inspect_ai's EvalLog as JSON: a sample of a problem is an "epoch" of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from rasft.config.settings import Config
from rasft.results.samples import ExportedProblem, ExportedSample

VERSION = 2
SCORER = "verdict"
STOPS = {"stop": "stop", "length": "max_tokens"}  # finish_reason -> inspect's stop_reason


def log(
    run: str,
    created: str,
    config: Config,
    problems: Sequence[ExportedProblem],
    samples: Sequence[ExportedSample],
) -> dict[str, Any]:
    """The log, as plain values. `created` is in ISO 8601, with a time zone."""
    known = {problem.problem_id: problem for problem in problems}
    sampled = list(dict.fromkeys(row.problem_id for row in samples))
    return {
        "version": VERSION,
        "status": "success",
        "eval": {
            "run_id": run,
            "created": created,
            "task": config.name,
            "task_id": run,
            "dataset": {
                "name": ", ".join(source.name for source in config.data.datasets),
                "samples": len(sampled),
                "sample_ids": sampled,
                "shuffled": False,
            },
            "model": config.model.path,
            "model_generate_config": {
                "temperature": config.rollout.temperature,
                "top_p": config.rollout.top_p,
                "max_tokens": config.rollout.max_new_tokens,
            },
            "config": {"epochs": config.rollout.samples_per_problem},
            "metadata": {"method": config.training.method, "seed": config.seed},
        },
        "results": _results(samples),
        "samples": [_sample(row, known[row.problem_id], config.model.path) for row in samples],
    }


def _results(samples: Iterable[ExportedSample]) -> dict[str, Any]:
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


def _sample(row: ExportedSample, problem: ExportedProblem, model: str) -> dict[str, Any]:
    reply = {"role": "assistant", "content": row.response, "source": "generate", "model": model}
    stop = STOPS.get(row.finish_reason, "unknown")
    return {
        "id": row.problem_id,
        "epoch": row.sample_index + 1,
        "input": row.prompt,
        "target": problem.answer or "",
        "messages": [{"role": "user", "content": row.prompt, "source": "input"}, reply],
        "output": {
            "model": model,
            "choices": [{"message": reply, "stop_reason": stop}],
            "completion": row.response,
        },
        "scores": {} if row.correct is None else {SCORER: _score(row)},
        "metadata": {
            "bucket": problem.bucket,
            "solvability": problem.solvability,
            "weight": row.weight,
            "tests": problem.tests,
            "seed": row.seed,
        },
    }


def _score(row: ExportedSample) -> dict[str, Any]:
    return {
        "value": "C" if row.correct else "I",
        "answer": row.extracted,
        "explanation": ": ".join(part for part in (row.status, row.detail) if part),
    }
