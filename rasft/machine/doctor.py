"""What a run needs of this machine, checked, with what to do about each fault."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from rasft import plugins
from rasft.errors import UserError
from rasft.machine import disks, gpu, infrastructure, installed
from rasft.machine.findings import Check

NEEDED_ENGINE = "transformers"  # runs everywhere; the others need a GPU or a server


def checks(sources: Mapping[str, str]) -> Iterator[Check]:
    """Every check, as it is made; `sources` are the plugins of a config."""
    from sandbox.health import checks as sandbox_checks

    for name, ok, detail in sandbox_checks():
        yield Check(name, ok, detail)
    yield from installed.checks()
    yield from gpu.checks()
    yield from _engines()
    yield from _own(sources)
    yield from infrastructure.checks()
    yield from disks.checks(disks.places())


def _engines() -> Iterator[Check]:
    for name in plugins.library("engines"):
        fault = plugins.load("engines", name).available()
        optional = " (optional)" if fault and name != NEEDED_ENGINE else ""
        yield Check(f"engine {name}{optional}", not fault or bool(optional), fault or "usable")


def _own(sources: Mapping[str, str]) -> Iterator[Check]:
    """Whether each plugin of the user's own imports, and defines what its kind does."""
    for file in sorted(sources):
        kind, _, name = file.removesuffix(".py").rpartition("/")
        if kind not in plugins.KINDS or name == "__init__":
            continue
        check = f"your {plugins.singular(kind)} {name}"
        try:
            plugin = plugins.load(kind, name)
            fault = plugin.available() if kind == "engines" else None
            yield Check(check, True, fault or f"usable, version {plugins.digest(file)}")
        except UserError as error:
            yield Check(check, False, str(error))
