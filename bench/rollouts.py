"""Speed of sampling: this project's engines against the libraries' own entry points.

    python -m bench.rollouts --problems 16 --samples 4 --max-new-tokens 64 --turns 3

Everything samples the same prompts with the same settings and takes turns in one process, so that
a busy machine slows them alike: stock `model.generate` on padded batches, the transformers engine,
bare `LLM.generate`, and `sampling.sample` over the vllm engine (decoding, seeds, records and all).
Prints JSON: tokens/s (median over turns) and the ratios that matter.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForCausalLM

from rasft import plugins
from rasft.config.chat import ChatConfig
from rasft.config.settings import ModelConfig, PromptConfig
from rasft.data.source import Source
from rasft.decoding.engine import EngineOptions, Request, Sampling
from rasft.models import sources
from rasft.models.language_model import DTYPES
from rasft.models.renderer import Renderer, open_renderer
from rasft.stages import sampling

SYSTEM = r"Please reason step by step, and put your final answer within \boxed{}."
SEED = 0
PAD = 0  # a token that responses do not hold
Contender = Callable[[], int]  # samples everything once; returns the tokens written


class Work:
    """The prompts and settings that every contender gets."""

    def __init__(self, folder: Path, options: argparse.Namespace):
        self.renderer: Renderer = open_renderer(
            folder, {"math": PromptConfig(system=SYSTEM)}, ChatConfig()
        )
        source = Source(limit=options.problems, seed=SEED)
        self.problems = list(plugins.load("datasets", "generated_math").load(source))
        self.samples = options.samples
        self.sampling = Sampling(0.9, options.top_p, options.max_new_tokens, 1.0)
        longest = max(len(self.renderer.prompt_ids(problem)) for problem in self.problems)
        self.engine = EngineOptions(
            dtype=options.dtype,
            max_model_len=longest + options.max_new_tokens,
            max_sequences=options.max_sequences,
            stop_token_ids=self.renderer.stop_token_ids,
        )

    def requests(self) -> list[Request]:
        return [
            Request(self.renderer.prompt_ids(p), sampling.seed_of(SEED, p.id, index))
            for p in self.problems
            for index in range(self.samples)
        ]

    def ours(self, engine: Any) -> int:
        wanted = sampling.each(self.problems, range(self.samples))
        rows = sampling.sample(wanted, self.renderer, engine, self.sampling, SEED)
        return sum(len(row.token_ids) for row in rows)


def stock_generate(folder: Path, work: Work) -> Contender:
    """`model.generate` over length-sorted padded batches of `max_sequences`."""
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=DTYPES[work.engine.dtype])
    eos = work.renderer.stop_token_ids[0]
    prompts = sorted((request.prompt_ids for request in work.requests()), key=len)

    def batch(some: list[tuple[int, ...]]) -> int:
        width = max(map(len, some))
        ids = torch.tensor([[eos] * (width - len(prompt)) + list(prompt) for prompt in some])
        mask = torch.tensor([[0] * (width - len(p)) + [1] * len(p) for p in some])
        written = model.generate(
            ids,
            attention_mask=mask,
            do_sample=True,
            top_k=0,
            temperature=work.sampling.temperature,
            top_p=work.sampling.top_p,
            max_new_tokens=work.sampling.max_new_tokens,
            eos_token_id=eos,
            pad_token_id=PAD,
        )[:, width:]
        return int((written != PAD).sum())

    size = work.engine.max_sequences
    return lambda: sum(batch(prompts[i : i + size]) for i in range(0, len(prompts), size))


def bare_vllm(engine: Any, work: Work) -> Contender:
    """`LLM.generate` itself, on the engine's own LLM and requests."""
    requests = work.requests()
    prompts = [{"prompt_token_ids": list(request.prompt_ids)} for request in requests]
    parameters = [engine.parameters(request, work.sampling) for request in requests]

    def sample() -> int:
        outputs = engine.llm.generate(prompts, parameters, use_tqdm=False)
        return sum(len(output.outputs[0].token_ids) for output in outputs)

    return sample


def contenders(
    folder: Path, work: Work, names: list[str], stack: ExitStack
) -> dict[str, Contender]:
    """Load what is asked for; the stack frees it."""
    found: dict[str, Contender] = {}
    if "generate" in names:
        found["stock generate"] = stock_generate(folder, work)
    for name in ("transformers", "vllm"):
        if name not in names:
            continue
        plugin = plugins.load("engines", name)
        engine = stack.enter_context(plugin.open_engine(str(folder), work.engine))
        found[f"{name} engine"] = lambda engine=engine: work.ours(engine)
        if name == "vllm":
            found["bare LLM.generate"] = bare_vllm(engine, work)
    return found


def refresh(folder: Path, work: Work, turns: int) -> dict[str, float]:
    """Seconds of a new vLLM, and of new weights in a running one; the ratio of the two."""
    plugin = plugins.load("engines", "vllm")
    start = time.perf_counter()
    with plugin.open_engine(str(folder), work.engine) as engine:
        opened = time.perf_counter() - start
        seconds = []
        for _ in range(turns):
            start = time.perf_counter()
            engine.reload(str(folder))
            seconds.append(time.perf_counter() - start)
    reloaded = statistics.median(seconds)
    return {"new": opened, "reload": reloaded, "new / reload": opened / reloaded}


def measure(found: dict[str, Contender], turns: int) -> dict[str, float]:
    """Median tokens/s of each over the turns, after one turn that is not counted."""
    speeds: dict[str, list[float]] = {name: [] for name in found}
    for turn in range(turns + 1):
        for name, sample in found.items():
            start = time.perf_counter()
            tokens = sample()
            if turn:
                speeds[name].append(tokens / (time.perf_counter() - start))
    return {name: statistics.median(values) for name, values in speeds.items()}


def ratios(speeds: dict[str, float]) -> dict[str, float]:
    pairs = [
        ("transformers engine", "stock generate"),
        ("vllm engine", "bare LLM.generate"),
        ("vllm engine", "transformers engine"),
        ("vllm engine", "stock generate"),
    ]
    return {
        f"{one} / {other}": round(speeds[one] / speeds[other], 3)
        for one, other in pairs
        if one in speeds and other in speeds
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="embedded:smollm2-135m")
    parser.add_argument("--problems", type=int, default=16)
    parser.add_argument("--samples", type=int, default=4)
    parser.add_argument("--max-new-tokens", type=int, default=64)
    parser.add_argument("--max-sequences", type=int, default=64)
    parser.add_argument("--top-p", type=float, default=0.95)
    parser.add_argument("--dtype", choices=sorted(DTYPES), default="bfloat16")
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--refresh", action="store_true", help="also new weights in vLLM")
    parser.add_argument("--engines", default="generate,transformers,vllm")
    options = parser.parse_args()
    folder = sources.resolve(ModelConfig(path=options.model))
    work = Work(folder, options)
    with ExitStack() as stack:
        found = contenders(folder, work, options.engines.split(","), stack)
        speeds = measure(found, options.turns)
    loads = refresh(folder, work, options.turns) if options.refresh else {}
    settings = vars(options) | {"prompt_tokens": len(work.requests()[0].prompt_ids)}
    tokens = {name: round(speed, 1) for name, speed in speeds.items()}
    found_all = {"settings": settings, "tokens/s": tokens, "ratios": ratios(speeds)}
    print(json.dumps(found_all | {"refresh, s": loads}, indent=2))


if __name__ == "__main__":
    main()
