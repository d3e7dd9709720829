"""Several expert responses for one problem: rows brought together, and responses left out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, replace

from rasft.errors import UserError
from rasft.records import Dropped, Problem

# Of rows that are one problem these may differ.
_OWN = ("expert_response", "experts")

Fault = Callable[[Problem], dict[int, Dropped]]  # by sample_index, of responses left out


def grouped(found: Iterable[Problem | Dropped], name: str) -> Iterator[Problem | Dropped]:
    """Rows of one id as one problem with all their expert responses, in the order of the rows.

    It holds all rows. Raises UserError, naming the plugin, where they are no one problem.
    """
    by_id: dict[str, list[Problem]] = {}
    for row in found:
        if isinstance(row, Dropped):
            yield row
        else:
            by_id.setdefault(row.id, []).append(row)
    for rows in by_id.values():
        yield _joined(rows, name)


def keep_experts(
    rows: Iterable[Problem], faults: Fault, dropped: list[Dropped]
) -> Iterator[Problem]:
    """The problems with the expert responses that have no fault; without any a problem goes.

    What is left out goes to `dropped`, a row for each response.
    """
    for row in rows:
        found = faults(row)
        dropped += found.values()
        if left := [text for index, text in row.expert_sequences if index not in found]:
            yield replace(row, expert_response=left[0], experts=tuple(left[1:])) if found else row


def _joined(rows: list[Problem], name: str) -> Problem:
    first, *others = rows
    for other in others:
        _require_equal(first, other, name)
    texts = [text for row in rows for text in (row.expert_response, *row.experts) if text]
    if not texts:
        return first
    return replace(first, expert_response=texts[0], experts=tuple(texts[1:]))


def _require_equal(first: Problem, other: Problem, name: str) -> None:
    theirs = asdict(other)
    differing = [
        field
        for field, value in asdict(first).items()
        if field not in _OWN and theirs[field] != value
    ]
    if differing:
        raise UserError(
            f"{name}: two rows have the id {first.id!r}, which option group makes one problem, and "
            f"differ in {', '.join(differing)}; give them ids of their own"
        )
