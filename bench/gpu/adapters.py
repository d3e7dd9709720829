"""QLoRA: adapters on 4-bit weights have the gradients of adapters on the same weights unpacked."""

from __future__ import annotations

import tempfile
from pathlib import Path

import torch
from torch import Tensor

from bench.gpu import small
from bench.gpu.part import NotAvailable, Part
from rasft import extras
from rasft.config.settings import LoraSettings
from rasft.models.language_model import load_tokenizer
from rasft.training.loop.trainer import Trainer
from rasft.training.model.lora import quantized


def compare(part: Part) -> None:
    """In fp32, so that nothing but the packing could differ."""
    if not extras.installed("qlora"):
        raise NotAvailable("bitsandbytes is not installed")
    if not torch.cuda.is_available():
        raise NotAvailable("adapters on 4-bit weights train on a GPU alone")
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        base, unpacked = small.model(folder), folder / "unpacked"
        quantized(str(base), "float32").dequantize().save_pretrained(unpacked)
        load_tokenizer(base).save_pretrained(unpacked)
        packed = _open(folder / "packed", base, LoraSettings(rank=8, quantize="nf4"))
        mine = _gradient(packed)
        theirs = _gradient(_open(folder / "plain", unpacked, LoraSettings(rank=8)))
    apart = float((mine - theirs).norm() / theirs.norm())
    part.add("QLoRA: gradient against unpacked weights", apart, "relative", "<= 1e-4")


def _open(folder: Path, base: Path, lora: LoraSettings) -> Trainer:
    return small.trainer(folder, base, small.rows(), lora=lora)


def _gradient(trainer: Trainer) -> Tensor:
    """Of adapters with drawn weights: half of them are zero at the start."""
    random = torch.Generator().manual_seed(3)
    trained = [p for p in trainer.model.parameters() if p.requires_grad]
    for weight in trained:
        weight.data = 0.05 * torch.randn(weight.shape, generator=random).to(weight.device)
    trainer.accumulate(0, trainer.order.step(0))
    return torch.cat([p.grad.flatten().cpu() for p in trained])
