"""Published figures beside ours, and why the two cannot be compared.

`published.yaml` holds the figures with the setting they were measured in. The reasons are found by
setting that against what the stored runs say of themselves: base model, training data and its size,
benchmark set, prompt and sampling. What a paper does not state counts as a reason.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from rasft.config.section import Section
from rasft.errors import UserError
from rasft.results.cells import BASE, StoredRun
from rasft.results.result_table import AVERAGES, Entry, ResultTable, Row

FIGURES = Path(__file__).with_name("published.yaml")


class Setting(Section):
    """How a published row was measured; None is not stated."""

    data: str  # the dataset plugin
    problems: int  # trained on
    benchmarks: list[str] | None  # under its average
    system: str | None  # the system prompt
    samples: int | None
    temperature: float | None
    top_p: float | None


class PublishedRow(Section):
    """One row of a paper's table."""

    source: str
    model: str
    method: str | None
    setting: Setting
    percent: dict[str, float]  # by column


@dataclass(frozen=True)
class _Facts:
    """What our runs have to set against a published setting."""

    model: str
    data: str
    problems: str
    system: str
    samples: str
    temperature: str
    top_p: str


def row(name: str) -> PublishedRow:
    """A published row by its name. Raises UserError with the known names."""
    known = _rows()
    if name not in known:
        near = difflib.get_close_matches(name, known, n=1)
        hint = f" (did you mean {near[0]!r}?)" if near else ""
        raise UserError(f"unknown published row {name!r}{hint}; known: {', '.join(known)}")
    return known[name]


def names() -> list[str]:
    """The published rows there are."""
    return list(_rows())


def beside(
    table: ResultTable, runs: Sequence[StoredRun], rows: Sequence[PublishedRow]
) -> ResultTable:
    """The table with published rows under ours, each with what makes it incomparable."""
    return replace(table, rows=(*table.rows, *(_beside(table, runs, row) for row in rows)))


def reasons(row: PublishedRow, runs: Sequence[StoredRun], columns: Sequence[str]) -> list[str]:
    """What the published row and our runs differ in; empty where nothing does."""
    done = [run for run in runs if run.failure is None]
    return [*_setting_reasons(row, done), *_benchmark_reasons(row, done, columns)]


@cache
def _content() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(FIGURES.read_text(encoding="utf-8"))
    return found


@cache
def _rows() -> Mapping[str, PublishedRow]:
    return {name: PublishedRow(**fields) for name, fields in _content()["rows"].items()}


def _beside(table: ResultTable, runs: Sequence[StoredRun], row: PublishedRow) -> Row:
    why = reasons(row, runs, table.columns)
    remark = f"not comparable because {'; '.join(why)}" if why else "the settings agree"
    name = f"{row.method or 'unnamed'} ({row.source}, {row.model})"
    return Row(name, tuple(_entry(row, column) for column in table.columns), remark)


def _entry(row: PublishedRow, column: str) -> Entry:
    found = row.percent.get(column)
    return Entry(None if found is None else round(found / 100, 6))


def _setting_reasons(row: PublishedRow, runs: Sequence[StoredRun]) -> Iterator[str]:
    theirs, ours = row.setting, _facts(row, runs)
    compared: list[tuple[str, object, str]] = [("base model", row.model, ours.model)]
    if row.method != BASE:
        compared += [
            ("training data", theirs.data, ours.data),
            ("training problems", theirs.problems, ours.problems),
        ]
    compared += [
        ("system prompt", theirs.system, ours.system),
        ("samples a problem", theirs.samples, ours.samples),
        ("temperature", theirs.temperature, ours.temperature),
        ("top-p", theirs.top_p, ours.top_p),
    ]
    for what, their, our in compared:
        if their is None:
            yield f"the {what} is not stated"
        elif str(their) != our:
            yield f"{what} is {their!r} there and {our!r} here"


def _facts(row: PublishedRow, runs: Sequence[StoredRun]) -> _Facts:
    configs = [run.config for run in runs]
    wanted = {part for column in row.percent for part in AVERAGES.get(column, (column,))}
    manifests = [m for run in runs for m in run.manifests if m["benchmark"] in wanted]
    return _Facts(
        model=_all(config["model"]["path"] for config in configs),
        data=_all("+".join(d["name"] for d in config["data"]["datasets"]) for config in configs),
        problems=_all(run.provenance.get("training_problems", "unknown") for run in runs),
        system=_all(config["prompts"].get("math", {}).get("system", "") for config in configs),
        samples=_all(manifest["samples"] for manifest in manifests),
        temperature=_all(manifest["sampling"]["temperature"] for manifest in manifests),
        top_p=_all(manifest["sampling"]["top_p"] for manifest in manifests),
    )


def _all(values: Iterable[Any]) -> str:
    return " / ".join(dict.fromkeys(str(value) for value in values)) or "none"


def _benchmark_reasons(
    row: PublishedRow, runs: Sequence[StoredRun], columns: Sequence[str]
) -> Iterator[str]:
    sizes = _content()["benchmark_sizes"]
    ours = _problems(runs)
    for column in row.percent:
        if column in AVERAGES:
            yield from _average_reasons(row, column, ours)
        elif column in ours and ours[column] != sizes[column]:
            yield f"{column} has {sizes[column]} problems there and {ours[column]} here"
    if absent := [column for column in row.percent if column not in columns]:
        yield f"there is nothing here for {', '.join(absent)}"


def _average_reasons(row: PublishedRow, column: str, ours: Mapping[str, int]) -> Iterator[str]:
    theirs = row.setting.benchmarks
    here = [name for name in AVERAGES[column] if name in ours]
    if theirs is None:
        yield f"what the {column} is over is not stated"
    elif set(theirs) != set(here):
        missing = [name for name in here if name not in theirs]
        extra = [name for name in theirs if name not in here]
        yield (
            f"the {column} is over other benchmarks"
            + (f", without {', '.join(missing)}" if missing else "")
            + (f", with {', '.join(extra)}" if extra else "")
        )


def _problems(runs: Sequence[StoredRun]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for run in runs:
        ids: dict[str, set[str]] = {}
        for result in run.results:
            ids.setdefault(result.benchmark, set()).add(result.problem_id)
        counts |= {name: len(found) for name, found in ids.items()}
    return counts
