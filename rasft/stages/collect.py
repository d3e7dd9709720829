"""Verdicts in, groups and training examples out: solvability, weights, and what is trained on."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa

from rasft import plugins
from rasft.config.settings import Config
from rasft.method import aggregation, routing
from rasft.method.streaming import stream_examples, stream_groups
from rasft.models.renderer import open_renderer
from rasft.records import Group, Problem, Route, TrainingExample
from rasft.tables import from_table, to_table


def group(config: Config, routes: pa.Table, rollouts: pa.Table, verdicts: pa.Table) -> pa.Table:
    """Solvability and weights of every problem: Group rows."""
    groups = stream_groups(from_table(routes, Route), rollouts, verdicts, config)
    return to_table(groups, Group)


def expert_groups(config: Config, rows: pa.Table) -> pa.Table:
    """Groups of problems that nobody rolls out: each trains on its expert alone. Group rows."""
    routes = [
        Route(row.id, routing.OTHER if row.is_verifiable else routing.UNVERIFIED, False)
        for row in from_table(rows, Problem)
    ]
    return to_table(aggregation.build_groups(routes, (), (), config), Group)


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
