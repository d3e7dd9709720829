"""Commands that judge: given responses, and models."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from rasft.config import files as config_files
from rasft.config.verification import VerificationConfig


@click.command()
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


@click.command(name="eval")
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
