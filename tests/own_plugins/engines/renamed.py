"""The library's own engine under another name."""

from rasft.engines.transformers import MEMORY_RUNGS, available, open_engine, version

__all__ = ["MEMORY_RUNGS", "NAME", "available", "open_engine", "version"]

NAME = "renamed"
