"""Content-addressed Parquet files in folders, on a local disk or in an object store.

A file's name is the sha256 of its bytes, so it is written once, never changed, and a reader sees at
once whether it is whole. Locally it is written under another name, flushed to disk and renamed; an
object store shows an object only when it is complete. What is half-written, damaged, of another
schema or not ours is never read: it is counted, and left alone.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

import fsspec.implementations.local
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from rasft.addresses import file_system
from rasft.errors import MachineError, UserError

KEY = "key"  # the column that identifies a row
LATER = ("stdout", "stderr")  # columns of texts that verdicts had not from the first
FACTS = "facts.json"
PARTIAL = ".partial"
_NAME = re.compile(r"([0-9a-f]{64})\.parquet")

Facts = Mapping[str, Any]


class Store:
    """Folders of Parquet files below `root`; a folder is named by the facts its rows share."""

    def __init__(self, root: str):
        self.root = root
        self.fs, self.base = _open(root)
        self.ignored: dict[str, str] = {}  # path -> why it was not read

    def folder(self, kind: str, facts: Facts) -> str:
        """The folder of the rows of this kind that share these facts."""
        return f"{self.base}/{kind}/{digest(facts)}"

    def describe(self, folder: str, facts: Facts) -> None:
        """Leave the facts in the folder, for people and for `folders`."""
        content = json.dumps(facts, indent=2, sort_keys=True).encode() + b"\n"
        self.put(f"{folder}/{FACTS}", content)

    def folders(self, kind: str) -> dict[str, Facts]:
        """The folders of a kind with their facts; one whose facts are damaged is ignored."""
        found: dict[str, Facts] = {}
        for path in self.paths(f"{self.base}/{kind}", depth=2):
            if not path.endswith(f"/{FACTS}"):
                continue
            folder, facts = path.removesuffix(f"/{FACTS}"), self.read_json(path)
            if facts is not None and digest(facts) == PurePosixPath(folder).name:
                found[folder] = facts
            else:
                self.ignored[path] = "damaged"
        return found

    def append(self, folder: str, table: pa.Table) -> str:
        """Write a table as one more file of the folder; its path."""
        sink = io.BytesIO()
        pq.write_table(table, sink, compression="zstd")
        content = sink.getvalue()
        path = f"{folder}/{hashlib.sha256(content).hexdigest()}.parquet"
        self.put(path, content)
        return path

    def put(self, path: str, content: bytes) -> None:
        """Write a file whole or not at all. Raises MachineError where the store refuses it."""
        try:
            if _is_local(self.fs):
                _rename_into(path, lambda partial: partial.write_bytes(content))
            else:
                self.fs.pipe_file(path, content)
        except OSError as error:
            raise MachineError(f"the ledger cannot write {path}: {error}") from error

    def upload(self, source: Path, path: str) -> None:
        """Copy a local file into the store, whole or not at all."""
        try:
            if _is_local(self.fs):
                _rename_into(path, lambda partial: shutil.copyfile(source, partial))
            else:
                self.fs.put_file(str(source), path)
        except OSError as error:
            raise MachineError(f"the ledger cannot write {path}: {error}") from error

    def download(self, path: str, target: Path) -> bool:
        """Copy a file of the store to a local path; False if it is not there."""
        try:
            self.fs.get_file(path, str(target))
        except FileNotFoundError:
            return False
        return True

    def read_json(self, path: str) -> dict[str, Any] | None:
        """An object written as JSON; None if it is not there or damaged."""
        try:
            values = json.loads(self.fs.cat_file(path))
        except FileNotFoundError:
            return None
        except ValueError:
            values = None
        if not isinstance(values, dict):
            self.ignored[path] = "damaged"
            return None
        return values

    def tables(self, folder: str, schema: pa.Schema, wanted: pa.Array | None) -> Iterator[pa.Table]:
        """The rows of each file of the folder, all of them or those with a wanted key.

        A file may vanish while it is read, because its rows were moved into a larger one: the
        folder is then listed again.
        """
        seen: set[str] = set()
        while fresh := [path for path in self.files(folder) if path not in seen]:
            vanished = False
            for path in fresh:
                seen.add(path)
                try:
                    table = self.read(path, schema, wanted)
                except FileNotFoundError:
                    vanished = True
                    continue
                if table is not None and table.num_rows:
                    yield table
            if not vanished:
                return

    def files(self, folder: str) -> list[str]:
        """The paths of a folder's files by name; anything else that lies there is ignored."""
        paths = []
        for path in self.paths(folder, depth=1):
            name = PurePosixPath(path).name
            if _NAME.fullmatch(name):
                paths.append(path)
            elif name != FACTS:
                self.ignored[path] = "half-written" if PARTIAL in name else "foreign"
        return sorted(paths)

    def age(self, folder: str) -> float:
        """Seconds since the newest file of the folder was written."""
        written = [self.fs.modified(path).timestamp() for path in self.files(folder)]
        return time.time() - max(written, default=0.0)

    def size(self, path: str) -> int:
        """The bytes of a file."""
        return int(self.fs.size(path))

    def remove(self, path: str) -> None:
        """Remove a file or a whole folder, if it is there."""
        if self.fs.exists(path):
            self.fs.rm(path, recursive=True)

    def paths(self, folder: str, depth: int = 1) -> list[str]:
        """Every file in a folder, down to so many levels."""
        self.fs.invalidate_cache()
        try:
            return [str(path) for path in self.fs.find(folder, maxdepth=depth)]
        except FileNotFoundError:
            return []
        except OSError as error:
            raise MachineError(f"the ledger cannot list {folder}: {error}") from error

    def read(self, path: str, schema: pa.Schema, wanted: pa.Array | None = None) -> pa.Table | None:
        """The wanted rows of a file; None where it holds none or cannot be trusted.

        Raises FileNotFoundError where the file has gone, MachineError where it cannot be had.
        """
        if wanted is not None and not self._may_hold(path, wanted):
            return None
        try:
            content = self.fs.cat_file(path)
        except FileNotFoundError:
            raise
        except OSError as error:
            raise MachineError(f"the ledger cannot read {path}: {error}") from error
        if hashlib.sha256(content).hexdigest() != PurePosixPath(path).stem:
            self.ignored[path] = "damaged"
            return None
        table = _with_later(_in_this_thread(pa.BufferReader(content)), schema)
        if not table.schema.equals(schema):
            self.ignored[path] = "other schema"
            return None
        return table if wanted is None else table.filter(pc.is_in(table[KEY], wanted))

    def _may_hold(self, path: str, wanted: pa.Array) -> bool:
        """Whether a file has a wanted key, from its column of keys; true if that is broken."""
        try:
            with self.fs.open(path, "rb") as file:
                keys = _in_this_thread(file, columns=[KEY])
        except FileNotFoundError:
            raise
        except (pa.ArrowException, OSError):
            return True
        return bool(pc.any(pc.is_in(keys[KEY], wanted)).as_py())


