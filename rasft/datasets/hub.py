"""Any dataset of the Hugging Face hub, streamed: no more is fetched than is read.

Options:

- `dataset`: its id, such as `openai/gsm8k`.
- `config`: its configuration, where it has several, such as `main`.
- `split`: `train`, if not stated.
- `revision`: the commit to read. Without one the newest is read, and a note of the run names it.
- `verifier`, `fields`, `format`, `answer`, `group`: as of `files`.

A row without an id gets the dataset's, the config, the split and its number.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import islice

from rasft.data import field_map, rows
from rasft.data.field_map import Named
from rasft.data.source import Source
from rasft.errors import UserError
from rasft.records import Dropped, Problem


def load(source: Source) -> Iterator[Problem | Dropped]:
    """Yield the rows. Raises SourceUnavailable where there are none, UserError for a bad one."""
    rows.check_options(
        "hub", source, ("dataset", "config", "split", "revision", *field_map.OPTIONS)
    )
    by = field_map.field_map("hub", source.options)
    location = _location(source)
    yield from field_map.problems(islice(_named(location, source), source.limit), by, source)


def _location(source: Source) -> rows.Location:
    texts = {name: source.options.get(name) for name in ("dataset", "config", "split", "revision")}
    for name, value in texts.items():
        if not isinstance(value, str | None):
            raise UserError(f"hub: option {name} = {value!r} must be text")
    if not texts["dataset"]:
        raise UserError("hub: option dataset is missing; name one, such as openai/gsm8k")
    return rows.Location(
        file="",
        hub=texts["dataset"],
        split=texts["split"] or "train",
        revision=texts["revision"],
        config=texts["config"],
    )


def _named(location: rows.Location, source: Source) -> Iterator[Named]:
    held = replace(location, revision=location.revision or _newest(location.hub, source))
    source.places.append(held.on_hub)
    parts = [location.hub, location.config, location.split]
    name = "/".join(part for part in parts if part)
    for index, row in enumerate(rows.read_hub(held)):
        yield row, f"{name}/{index}", location.hub


def _newest(hub: str, source: Source) -> str | None:
    """The newest commit, so that all rows are of one; a note says which."""
    commit = None if rows.hub_failure() else rows.newest_commit(hub)
    source.notes.append(
        f"hub: {hub} is read at its newest commit, {commit}; revision: {commit} holds it there"
        if commit
        else f"hub: {hub} is read at its newest commit, which the hub does not name; set revision"
    )
    return commit
