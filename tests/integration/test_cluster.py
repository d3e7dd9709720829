"""`run --with kubernetes` through a double of a cluster: real Jobs, the real image, S3."""

from __future__ import annotations

import re
import threading
import uuid
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
from integration.cluster.api import ClusterDouble
from integration.cluster.daemon import docker_over_tls
from integration.cluster.image import ensure_image
from integration.cluster.manifest import KUBERNETES, Cluster, annotations
from integration.cluster.pods import Pod
from integration.cluster.runs import Done, flow, model_for_pods, read, services
from integration.cluster.storage import KEYS

from sandbox.image import connect

# Once for each state of its inputs the image is built: minutes.
pytestmark = [pytest.mark.docker, pytest.mark.model, pytest.mark.timeout(1800)]

CONFIG = """
extends: demo
name: cluster
model: {path: MODEL, dtype: float32}
data:
  datasets:
    - {name: generated_math, limit: 6, options: {steps: {1: 1}}}
    - {name: generated_code, limit: 2}
warmup: null
rollout: {samples_per_problem: 2, max_new_tokens: 16}
evaluation:
  samples_per_problem: 1
  max_new_tokens: 8
  bootstrap_samples: 100
  benchmarks: [{name: heldout_math, limit: 2}]
resources:
  default:
    image: IMAGE
    retries: 1
    retry_minutes: 0
    volumes: {models: FOLDER}
  steps:
    start: &docker {secrets: [sandbox-docker-client], labels: {rasft/verify: "true"}}
    verify: *docker
    train: {cpu: 2, memory_mb: 2048, shared_memory_mb: 256, timeout_minutes: 30}
"""


class Faults:
    """One rollout shard runs out of memory at its first attempt; one pod is killed."""

    def __init__(self) -> None:
        self.starved: list[str] = []
        self.killed: list[str] = []

    def bound(self, job: dict[str, Any]) -> str | None:
        said = annotations(job)
        if said["metaflow/step_name"] == "rollout" and not self.starved:
            self.starved.append(said["metaflow/task_id"])
            return "160m"
        return None

    def kill(self, pod: Pod) -> None:
        if pod.step == "verify" and not self.killed:
            self.killed.append(pod.name)
            threading.Timer(1.5, pod.container.kill).start()


@pytest.fixture(scope="module")
def workplace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cluster")
    # without its own folder Metaflow would keep a run's records in one above
    for name in ("models", "certificates", "remote/.metaflow", "local/.metaflow"):
        (folder / name).mkdir(parents=True)
    model = model_for_pods(folder / "models")
    text = CONFIG.replace("MODEL", str(model)).replace("FOLDER", str(folder / "models"))
    (folder / "cluster.yaml").write_text(text.replace("IMAGE", ensure_image()))
    return folder


TABLES = (
    "problems",
    "expert_scores",
    "routes",
    "rollouts",
    "rollout_scores",
    "verdicts",
    "groups",
    "examples",
    "results",
    "accuracies",
    "differences",
    "checkpoint",
)


@pytest.fixture(scope="module")
def double(workplace: Path) -> Iterator[ClusterDouble]:
    with docker_over_tls(workplace / "certificates") as docker_secret:
        secrets = {"sandbox-docker-client": docker_secret, "datastore": KEYS}
        cluster = Cluster(secrets, claims={"models": workplace / "models"})
        with closing(ClusterDouble(cluster, owner=uuid.uuid4().hex)) as double:
            yield double


@pytest.fixture(scope="module")
def storage() -> Iterator[dict[str, str]]:
    with services() as environment:
        yield environment


@pytest.fixture(scope="module")
def faults(double: ClusterDouble) -> Faults:
    faults = Faults()
    double.on_job, double.on_pod = faults.bound, faults.kill
    return faults


@pytest.fixture(scope="module")
def runs(
    workplace: Path, double: ClusterDouble, storage: dict[str, str], faults: Faults
) -> dict[str, Done]:
    """The same config in pods and, at the same time, as local tasks."""
    environment = {
        **storage,
        "KUBECONFIG": str(double.write_kubeconfig(workplace / "kubeconfig")),
        "METAFLOW_KUBERNETES_SECRETS": "datastore",
    }
    words = ("--config", "cfg", "../cluster.yaml", "run")
    done: dict[str, Done] = {}

    def local() -> None:
        ledger = {"RASFT_LEDGER_DIR": str(workplace / "local" / "ledger")}
        done["local"] = flow(workplace / "local", *words, environment=ledger)

    beside = threading.Thread(target=local)
    beside.start()
    done["remote"] = flow(
        workplace / "remote", *words, "--with", "kubernetes", environment=environment
    )
    beside.join()
    for name, each in done.items():
        assert each.code == 0, f"{name}:\n{each.output[-6000:]}"
    return done


@pytest.fixture(scope="module")
def results(
    runs: dict[str, Done], workplace: Path, storage: dict[str, str]
) -> dict[str, dict[str, Any]]:
    """What each run left behind."""
    return {
        "remote": read(workplace / "remote", *TABLES, environment=storage),
        "local": read(workplace / "local", *TABLES, environment={}),
    }


@pytest.mark.parametrize("name", TABLES)
def test_pods_give_what_local_tasks_give(results: dict[str, dict[str, Any]], name: str) -> None:
    remote, local = (results[where]["artifacts"][name] for where in ("remote", "local"))
    if name == "verdicts":  # the time a verdict took differs
        remote, local = ([{**row, "seconds": 0} for row in rows] for rows in (remote, local))
    assert remote == local


def test_every_problem_went_through_docker_and_back(results: dict[str, dict[str, Any]]) -> None:
    verdicts = results["remote"]["artifacts"]["verdicts"]
    assert len(verdicts) == 8 * 2
    assert {row["verifier"] for row in verdicts} == {"math", "python"}


def test_a_lost_pod_costs_one_attempt_and_no_other_task(
    results: dict[str, dict[str, Any]], faults: Faults
) -> None:
    assert len(faults.starved) == len(faults.killed) == 1
    tasks = results["remote"]["tasks"]
    assert sum(task["attempt"] for task in tasks) == 2
    assert {task["step"] for task in tasks if task["attempt"]} == {"rollout", "verify"}
    assert sorted(task["step"] for task in tasks) == sorted(
        task["step"] for task in results["local"]["tasks"]
    )


def test_the_report_is_a_card(results: dict[str, dict[str, Any]]) -> None:
    assert "heldout_math" in results["remote"]["card"]


def test_every_job_is_valid(runs: dict[str, Done], double: ClusterDouble) -> None:
    assert len(double.jobs) == len(double.pods) == 16  # 14 tasks and two attempts more
    for job in double.jobs:
        kubernetes_validate.validate(job, KUBERNETES, strict=True)


def test_the_image_has_no_root_and_no_setting_of_the_machine_that_built_it() -> None:
    client = connect()
    try:
        image = client.images.get(ensure_image())
        settings, history = image.attrs["Config"], image.history()
    finally:
        client.close()
    assert settings["User"] == "10001:10001"
    assert "METAFLOW_SKIP_INSTALL_DEPENDENCIES=1" in settings["Env"]
    assert settings["Labels"]["org.opencontainers.image.title"] == "rasft"
    assert re.fullmatch(
        "[0-9a-f]{40}|unknown", settings["Labels"]["org.opencontainers.image.revision"]
    )
    said = " ".join([*settings["Env"], *(layer["CreatedBy"] for layer in history)])
    assert "PIP_" not in said
    assert "wheels" not in said
