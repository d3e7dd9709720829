"""The project's own image for the CPU, built by the Dockerfile once for each state of its inputs.

Where no registry can be reached the base is sandbox/base-image.sh's. The wheels are fetched on this
machine, by its pip and its settings, and reach the build through its context: the build itself
needs no network, and no setting of this machine gets into the image.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

from docker.errors import ImageNotFound

from rasft.paths import cache_folder
from sandbox import image as sandbox_image

ROOT = Path(__file__).parents[3]
LOCK = "test"  # torch as it is installed here, so that pods and local runs give equal numbers
INPUTS = ("Dockerfile", ".dockerignore", "pyproject.toml", f"locks/{LOCK}.txt")
REPOSITORY = "rasft"


def tag() -> str:
    """The image's name; its tag is a hash of all that it is made from."""
    digest = hashlib.sha256(sandbox_image.HOME_MADE_BASE.encode())
    digest.update((ROOT / "Dockerfile").read_bytes() + _requirements())
    return f"{REPOSITORY}:cpu-{digest.hexdigest()[:16]}"


def ensure_image() -> str:
    """The image's name, after a build where it is not there yet (some minutes)."""
    client = sandbox_image.connect()
    try:
        client.images.get(tag())
    except ImageNotFound:
        sandbox_image.make_base_image(client)
        _build()
    finally:
        client.close()
    return tag()


def _build() -> None:
    with tempfile.TemporaryDirectory(prefix="rasft-image-", dir=_cache()) as folder:
        (Path(folder) / "locks").mkdir()
        for name in INPUTS:
            shutil.copy(ROOT / name, Path(folder) / name)
        (Path(folder) / "wheels").mkdir()
        for wheel in _wheels().iterdir():
            (Path(folder) / "wheels" / wheel.name).hardlink_to(wheel)
        arguments = {
            "BASE_IMAGE": sandbox_image.HOME_MADE_BASE,
            "DEVICE": "cpu",
            "LOCK": LOCK,
            "PIP_NO_INDEX": "1",
            "REVISION": _commit(),
        }
        options = [f"--build-arg={name}={value}" for name, value in arguments.items()]
        _run("docker", "build", "--quiet", "--network=none", f"--tag={tag()}", *options, folder)


def _requirements() -> bytes:
    """What the Dockerfile reads of pyproject.toml and the lock."""
    wanted = "\n".join(sorted(_dependencies()))
    return wanted.encode() + _lock().read_bytes()


def _lock() -> Path:
    return ROOT / "locks" / f"{LOCK}.txt"


def _dependencies() -> list[str]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]


def _wheels() -> Path:
    """A folder of the wheels that the image needs, fetched where a version of one has changed."""
    folder = _cache() / f"wheels-{hashlib.sha256(_requirements()).hexdigest()[:16]}"
    if not folder.is_dir():
        with tempfile.TemporaryDirectory(prefix=".wheels-", dir=_cache()) as partial:
            _fetch(Path(partial) / "wheels")
            (Path(partial) / "wheels").rename(folder)
    return folder


def _fetch(folder: Path) -> None:
    import torch

    pip = [sys.executable, "-m", "pip", "wheel", "-q", "--no-input", "--wheel-dir", str(folder)]
    # the build of torch that is installed here: the CPU's, where there is one
    _run(*pip, "-c", str(_lock()), f"torch=={torch.__version__}", *_dependencies())


def _cache() -> Path:
    folder = cache_folder() / "image"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _commit() -> str:
    done = subprocess.run(
        ["git", "-C", str(ROOT), "rev-parse", "HEAD"], capture_output=True, text=True, check=False
    )
    return done.stdout.strip() or "unknown"


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(
            f"{' '.join(command[:3])} failed:\n{(done.stdout + done.stderr)[-3000:]}"
        )


if __name__ == "__main__":
    print(ensure_image())
