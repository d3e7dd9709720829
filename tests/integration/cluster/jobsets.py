"""A JobSet read as Jobs, and what the API says of their pods together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from integration.cluster.manifest import NAMESPACE
from integration.cluster.pods import Pod

PREFIX = "jobset.sigs.k8s.io"
STATES = ("active", "succeeded", "failed")


def jobs_of(jobset: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """The Job of each replica, with the words of the controller that its pod reads."""
    for kind in jobset["spec"]["replicatedJobs"]:
        for index in range(kind["replicas"]):
            yield _job(jobset["metadata"]["name"], kind, index)


def _job(jobset: str, kind: Mapping[str, Any], index: int) -> dict[str, Any]:
    labels = {f"{PREFIX}/jobset-name": jobset, f"{PREFIX}/replicatedjob-name": kind["name"]}
    own = {f"{PREFIX}/job-index": str(index), f"{PREFIX}/restart-attempt": "0"}
    spec = kind["template"]["spec"]
    meta = spec["template"]["metadata"]
    said = {**meta, "annotations": {**meta["annotations"], **labels, **own}}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "generateName": f"{jobset}-{kind['name']}-{index}-",
            "labels": {**meta["labels"], **labels},
        },
        "spec": {**spec, "template": {**spec["template"], "metadata": said}},
    }


class JobSet:
    """The pods of one step that runs on several nodes; one that fails ends the others."""

    def __init__(self, manifest: Mapping[str, Any], pods: list[Pod]) -> None:
        self._manifest = dict(manifest)
        self.pods = pods

    def as_jobset(self) -> dict[str, Any]:
        """The JobSet as the API shows it."""
        counts = {kind["name"]: dict.fromkeys(STATES, 0) for kind in self._kinds()}
        for pod in self.pods:
            for state, number in pod.as_job()["status"].items():
                counts[pod.labels[f"{PREFIX}/replicatedjob-name"]][state] += number
        total = {state: sum(each[state] for each in counts.values()) for state in STATES}
        if total["failed"]:
            for pod in self.pods:
                pod.kill()
        ended = "Failed" if total["failed"] else "Completed" if not total["active"] else None
        status = {
            "replicatedJobsStatus": [{"name": n, "suspended": 0, **c} for n, c in counts.items()],
            "conditions": [{"type": ended, "status": "True"}] if ended else [],
        }
        meta = {**self._manifest["metadata"], "namespace": NAMESPACE}
        return {**self._manifest, "metadata": meta, "status": status}

    def remove(self) -> None:
        """What its deletion means."""
        for pod in self.pods:
            pod.remove()

    def _kinds(self) -> list[dict[str, Any]]:
        return self._manifest["spec"]["replicatedJobs"]
