"""Progress of a long loop: a bar on a terminal, else one line every few seconds.

A bar's carriage returns become one endless line in a log file, hence the plain lines. The last
line is also left where `RASFT_PROGRESS` says, for who watches a task whose log is not there yet.
"""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from tqdm import tqdm

SECONDS_BETWEEN_LINES = 5.0

Item = TypeVar("Item")
Count = Callable[[Item], int]


def track(
    items: Iterable[Item],
    total: int,
    label: str,
    unit: str = "items",
    tokens: Count[Item] | None = None,
) -> Iterator[Item]:
    """Pass the items through while stderr says how far they are.

    `tokens` counts the tokens of one item: the speed is then told in tokens a second.
    """
    shown = _bar if sys.stderr.isatty() else _lines
    return shown(items, total, label, unit, tokens)


def _bar(
    items: Iterable[Item], total: int, label: str, unit: str, tokens: Count[Item] | None
) -> Iterator[Item]:
    start, amount = time.monotonic(), 0
    with tqdm(total=total, desc=label, unit=f" {unit}") as bar:
        for item in items:
            if tokens:
                amount += tokens(item)
                speed = _speed(amount, time.monotonic() - start)
                bar.set_postfix_str(f"{speed} tokens/s", refresh=False)
            bar.update()
            yield item


def _lines(
    items: Iterable[Item], total: int, label: str, unit: str, tokens: Count[Item] | None
) -> Iterator[Item]:
    start = told = time.monotonic()
    amount = 0
    for done, item in enumerate(items, start=1):
        amount += tokens(item) if tokens else 1
        now = time.monotonic()
        if now - told >= SECONDS_BETWEEN_LINES or done == total:
            told = now
            speed = f"{_speed(amount, now - start)} {'tokens' if tokens else unit}/s"
            text = line(f"{label}: {done}/{total} {unit}, {speed}", done, total, now - start)
            print(text, file=sys.stderr, flush=True)
            leave(text)
        yield item


def leave(text: str) -> None:
    """Put the line where `RASFT_PROGRESS` names a file, if it does; whole, or not at all."""
    if not (path := os.environ.get("RASFT_PROGRESS")):
        return
    with contextlib.suppress(OSError):  # what cannot be watched is done all the same
        partial = f"{path}.{os.getpid()}"
        with open(partial, "w", encoding="utf-8") as file:
            file.write(text)
        os.replace(partial, path)


def line(text: str, done: int, total: int, seconds: float) -> str:
    """The text with the time left, or with the time taken once all is done."""
    if done >= total:
        return f"{text}, took {duration(seconds)}"
    return f"{text}, {duration(seconds / done * (total - done))} left"


def duration(seconds: float) -> str:
    """Seconds for a reader.

    >>> duration(42.4), duration(754), duration(7260)
    ('42 s', '12 min 34 s', '2 h 1 min')
    """
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def _speed(amount: int, seconds: float) -> str:
    speed = amount / max(seconds, 1e-9)
    return f"{speed:,.0f}" if speed >= 10 else f"{speed:.1f}"
