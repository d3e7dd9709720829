"""The few calls of the Kubernetes API that Metaflow makes, over HTTP on the loopback.

A Job becomes a container at once, and a JobSet as many as it has nodes. It proves packaging, image,
environment, security context and retries; it does not prove scheduling, image pulls or permissions.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import docker
from integration.cluster.jobsets import JobSet, jobs_of
from integration.cluster.manifest import NAMESPACE, Cluster
from integration.cluster.pods import Pod

JOBS = re.compile(rf"/apis/batch/v1/namespaces/{NAMESPACE}/jobs(?:/(?P<name>[^/]+))?")
PODS = re.compile(rf"/api/v1/namespaces/{NAMESPACE}/pods")
JOBSETS = re.compile(
    rf"/apis/jobset.x-k8s.io/v1alpha2/namespaces/{NAMESPACE}/jobsets(?:/(?P<name>[^/]+))?"
)
ARGO = re.compile(
    rf"/apis/argoproj.io/v1alpha1/namespaces/{NAMESPACE}/(?P<kind>\w+)(?:/(?P<name>[^/]+))?"
)


class ClusterDouble:
    """Runs Jobs; `on_job` may bound the memory of a pod, `on_pod` sees each pod as it starts."""

    def __init__(self, cluster: Cluster, owner: str) -> None:
        self._docker = docker.from_env(timeout=120)
        self._cluster, self._owner = cluster, owner
        self._lock = threading.Lock()
        self.pods: dict[str, Pod] = {}
        self.jobs: list[dict[str, Any]] = []
        self.jobsets: dict[str, JobSet] = {}
        self.argo: dict[tuple[str, str], dict[str, Any]] = {}
        self.on_job: Callable[[dict[str, Any]], str | None] = lambda job: None
        self.on_pod: Callable[[Pod], None] = lambda pod: None
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
        self._server.double = self  # type: ignore[attr-defined]
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self._thread.start()

    def write_kubeconfig(self, path: Path) -> Path:
        """A kubeconfig whose only context is this cluster."""
        server = f"http://127.0.0.1:{self._server.server_port}"
        context = {"cluster": "double", "user": "tester", "namespace": NAMESPACE}
        values = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "double",
            "clusters": [{"name": "double", "cluster": {"server": server}}],
            "users": [{"name": "tester", "user": {}}],
            "contexts": [{"name": "double", "context": context}],
        }
        path.write_text(json.dumps(values))
        return path

    def create_set(self, manifest: dict[str, Any]) -> dict[str, Any]:
        """Start the Jobs of a JobSet."""
        pods = [self.create(job) for job in jobs_of(manifest)]
        jobset = self.jobsets[manifest["metadata"]["name"]] = JobSet(manifest, pods)
        return jobset.as_jobset()

    def create(self, job: dict[str, Any]) -> Pod:
        """Start a Job."""
        with self._lock:
            self.jobs.append(job)
            memory = self.on_job(job)
        pod = Pod(self._docker, job, self._cluster, self._owner, memory)
        self.pods[pod.job_name] = pod
        self.on_pod(pod)
        return pod

    def close(self) -> None:
        """Stop serving and remove every container it made."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
        for pod in self.pods.values():
            pod.remove()
        self._docker.close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        pass

    @property
    def double(self) -> ClusterDouble:
        return self.server.double  # type: ignore[attr-defined]

    def do_POST(self) -> None:
        path, body = urlsplit(self.path).path, self._body()
        if JOBS.fullmatch(path):
            self._create(lambda: self.double.create(body).as_job())
        elif JOBSETS.fullmatch(path):
            self._create(lambda: self.double.create_set(body))
        elif match := ARGO.fullmatch(path):
            self._reply(201, self._store(match["kind"], body["metadata"]["name"], body))
        else:
            self._missing()

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        if (match := JOBS.fullmatch(url.path)) and match["name"] in self.double.pods:
            self._reply(200, self.double.pods[match["name"]].as_job())
        elif PODS.fullmatch(url.path):
            label, _, value = parse_qs(url.query)["labelSelector"][0].partition("=")
            pods = [p for p in list(self.double.pods.values()) if p.labels.get(label) == value]
            found = [pod.as_pod() for pod in pods]
            self._reply(200, {"apiVersion": "v1", "kind": "PodList", "items": found})
        elif (match := JOBSETS.fullmatch(url.path)) and match["name"] in self.double.jobsets:
            self._reply(200, self.double.jobsets[match["name"]].as_jobset())
        elif (match := ARGO.fullmatch(url.path)) and (
            found := self.double.argo.get((match["kind"], match["name"]))
        ):
            self._reply(200, found)
        else:
            self._missing()

    def do_PUT(self) -> None:
        match = ARGO.fullmatch(urlsplit(self.path).path)
        if match:
            self._reply(200, self._store(match["kind"], match["name"], self._body()))
        else:
            self._missing()

    def do_PATCH(self) -> None:
        match, body = JOBS.fullmatch(urlsplit(self.path).path), self._body()
        if match and match["name"] in self.double.pods and body["spec"]["parallelism"] == 0:
            pod = self.double.pods[match["name"]]
            shown = pod.as_job()
            pod.stop()
            self._reply(200, {**shown, "spec": {**shown["spec"], "parallelism": 0}})
        else:
            self._missing()

    def do_DELETE(self) -> None:
        match = JOBSETS.fullmatch(urlsplit(self.path).path)
        if match and (jobset := self.double.jobsets.pop(match["name"], None)):
            jobset.remove()
            self._reply(200, {"status": "Success"})
        else:
            self._missing()

    def _create(self, create: Callable[[], dict[str, Any]]) -> None:
        try:
            self._reply(201, create())
        except (KeyError, ValueError) as error:
            self._reply(422, {"message": f"the Job cannot run here: {error}"})

    def _store(self, kind: str, name: str, body: dict[str, Any]) -> dict[str, Any]:
        body["metadata"]["resourceVersion"] = "1"
        self.double.argo[kind, name] = body
        return body

    def _body(self) -> dict[str, Any]:
        return json.loads(self.rfile.read(int(self.headers["Content-Length"])))

    def _missing(self) -> None:
        self._reply(404, {"message": f"{self.command} {self.path} is not served here"})

    def _reply(self, status: int, value: dict[str, Any]) -> None:
        content = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)
