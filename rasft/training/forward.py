"""Model and batch -> log pi_theta of each response token: the one way, for scoring and training.

Only the positions that predict a response token go through the head, a chunk at a time, and each
chunk's logits are computed again in the backward pass: no tensor of all positions times the
vocabulary exists. Softmax in fp32, since a log-prob read from bf16 logits' softmax may be far off.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from rasft.errors import UserError
from rasft.records import TrainingExample
from rasft.training.attention import PACKED
from rasft.training.batching import Batch, collate

# Response positions that go through the head together. A CPU is fastest when a chunk's logits
# stay near its caches (measured), a GPU when the head's gradient is seldom added to.
CHUNK = {"cpu": 128, "cuda": 1024}
TOLERANCE = 1e-3  # nats: agreement with the model's own forward pass, in fp32


class ResponseLogps(nn.Module):
    """A causal language model as a function from a batch to (B, T) fp32 log-probs, 0 off the mask.

    It is a module so that wrappers that gather gradients or shards see one forward pass. Build it
    by `response_logps`, which checks it.
    """

    def __init__(self, model: Any):
        super().__init__()
        self.model = model

    def forward(self, batch: Batch) -> Tensor:
        """Log-probs of the response tokens, nats."""
        hidden_ND = self._hidden(batch).index_select(0, batch.source_N)
        size = CHUNK[hidden_ND.device.type]
        chunks = zip(torch.split(hidden_ND, size), torch.split(batch.target_N, size), strict=True)
        logp_N = torch.cat([self._chunk(hidden, target) for hidden, target in chunks])
        zeros_BT = torch.zeros(batch.mask_BT.shape, dtype=torch.float32, device=logp_N.device)
        return zeros_BT.masked_scatter(batch.mask_BT, logp_N)

    def _hidden(self, batch: Batch) -> Tensor:
        """Last hidden states of all positions, flattened to (R * S, D)."""
        mask = batch.attention_mask_RS
        extent = {"sequence_lengths": batch.lengths} if mask is None else {"attention_mask": mask}
        output = self.model.base_model(
            input_ids=batch.input_ids_RS,
            position_ids=batch.position_ids_RS,
            use_cache=False,
            **extent,
        )
        return output.last_hidden_state.flatten(0, 1)  # type: ignore[no-any-return]

    def _chunk(self, hidden_ND: Tensor, target_N: Tensor) -> Tensor:
        head = self.model.get_output_embeddings()
        if not torch.is_grad_enabled():
            return token_logps(head, hidden_ND, target_N)
        logp_N: Tensor = checkpoint(token_logps, head, hidden_ND, target_N, use_reentrant=False)
        return logp_N


def response_logps(model: Any, packed: bool) -> ResponseLogps:
    """The checked module for a fp32 model: its log-probs equal the model's own logits'.

    Raises UserError for an architecture whose head or attention this way does not reproduce.
    """
    random = torch.Generator().manual_seed(0)
    vocabulary = model.get_input_embeddings().num_embeddings
    probes = [_probe(vocabulary, tokens, random) for tokens in (13, 8)]
    expected = torch.cat([_own_logps(model, probe) for probe in probes])
    if packed:
        model.set_attn_implementation(PACKED)
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


def token_logps(head: nn.Module, hidden_ND: Tensor, target_N: Tensor) -> Tensor:
    """log softmax(head(hidden)) at the targets, (N,), fp32."""
    logits_NV: Tensor = head(hidden_ND)
    return logits_NV.float().log_softmax(dim=-1).gather(1, target_N[:, None])[:, 0]
