"""How many parameters a model has, as far as this machine can tell: no hub is asked."""

from __future__ import annotations

import re
from pathlib import Path

from rasft.config.settings import ModelConfig
from rasft.models import sources
from rasft.models.shape import read_shape

# Of Qwen2.5-1.5B and SmolLM2-135M; of Qwen3-30B-A3B, a mixture, those that a token goes through.
_SIZE = re.compile(r"(\d+(?:\.\d+)?)([bm])(?![a-z0-9])", re.IGNORECASE)
_TIMES = {"b": 1e9, "m": 1e6}


def known_parameters(model: ModelConfig) -> float | None:
    """From the model's `config.json` where it is here, else as its name says; None: unknown.

    Raises UserError for a folder whose `config.json` describes no language model.
    """
    if Path(model.path).expanduser().is_dir() or model.path == sources.EMBEDDED + sources.TINY:
        return float(read_shape(model).parameters)
    return _named(model.path)


def _named(path: str) -> float | None:
    sizes = _SIZE.findall(path.rpartition("/")[2])
    return float(sizes[-1][0]) * _TIMES[sizes[-1][1].lower()] if sizes else None
