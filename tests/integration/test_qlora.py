"""Adapters on 4-bit weights: bitsandbytes' own kernels on a CPU, in a process of its own."""

from __future__ import annotations

import sys
from pathlib import Path

from tests import tiny_model
from tests.programs import found_by

OPTIONAL = Path(sys.prefix) / "optional"
PROGRAM = """
import json, sys
from pathlib import Path
import torch
import bitsandbytes.nn.modules, bitsandbytes.backends.cpu.ops
from rasft.config.settings import LoraSettings
from rasft.training.loop import trainer
from rasft.training.storage.jobs import read_job
from rasft.models.language_model import load_tokenizer
from rasft.training.model.lora import quantized
from rasft.training.loop.saving import save_trained
from tests.training_jobs import counting, open_trainer

# on some CPUs it would pack weights as inference alone can read them
bitsandbytes.nn.modules.has_avx512bf16 = lambda: False
bitsandbytes.backends.cpu.ops.has_avx512bf16 = lambda: False

def drawn_adapters(opened):
    random = torch.Generator().manual_seed(3)
    trained = {n: p for n, p in opened.model.named_parameters() if p.requires_grad}
    for weight in trained.values():  # half of them are zero at the start
        weight.data = 0.05 * torch.randn(weight.shape, generator=random)
    return trained

folder, base = map(Path, sys.argv[1:])
rows = counting(base)
trainer.load_quantized = quantized  # which refuses a CPU
packed = open_trainer(folder / "packed", base, rows, lora=LoraSettings(rank=8, quantize="nf4"))
quantized(str(base), "float32").dequantize().save_pretrained(folder / "unpacked_base")
load_tokenizer(base).save_pretrained(folder / "unpacked_base")
plain = open_trainer(folder / "plain", folder / "unpacked_base", rows, lora=LoraSettings(rank=8))
pairs = zip(drawn_adapters(packed).values(), drawn_adapters(plain).values(), strict=True)
for opened in (packed, plain):
    opened.accumulate(0, opened.order.step(0))
apart = [float((a.grad - b.grad).norm() / b.grad.norm()) for a, b in pairs]
save_trained(packed, read_job(folder / "packed"), folder / "packed")
kinds = {type(weight).__name__ for weight in packed.model.parameters()}
print(json.dumps({"apart": apart, "kinds": sorted(kinds)}))
"""


def test_gradients_are_those_of_adapters_on_the_unpacked_weights(tmp_path: Path) -> None:
    base = tiny_model.build_untied(tmp_path / "base")
    found = found_by(PROGRAM, tmp_path, base, PYTHONPATH=str(OPTIONAL))
    assert "Params4bit" in found["kinds"]
    assert len(found["apart"]) == 28
    assert max(found["apart"]) < 1e-6
    assert (tmp_path / "packed/model/adapter/adapter_model.safetensors").is_file()
