"""A verify pod reaches Docker with what its secret puts into the environment."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from integration.cluster.daemon import docker_over_tls

from sandbox.image import connect
from sandbox.protocol import SandboxError

pytestmark = pytest.mark.docker


@pytest.fixture(scope="module")
def secret(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    with docker_over_tls(tmp_path_factory.mktemp("certificates")) as secret:
        yield secret


def enter(monkeypatch: pytest.MonkeyPatch, values: dict[str, str]) -> None:
    for name in [name for name in os.environ if name.startswith("DOCKER_")]:
        monkeypatch.delenv(name)
    for name, value in values.items():
        monkeypatch.setenv(name, value)


def test_the_secret_is_enough(monkeypatch: pytest.MonkeyPatch, secret: dict[str, str]) -> None:
    enter(monkeypatch, secret)
    client = connect()
    try:
        assert client.info()["ServerVersion"]
    finally:
        client.close()


def test_nobody_else_is_let_in(
    monkeypatch: pytest.MonkeyPatch, secret: dict[str, str], tmp_path: Path
) -> None:
    with docker_over_tls(tmp_path) as other:
        enter(monkeypatch, {**other, "DOCKER_HOST": secret["DOCKER_HOST"]})
        with pytest.raises(SandboxError, match="no Docker daemon can be used at tcp://127"):
            connect()


def test_a_pod_without_it_is_told_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    enter(
        monkeypatch, {"DOCKER_HOST": "unix:///nowhere.sock", "KUBERNETES_SERVICE_HOST": "10.0.0.1"}
    )
    with pytest.raises(SandboxError, match=r"apply sandbox/kubernetes/docker-in-docker\.yaml"):
        connect()
