"""Files of rows, local or at any address that fsspec knows: found, and read one after the other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from rasft.addresses import file_system, is_remote
from rasft.data import file_types
from rasft.data.rows import Row, SourceUnavailable
from rasft.errors import UserError


@dataclass(frozen=True)
class DataFile:
    """One file: where it is, and of which type."""

    fs: Any  # fsspec's file system
    path: str  # in it
    file_type: str


def find(address: str, data_dir: str | None, file_type: str | None) -> list[DataFile]:
    """The files of an address, which may be a pattern with `*`, in the order of their paths.

    A relative local path is taken from `data_dir`. Raises SourceUnavailable where there is no such
    file, UserError for an address that fsspec cannot open and a type that no suffix says.
    """
    if not is_remote(address):
        path = Path(address).expanduser()
        address = str(path if path.is_absolute() or not data_dir else Path(data_dir, path))
    fs, place = _open(address)
    return [DataFile(fs, at, file_type or _type(at)) for at in _paths(fs, place, address)]


def names(files: Sequence[DataFile]) -> list[str]:
    """The files' names without suffixes; with their folders where two would be alike."""
    paths = [PurePosixPath(file.path.partition("?")[0]) for file in files]
    stems = [_stem(path.name) for path in paths]
    if len(set(stems)) == len(stems):
        return stems
    return [f"{path.parent.name}/{stem}" for path, stem in zip(paths, stems, strict=True)]


def described(files: Sequence[DataFile]) -> str:
    """Which files these are, one at the least, for a reader.

    >>> described([DataFile(None, "a.csv", "csv")])
    'the file a.csv'
    """
    first, last = files[0].path, files[-1].path
    return f"the file {first}" if len(files) == 1 else f"{len(files)} files, {first} to {last}"


def read(file: DataFile) -> Iterator[Row]:
    """The rows of a file, as they are asked for.

    Raises SourceUnavailable where it cannot be reached, UserError for what cannot be read.
    """
    try:
        for place, fields in file_types.read(file.file_type, file.fs, file.path):
            yield Row.of(fields, f"{file.path} {place}")
    except UserError:
        raise
    except file_types.Malformed as error:
        raise UserError(f"{file.path} {error}") from None
    except UnicodeDecodeError as error:
        raise UserError(f"{file.path} is no UTF-8 text ({error}); save it as UTF-8") from None
    except OSError as error:
        raise SourceUnavailable(f"cannot read {file.path}: {error}") from None
    except Exception as error:  # each format and file system has classes of its own
        raise UserError(
            f"cannot read {file.path} as {file.file_type}: {str(error).strip() or repr(error)}; "
            "if it is of another type, say so with file_type"
        ) from None


def _open(address: str) -> tuple[Any, str]:
    try:
        return file_system(address)
    except (ImportError, ValueError) as error:
        raise UserError(f"{address} cannot be opened: {error}") from None
    except Exception as error:  # the file system's own, such as a host that does not answer
        raise SourceUnavailable(f"{address} cannot be reached: {error}") from None


def _paths(fs: Any, place: str, address: str) -> list[str]:
    if is_remote(address) and "*" not in place:
        return [place]  # whether it is there is seen when it is read
    if fs.isdir(place):
        raise UserError(f"{address} is a folder; name its files, such as {address}/*.jsonl")
    found = [place] if fs.isfile(place) else sorted(map(str, fs.glob(place)))
    if not found:
        raise SourceUnavailable(
            f"there is no file {address}; "
            "give an absolute path, or set RASFT_DATA_DIR to the folder that it is relative to"
        )
    return found


def _type(path: str) -> str:
    found = file_types.type_of(path.partition("?")[0])
    if found is None:
        known = ", ".join(file_types.TYPES)
        raise UserError(f"the name {path} says no type; set file_type to one of: {known}")
    return found


def _stem(name: str) -> str:
    packed = PurePosixPath(name).suffix.lower() in file_types.PACKED
    return PurePosixPath(PurePosixPath(name).stem).stem if packed else PurePosixPath(name).stem
