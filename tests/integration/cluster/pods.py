"""A pod: a Job's container under Docker, and what the API says of it."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

import docker
from docker.errors import NotFound
from integration.cluster.manifest import NAMESPACE, Cluster, annotations, container

LABEL = "rasft.cluster-double"
ROOT_USERS = ("", "0", "root")


class Pod:
    """One container of one Job. It runs in the host's network, where the datastore is."""

    def __init__(
        self,
        client: docker.DockerClient,
        job: Mapping[str, Any],
        cluster: Cluster,
        owner: str,
        memory: str | None = None,
    ) -> None:
        self.uid = str(uuid.uuid4())
        self.job_name = job["metadata"]["generateName"] + self.uid[:5]
        self.name = f"{self.job_name}-{self.uid[-5:]}"
        self._job = dict(job)
        self._parallelism = 1
        wanted = container(job, self.name, self.uid, cluster)
        if _user(client, wanted["image"]) in ROOT_USERS:
            raise ValueError(f"the image {wanted['image']} runs as root")
        self.container = client.containers.run(
            **wanted,
            name=self.name,
            detach=True,
            network_mode="host",
            labels={LABEL: owner},
            mem_limit=memory,
            memswap_limit=memory,
        )

    @property
    def step(self) -> str:
        """The step that it runs."""
        return annotations(self._job)["metaflow/step_name"]

    @property
    def attempt(self) -> int:
        """Which attempt of its task it is, from 0."""
        return int(annotations(self._job)["metaflow/attempt"])

    @property
    def labels(self) -> dict[str, str]:
        """What the API finds it by."""
        return {**self._job["metadata"]["labels"], "job-name": self.job_name}

    def kill(self) -> None:
        """End it, if it still runs."""
        if _runs(self.state()):
            self.container.kill()

    def stop(self) -> None:
        """What `parallelism: 0` means."""
        self._parallelism = 0
        self.remove()

    def remove(self) -> None:
        """Kill and remove the container, whatever state it is in."""
        try:
            self.container.remove(force=True)
        except NotFound:
            return

    def state(self) -> dict[str, Any]:
        """Docker's own record: Status, ExitCode, StartedAt, FinishedAt."""
        self.container.reload()
        return self.container.attrs["State"]

    def as_job(self) -> dict[str, Any]:
        """The Job as the API shows it."""
        state = self.state()
        counted = "active" if _runs(state) else "failed" if state["ExitCode"] else "succeeded"
        meta = {**self._job["metadata"], "name": self.job_name, "uid": self.uid}
        spec = {**self._job["spec"], "parallelism": self._parallelism}
        return {**self._job, "metadata": meta, "spec": spec, "status": {counted: 1}}

    def as_pod(self) -> dict[str, Any]:
        """The pod as the API shows it."""
        state = self.state()
        phase = "Running" if _runs(state) else "Failed" if state["ExitCode"] else "Succeeded"
        status = {
            "name": "step",
            "image": "image",
            "imageID": "image",
            "ready": _runs(state),
            "restartCount": 0,
            "state": _container_state(state),
        }
        return {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": self.name, "namespace": NAMESPACE, "labels": self.labels},
            "status": {"phase": phase, "containerStatuses": [status]},
        }


def _user(client: docker.DockerClient, image: str) -> str:
    return client.images.get(image).attrs["Config"]["User"].split(":")[0]


def _runs(state: Mapping[str, Any]) -> bool:
    return state["Status"] in ("created", "running")


def _container_state(state: Mapping[str, Any]) -> dict[str, Any]:
    if _runs(state):
        return {"running": {"startedAt": state["StartedAt"][:19] + "Z"}}
    return {
        "terminated": {
            "exitCode": state["ExitCode"],
            "reason": "Error" if state["ExitCode"] else "Completed",
            "finishedAt": state["FinishedAt"][:19] + "Z",
        }
    }
