"""Builds the sandbox image on first use; its tag carries a hash of everything it is made from.

So a changed runner, Dockerfile or base image rebuilds, and nothing else does. The base is, in
this order: the one asked for, RASFT_SANDBOX_BASE_IMAGE, the Dockerfile's default, and, where no
registry can be reached, the one that base-image.sh makes.
"""

from __future__ import annotations

import hashlib
import io
import os
import socket
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

import docker
import requests
from docker.errors import APIError, BuildError, DockerException, ImageNotFound

from sandbox.certificates import docker_environment
from sandbox.protocol import SandboxError

FOLDER = Path(__file__).resolve().parent
DEFAULT_BASE = "python:3.11-slim"  # the default of the Dockerfile's BASE_IMAGE
_BASE_SCRIPT = FOLDER / "base-image.sh"
_BASE_HASH = hashlib.sha256(_BASE_SCRIPT.read_bytes()).hexdigest()[:16]
HOME_MADE_BASE = f"rasft-sandbox-base:{_BASE_HASH}"  # so that a changed script makes it anew
BASE_VARIABLE = "RASFT_SANDBOX_BASE_IMAGE"
REPOSITORY = "rasft-sandbox"


class _Api(docker.APIClient):  # type: ignore[misc]
    def merge_environment_settings(
        self, url: Any, proxies: Any, stream: Any, verify: Any, cert: Any
    ) -> Any:
        # else REQUESTS_CA_BUNDLE would take the place of the daemon's own certificate authority
        verify = self.verify if verify is None else verify
        return super().merge_environment_settings(url, proxies, stream, verify, cert)


class _Client(docker.DockerClient):  # type: ignore[misc]
    def __init__(self) -> None:
        settings = docker.utils.kwargs_from_env(environment=docker_environment())
        self.api = _Api(version="auto", timeout=120, max_pool_size=256, **settings)


def connect() -> docker.DockerClient:
    """Return a client of a daemon that answers; DOCKER_HOST and its TLS variables are honoured.

    Raises SandboxError with one sentence that says what to do.
    """
    where = os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock")
    client = None
    try:
        _knock(where)
        client = _Client()
        client.ping()
    except (DockerException, requests.RequestException, OSError) as error:
        if client is not None:
            client.close()
        raise SandboxError(
            f"no Docker daemon can be used at {where} ({_first_line(error)}): {_advice()}"
        ) from error
    return client


def _advice() -> str:
    if "KUBERNETES_SERVICE_HOST" in os.environ:
        return (
            "a pod has no Docker of its own; apply sandbox/kubernetes/docker-in-docker.yaml and "
            "name its secret and its label under resources.steps, as that file says"
        )
    return (
        "start Docker, or get permission to use it, or set DOCKER_HOST; as root on Debian run "
        "sandbox/install-docker.sh"
    )


def _knock(where: str) -> None:
    """Raise OSError where nobody listens; the SDK would leave its socket open on that."""
    if where.startswith("unix://"):
        with socket.socket(socket.AF_UNIX) as door:
            door.connect(where.removeprefix("unix://"))


def image_files() -> dict[str, bytes]:
    """Return what goes into the image, by path in the build context."""
    sources = [FOLDER / "__init__.py", *sorted((FOLDER / "inside").glob("*.py"))]
    files = {f"sandbox/{path.relative_to(FOLDER)}": path.read_bytes() for path in sources}
    return {"Dockerfile": (FOLDER / "Dockerfile").read_bytes(), **files}


def image_tag(base: str) -> str:
    """Return the tag of the image that this checkout builds on `base`."""
    digest = hashlib.sha256(base.encode())
    for path, content in sorted(image_files().items()):
        digest.update(f"\0{path}\0{len(content)}\0".encode() + content)
    return f"{REPOSITORY}:{digest.hexdigest()[:16]}"


def find_image(client: docker.DockerClient, base_image: str | None = None) -> str | None:
    """Return the tag of a current image, or None when it has yet to be built."""
    for base in _bases(base_image):
        try:
            client.images.get(image_tag(base))
        except ImageNotFound:
            continue
        return image_tag(base)
    return None


def ensure_image(base_image: str | None = None, client: docker.DockerClient | None = None) -> str:
    """Return the tag of a current image, building it first where needed (about a minute)."""
    client = client or connect()
    tag = find_image(client, base_image)
    if tag is not None:
        return tag
    base, *fallback = _bases(base_image)
    try:
        return _build(client, base)
    except SandboxError as error:
        if not fallback:
            raise
        print(f"sandbox: {error}; making {fallback[0]} without a registry", file=sys.stderr)
    make_base_image(client)
    return _build(client, fallback[0])


def make_base_image(client: docker.DockerClient) -> None:
    """Run base-image.sh unless its result is already there."""
    try:
        client.images.get(HOME_MADE_BASE)
        return
    except ImageNotFound:
        pass
    made = subprocess.run(["sh", str(_BASE_SCRIPT), HOME_MADE_BASE], capture_output=True, text=True)
    if made.returncode != 0:
        raise SandboxError(
            f"no registry can be reached and no base image could be made: {made.stderr.strip()}"
        )


def _bases(base_image: str | None) -> list[str]:
    asked = base_image or os.environ.get(BASE_VARIABLE)
    return [asked] if asked else [DEFAULT_BASE, HOME_MADE_BASE]


def _build(client: docker.DockerClient, base: str) -> str:
    tag = image_tag(base)
    try:
        client.images.build(
            fileobj=_context(),
            custom_context=True,
            tag=tag,
            buildargs={"BASE_IMAGE": base},
            rm=True,
            forcerm=True,
            # the home-made base has all it needs, and some machines have no bridge to build on
            network_mode="none" if base == HOME_MADE_BASE else None,
        )
    except (BuildError, APIError) as error:
        raise SandboxError(f"no image could be built on {base} ({_first_line(error)})") from error
    return tag


def _context() -> io.BytesIO:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for path, content in image_files().items():
            entry = tarfile.TarInfo(path)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    buffer.seek(0)
    return buffer


def _first_line(error: BaseException) -> str:
    text = str(error).strip() or type(error).__name__
    return text.splitlines()[0][:200]


def main() -> int:
    """Build the image where needed and print its tag; exit 1 with one sentence otherwise."""
    try:
        print(ensure_image())
    except SandboxError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
