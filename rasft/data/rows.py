"""Rows of a dataset: from a local JSONL file where there is one, else streamed from the hub.

A plugin names its `Location` and gets `Row`s with the fields of the local file; `from_hub` turns a
hub row into those. Errors name the file and line, or the hub dataset and row, and the field.
"""

from __future__ import annotations

import gc
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Any

from rasft.data.file_types import Malformed, json_lines
from rasft.data.source import Source
from rasft.errors import UserError
from rasft.records import Problem

Fields = Mapping[str, Any]
GATED = "; the dataset is gated: accept its terms on the hub, and set HF_TOKEN to a token of yours"


class SourceUnavailable(UserError):
    """Neither the local file nor the hub has the rows, as distinct from rows that are wrong."""


@dataclass(frozen=True)
class Location:
    """Where rows lie: `file` below RASFT_DATA_DIR ("" for none), or a split of a hub dataset.

    `revision` is the hub commit that the field names were checked against; None is the newest.
    With `files` the hub's JSON lines or Arrow files of these names are read, one after the other:
    for a dataset whose loading script no library runs any more, or that names its splits nowhere.
    """

    file: str
    hub: str
    split: str
    revision: str | None
    config: str | None = None
    files: tuple[str, ...] = ()
    gated: bool = False  # the hub asks for its terms to be accepted

    @property
    def on_hub(self) -> str:
        """The place on the hub, for a reader."""
        revision = f" at {self.revision[:12]}" if self.revision else ""
        return f"the hub dataset {self.hub}, split {self.split}{revision}"


@dataclass(frozen=True)
class Row:
    """The fields of one row, and where it was read for messages."""

    fields: Fields
    where: str

    @classmethod
    def of(cls, value: Any, where: str) -> Row:
        """The row of a JSON object. Raises UserError for any other value."""
        if not isinstance(value, dict):
            raise UserError(f"{where} must hold a JSON object, not {type(value).__name__}")
        return cls(value, where)

    def value(self, field: str) -> Any:
        """A field, also one within another, named with dots; None where it is absent.

        >>> Row({"extra": {"answer": "4"}}, "rows line 1").value("extra.answer")
        '4'
        """
        if field in self.fields or "." not in field:
            return self.fields.get(field)
        found: Any = self.fields
        for part in field.split("."):
            found = found.get(part) if isinstance(found, Mapping) else None
        return found

    def text(self, field: str) -> str:
        """A field that every row has. Raises UserError naming the row if it is not there."""
        value = self.optional(field)
        if value is None:
            known = ", ".join(self.fields)
            raise UserError(f"{self.where}: field {field!r} is missing or empty; it has: {known}")
        return value

    def optional(self, field: str) -> str | None:
        """A field as text; None where it is absent, null or blank. 27.0 becomes "27"."""
        value = self.value(field)
        if isinstance(value, bool) or not isinstance(value, (str, int, float, type(None))):
            raise UserError(f"{self.where}: field {field!r} must be text, not {value!r:.60}")
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if isinstance(value, float) and math.isnan(value):  # what tables have for nothing
            value = None
        return None if value is None or not str(value).strip() else str(value)

    def texts(self, field: str) -> tuple[str, ...]:
        """A field that is a list of texts; none where it is absent."""
        value = self.value(field) or []
        if not isinstance(value, list) or not all(isinstance(text, str) for text in value):
            raise UserError(f"{self.where}: field {field!r} must be texts, not {value!r:.60}")
        return tuple(value)


def read(
    source: Source,
    location: Location,
    from_hub: Callable[[Fields, int], Fields] = lambda fields, index: fields,
    wanted: Callable[[Row], bool] = lambda row: True,
) -> Iterator[Row]:
    """The first `source.limit` wanted rows of a location.

    Raises SourceUnavailable where there is neither file nor hub, UserError for a broken row.
    """
    local = Path(source.data_dir, location.file) if source.data_dir else None
    is_here = local is not None and local.is_file()
    source.places.append(f"the file {local}" if is_here else location.on_hub)
    rows = read_jsonl(local) if local and is_here else read_hub(location, local, from_hub)
    return islice(filter(wanted, rows), source.limit)


