"""A GPU's attention on a CPU: torch's kernel there as it is documented, and all that
surrounds it: autocast, gradient checkpointing, inference mode."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.nn.attention import varlen

from rasft.records import TrainingExample
from rasft.training.loop.trainer import Trainer
from rasft.training.model import flash
from rasft.training.scoring import score
from tests.training_jobs import open_trainer
from tests.unit.test_attention import varlen_as_documented


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[torch.dtype]:
    """Has every half-precision attention go through the kernel, where it is found to agree."""
    found: list[torch.dtype] = []

    def kernel(query: Tensor, *rest: object, **options: object) -> Tensor:
        found.append(query.dtype)
        return varlen_as_documented(query, *rest, **options)

    def fits(query: Tensor, key: Tensor, dtype: torch.dtype, plain: flash.Attention) -> bool:
        shape = (query.shape[1], key.shape[1], query.shape[3])
        return dtype == torch.bfloat16 and flash.agrees(plain, query.device, dtype, *shape)

    flash.agrees.cache_clear()
    monkeypatch.setattr(varlen, "varlen_attn", kernel)
    monkeypatch.setattr(flash, "fits", fits)
    yield found
    flash.agrees.cache_clear()


def gradient(trainer: Trainer) -> Tensor:
    trainer.accumulate(0, trainer.order.step(0))
    return torch.cat([p.grad.flatten() for p in trainer.module.parameters()])


@pytest.mark.parametrize("checkpointing", [False, True])
def test_training_goes_through_the_kernel(
    checkpointing: bool,
    calls: list[torch.dtype],
    tmp_path: Path,
    base: Path,
    examples: list[TrainingExample],
) -> None:
    changes = {"dtype": "bfloat16", "gradient_checkpointing": checkpointing}
    mine = gradient(open_trainer(tmp_path / "kernel", base, examples, **changes))
    assert set(calls) == {torch.bfloat16}
    count = len(calls)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(flash, "fits", lambda *_: False)
        plain = gradient(open_trainer(tmp_path / "plain", base, examples, **changes))
    assert len(calls) == count
    assert float((mine - plain).norm() / plain.norm()) < 0.02


def test_scoring_goes_through_the_kernel(
    calls: list[torch.dtype], base: Path, examples: list[TrainingExample]
) -> None:
    rows = [
        (e.problem_id, -1, e.input_ids[: e.prompt_tokens], e.input_ids[e.prompt_tokens :])
        for e in examples
    ]
    mine = score(str(base), rows, "bfloat16", 500)
    assert set(calls) == {torch.bfloat16}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(flash, "fits", lambda *_: False)
        plain = score(str(base), rows, "bfloat16", 500)
    for a, b in zip(mine, plain, strict=True):
        assert a.reference_logps == pytest.approx(b.reference_logps, abs=0.05)
