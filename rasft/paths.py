"""Where files lie: what travels with the code (configs, locks), and the cache of this machine."""

from __future__ import annotations

import os
from pathlib import Path

PACKAGE = Path(__file__).resolve().parent


def folder(name: str) -> Path:
    """The folder `name`: inside the package where a wheel was installed, else beside it."""
    inside = PACKAGE / name
    return inside if inside.is_dir() else PACKAGE.parent / name


def cache_folder() -> Path:
    """`$RASFT_CACHE_DIR`, or `~/.cache/rasft`."""
    return Path(os.environ.get("RASFT_CACHE_DIR") or "~/.cache/rasft").expanduser().absolute()
