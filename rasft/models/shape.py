"""How large a model is, read from its `config.json` alone: what memory and time grow with.

The model is laid out on torch's meta device, where tensors have shapes and no values, so each
architecture counts its own parameters and no weight is read.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rasft.config.settings import ModelConfig
from rasft.errors import UserError
from rasft.models import sources
from rasft.models.traits import STATELESS, traits_of

WINDOWS = {"sliding_attention": "sliding_window", "chunked_attention": "attention_chunk_size"}


@dataclass(frozen=True)
class CachedLayer:
    """A layer's keys and values: numbers a token, and of how many tokens at most (None: all)."""

    numbers: int
    reach: int | None = None


@dataclass(frozen=True)
class Linear:
    """The linear layers of one name, such as `q_proj`, in all decoder layers together."""

    parameters: int  # of their matrices
    edges: int  # inputs + outputs, summed: a LoRA adapter of rank r has r times as many parameters


@dataclass(frozen=True)
class ModelShape:
    """Sizes of a causal language model; parameters are counted once where they are shared."""

    kind: str  # transformers' model type
    parameters: int
    embedding: int  # parameters of the input embedding
    head: int  # parameters of the output head
    head_is_own: bool  # not the embedding's
    largest_layer: int  # parameters of the largest decoder layer
    layers: int
    hidden: int
    intermediate: int  # of the MLP, or of the experts that one token goes through
    queries: int  # attention heads x head size
    keys: int  # key heads x head size
    attention_heads: int
    key_heads: int
    vocabulary: int
    cache: tuple[CachedLayer, ...]
    linears: Mapping[str, Linear]  # by name, without the head

    def cache_numbers(self, tokens: int) -> int:
        """Numbers in the keys and values of one sequence of so many tokens, all layers."""
        return sum(each.numbers * min(tokens, each.reach or tokens) for each in self.cache)


def read_shape(model: ModelConfig) -> ModelShape:
    """The shape of the configured model; of a hub model only `config.json` is fetched.

    Raises UserError for a model that is neither here nor reachable.
    """
    return shape_of(sources.stated_config(model))


def shape_of(config: Any) -> ModelShape:
    """The shape that a transformers configuration states.

    Raises UserError for one that describes no causal language model.
    """
    model = _on_meta(config)
    text: Any = config.get_text_config()
    embedding, head = model.get_input_embeddings(), model.get_output_embeddings()
    size, key_heads = _head_size(text), _key_heads(text)
    return ModelShape(
        kind=text.model_type,
        parameters=sum(parameter.numel() for parameter in model.parameters()),
        embedding=embedding.weight.numel(),
        head=head.weight.numel(),
        head_is_own=head.weight is not embedding.weight,
        largest_layer=_largest_layer(model),
        layers=text.num_hidden_layers,
        hidden=text.hidden_size,
        intermediate=_intermediate(text),
        queries=text.num_attention_heads * size,
        keys=key_heads * size,
        attention_heads=text.num_attention_heads,
        key_heads=key_heads,
        vocabulary=embedding.num_embeddings,
        cache=_cache(text, key_heads * size),
        linears=_linears(model),
    )


def _on_meta(config: Any) -> Any:
    import torch
    from transformers import AutoModelForCausalLM

    try:
        with torch.device("meta"):
            return AutoModelForCausalLM.from_config(config)  # type: ignore[no-untyped-call]
    except (ValueError, AttributeError, KeyError, ImportError) as error:
        raise UserError(
            f"the size of a {config.model_type!r} model cannot be told from its config.json: "
            f"{error}"
        ) from None


def _head_size(text: Any) -> int:
    size = getattr(text, "head_dim", None) or text.hidden_size // text.num_attention_heads
    return int(size)


def _key_heads(text: Any) -> int:
    if getattr(text, "multi_query", False) and not getattr(text, "new_decoder_architecture", False):
        return 1  # Falcon's
    return int(getattr(text, "num_key_value_heads", None) or text.num_attention_heads)


def _intermediate(text: Any) -> int:
    """The width of the MLP as one token sees it."""
    own = getattr(text, "intermediate_size", None) or getattr(text, "ffn_hidden_size", None)
    width = int(own or getattr(text, "n_inner", None) or 4 * text.hidden_size)
    experts: int | None = getattr(text, "num_experts_per_tok", None)
    if not experts:
        return width
    shared = getattr(text, "n_shared_experts", None) or 0
    return int(getattr(text, "moe_intermediate_size", None) or width) * (experts + shared)


def _cache(text: Any, keys: int) -> tuple[CachedLayer, ...]:
    """What each layer keeps; a layer that carries a state instead keeps nothing that grows."""
    kinds: list[str] | None = getattr(text, "layer_types", None)
    layers: int = text.num_hidden_layers
    if latent := getattr(text, "kv_lora_rank", None):  # one compressed vector for keys and values
        return (CachedLayer(latent + text.qk_rope_head_dim),) * layers
    if not kinds:
        return (CachedLayer(2 * keys, traits_of(text.to_dict()).reach),) * layers
    return tuple(_cached_layer(text, kind, keys) for kind in kinds if _has_cache(kind))


def _has_cache(kind: str) -> bool:
    return kind in STATELESS and kind.endswith("attention")


def _cached_layer(text: Any, kind: str, keys: int) -> CachedLayer:
    reach = getattr(text, WINDOWS[kind], None) if kind in WINDOWS else None
    return CachedLayer(2 * keys, reach)


def _largest_layer(model: Any) -> int:
    import torch

    layers = max(
        (module for module in model.modules() if isinstance(module, torch.nn.ModuleList)),
        key=lambda found: sum(parameter.numel() for parameter in found.parameters()),
    )
    return max(sum(parameter.numel() for parameter in layer.parameters()) for layer in layers)


def _linears(model: Any) -> dict[str, Linear]:
    from torch.nn import Linear as Layer
    from transformers.pytorch_utils import Conv1D

    head, found = model.get_output_embeddings(), dict[str, Linear]()
    for name, module in model.named_modules():
        if not isinstance(module, Layer | Conv1D) or module is head:
            continue
        kind = name.rpartition(".")[2]
        before = found.get(kind, Linear(0, 0))
        found[kind] = Linear(
            before.parameters + module.weight.numel(), before.edges + sum(module.weight.shape)
        )
    return found
