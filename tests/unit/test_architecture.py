"""Imports point one way, heavy packages stay where they belong, and the tree stays light."""

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from importlib.metadata import packages_distributions
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
    "trl": ("rasft/training/reinforcement/program.py",),
    "metaflow": ("flows/", "rasft/pruning/", "rasft/results/runs.py"),
}

# Rooms from the ground up: a module imports from its own room and from the floors below it.
FLOORS = (
    ("rasft.errors", "rasft.paths", "rasft.progress", "rasft.records", "rasft.tables"),
    ("rasft.answers.reading", "sandbox.inside"),
    (
        "rasft.addresses",
        "rasft.answers.comparing",
        "rasft.extras",
        "rasft.losses",
        "rasft.plugins",
        "rasft.workers",
    ),
    ("rasft.answers", "rasft.config", "sandbox"),
    ("rasft.data", "rasft.method", "rasft.models", "rasft.results", "rasft.verifiers"),
    (
        "rasft.decoding",
        "rasft.generated",
        "rasft.machine",
        "rasft.page",
        "rasft.pruning",
        "rasft.report",
    ),
    ("rasft.training.model", "rasft.training.storage"),
    ("rasft.benchmarks", "rasft.datasets", "rasft.engines", "rasft.ledger", "rasft.retraining"),
    ("rasft.training.loop",),
    ("rasft.training", "rasft.training.launch", "rasft.training.reinforcement"),
    ("rasft.training.preflight",),
    ("rasft.stages",),
    ("rasft.commands", "flows"),
    ("rasft.cli",),
)
FLOOR = {room: number for number, rooms in enumerate(FLOORS) for room in rooms}


@cache
def imported(path: Path) -> frozenset[str]:
    return frozenset(_imported(path))


def _imported(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{name.name}" for name in node.names)


def room_of(module: str) -> str:
    """The longest room that holds the module; "" for what is not this project's."""
    parts = module.split(".")
    names = (".".join(parts[:length]) for length in range(len(parts), 0, -1))
    return next((name for name in names if name in FLOOR), "")


def relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("path", SOURCES, ids=relative)
def test_confined_packages(path: Path) -> None:
    for package, homes in CONFINED.items():
        uses = any(name.split(".")[0] == package for name in imported(path))
        assert not uses or relative(path).startswith(homes), f"{relative(path)} imports {package}"


@pytest.mark.parametrize("path", SOURCES, ids=relative)
def test_direction(path: Path) -> None:
    names = imported(path)
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


@pytest.mark.parametrize("path", SOURCES, ids=relative)
def test_imports_go_down(path: Path) -> None:
    own = room_of(".".join(path.relative_to(ROOT).with_suffix("").parts))
    rooms = {room for name in imported(path) if (room := room_of(name)) not in ("", own)}
    assert {room for room in rooms if FLOOR[room] >= FLOOR.get(own, -1)} == set()


def test_every_module_has_a_floor() -> None:
    modules = [".".join(p.relative_to(ROOT).with_suffix("").parts) for p in SOURCES]
    assert [m for m in modules if not room_of(m) and m != "rasft.__init__"] == []


@pytest.mark.parametrize(
    ("modules", "heavy"),
    [
        ("rasft, rasft.config.files, rasft.tables", "metaflow docker sympy"),
        (
            "rasft.stages.prepare, rasft.stages.look, rasft.stages.compare, rasft.report.reporting",
            "metaflow scipy mpmath huggingface_hub",
        ),
        ("rasft.cli, rasft.commands.tables", "docker"),
    ],
)
def test_importing_stays_light(modules: str, heavy: str) -> None:
    """The scheduler imports the flow, and Metaflow's Runner cannot import torch at all."""
    code = f"import {modules}, sys; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not set(done.stdout.split()) & {"torch", "transformers", "vllm", *heavy.split()}


def on_import(path: Path) -> Iterator[str]:
    """The packages that are imported with the module, not first where a function uses them."""
    waiting: list[ast.AST] = list(ast.parse(path.read_text()).body)
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            continue
        if isinstance(node, ast.Import):
            yield from (name.name.split(".")[0] for name in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module.split(".")[0]
        waiting.extend(ast.iter_child_nodes(node))


@cache
def base_packages() -> set[str]:
    """What the base dependencies of pyproject.toml are imported as."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    base = {re.split(r"[^\w.-]", text)[0].lower() for text in project["dependencies"]}
    return {
        package
        for package, owners in packages_distributions().items()
        if any(re.sub(r"[-_.]+", "-", owner).lower() in base for owner in owners)
    }


@pytest.mark.parametrize("path", SOURCES, ids=relative)
def test_a_module_is_imported_with_base_dependencies_alone(path: Path) -> None:
    own = {"rasft", "sandbox", "flows", "bootstrap"}
    if relative(path).startswith("sandbox/inside/"):
        own |= {"pytest"}  # these run in the image, which has it
    known = own | base_packages() | set(sys.stdlib_module_names)
    assert set(on_import(path)) - known == set()