def read_jsonl(path: Path) -> Iterator[Row]:
    """The rows of a JSONL file; blank lines are skipped. Raises UserError naming the line."""
    try:
        with path.open(encoding="utf-8-sig") as lines:
            for place, fields in json_lines(lines):
                yield Row.of(fields, f"{path} {place}")
    except Malformed as error:
        raise UserError(f"{path} {error}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"cannot read {path}: {error}") from None


def math_problem(row: Row, name: str, **conventions: Any) -> Problem:
    """A row with id, problem, answer and perhaps solution, as a problem of the plugin `name`.

    `conventions` are the problem's `rules` and `tolerance`.
    """
    return Problem(
        id=row.text("id"),
        prompt=row.text("problem"),
        verifier="math",
        expert_response=row.optional("solution"),
        answer=row.optional("answer"),
        source=name,
        **conventions,
    )


def fenced(program: str) -> str:
    """A program as the answer of a chat: one fenced Python block, with plain line ends."""
    return "```python\n" + "\n".join(program.splitlines()).strip("\n") + "\n```"


def listed(name: str, source: Source, option: str, known: Iterable[Any]) -> tuple[Any, ...]:
    """The values that an option lists, all that are known where it is left out.

    Raises UserError for no list, an empty one, and a value that is not known.
    """
    every = tuple(known)
    value = source.options.get(option, every)
    several = isinstance(value, (list, tuple)) and len(value) > 0
    if not several or any(part not in every for part in value):
        raise UserError(
            f"{name}: option {option} = {value!r} must list some of: {', '.join(map(str, every))}"
        )
    return tuple(value)


def check_options(name: str, source: Source, known: Iterable[str] = ()) -> None:
    """Raise UserError for an option that the plugin does not have."""
    if unknown := sorted(set(source.options) - set(known)):
        names = ", ".join(known) or "none"
        raise UserError(f"{name}: unknown option {unknown[0]!r}; known: {names}")


def read_hub(
    location: Location,
    local: Path | None = None,
    from_hub: Callable[[Fields, int], Fields] = lambda fields, index: fields,
) -> Iterator[Row]:
    """The rows of a hub dataset, streamed. `local` is the file that was looked for before.

    Raises SourceUnavailable where the hub has or gives none, UserError for other fields.
    """
    rows = _stream(location, local)
    for index, fields in enumerate(rows):
        where = f"hub dataset {location.hub} split {location.split} row {index}"
        try:
            converted = from_hub(fields, index)
        except (KeyError, IndexError, TypeError) as error:
            raise UserError(f"{where} has other fields than expected: {error!r}") from None
        yield Row(converted, where)


def _stream(location: Location, local: Path | None) -> Iterator[Fields]:
    if reason := hub_failure():
        raise _unavailable(location, local, reason)
    from datasets import load_dataset

    rows = None
    try:
        rows = load_dataset(streaming=True, **_arguments(location))
        yield from rows
    except Exception as error:  # the hub client raises many classes, all of them this
        raise _unavailable(location, local, str(error).strip().splitlines()[0]) from None
    finally:
        # a scanner that is left to the end of the interpreter aborts it (huggingface/datasets#7566)
        del rows
        gc.collect()


def _arguments(location: Location) -> dict[str, Any]:
    """What the hub's client is asked for."""
    if location.files:
        folder = f"hf://datasets/{location.hub}@{location.revision or 'main'}"
        files = [f"{folder}/{name}" for name in location.files]
        form = "arrow" if location.files[0].endswith(".arrow") else "json"
        return {"path": form, "data_files": files, "split": "train"}
    return {
        "path": location.hub,
        "name": location.config,
        "split": location.split,
        "revision": location.revision,
    }


@cache
def hub_failure() -> str:
    """Why the hub cannot be reached, or "": asked once, as the client retries for half a minute."""
    from huggingface_hub import constants, get_session

    if constants.HF_HUB_OFFLINE:
        return "HF_HUB_OFFLINE is set"
    try:
        get_session().head(constants.ENDPOINT, timeout=10)
    except Exception as error:  # the class depends on the client's transport
        return f"{constants.ENDPOINT} does not answer: {error}"
    return ""


@cache
def newest_commit(hub: str) -> str | None:
    """The commit that a hub dataset is at; None where the hub does not tell."""
    from huggingface_hub import HfApi

    try:
        commit: str | None = HfApi().dataset_info(hub, timeout=10).sha
    except Exception:  # whatever it is, reading the rows will meet it and say so
        return None
    return commit


def _unavailable(location: Location, local: Path | None, reason: str) -> SourceUnavailable:
    gated = GATED if location.gated or "gated" in reason else ""
    if not location.file:
        return SourceUnavailable(
            f"the hub dataset {location.hub} cannot be read ({reason}); connect to the hub, and "
            f"look up its name, config, split and revision there{gated}"
        )
    missing = f"there is no {local}" if local else "RASFT_DATA_DIR is not set"
    return SourceUnavailable(
        f"no rows for {location.file}: {missing}, and the hub dataset {location.hub} cannot be "
        f"read ({reason}); set RASFT_DATA_DIR to a folder with {location.file}, or connect to the "
        f"hub{gated}"
    )
