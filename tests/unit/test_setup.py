"""Which models of an evaluation are one base with adapters on it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from rasft import plugins
from rasft.config.settings import EngineWatchConfig, RolloutConfig
from rasft.decoding.engine import EngineOptions, Sampling
from rasft.errors import UserError
from rasft.models import adapters
from rasft.stages.setup import Setup, with_base
from tests import tiny_model


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """A base, a model trained on it by LoRA, and a stranger."""
    folder = tmp_path_factory.mktemp("models")
    base, trained, other = (tiny_model.build(folder / f"{seed}", seed) for seed in range(3))
    adapter = trained / adapters.ADAPTER
    adapter.mkdir()
    (adapter / "adapter_config.json").write_text(json.dumps({"r": 12}))
    adapters.name_base(adapter, base)
    return [base, trained, other]


def setup_of(model: Path, engine: str = "vllm") -> Setup:
    plugin = plugins.load("engines", engine)
    return Setup(plugin, model, EngineOptions(), Sampling(1.0, 1.0, 8), 0, EngineWatchConfig())


def test_base_and_trained_share_one_engine_and_a_stranger_does_not(models: list[Path]) -> None:
    base, trained, other = models
    shared = replace(EngineOptions(), base=str(base), adapter_rank=12)
    assert with_base(setup_of(base), models).options == shared
    assert with_base(setup_of(trained), models).options == shared
    assert with_base(setup_of(other), models).options == EngineOptions()
    assert with_base(setup_of(trained), [trained, other]).options == EngineOptions()


def test_what_cannot_be_is_one_sentence(models: list[Path]) -> None:
    with pytest.raises(UserError, match="apart needs the engine vllm, and transformers samples"):
        with_base(setup_of(models[0], "transformers"), models)
    with pytest.raises(ValueError, match="adapters and quantization exclude each other"):
        RolloutConfig(adapters="apart", quantization="fp8")
