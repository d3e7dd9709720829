"""Whether the GPUs of this machine can be used: driver, torch and CUDA have to fit."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator

from rasft.machine.findings import Check

SECONDS = 20  # a driver that is stuck does not answer at all


def checks() -> Iterator[Check]:
    """The GPUs that torch sees, or why it sees none although there is a driver."""
    import torch

    driver = driver_cuda()
    built = torch.version.cuda
    if torch.cuda.is_available():
        names = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
        yield Check("GPU", True, f"{', '.join(names)}; torch is built for CUDA {built}")
    elif driver is None:
        yield Check("GPU", True, "none; everything runs on the CPU, at the CPU's speed")
    else:
        yield Check("GPU", False, _why_unused(driver, built))


def driver_cuda() -> tuple[int, int] | None:
    """The newest CUDA that the NVIDIA driver runs, or None where there is no driver."""
    if shutil.which("nvidia-smi") is None:
        return None
    try:
        told = subprocess.run(
            ["nvidia-smi"], capture_output=True, text=True, timeout=SECONDS, check=False
        ).stdout
    except (OSError, subprocess.TimeoutExpired):
        return None
    found = re.search(r"CUDA[\w ]* Version: *(\d+)\.(\d+)", told)
    return (int(found[1]), int(found[2])) if found else None


def _why_unused(driver: tuple[int, int], built: str | None) -> str:
    runs = ".".join(map(str, driver))
    if built is None:
        return (
            f"the driver runs CUDA {runs}, but torch is a build for the CPU; make the environment "
            "anew where nvidia-smi is found: rm -r .venv, then make demo"
        )
    # Within a major version of CUDA an older driver runs what a newer one was built for.
    if driver[0] < int(built.partition(".")[0]):
        return (
            f"the driver runs CUDA {runs} at most, and torch is built for CUDA {built}; "
            "update the NVIDIA driver"
        )
    return (
        f"the driver runs CUDA {runs} and torch is built for CUDA {built}, but torch finds no "
        "GPU; check nvidia-smi and CUDA_VISIBLE_DEVICES"
    )
