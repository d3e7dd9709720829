"""What the plugins that read files do: their options, their files, the problems of the rows."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from rasft.data import field_map, file_types, files
from rasft.data.field_map import Named
from rasft.data.rows import SourceUnavailable, check_options
from rasft.data.source import Source
from rasft.errors import UserError
from rasft.records import Dropped, Problem


def load(plugin: str, source: Source, file_type: str | None = None) -> Iterator[Problem | Dropped]:
    """The problems of the files that a plugin's options name; `file_type` is that of all of them.

    Raises SourceUnavailable where there is no such file, UserError for an option or a row.
    """
    own = () if file_type else ("file_type",)
    check_options(plugin, source, ("path", *own, *field_map.OPTIONS))
    by = field_map.field_map(plugin, source.options)
    found = _files(plugin, source, file_type or _file_type(plugin, source))
    source.places.append(files.described(found))
    yield from field_map.problems(islice(_named(found), source.limit), by, source)


def _files(plugin: str, source: Source, file_type: str | None) -> list[files.DataFile]:
    path = source.options.get("path")
    addresses = [path] if isinstance(path, str) else path
    if not addresses:
        raise UserError(f"{plugin}: option path is missing; name the file with the problems")
    if not isinstance(addresses, list | tuple) or not all(isinstance(a, str) for a in addresses):
        raise UserError(f"{plugin}: option path = {path!r} must be a path, or a list of them")
    found = []
    for address in addresses:
        try:
            found += files.find(address, source.data_dir, file_type)
        except SourceUnavailable as error:
            raise SourceUnavailable(f"{plugin}: option path = {address!r}: {error}") from None
        except UserError as error:
            raise UserError(f"{plugin}: option path = {address!r}: {error}") from None
    return found


def _file_type(plugin: str, source: Source) -> str | None:
    file_type = source.options.get("file_type")
    if file_type not in (None, *file_types.TYPES):
        known = ", ".join(file_types.TYPES)
        raise UserError(f"{plugin}: option file_type = {file_type!r} must be one of: {known}")
    return str(file_type) if file_type else None


def _named(found: list[files.DataFile]) -> Iterator[Named]:
    for file, name in zip(found, files.names(found), strict=True):
        for index, row in enumerate(files.read(file)):
            yield row, f"{name}/{index}", name
