"""The ways from tokens to log-probs and gradients that are to say the same."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any
from unittest import mock

import torch
from torch import Tensor

from bench import authors_step
from bench.gpu.part import NotAvailable
from rasft.models.language_model import attend_plainly
from rasft.records import TrainingExample
from rasft.training.model import flash, forward, head
from rasft.training.model.attention import one_by_one
from rasft.training.model.batching import collate


@dataclass(frozen=True)
class Way:
    """How our forward pass goes; without any of these it is padded, with the head by chunks."""

    name: str
    packed: bool = False
    kernel: bool = False  # FlashAttention over the packed row
    fused: bool = False  # the device's fused head
    compiled: bool = False


WAYS = (
    Way("padded, head by chunks"),
    Way("packed, each sequence alone", packed=True),
    Way("packed, varlen kernel", packed=True, kernel=True),
    Way("packed, fused head", packed=True, fused=True),
    Way("packed, varlen kernel, fused head", packed=True, kernel=True, fused=True),
)
COMPILED = Way("packed, fused head, compiled layers", packed=True, fused=True, compiled=True)


@dataclass(frozen=True)
class Values:
    """Log-probs (N,) of all response tokens, nats, and the gradient of each parameter."""

    logp_N: Tensor
    gradients: list[Tensor]

    def off(self, exact: Values) -> tuple[float, float]:
        """Distance of log-probs (root mean square, nats) and of gradients (relative norm)."""
        logps = (self.logp_N - exact.logp_N).square().mean().sqrt()
        pairs = list(zip(self.gradients, exact.gradients, strict=True))
        apart = sum((a - b).square().sum(dtype=torch.float64) for a, b in pairs)
        whole = sum(b.square().sum(dtype=torch.float64) for _, b in pairs)
        return float(logps), float((apart / whole) ** 0.5)


def plain(model: Any, rows: Sequence[TrainingExample], dtype: torch.dtype) -> Values:
    """The model's own forward pass: each sequence alone, all logits."""
    attend_plainly(model)

    def parts() -> Iterator[Tensor]:
        for row in rows:
            batch = collate([row], packed=False).to(model.device)
            yield authors_step.response_part(authors_step.full_logps(model, batch), [row])[0]

    with eager():
        return _values(model, rows, parts(), dtype)


def ours(module: Any, rows: Sequence[TrainingExample], way: Way, dtype: torch.dtype) -> Values:
    """Our forward pass. Raises NotAvailable for a kernel that is not there, or was found wrong."""
    check(way, module.model, dtype)
    forward.attend(module.model, way.packed)
    batch = collate(rows, way.packed).to(module.model.device)

    def parts() -> Iterator[Tensor]:
        yield module(batch)[batch.mask_BT]

    with chosen(way):
        return _values(module.model, rows, parts(), dtype)


def _values(
    model: Any, rows: Sequence[TrainingExample], parts: Iterator[Tensor], dtype: torch.dtype
) -> Values:
    """Gradients of a sum in which each token weighs as its sequence and place say."""
    model.zero_grad(set_to_none=True)
    tokens = sum(len(row.input_ids) - row.prompt_tokens for row in rows)
    above_N = torch.linspace(0.1, 1.0, tokens, device=model.device) / tokens
    with torch.autocast(model.device.type, dtype, dtype != torch.float32):
        logp_N = torch.cat(list(parts))
    (logp_N * above_N).sum().backward()
    gradients = [p.grad.clone() for p in model.parameters() if p.grad is not None]
    model.zero_grad(set_to_none=True)
    return Values(logp_N.detach(), gradients)


def check(way: Way, model: Any, dtype: torch.dtype) -> None:
    """Raise NotAvailable where the trial of a kernel does not let it be used."""
    with torch.autocast(model.device.type, dtype, dtype != torch.float32):
        if way.kernel and not kernel_fits(model.config, model.device, dtype):
            raise NotAvailable("the varlen kernel is for half precision on a GPU")
        if way.fused and head.fused_for(model.get_output_embeddings()) is None:
            raise NotAvailable("no fused head for this device is installed")


def kernel_fits(config: Any, device: torch.device, dtype: torch.dtype) -> bool:
    """Whether `kernel_check` lets packed attention of this shape go through the kernel."""
    heads, groups = config.num_attention_heads, config.num_key_value_heads
    size = getattr(config, "head_dim", None) or config.hidden_size // heads
    query, key = (torch.empty(1, count, 1, size, device=device) for count in (heads, groups))
    return flash.fits(query, key, dtype, one_by_one)


@contextmanager
def chosen(way: Way) -> Iterator[None]:
    """Our forward pass with this way's parts alone."""
    with ExitStack() as stack:
        if not way.kernel:
            stack.enter_context(mock.patch.object(flash, "fits", return_value=False))
        if not way.fused:
            stack.enter_context(mock.patch.object(forward, "fused_for", return_value=None))
        if not way.compiled:
            stack.enter_context(eager())
        yield


def eager() -> Any:
    """Compiled layers run as they were written."""
    return torch.compiler.set_stance("force_eager")


@contextmanager
def traced() -> Iterator[None]:
    """For a rehearsal: layers are traced as for compiling, and run as they were traced."""
    whole = torch.nn.Module.compile

    def trace(layer: torch.nn.Module, **options: Any) -> None:
        whole(layer, **options, backend="eager")

    with mock.patch.object(torch.nn.Module, "compile", trace):
        yield
