"""Benchmark problems x engine x verifiers -> the 0/1 matrix, and a manifest of what made it.

Every score is computed later from the stored matrix (`statistics`), so no figure needs the model
again. Math answers may be stated in words here, boxed or not: a model that was never taught to box
is judged by what it says.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from rasft.config import protocols
from rasft.config.settings import BenchmarkConfig, Config
from rasft.config.verification import VerificationConfig
from rasft.data import problems
from rasft.decoding.chat_server import Address
from rasft.decoding.engine import Sampling
from rasft.errors import UserError
from rasft.ledger import Ledger, open_ledger
from rasft.models import folders
from rasft.models.renderer import Renderer, open_renderer
from rasft.models.traits import context_tokens
from rasft.records import (
    BenchmarkResponse,
    BenchmarkResult,
    Problem,
    Rollout,
    Status,
    Verdict,
    Work,
)
from rasft.results import accuracy
from rasft.results.accuracy import Accuracy, Difference
from rasft.stages import verify
from rasft.stages.kept import Kept
from rasft.stages.sampling import Sampler, each, in_order, split_by_room
from rasft.stages.served import ServedSampler
from rasft.stages.setup import choose, with_base
from rasft.tables import from_table, to_table

CONTEXT_STEP = 128

Manifest = dict[str, Any]
Model = Path | Address  # a folder, or where the model is served


@dataclass(frozen=True)
class Evaluated:
    """One benchmark under each checkpoint, as tables."""

    results: pa.Table  # BenchmarkResult rows
    responses: pa.Table  # BenchmarkResponse rows, a sample each
    manifests: list[Manifest]  # one for each checkpoint
    work: pa.Table


def evaluate(
    config: Config,
    name: str,
    rows: pa.Table,
    checkpoints: Mapping[str, Model],
    kept: Kept | None = None,
) -> Evaluated:
    """Sample and judge one benchmark under each checkpoint."""
    ledger = open_ledger(config.ledger)
    results, responses, manifests = sample_and_judge(
        config, name, from_table(rows, Problem), checkpoints, ledger, kept
    )
    return Evaluated(
        to_table(results, BenchmarkResult),
        to_table(responses, BenchmarkResponse),
        manifests,
        work_of(ledger),
    )


def work_of(ledger: Ledger) -> pa.Table:
    """Work rows of an evaluation."""
    return to_table(ledger.work("evaluate"), Work)


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
    checkpoints: Mapping[str, Model],
    ledger: Ledger,
    kept: Kept | None = None,
) -> tuple[list[BenchmarkResult], list[BenchmarkResponse], list[Manifest]]:
    """Sample and judge one benchmark: a row a problem and checkpoint, a row a sample, a manifest a
    checkpoint.

    Engine and verifiers end with it, or with `kept`. Raises UserError for a prompt that does not
    fit the model's context.
    """
    results: list[BenchmarkResult] = []
    responses: list[BenchmarkResponse] = []
    manifests = []
    if kept is None:
        with Kept() as own:
            return sample_and_judge(config, name, rows, checkpoints, ledger, own)
    for checkpoint, model in checkpoints.items():
        who = _sampler(config, rows, model, checkpoints, ledger, kept)
        found, drawn, manifest = _evaluate(config, name, rows, checkpoint, who, kept)
        results += found
        responses += drawn
        manifests.append(manifest)
    return results, responses, manifests


def _evaluate(
    config: Config,
    name: str,
    rows: Sequence[Problem],
    checkpoint: str,
    who: tuple[Sampler | ServedSampler, Manifest],
    kept: Kept,
) -> tuple[list[BenchmarkResult], list[BenchmarkResponse], Manifest]:
    samples = _samples(config, name)
    settings = stated(config.verification)
    sampler, facts = who
    drawn = in_order(rows, sampler.draw(each(rows, range(samples))))
    verdicts = verify.judge(rows, drawn, settings, sampler.ledger, kept.verifiers)
    manifest = {
        "benchmark": name,
        "checkpoint": checkpoint,
        "data_fingerprint": problems.fingerprint(to_table(rows, Problem)),
        **facts,
        "engine_notes": list(sampler.notes),
        "engine_choices": list(sampler.choices),
        "samples": samples,
        "sampling": asdict(_sampling(config)),
        "protocol": protocols.label(config),
        "seed": config.seed,
        "verifiers": {verdict.verifier: verdict.verifier_version for verdict in verdicts},
    }
    results = matrix(name, checkpoint, rows, drawn, verdicts, samples)
    return results, responses_of(name, checkpoint, drawn, verdicts), manifest


def _sampler(
    config: Config,
    rows: Sequence[Problem],
    model: Model,
    checkpoints: Mapping[str, Model],
    ledger: Ledger,
    kept: Kept,
) -> tuple[Sampler | ServedSampler, Manifest]:
    """Who answers, and what a manifest says of it."""
    if isinstance(model, Address):
        served = ServedSampler(model, config, _sampling(config), ledger)
        return served, served.facts()
    renderer = open_renderer(model, config.prompts, config.chat)
    context = _context(config, renderer, rows, model)
    setup, version = choose(config, "evaluate", renderer, model, context, _sampling(config))
    if config.rollout.adapters:
        here = [each for each in checkpoints.values() if isinstance(each, Path)]
        setup = with_base(setup, here)
    return Sampler(setup, renderer, ledger, kept.engine), {
        "model_fingerprint": folders.fingerprint(model),
        "template_fingerprint": renderer.fingerprint(),
        "engine": version,
        "dtype": config.model.dtype,
    }


def stated(settings: VerificationConfig) -> VerificationConfig:
    """The verifiers' settings with answers also taken from words, where there is a choice."""
    spoken = {
        name: section.model_copy(update={"format": "stated"})
        for name, section in settings
        if "format" in type(section).model_fields
    }
    return settings.model_copy(update=spoken)


