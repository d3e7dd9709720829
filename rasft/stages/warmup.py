"""The expert stage before the round: a model in, one that has learnt to answer out."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa

from rasft.config.settings import Config
from rasft.models.renderer import open_renderer
from rasft.records import Problem, TrainingExample
from rasft.stages.expert_examples import expert_examples
from rasft.stages.train import Trained, fit
from rasft.tables import from_table, to_table
from rasft.training.launch.launcher import STANDALONE, LaunchContext


def warm_up(
    config: Config,
    problems: pa.Table,
    base: Path,
    folder: Path,
    context: LaunchContext = STANDALONE,
) -> Trained | None:
    """The expert stage before the round: plain supervised training on problems of its own.

    Each of a problem's n expert responses has the weight 1/n.
    """
    stage = config.warmup
    if stage is None:
        return None
    if stage.seed is not None:
        config = config.model_copy(update={"seed": stage.seed})
    renderer = open_renderer(base, config.prompts, config.chat)
    # plain SFT reads no reference
    examples = [
        example
        for row in from_table(problems, Problem)
        for example in expert_examples(row, renderer)
    ]
    settings = config.training.model_copy(
        update={
            "method": "sft",
            "loss": {},
            "max_steps": None,
            "nodes": 1,
            **stage.model_dump(exclude={"problems", "datasets", "seed"}),
        }
    )
    rows_of = to_table(examples, TrainingExample)
    return fit(config, settings, rows_of, base, folder, "warmup", context)
