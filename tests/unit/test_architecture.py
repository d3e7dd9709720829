"""Imports point one way, heavy packages stay where they belong, and the tree stays light."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
KINDS = ("datasets", "verifiers", "engines", "losses", "benchmarks")
SOURCES = sorted(
    path for folder in ("rasft", "sandbox", "flows") for path in (ROOT / folder).rglob("*.py")
)
# package -> the only files that may import it
CONFINED = {
    "vllm": ("rasft/engines/vllm.py",),
    "trl": ("rasft/training/reinforcement.py",),
    "metaflow": ("flows/", "rasft/results/runs.py"),
}


def imported(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{name.name}" for name in node.names)


def relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("path", SOURCES, ids=relative)
def test_confined_packages(path: Path) -> None:
    for package, homes in CONFINED.items():
        uses = any(name.split(".")[0] == package for name in imported(path))
        assert not uses or relative(path).startswith(homes), f"{relative(path)} imports {package}"


@pytest.mark.parametrize("path", SOURCES, ids=relative)
def test_direction(path: Path) -> None:
    names = set(imported(path))
    place = relative(path)
    if place.startswith("sandbox/"):
        assert not any(name.split(".")[0] in ("rasft", "flows") for name in names)
    if place.startswith("rasft/"):
        assert not any(name.split(".")[0] == "flows" for name in names)
    kind = path.parent.name
    if place.startswith("rasft/") and kind in KINDS:
        siblings = {f"rasft.{kind}.{other.stem}" for other in path.parent.glob("*.py")}
        assert not names & siblings, f"{place} imports a plugin beside it"
    if place in ("rasft/records.py", "rasft/errors.py"):
        assert not any(name.startswith("rasft") for name in names)


@pytest.mark.parametrize(
    ("modules", "heavy"),
    [
        ("rasft, rasft.config_files, rasft.tables", "metaflow docker sympy"),
        ("rasft.data.preparation, rasft.pipeline, rasft.report.reporting", "metaflow"),
        ("rasft.cli, rasft.commands.tables", "docker"),
    ],
)
def test_importing_stays_light(modules: str, heavy: str) -> None:
    """The scheduler imports the flow, and Metaflow's Runner cannot import torch at all."""
    code = f"import {modules}, sys; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not set(done.stdout.split()) & {"torch", "transformers", "vllm", *heavy.split()}
