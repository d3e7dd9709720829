"""A training that is killed inside the flow: the step is tried again and loses nothing."""

from __future__ import annotations

import base64
import contextlib
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import psutil
import pytest
import tiny_model
from metaflow import Run, namespace
from metaflow.cards import get_cards

from rasft import config_files, fitting, models
from rasft.commands.export import export
from rasft.report.model_card import CARD
from rasft.results.runs import fetch_trained

pytestmark = pytest.mark.whole

FLOW = Path(__file__).parents[2] / "flows" / "sft_flow.py"
SECONDS = 900.0
TINY = """
extends: demo
name: tiny
model: {{path: {model}, dtype: float32}}
data: {{datasets: [{{name: generated_math, limit: 8, options: {{steps: {{1: 1}}}}}}]}}
warmup: null
training: {{method: sft, batch_size: 4, epochs: 30, checkpoint_steps: 1}}
ledger: {{enabled: false}} # a training that is known would not be made again
evaluation:
  samples_per_problem: 1
  max_new_tokens: 4
  bootstrap_samples: 100
  benchmarks: [{{name: heldout_math, limit: 2}}]
"""


@pytest.fixture(scope="module")
def workplace(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("recovery")
    model = tiny_model.build(folder / "model")
    (folder / ".metaflow").mkdir()  # a datastore of its own, whatever lies above
    (folder / "tiny.yaml").write_text(TINY.format(model=model))
    before = Path.cwd()
    os.chdir(folder)
    yield folder
    os.chdir(before)


def start(name: str) -> subprocess.Popen[bytes]:
    """The flow, whose failed steps are tried once more; its log goes to a file."""
    line = [sys.executable, str(FLOW), "--config", "cfg", "tiny.yaml", "run"]
    retry = ["--with", "retry:times=1,minutes_between_retries=0", "--run-id-file", f"{name}.id"]
    with Path(f"{name}.log").open("wb") as log:
        return subprocess.Popen([*line, *retry], stdout=log, stderr=subprocess.STDOUT)


def finish(name: str, process: subprocess.Popen[bytes]) -> Run:
    try:
        code = process.wait(SECONDS)
    finally:
        process.kill()
        process.wait()
    assert code == 0, Path(f"{name}.log").read_text()[-3000:]
    namespace(None)
    return Run(f"SftFlow/{Path(f'{name}.id').read_text()}")


def stored() -> list[Path]:
    """Checkpoints in the datastore."""
    return list(Path(".metaflow/mf.checkpoints").rglob("position.json"))


def kill_training(flow: subprocess.Popen[bytes]) -> None:
    """kill -9 of the training program once a checkpoint of it is stored."""
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline and flow.poll() is None:
        if stored() and (found := programs(flow)):
            for program in found:
                program.kill()
            return
        time.sleep(0.05)
    flow.kill()
    flow.wait()
    pytest.fail("no checkpoint was stored before the flow ended")


def programs(flow: subprocess.Popen[bytes]) -> list[psutil.Process]:
    """The training programs that this flow started; some of its children may be gone by now."""
    found = []
    for child in psutil.Process(flow.pid).children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):
            if "rasft.training.program" in child.cmdline():
                found.append(child)
    return found


@pytest.fixture(scope="module")
def killed(workplace: Path) -> Run:
    flow = start("killed")
    kill_training(flow)
    return finish("killed", flow)


def test_killed_step_goes_on_and_ends_with_the_same_weights(killed: Run, workplace: Path) -> None:
    task = killed["train"].task
    assert task.current_attempt == 1
    assert "resumed from" in task.stdout
    end, config = killed["end"].task, config_files.load(workplace / "tiny.yaml")
    rows, base = end["examples"].data, models.resolve(config.model)
    undisturbed = fitting.train(config, rows, base, workplace / "undisturbed")
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
    models.check(workplace / "exported")
    fetch_trained(killed.pathspec, workplace / "stored")  # what the run keeps is left as it was
    assert "| heldout_math | 2 x 1 |" not in (workplace / "stored" / CARD).read_text()
