"""Why a run is kept: pure functions of what is known of the runs."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from rasft.results.runs import PRUNED

# Tags that the flows set themselves and that keep nothing.
IDLE_TAGS = frozenset({"refused"})


@dataclass(frozen=True)
class RunFacts:
    """One run as the metadata tells of it."""

    name: str  # Flow/run id
    active: datetime  # when a task of it last began or ended; local time
    ended: bool  # whether its last step did
    tags: frozenset[str]  # its user's
    names: frozenset[str] = frozenset()  # runs that its parameters or its config name

    @property
    def flow(self) -> str:
        """The flow's name."""
        return self.name.partition("/")[0]

    def goes_on(self, since: datetime) -> bool:
        """Whether it may still be running, or be resumed."""
        return not self.ended and self.active >= since


@dataclass(frozen=True)
class Wishes:
    """What the caller wants kept."""

    now: datetime
    days: int  # a run that was active in the last so many days is kept
    runs: Collection[str] = ()  # kept because they are named
    champions: Collection[str] = ()  # what the champions' pointers name

    @property
    def since(self) -> datetime:
        """Runs that were active after this are kept."""
        return self.now - timedelta(days=self.days)


def reasons(runs: Collection[RunFacts], wishes: Wishes) -> dict[str, str]:
    """Why each run that is kept is kept, by its name. A run of which this says nothing may go.

    A removal that was begun is always gone on with.
    """
    going_on = (run.names for run in runs if run.goes_on(wishes.since))
    named = frozenset[str]().union(*going_on)
    found = {run.name: _reason(run, wishes, named) for run in runs if PRUNED not in run.tags}
    return {name: reason for name, reason in found.items() if reason}


def _reason(run: RunFacts, wishes: Wishes, named: Collection[str]) -> str | None:
    if run.active >= wishes.since:
        state = "active" if run.ended else "not ended, and active"
        return f"{state} in the last {wishes.days} days"
    if run.name in wishes.runs:
        return "named by --keep"
    if run.name in wishes.champions:
        return "a champion"
    if tags := run.tags - IDLE_TAGS:
        return f"tagged {', '.join(sorted(tags))}"
    return "a run that has not ended starts from it" if run.name in named else None
