"""What a training did to the responses that it started from: their scores under its model."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from rasft.config.settings import Config
from rasft.ledger import open_ledger
from rasft.models.renderer import open_renderer
from rasft.records import Problem, SequenceScore
from rasft.stages.score import score
from rasft.tables import from_table, to_table


def rescore(
    config: Config, problems: pa.Table, before: Sequence[SequenceScore], model: Path
) -> list[SequenceScore]:
    """The same responses to these problems under a trained model, in their order."""
    if not before:
        return []
    renderer = open_renderer(model, config.prompts, config.chat)
    named = {row.problem_id for row in before}
    prompts = {
        row.id: renderer.prompt_ids(row) for row in from_table(problems, Problem) if row.id in named
    }
    asked = [(r.problem_id, r.sample_index, prompts[r.problem_id], r.token_ids) for r in before]
    return score(config, model, asked, open_ledger(config.ledger), step="train")


def trained_scores(config: Config, problems: pa.Table, scores: pa.Table, model: Path) -> pa.Table:
    """Every response to `evaluation.rescored` problems, evenly spaced, under the trained model:
    SequenceScore rows."""
    chosen = _spaced(problems["id"].to_pylist(), config.evaluation.rescored)
    mine = scores.filter(pc.is_in(scores["problem_id"], pa.array(chosen, pa.string())))
    return to_table(
        rescore(config, problems, from_table(mine, SequenceScore), model), SequenceScore
    )


def _spaced(names: Sequence[str], count: int) -> list[str]:
    """`count` of the names from end to end, all where there are fewer."""
    wanted = min(count, len(names))
    return [names[place * len(names) // wanted] for place in range(wanted)]
