"""The adapters (LoRA) that a trained folder keeps beside the weights they are merged into.

They say on which model they belong, so that base and adapters can take the merged one's place.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from pathlib import Path

from rasft.models import folders

ADAPTER = "adapter"  # their folder, below that of the merged model
_BASE = "base_fingerprint"  # a file in it


def name_base(adapter: Path, base: Path) -> None:
    """Note in the adapters' folder which model they belong on."""
    (adapter / _BASE).write_text(folders.fingerprint(base), encoding="utf-8")


def base_of(model: Path, others: Collection[Path]) -> Path | None:
    """Which of the other model folders this one is but for its adapters; None for none of them."""
    note = model / ADAPTER / _BASE
    if not note.is_file():
        return None
    wanted = note.read_text(encoding="utf-8")
    return next((other for other in others if folders.fingerprint(other) == wanted), None)


def rank(model: Path) -> int:
    """The rank of a model folder's adapters."""
    stated = json.loads((model / ADAPTER / "adapter_config.json").read_text(encoding="utf-8"))
    return int(stated["r"])
