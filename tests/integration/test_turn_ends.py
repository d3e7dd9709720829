"""A model taught a template whose turns end with another token than the EOS stops there."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from rasft import plugins
from rasft.config import files as config_files
from rasft.config.chat import ChatConfig
from rasft.config.settings import Config
from rasft.decoding.engine import EngineOptions, Sampling
from rasft.models.language_model import load_model
from rasft.models.renderer import open_renderer
from rasft.records import EXPERT, Problem, TrainingExample
from rasft.stages import sampling, train
from rasft.tables import to_table
from tests import chat_models
from tests.chat_models import GEMMA, GEMMA_TOKENS

ROWS = [
    Problem(id=f"p{i}", prompt=f"{i} + 1?", verifier="math", expert_response="It is one more.")
    for i in range(8)
]
FAST = {"max_steps": 1, "batch_size": 8, "trackers": []}
GREEDY = Sampling(temperature=0.0, top_p=1.0, max_new_tokens=40)


def configuration(folder: Path, **changes: Any) -> Config:
    return config_files.build(
        {
            "name": "turns",
            "model": {"path": str(folder), "dtype": "float32"},
            "data": {"datasets": [{"name": "generated_sums"}]},
            "prompts": {"math": {}},
            "ledger": {"enabled": False},
            "training": {
                "method": "sft",
                "epochs": 40,
                "batch_size": 8,
                "learning_rate": 1e-2,
                "trackers": [],
            },
            **changes,
        }
    )


def taught(config: Config, folder: Path) -> Path:
    """The model after training on the experts of ROWS."""
    base = Path(config.model.path)
    renderer = open_renderer(base, config.prompts, config.chat)
    examples = []
    for row in ROWS:
        prompt = renderer.prompt_ids(row)
        ids = (*prompt, *renderer.response_ids(row.expert))
        examples.append(TrainingExample(row.id, EXPERT, ids, len(prompt), 1.0, ()))
    return train.train(config, to_table(examples, TrainingExample), base, folder).folder


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Config, Path]:
    folder = tmp_path_factory.mktemp("turns")
    config = configuration(chat_models.build(folder / "base", GEMMA, GEMMA_TOKENS))
    return config, taught(config, folder / "job")


def test_its_samples_stop_at_the_turns_end(trained: tuple[Config, Path]) -> None:
    config, folder = trained
    renderer = open_renderer(folder, config.prompts, config.chat)
    options = EngineOptions("float32", 128, stop_token_ids=renderer.stop_token_ids)
    with plugins.load("engines", "transformers").open_engine(str(folder), options) as engine:
        drawn = list(sampling.sample(sampling.each(ROWS, range(1)), renderer, engine, GREEDY, 1))
    assert [row.finish_reason for row in drawn] == ["stop"] * len(ROWS)
    assert {row.text for row in drawn} == {"It is one more."}


def test_what_is_saved_stops_there_too(trained: tuple[Config, Path]) -> None:
    config, folder = trained
    renderer = open_renderer(folder, config.prompts, config.chat)
    stated = json.loads((folder / "generation_config.json").read_text())
    assert stated["eos_token_id"] == list(renderer.stop_token_ids)
    prompt = torch.tensor([renderer.prompt_ids(ROWS[0])])
    written = load_model(folder).generate(prompt, max_new_tokens=40, do_sample=False)
    assert tuple(written[0, prompt.shape[1] :].tolist()) == renderer.response_ids(ROWS[0].expert)


def test_a_template_of_the_config_is_saved_with_the_model(tmp_path: Path) -> None:
    base = chat_models.build(tmp_path / "base", None)
    given = configuration(base, chat={"template": "chatml"}, training={"method": "sft", **FAST})
    folder = taught(given, tmp_path / "job")
    own = open_renderer(folder, given.prompts, ChatConfig())
    asked = open_renderer(base, given.prompts, given.chat)
    assert own.prompt_ids(ROWS[0]) == asked.prompt_ids(ROWS[0])
    assert own.stop_token_ids == asked.stop_token_ids
    assert own.fingerprint() == asked.fingerprint()
