"""Certificates that come as text in the environment, as a Kubernetes secret hands them to a pod.

The Docker client reads them from files. The secret sandbox-docker-client that
kubernetes/publish-certificates.sh makes has these keys.
"""

from __future__ import annotations

import atexit
import functools
import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

from sandbox.protocol import SandboxError

FILES = {"DOCKER_CA_PEM": "ca.pem", "DOCKER_CERT_PEM": "cert.pem", "DOCKER_KEY_PEM": "key.pem"}


def docker_environment(environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return the environment with DOCKER_CERT_PATH naming a folder of the certificates given.

    Raises SandboxError where only some of them are there.
    """
    given = tuple(environment[name] for name in FILES if environment.get(name))
    if not given:
        return dict(environment)
    if len(given) < len(FILES):
        missing = ", ".join(name for name in FILES if not environment.get(name))
        raise SandboxError(
            f"the certificates of the Docker daemon are not whole: {missing} is missing; make the "
            "secret again with sandbox/kubernetes/publish-certificates.sh"
        )
    return {**environment, "DOCKER_CERT_PATH": _written(given)}


@functools.cache
def _written(contents: tuple[str, ...]) -> str:
    folder = tempfile.mkdtemp(prefix="rasft-docker-")  # for this user alone
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    for name, content in zip(FILES.values(), contents, strict=True):
        Path(folder, name).write_text(content, encoding="ascii")
    return folder
