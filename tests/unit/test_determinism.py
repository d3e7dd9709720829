"""What the report says of the shard layout, and what is refused."""

from dataclasses import replace
from types import SimpleNamespace

import pytest

from rasft.decoding import determinism
from rasft.decoding.engine import EngineOptions
from rasft.errors import UserError

ENGINE = SimpleNamespace(NAME="vllm", version=lambda: "vllm 1")
PLAIN = EngineOptions("bfloat16")
INVARIANT = replace(PLAIN, batch_invariant=True)


@pytest.mark.parametrize(("engine", "gpu"), [("vllm", False), ("transformers", True)])
def test_batch_invariance_needs_vllm_on_a_gpu(engine: str, gpu: bool) -> None:
    with pytest.raises(UserError, match=f"needs vllm on a GPU, and this is {engine}"):
        determinism.check_invariance(engine, gpu)
    determinism.check_invariance("vllm", True)


def test_the_report_says_which_holds() -> None:
    assert "may change samples: bfloat16" in determinism.statement(PLAIN)
    assert "changes no sample" in determinism.statement(INVARIANT)
    assert "changes no sample" in determinism.statement(EngineOptions("float32"))


def test_invariant_samples_are_others() -> None:
    assert determinism.version(ENGINE, PLAIN) == "vllm 1"
    assert determinism.version(ENGINE, INVARIANT) != "vllm 1"


def test_quantised_weights_need_vllm_on_a_gpu_and_draw_other_samples() -> None:
    quantized = replace(PLAIN, quantization="fp8")
    with pytest.raises(UserError, match="quantization = fp8 needs vllm on a GPU, and this is vllm"):
        determinism.check_quantization(quantized, "vllm", has_gpu=False)
    with pytest.raises(UserError, match=r"set model\.dtype to bfloat16"):
        determinism.check_quantization(replace(quantized, dtype="float32"), "vllm", has_gpu=True)
    determinism.check_quantization(quantized, "vllm", has_gpu=True)
    assert determinism.version(ENGINE, quantized) == "vllm 1, fp8 weights"


def test_adapters_over_a_base_draw_other_samples_and_the_base_the_same() -> None:
    over = replace(PLAIN, base="base", adapter_rank=8)
    assert determinism.version(ENGINE, over, "merged") == "vllm 1, adapters apart"
    assert determinism.version(ENGINE, over, "base") == "vllm 1"
