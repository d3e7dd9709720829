"""The card: its name and what it could do at most."""

from __future__ import annotations

import platform
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch

# Name -> dense bf16 FLOP/s and bytes/s of its data sheet; the first name that fits is taken.
DATA_SHEETS = {
    "B200": (2250e12, 8.0e12),
    "H200": (989e12, 4.8e12),
    "H100 PCIe": (756e12, 2.0e12),
    "H100 NVL": (835e12, 3.9e12),
    "H100": (989e12, 3.35e12),
    "A100-SXM4-80GB": (312e12, 2.039e12),
    "A100": (312e12, 1.555e12),
    "L40S": (362e12, 0.864e12),
    "L40": (181e12, 0.864e12),
    "L4": (121e12, 0.3e12),
    "A10": (125e12, 0.6e12),
    "RTX 4090": (165e12, 1.008e12),
}


@dataclass(frozen=True)
class Peak:
    """The most a card does: dense bf16 FLOP/s, and bytes/s of its memory."""

    flops: float
    bandwidth: float
    source: str


def device() -> torch.device:
    """The GPU, else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def name() -> str:
    """What the driver, or the system, calls it."""
    if torch.cuda.is_available():
        return str(torch.cuda.get_device_name())
    return f"none; CPU {platform.processor() or platform.machine()}"


def peak() -> Peak:
    """By the card's name; of one that is not known, what a product and a copy reach here."""
    for known, (flops, bandwidth) in DATA_SHEETS.items():
        if torch.cuda.is_available() and known in name():
            return Peak(flops, bandwidth, f"data sheet of {known}")
    return Peak(*reached(), "measured here")


def reached() -> tuple[float, float]:
    """FLOP/s of a bf16 product and bytes/s of a copy (read and written)."""
    size = 8192 if torch.cuda.is_available() else 512
    matrix = torch.randn(size, size, device=device(), dtype=torch.bfloat16)
    copied = torch.empty(4 * size * size, device=device(), dtype=torch.bfloat16)
    source = torch.randn_like(copied)
    product = _seconds(lambda: matrix @ matrix)
    copy = _seconds(lambda: copied.copy_(source))
    return 2 * size**3 / product, 2 * copied.nbytes / copy


def _seconds(work: Callable[[], object], turns: int = 10) -> float:
    for turn in range(turns + 3):
        if turn == 3:
            synchronise()
            start = time.perf_counter()
        work()
    synchronise()
    return (time.perf_counter() - start) / turns


def synchronise() -> None:
    """Wait for the GPU, if there is one."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def driver() -> str:
    """The version of the driver, or why it is not known."""
    line = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
    try:
        done = subprocess.run(line, capture_output=True, text=True, timeout=10, check=True)
        return done.stdout.strip().splitlines()[0]
    except (OSError, subprocess.SubprocessError, IndexError):
        return "none"
