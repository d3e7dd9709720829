"""Drawing one token a row from a batch of logits, each row with its own stream of random numbers.

Nucleus (top-p) sampling needs no sorting: draw from the whole distribution, keep the token if the
probability of all likelier tokens is below top_p, else draw again. What is kept follows the
renormalised nucleus exactly (rejection sampling), and a draw costs a few passes over the row
instead of a sort. Nucleus: Holtzman et al., arXiv 1904.09751. Repetition penalty: Keskar et al.,
arXiv 1909.05858, over prompt and response as in transformers and vLLM.
"""

from __future__ import annotations

import torch

from rasft.decoding.uniforms import Uniforms
from rasft.errors import UserError

BLOCK = 256  # tokens; a draw first finds its block, then its token


def penalise(logits: torch.Tensor, seen: torch.Tensor, penalty: float) -> torch.Tensor:
    """Logits (rows, vocabulary) with those of the seen tokens (rows, any number) less likely."""
    chosen = logits.gather(1, seen)
    return logits.scatter(1, seen, torch.where(chosen > 0, chosen / penalty, chosen * penalty))


def draw(
    logits: torch.Tensor,
    temperature: float,
    top_p: float,
    uniforms: Uniforms,
) -> torch.Tensor:
    """Token ids (rows,) from logits (rows, vocabulary); temperature 0 takes the likeliest.

    Row i draws from the stream of slot i.

    Raises UserError where a row has no finite largest logit.
    """
    largest, likeliest = logits.max(dim=-1)
    if not torch.isfinite(largest).all():
        raise UserError("the model's logits are not numbers; its weights are broken or diverged")
    if temperature == 0:
        return likeliest
    probabilities = torch.softmax(logits.float() / temperature, dim=-1)
    tokens = _invert(probabilities, uniforms.take(torch.arange(len(logits))))
    while top_p < 1:
        rejected = _outside(probabilities, tokens, top_p).nonzero()[:, 0]
        if not len(rejected):
            break
        tokens[rejected] = _invert(probabilities[rejected], uniforms.take(rejected.cpu()))
    return tokens


def _outside(probabilities: torch.Tensor, tokens: torch.Tensor, top_p: float) -> torch.Tensor:
    """Where the tokens likelier than the drawn one already hold top_p."""
    drawn = probabilities.gather(1, tokens[:, None])
    likelier = torch.where(probabilities > drawn, probabilities, 0.0).sum(dim=-1)
    return likelier >= top_p


def _invert(probabilities: torch.Tensor, uniform: torch.Tensor) -> torch.Tensor:
    """The inverse of the cumulative distribution at one uniform number a row, (rows, 1)."""
    rows, vocabulary = probabilities.shape
    padded = torch.nn.functional.pad(probabilities, (0, -vocabulary % BLOCK))
    blocks = padded.view(rows, -1, BLOCK)
    sums = blocks.sum(dim=-1).double().cumsum(dim=-1)
    target = uniform.to(probabilities.device) * sums[:, -1:]
    block = _search(sums, target)
    before = torch.where(block > 0, sums.gather(1, (block - 1).clamp(min=0)), 0.0)
    inside = blocks[torch.arange(rows, device=blocks.device), block[:, 0]].double().cumsum(dim=-1)
    return (block * BLOCK + _search(inside, target - before))[:, 0]


def _search(cumulative: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """First index whose cumulative sum passes the target, however the sums were rounded."""
    reachable = torch.minimum(target, cumulative[:, -1:] * (1 - 1e-12))
    return torch.searchsorted(cumulative, reachable, right=True)
