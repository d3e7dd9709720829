"""What became of the rows, kept while they are read and judged.

So what was found is there also where a mistake then ends the run.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from rasft.data.source import Source
from rasft.records import Dropped, Status, Verdict


@dataclass
class DatasetAccount:
    """One entry of `data.datasets`: how many rows it gave, and for which verifiers."""

    name: str
    source: Source
    rows: int = 0  # rows that are brought together as one problem are one
    verifiers: Counter[str] = field(default_factory=Counter)


@dataclass
class Account:
    """All rows of a run.

    Lengths are in tokens, of each expert response that reached the tokenizer. Verdicts are on
    expert responses.
    """

    datasets: list[DatasetAccount] = field(default_factory=list)
    dropped: list[Dropped] = field(default_factory=list)
    prompt_tokens: list[int] = field(default_factory=list)
    response_tokens: list[int] = field(default_factory=list)
    verdicts: Counter[tuple[str, Status]] = field(default_factory=Counter)  # by verifier
    refused: dict[str, Dropped] = field(default_factory=dict)  # the first one, by verifier

    @property
    def rows(self) -> int:
        """How many were read."""
        return sum(each.rows for each in self.datasets)

    @property
    def notes(self) -> list[str]:
        """What a reader must know of how the rows were read."""
        return list(dict.fromkeys(note for each in self.datasets for note in each.source.notes))

    def open(self, name: str, source: Source) -> DatasetAccount:
        """The account of one more dataset."""
        self.datasets.append(DatasetAccount(name, source))
        return self.datasets[-1]

    def measure(self, prompt: int, response: int) -> None:
        """The tokens of one more expert response, and of its prompt."""
        self.prompt_tokens.append(prompt)
        self.response_tokens.append(response)

    def judge(self, verdicts: Iterable[Verdict]) -> None:
        """Count verdicts."""
        self.verdicts.update((each.verifier, each.status) for each in verdicts)

    def refuse(self, verifier: str, responses: Iterable[Dropped]) -> None:
        """Keep the first response that a verifier refuses."""
        for response in responses:
            self.refused.setdefault(verifier, response)
