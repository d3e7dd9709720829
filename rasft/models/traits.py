"""What of a model's configuration decides how its sequences may share a forward pass.

Read from `config.json`, so that it is known before any model is loaded. The names are those of
transformers' configurations.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# Kinds of decoder layers whose tokens see others through attention, or not at all.
STATELESS = {"full_attention", "sliding_attention", "chunked_attention", "mlp", "moe"}
# Models with other layers, some of which leave their kinds to the class or write them otherwise.
STATEFUL_MODELS = {
    *("bamba", "falcon_h1", "falcon_mamba", "granitemoehybrid", "jamba", "lfm2", "lfm2_moe"),
    *("mamba", "mamba2", "nemotron_h", "recurrent_gemma", "rwkv", "xlstm", "zamba", "zamba2"),
}


@dataclass(frozen=True)
class Traits:
    """How a model's layers see a sequence.

    `reach`: tokens that the shortest-sighted attention layer sees, or None: all before it.
    `holds_to`: up to how many tokens a position means the same whatever the sequence's length, or
    None: always (longrope changes its factors beyond the original context).
    `carries_state`: layers hand a state from token to token (state space, linear attention,
    convolution), so sequences end to end in one row would run into each other.
    `counts_rows`: layers count places in the row, not positions in the sequence.
    `scores_changed`: attention scores are capped, or compete with a sink.
    `fixed_attention`: the class takes no attention but its own; known of a loaded model alone.
    """

    reach: int | None = None
    holds_to: int | None = None
    carries_state: bool = False
    counts_rows: bool = False
    scores_changed: bool = False
    fixed_attention: bool = False

    @property
    def samples_alone(self) -> bool:
        """Whether sequences are sampled one at a time, over the model's own cache."""
        return self.carries_state or self.fixed_attention

    @property
    def packs(self) -> bool:
        """Whether sequences may lie end to end in one row."""
        return self.why_not_packed is None

    @property
    def why_not_packed(self) -> str | None:
        """What would go wrong; None where nothing would."""
        if self.carries_state:
            return "some layers carry a state from token to token"
        if self.fixed_attention:
            return "its class takes no attention but its own"
        return "some layers count places in the row" if self.counts_rows else None


def traits_of(config: Mapping[str, Any]) -> Traits:
    """The traits of a configuration as a mapping: config.json, or `to_dict()` of a loaded one."""
    text = config.get("text_config") or config
    kinds = set(text.get("layer_types") or ())
    return Traits(
        reach=min(filter(None, (_window(text, kinds), _chunk(text, kinds))), default=None),
        holds_to=_holds_to(text),
        carries_state=bool(kinds - STATELESS) or text.get("model_type") in STATEFUL_MODELS,
        counts_rows=bool(text.get("attn_temperature_tuning")),
        scores_changed=bool(text.get("attn_logit_softcapping"))
        or text.get("model_type") == "gpt_oss",
    )


def context_tokens(folder: Path) -> int:
    """The longest sequence that a model folder reads alike in every batch, in tokens.

    Unbounded where its configuration states none.
    """
    stated = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    text = stated.get("text_config") or stated
    tokens = text.get("max_position_embeddings") or text.get("n_positions")
    tokens = int(tokens or _default_context_tokens(folder))
    return min(tokens, traits_of(stated).holds_to or tokens)


def _default_context_tokens(folder: Path) -> int:
    """Where the config leaves it to the model's class, which takes seconds to import."""
    from transformers import AutoConfig

    config = AutoConfig.from_pretrained(folder).get_text_config()
    return int(getattr(config, "max_position_embeddings", None) or 2**31)


def _window(text: Mapping[str, Any], kinds: set[str]) -> int | None:
    if text.get("use_sliding_window") is False or (kinds and "sliding_attention" not in kinds):
        return None
    return text.get("sliding_window")


def _chunk(text: Mapping[str, Any], kinds: set[str]) -> int | None:
    return text.get("attention_chunk_size") if "chunked_attention" in kinds else None


def _holds_to(text: Mapping[str, Any]) -> int | None:
    """Of the rotary positions, and of Llama 4's attention temperature."""
    limits = [_rope_limit(rope, text) for rope in _ropes(text)]
    if text.get("attn_temperature_tuning"):
        limits.append(text.get("floor_scale"))
    return min(filter(None, limits), default=None)


def _ropes(text: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The rotary settings: one for all layers, or one for each kind of layer."""
    stated = text.get("rope_parameters") or text.get("rope_scaling") or {}
    inner = [value for value in stated.values() if isinstance(value, Mapping)]
    return inner or [stated]


def _rope_limit(rope: Mapping[str, Any], text: Mapping[str, Any]) -> int | None:
    kind = rope.get("rope_type") or rope.get("type")
    if kind in ("longrope", "su"):
        key = "original_max_position_embeddings"
        return rope.get(key) or text.get(key) or text.get("max_position_embeddings")
    return text.get("max_position_embeddings") if kind == "dynamic" else None
