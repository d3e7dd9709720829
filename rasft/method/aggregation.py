"""All problems' rollouts and verdicts -> groups with weights -> weighted training examples."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Literal

from rasft.config.settings import Config
from rasft.method.solvability import select
from rasft.method.weighting import group_weights
from rasft.records import EXPERT, Group, Rollout, Route, SequenceScore, TrainingExample, Verdict

PromptIds = Callable[[str], tuple[int, ...]]  # of a problem id
Examples = Literal["group", "expert", "own", "unsolved_expert"]


def build_groups(
    routes: Iterable[Route],
    rollouts: Iterable[Rollout],
    verdicts: Iterable[Verdict],
    config: Config,
) -> list[Group]:
    """One group for each routed problem, in the order of `routes`.

    A problem that was not rolled out, or whose rollouts were all undecided, trains on its expert
    alone with weight 1.
    """
    by_problem: dict[str, list[Rollout]] = defaultdict(list)
    most = config.weighting.samples
    for rollout in rollouts:
        if most is None or rollout.sample_index < most:
            by_problem[rollout.problem_id].append(rollout)
    judged: dict[str, dict[int, Verdict]] = defaultdict(dict)
    for verdict in verdicts:
        judged[verdict.problem_id][verdict.sample_index] = verdict
    return [
        _group(route, by_problem[route.problem_id], judged[route.problem_id], config)
        for route in routes
    ]


def build_examples(
    kind: Examples,
    groups: Iterable[Group],
    scores: Iterable[SequenceScore],
    prompt_ids: PromptIds,
) -> Iterator[TrainingExample]:
    """The sequences of each group that a method of this kind trains on, with their weights.

    Several expert responses share the expert's weight: each of n has 1/n of it.

    Raises KeyError for a sequence without a score: it cannot be trained without its reference.
    """
    scored = {(score.problem_id, score.sample_index): score for score in scores}
    experts: dict[str, list[int]] = defaultdict(list)
    for problem_id, index in sorted(scored, reverse=True):
        if index <= EXPERT:
            experts[problem_id].append(index)
    for group in groups:
        prompt, name = prompt_ids(group.problem_id), group.problem_id
        for index, weight in WEIGHTS[kind](group):
            sharing = (experts[name] if index == EXPERT else None) or [index]
            for each in sharing:
                yield _example(scored[name, each], prompt, weight / len(sharing))


def _weighted_group(group: Group) -> list[tuple[int, float]]:
    own = zip(group.rollout_indices, group.rollout_weights, strict=True)
    return [(EXPERT, group.expert_weight), *(own if any(group.rollout_weights) else ())]


def _expert_alone(group: Group) -> list[tuple[int, float]]:
    return [(EXPERT, 1.0)]


def _own_alone(group: Group) -> list[tuple[int, float]]:
    return [(index, 1.0) for index in group.rollout_indices]


def _hard_expert(group: Group) -> list[tuple[int, float]]:
    return [(EXPERT, 1.0 - (group.solvability or 0.0))]


# What a loss plugin's EXAMPLES names: which of a group's sequences are trained, and their weights.
WEIGHTS: dict[Examples, Callable[[Group], list[tuple[int, float]]]] = {
    "group": _weighted_group,
    "expert": _expert_alone,
    "own": _own_alone,
    "unsolved_expert": _hard_expert,
}


def _example(score: SequenceScore, prompt: tuple[int, ...], weight: float) -> TrainingExample:
    return TrainingExample(
        problem_id=score.problem_id,
        sample_index=score.sample_index,
        input_ids=(*prompt, *score.token_ids),
        prompt_tokens=len(prompt),
        weight=weight,
        reference_logps=score.reference_logps,
    )


def _group(
    route: Route,
    rollouts: Sequence[Rollout],
    verdicts: Mapping[int, Verdict],
    config: Config,
) -> Group:
    chosen = select(rollouts, verdicts, config.quality, config.weighting.max_negative_keep)
    weights = group_weights(
        chosen.unique, len(chosen.correct), len(chosen.incorrect), config.weighting
    )
    rolled_out = chosen.unique > 0
    return Group(
        problem_id=route.problem_id,
        bucket=route.bucket,
        sampled=chosen.sampled,
        unique=chosen.unique,
        undecided=chosen.undecided,
        correct=len(chosen.correct),
        incorrect_kept=len(chosen.incorrect),
        solvability=chosen.solvability if rolled_out else None,
        expert_reward=weights.expert_reward if rolled_out else None,
        expert_weight=weights.expert,
        rollout_indices=chosen.correct,
        rollout_weights=() if weights.rollout is None else (weights.rollout,) * len(chosen.correct),
        dropped=chosen.dropped,
    )
