"""Tiny models with random weights, one of each family that people fine-tune."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from transformers import AutoConfig, AutoModelForCausalLM

VOCABULARY = 96
SMALL = {
    "vocab_size": VOCABULARY,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 8,
    "max_position_embeddings": 128,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "pad_token_id": 0,
}
WINDOW = 11  # shorter than the rows of the tests, as real windows are than real rows
EXPERTS = {
    "moe_intermediate_size": 24,
    "num_experts": 4,
    "num_local_experts": 4,
    "n_routed_experts": 4,
    "num_experts_per_tok": 2,
}
FACTORS = {"short_factor": [1.0] * 4, "long_factor": [8.0] * 4}
LONGROPE = {
    "rope_type": "longrope",
    "rope_theta": 10000.0,
    "original_max_position_embeddings": 48,
    **FACTORS,
}
ALTERNATING = {"layer_types": ["sliding_attention", "full_attention"], "sliding_window": WINDOW}

# family -> (model_type, what its configuration adds)
FAMILIES: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    "Llama 3.2": ("llama", {"tie_word_embeddings": True}),
    "Qwen2.5": ("qwen2", {}),
    "DeepSeek-R1 distill (Qwen2)": ("qwen2", {"tie_word_embeddings": False}),
    "Qwen3": ("qwen3", {}),
    "Gemma 2": ("gemma2", {**ALTERNATING, "query_pre_attn_scalar": 8}),
    "Gemma 3": ("gemma3_text", {**ALTERNATING, "query_pre_attn_scalar": 8}),
    "Gemma 4": (
        "gemma4_text",
        {
            **ALTERNATING,
            "global_head_dim": 8,
            "vocab_size_per_layer_input": VOCABULARY,
            "hidden_size_per_layer_input": 8,
            "num_kv_shared_layers": 0,
        },
    ),
    "Mistral": ("mistral", {"sliding_window": WINDOW}),
    "Phi-3": ("phi3", {"original_max_position_embeddings": 48, "rope_parameters": LONGROPE}),
    "OLMo 2": ("olmo2", {}),
    "SmolLM3": ("smollm3", {"no_rope_layers": [1, 0]}),
    "Granite": ("granite", {"logits_scaling": 4.0, "embedding_multiplier": 3.0}),
    "Cohere": ("cohere", {"logit_scale": 0.25}),
    "GLM-4": ("glm4", {}),
    "GPT-NeoX": ("gpt_neox", {"hidden_dropout": 0.1, "attention_dropout": 0.1}),
    "GPT-2": ("gpt2", {"n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 128}),
    "Phi-2": ("phi", {"resid_pdrop": 0.1, "embd_pdrop": 0.1}),
    "Falcon": ("falcon", {"head_dim": None, "attention_dropout": 0.1, "hidden_dropout": 0.1}),
    "Persimmon": ("persimmon", {"attention_dropout": 0.1, "hidden_dropout": 0.1}),
    "GPT-J": (
        "gptj",
        {"n_embd": 32, "n_head": 4, "n_layer": 2, "n_positions": 128, "rotary_dim": 8},
    ),
    "Phi-3.5-MoE": ("phimoe", {**EXPERTS, "router_jitter_noise": 0.1, "input_jitter_noise": 0.1}),
    "StarCoder 2": ("starcoder2", {"residual_dropout": 0.1, "embedding_dropout": 0.1}),
    "Mixtral": ("mixtral", {**EXPERTS, "router_jitter_noise": 0.1}),
    "Qwen3-MoE": ("qwen3_moe", EXPERTS),
    "GLM-4 MoE": ("glm4_moe", {**EXPERTS, "first_k_dense_replace": 1, "n_group": 1}),
    "gpt-oss": ("gpt_oss", {**EXPERTS, **ALTERNATING}),
    "DeepSeek V3": (
        "deepseek_v3",
        {
            **EXPERTS,
            "first_k_dense_replace": 1,
            "n_group": 1,
            "topk_group": 1,
            "kv_lora_rank": 8,
            "q_lora_rank": 8,
            "qk_nope_head_dim": 8,
            "qk_rope_head_dim": 8,
            "v_head_dim": 8,
            "num_key_value_heads": 4,
        },
    ),
    "Llama 4 text": (
        "llama4_text",
        {
            **EXPERTS,
            "intermediate_size_mlp": 48,
            "attention_chunk_size": WINDOW,
            "layer_types": ["chunked_attention", "full_attention"],
            "no_rope_layers": [1, 0],
            "moe_layers": [1],
        },
    ),
    "LFM2": ("lfm2", {"layer_types": ["conv", "full_attention"], "block_ff_dim": 48}),
    "Qwen3.5": (
        "qwen3_5_text",
        {
            "layer_types": ["linear_attention", "full_attention"],
            "linear_key_head_dim": 8,
            "linear_value_head_dim": 8,
            "linear_num_key_heads": 2,
            "linear_num_value_heads": 2,
        },
    ),
    "Nemotron 3": (
        "nemotron_h",
        {
            "layer_types": ["linear_attention", "full_attention"],
            "mamba_num_heads": 4,
            "mamba_head_dim": 8,
            "ssm_state_size": 8,
            "n_groups": 2,
        },
    ),
}


def config_of(family: str) -> Any:
    """The configuration of the family's tiny model."""
    kind, more = FAMILIES[family]
    settings = {**SMALL, **more}
    return AutoConfig.for_model(kind, **{k: v for k, v in settings.items() if v is not None})


def build(family: str, folder: Path) -> Path:
    """A model folder of the family, without a tokenizer. Weights are large enough to tell."""
    torch.manual_seed(0)
    model: Any = AutoModelForCausalLM.from_config(  # type: ignore[no-untyped-call]
        config_of(family), dtype=torch.float32
    )
    with torch.no_grad():
        for weight in model.parameters():
            if weight.dim() > 1:
                weight.normal_(std=0.25)
    model.save_pretrained(folder)
    return folder
