"""Stored runs made up for the page: real problems and texts, groups by the method's own code."""

from __future__ import annotations

import random
from collections.abc import Sequence

from rasft.config.files import load
from rasft.method.aggregation import build_groups
from rasft.method.posterior import Posterior, observe
from rasft.models.renderer import Renderer
from rasft.page.stored import RunTables
from rasft.records import (
    EXPERT,
    BenchmarkResponse,
    BenchmarkResult,
    Dropped,
    Group,
    Problem,
    Rollout,
    Route,
    SequenceScore,
    Status,
    Verdict,
)
from rasft.results import accuracy

CONFIG = load("configs/demo.yaml")
BUCKETS = ("rollout", "hard_pool", "expert_only_easy")
STATUSES = (Status.CORRECT, Status.INCORRECT, Status.NO_ANSWER)
BATCH = 32
CHECKPOINTS = ("base", "warmed_up", "trained")


def synthetic(
    name: str, problems: Sequence[Problem], renderer: Renderer, samples: int, seed: int
) -> RunTables:
    """A run over these problems; a rollout is another expert response's words, some changed."""
    chance = random.Random(seed)
    routes = [Route(problem.id, chance.choice(BUCKETS), True) for problem in problems]
    rollouts = [
        Rollout(p.id, k, k, (), _rewritten(p.expert, problems, chance), "stop")
        for p in problems
        for k in range(samples)
    ]
    verdicts = [_verdict(row, chance) for row in rollouts]
    groups = build_groups(routes, rollouts, verdicts, CONFIG)
    texts = {(p.id, EXPERT): p.expert for p in problems}
    texts |= {(row.problem_id, row.sample_index): row.text for row in rollouts}
    results, responses = _evaluated(problems[:40], chance)
    return RunTables(
        id=name,
        config=CONFIG,
        problems={problem.id: problem for problem in problems},
        dropped={"left/1": [Dropped("left/1", "no_gold", "the row has no answer")]},
        routes={route.problem_id: route for route in routes},
        groups={group.problem_id: group for group in groups},
        posteriors={group.problem_id: _belief(group) for group in groups},
        rollouts={p.id: rollouts[i * samples : (i + 1) * samples]
                  for i, p in enumerate(problems)},
        verdicts={(row.problem_id, row.sample_index): row for row in verdicts},
        scores={key: _score(key, text, renderer, chance) for key, text in texts.items()},
        trained_scores={key: _score(key, text, renderer, chance) for key, text in texts.items()
                        if key[0] != problems[-1].id},
        prompts={problem.id: renderer.prompt_ids(problem) for problem in problems},
        steps={(p.id, EXPERT): [1 + i // BATCH] for i, p in enumerate(problems)},
        benchmarks={"quiz": list(problems[:40])},
        results=results,
        responses=responses,
        curve=[_step(i + 1, chance) for i in range(-(-len(problems) // BATCH))],
        accuracies=accuracy.accuracies(results, CONFIG.evaluation, 0),
        differences=accuracy.differences(results, CONFIG.evaluation, 0),
        notes=["a note"],
    )  # fmt: skip


def _rewritten(text: str, problems: Sequence[Problem], chance: random.Random) -> str:
    words, others = text.split(" "), chance.choice(problems).expert.split(" ")
    cut = chance.randrange(1, len(words) + 1)
    return " ".join([*words[:cut], *others[cut:]])


def _verdict(rollout: Rollout, chance: random.Random) -> Verdict:
    status = chance.choice(STATUSES)
    answer = None if status is Status.NO_ANSWER else str(chance.randrange(100))
    return Verdict(rollout.problem_id, rollout.sample_index, "math", "1", status, answer)


def _belief(group: Group) -> Posterior:
    return observe(Posterior(group.problem_id, 0.5, 0.5), group.correct, group.unique)


def _score(
    key: tuple[str, int], text: str, renderer: Renderer, chance: random.Random
) -> SequenceScore:
    """Most tokens are nearly certain, as those of a real model."""
    ids = renderer.response_ids(text)
    logps = tuple(
        -0.01 * chance.random() if chance.random() < 0.6 else -chance.expovariate(0.8) for _ in ids
    )
    return SequenceScore(*key, ids, logps)


def _evaluated(
    problems: Sequence[Problem], chance: random.Random
) -> tuple[list[BenchmarkResult], list[BenchmarkResponse]]:
    results, responses = [], []
    for checkpoint in CHECKPOINTS:
        for problem in problems:
            right = chance.random() < 0.5
            status = Status.CORRECT if right else Status.INCORRECT
            results.append(
                BenchmarkResult(
                    "quiz", checkpoint, problem.id, (right,), (status,), ("1",), ("stop",)
                )
            )
            responses.append(
                BenchmarkResponse(
                    "quiz", checkpoint, problem.id, 0, problem.expert, "stop", status, "1"
                )
            )
    return results, responses


def _step(number: int, chance: random.Random) -> dict[str, float]:
    return {
        "step": number, "loss": chance.random(), "nll": 0.5 + chance.random() / number,
        "grad_norm": chance.random(), "learning_rate": 1e-5, "mean_weight": chance.random(),
    }  # fmt: skip
