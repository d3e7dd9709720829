"""What Metaflow sends to Kubernetes and to Argo for a config that asks for everything.

The models of Argo are hera 6's, of Argo 3: Argo 4 dropped `schedule`, which Metaflow writes.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
from hera.workflows.models import CronWorkflow, WorkflowTemplate
from integration.cluster.api import ClusterDouble
from integration.cluster.manifest import KUBERNETES, Cluster
from integration.cluster.runs import datastore, flow
from integration.cluster.storage import s3

pytestmark = pytest.mark.whole

CONFIG = """
extends: demo
name: manifests
resources:
  default:
    image: registry.example/rasft:1
    retries: 2
    retry_minutes: 1
    timeout_minutes: 90
  steps:
    start: &heavy
      cpu: 4
      memory_mb: 65536
      gpu: 2
      disk_mb: 50000
      shared_memory_mb: 8192
      node_selector: {pool: gpu}
      tolerations: [{key: nvidia.com/gpu, effect: NoSchedule}]
      volumes: {models: /models}
      secrets: [hub-token]
      labels: {rasft/verify: "true"}
    rollout: *heavy
schedule: {cron: "30 4 * * 1", timezone: Europe/Berlin}
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("manifests")
    (folder / "all.yaml").write_text(CONFIG)
    return folder


@pytest.fixture(scope="module")
def storage() -> Iterator[dict[str, str]]:
    with s3() as endpoint:
        yield datastore(endpoint)


def words(*command: str) -> tuple[str, ...]:
    return ("--config", "cfg", "all.yaml", *command)


@pytest.fixture(scope="module")
def job(folder: Path, storage: dict[str, str]) -> dict[str, Any]:
    """The Job of the first step, from a cluster that takes note of it and starts nothing."""
    double = ClusterDouble(Cluster(), owner=uuid.uuid4().hex)
    try:
        kubeconfig = {"KUBECONFIG": str(double.write_kubeconfig(folder / "kubeconfig"))}
        run = words("run", "--with", "kubernetes")
        done = flow(folder, *run, environment={**storage, **kubeconfig})
    finally:
        double.close()
    assert "the Job cannot run here: 'hub-token'" in done.output  # the double has no such secret
    return double.jobs[0]


@pytest.fixture(scope="module")
def deployed(folder: Path, storage: dict[str, str]) -> dict[tuple[str, str], dict[str, Any]]:
    """What a deployment of the retraining flow leaves in a cluster, by kind and name."""
    double = ClusterDouble(Cluster(), owner=uuid.uuid4().hex)
    try:
        kubeconfig = {"KUBECONFIG": str(double.write_kubeconfig(folder / "kubeconfig"))}
        create = words("argo-workflows", "create")
        done = flow(folder, *create, environment={**storage, **kubeconfig}, name="retrain_flow")
    finally:
        double.close()
    assert done.code == 0, done.output[-3000:]
    return double.argo


@pytest.fixture(scope="module")
def template(folder: Path, storage: dict[str, str]) -> dict[str, Any]:
    done = flow(folder, *words("argo-workflows", "create", "--only-json"), environment=storage)
    assert done.code == 0, done.output[-3000:]
    return json.loads(done.output[done.output.index("{\n") : done.output.rindex("}") + 1])


