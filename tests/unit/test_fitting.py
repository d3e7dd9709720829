"""Which steps fit a card, what the plan says of it, and what would help."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from rasft.cli import main
from rasft.config import files as config_files
from rasft.config.settings import Config
from rasft.errors import UserError
from rasft.machine import cards, fitting
from rasft.machine.fitting import NO, PERHAPS, YES, StepMemory
from rasft.models.memory import GIB
from rasft.models.shape import shape_of
from tests import families

QWEN_15B = {
    "model_type": "qwen2",
    **{"hidden_size": 1536, "intermediate_size": 8960, "num_hidden_layers": 28},
    **{"num_attention_heads": 12, "num_key_value_heads": 2, "vocab_size": 151936},
    "tie_word_embeddings": True,
}


@pytest.fixture(scope="module")
def config_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The paper's setting over a model of its size, of which there is the config.json alone."""
    folder = tmp_path_factory.mktemp("qwen")
    (folder / "config.json").write_text(json.dumps(QWEN_15B))
    file = folder / "math.yaml"
    file.write_text(f"extends: math\nname: here\nmodel: {{path: {folder}}}\n")
    return file


def found(config: Config, card: float, gpus: int = 1) -> dict[str, StepMemory]:
    each = dict.fromkeys(fitting.STEPS, gpus)
    shape = shape_of(families.config_of("Llama 3.2"))
    return {step.step: step for step in fitting.steps(config, shape, each, card, kl=False)}


def plan(*arguments: Any) -> str:
    done = CliRunner().invoke(main, ["plan", *map(str, arguments)], catch_exceptions=False)
    return done.output


def test_steps_are_those_of_the_config() -> None:
    demo, judged = config_files.load("demo"), config_files.load("eval")
    assert list(found(demo, 80 * GIB)) == ["warmup", "score", "rollout", "train", "evaluate"]
    assert list(found(judged, 80 * GIB)) == ["evaluate"]
    hosted = demo.rollout.model_copy(update={"engine": "openai"})  # samples on another machine
    elsewhere = demo.model_copy(update={"rollout": hosted, "warmup": None})
    assert list(found(elsewhere, 80 * GIB)) == ["score", "train"]


def test_three_verdicts() -> None:
    step = StepMemory("train", 1, {"weights": 10.0 * GIB})
    assert [step.verdict(size * GIB) for size in (14.1, 13.9, 11.4)] == [YES, PERHAPS, NO]


def test_what_fits_needs_no_change_and_each_change_lowers_the_sum() -> None:
    train = found(config_files.load("demo"), 80 * GIB)["train"]
    assert list(train.ways_out(80 * GIB)) == []
    ways = list(train.ways_out(1.5 * GIB))
    assert ways
    assert all(total < train.total for _, total, _ in ways)
    assert any("fsdp2} on" in setting for setting, _, _ in ways)


def test_the_plan_says_each_step_and_its_terms(config_file: Path) -> None:
    said = plan(config_file, "--gpus", 1, "--gpu", "h100")
    assert "memory of one h100, which has 79.6 GiB" in said
    assert "| train | 1 | 34.5 | fits | weights 5.8 + gradients 5.8 + optimizer 11.5 +" in said
    assert "1.54 billion parameters" in said


def test_the_plan_says_what_to_change(config_file: Path) -> None:
    said = plan(config_file, "--gpus", 1, "--gpu-memory", 24)
    assert "| train | 1 | 34.5 | does not fit |" in said
    assert "training: {gradient_checkpointing: true, lora: {rank: 16}} -> " in said
    assert "training: {gradient_checkpointing: true, launcher: fsdp2} on 4 GPUs -> 15.2 GiB" in said


def test_a_wrong_card_or_model_is_one_sentence(config_file: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no GPU 'h10' is known .did you mean h100\?"):
        cards.gib_of("h10")
    assert "give one of them" in plan(config_file, "--gpu", "h100", "--gpu-memory", 80)
    absent = tmp_path / "absent.yaml"
    absent.write_text(f"extends: demo\nmodel: {{path: {tmp_path / 'none'}}}\n")
    assert "is no folder, and no hub id" in plan(absent, "--gpu", "h100")
