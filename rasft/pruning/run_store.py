"""Metaflow's datastore as files: what belongs to which run, what it refers to, and removal.

A run's folder holds the addresses of its artifacts. The artifacts themselves are blobs that all
runs of a flow share, as is the code of a run. Models, cards and checkpoints lie beside.
"""

from __future__ import annotations

import json
import re
import shutil
import tempfile
from collections.abc import Callable, Collection, Iterator
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import urlsplit

from rasft.errors import MachineError, UserError
from rasft.results import runs

OBJECTS_AT_ONCE = 1000  # that S3 removes in one call
CARDS, MODELS, CHECKPOINTS = "mf.cards", "mf.models/models", "mf.checkpoints/checkpoints"
_MODEL = re.compile(rb"mf\.models/models/artifacts/([\w.-]+)")
# Artifacts that can say where a model is: plain values, not tables.
_PLAIN = ("<class 'dict'>", "<class 'list'>", "<class 'tuple'>")


class RunStore:
    """The datastore that runs write to, by Metaflow's own settings."""

    def __init__(self) -> None:
        from metaflow.plugins import DATASTORES

        self.kind, root = runs.datastore()
        if root is None:
            raise UserError(
                f"the datastore is {self.kind!r} and its root is not set: "
                f"set METAFLOW_DATASTORE_SYSROOT_{self.kind.upper()}"
            )
        self.root = root
        (backend,) = (each for each in DATASTORES if self.kind == each.TYPE)
        self.storage = backend(root)

    def files(self, folder: str) -> dict[str, int]:
        """Every file below a folder with its bytes."""
        if self.kind == "s3":
            return self._objects(folder)
        found: dict[str, int] = {}
        folders = [folder]
        while folders:
            listed = self.storage.list_content(folders)
            found |= {each.path: self.storage.size_file(each.path) or 0 for each in listed
                      if each.is_file}  # fmt: skip
            folders = [each.path for each in listed if not each.is_file]
        return found

    def flows(self) -> list[str]:
        """The flows that have stored something."""
        names = (PurePosixPath(path).name for path in self._top())
        return sorted(name for name in names if name and not name.startswith("mf."))

    def addresses(self, paths: Collection[str]) -> Iterator[tuple[dict[str, str], dict[str, Any]]]:
        """What each `data.json` says: the blob of each artifact, and what is known of it."""
        if not paths:
            return
        with self.storage.load_bytes(list(paths)) as loaded:
            for _, local, _ in loaded:
                if local is not None:
                    said = json.loads(Path(local).read_text(encoding="utf-8"))
                    yield said["objects"], said["info"]

    def models_of(self, flow: str, paths: Collection[str]) -> set[str]:
        """The models that the artifacts of these `data.json` refer to."""
        wanted = {
            blob
            for objects, info in self.addresses(paths)
            for name, blob in objects.items()
            if info.get(name, {}).get("type") in _PLAIN
        }
        found: set[str] = set()
        for _, content in self._blobs(flow, wanted):
            found |= {match.decode() for match in _MODEL.findall(content)}
        return found

    def read_json(self, path: str) -> dict[str, Any]:
        """A small file."""
        with self.storage.load_bytes([path]) as loaded:
            for _, local, _ in loaded:
                return dict(json.loads(Path(local).read_text(encoding="utf-8")))
        return {}

    def remove(self, paths: Collection[str]) -> None:
        """Remove these files, and on a local disk the folders that they leave empty."""
        from metaflow_extensions.obcheckpoint.plugins.machine_learning_utilities.datastore import (
            storage_injections,
        )

        if self.kind == "s3":
            self._remove_objects(list(paths))
            return
        delete = storage_injections.STORAGE_INJECTIONS_DELETE[self.kind]
        for path in paths:
            delete(self.storage, path)
            if self.kind == "local":
                self._remove_empty(Path(path).parent)

    def forget(self, name: str) -> None:
        """Remove what the local metadata knows of a run; a service's keeps its record."""
        from metaflow import metaflow_config

        if metaflow_config.DEFAULT_METADATA == "local" and (folder := runs.local_root()):
            shutil.rmtree(Path(folder) / name, ignore_errors=True)

    def _top(self) -> list[str]:
        if self.kind == "s3":
            with self._s3() as s3:
                return [each.url.rstrip("/") for each in s3.list_paths() if not each.exists]
        return [each.path for each in self.storage.list_content([""]) if not each.is_file]

    def _objects(self, folder: str) -> dict[str, int]:
        root = self.root.rstrip("/") + "/"
        with self._s3() as s3:
            listed = s3.list_recursive([f"{folder.rstrip('/')}/"])
            return {each.url.removeprefix(root): each.size or 0 for each in listed}

    def _remove_objects(self, paths: list[str]) -> None:
        """By S3's own call for many: the package's removes what begins alike, or one at a time."""
        place = urlsplit(self.root)
        below = place.path.strip("/")
        for start in range(0, len(paths), OBJECTS_AT_ONCE):
            some = paths[start : start + OBJECTS_AT_ONCE]
            objects = [{"Key": f"{below}/{path}".lstrip("/")} for path in some]
            client = self.storage.s3_client.client
            done = client.delete_objects(Bucket=place.netloc, Delete={"Objects": objects})
            if failed := done.get("Errors"):
                first = failed[0]
                raise MachineError(
                    f"{self.root}: cannot remove {first['Key']}: {first.get('Message')}; "
                    "mend it and run the same command again"
                )

    def _s3(self) -> Any:
        from metaflow.plugins.datatools.s3.s3 import S3

        open_s3: Callable[..., Any] = S3
        return open_s3(s3root=self.root, tmproot=tempfile.gettempdir())

    def _blobs(self, flow: str, keys: Collection[str]) -> Iterator[tuple[str, bytes]]:
        from metaflow.datastore.content_addressed_store import ContentAddressedStore

        open_store: Callable[..., Any] = ContentAddressedStore
        store = open_store(self.storage.path_join(flow, "data"), self.storage)
        yield from store.load_blobs(sorted(keys))

    def _remove_empty(self, folder: Path) -> None:
        while folder.parts:
            with suppress(OSError):
                (Path(self.root) / folder).rmdir()
            if (Path(self.root) / folder).exists():
                return
            folder = folder.parent
