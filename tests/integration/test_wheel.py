"""The wheel, as `python -m build` makes it, away from the checkout."""

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SHIPPED = (
    "rasft/configs/demo.yaml",
    "rasft/configs/accelerate/ddp.yaml",
    "rasft/locks/cuda.txt",
    "rasft/results/published.yaml",
    "rasft/page/bundle/LICENCES.txt",
    "rasft/page/bundle/page.css",
    "rasft/page/bundle/page.js",
    "rasft/page/page.html.j2",
    "rasft/py.typed",
    "sandbox/Dockerfile",
    "sandbox/install-docker.sh",
    "sandbox/base-image.sh",
    "sandbox/kubernetes/docker-in-docker.yaml",
)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from the sdist, so that this holds all that a build needs."""
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    (found,) = folder.glob("*.whl")
    return found


def test_what_the_commands_read_travels_with_it(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    assert set(SHIPPED) - names == set()
    assert not [name for name in names if name.startswith(("tests/", "flows/"))]


def test_it_runs_where_nothing_else_of_the_project_is(wheel: Path, tmp_path: Path) -> None:
    """The dependencies come from this environment, whose own rasft is not on the path."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "venv"], check=True)
    python = tmp_path / "venv" / "bin" / "python"
    install = [sys.executable, "-m", "pip", "--python", python, "install", "--no-deps", "-q", wheel]
    subprocess.run(install, check=True)
    (packages,) = (tmp_path / "venv" / "lib").glob("python*/site-packages")
    libraries = Path(sys.prefix, *packages.relative_to(tmp_path / "venv").parts)
    (packages / "libraries.pth").write_text(f"{libraries}\n")
    clean = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "METAFLOW_USER": "rasft"}

    def rasft(*words: str) -> str:
        done = subprocess.run(
            [python.with_name("rasft"), *words],
            cwd=tmp_path, env=clean, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert rasft("--help").startswith("Usage: rasft")
    assert json.loads(rasft("resolve", "math"))["training"]["max_grad_norm"] == 1.0
    where = [python, "-c", "import rasft; print(rasft.__file__)"]
    told = subprocess.run(where, cwd=tmp_path, env=clean, capture_output=True, text=True)
    assert Path(told.stdout.strip()).is_relative_to(tmp_path)
