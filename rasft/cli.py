"""The `rasft` command."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path

import click

from rasft.commands.ledger import ledger
from rasft.commands.watch import watch
from rasft.config import files as config_files
from rasft.config.verification import VerificationConfig
from rasft.errors import RasftError

config_argument = click.argument(
    "config_path",
    type=click.Path(path_type=Path),
    default=config_files.CONFIGS / "demo.yaml",  # what the flow runs where nothing is named
    metavar="[CONFIG]",
)


class Commands(click.Group):
    """Prints the project's own errors as one line; anything else is a bug and keeps its trace."""

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except RasftError as error:
            raise click.ClickException(str(error)) from None


@click.group(cls=Commands, context_settings={"max_content_width": 100})
@click.version_option(package_name="rasft")
def main() -> None:
    """Rollout-adaptive supervised fine-tuning.

    CONFIG is a YAML file, or the name of one in configs/ (math, code, variants/dft); without it a
    command takes the demo's. RUN is a Metaflow run: RasftFlow/12.
    """


@main.command()
@config_argument
def doctor(config_path: Path) -> None:
    """Check what a run needs: Docker, GPU, engines, datastore, cluster, disk; say what to do.

    With a CONFIG also that each plugin of its own folders imports and is whole. Prints a line a
    check. The exit status is 1 if any failed.

    \b
    Example:
      rasft doctor
      rasft doctor my_config.yaml
    """
    from rasft.machine.doctor import checks

    failed = False
    for check in checks(config_files.load(config_path).plugins):
        failed |= not check.ok
        click.echo(f"{'ok  ' if check.ok else 'FAIL'}  {check.name}: {check.detail}")
    sys.exit(failed)


@main.command()
@config_argument
def resolve(config_path: Path) -> None:
    """Print CONFIG as JSON, with everything it extends and every default.

    \b
    Example:
      rasft resolve configs/math.yaml
    """
    click.echo(config_files.load(config_path).model_dump_json(indent=2))


