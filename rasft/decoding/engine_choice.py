"""Which engine plugin samples here: the one that the config names, or the best that can run."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from rasft import plugins
from rasft.errors import UserError

AUTO = "auto"
DRIVERS = ("/dev/nvidiactl", "/dev/nvmap", "/dev/kfd", "/dev/dxg")  # of NVIDIA, AMD, under Windows
PREFERRED, EVERYWHERE = "vllm", "transformers"


def choose(name: str) -> tuple[Any, str]:
    """The engine plugin of that name, and a sentence that says which it is and why.

    `auto` takes vllm on a GPU where it can run, and transformers elsewhere: on a CPU vllm starts
    in half a minute and samples no faster (bench/rollouts.py). Raises UserError if the named engine
    cannot run here.
    """
    if name == AUTO:
        obstacle = gpu_missing() or plugins.load("engines", PREFERRED).available()
        plugin = plugins.load("engines", EVERYWHERE if obstacle else PREFERRED)
        reason = f"auto: {obstacle or 'it can run here'}"
        return plugin, f"{plugin.version()} ({reason})"
    plugin = plugins.load("engines", name)
    if obstacle := plugin.available():
        raise UserError(f"the engine {name!r} cannot run here: {obstacle}; set it to 'auto'")
    return plugin, plugin.version()


def load(name: str) -> None:
    """Import the engine plugin of that name. Raises UserError, also for a file that is no plugin.

    Whether it can run is the machine's to say that samples.
    """
    if name != AUTO:
        plugins.load("engines", name)


def gpu_missing() -> str | None:
    """One clause that says so where there is no GPU."""
    return None if _sees_gpu() else "there is no GPU"


def gpus() -> int:
    """How many GPUs this process sees."""
    if not _sees_gpu():
        return 0
    import torch

    return torch.cuda.device_count()


def _sees_gpu() -> bool:
    """torch takes seconds to import, which a task whose samples are all known is spared: without a
    driver it would see none.
    """
    if "torch" not in sys.modules and not any(Path(device).exists() for device in DRIVERS):
        return False
    import torch

    return torch.cuda.is_available()
