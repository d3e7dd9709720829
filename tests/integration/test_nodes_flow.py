"""A flow whose training runs on two nodes, one of which is killed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import tiny_model
from killed_flow import KilledFlow, stored
from metaflow import Run

from rasft.config import files as config_files
from rasft.models.folders import fingerprint
from rasft.training.storage.jobs import MODEL, TrainingJob, write_job
from tests.training_jobs import on_two_nodes

pytestmark = pytest.mark.whole  # two nodes without a flow are in test_nodes.py


@pytest.fixture(scope="module")
def workplace(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("nodes")
    tiny_model.build(folder / "model")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        yield folder


@pytest.fixture(scope="module")
def killed(workplace: Path) -> Run:
    flow = KilledFlow("sft_nodes_flow.py", workplace / "model", nodes=2)
    flow.kill_training(lambda line: "--node-rank=1" in line)
    return flow.finish("SftNodesFlow")


def test_both_nodes_go_on_and_end_with_the_same_weights(killed: Run, workplace: Path) -> None:
    tasks = list(killed["train"])
    assert len(tasks) == 2
    assert {task.current_attempt for task in tasks} == {1}
    assert any("resumed from" in task.stdout for task in tasks)
    end, config = killed["end"].task, config_files.load(workplace / "tiny.yaml")
    job = TrainingJob(str(workplace / "model"), config.training, "float32", config.seed)
    folders = [workplace / "first", workplace / "second"]
    for folder in folders:
        write_job(folder, job, end["examples"].data)
    summary = on_two_nodes(folders)[0]
    assert end["training_summary"].data["processes"] == summary["processes"] == 2
    assert end["checkpoint"].data["fingerprint"] == fingerprint(folders[0] / MODEL)
    assert {row["checkpoint"] for row in end["results"].data.to_pylist()} == {"base", "trained"}


def test_stored_checkpoints_are_gone_once_the_model_is_stored(killed: Run) -> None:
    assert stored() == []
