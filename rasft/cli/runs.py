"""Commands on stored runs."""

from __future__ import annotations

from pathlib import Path

import click


@click.command()
@click.argument("run", metavar="RUN")
@click.argument("other", required=False, metavar="[OTHER]")
@click.option("--problem", metavar="ID", help="Print this problem.")
@click.option("--worst", type=click.IntRange(min=1), help="Print so many, the least solved first.")
@click.option("--verdict", metavar="STATUS", help="List the rollouts with it, such as crashed.")
@click.option("--changes", is_flag=True, help="Print what differs between RUN and OTHER.")
@click.option("--no-open", is_flag=True, help="Print where the page is, and open nothing.")
@click.option("--anew", is_flag=True, help="Make the page also where it is there.")
def show(
    run: str,
    other: str | None,
    problem: str | None,
    worst: int | None,
    verdict: str | None,
    changes: bool,
    no_open: bool,
    anew: bool,
) -> None:
    """Look into RUN: its samples, verdicts, weights and tokens, as a page or as text here.

    The page is one file under runs/ that needs no server. With OTHER it holds both runs, and the
    problems whose solvability or verdicts changed. A run that failed, or still goes on, is shown as
    far as it came.

    \b
    Example:
      rasft show RasftFlow/12
      rasft show RasftFlow/12 --problem generated_math/7
      rasft show RasftFlow/12 --verdict crashed
      rasft show RasftFlow/12 RasftFlow/13 --changes
    """
    from rasft.commands import show as show_command

    asked = show_command.Asked(run, other, problem, worst, verdict, changes)
    if text := show_command.text_of(asked):
        click.echo(text)
        return
    path = show_command.page(asked.runs, anew)
    click.echo(path)
    if not no_open and not show_command.open_page(path):
        click.echo("No browser is here: open the file in one.", err=True)


@click.command()
@click.argument("ids", nargs=-1, metavar="[RUN]...")
@click.option("--tag", "tags", multiple=True, help="Take the runs with this tag; all, if several.")
@click.option("--metric", default="avg", show_default=True, help="avg, maj, or pass@K.")
@click.option("--baseline", default=None, help="The row to compare with; sft by default.")
@click.option("--published", "beside", multiple=True, help="A published row to put beside ours.")
@click.option("--output", type=click.Path(path_type=Path), default=None, metavar="FOLDER")
def tables(
    ids: tuple[str, ...],
    tags: tuple[str, ...],
    metric: str,
    baseline: str | None,
    beside: tuple[str, ...],
    output: Path | None,
) -> None:
    """Rebuild the table of stored runs: Markdown here, or every form and its pictures in FOLDER.

    \b
    Example:
      rasft tables RasftFlow/12 SftFlow/13 --metric pass@4
      rasft tables --tag paper:table1 --output table1
    """
    from rasft.commands import tables as tables_command
    from rasft.results import table_text

    built = tables_command.rebuild(ids, tags, metric, baseline, beside)
    if output is None:
        click.echo(table_text.markdown(built.table), nl=False)
    else:
        click.echo("\n".join(str(path) for path in tables_command.write(built, output)))


@click.command()
@click.argument("published_row")
@click.argument("ids", nargs=-1, metavar="[RUN]...")
@click.option("--tag", "tags", multiple=True, help="Take the runs with this tag; all, if several.")
@click.option("--row", "own", default=None, help="Our row; the published method's by default.")
@click.option("--margin", default=2.0, show_default=True, help="Points within which figures agree.")
@click.option("--seed-spread", default=1.0, show_default=True, help="Points, where seeds are one.")
def reproduce(
    published_row: str,
    ids: tuple[str, ...],
    tags: tuple[str, ...],
    own: str | None,
    margin: float,
    seed_spread: float,
) -> None:
    """Does RUN reproduce PUBLISHED_ROW? Each cell agrees, differs, or is too noisy to say.

    \b
    Example:
      rasft reproduce dft-1.5b-dft --tag dft:1.5b
    """
    from rasft.commands import tables as tables_command
    from rasft.results.reproduction import Question

    question = Question(margin / 100, seed_spread / 100)
    click.echo(tables_command.reproduce(published_row, ids, tags, own, question))


@click.command()
@click.argument("source", metavar="RUN_OR_FOLDER")
@click.option("--to", type=click.Path(path_type=Path), required=True, metavar="FOLDER")
@click.option("--samples", is_flag=True, help="The run's samples instead, as a dataset.")
@click.option("--inspect", is_flag=True, help="The run's samples instead, as inspect_ai's logs.")
@click.option("--push", metavar="OWNER/NAME", help="Also upload it to this hub repository.")
@click.option("--public", is_flag=True, help="A repository that --push makes is public.")
def export(
    source: str, to: Path, samples: bool, inspect: bool, push: str | None, public: bool
) -> None:
    """Write a run's trained model, with a card of its results, into a folder of its own.

    With --samples it is the run's samples with their verdicts and weights: a dataset of Parquet
    files with a card. With --inspect it is the same as logs that inspect_ai views: one of the
    rollouts, and one of each benchmark under each checkpoint.

    \b
    Example:
      rasft export RasftFlow/12 --to model
      rasft export RasftFlow/12 --to model --push owner/name
      rasft export RasftFlow/12 --to samples --samples --inspect
    """
    from rasft.commands import export as export_command

    if push and inspect and not samples:
        raise click.UsageError("--push uploads a model or, with --samples, a dataset")
    if samples or inspect:
        from rasft.commands import samples as samples_command

        click.echo(samples_command.export(source, to, dataset=samples, log=inspect))
    else:
        click.echo(export_command.export(source, to))
    if push:
        kind = "dataset" if samples else "model"
        click.echo(export_command.push(to, push, private=not public, kind=kind))


@click.command()
@click.option(
    "--days",
    type=click.IntRange(min=1),
    default=30,
    show_default=True,
    help="Keep runs that were active in the last so many days.",
)
@click.option("--keep", multiple=True, metavar="RUN", help="Keep this run; may be repeated.")
@click.option("--yes", is_flag=True, help="Do it; without, only say what would be done.")
def prune(days: int, keep: tuple[str, ...], yes: bool) -> None:
    """Remove old runs from the datastore, with their models, cards and data.

    Kept are runs with a tag, champions, runs that were active lately, and what one of these still
    refers to. A run that has not ended, and was active lately, is never touched.

    \b
    Example:
      rasft prune                               says what would go
      rasft prune --days 90 --keep RasftFlow/12 --yes
    """
    from rasft.commands.prune import run_prune

    run_prune(days, keep, yes)
