"""Commands that look at a config before it runs, and at what its schedule has promoted."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path

import click

from rasft.cli.arguments import config_argument
from rasft.config import files as config_files


@click.command()
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


@click.command()
@config_argument
def resolve(config_path: Path) -> None:
    """Print CONFIG as JSON, with everything it extends and every default.

    \b
    Example:
      rasft resolve configs/math.yaml
    """
    click.echo(config_files.load(config_path).model_dump_json(indent=2))


@click.command()
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


@click.command()
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


@click.command()
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


@click.command()
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


@click.command()
@config_argument
@click.option("--pilot", required=True, metavar="RUN", help="A finished comparison of few seeds.")
@click.option("--benchmark", metavar="NAME", help="What it is about; else CONFIG's first.")
@click.option("--hours", type=click.FloatRange(min=0, min_open=True), help="Propose within these.")
@click.option(
    "--problems", type=click.IntRange(min=20), help="The most there are; else the pilot's."
)
@click.option("--parallel", type=click.IntRange(min=1), help="Tasks at a time; else one a core.")
def power(
    config_path: Path,
    pilot: str,
    benchmark: str | None,
    hours: float | None,
    problems: int | None,
    parallel: int | None,
) -> None:
    """Print how small a difference CONFIG's comparison can find, and what would find a smaller one.

    How the pilot's methods vary with the seed, the problem and the sample is what designs are
    simulated from. With --hours other numbers of seeds, problems and samples are proposed.

    \b
    Example:
      rasft power configs/compare.yaml --pilot CompareFlow/12 --hours 1
    """
    from rasft.commands.power import Asked, run_power

    asked = Asked(pilot, benchmark, hours, problems, parallel)
    click.echo(run_power(config_files.load(config_path), asked))