def _with_later(table: pa.Table, schema: pa.Schema) -> pa.Table:
    """The rows with an empty text in columns that files of their kind had not from the first."""
    for field in schema:
        if field.name in LATER and field.name not in table.column_names:
            table = table.append_column(field, pa.array([""] * table.num_rows, field.type))
    return table


def _in_this_thread(file: Any, columns: list[str] | None = None) -> pa.Table:
    """The rows of a Parquet file.

    A thread of Arrow's that still holds a Python object when the interpreter ends aborts it
    (apache/arrow#34314).
    """
    parquet = pq.ParquetFile(file, pre_buffer=False)
    return parquet.read(columns=columns, use_threads=False)


def digest(facts: Facts) -> str:
    """The name of a folder: blake2b of its facts, 32 hexadecimal digits."""
    content = json.dumps(facts, sort_keys=True).encode()
    return hashlib.blake2b(content, digest_size=16).hexdigest()


def _open(root: str) -> tuple[Any, str]:
    """The file system of a path and the path in it."""
    try:
        fs, base = file_system(root)
        return fs, base.rstrip("/")
    except (ImportError, ValueError, OSError) as error:
        raise UserError(
            f"ledger.path = {root!r} cannot be opened: {error}; "
            "name a folder, or an address that fsspec knows such as s3://bucket/folder"
        ) from None


def _is_local(fs: Any) -> bool:
    return isinstance(fs, fsspec.implementations.local.LocalFileSystem)


def _rename_into(path: str, write: Callable[[Path], object]) -> None:
    """Let `write` fill another file beside the path, and give it its name once it is on disk."""
    final = Path(path)
    final.parent.mkdir(parents=True, exist_ok=True)
    partial = final.with_name(f".{final.name}.{os.getpid()}{PARTIAL}")
    write(partial)
    with partial.open("rb") as file:
        os.fsync(file.fileno())
    os.replace(partial, final)
