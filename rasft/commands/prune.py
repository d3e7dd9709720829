"""`rasft prune`: old runs and what no run refers to any more, listed, and removed if asked."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

import click

from rasft import paths
from rasft.errors import UserError
from rasft.pruning import leavings, run_records
from rasft.pruning.keeping import RunFacts, Wishes, reasons
from rasft.pruning.leavings import Leaving, Plan
from rasft.pruning.run_store import RunStore
from rasft.retraining import champion


def run_prune(days: int, keep: Sequence[str], yes: bool) -> None:
    """Print why each run is kept and what may go; remove that if `yes`."""
    store, known = RunStore(), list(run_records.facts())
    if unknown := set(keep) - {run.name for run in known}:
        raise UserError(f"--keep {sorted(unknown)[0]}: there is no such run in {store.root}")
    wishes = Wishes(datetime.now(), days, keep, tuple(_champions()))
    kept = reasons(known, wishes)
    held = {
        run.flow: f"{run.name} may still be going on" for run in known if run.goes_on(wishes.since)
    }
    found = leavings.plan(store, known, kept, held, run_records.code_packages(kept))
    click.echo(f"datastore: {store.root}")
    for name, why in sorted(kept.items()):
        click.echo(f"kept: {name} ({why})")
    for flow, why in sorted(found.held.items()):
        click.echo(f"kept: data that runs of {flow} share ({why})")
    _remove(store, found) if yes else _tell(found)


def _tell(found: Plan) -> None:
    every = [*found.leavings, *found.data.values()]
    for each in every:
        click.echo(f"would remove: {_line(each)}")
    total = sum(each.bytes for each in every) / 1e6
    if every:
        click.echo(f"{total:,.1f} MB; nothing was changed; run it again with --yes")
    else:
        click.echo("there is nothing to remove")


def _remove(store: RunStore, found: Plan) -> None:
    """Runs first read as gone, then go; last, what they shared with nobody."""
    for name in found.runs:
        run_records.condemn(name)
    for each in found.leavings:
        store.remove(each.files)
        click.echo(f"removed: {_line(each)}")
    for name in found.runs:
        store.forget(name)
    started = _started_since(found)
    for flow, each in found.data.items():
        if flow in started:
            click.echo(f"kept: {each.what} ({started[flow]} has started meanwhile)")
            continue
        store.remove(each.files)
        click.echo(f"removed: {_line(each)}")


def _started_since(found: Plan) -> dict[str, str]:
    """A run of each flow that was not there when the plan was made: it may use old data anew."""
    now: list[RunFacts] = list(run_records.facts())
    return {run.flow: run.name for run in now if run.name not in found.known}


def _champions() -> Iterator[str]:
    """The runs that the pointers in the cache name; another place's run has the tag promoted."""
    folder = paths.cache_folder() / "champions"
    for pointer in sorted(folder.glob("*.json")):
        if reigning := champion.read(str(pointer)).champion:
            yield reigning.run


def _line(each: Leaving) -> str:
    return f"{each.what}: {len(each.files):,} files, {each.bytes / 1e6:,.1f} MB"
