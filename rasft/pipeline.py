"""The stages of a run as functions: tables and model folders in, tables and folders out.

A flow's step calls one of these; nothing here knows of the orchestrator. Rows come in and go out as
Arrow tables of `records`, models as Hugging Face folders: what a run stores must be readable after
the project's classes have moved on.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa

from rasft import known_scores, plugins
from rasft.config import Config
from rasft.known_scores import Response
from rasft.ledger import Ledger, open_ledger
from rasft.method import adaptive, aggregation, posterior, routing
from rasft.method.posterior import Posterior, Stop
from rasft.method.streaming import stream_examples, stream_groups
from rasft.prompts import open_renderer
from rasft.records import (
    EXPERT,
    BenchmarkResult,
    Dropped,
    Group,
    Problem,
    Rollout,
    Route,
    SequenceScore,
    TrainingExample,
    Verdict,
    Work,
)
from rasft.results import accuracy
from rasft.results.accuracy import Accuracy, Difference
from rasft.shards import LostShard
from rasft.tables import from_table, shard_rows, to_table


class Sampled(NamedTuple):
    """One shard's rollouts, their scores under the reference, and what could not be sampled."""

    rollouts: pa.Table
    scores: pa.Table
    dropped: pa.Table
    sampler: str  # engine and version
    work: pa.Table  # Work rows
    stops: pa.Table  # Stop rows: which problems were sampled further; none unless adaptive


class Past(NamedTuple):
    """What earlier rounds left for this one's samples; the first round has neither."""

    beliefs: pa.Table | None = None  # Posterior rows: adaptive sampling starts from them
    reference: Path | None = None  # the frozen model, where it is not the policy


FIRST_ROUND = Past()


def score_experts(
    config: Config, rows: pa.Table, policy: Path, shard: int
) -> tuple[pa.Table, pa.Table]:
    """Expert log-probabilities of one shard under the policy: SequenceScore rows, Work rows.

    Under the starting policy they are the reference's, so one pass serves router and trainer.
    """
    renderer = open_renderer(policy, config.prompts, config.chat)
    mine = from_table(shard_rows(rows, shard, config.data.score_shards), Problem)
    sequences = [
        (row.id, EXPERT, renderer.prompt_ids(row), renderer.response_ids(row.expert))
        for row in mine
    ]
    ledger = open_ledger(config.ledger)
    scores = _score(config, policy, sequences, ledger)
    return to_table(scores, SequenceScore), to_table(ledger.work("score"), Work)


def read_experts(
    config: Config, rows: pa.Table, policy: Path, shard: int
) -> tuple[pa.Table, pa.Table]:
    """As `score_experts`, but without log-probabilities for a method that reads none."""
    if plugins.load("losses", config.training.method).USES_REFERENCE:
        return score_experts(config, rows, policy, shard)
    renderer = open_renderer(policy, config.prompts, config.chat)
    mine = from_table(shard_rows(rows, shard, config.data.score_shards), Problem)
    unscored = [SequenceScore(p.id, EXPERT, renderer.response_ids(p.expert), ()) for p in mine]
    return to_table(unscored, SequenceScore), to_table([], Work)


def route(config: Config, scores: pa.Table) -> pa.Table:
    """Each problem's bucket, and whether it is rolled out, from its expert loss: Route rows."""
    losses = {score.problem_id: score.loss for score in from_table(scores, SequenceScore)}
    return to_table(routing.route(losses, config.router, config.seed), Route)


def first_beliefs() -> pa.Table:
    """The posteriors before any round: none."""
    return to_table([], Posterior)


def roll_out(
    config: Config,
    rows: pa.Table,
    routes: pa.Table,
    policy: Path,
    shard: int,
    past: Past = FIRST_ROUND,
) -> Sampled:
    """Sample one shard's problems under the policy and score the samples under the reference."""
    from rasft import rollout

    renderer = open_renderer(policy, config.prompts, config.chat)
    mine = _shard(config, rows, routes, shard)
    ledger = open_ledger(config.ledger)
    beliefs = first_beliefs() if past.beliefs is None else past.beliefs
    stages = adaptive.Stages(config, mine, from_table(beliefs, Posterior), ledger)
    drawn, dropped, sampler = rollout.roll_out(
        config, mine, renderer, policy, ledger, stages.further
    )
    prompts = {row.id: renderer.prompt_ids(row) for row in mine}
    sequences = [(r.problem_id, r.sample_index, prompts[r.problem_id], r.token_ids) for r in drawn]
    return Sampled(
        rollouts=to_table(drawn, Rollout),
        scores=to_table(_score(config, past.reference or policy, sequences, ledger), SequenceScore),
        dropped=to_table(dropped, Dropped),
        sampler=sampler,
        work=to_table(ledger.work("rollout"), Work),
        stops=to_table(stages.stops, Stop),
    )


