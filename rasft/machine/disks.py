"""Whether the disks that a run writes to have room."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from rasft import paths
from rasft.machine.findings import Check
from rasft.results import runs


@dataclass(frozen=True)
class Place:
    """A folder that a run fills; `variable` names another one, `needed` is in GB for the demo."""

    what: str
    folder: Path
    variable: str
    needed: int

    @property
    def on_disk(self) -> Path:
        """The folder, or the one that it will be made in."""
        return next(each for each in (self.folder, *self.folder.parents) if each.exists())

    @property
    def device(self) -> int:
        """The number of its disk."""
        return self.on_disk.stat().st_dev


def places() -> list[Place]:
    """Where a run of this machine writes."""
    kind, root = runs.datastore()
    cache = Place("models and ledger", paths.cache_folder(), "RASFT_CACHE_DIR", 10)
    scratch = Place("scratch", Path(tempfile.gettempdir()), "TMPDIR", 5)
    if kind != "local" or not root:
        return [cache, scratch]
    return [cache, Place("runs", Path(root), "METAFLOW_DATASTORE_SYSROOT_LOCAL", 10), scratch]


def checks(found: Sequence[Place]) -> Iterator[Check]:
    """One of each disk."""
    for _, here in groupby(sorted(found, key=lambda each: each.device), lambda each: each.device):
        yield _check(list(here))


def _check(here: Sequence[Place]) -> Check:
    free = shutil.disk_usage(here[0].on_disk).free / 1e9
    needed = max(each.needed for each in here)
    told = ", ".join(f"{each.what} ({each.folder})" for each in here)
    others = " or ".join(each.variable for each in here)
    advice = (
        f"; free some, at least {needed} GB: `rasft prune` removes old runs, `rasft ledger gc` "
        f"stored work; or set {others}"
    )
    return Check(
        "disk", free >= needed, f"{free:.0f} GB free for {told}{'' if free >= needed else advice}"
    )
