"""Model and batch -> log pi_theta of each response token: the one way, for scoring and training.

Only the positions that predict a response token go through the head, a chunk at a time, and each
chunk's logits are computed again in the backward pass: no tensor of all positions times the
vocabulary exists. A fused function does this where there is one (`head`, `liger`), elsewhere
torch's own operations. Softmax in fp32, since a log-prob read from bf16 logits' softmax may be far
off.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from rasft.errors import UserError
from rasft.losses import LossInputs
from rasft.models.language_model import attend_plainly, traits_of_model
from rasft.models.traits import Traits
from rasft.records import TrainingExample
from rasft.training.model.attention import PACKED, Lengths
from rasft.training.model.batching import Batch, collate
from rasft.training.model.head import fused_for
from rasft.training.model.logits import LogitRule, logit_rule
from rasft.training.model.zero3 import is_cut_up

# Response positions that go through the head together. A CPU is fastest when a chunk's logits
# stay near its caches (measured), a GPU when the head's gradient is seldom added to.
CHUNK = {"cpu": 128, "cuda": 1024}
PIECES = 8  # of the positions of any batch, where all processes must call the head equally often
TOLERANCE = 1e-3  # nats: agreement with the model's own forward pass, in fp32


class ResponseLogps(nn.Module):
    """A causal language model as a function from a batch to (B, T) fp32 log-probs, 0 off the mask.

    It is a module so that wrappers that gather gradients or shards see one forward pass. Build it
    by `response_logps`, which checks it.
    """

    def __init__(self, model: Any):
        super().__init__()
        self.model = model
        self.logits = logit_rule(model.config)

    def forward(self, batch: Batch, reference: Predictions | None = None) -> Tensor:
        """Log-probs of the response tokens, nats; with a reference (2, B, T), of which the second
        is KL(reference || this model) over the vocabulary at each position, nats."""
        hidden_ND = self.hidden(batch)
        head = self.model.get_output_embeddings()
        target_N = batch.target_N.to(hidden_ND.device)
        whole = reference is None and len(target_N) and self.logits.cap is None
        if whole and (fused := fused_for(head)):
            return _spread(fused(hidden_ND, head.weight, target_N), batch.mask_BT)
        count = _pieces(head, hidden_ND)
        pieces = zip(hidden_ND.tensor_split(count), target_N.tensor_split(count), strict=True)
        if reference is None:
            parts = [self._again(token_logps, self.logits, *piece) for piece in pieces]
        else:
            others = reference.hidden_ND.tensor_split(count)
            parts = [
                self._again(logps_and_divergence, self.logits, *piece, reference.head, other)
                for piece, other in zip(pieces, others, strict=True)
            ]
        return _spread(torch.cat(parts, dim=-1), batch.mask_BT)

    @torch.no_grad()
    def predictions(self, batch: Batch) -> Predictions:
        """What this model predicts the response tokens from, for another's divergence from it."""
        return Predictions(self.hidden(batch), self.model.get_output_embeddings())

    def hidden(self, batch: Batch) -> Tensor:
        """The hidden states that predict the response tokens, (N, D), on the head's device: a
        model whose layers lie on several GPUs may have it on another than the last layer."""
        mask = batch.attention_mask_RS
        extent: dict[str, Any] = {"attention_mask": mask}
        if mask is None:
            extent = {"sequence_lengths": Lengths(batch.lengths)}
        output = decoder_of(self.model)(
            input_ids=batch.input_ids_RS,
            position_ids=batch.position_ids_RS,
            use_cache=False,
            **extent,
        )
        states = output.last_hidden_state.flatten(0, 1)
        hidden_ND: Tensor = states.index_select(0, batch.source_N.to(states.device))
        head = next(self.model.get_output_embeddings().parameters(), hidden_ND)
        hidden_ND = hidden_ND.to(head.device)
        return hidden_ND if self.logits.scale == 1 else hidden_ND * self.logits.scale

    def _again(self, of_chunk: Callable[..., Tensor], rule: LogitRule, *arguments: Any) -> Tensor:
        """Values of one chunk, whose logits are computed again in the backward pass."""
        head = self.model.get_output_embeddings()
        if not torch.is_grad_enabled():
            return of_chunk(head, rule, *arguments)
        values: Tensor = checkpoint(of_chunk, head, rule, *arguments, use_reentrant=False)
        return values


def decoder_of(model: Any) -> Any:
    """The model without its head; Llama 4 keeps it under another name than it says."""
    return model.model if model.base_model is model else model.base_model


@dataclass(frozen=True)
class Predictions:
    """A model's predictions before its head: hidden states (N, D). Logits are made by chunks."""

    hidden_ND: Tensor
    head: nn.Module


def loss_inputs(
    module: Callable[..., Tensor], batch: Batch, reference: ResponseLogps | None = None
) -> LossInputs:
    """What a loss sees of a batch; with a reference also the divergence from it."""
    if reference is None:
        logp_BT, kl_BT = module(batch), None
    else:
        logp_BT, kl_BT = module(batch, reference.predictions(batch))
    return LossInputs(logp_BT, batch.reference_logp_BT, batch.mask_BT, batch.weights_B, kl_BT)


