"""A training on two pods, `run --with kubernetes`, one of which is killed: a real JobSet's
manifest, the real image, S3."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
from integration.cluster.api import ClusterDouble
from integration.cluster.image import ensure_image
from integration.cluster.manifest import KUBERNETES, Cluster
from integration.cluster.pods import Pod
from integration.cluster.runs import flow, model_for_pods, read, services
from integration.cluster.storage import KEYS

from rasft import tables
from rasft.config import files as config_files
from rasft.models.folders import fingerprint
from rasft.records import TrainingExample
from rasft.training.storage.jobs import MODEL, TrainingJob, write_job
from tests.training_jobs import on_two_nodes

pytestmark = [pytest.mark.whole, pytest.mark.docker, pytest.mark.timeout(1800)]

CONFIG = """
extends: demo
name: nodes
model: {path: MODEL, dtype: float32}
data: {datasets: [{name: generated_math, limit: 8, options: {steps: {1: 1}}}]}
warmup: null
training: {method: sft, batch_size: 4, epochs: 6, checkpoint_steps: 1, nodes: 2}
ledger: {enabled: false}
evaluation:
  samples_per_problem: 1
  max_new_tokens: 4
  bootstrap_samples: 100
  benchmarks: [{name: heldout_math, limit: 2}]
resources:
  default: {image: IMAGE, volumes: {models: FOLDER}}
  steps:
    train: {cpu: 1, memory_mb: 2048, retries: 1, retry_minutes: 0}
"""


class Fault:
    """Kills the second node at its first attempt, once the first one has stored checkpoints."""

    def __init__(self) -> None:
        self.pods: list[Pod] = []

    def on_pod(self, pod: Pod) -> None:
        if pod.step == "train" and len(self.pods) < 2:
            self.pods.append(pod)
            if len(self.pods) == 2:
                threading.Thread(target=self._kill).start()

    def _kill(self) -> None:
        first, second = self.pods
        while b"checkpoints/step-00000005" not in first.container.logs():
            time.sleep(0.2)
        second.kill()


@pytest.fixture(scope="module")
def workplace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cluster")
    for name in ("models", ".metaflow"):
        (folder / name).mkdir()
    model = model_for_pods(folder / "models")
    text = CONFIG.replace("MODEL", str(model)).replace("FOLDER", str(model.parent))
    (folder / "nodes.yaml").write_text(text.replace("IMAGE", ensure_image()))
    return folder


@pytest.fixture(scope="module")
def environment() -> Iterator[dict[str, str]]:
    with services() as found:
        yield found


@pytest.fixture(scope="module")
def double(workplace: Path) -> Iterator[ClusterDouble]:
    cluster = Cluster({"datastore": KEYS}, claims={"models": workplace / "models"})
    with closing(ClusterDouble(cluster, owner=uuid.uuid4().hex)) as double:
        yield double


@pytest.fixture(scope="module")
def found(workplace: Path, environment: dict[str, str], double: ClusterDouble) -> dict[str, Any]:
    """What the run left behind."""
    double.on_pod = Fault().on_pod
    done = flow(
        workplace,
        *("--config", "cfg", "nodes.yaml", "run", "--with", "kubernetes"),
        environment={
            **environment,
            "KUBECONFIG": str(double.write_kubeconfig(workplace / "kubeconfig")),
            "METAFLOW_KUBERNETES_SECRETS": "datastore",
        },
        name="sft_nodes_flow",
    )
    assert done.code == 0, done.output[-6000:]
    wanted = ("examples", "checkpoint", "training_summary", "results")
    return {
        **read(workplace, *wanted, environment=environment, name="SftNodesFlow"),
        "output": done.output,
    }


def test_both_pods_are_tried_again_and_go_on(found: dict[str, Any]) -> None:
    attempts = [task["attempt"] for task in found["tasks"] if task["step"] == "train"]
    assert attempts == [1, 1]
    assert "resumed from" in found["output"]
    assert sum(task["attempt"] for task in found["tasks"]) == 2


def test_pods_give_what_two_nodes_give_here(found: dict[str, Any], workplace: Path) -> None:
    config = config_files.load(workplace / "nodes.yaml")
    job = TrainingJob(config.model.path, config.training, "float32", config.seed)
    rows = [TrainingExample(**row) for row in found["artifacts"]["examples"]]
    folders = [workplace / "first", workplace / "second"]
    for folder in folders:
        write_job(folder, job, tables.to_table(rows, TrainingExample))
    on_two_nodes(folders)
    here = fingerprint(folders[0] / MODEL)
    assert found["artifacts"]["checkpoint"]["fingerprint"] == here
    assert {row["checkpoint"] for row in found["artifacts"]["results"]} == {"base", "trained"}


def test_every_job_of_every_set_is_valid(found: dict[str, Any], double: ClusterDouble) -> None:
    assert len(double.jobsets) == 2
    assert [len(jobset.pods) for jobset in double.jobsets.values()] == [2, 2]
    for job in double.jobs:
        kubernetes_validate.validate(job, KUBERNETES, strict=True)
