"""Hidden states -> log-probs of the target tokens by a fused linear cross-entropy, on a CPU.

    z = W h,   log p(y) = z_y - logsumexp(z),   d log p(y) / dz = onehot(y) - softmax(z)

The logits of `ROWS` positions exist at a time, in the compute dtype, and are computed again in the
backward pass, where their gradient takes their place. Softmax is in fp32, over `TILE` rows at a
time, which stay in the caches. What a chain of torch's own operations spends on a CPU is not the
products but the passes over memory: copies of the logits in fp32, and a gradient of the whole head
for each chunk, allocated, cast and added.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from rasft.training.model import liger
from rasft.training.model.liger import liger_logps
from rasft.training.model.precision import compute_dtype
from rasft.training.model.zero3 import is_cut_up

ROWS = 512  # positions whose logits exist together: the head's gradient is added to so seldom
TILE = 32  # of them in fp32


class FusedLogps(torch.autograd.Function):
    """(N, D) hidden states, (V, D) weights, (N,) targets -> (N,) fp32 log-probs, nats."""

    @staticmethod
    def forward(ctx: Any, hidden_ND: Tensor, weight_VD: Tensor, target_N: Tensor) -> Tensor:
        """Keeps the normalisers, not the logits."""
        weight_dtype, hidden_dtype = weight_VD.dtype, hidden_ND.dtype
        compute = compute_dtype(hidden_ND)
        hidden_ND, weight_VD = hidden_ND.to(compute), weight_VD.to(compute)
        logp_N = torch.empty(len(target_N), dtype=torch.float32)
        lse_N = torch.empty_like(logp_N)
        for rows in _slices(0, len(target_N), ROWS):
            logits = hidden_ND[rows] @ weight_VD.T
            for tile in _slices(rows.start, rows.stop, TILE):
                z = logits[tile.start - rows.start : tile.stop - rows.start].float()
                lse_N[tile] = z.logsumexp(dim=1)
                logp_N[tile] = z.gather(1, target_N[tile, None])[:, 0] - lse_N[tile]
        ctx.save_for_backward(hidden_ND, weight_VD, target_N, lse_N)
        ctx.dtypes = hidden_dtype, weight_dtype
        return logp_N

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor | None, None]:
        """Of the sum of log-probs weighted by the upstream gradient (N,)."""
        hidden_ND, weight_VD, target_N, lse_N = ctx.saved_tensors
        hidden_dtype, weight_dtype = ctx.dtypes
        wanted = ctx.needs_input_grad[1]
        grad_ND = torch.empty_like(hidden_ND)
        grad_VD = torch.zeros(weight_VD.shape, dtype=weight_dtype) if wanted else None
        for rows in _slices(0, len(target_N), ROWS):
            grad_RV = hidden_ND[rows] @ weight_VD.T
            for tile in _slices(rows.start, rows.stop, TILE):
                part = grad_RV[tile.start - rows.start : tile.stop - rows.start]
                part.copy_(_logit_gradient(part, target_N[tile], lse_N[tile], gradients[0][tile]))
            grad_ND[rows] = grad_RV @ weight_VD
            if grad_VD is not None:
                grad_VD += grad_RV.T @ hidden_ND[rows]
        return grad_ND.to(hidden_dtype), grad_VD, None


def fused_for(head: nn.Module) -> Callable[[Tensor, Tensor, Tensor], Tensor] | None:
    """The fused way for a head: this one on a CPU, liger-kernel's on a GPU; None where there is
    none, or where the head is not a plain product with a whole matrix (a shard of one is not)."""
    plain = type(head) is nn.Linear and head.bias is None
    if not plain or not _is_whole(head):
        return None
    weight: Any = head.weight
    if weight.device.type == "cpu":
        return fused_logps
    on_gpu = weight.device.type == "cuda"
    return liger_logps if on_gpu and liger.fits(weight.device, compute_dtype(weight)) else None


def _is_whole(head: Any) -> bool:
    shape = (head.out_features, head.in_features)
    plain = type(head.weight) is nn.Parameter and head.weight.shape == shape
    return plain and not is_cut_up(head)


def fused_logps(hidden_ND: Tensor, weight_VD: Tensor, target_N: Tensor) -> Tensor:
    """log softmax(hidden @ weight.T) at the targets, (N,), fp32; all tensors on the CPU."""
    logp_N: Tensor = FusedLogps.apply(hidden_ND, weight_VD, target_N)  # type: ignore[no-untyped-call]
    return logp_N


def _logit_gradient(z: Tensor, target: Tensor, lse: Tensor, upstream: Tensor) -> Tensor:
    """upstream * (onehot - softmax(z)), fp32."""
    grad = z.float().sub_(lse[:, None]).exp_().mul_(-upstream[:, None])
    return grad.scatter_add_(1, target[:, None], upstream[:, None])


def _slices(start: int, stop: int, size: int) -> list[slice]:
    return [slice(i, min(i + size, stop)) for i in range(start, stop, size)]
