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
