"""Speed of sampling: our engine, transformers' `generate` and vLLM, as a share of the memory's.

Qwen2.5 1.5B's shape with random weights in bf16, prompts of 128 tokens, 256 new ones each: nothing
ends before, so all sample equally much. A step of S sequences reads all weights and the keys and
values of S contexts; at the card's bandwidth it takes no less than

    (bytes of weights + S x mean context x layers x 2 x key heads x head size x 2) / bandwidth
"""

from __future__ import annotations

import gc
import random
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForCausalLM

from bench.gpu import card, flops, shapes, small
from bench.gpu.card import Peak
from bench.gpu.part import NotAvailable, Part, main
from bench.gpu.shapes import Shape
from rasft import extras, plugins
from rasft.decoding.engine import EngineOptions, Request, Sampling
from rasft.models.language_model import load_tokenizer

BYTES = 2  # of a number in bf16
GOAL = ">= 0.5"


@dataclass(frozen=True)
class Size:
    """How much is sampled."""

    sequences: tuple[int, ...]
    prompt: int  # tokens
    new: int


FULL, TOY = Size((128, 512), 128, 256), Size((4, 8), 12, 8)


def measure(part: Part) -> None:
    """Each number of sequences, the largest first; ours before the others."""
    shape, size = (shapes.QWEN_15B, FULL)
    if part.rehearse:
        shape, size = shapes.toy(shape), TOY
    peak = card.peak()
    part.add("peak: memory bandwidth", peak.bandwidth / 1e12, f"TB/s ({peak.source})")
    with tempfile.TemporaryDirectory() as scratch:
        model = shapes.build(shapes.config_of(shape), card.device(), torch.bfloat16)
        model.save_pretrained(scratch)
        del model
        load_tokenizer(small.model(Path(scratch) / "small")).save_pretrained(scratch)  # for vLLM
        for name, sampler in (("our engine", ours), ("generate", stock), ("vLLM", vllm)):
            for sequences in sorted(size.sequences, reverse=True):
                what = f"{name}, {sequences} sequences"
                run = partial(sampler, Path(scratch), requests(sequences, size, shape), size)
                part.attempt(what, partial(_measured, part, what, run, shape, peak, size))


def requests(sequences: int, size: Size, shape: Shape) -> list[Request]:
    """Random prompts that share nothing, each with its seed."""
    draw = random.Random(0)
    return [
        Request(tuple(draw.choices(range(3, shape.vocabulary), k=size.prompt)), seed)
        for seed in range(sequences)
    ]


def _measured(
    part: Part,
    what: str,
    run: Callable[[], tuple[int, float]],
    shape: Shape,
    peak: Peak,
    size: Size,
) -> None:
    """The rows of one sampler; `run` gives (tokens, seconds)."""
    sequences = int(what.split()[-2])
    tokens, seconds = run()
    limit = sequences * peak.bandwidth / read_in_step(shape, sequences, size.prompt + size.new / 2)
    counts = what.startswith("our") and sequences == max(size.sequences)
    part.add(f"{what}: speed", tokens / seconds, "tokens/s")
    part.add(
        f"{what}: share of the bandwidth limit",
        tokens / seconds / limit,
        goal=part.on_gpu(GOAL) if counts else "",
    )


def read_in_step(shape: Shape, sequences: int, context: float) -> float:
    """Bytes of weights, and of keys and values of all contexts (tokens)."""
    cached = sequences * context * shape.layers * 2 * shape.groups * shape.head_size
    return BYTES * (flops.parameters(shape) + cached)


def ours(folder: Path, wanted: list[Request], size: Size) -> tuple[int, float]:
    """The transformers engine, in this process."""
    return _engine("transformers", folder, wanted, size)


def vllm(folder: Path, wanted: list[Request], size: Size) -> tuple[int, float]:
    """The vllm engine. Raises NotAvailable where it cannot run."""
    if not extras.installed("vllm"):
        raise NotAvailable("vllm is not installed")
    if obstacle := plugins.load("engines", "vllm").available():
        raise NotAvailable(obstacle)
    if not torch.cuda.is_available():
        raise NotAvailable("vLLM is compared on a GPU alone")
    return _engine("vllm", folder, wanted, size)


def _engine(name: str, folder: Path, wanted: list[Request], size: Size) -> tuple[int, float]:
    """Sample by an engine plugin."""
    options = EngineOptions("bfloat16", size.prompt + size.new, len(wanted))
    with plugins.load("engines", name).open_engine(str(folder), options) as engine:

        def sample(new: int) -> int:
            found = engine.generate(wanted, Sampling(1.0, 1.0, new))
            return sum(len(completion.token_ids) for _, completion in found)

        return _timed(sample, size.new)


def stock(folder: Path, wanted: list[Request], size: Size) -> tuple[int, float]:
    """`generate` of transformers with its defaults, all sequences in one batch."""
    model: Any = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.bfloat16)
    model.to(card.device()).eval()
    ids = torch.tensor([request.prompt_ids for request in wanted], device=model.device)

    def sample(new: int) -> int:
        written = model.generate(
            ids,
            attention_mask=torch.ones_like(ids),
            do_sample=True,
            top_k=0,
            max_new_tokens=new,
            min_new_tokens=new,
            pad_token_id=0,
        )
        return int(written[:, size.prompt :].numel())

    return _timed(sample, size.new)


def _timed(sample: Callable[[int], int], new: int) -> tuple[int, float]:
    """Tokens and seconds of sampling so many new tokens a sequence, after a short turn."""
    sample(max(2, new // 16))
    gc.collect()
    card.synchronise()
    start = time.perf_counter()
    tokens = sample(new)
    card.synchronise()
    return tokens, time.perf_counter() - start


if __name__ == "__main__":
    main("sampling", measure, __doc__)
