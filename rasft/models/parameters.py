"""How many parameters a model has, as far as this machine can tell: no hub is asked."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from rasft.config.settings import ModelConfig
from rasft.models import sources
from rasft.models.shape import read_shape

_SIZE = re.compile(r"(\d+(?:\.\d+)?)([bm])(?![a-z0-9])", re.IGNORECASE)
_TIMES = {"b": 1e9, "m": 1e6}


@dataclass(frozen=True)
class Parameters:
    """How many there are, and how many a token goes through: fewer in a mixture of experts."""

    total: float
    active: float


def known_parameters(model: ModelConfig) -> Parameters | None:
    """From the model's `config.json` where it is here, else as its name says; None: unknown.

    Raises UserError for a folder whose `config.json` describes no language model.
    """
    if Path(model.path).expanduser().is_dir() or model.path == sources.EMBEDDED + sources.TINY:
        total = float(read_shape(model).parameters)
        return Parameters(total, total)
    return _named(model.path)


def _named(path: str) -> Parameters | None:
    """Of names like Qwen2.5-1.5B and SmolLM2-135M, or Qwen3-30B-A3B of a mixture."""
    found = _SIZE.findall(path.rpartition("/")[2])
    sizes = [float(number) * _TIMES[unit.lower()] for number, unit in found]
    return Parameters(max(sizes), min(sizes)) if sizes else None
