"""The flows beside RASFT's, on a model of random weights: real steps, seconds each."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import tiny_model
from metaflow import Run, Runner, namespace

from rasft.records import EXPERT, BenchmarkResult, TrainingExample
from rasft.tables import from_table

FLOWS = Path(__file__).parents[2] / "flows"
TINY = """
extends: demo
name: tiny
model: {{path: {model}, dtype: float32}}
data: {{datasets: [{{name: generated_math, limit: 8, options: {{steps: {{1: 1}}}}}}]}}
warmup: null
training: {{method: sft, batch_size: 4}}
evaluation:
  max_new_tokens: 4
  bootstrap_samples: 100
  benchmarks: [{{name: heldout_math, limit: 3, samples: 2}}]
"""


@pytest.fixture(scope="module")
def workplace(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("flows")
    model = tiny_model.build(folder / "model")
    (folder / "tiny.yaml").write_text(TINY.format(model=model))
    before = Path.cwd()
    os.chdir(folder)
    yield folder
    os.chdir(before)


def finish(flow: str, config: str) -> Run:
    with Runner(str(FLOWS / flow), show_output=False, config=[("cfg", config)]).run() as running:
        assert running.status == "successful", running.stderr[-3000:]
        namespace(None)
        return Run(running.run.pathspec)


def write(name: str, text: str, folder: Path) -> str:
    (folder / name).write_text(f"extends: {folder / 'tiny.yaml'}\n{text}\n")
    return name


def test_sft_trains_on_each_expert_and_evaluates_both_models(workplace: Path) -> None:
    task = finish("sft_flow.py", "tiny.yaml")["end"].task
    examples = from_table(task["examples"].data, TrainingExample)
    assert [(row.sample_index, row.weight, row.reference_logps) for row in examples] == [
        (EXPERT, 1.0, ())
    ] * 8
    results = from_table(task["results"].data, BenchmarkResult)
    assert {row.checkpoint for row in results} == {"base", "trained"}
    assert task["training_summary"].data["steps"] == 2
    assert "## Training" in (workplace / task["report_path"].data).read_text()


def test_sft_refuses_a_method_of_rollouts(workplace: Path) -> None:
    config = write("rasft.yaml", "training: {method: rasft}", workplace)
    command = [sys.executable, str(FLOWS / "sft_flow.py"), "--config", "cfg", config, "run"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode != 0
    assert "run flows/rasft_flow.py, or set one of: asft, dft" in done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr
