"""A model's sizes from its config.json alone, and how much memory they come to."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM

from rasft.config.settings import LoraSettings, ModelConfig, TrainingConfig
from rasft.errors import UserError
from rasft.models import memory
from rasft.models.language_model import load_model, traits_of_model
from rasft.models.shape import read_shape, shape_of
from rasft.training.model.batching import collate
from rasft.training.model.forward import ResponseLogps, attend
from tests import families, tiny_model
from tests.unit.test_batching import example

MEASURED = [f for f, (kind, _) in families.FAMILIES.items() if kind in memory.TIMES_A_LLAMA]
NO_CACHE = {"LFM2", "Qwen3.5", "Nemotron 3"}  # some layers carry a state
OWN_HEADS = {"GPT-NeoX", "GPT-2", "Persimmon", "GPT-J"}  # know no heads of keys
TOKENS = 64


def config_of(family: str) -> Any:
    """With an MLP four times as wide as the stream, as real ones are."""
    config = families.config_of(family)
    config.intermediate_size = 128
    if hasattr(config, "moe_intermediate_size"):
        config.moe_intermediate_size = 64
    return config


def build(config: Any) -> Any:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return AutoModelForCausalLM.from_config(config, dtype=torch.float32)


def kept(model: Any, packed: bool) -> int:
    """Bytes that autograd keeps of a forward pass in bf16, without weights and copies of them."""
    attend(model.train(), packed)
    sizes = {p.shape for p in model.parameters()} | {p.shape[::-1] for p in model.parameters()}
    weights = {p.untyped_storage().data_ptr() for p in model.parameters()}
    found: dict[int, int] = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if tensor.shape not in sizes and storage.data_ptr() not in weights:
            found[storage.data_ptr()] = storage.nbytes()
        return tensor

    batch = collate([example(range(3, 3 + TOKENS), prompt=16)] * 2, packed)
    with (
        torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor),
        torch.autocast("cpu", torch.bfloat16),
    ):
        logps = ResponseLogps(model)(batch)
    assert logps.requires_grad
    return sum(found.values())


class TestShape:
    @pytest.mark.parametrize("family", sorted(set(families.FAMILIES) - OWN_HEADS - NO_CACHE))
    def test_counts_are_those_of_the_model(self, family: str) -> None:
        config = families.config_of(family)
        shape, model = shape_of(config), build(config).eval()
        assert shape.parameters == model.num_parameters()
        with torch.no_grad():
            cache = model(input_ids=torch.arange(3, 29)[None], use_cache=True).past_key_values
        numbers = sum(layer.keys.numel() + layer.values.numel() for layer in cache.layers)
        a_window_keeps_one_less = sum(each.numbers for each in shape.cache if each.reach)
        latent = config.model_type == "deepseek_v3"  # vLLM keeps it so
        assert latent or shape.cache_numbers(26) == numbers + a_window_keeps_one_less

    def test_of_a_folder_without_weights(self, tmp_path: Path) -> None:
        whole = tiny_model.build_untied(tmp_path / "whole")
        shape, model = read_shape(ModelConfig(path=str(whole))), load_model(whole)
        assert shape.parameters == model.num_parameters()
        assert shape.head_is_own
        assert shape.head == shape.embedding == model.lm_head.weight.numel()
        assert shape.layers * shape.largest_layer < shape.parameters

    def test_of_the_embedded_model(self) -> None:
        shape = read_shape(ModelConfig(path="embedded:smollm2-135m"))
        assert shape.parameters == 134_515_008
        assert memory.cache_bytes(shape, 1, "bfloat16") == 2 * 30 * 2 * 3 * 64

    def test_of_what_is_no_language_model(self, tmp_path: Path) -> None:
        tiny_model.build(tmp_path / "a")
        config = tmp_path / "a" / "config.json"
        config.write_text(json.dumps({**json.loads(config.read_text()), "model_type": "vit"}))
        with pytest.raises(UserError, match="'vit' model cannot be told"):
            read_shape(ModelConfig(path=str(tmp_path / "a")))


class TestTraining:
    @pytest.mark.parametrize("family", MEASURED)
    def test_what_a_layer_keeps(self, family: str) -> None:
        config = config_of(family)
        model = build(config)
        shape = shape_of(config)
        wanted = memory.kept_by_a_layer(shape, "bfloat16") * shape.layers * 2 * TOKENS
        ratio = wanted / kept(model, traits_of_model(model).packs)
        assert 1 - memory.ERROR < ratio < 1 + memory.ERROR

    def test_states_of_a_whole_training(self) -> None:
        shape = shape_of(families.config_of("Llama 3.2"))
        terms = memory.training(shape, TrainingConfig(), "bfloat16", longest=64, gpus=4)
        state = terms["weights"] + terms["gradients"] + terms["optimizer"]
        assert state == 16 * shape.parameters  # each of the four holds all of it

    def test_shards_are_a_fraction(self) -> None:
        shape = shape_of(families.config_of("Llama 3.2"))
        sharded = TrainingConfig(launcher="fsdp2")
        one, four = (
            memory.training(shape, sharded, "bfloat16", longest=64, gpus=gpus) for gpus in (1, 4)
        )
        for name in ("weights", "gradients", "optimizer"):
            assert four[name] == one[name] / 4
        assert four["activations"] == one["activations"]

    def test_checkpointing_adapters_and_fewer_tokens_take_less(self) -> None:
        shape = shape_of(families.config_of("Llama 3.2"))
        whole = TrainingConfig(micro_batch_tokens=4096)
        less = [
            {"gradient_checkpointing": True},
            {"lora": LoraSettings(rank=2)},
            {"lora": LoraSettings(rank=2, quantize="nf4")},
            {"micro_batch_tokens": 1024},
        ]
        totals = [
            sum(memory.training(shape, settings, "bfloat16", longest=64, gpus=1).values())
            for settings in (whole, *(whole.model_copy(update=change) for change in less))
        ]
        assert totals[0] > max(totals[1:])
        assert totals[2] > totals[3]  # of 4-bit weights

    def test_adapters_are_counted_as_peft_counts_them(self, tmp_path: Path) -> None:
        from rasft.training.model.lora import with_adapters

        folder = tiny_model.build(tmp_path / "a")
        for modules in ((), ("q_proj", "down_proj")):
            settings = LoraSettings(rank=3, target_modules=modules)
            adapted = with_adapters(load_model(folder), settings, seed=0)
            shape = read_shape(ModelConfig(path=str(folder)))
            expected, _ = adapted.get_nb_trainable_parameters()
            assert memory.trained_parameters(shape, settings) == expected


class TestSampling:
    def test_a_group_of_gpus_shares_weights_and_cache(self) -> None:
        shape = shape_of(families.config_of("Qwen2.5"))
        one, two = (memory.sampling(shape, "bfloat16", "bfloat16", 64, 8, gpus) for gpus in (1, 2))
        assert one["weights"] == 2 * shape.parameters
        assert one["cache"] == 8 * memory.cache_bytes(shape, 64, "bfloat16")
        eight_bits = memory.sampling(shape, "fp8", "bfloat16", 64, 8)
        assert (eight_bits["weights"], eight_bits["cache"]) == (shape.parameters, one["cache"])
        assert (two["weights"], two["cache"]) == (one["weights"] / 2, one["cache"] / 2)
