"""Every target really installed, from the public index alone, as a new user's machine would.

Each takes gigabytes and minutes, so these run by `make test-install` alone.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
HERE = Path(__file__).parent
UV = Path(sys.executable).with_name("uv")
KEPT = (
    "HOME",
    "LANG",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "RASFT_DATA_DIR",
)  # no setting of pip or uv
TARGETS = [("cpu", "3.11"), ("cpu", "3.12"), ("cpu", "3.13"), ("cuda", "3.12"), ("cuda", "3.13")]

pytestmark = pytest.mark.install


def interpreter(version: str) -> str:
    """A Python of this version: on the path, or one that uv knows."""
    found = shutil.which(f"python{version}")
    asked = subprocess.run([UV, "python", "find", version], capture_output=True, text=True)
    return found or asked.stdout.strip() or pytest.skip(f"there is no Python {version} here")


def environment() -> dict[str, str]:
    kept = {name: os.environ[name] for name in KEPT if name in os.environ}
    quiet = {"UV_NO_CONFIG": "1", "PIP_CONFIG_FILE": os.devnull, "METAFLOW_USER": "rasft"}
    return {**kept, **quiet, "PATH": os.pathsep.join([str(UV.parent), "/usr/bin:/bin"])}


def run(*command: object, cwd: Path = ROOT) -> str:
    words = [str(word) for word in command]
    done = subprocess.run(words, cwd=cwd, env=environment(), capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout


@pytest.fixture(scope="module", params=TARGETS, ids="-".join)
def target(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[str, Path]]:
    """The lock, and an environment that install.sh has just made; it goes after its tests."""
    lock, version = request.param
    folder = tmp_path_factory.mktemp(f"{lock}-{version}") / "venv"
    python = interpreter(version)
    command = ["env", f"PYTHON={python}", "sh", ROOT / "install.sh", folder, lock, "test"]
    run(*command)
    size = sum(path.lstat().st_size for path in folder.rglob("*")) / 1e9
    print(f"\n{lock}, Python {version}: {size:.1f} GB")
    yield lock, folder
    shutil.rmtree(folder)


def test_every_module_is_imported(target: tuple[str, Path]) -> None:
    _, folder = target
    told = run(folder / "bin/python", HERE / "modules.py")
    print(told)
    imported = int(told.splitlines()[-1].removesuffix(" modules imported"))
    assert imported > 200


def test_the_quick_tests_pass(target: tuple[str, Path]) -> None:
    _, folder = target
    told = run(
        folder / "bin/python", "-m", "pytest", "-q", "-n", "2", "--dist", "loadfile",
        "-p", "no:cacheprovider", "tests/unit", "tests/golden", "tests/contract",
    )  # fmt: skip
    last = told.splitlines()[-1]
    print(last)
    assert " passed" in last
    assert "failed" not in last


def test_vllm_has_what_is_asked_of_it(target: tuple[str, Path]) -> None:
    lock, folder = target
    if lock != "cuda":
        pytest.skip("this target has no vllm")
    assert "vllm has all that is asked of it" in run(
        folder / "bin/python", HERE / "vllm_interface.py"
    )
