"""`rasft preflight`: what a training relies on, checked on the config's own data and model."""

from __future__ import annotations

import tempfile
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pyarrow as pa

from rasft.config.settings import Config
from rasft.models import sources
from rasft.models.renderer import Renderer, open_renderer
from rasft.records import Dropped, Problem, SequenceScore, TrainingExample
from rasft.stages import preflight, prepare, score
from rasft.stages.expert_examples import expert_examples
from rasft.tables import from_table, to_table


def run_preflight(config: Config, rows: int) -> None:
    """Print a line a check; the expert responses of up to `rows` problems stand for all.

    Raises UserError for a mistake in config, data or model, and for a check that failed.
    """
    prepared = prepare.prepare(config)
    reasons = Counter(row.reason for row in from_table(prepared.dropped, Dropped))
    shown = ", ".join(f"{reason} {count}" for reason, count in reasons.most_common())
    print(f"{prepared.training.num_rows} problems; dropped: {shown or 'none'}", flush=True)
    folder = sources.resolve(config.model)
    examples = _examples(config, from_table(prepared.training, Problem), folder, rows)
    with tempfile.TemporaryDirectory(prefix="rasft-preflight-") as scratch:
        preflight.preflight(config, examples, folder, Path(scratch))
    print("all checks passed", flush=True)


def _examples(config: Config, problems: list[Problem], folder: Path, count: int) -> pa.Table:
    """Expert responses, scored under the model: TrainingExample rows."""
    renderer = open_renderer(folder, config.prompts, config.chat)
    chosen = _spread(problems, renderer, count)
    whole = config.data.model_copy(update={"score_shards": 1})
    settings = config.model_copy(update={"data": whole})
    scores, _ = score.score_experts(settings, to_table(chosen, Problem), folder, shard=0)
    logps = {
        (each.problem_id, each.sample_index): each.reference_logps
        for each in from_table(scores, SequenceScore)
    }
    found = [
        replace(each, reference_logps=logps[each.problem_id, each.sample_index])
        for problem in chosen
        for each in expert_examples(problem, renderer)
    ]
    return to_table(found, TrainingExample)


def _spread(problems: list[Problem], renderer: Renderer, count: int) -> list[Problem]:
    """Problems from the shortest to the longest."""
    by_length = sorted(problems, key=lambda p: len(expert_examples(p, renderer)[0].input_ids))
    return by_length[:: -(-len(by_length) // count)]
