"""Routed problems and a policy in; its samples, their scores and what was dropped out."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa

from rasft.config.settings import Config
from rasft.ledger import open_ledger
from rasft.method.posterior import Posterior, Stop
from rasft.models.renderer import open_renderer
from rasft.records import Dropped, Problem, Rollout, Route, SequenceScore, Work
from rasft.stages import adaptive, sampling
from rasft.stages.rounds import first_beliefs
from rasft.stages.score import score
from rasft.stages.shards import LostShard
from rasft.tables import from_table, to_table


class Sampled(NamedTuple):
    """One shard's rollouts, their scores under the reference, and what could not be sampled."""

    rollouts: pa.Table
    scores: pa.Table
    dropped: pa.Table
    sampler: str  # engine and version
    work: pa.Table  # Work rows
    stops: pa.Table  # Stop rows: which problems were sampled further; none unless adaptive


class EarlierRounds(NamedTuple):
    """What earlier rounds left for this one's samples; the first round has neither."""

    beliefs: pa.Table | None = None  # Posterior rows: adaptive sampling starts from them
    reference: Path | None = None  # the frozen model, where it is not the policy


FIRST_ROUND = EarlierRounds()


def roll_out(
    config: Config,
    rows: pa.Table,
    routes: pa.Table,
    policy: Path,
    shard: int,
    earlier: EarlierRounds = FIRST_ROUND,
) -> Sampled:
    """Sample one shard's problems under the policy and score the samples under the reference."""
    renderer = open_renderer(policy, config.prompts, config.chat)
    mine = _shard(config, rows, routes, shard)
    ledger = open_ledger(config.ledger)
    beliefs = first_beliefs() if earlier.beliefs is None else earlier.beliefs
    stages = adaptive.Stages(config, mine, from_table(beliefs, Posterior), ledger)
    drawn, dropped, sampler = sampling.draw_rollouts(
        config, mine, renderer, policy, ledger, stages.further
    )
    prompts = {row.id: renderer.prompt_ids(row) for row in mine}
    sequences = [(r.problem_id, r.sample_index, prompts[r.problem_id], r.token_ids) for r in drawn]
    return Sampled(
        rollouts=to_table(drawn, Rollout),
        scores=to_table(
            score(config, earlier.reference or policy, sequences, ledger, "rollout"), SequenceScore
        ),
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


def _shard(config: Config, rows: pa.Table, routes: pa.Table, shard: int) -> list[Problem]:
    """The problems that one shard samples."""
    wanted = {route.problem_id for route in from_table(routes, Route) if route.rolled_out}
    chosen = [row for row in from_table(rows, Problem) if row.id in wanted]
    return chosen[shard :: config.rollout.shards]
