"""One engine at a time, kept from policy to policy: new weights go into the one that runs."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any, Self

from rasft.config.settings import EngineWatchConfig
from rasft.decoding import layout
from rasft.decoding.engine import EngineOptions
from rasft.decoding.engine_group import EngineGroup
from rasft.decoding.hosted_engine import HostedEngine


class OneEngine:
    """The engine of whoever asked last; none before that. Leaving it ends its process."""

    def __init__(self) -> None:
        self._open = ExitStack()
        self._engine: HostedEngine | EngineGroup | None = None
        self._opened_as: object = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: Any) -> None:
        self._open.__exit__(*error)

    def over(
        self, plugin: Any, model: str, options: EngineOptions, watch: EngineWatchConfig
    ) -> HostedEngine | EngineGroup:
        """An engine over the model folder: the running one, where at most the weights differ.

        With `options.data_parallel` it is a group of them. Raises as `HostedEngine` does.
        """
        # Nothing says that swapped weights are quantised as loaded ones are.
        wanted = plugin.NAME, options, watch, model if options.quantization else None
        if self._engine is None or self._opened_as != wanted:
            self._engine = None  # whatever comes of the next one
            self._open.close()
            fresh = _engine(plugin, model, options, watch)
            self._open.enter_context(fresh)
            self._engine, self._opened_as = fresh, wanted
        elif self._engine.model != model:
            self._engine.reload(model)
        return self._engine


def _engine(
    plugin: Any, model: str, options: EngineOptions, watch: EngineWatchConfig
) -> HostedEngine | EngineGroup:
    if options.data_parallel > 1:
        return EngineGroup(plugin, model, options, watch)
    (environment,) = layout.environments(options)
    return HostedEngine(plugin, model, options, watch, environment)
