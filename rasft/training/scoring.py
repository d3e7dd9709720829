"""log pi_ref of given responses: one pass without gradients over sorted, packed sequences.

The reference is frozen, so these numbers are computed once and stored with the examples; the
router reads the expert's loss from the same pass.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch

from rasft.ledger.known_scores import Response
from rasft.models.language_model import DTYPES, load_model
from rasft.progress import track
from rasft.records import SequenceScore, TrainingExample
from rasft.training.model.batching import Layout, Rows, collate
from rasft.training.model.forward import ResponseLogps, response_logps


def score(
    model_path: str,
    sequences: Sequence[Response],
    dtype: str,
    micro_batch_tokens: int,
    packed: bool = True,
) -> list[SequenceScore]:
    """Scores in the order of the sequences: (problem_id, sample_index, prompt_ids, response_ids).

    The weights are fp32 and `dtype` is that of the computation, as in training, so a policy that
    has not moved scores itself alike. Raises UserError if the model cannot be read.
    """
    examples = [_example(*sequence) for sequence in sequences]
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    lengths = np.array([len(example.input_ids) for example in examples], dtype=np.int64)
    longest = int(lengths.max(initial=0))
    module = response_logps(load_model(model_path).to(device), packed, longest)
    passes = Layout(micro_batch_tokens, packed).split(range(len(examples)), lengths)
    scored = (
        dict(_score(module, rows, [examples[row] for row in rows], packed)) for rows in passes
    )
    shown = track(
        scored, len(passes), "score", "passes", tokens=lambda done: int(lengths[list(done)].sum())
    )
    with torch.inference_mode(), torch.autocast(device.type, DTYPES[dtype], dtype != "float32"):
        scores = {row: score for done in shown for row, score in done.items()}
    return [scores[row] for row in range(len(examples))]


def _example(
    problem_id: str, sample_index: int, prompt: tuple[int, ...], response: tuple[int, ...]
) -> TrainingExample:
    return TrainingExample(problem_id, sample_index, prompt + response, len(prompt), 1.0, ())


def _score(
    module: ResponseLogps, rows: Rows, examples: Sequence[TrainingExample], packed: bool
) -> Iterator[tuple[int, SequenceScore]]:
    device = next(module.parameters()).device
    logp_BT = module(collate(examples, packed).to(device)).tolist()
    for row, example, logps in zip(rows, examples, logp_BT, strict=True):
        response = example.input_ids[example.prompt_tokens :]
        yield (
            row,
            SequenceScore(
                example.problem_id, example.sample_index, response, tuple(logps[: len(response)])
            ),
        )
