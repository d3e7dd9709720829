"""The Docker daemon's certificates, handed over as text."""

import stat
from pathlib import Path

import pytest

from sandbox.certificates import docker_environment
from sandbox.protocol import SandboxError

GIVEN = {"DOCKER_CA_PEM": "a", "DOCKER_CERT_PEM": "b", "DOCKER_KEY_PEM": "c"}


def test_they_become_the_files_that_docker_reads() -> None:
    found = docker_environment({"DOCKER_HOST": "tcp://there:2376", **GIVEN})
    folder = Path(found["DOCKER_CERT_PATH"])
    assert found["DOCKER_HOST"] == "tcp://there:2376"
    assert {p.name: p.read_text() for p in folder.iterdir()} == {
        "ca.pem": "a",
        "cert.pem": "b",
        "key.pem": "c",
    }
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_the_same_certificates_are_written_once() -> None:
    assert docker_environment(GIVEN) == docker_environment(dict(GIVEN))


def test_without_them_nothing_changes() -> None:
    plain = {"DOCKER_HOST": "unix:///s", "DOCKER_CERT_PATH": "/mine"}
    assert docker_environment(plain) == plain


def test_an_incomplete_secret_is_named() -> None:
    with pytest.raises(SandboxError, match="DOCKER_KEY_PEM is missing"):
        docker_environment({**GIVEN, "DOCKER_KEY_PEM": ""})
