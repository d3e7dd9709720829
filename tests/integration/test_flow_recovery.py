"""A training that is killed inside the flow: the step is tried again and loses nothing."""

from __future__ import annotations

import base64
import os
import re
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import pytest
import tiny_model
from killed_flow import KilledFlow, stored
from metaflow import Run
from metaflow.cards import get_cards

from rasft.commands.export import export
from rasft.config import files as config_files
from rasft.models import folders, sources
from rasft.report.model_card import CARD
from rasft.results.runs import fetch_trained
from rasft.stages import train

pytestmark = pytest.mark.whole


@pytest.fixture(scope="module")
def workplace(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("recovery")
    tiny_model.build(folder / "model")
    before = Path.cwd()
    os.chdir(folder)
    yield folder
    os.chdir(before)


@pytest.fixture(scope="module")
def killed(workplace: Path) -> Run:
    flow = KilledFlow("sft_flow.py", workplace / "model")
    flow.kill_training()
    return flow.finish("SftFlow")


def test_killed_step_goes_on_and_ends_with_the_same_weights(killed: Run, workplace: Path) -> None:
    task = killed["train"].task
    assert task.current_attempt == 1
    assert "resumed from" in task.stdout
    end, config = killed["end"].task, config_files.load(workplace / "tiny.yaml")
    rows, base = end["examples"].data, sources.resolve(config.model)
    undisturbed = train.train(config, rows, base, workplace / "undisturbed")
    assert end["checkpoint"].data == asdict(undisturbed.checkpoint)
    assert len(end["curve"].data) == undisturbed.checkpoint.steps == 60


def test_card_of_the_training_shows_its_curve(killed: Run) -> None:
    found = get_cards(killed["train"].task, id="training")[0]  # of the last attempt
    content = re.search(r'__MF_DATA__\["[^"]+"\] = "([^"]+)"', found.get())
    assert content
    shown = base64.b64decode(content[1]).decode()
    assert "NLL, nats a token" in shown
    assert '"step": 60' in shown


def test_stored_checkpoints_are_gone_once_the_model_is_stored(killed: Run) -> None:
    assert stored() == []


def test_run_is_exported_with_its_results(killed: Run, workplace: Path) -> None:
    export(killed.pathspec, workplace / "exported")
    text = (workplace / "exported" / CARD).read_text()
    assert "60 optimizer steps" in text
    assert "| heldout_math | 2 x 1 |" in text
    folders.check(workplace / "exported")
    fetch_trained(killed.pathspec, workplace / "stored")  # what the run keeps is left as it was
    assert "| heldout_math | 2 x 1 |" not in (workplace / "stored" / CARD).read_text()
