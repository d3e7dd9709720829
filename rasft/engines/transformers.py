"""The engine that runs everywhere: a decoding loop over a transformers model, on CPU or GPU.

The loop is in `decoding.continuous_batching`, which takes seconds to import: a process that finds
its samples in the ledger never does.
"""

from __future__ import annotations

from importlib import metadata

from rasft.decoding.engine import EngineOptions, PluginEngine

NAME = "transformers"
MEMORY_RUNGS = ("sequences",) * 4


def version() -> str:
    """The versions that decide which tokens are drawn."""
    return f"transformers {metadata.version('transformers')}, torch {metadata.version('torch')}"


def available() -> str | None:
    """None: this engine runs wherever the project does."""
    return None


def open_engine(model: str, options: EngineOptions) -> PluginEngine:
    """Load a Hugging Face folder. Raises UserError if it cannot be loaded."""
    from rasft.decoding.continuous_batching import TransformersEngine

    return TransformersEngine(model, options)
