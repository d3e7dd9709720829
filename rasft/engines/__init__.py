"""Engine plugins: sample responses from a model. One file each.

A plugin module defines `NAME`, `version() -> str`, `available() -> str | None` (None where it
can run here, else one sentence that says why not), `open_engine(model, options) -> PluginEngine`
(of `rasft.decoding.engine`) and `MEMORY_RUNGS`, what to give up
one after the other when memory runs out (`memory_ladder`).
"""
