"""How much memory a model takes on one GPU to be trained, scored or sampled from: sums of terms.

A term is bytes under a name that a reader knows. With P parameters, of which T are trained, n GPUs
that share them, and c bytes a number of the compute dtype:

    weights      4 P / n           fp32; of 4-bit weights 0.52 a number of a linear layer
    gradients    4 T / n           fp32
    optimizer    8 T / n           AdamW's two moments, fp32
    compute      c P               the copies that products are made with, where c < 4; in shards
                                   those of the layers that are gathered at a time
    activations  tokens x layers x (16 h + 10 h + 3 c q + 2 c k + 4 c f + 4 a)
                 h hidden, q queries, k keys, f the MLP's width, a attention heads; with
                 checkpointing tokens x layers x 4 h, and one layer's at a time
    head         hidden states of the response, logits of a chunk, the head's gradient

The layer's sum is what autograd keeps of a Llama under autocast (8 h, not 10 h, without); other
families keep so many times as much (`TIMES_A_LLAMA`). What an allocator and the driver take on top
is `OVERHEAD`.
"""

from __future__ import annotations

from dataclasses import dataclass

from rasft.config.settings import LoraSettings, TrainingConfig
from rasft.models.shape import ModelShape

GIB = 2**30
BYTES = {"float32": 4, "bfloat16": 2, "float16": 2, "fp8": 1}  # a number
NF4 = 0.52  # bytes a number, with the scales of double quantisation
OVERHEAD = 1.5 * GIB  # of one GPU: the driver's context, kernels' workspaces, fragments
ERROR = 0.25  # of a sum, either way: what the formulas were off by where they were measured
# What a layer keeps, by model type; any other may keep several times as much.
TIMES_A_LLAMA = {
    **dict.fromkeys(("llama", "qwen2", "qwen3", "mistral", "phi3", "olmo2", "smollm3"), 1.0),
    **dict.fromkeys(("granite", "cohere", "glm4", "phi", "falcon"), 1.0),
    **{"starcoder2": 0.65, "glm4_moe": 1.3, "gemma3_text": 1.35, "gemma4_text": 1.6},
    **{"qwen3_moe": 1.7, "gemma2": 2.0},
}
HEAD_ROWS = 1024  # response positions whose logits exist together
LOGIT_BYTES = 8  # a logit of them: in fp32, and its gradient
SAMPLER_BYTES = 12  # a logit of each sequence sampled: the logit, its rank and its probability
PREFILL = 8192  # prompt tokens that vLLM reads at a time
CACHE_SHARE = 0.2  # of what vLLM may take of a GPU: kept for keys and values
GRAPHS = 1.0 * GIB  # vLLM's CUDA graphs

Terms = dict[str, float]  # bytes by name


@dataclass(frozen=True)
class Batch:
    """One forward pass: its tokens, and those of its longest sequence."""

    tokens: int
    longest: int

    @property
    def most(self) -> int:
        """Tokens of the largest pass: a sequence longer than the budget has one of its own."""
        return max(self.tokens, self.longest)


def weight_bytes(shape: ModelShape, dtype: str) -> int:
    """All weights in a dtype."""
    return shape.parameters * BYTES[dtype]


def cache_bytes(shape: ModelShape, tokens: int, dtype: str) -> int:
    """Keys and values of one sequence of so many tokens."""
    return shape.cache_numbers(tokens) * BYTES[dtype]


def splits(shape: ModelShape, most: int) -> list[int]:
    """Over how many GPUs the attention heads can be divided, the fewest first.

    Fewer heads of keys than GPUs are copied.
    """
    heads, keys = shape.attention_heads, shape.key_heads
    return [n for n in range(1, most + 1) if not heads % n and (not keys % n or not n % keys)]


def fewest_to_sample(shape: ModelShape, weights: str, most: int, room: float) -> int | None:
    """The fewest GPUs that hold the weights in this dtype; None where `most` do not.

    vLLM may take `room` bytes of each.
    """
    whole = weight_bytes(shape, weights)
    return next((n for n in splits(shape, most) if whole / n <= room * (1 - CACHE_SHARE)), None)


def training(
    shape: ModelShape, config: TrainingConfig, dtype: str, longest: int, gpus: int, kl: bool = False
) -> Terms:
    """Of one of `gpus` processes; `kl` for a loss that keeps the reference in memory.

    The peak is that of the last backward pass, or of the update where that is larger.
    """
    ranks = 1 if config.launcher == "ddp" else gpus
    trained = trained_parameters(shape, config.lora)
    held = {
        "weights": _trained_weights(shape, config.lora) / ranks,
        "gradients": 4 * trained / ranks,
        "optimizer": 8 * trained / ranks,
        "reference": 4 * shape.parameters if kl else 0,
    }
    batch = Batch(config.micro_batch_tokens, longest)
    used = {
        "compute copies": _copies(shape, config, dtype, ranks),
        "activations": _activations(shape, batch, dtype, config.gradient_checkpointing),
        "head": _head(shape, batch, dtype, learns=not config.lora),
    }
    update = {"update": 4 * trained / ranks}  # a temporary as large as a moment
    return held | max((used, update), key=lambda terms: sum(terms.values()))


