"""log pi_ref of given responses: one pass without gradients over sorted, packed sequences.

The reference is frozen, so these numbers are computed once and stored with the examples; the
router reads the expert's loss from the same pass. Where a task has several GPUs, processes share
the passes (`scoring_processes`): each pass is the one that a single process makes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from rasft.errors import UserError
from rasft.ledger.known_scores import Response
from rasft.models.language_model import DTYPES, load_model
from rasft.progress import track
from rasft.records import SequenceScore, TrainingExample
from rasft.training.model.batching import Layout, Rows, collate
from rasft.training.model.forward import ResponseLogps, response_logps


@dataclass(frozen=True)
class Passes:
    """What is to be scored: examples without scores, and which of them share a forward pass."""

    examples: Sequence[TrainingExample]
    rows: Sequence[Rows]
    packed: bool

    def share(self, process: int, processes: int) -> Passes:
        """Every so many-th pass."""
        return Passes(self.examples, self.rows[process::processes], self.packed)


def passes_of(sequences: Sequence[Response], budget: int, packed: bool) -> Passes:
    """The passes over (problem_id, sample_index, prompt_ids, response_ids), the longest first."""
    examples = [_example(*sequence) for sequence in sequences]
    rows = Layout(budget, packed).split(range(len(examples)), _lengths(examples))
    return Passes(examples, rows, packed)


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
    scores = score_passes(model_path, passes_of(sequences, micro_batch_tokens, packed), dtype)
    return [scores[row] for row in range(len(sequences))]


def score_passes(
    model_path: str, passes: Passes, dtype: str, spread: bool = False
) -> dict[int, SequenceScore]:
    """Row -> its score. `spread` lays the layers out over all GPUs that this process sees.

    A pass that runs out of GPU memory is made in halves. Raises UserError if the model cannot be
    read, or if one sequence alone is too much.
    """
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    model = load_model(model_path, "auto") if spread else load_model(model_path).to(device)
    lengths = _lengths(passes.examples)
    module = response_logps(model, passes.packed, int(lengths.max(initial=0)))
    scored = (_in_memory(module, rows, passes) for rows in passes.rows)
    shown = track(
        scored,
        len(passes.rows),
        "score",
        "passes",
        tokens=lambda done: int(lengths[list(done)].sum()),
    )
    with torch.inference_mode(), torch.autocast(device.type, DTYPES[dtype], dtype != "float32"):
        return {row: score for done in shown for row, score in done.items()}


def _in_memory(module: ResponseLogps, rows: Rows, passes: Passes) -> dict[int, SequenceScore]:
    """One pass, or its halves where there is not memory enough for the whole."""
    examples = [passes.examples[row] for row in rows]
    try:
        return dict(_score(module, rows, examples, passes.packed))
    except torch.OutOfMemoryError as error:
        if len(rows) == 1:
            raise UserError(
                f"out of GPU memory with one sequence of {len(examples[0].input_ids)} tokens to "
                "score: lower data.max_tokens, or give the step score more GPUs in resources.steps"
            ) from error
    torch.cuda.empty_cache()  # the error has let go of its tensors
    print(f"out of GPU memory: a pass of {len(rows)} sequences is made in halves", flush=True)
    half = len(rows) // 2
    return _in_memory(module, rows[:half], passes) | _in_memory(module, rows[half:], passes)


def _lengths(examples: Sequence[TrainingExample]) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    return np.array([len(example.input_ids) for example in examples], dtype=np.int64)


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
