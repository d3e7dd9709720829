"""What a run would train on, in numbers and examples: the same for a reader and for a program."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from rasft.data import lengths
from rasft.data.account import Account
from rasft.data.lengths import Spread
from rasft.models.rendered import RenderedRow
from rasft.records import NO_VERIFIER, Dropped, Status

UNCHECKED = ("no_answer", "no_tests")  # reasons of rows that nothing can be checked against


@dataclass(frozen=True)
class DatasetView:
    """One entry of `data.datasets`."""

    name: str
    rows: int
    verifiers: dict[str, int]  # rows by verifier
    places: list[str]  # where the rows lie
    notes: list[str]


@dataclass(frozen=True)
class DroppedView:
    """Why rows were dropped, with the first of them."""

    reason: str
    rows: int
    first: Dropped


@dataclass(frozen=True)
class TokensView:
    """Lengths in tokens, of prompt and expert response."""

    sequences: int
    prompt: Spread
    response: Spread
    both: Spread
    limit: int
    whose: str  # limit it is
    over: int  # sequences beyond it
    histogram: dict[str, int]  # sequences by range, up to the limit


@dataclass(frozen=True)
class VerdictView:
    """What one verifier says of the expert responses."""

    verifier: str
    statuses: dict[str, int]
    first_refused: Dropped | None


@dataclass
class DataView:
    """Everything shown, filled as far as the rows got."""

    name: str
    model: str
    datasets: list[DatasetView] = field(default_factory=list)
    read: int = 0
    dropped: list[DroppedView] = field(default_factory=list)
    kept: int | None = None  # None: a mistake ended it before
    responses: int | None = None  # expert responses of the rows that are kept
    warmup: int | None = None  # None: not told where only some rows were read
    round: int | None = None
    tokens: TokensView | None = None
    verdicts: list[VerdictView] = field(default_factory=list)
    is_judged: bool = False
    unchecked: int = 0  # rows without an answer that could be checked
    prompts: list[str] = field(default_factory=list)  # how they are rendered, a line each
    rows: list[RenderedRow] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def take(self, account: Account, limit: tuple[int, str]) -> None:
        """What became of the rows; `limit` is the most tokens of a row, and whose limit it is."""
        self.datasets = [
            DatasetView(
                each.name, each.rows, dict(each.verifiers), each.source.places, each.source.notes
            )
            for each in account.datasets
        ]
        self.read = account.rows
        self.dropped = by_reason(account.dropped)
        self.tokens = tokens(account, *limit) if account.prompt_tokens else None
        self.verdicts = verdicts(account)
        unverified = sum(each.verifiers[NO_VERIFIER] for each in account.datasets)
        without = sum(each.rows for each in self.dropped if each.reason in UNCHECKED)
        self.unchecked = unverified + without


def by_reason(dropped: Sequence[Dropped]) -> list[DroppedView]:
    """The rows counted by reason, in the order in which the reasons came up."""
    first: dict[str, Dropped] = {}
    counts: dict[str, int] = {}
    for row in dropped:
        first.setdefault(row.reason, row)
        counts[row.reason] = counts.get(row.reason, 0) + 1
    return [DroppedView(reason, counts[reason], row) for reason, row in first.items()]


def tokens(account: Account, limit: int, whose: str) -> TokensView:
    """The lengths of all that were measured, one at the least."""
    pairs = zip(account.prompt_tokens, account.response_tokens, strict=True)
    both = [prompt + response for prompt, response in pairs]
    return TokensView(
        sequences=len(both),
        prompt=lengths.spread(account.prompt_tokens),
        response=lengths.spread(account.response_tokens),
        both=lengths.spread(both),
        limit=limit,
        whose=whose,
        over=sum(length > limit for length in both),
        histogram=lengths.histogram(both, min(limit, max(both))),
    )


def verdicts(account: Account) -> list[VerdictView]:
    """The verdicts of each verifier, by status in the order of `Status`."""
    names = sorted({verifier for verifier, _ in account.verdicts})
    return [
        VerdictView(
            name,
            {str(each): count for each in Status if (count := account.verdicts[name, each])},
            account.refused.get(name),
        )
        for name in names
    ]