def engine_notes(manifests: Iterable[Manifest]) -> list[str]:
    """What was not as it should be with the engines that drew the samples, a line each."""
    return [
        f"{manifest['benchmark']}, {manifest['checkpoint']}: {note}"
        for manifest in manifests
        for note in manifest["engine_notes"]
    ]


def responses_of(
    benchmark: str, checkpoint: str, drawn: Sequence[Rollout], verdicts: Sequence[Verdict]
) -> list[BenchmarkResponse]:
    """The samples and what the verifier says of each."""
    return [
        BenchmarkResponse(
            benchmark=benchmark,
            checkpoint=checkpoint,
            problem_id=rollout.problem_id,
            sample_index=rollout.sample_index,
            text=rollout.text,
            finish_reason=rollout.finish_reason,
            status=verdict.status,
            answer=verdict.answer,
            detail=verdict.detail,
        )
        for rollout, verdict in zip(drawn, verdicts, strict=True)
    ]


def matrix(
    benchmark: str,
    checkpoint: str,
    rows: Sequence[Problem],
    drawn: Sequence[Rollout],
    verdicts: Sequence[Verdict],
    samples: int,
) -> list[BenchmarkResult]:
    """One row a problem, its samples by index. Raises UserError unless all samples are there."""
    judged: dict[str, dict[int, tuple[Verdict, str]]] = defaultdict(dict)
    for rollout, verdict in zip(drawn, verdicts, strict=True):
        judged[verdict.problem_id][verdict.sample_index] = verdict, rollout.finish_reason
    return [_row(benchmark, checkpoint, row.id, judged[row.id], samples) for row in rows]


def _row(
    benchmark: str,
    checkpoint: str,
    problem_id: str,
    judged: dict[int, tuple[Verdict, str]],
    samples: int,
) -> BenchmarkResult:
    if sorted(judged) != list(range(samples)):
        raise UserError(
            f"benchmark {benchmark}, problem {problem_id!r}: {len(judged)} samples were judged, "
            f"{samples} were asked for; run the evaluation again"
        )
    verdicts = [judged[index][0] for index in range(samples)]
    return BenchmarkResult(
        benchmark=benchmark,
        checkpoint=checkpoint,
        problem_id=problem_id,
        correct=tuple(
            v.status is Status.CORRECT if v.status.is_decided else None for v in verdicts
        ),
        statuses=tuple(verdict.status for verdict in verdicts),
        answers=tuple(verdict.answer for verdict in verdicts),
        finish_reasons=tuple(judged[index][1] for index in range(samples)),
    )


def _samples(config: Config, name: str) -> int:
    wanted: dict[str, BenchmarkConfig] = {b.name: b for b in config.evaluation.benchmarks}
    own = wanted[name].samples if name in wanted else None
    return own or config.evaluation.samples_per_problem


def _sampling(config: Config) -> Sampling:
    settings = config.evaluation
    return Sampling(settings.temperature, settings.top_p, settings.max_new_tokens)


def _context(config: Config, renderer: Renderer, rows: Sequence[Problem], folder: Path) -> int:
    """Room for the longest prompt and all new tokens, as far as the model's context goes.

    In steps of CONTEXT_STEP tokens: benchmarks whose prompts are about as long share an engine.
    """
    context = context_tokens(folder)
    _, dropped = split_by_room(rows, renderer, context)
    if dropped:
        raise UserError(
            f"problem {dropped[0].problem_id!r} cannot be evaluated: {dropped[0].detail}"
        )
    longest = max(len(renderer.prompt_ids(problem)) for problem in rows)
    steps = -(-(longest + config.evaluation.max_new_tokens) // CONTEXT_STEP)
    return min(context, steps * CONTEXT_STEP)
