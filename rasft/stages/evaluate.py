"""Benchmark problems x engine x verifiers -> the 0/1 matrix, and a manifest of what made it.

Every score is computed later from the stored matrix (`statistics`), so no figure needs the model
again. Math answers may be stated in words here, boxed or not: a model that was never taught to box
is judged by what it says.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pyarrow as pa

from rasft.config.settings import BenchmarkConfig, Config, VerificationConfig
from rasft.data import problems
from rasft.decoding import engine_choice
from rasft.decoding.engine import EngineOptions, Sampling
from rasft.decoding.one_engine import OneEngine
from rasft.errors import UserError
from rasft.ledger import Ledger, open_ledger
from rasft.models import folders
from rasft.models.renderer import Renderer, open_renderer
from rasft.models.traits import context_tokens
from rasft.records import BenchmarkResult, Problem, Status, Verdict, Work
from rasft.results import accuracy
from rasft.results.accuracy import Accuracy, Difference
from rasft.stages import verify
from rasft.stages.sampling import Sampler, Setup, each, in_order, split_by_room
from rasft.tables import from_table, to_table

Manifest = dict[str, Any]


def evaluate(
    config: Config, name: str, rows: pa.Table, checkpoints: Mapping[str, Path]
) -> tuple[pa.Table, list[dict[str, Any]], pa.Table]:
    """One benchmark under each checkpoint: BenchmarkResult rows, a manifest for each, Work rows."""
    ledger = open_ledger(config.ledger)
    results, manifests = sample_and_judge(
        config, name, from_table(rows, Problem), checkpoints, ledger
    )
    work = to_table(ledger.work("evaluate"), Work)
    return to_table(results, BenchmarkResult), manifests, work


def compare_checkpoints(config: Config, results: pa.Table) -> tuple[pa.Table, pa.Table]:
    """Accuracy rows and paired Difference rows, from the stored 0/1 matrices."""
    rows = from_table(results, BenchmarkResult)
    settings = config.evaluation
    return (
        to_table(accuracy.accuracies(rows, settings, config.seed), Accuracy),
        to_table(accuracy.differences(rows, settings, config.seed), Difference),
    )


def sample_and_judge(
    config: Config,
    name: str,
    rows: Sequence[Problem],
    checkpoints: Mapping[str, Path],
    ledger: Ledger,
) -> tuple[list[BenchmarkResult], list[Manifest]]:
    """Sample and judge one benchmark: a row a problem and checkpoint, a manifest a checkpoint.

    Raises UserError for a prompt that does not fit the model's context.
    """
    results: list[BenchmarkResult] = []
    manifests = []
    with OneEngine() as engine:
        for checkpoint, folder in checkpoints.items():
            found, manifest = _evaluate(config, name, rows, checkpoint, folder, ledger, engine)
            results += found
            manifests.append(manifest)
    return results, manifests


def _evaluate(
    config: Config,
    name: str,
    rows: Sequence[Problem],
    checkpoint: str,
    folder: Path,
    ledger: Ledger,
    engine: OneEngine,
) -> tuple[list[BenchmarkResult], Manifest]:
    samples = _samples(config, name)
    renderer = open_renderer(folder, config.prompts, config.chat)
    settings = stated(config.verification)
    plugin, sampler = engine_choice.choose(config.rollout.engine)
    sampling = _sampling(config)
    options = _options(config, renderer, rows, folder)
    setup = Setup(plugin, folder, options, sampling, config.seed, config.rollout.watch)
    source = Sampler(setup, renderer, ledger, engine)
    drawn = in_order(rows, source.draw(each(rows, range(samples))))
    verdicts = verify.judge(rows, drawn, settings, ledger)
    manifest = {
        "benchmark": name,
        "checkpoint": checkpoint,
        "model_fingerprint": folders.fingerprint(folder),
        "data_fingerprint": problems.fingerprint(to_table(rows, Problem)),
        "template_fingerprint": renderer.fingerprint(),
        "engine": sampler,
        "engine_notes": list(source.notes),
        "dtype": config.model.dtype,
        "samples": samples,
        "sampling": asdict(sampling),
        "seed": config.seed,
        "verifiers": {verdict.verifier: verdict.verifier_version for verdict in verdicts},
    }
    return matrix(name, checkpoint, rows, verdicts, samples), manifest


def stated(settings: VerificationConfig) -> VerificationConfig:
    """The verifiers' settings with math answers also taken from words."""
    math = settings.math.model_copy(update={"format": "stated"})
    return settings.model_copy(update={"math": math})


def engine_notes(manifests: Iterable[Manifest]) -> list[str]:
    """What was not as it should be with the engines that drew the samples, a line each."""
    return [
        f"{manifest['benchmark']}, {manifest['checkpoint']}: {note}"
        for manifest in manifests
        for note in manifest["engine_notes"]
    ]


def matrix(
    benchmark: str,
    checkpoint: str,
    rows: Sequence[Problem],
    verdicts: Sequence[Verdict],
    samples: int,
) -> list[BenchmarkResult]:
    """One row a problem, its samples by index. Raises UserError unless all samples are there."""
    by_problem: dict[str, dict[int, Verdict]] = defaultdict(dict)
    for verdict in verdicts:
        by_problem[verdict.problem_id][verdict.sample_index] = verdict
    return [
        _row(benchmark, checkpoint, problem.id, by_problem[problem.id], samples) for problem in rows
    ]


def _row(
    benchmark: str, checkpoint: str, problem_id: str, verdicts: dict[int, Verdict], samples: int
) -> BenchmarkResult:
    if sorted(verdicts) != list(range(samples)):
        raise UserError(
            f"benchmark {benchmark}, problem {problem_id!r}: {len(verdicts)} samples were judged, "
            f"{samples} were asked for; run the evaluation again"
        )
    statuses = [verdicts[index].status for index in range(samples)]
    return BenchmarkResult(
        benchmark=benchmark,
        checkpoint=checkpoint,
        problem_id=problem_id,
        correct=tuple(s is Status.CORRECT if s.is_decided else None for s in statuses),
        statuses=tuple(statuses),
        answers=tuple(verdicts[index].answer for index in range(samples)),
    )


def _samples(config: Config, name: str) -> int:
    wanted: dict[str, BenchmarkConfig] = {b.name: b for b in config.evaluation.benchmarks}
    own = wanted[name].samples if name in wanted else None
    return own or config.evaluation.samples_per_problem


def _sampling(config: Config) -> Sampling:
    settings = config.evaluation
    return Sampling(settings.temperature, settings.top_p, settings.max_new_tokens)


def _options(
    config: Config, renderer: Renderer, rows: Sequence[Problem], folder: Path
) -> EngineOptions:
    """Room for the longest prompt and all new tokens, as far as the model's context goes."""
    context = context_tokens(folder)
    _, dropped = split_by_room(rows, renderer, context)
    if dropped:
        raise UserError(
            f"problem {dropped[0].problem_id!r} cannot be evaluated: {dropped[0].detail}"
        )
    longest = max(len(renderer.prompt_ids(problem)) for problem in rows)
    return EngineOptions(
        dtype=config.model.dtype,
        max_model_len=min(context, longest + config.evaluation.max_new_tokens),
        max_sequences=config.rollout.max_sequences,
        stop_token_ids=renderer.stop_token_ids,
        batch_invariant=config.rollout.batch_invariant,
    )
