"""What a step asks of its machine: the config's values, defaults and mistakes."""

import ast
import re
from pathlib import Path

import pytest

from rasft.config import files as config_files
from rasft.config.resources import STEPS
from rasft.errors import UserError

FLOWS = Path(__file__).parents[2] / "flows"


def resources(text: str):
    return config_files.parse(f"extends: demo\nresources: {text}").resources


def test_a_step_differs_from_the_default_only_in_what_it_says() -> None:
    found = resources("{default: {retries: 2, image: a}, steps: {rollout: {gpu: 1, cpu: 8}}}")
    rollout, end = found.of("rollout"), found.of("end")
    assert (rollout.gpu, rollout.cpu, rollout.retries, rollout.image) == (1, 8, 2, "a")
    assert (end.gpu, end.cpu, end.memory_mb, end.retries) == (0, 1, 4096, 2)


def test_a_default_can_be_taken_back() -> None:
    found = resources("{default: {gpu: 1, secrets: [one]}, steps: {end: {gpu: 0, secrets: []}}}")
    assert found.of("end").gpu == 0
    assert found.of("end").secrets == ()


def test_it_survives_being_stored_as_plain_values() -> None:
    config = config_files.parse(
        "extends: demo\nresources: {steps: {train: {tolerations: [{key: gpu}], volumes: {m: /m}}}}"
    )
    assert config_files.build(config.model_dump(mode="json")) == config


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{steps: {rolout: {gpu: 1}}}", "did you mean 'rollout'"),
        ("{steps: {rollout: {gpus: 1}}}", "unknown key 'resources.steps.rollout.gpus'"),
        ("{default: {gpu: -1}}", "resources.default.gpu = -1"),
        ("{default: {memory_mb: 0}}", "resources.default.memory_mb = 0"),
        ("{steps: {train: {volumes: {data: relative}}}}", "volumes.data = 'relative'"),
        ("{steps: {train: {secrets: [Not_a_name]}}}", "secrets.0 = 'Not_a_name'"),
        ("{steps: {train: {tolerations: [{operator: Sometimes}]}}}", "'Exists' or 'Equal'"),
    ],
)
def test_a_mistake_is_named(text: str, message: str) -> None:
    with pytest.raises(UserError, match=re.escape(message)):
        resources(text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("training: {processes: 4}", "training.processes = 4, and resources.steps.train.gpu is 2"),
        ("data: {score_processes: 3}", "data.score_processes = 3, and resources.steps.score.gpu"),
        ("rollout: {tensor_parallel: 2, data_parallel: 2}", "data_parallel = 4, and resources.ste"),
    ],
)
def test_more_processes_than_gpus_of_the_step_are_refused(text: str, message: str) -> None:
    gpus = "resources: {steps: {train: {gpu: 2}, score: {gpu: 2}, rollout: {gpu: 2}}}"
    with pytest.raises(UserError, match=re.escape(message)):
        config_files.parse(f"extends: demo\n{gpus}\n{text}")
    assert config_files.parse(f"extends: demo\n{text}").name == "demo"  # on the cores


def test_every_step_of_every_flow_can_be_named() -> None:
    """A step that no config may name could never be given a GPU."""
    defined = {
        node.name
        for path in FLOWS.glob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef)
        for mark in node.decorator_list
        if isinstance(mark, ast.Name) and mark.id == "step"
    }
    assert defined <= set(STEPS)
