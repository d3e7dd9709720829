"""Samples that the ledger holds, and the making of those that it lacks.

What is drawn goes into the ledger while it is drawn, so a killed shard keeps it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from rasft.ledger import Ledger
from rasft.ledger.rows import SampleRow, SampleSource, problem_digest
from rasft.ledger.table import LedgerTable
from rasft.records import Problem, Rollout

Wanted = tuple[Problem, int]  # a sample: the problem and the sample index
Name = tuple[str, int]  # the same by the problem's id
Make = Callable[[Sequence[Wanted]], Iterator[Rollout]]
Restore = Callable[[str, SampleRow], Rollout]  # the problem's id and the row


def restore(problem_id: str, row: SampleRow) -> Rollout:
    """A stored sample as it was drawn."""
    return Rollout(
        problem_id, row.sample_index, row.seed, row.token_ids, row.text, row.finish_reason
    )


@dataclass(frozen=True)
class KnownSamples:
    """The samples of one source in the ledger."""

    ledger: Ledger
    source: SampleSource

    def draw(
        self,
        keys: Mapping[Name, str],
        wanted: Sequence[Wanted],
        run_seed: int,
        make: Make,
        restore: Restore = restore,
    ) -> list[Rollout]:
        """The wanted rollouts, in no particular order; `keys` are theirs in the ledger."""
        with self.ledger.samples(self.source) as stored:
            rows = stored.find(keys.values())
            found = {sample: rows[key] for sample, key in keys.items() if key in rows}
            missing = [(row, index) for row, index in wanted if (row.id, index) not in found]
            self.ledger.count("samples", reused=len(found), made=len(missing))
            known = [restore(name, row) for (name, _), row in found.items()]
            if missing:
                known += self._kept(make(missing), missing, keys, run_seed, stored)
            return known

    def _kept(
        self,
        drawn: Iterator[Rollout],
        missing: Sequence[Wanted],
        keys: Mapping[Name, str],
        run_seed: int,
        stored: LedgerTable[SampleRow],
    ) -> Iterator[Rollout]:
        """The drawn rollouts, each put into the ledger as it comes."""
        problems = {problem.id: problem for problem, _ in missing}
        self.ledger.remember(problems.values())
        digests = {problem_id: problem_digest(row) for problem_id, row in problems.items()}
        for rollout in drawn:
            stored.put(
                SampleRow(
                    key=keys[rollout.problem_id, rollout.sample_index],
                    problem=digests[rollout.problem_id],
                    run_seed=run_seed,
                    **vars(rollout),
                )
            )
            yield rollout
