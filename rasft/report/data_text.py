"""What a run would train on, as plain text of 100 columns."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from tabulate import tabulate

from rasft.models.rendered import RenderedRow
from rasft.records import Dropped
from rasft.report.data_view import DatasetView, DataView, TokensView

WIDTH = 100
BAR = 40  # of the longest bar of the histogram
BEGIN, END = "\u27e6", "\u27e7"  # around what is trained, where nothing can be underlined

Mark = Callable[[str], str]  # shows a text as trained

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def text(view: DataView, underline: Mark | None = None) -> str:
    """The whole view; `underline` marks a piece of a line, without it brackets do."""
    parts = [
        ("Datasets", _datasets(view.datasets)),
        ("Rows", _rows(view)),
        ("Tokens", _tokens(view.tokens) if view.tokens else []),
        ("Verdicts on the expert responses", list(_verdicts(view))),
        ("How prompts are rendered", [line for each in view.prompts for line in _item(each)]),
        *_rendered(view, underline),
        ("Notes", [line for each in view.notes for line in _item(each)]),
    ]
    shown = ["\n".join([title, *lines]) for title, lines in parts if lines]
    return "\n\n".join([f"{view.name}: what {view.model} would be trained on", *shown])


def visible(found: str) -> str:
    r"""A text of the data without characters that steer a terminal; ends of lines stay.

    >>> visible("a\x1b[31m\n\r")
    'a\\x1b[31m\n\\r'
    """
    return _CONTROL.sub(lambda match: repr(match[0])[1:-1], found)


def _datasets(found: Sequence[DatasetView]) -> list[str]:
    lines = []
    for each in found:
        verifiers = ", ".join(f"{name} {count:,}" for name, count in each.verifiers.items())
        lines.append(f"  {each.name}: {each.rows:,} rows; by verifier: {verifiers or 'none'}")
        lines += [line for told in (*each.places, *each.notes) for line in _item(told)]
    return lines


def _rows(view: DataView) -> list[str]:
    dropped = sum(each.rows for each in view.dropped)
    counts: list[tuple[str, int | None]] = [("read", view.read), ("dropped", dropped)]
    counts += [(f"  {each.reason}", each.rows) for each in view.dropped]
    counts += [("kept", view.kept), ("  warm-up", view.warmup), ("  round", view.round)]
    if view.responses != view.kept:
        counts.append(("  expert responses", view.responses))
    told = [(name, f"{count:,}") for name, count in counts if count is not None]
    first = [f"the first {each.reason}: {_example(each.first)}" for each in view.dropped]
    return [*_table(told, ("left", "right")), *(line for each in first for line in _item(each))]


def _tokens(found: TokensView) -> list[str]:
    spreads = {"prompt": found.prompt, "response": found.response, "both": found.both}
    rows = [
        (name, *(f"{count:,}" for count in (each.least, each.median, each.most, each.longest)))
        for name, each in spreads.items()
    ]
    head = ("", "min", "median", "95 %", "max")
    lines = _table([head, *rows], ("left", *("right",) * 4))
    most = max(found.histogram.values(), default=0) or 1
    bars = [
        (name, f"{count:,}", "\u2588" * -(-BAR * count // most))
        for name, count in found.histogram.items()
    ]
    over = (f"over {found.limit:,}", f"{found.over:,}", f"dropped: the limit is {found.whose}")
    return [*lines, "", *_table([*bars, over], ("right", "right", "left"))]


def _verdicts(view: DataView) -> Iterator[str]:
    if not view.is_judged:
        yield "  not judged"
    for each in view.verdicts:
        counts = ", ".join(f"{status} {count:,}" for status, count in each.statuses.items())
        yield f"  {each.verifier}: {counts}"
        if each.first_refused:
            yield f"    the first refused: {_example(each.first_refused)}"
    share = view.unchecked / view.read if view.read else 0.0
    yield f"  without an answer to check: {view.unchecked:,} of {view.read:,} rows ({share:.2%})"


def _rendered(view: DataView, underline: Mark | None) -> Iterator[tuple[str, list[str]]]:
    how = "underlined" if underline else f"between {BEGIN} and {END}"
    for place, row in enumerate(view.rows, 1):
        counts = f"{row.prompt_tokens:,} tokens of prompt, {row.supervised_tokens:,} trained"
        several = f", expert response {-row.sample_index}" if row.weight < 1 else ""
        title = f"Row {place} of {len(view.rows)}: {visible(row.problem_id)}{several}"
        about = f"  {counts} ({how}), weight {row.weight:g}"
        yield title, [about, *_marked(row, underline)]


def _marked(row: RenderedRow, underline: Mark | None) -> list[str]:
    prompt, supervised = visible(row.prompt), visible(row.supervised)
    if underline is None:
        whole = f"{prompt}{BEGIN}{supervised}{END}"
    else:
        whole = prompt + "\n".join(map(underline, supervised.split("\n")))
    return [f"  \u2502 {line}".rstrip() for line in whole.split("\n")]


def _example(row: Dropped) -> str:
    return visible(" ".join(f"{row.problem_id}: {row.detail}".split()))


def _table(rows: Iterable[Sequence[str]], align: Sequence[str]) -> list[str]:
    """Columns, indented."""
    plain: dict[str, Any] = {
        "tablefmt": "plain", "disable_numparse": True, "preserve_whitespace": True
    }  # fmt: skip
    shown = tabulate(list(rows), colalign=align, **plain)
    return [f"  {line}".rstrip() for line in shown.split("\n")]


def _item(told: str) -> list[str]:
    """A point of a list, wrapped between words."""
    return textwrap.wrap(
        visible(told),
        WIDTH,
        initial_indent="  - ",
        subsequent_indent="    ",
        break_long_words=False,
        break_on_hyphens=False,
    )
