"""vLLM over two devices, here two processes on two cores: a base, and adapters on it, unmerged."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM, AutoTokenizer

from rasft import plugins
from rasft.config.settings import EngineWatchConfig
from rasft.decoding import layout
from rasft.decoding.engine import EngineOptions, Request, Sampling
from rasft.decoding.one_engine import OneEngine
from rasft.models import adapters
from tests import tiny_model

pytestmark = [
    pytest.mark.vllm,
    pytest.mark.filterwarnings("ignore:.torch.jit.script_method. is deprecated:DeprecationWarning"),
]
VLLM = plugins.load("engines", "vllm")
GREEDY = Sampling(temperature=0.0, top_p=1.0, max_new_tokens=16)
PROMPTS = [(1, 80, 81, 90 + number) for number in range(6)]


@pytest.fixture
def base(tmp_path: Path) -> Path:
    return tiny_model.build_untied(tmp_path / "base")


@pytest.fixture
def merged(base: Path, tmp_path: Path) -> Path:
    """A model with the adapters that were merged into it, as a training leaves it."""
    folder = tmp_path / "merged"
    settings = LoraConfig(r=4, lora_alpha=8, target_modules="all-linear", task_type="CAUSAL_LM")
    torch.manual_seed(0)
    adapted = get_peft_model(AutoModelForCausalLM.from_pretrained(base), settings)
    for name, weights in adapted.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weights, std=0.3)
    adapted.save_pretrained(folder / adapters.ADAPTER)
    adapters.name_base(folder / adapters.ADAPTER, base)
    adapted.merge_and_unload().save_pretrained(folder)
    AutoTokenizer.from_pretrained(base).save_pretrained(folder)
    return folder


def own_greedy(folder: Path) -> list[tuple[int, ...]]:
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    written = model.generate(
        torch.tensor(PROMPTS), do_sample=False, max_new_tokens=16, eos_token_id=None, pad_token_id=0
    )
    return [tuple(row[4:]) for row in written.tolist()]


def test_two_ranks_write_what_base_and_merged_model_would(base: Path, merged: Path) -> None:
    if obstacle := VLLM.available():
        pytest.skip(obstacle)
    if len(layout.cores()) < 2:
        pytest.skip("one core")
    assert adapters.base_of(merged, [merged, base]) == base
    expected = {folder: own_greedy(folder) for folder in (base, merged)}
    assert expected[base] != expected[merged]
    options = EngineOptions(
        "float32", 128, eager=True, tensor_parallel=2, base=str(base), adapter_rank=4
    )
    watch = EngineWatchConfig()
    with OneEngine() as kept:
        engine = kept.over(VLLM, str(base), options, watch)
        for folder in (base, merged, base):
            assert kept.over(VLLM, str(folder), options, watch) is engine
            drawn = dict(engine.generate([Request(prompt, 0) for prompt in PROMPTS], GREEDY))
            assert [drawn[i].token_ids for i in range(len(PROMPTS))] == expected[folder]
        assert engine.notes == []
        assert engine.choices == ["max_sequences 128"]
