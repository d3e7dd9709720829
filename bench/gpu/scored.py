"""Scoring's log-probs of a policy that has not moved are those that training reads."""

from __future__ import annotations

import tempfile
from pathlib import Path

import torch
from torch import Tensor

from bench.gpu import card, lengths, shapes, small
from bench.gpu.part import Part
from rasft.models.language_model import load_model
from rasft.records import TrainingExample
from rasft.training import scoring
from rasft.training.model.batching import collate
from rasft.training.model.forward import response_logps


def compare(part: Part) -> None:
    """One pass each, over the same packed row, and scoring cut up in another way."""
    with tempfile.TemporaryDirectory() as scratch:
        folder, vocabulary = _folder(Path(scratch), part.rehearse)
        rows = lengths.sequences(lengths.TOY if part.rehearse else lengths.MATH[:8], vocabulary)
        for name, dtype in (("float32", torch.float32), ("bfloat16", torch.bfloat16)):
            trained = _trained(folder, rows, dtype)
            few = sum(len(row.input_ids) for row in rows) // 3
            for budget, cut, goal in ((10**6, "the same pass", "<= 0"), (few, "other passes", "")):
                apart = float((_scored(folder, rows, name, budget) - trained).abs().max())
                goal = "<= 1e-4" if name == "float32" else goal
                part.add(f"scoring against training, {name}, {cut}", apart, "nats", goal)


def _folder(scratch: Path, toy: bool) -> tuple[Path, int]:
    if toy:
        return small.model(scratch), 250
    shape = shapes.QWEN_15B
    shapes.build(shapes.config_of(shape, layers=2), card.device()).save_pretrained(scratch)
    return scratch, shape.vocabulary


def _trained(folder: Path, rows: list[TrainingExample], dtype: torch.dtype) -> Tensor:
    """(N,) log-probs in the order of the rows, as a training's forward pass has them."""
    device = card.device()
    module = response_logps(load_model(folder).to(device), packed=True).train()
    order = sorted(range(len(rows)), key=lambda row: (-len(rows[row].input_ids), row))
    batch = collate([rows[row] for row in order]).to(device)
    with torch.autocast(device.type, dtype, dtype != torch.float32):
        logp_BT = module(batch).detach()
    by_row = {row: logp_BT[place][batch.mask_BT[place]] for place, row in enumerate(order)}
    return torch.cat([by_row[row] for row in range(len(rows))]).cpu()


def _scored(folder: Path, rows: list[TrainingExample], dtype: str, budget: int) -> Tensor:
    responses = [
        (r.problem_id, -1, r.input_ids[: r.prompt_tokens], r.input_ids[r.prompt_tokens :])
        for r in rows
    ]
    scores = scoring.score(str(folder), responses, dtype, budget)
    return torch.tensor([logp for score in scores for logp in score.reference_logps])
