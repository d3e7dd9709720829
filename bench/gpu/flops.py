"""How many floating-point operations a training step needs, whoever computes it.

    6 (layers' parameters x tokens + head's parameters x response tokens)
      + 6 x layers x heads x head size x sum of squared lengths

Two for each multiply-add, three times the forward pass. Attention is causal: half of length^2
products of query and key, and as many with the values. Only response positions need the head, and
what is computed again (checkpointing, a head's logits) or for a reference counts for nothing.
"""

from __future__ import annotations

from collections.abc import Sequence

from bench.gpu.shapes import Shape
from rasft.records import TrainingExample


def of_step(shape: Shape, rows: Sequence[TrainingExample]) -> float:
    """FLOPs of forward and backward over these rows."""
    tokens = sum(len(row.input_ids) for row in rows)
    responses = sum(len(row.input_ids) - row.prompt_tokens for row in rows)
    squares = sum(len(row.input_ids) ** 2 for row in rows)
    width = shape.heads * shape.head_size
    products = layer_parameters(shape) * shape.layers * tokens + head_parameters(shape) * responses
    return 6.0 * products + 6.0 * shape.layers * width * squares


def layer_parameters(shape: Shape) -> int:
    """Of one layer's matrices: query and output, key and value, and the gated MLP."""
    attention = 2 * shape.hidden * shape.head_size * (shape.heads + shape.groups)
    return attention + 3 * shape.hidden * shape.intermediate


def head_parameters(shape: Shape) -> int:
    """Of the head, which is the embedding too."""
    return shape.hidden * shape.vocabulary


def parameters(shape: Shape) -> int:
    """Of all matrices; the vectors of norms and biases are a thousandth of them."""
    return shape.layers * layer_parameters(shape) + head_parameters(shape)
