"""`rasft ledger`: what is stored, what a new verifier changes, and what may go."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

from rasft import plugins
from rasft.config import files as config_files
from rasft.config.settings import Config, LedgerConfig
from rasft.errors import UserError
from rasft.ledger import Ledger, open_ledger
from rasft.ledger.store import Store
from rasft.ledger.upkeep import KINDS, Folder, garbage, inventory, merge
from rasft.stages import verify

if TYPE_CHECKING:  # these load torch, which the command's other parts do without
    from rasft.stages.regrade import Graded, Reweighted

Row = TypeVar("Row")

SHOWN = 20  # changes that are listed one by one

_where = click.option("--path", default=None, help="The ledger; default: as a run finds it.")
_config = click.option(
    "--config",
    "config_path",
    type=click.Path(path_type=Path),
    default=config_files.CONFIGS / "demo.yaml",
    help="Whose verification, quality and weighting settings hold.",
)


@click.group("ledger")
def ledger() -> None:
    """The store of every sample, verdict, score and training."""


@ledger.command("ls")
@_where
def ls_command(path: str | None) -> None:
    """List what is stored, a line for each checkpoint, way of sampling and verifier version.

    \b
    Example:
      rasft ledger ls --path s3://BUCKET/ledger
    """
    store = _store(path)
    for folder in inventory(store):
        click.echo(_line(folder))
    _tell_ignored(store)


@ledger.command("stats")
@_where
def stats_command(path: str | None) -> None:
    """Print how many rows, files and megabytes of each kind are stored.

    \b
    Example:
      rasft ledger stats
    """
    store = _store(path)
    folders = inventory(store)
    click.echo(f"{store.root}")
    for kind in KINDS:
        same = [folder for folder in folders if folder.kind == kind]
        rows, files = sum(f.rows for f in same), sum(f.files for f in same)
        size = sum(f.bytes for f in same) / 1e6
        click.echo(f"{kind:10} {rows:>10,} rows {files:>7,} files {size:>10,.1f} MB")
    _tell_ignored(store)


@ledger.command("regrade")
@_where
@_config
def regrade_command(path: str | None, config_path: Path) -> None:
    """Judge every stored sample by today's verifiers; list changed verdicts and weights.

    No model and no GPU is needed. The earlier verdicts stay in the ledger.

    \b
    Example:
      rasft ledger regrade --config configs/math.yaml
    """
    from rasft.stages.regrade import regrade

    config = config_files.load(config_path)
    opened = Ledger(_store(path))
    graded = regrade(opened, config)
    for work in opened.work("regrade"):
        click.echo(f"{work.kind}: {work.reused} known under this version, {work.made} judged now")
    _tell_changes(graded, config)


@ledger.command("gc")
@_where
@_config
@click.option("--checkpoint", "checkpoints", multiple=True, help="Keep this one; may be repeated.")
@click.option("--yes", is_flag=True, help="Do it; without, only say what would be done.")
def gc_command(
    path: str | None, config_path: Path, checkpoints: tuple[str, ...], yes: bool
) -> None:
    """Drop what no kept checkpoint and no current verifier wants, and merge small files.

    \b
    Example:
      rasft ledger gc                                   says what would go
      rasft ledger gc --checkpoint 3fa9c1 --yes         does it, and keeps one checkpoint
    """
    store = _store(path)
    folders = inventory(store)
    unwanted = {
        f.path: (f, why) for f, why in garbage(folders, checkpoints, _versions(config_path))
    }
    for folder, why in unwanted.values():
        click.echo(f"{'dropped' if yes else 'would drop'} ({why}): {_line(folder)}")
        if yes:
            store.remove(folder.path)
    kept = [folder for folder in folders if folder.path not in unwanted]
    if yes:
        click.echo(f"merged files: {sum(merge(store, folder) for folder in kept)} fewer")
    elif unwanted:
        click.echo("nothing was changed; run it again with --yes")
    else:
        click.echo("every folder is wanted; --yes would merge small files")


def _store(path: str | None) -> Store:
    opened = open_ledger(LedgerConfig(path=path))
    assert opened.store
    if not opened.store.fs.exists(opened.store.base):
        raise UserError(f"there is no ledger at {opened.store.root}; name one with --path")
    return opened.store


def _versions(config_path: Path) -> dict[str, str]:
    """Of the verifiers that this config can build: some name what only another config has."""
    settings = config_files.load(config_path).verification
    found = {}
    for name in plugins.names("verifiers"):
        with suppress(UserError):
            found[name] = verify.version(name, settings)
    return found


def _line(folder: Folder) -> str:
    size = folder.bytes / 1e6
    return (
        f"{folder.kind:10} {folder.rows:>9,} rows {folder.files:>6,} files {size:>9,.1f} MB  "
        + (folder.what())
    )


def _tell_ignored(store: Store) -> None:
    for reason, count in sorted(Counter(store.ignored.values()).items()):
        click.echo(f"not read: {count} files ({reason})")


def _tell_changes(graded: list[Graded], config: Config) -> None:
    from rasft.stages.regrade import reweigh

    judged = [each for each in graded if each.before is not None]
    changed = [each for each in judged if each.before is not each.now]
    click.echo(f"{len(graded)} verdicts; {len(judged)} had one by an earlier version; of these")
    click.echo(f"{len(changed)} change:")
    for (before, now), count in Counter((e.before, e.now) for e in changed).most_common():
        click.echo(f"  {before} -> {now}: {count}")
    _tell("verdict", changed, _verdict_line)
    weights = list(reweigh(graded, config))
    click.echo(f"training weights of {len(weights)} problems change:")
    _tell("weight", weights, _weight_line)


def _tell(what: str, rows: Sequence[Row], line: Callable[[Row], str]) -> None:
    for row in islice(rows, SHOWN):
        click.echo(f"  {line(row)}")
    if len(rows) > SHOWN:
        click.echo(f"  ... and {len(rows) - SHOWN} more {what}s")


def _verdict_line(each: Graded) -> str:
    where = f"{each.problem.id} sample {each.sample.sample_index}"
    return f"{where} (run seed {each.sample.run_seed}): {each.before} -> {each.now}"


def _weight_line(row: Reweighted) -> str:
    before, now = row.before, row.now
    return (
        f"{row.problem_id} (run seed {row.run_seed}): solvability {_share(before.solvability)} -> "
        f"{_share(now.solvability)}, expert {before.expert_weight:.4f} -> {now.expert_weight:.4f}, "
        f"own solutions {len(before.rollout_indices)} -> {len(now.rollout_indices)}"
    )


def _share(value: float | None) -> str:
    return "none" if value is None else f"{value:.2f}"
