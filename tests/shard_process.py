"""One rollout shard as a process of its own, to be killed: `tests/integration/test_kills.py`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from rasft import plugins, tables
from rasft.config.chat import ChatConfig
from rasft.config.settings import EngineWatchConfig, PromptConfig
from rasft.decoding.engine import EngineOptions, Sampling
from rasft.decoding.one_engine import OneEngine
from rasft.ledger import Ledger
from rasft.ledger.store import Store
from rasft.models.renderer import open_renderer
from rasft.records import Problem, Rollout
from rasft.stages import sampling
from tests import tiny_model

# Imported here, once, by the process from which the shards are forked; so is what they load.
ENGINE = plugins.load("engines", "transformers")
PRELOADED = tiny_model

PROBLEMS = [Problem(id=f"p{i}", prompt=f"What is {i} + 3?", verifier="math") for i in range(12)]
SAMPLES = 4
FLUSH_SECONDS = 0.02  # so that a shard of a second has many moments at which it writes


class InProcess(OneEngine):
    """The engine in the same process: a process of its own takes seconds."""

    def over(
        self, plugin: Any, model: str, options: EngineOptions, watch: EngineWatchConfig
    ) -> Any:
        """The engine, started now."""
        engine = self._open.enter_context(plugin.open_engine(model, options))
        engine.notes = []
        return engine


def run_shard(model: str, ledger: str | None, result: str) -> None:
    """Sample all problems; the rollouts go into the Parquet file `result`."""
    torch.set_num_threads(1)
    opened = Ledger(Store(ledger) if ledger else None, FLUSH_SECONDS)
    renderer = open_renderer(Path(model), {"math": PromptConfig()}, ChatConfig())
    # float32: what is drawn beside a sample does not change it
    options = EngineOptions("float32", 256, max_sequences=8, stop_token_ids=(2,))
    drawing = Sampling(temperature=1.0, top_p=0.9, max_new_tokens=16)
    setup = sampling.Setup(ENGINE, Path(model), options, drawing, 7, EngineWatchConfig())
    with InProcess() as engine:
        source = sampling.Sampler(setup, renderer, opened, engine)
        drawn = source.draw(sampling.each(PROBLEMS, range(SAMPLES)))
    rows = sampling.in_order(PROBLEMS, drawn)
    tables.write(tables.to_table(rows, Rollout), Path(result))