def response_logps(model: Any, packed: bool, longest: int = 0) -> ResponseLogps:
    """The checked module for a fp32 model: its log-probs equal the model's own logits'.

    `longest`: tokens of the longest sequence it will read; where attention is cut off before, the
    check reads as far. Raises UserError for an architecture that this way does not reproduce.
    """
    traits = traits_of_model(model)
    if packed and not traits.packs:
        raise UserError(
            f"{model.config.architectures}: {traits.why_not_packed}, so sequences cannot lie end "
            "to end in one row; set training.packing to false"
        )
    random = torch.Generator().manual_seed(0)
    vocabulary = model.get_input_embeddings().num_embeddings
    probes = [_probe(vocabulary, n, random) for n in _probe_lengths(traits, longest)]
    expected = torch.cat([_own_logps(model, probe) for probe in probes])
    attend(model, packed)
    module = ResponseLogps(model)
    batch = collate(probes, packed).to(model.device)
    with torch.no_grad():
        difference = (module(batch)[batch.mask_BT] - expected).abs().max().item()
    if not difference <= TOLERANCE:
        advice = "set training.packing to false" if packed else "its head is not a plain one"
        raise UserError(
            f"{model.config.architectures}: log-probs differ by {difference:.2g} nats from the "
            f"model's own forward pass; {advice}"
        )
    return module


def attend(model: Any, packed: bool) -> None:
    """Switch a model's attention to packed rows, or to padded ones."""
    if packed:
        model.set_attn_implementation(PACKED)
    else:
        attend_plainly(model)


def _probe_lengths(traits: Traits, longest: int) -> tuple[int, int]:
    """Tokens of the two sequences that are checked: beyond the reach of attention, if any will."""
    if traits.reach is None or traits.reach >= longest:
        return 13, 8
    return max(13, min(longest, traits.reach + 16)), 8


def _pieces(head: nn.Module, hidden_ND: Tensor) -> int:
    """In how many pieces, which differ by one position at most, the positions go through it."""
    if is_cut_up(head):
        return PIECES
    return max(1, math.ceil(len(hidden_ND) / CHUNK[hidden_ND.device.type]))


def _probe(vocabulary: int, tokens: int, random: torch.Generator) -> TrainingExample:
    ids = torch.randint(vocabulary, (tokens,), generator=random).tolist()
    return TrainingExample("", 0, tuple(ids), prompt_tokens=3, weight=1.0, reference_logps=())


@torch.no_grad()
def _own_logps(model: Any, probe: TrainingExample) -> Tensor:
    ids = torch.tensor([probe.input_ids], device=model.device)
    logits: Tensor = model(input_ids=ids, use_cache=False).logits[0, probe.prompt_tokens - 1 : -1]
    target = ids[0, probe.prompt_tokens :, None]
    logps: Tensor = logits.float().log_softmax(-1).gather(1, target).flatten()
    return logps


def token_logps(head: nn.Module, rule: LogitRule, hidden_ND: Tensor, target_N: Tensor) -> Tensor:
    """log softmax(head(hidden)) at the targets, (N,), fp32."""
    return log_softmax(rule.capped(head(hidden_ND))).gather(1, target_N[:, None])[:, 0]


def log_softmax(logits_NV: Tensor) -> Tensor:
    """As torch's, whose CPU kernel sums exponentials one by one: over 49,152 tokens it is off by
    2e-5 nats, and the gradient by 1e-4 of its size (bench.train_step)."""
    if logits_NV.is_cpu:
        return logits_NV - logits_NV.logsumexp(dim=-1, keepdim=True)
    return logits_NV.log_softmax(dim=-1)


def logps_and_divergence(
    head: nn.Module,
    rule: LogitRule,
    hidden_ND: Tensor,
    target_N: Tensor,
    reference_head: nn.Module,
    reference_ND: Tensor,
) -> Tensor:
    """As `token_logps`, and KL(reference || model) at each position: (2, N), fp32."""
    logps_NV = log_softmax(rule.capped(head(hidden_ND)))
    with torch.no_grad():
        expected_NV = log_softmax(rule.capped(reference_head(reference_ND)))
    kl_N = (expected_NV.exp() * (expected_NV - logps_NV)).sum(dim=-1)
    return torch.stack([logps_NV.gather(1, target_N[:, None])[:, 0], kl_N])


def _spread(values_N: Tensor, mask_BT: Tensor) -> Tensor:
    """(..., N) values of the response tokens at their places in (..., B, T), 0 off the mask."""
    shape = (*values_N.shape[:-1], *mask_BT.shape)
    zeros = torch.zeros(shape, dtype=torch.float32, device=mask_BT.device)
    return zeros.masked_scatter(mask_BT.expand(shape), values_N.to(mask_BT.device))
