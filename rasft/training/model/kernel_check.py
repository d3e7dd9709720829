"""Whether a faster way says what the plain way says: tried on a small example before it is used.

In a thread of its own: the question may come up inside a layer whose tensors are being recorded, or
in inference mode, and neither reaches another thread.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import torch
from torch import Tensor

Way = Callable[..., Tensor]


def agrees(name: str, fast: Way, plain: Way, inputs: Sequence[Tensor], tolerance: float) -> bool:
    """Whether both give the same values and gradients, within `tolerance` of the largest.

    Where they do not, or the fast way does not run, a line says so.
    """
    with ThreadPoolExecutor(1) as pool:
        fault = pool.submit(_fault, fast, plain, inputs, tolerance).result()
    if fault:
        print(f"{name} is not used: {fault}", flush=True)
    return fault is None


def _fault(fast: Way, plain: Way, inputs: Sequence[Tensor], tolerance: float) -> str | None:
    expected = _values(plain, inputs)
    try:
        apart = _apart(_values(fast, inputs), expected)
    except Exception as error:  # each kernel's library and compiler raises its own
        return f"it fails here: {error}"
    return None if apart <= tolerance else f"it is off by {apart:.2g} here"


def _values(way: Way, inputs: Sequence[Tensor]) -> list[Tensor]:
    """The values, and the gradients of a sum in which each of them weighs differently."""
    inputs = [tensor.clone().requires_grad_() for tensor in inputs]
    value = way(*inputs)
    above = torch.linspace(-1, 1, value.numel(), device=value.device).reshape(value.shape)
    return [value.detach(), *torch.autograd.grad(value, inputs, above.to(value.dtype))]


def _apart(got: Sequence[Tensor], expected: Sequence[Tensor]) -> float:
    pairs = [(a.float(), b.float()) for a, b in zip(got, expected, strict=True)]
    worst = torch.stack([(a - b).abs().max() / b.abs().max() for a, b in pairs])
    return float(worst.max())  # NaN if any is