def scoring(shape: ModelShape, dtype: str, batch: Batch, gpus: int = 1) -> Terms:
    """Log-probabilities without gradients, on one of `gpus` that share the layers."""
    copies = BYTES[dtype] * shape.parameters if dtype != "float32" else 0
    return {
        "weights": 4 * shape.parameters / gpus,
        "compute copies": copies / gpus,
        "activations": batch.most * _passing(shape, dtype),
        "head": _head(shape, batch, dtype, learns=False),
    }


def sampling(
    shape: ModelShape, weights: str, dtype: str, context: int, sequences: int, gpus: int = 1
) -> Terms:
    """Of one of `gpus` that share each layer: `sequences` side by side, each `context` tokens.

    `weights`: the dtype that they are held in, where `dtype` is that of the rest.
    """
    return sampling_floor(shape, weights, dtype, sequences, gpus) | {
        "cache": sequences * cache_bytes(shape, context, dtype) / gpus
    }


def sampling_floor(
    shape: ModelShape, weights: str, dtype: str, sequences: int, gpus: int = 1
) -> Terms:
    """The same without the cache, which takes what is left."""
    return {
        "weights": weight_bytes(shape, weights) / gpus,
        "graphs": GRAPHS,
        "activations": PREFILL * _passing(shape, dtype) / gpus,
        "logits": sequences * shape.vocabulary * SAMPLER_BYTES,
    }


def holds(terms: Terms, card: float) -> bool:
    """Whether a GPU of so many bytes has room for them, as far as the formulas tell."""
    return sum(terms.values()) + OVERHEAD <= card


def trained_parameters(shape: ModelShape, lora: LoraSettings | None) -> int:
    """All of them, or those of the adapters."""
    if lora is None:
        return shape.parameters
    names = lora.target_modules or shape.linears
    return lora.rank * sum(shape.linears[n].edges for n in names if n in shape.linears)


def _trained_weights(shape: ModelShape, lora: LoraSettings | None) -> float:
    """The base's and the adapters'."""
    if lora is None:
        return 4 * shape.parameters
    adapters = 4 * trained_parameters(shape, lora)
    if not lora.quantize:
        return 4 * shape.parameters + adapters
    packed = sum(each.parameters for each in shape.linears.values())
    return NF4 * packed + 2 * (shape.parameters - packed) + adapters


def _copies(shape: ModelShape, config: TrainingConfig, dtype: str, ranks: int) -> float:
    """Weights in the compute dtype while a pass runs.

    In shards: the gathered embedding and head, and two layers, of which one comes while the other
    works. Frozen weights of checkpointed or 4-bit layers have theirs a layer at a time.
    """
    size = BYTES[dtype]
    ends = shape.embedding + (shape.head if shape.head_is_own else 0)
    a_layer_at_a_time = size * (shape.largest_layer + shape.head)
    if ranks > 1:
        return size * (ends + 2 * shape.largest_layer) + 4 * shape.largest_layer
    if config.lora and (config.gradient_checkpointing or config.lora.quantize):
        return a_layer_at_a_time if size < 4 or config.lora.quantize else 0
    return size * (shape.parameters - shape.embedding + shape.head) if size < 4 else 0


def _activations(shape: ModelShape, batch: Batch, dtype: str, checkpointing: bool) -> float:
    layer = kept_by_a_layer(shape, dtype)
    if not checkpointing:
        return batch.most * (shape.layers * layer + _passing(shape, dtype))
    return batch.most * (4 * shape.hidden * shape.layers + layer + _passing(shape, dtype))


def kept_by_a_layer(shape: ModelShape, dtype: str) -> float:
    """Bytes a token that a decoder layer keeps for its backward pass."""
    size = BYTES[dtype]
    stream = 16 * shape.hidden  # what enters each half of the layer, and its norm, in fp32
    inputs = (10 if size < 4 else 8) * shape.hidden  # of the products; cast once for each
    attention = size * (3 * shape.queries + 2 * shape.keys) + 4 * shape.attention_heads
    llama = stream + inputs + attention + 4 * size * shape.intermediate
    return llama * TIMES_A_LLAMA.get(shape.kind, 1.0)


def _passing(shape: ModelShape, dtype: str) -> float:
    """Bytes a token that a layer holds only while it works."""
    return 8 * shape.hidden + 3 * BYTES[dtype] * max(shape.intermediate, shape.queries)


def _head(shape: ModelShape, batch: Batch, dtype: str, learns: bool) -> float:
    """Of a pass in which every token is a response's."""
    rows = min(HEAD_ROWS, batch.most)
    states = batch.most * shape.hidden * (8 + BYTES[dtype])
    return rows * shape.vocabulary * LOGIT_BYTES + states + (8 * shape.head if learns else 0)
