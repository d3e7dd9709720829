"""Whether every way to log-probs and gradients says the same, and a training what it should.

Two layers at the widths of known models, random weights. fp32 is compared with the model's own
forward pass; in bf16 each way's distance from fp32 is a multiple of the plain way's own.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from functools import partial

import torch

from bench.gpu import adapters, card, halving, lengths, resuming, scored, shapes, ways
from bench.gpu.part import NotAvailable, Part, main
from bench.gpu.shapes import Shape
from bench.gpu.ways import Way
from rasft.training.model import liger
from rasft.training.model.compiling import compile_layers
from rasft.training.model.forward import response_logps

LENGTHS = ((37, 150), (12, 61), (90, 301), (5, 17), (200, 130))
FP32, BF16 = "<= 1e-4", "<= 1.2"


def measure(part: Part) -> None:
    """All checks, the quickest and most telling first."""
    for name, shape in shapes.SHAPES.items():
        part.attempt(name, partial(compare, part, name, shape, ways.WAYS))
    part.attempt("kernel check", lambda: tried(part))
    for name, check in _trainings().items():
        part.attempt(name, partial(check, part))
    for name, shape in list(shapes.SHAPES.items())[: 1 if part.rehearse else None]:
        part.attempt(f"{name}, compiled", partial(compare, part, name, shape, (ways.COMPILED,)))


def _trainings() -> dict[str, Callable[[Part], None]]:
    return {
        "scoring and training": scored.compare,
        "checkpoint and resume": resuming.compare,
        "out of memory": halving.compare,
        "QLoRA": adapters.compare,
    }


def compare(part: Part, name: str, shape: Shape, wanted: tuple[Way, ...]) -> None:
    """Each way against the plain one, in both precisions."""
    size = shapes.toy(shape) if part.rehearse else shape
    model = shapes.build(shapes.config_of(size, layers=2), card.device())
    rows = lengths.sequences(lengths.TOY if part.rehearse else LENGTHS, size.vocabulary)
    module = response_logps(model, packed=False)
    if any(way.compiled for way in wanted):
        with ways.traced() if part.rehearse else nullcontext():
            compile_layers(model)
    exact = ways.plain(model, rows, torch.float32)
    rounded = ways.plain(model, rows, torch.bfloat16).off(exact)

    def fp32(what: str, way: Way) -> None:
        logps, gradients = ways.ours(module, rows, way, torch.float32).off(exact)
        part.add(f"{what}, fp32 log-probs", logps, "nats", FP32)
        part.add(f"{what}, fp32 gradient", gradients, "relative", FP32)

    def bf16(what: str, way: Way) -> None:
        logps, gradients = ways.ours(module, rows, way, torch.bfloat16).off(exact)
        part.add(f"{what}, bf16 log-probs", logps / rounded[0], "x plain bf16's", BF16)
        part.add(f"{what}, bf16 gradient", gradients / rounded[1], "x plain bf16's", BF16)

    for way in wanted:
        what = f"{name}: {way.name}"
        part.attempt(f"{what}, fp32", partial(fp32, what, way))
        part.attempt(f"{what}, bf16", partial(bf16, what, way))


def tried(part: Part) -> None:
    """What `kernel_check` picks on this device."""
    device = card.device()
    if device.type == "cpu":
        raise NotAvailable("there is no GPU: neither kernel is asked for")
    for name, shape in shapes.SHAPES.items():
        fits = ways.kernel_fits(shapes.config_of(shape), device, torch.bfloat16)
        part.add(f"kernel check: varlen_attn, {name}", _used(fits), goal="used")
    if not liger.installed():
        raise NotAvailable("liger-kernel is not installed")
    for dtype in (torch.float32, torch.bfloat16):
        fits = liger.fits(device, dtype)
        part.add(f"kernel check: liger's head, {dtype}", _used(fits), goal="used")


def _used(fits: bool) -> str:
    return "used" if fits else "not used"


if __name__ == "__main__":
    main("equality", measure, __doc__)
