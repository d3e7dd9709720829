"""Expert responses and models in, their log-probabilities out: the reference's, computed once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa

from rasft import plugins
from rasft.config.settings import Config
from rasft.ledger import Ledger, known_scores, open_ledger
from rasft.ledger.known_scores import Response
from rasft.models.renderer import Renderer, open_renderer
from rasft.records import Problem, SequenceScore, Work
from rasft.tables import from_table, shard_rows, to_table


def score_experts(
    config: Config, rows: pa.Table, policy: Path, shard: int
) -> tuple[pa.Table, pa.Table]:
    """Expert log-probabilities of one shard under the policy: SequenceScore rows, Work rows.

    Under the starting policy they are the reference's, so one pass serves router and trainer.
    """
    renderer = open_renderer(policy, config.prompts, config.chat)
    sequences = list(_experts(renderer, shard_rows(rows, shard, config.data.score_shards)))
    ledger = open_ledger(config.ledger)
    scores = score(config, policy, sequences, ledger)
    return to_table(scores, SequenceScore), to_table(ledger.work("score"), Work)


def read_experts(
    config: Config, rows: pa.Table, policy: Path, shard: int
) -> tuple[pa.Table, pa.Table]:
    """As `score_experts`, but without log-probabilities for a method that reads none."""
    if plugins.load("losses", config.training.method).USES_REFERENCE:
        return score_experts(config, rows, policy, shard)
    renderer = open_renderer(policy, config.prompts, config.chat)
    mine = shard_rows(rows, shard, config.data.score_shards)
    unscored = [
        SequenceScore(name, index, response, ())
        for name, index, _, response in _experts(renderer, mine)
    ]
    return to_table(unscored, SequenceScore), to_table([], Work)


def score(
    config: Config,
    folder: Path,
    sequences: Sequence[Response],
    ledger: Ledger,
    step: str = "score",
) -> list[SequenceScore]:
    """Scores under the model in `folder`, in the order of the sequences.

    Found in the ledger, else made on the GPUs of a task of the step.
    """
    dtype, training = config.model.dtype, config.training

    def make(missing: Sequence[Response]) -> list[SequenceScore]:
        """Scores of what the ledger lacks, in the order of the sequences."""
        from rasft.decoding.layout import devices
        from rasft.models.memory import Batch
        from rasft.training import scoring, scoring_processes

        passes = scoring.passes_of(missing, training.micro_batch_tokens, training.packing)
        here = devices(config.resources.of(step).gpu)
        batch = Batch(training.micro_batch_tokens, config.data.max_tokens)
        stated = config.data.score_processes
        layout = scoring_processes.lay_out(folder, dtype, batch, stated, here)
        scores = scoring_processes.score_together(folder, passes, dtype, layout)
        return [scores[row] for row in range(len(missing))]

    return known_scores.score_or_find(folder, dtype, sequences, ledger, make)


def _experts(renderer: Renderer, rows: pa.Table) -> Iterator[Response]:
    """Every expert response of the problems, the first and the further ones."""
    for row in from_table(rows, Problem):
        prompt = renderer.prompt_ids(row)
        for index, text in row.expert_sequences:
            yield row.id, index, prompt, renderer.response_ids(text)