@main.command()
@click.argument("source", metavar="RUN_OR_FOLDER")
@click.option("--to", type=click.Path(path_type=Path), required=True, metavar="FOLDER")
@click.option("--samples", is_flag=True, help="The run's samples instead, as a dataset.")
@click.option("--inspect", is_flag=True, help="The run's samples instead, as inspect_ai's log.")
@click.option("--push", metavar="OWNER/NAME", help="Also upload it to this hub repository.")
@click.option("--public", is_flag=True, help="A repository that --push makes is public.")
def export(
    source: str, to: Path, samples: bool, inspect: bool, push: str | None, public: bool
) -> None:
    """Write a run's trained model, with a card of its results, into a folder of its own.

    With --samples it is the run's samples with their verdicts and weights: a dataset of two
    Parquet files with a card. With --inspect it is the same as a log that inspect_ai views.

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


@main.command()
@config_argument
@click.option(
    "--rows", type=click.IntRange(min=1), default=64, show_default=True, help="How many are scored."
)
def preflight(config_path: Path, rows: int) -> None:
    """Check CONFIG's data, model, gradients and engine before a run is started.

    \b
    Example:
      rasft preflight configs/math.yaml --rows 16
    """
    from rasft.commands.preflight import run_preflight

    run_preflight(config_files.load(config_path), rows)


@main.command()
@config_argument
@click.option("--show", type=click.IntRange(min=0), default=3, show_default=True, help="Rows.")
@click.option("--limit", type=click.IntRange(min=1), help="The first rows of each dataset alone.")
@click.option("--no-verify", is_flag=True, help="Judge no expert response: needs no Docker.")
@click.option("--json", "as_json", is_flag=True, help="The same for a program.")
def data(config_path: Path, show: int, limit: int | None, no_verify: bool, as_json: bool) -> None:
    """Print what CONFIG would train on: counts, lengths, verdicts, and rows with what is trained.

    Nothing is trained, and only the model's tokenizer is read. Verdicts on expert responses are
    kept in the ledger, so a run finds them again. The exit status is 1 if a run would stop.

    \b
    Example:
      rasft data configs/demo.yaml
      rasft data configs/math.yaml --limit 500 --show 1 --no-verify
    """
    from rasft.commands.data import run_data

    underline = partial(click.style, underline=True) if sys.stdout.isatty() else None
    shown, mistake = run_data(
        config_files.load(config_path),
        limit=limit,
        show=show,
        judge=not no_verify,
        as_json=as_json,
        underline=underline,
    )
    click.echo(shown)
    if mistake:
        raise mistake


@main.command()
@click.argument("rows", type=click.Path(path_type=Path), metavar="INPUT.jsonl")
@click.option("--output", type=click.Path(path_type=Path), required=True, metavar="OUTPUT.jsonl")
@click.option(
    "--config",
    "config_path",
    type=click.Path(path_type=Path),
    metavar="CONFIG",
    help="Whose section 'verification' holds; the defaults without it.",
)
@click.option("--keep-output", is_flag=True, help="Add the program's last 2 kB of output.")
def verify(rows: Path, output: Path, config_path: Path | None, keep_output: bool) -> None:
    """Judge each row of INPUT.jsonl, and write a row for each, in the same order.

    After a crash the same command goes on where it stopped. The exit status is 1 if any row is
    malformed.

    \b
    A row of the input, here for the verifiers math and python; choice, exact and regex have math's:
      {"id": 1, "verifier": "math", "response": "It is \\\\boxed{3/2}.", "answer": "1.5"}
      {"id": 2, "verifier": "python", "response": "```python\\n...", "tests": "assert f(1) == 2"}
    Optional: rules, tolerance (math); entry_point, setup, code_prefix, prompt, limits (python).

    \b
    A row of the output:
      {"id": 1, "status": "correct", "correct": true, "answer": "3/2", "seconds": 0.005, ...}
    Statuses: correct incorrect no_answer malformed timed_out out_of_memory crashed undecided

    \b
    Example:
      rasft verify rows.jsonl --output verdicts.jsonl
    """
    from rasft.commands.verify import run_verify

    settings = config_files.load(config_path).verification if config_path else VerificationConfig()
    sys.exit(run_verify(rows, output, keep_output=keep_output, settings=settings))


@main.command()
@config_argument
def champion(config_path: Path) -> None:
    """Print the model that CONFIG's schedule has promoted: run, metrics, when and why.

    \b
    Example:
      rasft champion configs/retrain.yaml
    """
    from rasft.retraining import champion as pointers

    config = config_files.load(config_path)
    place = pointers.path(config)
    click.echo(pointers.describe(pointers.read(place), config.model.path, place))


@main.command()
@config_argument
@click.option("--budget", type=float, default=None, help="US dollars; refuse a run beyond it.")
@click.option("--gpu-price", type=float, default=None, help="US dollars a GPU-hour.")
@click.option("--gpus", type=int, default=None, help="Of each task that uses any; else as here.")
@click.option("--parallel", type=int, default=None, help="Tasks at a time; else one a core here.")
@click.option("--gpu", "card", metavar="NAME", help="Does it fit this GPU? Such as h100, a100-40.")
@click.option("--gpu-memory", type=click.FloatRange(min=1), help="As --gpu, for so many GiB.")
def plan(
    config_path: Path,
    budget: float | None,
    gpu_price: float | None,
    gpus: int | None,
    parallel: int | None,
    card: str | None,
    gpu_memory: float | None,
) -> None:
    """Print what a run of CONFIG will take before it runs: tasks, GPU-hours, wall time, cost.

    With --gpu or --gpu-memory also the memory that each step takes of such a GPU, and what to
    change where it does not fit. Of a hub model config.json alone is fetched.

    \b
    Examples:
      rasft plan configs/math.yaml --gpus 1 --gpu-price 2.50 --budget 200
      rasft plan configs/math.yaml --gpus 1 --gpu h100
    """
    from rasft.commands import plan as plan_command
    from rasft.commands import plan_memory

    if gpus is None:
        gpus = plan_command.gpus_here()
    config = config_files.load(config_path)
    memory = plan_memory.text(config, gpus, card, gpu_memory) if card or gpu_memory else None
    planned = plan_command.plan(config, gpus)
    tasks = parallel or plan_command.cores()
    click.echo(plan_command.render(planned, tasks, gpu_price, budget))
    if memory is not None:
        click.echo(f"\n{memory}")
    if budget is not None:
        plan_command.check_budget(planned.estimates, gpu_price, budget)


@main.command(name="eval")
@click.argument("models", nargs=-1, required=True, metavar="MODEL...")
@click.option("--benchmarks", metavar="A,B", help="By name; else those of the config.")
@click.option("--limit", type=click.IntRange(min=1), help="The first problems of each benchmark.")
@click.option("--samples", type=click.IntRange(min=1), help="A problem.")
@click.option("--max-new-tokens", type=click.IntRange(min=1), help="Of a response.")
@click.option("--protocol", metavar="NAME", help="A file of configs/protocols.")
@click.option(
    "--config",
    "config_path",
    type=click.Path(path_type=Path),
    default=Path("eval"),
    metavar="CONFIG",
)
@click.option("--tag", "tags", multiple=True, help="Tag the run.")
def evaluate(
    models: tuple[str, ...],
    benchmarks: str | None,
    limit: int | None,
    samples: int | None,
    max_new_tokens: int | None,
    protocol: str | None,
    config_path: Path,
    tags: tuple[str, ...],
) -> None:
    """Judge each MODEL on benchmarks, with nothing trained, and print the table.

    MODEL is a hub id, a folder, embedded:smollm2-135m, a run (RasftFlow/12), champion:CONFIG, or
    a served model: http://HOST/v1#NAME, with a key in OPENAI_API_KEY if it asks for one. Prompts
    and sampling are those of CONFIG, configs/eval.yaml by default. The run is stored as an
    EvalFlow, for `rasft tables`. The exit status is 1 if a model or benchmark failed.

    \b
    Example:
      rasft eval embedded:smollm2-135m --benchmarks gsm8k_test --limit 20
      rasft eval Qwen/Qwen3-8B RasftFlow/12 --benchmarks math500,humaneval --protocol greedy
      rasft eval http://127.0.0.1:8000/v1#big --benchmarks aime25 --samples 16
    """
    from rasft.commands import evaluate as evaluate_command
    from rasft.commands import tables as tables_command
    from rasft.results import table_text

    named = [name.strip() for name in (benchmarks or "").split(",") if name.strip()]
    wanted = evaluate_command.Wanted(models, named, limit, samples, max_new_tokens, protocol)
    config = evaluate_command.configure(config_files.load(config_path), wanted)
    built = tables_command.rebuild([evaluate_command.run(config, tags)], [])
    click.echo(table_text.markdown(built.table), nl=False)
    sys.exit(any(run.failure for run in built.runs))


@main.command()
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
    problems whose solvability or verdicts changed.

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


@main.command()
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


@main.command()
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


@main.command()
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


main.add_command(ledger)
main.add_command(watch)


if __name__ == "__main__":
    main()
