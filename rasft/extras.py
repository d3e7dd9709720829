"""What the base environment lacks: the extras of pyproject.toml, and what each would bring."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass

from rasft.errors import UserError


@dataclass(frozen=True)
class Extra:
    """One extra: the module it installs, what it is for, and the lock that has its versions."""

    module: str
    brings: str
    lock: str = "cuda"


EXTRAS = {
    "vllm": Extra("vllm", "rollout.engine: vllm, fast sampling on a GPU"),
    "liger": Extra("liger_kernel", "a fused head on a GPU, which takes less memory"),
    "deepspeed": Extra("deepspeed", "training.launcher: deepspeed_zero3"),
    "qlora": Extra("bitsandbytes", "training.lora.quantize, adapters on 4-bit weights"),
    "openai": Extra("openai", "rollout.engine: openai, a vLLM server that already runs", "cpu"),
    "kubernetes": Extra("kubernetes", "run --with kubernetes", "cpu"),
}


def installed(name: str) -> bool:
    """Whether the extra is here. Nothing is imported."""
    return importlib.util.find_spec(EXTRAS[name].module) is not None


def advice(name: str) -> str:
    """How to install the extra."""
    return f"run pip install -c locks/{EXTRAS[name].lock}.txt -e '.[{name}]'"


def require(name: str, what: str) -> None:
    """Raise UserError, which names `what` asks for the extra, where it is not installed."""
    if not installed(name):
        raise UserError(f"{what} needs the extra {name}, which is not installed: {advice(name)}")
