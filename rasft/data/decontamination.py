"""Which training problems stand in a benchmark: equal, or half the same word for word.

The method is the usual one for contamination reports: a problem is its lower-cased alphanumeric
tokens, and two problems overlap in the runs of 13 tokens that both hold. A training problem
matches a benchmark problem if their tokens are equal, or if at least half of the shorter one's
distinct runs stand in the other too (so a problem that quotes a whole benchmark problem matches).
Shared boilerplate, such as "where m and n are relatively prime", stays below that.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

RUN = 13  # tokens
SHARE = 0.5  # of the shorter problem's runs

_TOKEN = re.compile(r"[a-z0-9]+")


@dataclass(frozen=True)
class Match:
    """The benchmark problem that a training problem overlaps with most, and how much."""

    name: str
    share: float  # of the shorter problem's runs; 1.0 for equal problems


@dataclass
class Index:
    """The benchmark problems, by their tokens and by their runs.

    >>> index = Index()
    >>> index.add("amc23/0", "Find 2 + 2.")
    >>> index.match("find  2+2")
    Match(name='amc23/0', share=1.0)
    """

    equal: dict[tuple[str, ...], str] = field(default_factory=dict)
    holders: dict[tuple[str, ...], list[str]] = field(default_factory=dict)
    sizes: dict[str, int] = field(default_factory=dict)  # distinct runs of each problem

    def add(self, name: str, text: str) -> None:
        """Add a benchmark problem under a name of its own."""
        words = tokens(text)
        self.equal.setdefault(words, name)
        shared = runs(words)
        self.sizes[name] = len(shared)
        for run in shared:
            self.holders.setdefault(run, []).append(name)

    def match(self, text: str) -> Match | None:
        """The benchmark problem that this text repeats, if any."""
        words = tokens(text)
        if words in self.equal:
            return Match(self.equal[words], 1.0)
        own = runs(words)
        counts = Counter(name for run in own for name in self.holders.get(run, ()))
        shares = {name: n / min(len(own), self.sizes[name]) for name, n in counts.items()}
        name = max(shares, key=lambda name: (shares[name], name), default="")
        return Match(name, shares[name]) if name and shares[name] >= SHARE else None


def tokens(text: str) -> tuple[str, ...]:
    """Lower-cased runs of ASCII letters and digits."""
    return tuple(_TOKEN.findall(text.lower()))


def runs(words: tuple[str, ...]) -> set[tuple[str, ...]]:
    """The distinct runs of 13 tokens; none for a shorter text."""
    return {words[i : i + RUN] for i in range(len(words) - RUN + 1)}


def index(problems: Iterable[tuple[str, str]]) -> Index:
    """An index of (name, text) pairs."""
    built = Index()
    for name, text in problems:
        built.add(name, text)
    return built