def test_the_job_is_valid_and_asks_for_what_the_config_says(job: dict[str, Any]) -> None:
    kubernetes_validate.validate(job, KUBERNETES, strict=True)
    pod = job["spec"]["template"]["spec"]
    (only,) = pod["containers"]
    assert only["image"] == "registry.example/rasft:1"
    assert only["resources"]["limits"] == {"nvidia.com/gpu": "2"}
    assert only["resources"]["requests"] == {
        "cpu": "4.0",
        "memory": "65536.0M",
        "ephemeral-storage": "50000.0M",
    }
    assert {mount["mountPath"]: mount["name"] for mount in only["volumeMounts"]} == {
        "/dev/shm": "dhsm",
        "/models": "models",
    }
    assert {"secretRef": {"name": "hub-token"}} in only["envFrom"]
    assert pod["nodeSelector"] == {"pool": "gpu"}
    assert pod["tolerations"] == [
        {"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}
    ]
    assert pod["activeDeadlineSeconds"] == 90 * 60
    assert job["spec"]["backoffLimit"] == 0  # Metaflow retries, not Kubernetes
    assert job["spec"]["template"]["metadata"]["labels"]["rasft/verify"] == "true"


def test_the_pod_is_restricted(job: dict[str, Any]) -> None:
    (only,) = job["spec"]["template"]["spec"]["containers"]
    assert only["securityContext"] == {
        "privileged": False,
        "allowPrivilegeEscalation": False,
        "runAsNonRoot": True,
        "capabilities": {"drop": ["ALL"]},
        "seccompProfile": {"type": "RuntimeDefault"},
    }


def test_the_validator_would_notice(job: dict[str, Any]) -> None:
    wrong = json.loads(json.dumps(job))
    wrong["spec"]["template"]["spec"]["nodeSelectors"] = {}
    with pytest.raises(kubernetes_validate.ValidationError, match="nodeSelectors"):
        kubernetes_validate.validate(wrong, KUBERNETES, strict=True)


def without_nothing(value: Any) -> Any:
    """A manifest without what says nothing: null, and empty text, lists and mappings."""
    if isinstance(value, dict):
        kept = {key: without_nothing(each) for key, each in value.items()}
        return {key: each for key, each in kept.items() if each not in (None, "", [], {})}
    return [without_nothing(each) for each in value] if isinstance(value, list) else value


def assert_whole(model: type, manifest: dict[str, Any]) -> None:
    """Argo's model reads it and loses nothing of it: no key is unknown, no type is another."""
    read = model.model_validate(manifest)
    again = json.loads(read.model_dump_json(by_alias=True, exclude_none=True))
    assert without_nothing(again) == without_nothing(manifest)


def test_the_template_is_one_of_argo(template: dict[str, Any]) -> None:
    assert_whole(WorkflowTemplate, template)


def test_a_key_that_argo_does_not_know_is_noticed(template: dict[str, Any]) -> None:
    with pytest.raises(AssertionError):
        assert_whole(WorkflowTemplate, {**template, "specs": {"entrypoint": "x"}})


def test_the_retraining_flow_is_deployed_on_its_cron(
    deployed: dict[tuple[str, str], dict[str, Any]],
) -> None:
    assert_whole(WorkflowTemplate, deployed["workflowtemplates", "retrainflow"])
    cron = deployed["cronworkflows", "retrainflow"]
    assert_whole(CronWorkflow, cron)
    assert cron["spec"]["schedule"] == "30 4 * * 1"
    assert cron["spec"]["timezone"] == "Europe/Berlin"
    assert cron["spec"]["suspend"] is False
    assert cron["spec"]["workflowSpec"] == {"workflowTemplateRef": {"name": "retrainflow"}}


def test_the_template_carries_the_resources(template: dict[str, Any]) -> None:
    steps = {each["name"]: each for each in template["spec"]["templates"] if "container" in each}
    for name, gpus in (("rollout", {"nvidia.com/gpu": "2"}), ("train", {})):
        step = steps[name]
        assert step["container"]["image"] == "registry.example/rasft:1"
        assert step["container"]["resources"]["limits"] == gpus
        assert step["retryStrategy"] == {
            "retryPolicy": "Always",
            "limit": 2,
            "backoff": {"duration": "1m"},
        }
        assert step["activeDeadlineSeconds"] == 90 * 60
        assert step["container"]["securityContext"]["runAsNonRoot"] is True
    assert steps["rollout"]["nodeSelector"] == {"pool": "gpu"}


def test_the_template_fans_out(template: dict[str, Any]) -> None:
    (dag,) = (each["dag"] for each in template["spec"]["templates"] if each["name"] == "RasftFlow")
    loops = {task["name"] for task in dag["tasks"] if "withParam" in task}
    assert loops == {
        "warmup-foreach-score-shards",
        "route-foreach-rollout-shards",
        "train-foreach-benchmarks",
    }
