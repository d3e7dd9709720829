"""A mistake in a config dies at load, with one message that says where and what to do."""

from pathlib import Path

import pytest

from rasft.config import files as config_files
from rasft.errors import UserError

MINIMAL = """
name: tiny
model: {path: somewhere}
data: {datasets: [{name: gsm8k}]}
prompts: {math: {system: Think.}}
"""
CONFIGS = sorted(config_files.CONFIGS.rglob("*.yaml"))
EXPERIMENTS = [path for path in CONFIGS if path.parent.name not in config_files.APART]


@pytest.mark.parametrize("path", EXPERIMENTS, ids=lambda path: path.stem)
def test_every_config_loads(path: Path) -> None:
    loaded = config_files.load(path)
    assert config_files.build(loaded.model_dump(mode="json")) == loaded


def test_defaults_are_the_papers() -> None:
    settings = config_files.parse(MINIMAL)
    assert (settings.weighting.reward_max, settings.weighting.alpha) == (3.0, 0.4)
    assert (settings.rollout.samples_per_problem, settings.rollout.temperature) == (3, 0.9)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("trainin: {}", r"unknown key 'trainin' \(did you mean 'training'\?\)"),
        (
            "training: {lerning_rate: 1.0}",
            r"'training.lerning_rate' \(did you mean 'learning_rate'",
        ),
        ("training: {learning_rate: fast}", "training.learning_rate = 'fast'.*valid number"),
        ("training: {epochs: -1}", "training.epochs = -1: input should be greater than 0"),
        ("training: {method: rasf}", "unknown loss 'rasf' .did you mean 'rasft'..; known: .*sft"),
        ("rollout: {top_p: 1.5}", "rollout.top_p = 1.5: input should be less than or equal to 1"),
        ("weighting: {reward_max: 0.5}", "reward_max must be at least reward_min"),
        ("evaluation: {benchmarks: [{name: math50}]}", "unknown benchmark 'math50'.*'math500'"),
        ("training: {learning_rate: .nan}", "learning_rate.*finite"),
        ("seed: yes", "seed = True"),
        ("chat: {date: 2026-02-30}", "chat.date = '2026-02-30': no date of the form 2026-01-31"),
        ("extends: mth", "extends 'mth', which is no config; known: .*math, math_authors"),
        ("name: [", "run.yaml is not valid YAML"),
        ("name: again", "run.yaml.*'name' stands twice"),
        ("when: !!binary aGk=", "a value is no number, text, list or mapping"),
    ],
)
def test_mistakes(text: str, message: str) -> None:
    with pytest.raises(UserError, match=message) as caught:
        config_files.parse(MINIMAL + text, "run.yaml")
    assert "run.yaml" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_key_is_named() -> None:
    with pytest.raises(UserError, match=r"run\.yaml: model is missing"):
        config_files.parse(MINIMAL.replace("model: {path: somewhere}\n", ""), "run.yaml")


def test_an_unreadable_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(
        UserError,
        match=r"cannot read the config .*none\.yaml: there is no such file; .*variants/dft",
    ):
        config_files.load(tmp_path / "none.yaml")


def test_numbers_without_a_point_are_numbers() -> None:
    rate = config_files.parse(MINIMAL + "training: {learning_rate: 5e-5}").training.learning_rate
    assert rate == 5e-5


def test_extends_merges_by_key() -> None:
    child = config_files.parse("extends: math\nname: child\nrollout: {samples_per_problem: 8}")
    parent = config_files.load(config_files.CONFIGS / "math.yaml")
    assert child.rollout == parent.rollout.model_copy(update={"samples_per_problem": 8})
    assert (child.name, child.model) == ("child", parent.model)


def test_a_circle_of_extends_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text(f"extends: {path}\n")
    with pytest.raises(UserError, match="runs in a circle"):
        config_files.load(path)
