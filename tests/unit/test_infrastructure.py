"""What `rasft doctor` says of the datastore and of the cluster."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from rasft.machine import infrastructure
from rasft.machine.findings import Check
from rasft.results import runs

pytest.importorskip("kubernetes")


class Version(BaseHTTPRequestHandler):
    """Kubernetes' answer to GET /version."""

    def do_GET(self) -> None:
        content = json.dumps(
            {
                "major": "1",
                "minor": "34",
                "gitVersion": "v1.34.0",
                **dict.fromkeys(
                    ("gitCommit", "gitTreeState", "buildDate", "goVersion", "compiler", "platform"),
                    "x",
                ),
            }
        ).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Version) as http:
        thread = threading.Thread(target=http.serve_forever, args=(0.02,))
        thread.start()
        yield f"http://127.0.0.1:{http.server_port}"
        http.shutdown()
        thread.join()


def found(
    monkeypatch: pytest.MonkeyPatch, kind: str, root: str | None, server: str | None, folder: Path
) -> tuple[Check, Check]:
    """The findings for a datastore and a cluster."""
    kubeconfig = folder / "kubeconfig"
    if server:
        named = {"cluster": "c", "user": "u"}
        values = {
            "current-context": "x",
            "clusters": [{"name": "c", "cluster": {"server": server}}],
            "users": [{"name": "u", "user": {}}],
            "contexts": [{"name": "x", "context": named}],
        }
        kubeconfig.write_text(json.dumps(values))
    monkeypatch.setenv("KUBECONFIG", str(kubeconfig))
    monkeypatch.setattr(runs, "datastore", lambda: (kind, root))
    datastore, cluster = infrastructure.checks()
    return datastore, cluster


def test_a_folder_that_can_be_written(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    datastore, cluster = found(monkeypatch, "local", str(tmp_path / "new"), None, tmp_path)
    assert (datastore.ok, cluster.ok) == (True, True)
    assert "can be written" in datastore.detail
    assert "none configured" in cluster.detail


def test_a_folder_that_cannot(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    datastore, _ = found(monkeypatch, "local", "/proc/nowhere", None, tmp_path)
    assert not datastore.ok
    assert "cannot write to /proc/nowhere" in datastore.detail
    assert "check the path" in datastore.detail


def test_a_store_without_a_root(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    datastore, _ = found(monkeypatch, "s3", None, None, tmp_path)
    assert not datastore.ok
    assert "METAFLOW_DATASTORE_SYSROOT_S3 is not set" in datastore.detail


def test_s3_that_does_not_answer(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_DEFAULT_REGION"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("METAFLOW_S3_ENDPOINT_URL", "http://127.0.0.1:1")
    datastore, _ = found(monkeypatch, "s3", "s3://bucket/runs", None, tmp_path)
    assert not datastore.ok
    assert "check the bucket, keys and endpoint" in datastore.detail


def test_a_cluster_and_what_it_can_reach(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, server: str
) -> None:
    _, cluster = found(monkeypatch, "local", str(tmp_path), server, tmp_path)
    assert not cluster.ok
    assert "pods cannot reach a local datastore" in cluster.detail
    _, cluster = found(monkeypatch, "azure", "container", server, tmp_path)
    assert cluster == Check("cluster", True, f"Kubernetes v1.34.0 at {server}")


def test_a_cluster_that_does_not_answer(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    _, cluster = found(monkeypatch, "s3", None, "http://127.0.0.1:1", tmp_path)
    assert not cluster.ok
    assert "does not answer" in cluster.detail
    assert "check KUBECONFIG" in cluster.detail