def unmade_samples(
    config: Config, rows: pa.Table, routes: pa.Table, lost: Iterable[LostShard]
) -> pa.Table:
    """The problems of lost shards, which train on their experts alone: Dropped rows."""
    dropped = [
        Dropped(problem.id, "lost_shard", str(shard))
        for shard in lost
        for problem in _shard(config, rows, routes, int(shard.name))
    ]
    return to_table(dropped, Dropped)


def verify(config: Config, rows: pa.Table, rollouts: pa.Table) -> tuple[pa.Table, pa.Table]:
    """A verdict for each rollout: Verdict rows, Work rows."""
    from rasft import verification

    ledger = open_ledger(config.ledger)
    verdicts = verification.verify(
        from_table(rows, Problem), from_table(rollouts, Rollout), config.verification, ledger
    )
    return to_table(verdicts, Verdict), to_table(ledger.work("verify"), Work)


def group(config: Config, routes: pa.Table, rollouts: pa.Table, verdicts: pa.Table) -> pa.Table:
    """Solvability and weights of every problem: Group rows."""
    groups = stream_groups(from_table(routes, Route), rollouts, verdicts, config)
    return to_table(groups, Group)


def expert_groups(config: Config, rows: pa.Table) -> pa.Table:
    """Groups of problems that nobody rolls out: each trains on its expert alone. Group rows."""
    routes = [Route(problem.id, routing.OTHER, False) for problem in from_table(rows, Problem)]
    return to_table(aggregation.build_groups(routes, (), (), config), Group)


def update_beliefs(config: Config, groups: pa.Table, beliefs: pa.Table) -> pa.Table:
    """The posteriors after this round, which the next one starts from: Posterior rows."""
    found = from_table(groups, Group)
    before = posterior.priors(
        (row.problem_id for row in found),
        from_table(beliefs, Posterior),
        config.rollout.posterior,
    )
    return to_table(posterior.posteriors(found, before), Posterior)


def examples(
    config: Config, rows: pa.Table, groups: pa.Table, scores: pa.Table, policy: Path
) -> pa.Table:
    """The sequences that the configured method trains on: TrainingExample rows."""
    renderer = open_renderer(policy, config.prompts, config.chat)
    by_id = {row.id: row for row in from_table(rows, Problem)}
    built = stream_examples(
        plugins.load("losses", config.training.method).EXAMPLES,
        from_table(groups, Group),
        scores,
        lambda problem_id: renderer.prompt_ids(by_id[problem_id]),
    )
    return to_table(built, TrainingExample)


def evaluate(
    config: Config, name: str, rows: pa.Table, checkpoints: Mapping[str, Path]
) -> tuple[pa.Table, list[dict[str, Any]], pa.Table]:
    """One benchmark under each checkpoint: BenchmarkResult rows, a manifest for each, Work rows."""
    from rasft import evaluation

    ledger = open_ledger(config.ledger)
    results, manifests = evaluation.evaluate(
        config, name, from_table(rows, Problem), checkpoints, ledger
    )
    work = to_table(ledger.work("evaluate"), Work)
    return to_table(results, BenchmarkResult), manifests, work


def compare(config: Config, results: pa.Table) -> tuple[pa.Table, pa.Table]:
    """Accuracy rows and paired Difference rows, from the stored 0/1 matrices."""
    rows = from_table(results, BenchmarkResult)
    settings = config.evaluation
    return (
        to_table(accuracy.accuracies(rows, settings, config.seed), Accuracy),
        to_table(accuracy.differences(rows, settings, config.seed), Difference),
    )


def concat(parts: Iterable[pa.Table]) -> pa.Table:
    """The rows of several tables of one schema."""
    return pa.concat_tables(parts).combine_chunks()


def _shard(config: Config, rows: pa.Table, routes: pa.Table, shard: int) -> list[Problem]:
    """The problems that one shard samples."""
    wanted = {route.problem_id for route in from_table(routes, Route) if route.rolled_out}
    chosen = [row for row in from_table(rows, Problem) if row.id in wanted]
    return chosen[shard :: config.rollout.shards]


def _score(
    config: Config, folder: Path, sequences: Sequence[Response], ledger: Ledger
) -> list[SequenceScore]:
    dtype, tokens = config.model.dtype, config.training.micro_batch_tokens

    def score(missing: Sequence[Response]) -> list[SequenceScore]:
        from rasft import scoring

        return scoring.score(str(folder), missing, dtype, tokens)

    return known_scores.score_or_find(folder, dtype, sequences, ledger, score)
