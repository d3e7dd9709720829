"""The steps of a run with their tasks, counted from its config: how much work each has."""

from __future__ import annotations

import statistics
from collections.abc import Mapping
from dataclasses import dataclass, replace

from rasft.config import judged
from rasft.config.comparison import cell
from rasft.config.settings import REINFORCEMENT, ComparisonConfig, Config

SAMPLED = 2.5  # how many tokens are trained on while one is sampled, roughly


@dataclass(frozen=True)
class StepPlan:
    """One step before its time is known; `work` and `gpus` are of one task."""

    step: str
    tasks: int
    work: float = 0.0
    kind: str | None = None  # a key of ASSUMED_SPEED; None: work hardly costs time
    gpus: int = 0
    together: bool = False  # its tasks run at once, as nodes of one training


def steps(
    config: Config, problems: int, benchmarks: Mapping[str, int], gpus: Mapping[str, int]
) -> list[StepPlan]:
    """The steps of flows/rasft_flow.py in their order; of flows/eval_flow.py where a config judges
    models, and of flows/compare_flow.py where it compares methods.

    `problems` counts training problems, `benchmarks` each one's, `gpus` those of a task of a step.
    """
    if config.models:
        planned = _judging(config, benchmarks)
    elif config.comparison:
        planned = _comparing(config, config.comparison, problems, benchmarks)
    else:
        planned = _training(config, problems, benchmarks)
    return [replace(each, gpus=gpus.get(each.step, 0) if each.kind else 0) for each in planned]


def _judging(config: Config, benchmarks: Mapping[str, int]) -> list[StepPlan]:
    """Each model has a task of its own on each benchmark."""
    rows = judged.rows(config).values()
    work = statistics.mean(_evaluated(row, benchmarks, checkpoints=1) for row in rows)
    return [
        StepPlan("start", 1),
        StepPlan("evaluate", len(rows) * len(benchmarks), work, "generate"),
        StepPlan("report", 1),
        StepPlan("end", 1),
    ]


def _evaluated(config: Config, benchmarks: Mapping[str, int], checkpoints: int) -> float:
    """Tokens that one benchmark's task writes, in the mean."""
    settings = config.evaluation
    own = {each.name: each.samples for each in settings.benchmarks}
    samples = [
        size * (own.get(name) or settings.samples_per_problem) for name, size in benchmarks.items()
    ]
    return sum(samples) / max(1, len(samples)) * checkpoints * settings.max_new_tokens / 2


def _training(config: Config, problems: int, benchmarks: Mapping[str, int]) -> list[StepPlan]:
    warmup, rollout = config.warmup, config.rollout
    round_problems, tokens = _round_problems(config, problems), _tokens(config)
    samples = round_problems * rollout.samples_per_problem / rollout.shards
    scored = round_problems * tokens / config.data.score_shards
    trained = round_problems * config.training.epochs * tokens
    nodes = config.training.nodes
    evaluated = _evaluated(config, benchmarks, checkpoints=3 if warmup else 2)
    return [
        StepPlan("start", 1),
        StepPlan("warmup", 1, _taught(config), "train" if warmup else None),
        StepPlan("score", config.data.score_shards, scored, "score"),
        StepPlan("gather", 1),
        StepPlan("route", 1),
        StepPlan("rollout", rollout.shards, samples * rollout.max_new_tokens / 2, "generate"),
        StepPlan("verify", rollout.shards, samples, "verify"),
        StepPlan("collect", 1),
        StepPlan("train", nodes, trained / nodes, "train", together=True),
        StepPlan("evaluate", len(benchmarks), evaluated, "generate"),
        StepPlan("report", 1),
        StepPlan("end", 1),
    ]


def _comparing(
    config: Config, comparison: ComparisonConfig, problems: int, benchmarks: Mapping[str, int]
) -> list[StepPlan]:
    """A seed's cells share its data, warm-up and rollouts; a task has one cell, or several."""
    seeds, room = len(comparison.seeds), comparison.cells_per_task
    cells = [cell(config, name, comparison.seeds[0]) for name in comparison.methods]
    tasks = -(-(len(cells) + 1) // room)  # one more: the models that they start from
    start = 2 if config.warmup else 1
    each = _evaluated(config, benchmarks, checkpoints=1) * len(benchmarks)
    own = [_cell_tokens(one, _round_problems(config, problems)) for one in cells]
    sampled = _round_problems(config, problems) * config.rollout.samples_per_problem
    return [
        StepPlan("start", 1),
        StepPlan("prepare", seeds),
        StepPlan("warmup", seeds, _taught(config), "train" if config.warmup else None),
        StepPlan("sample", seeds, sampled * config.rollout.max_new_tokens / 2, "generate"),
        StepPlan("train", seeds * tasks, sum(own) / tasks, "train"),
        StepPlan("evaluate", seeds * tasks, each * (len(cells) + start) / tasks, "generate"),
        StepPlan("gather", seeds),
        StepPlan("report", 1),
        StepPlan("end", 1),
    ]


def _cell_tokens(own: Config, problems: int) -> float:
    """Tokens that a cell trains on, and those that it samples: each takes as long as SAMPLED."""
    sequences = problems * own.training.epochs
    if own.training.method in REINFORCEMENT:
        settings = own.reinforcement
        return sequences * settings.group_size * settings.max_new_tokens / 2 * (1 + SAMPLED)
    drawn = problems * own.rollout.samples_per_problem * own.rollout.max_new_tokens / 2
    return own.rounds * sequences * _tokens(own) + (own.rounds - 1) * drawn * SAMPLED


def _round_problems(config: Config, problems: int) -> int:
    """Training problems less those that the warm-up takes of them."""
    warmup = config.warmup
    return max(0, problems - (warmup.problems if warmup and not warmup.datasets else 0))


def _taught(config: Config) -> float:
    """Tokens that the warm-up trains on."""
    warmup = config.warmup
    return warmup.problems * warmup.epochs * _tokens(config) if warmup else 0.0


def _tokens(config: Config) -> float:
    """Of a sequence, where the config gives the most."""
    return config.data.max_tokens / 2
