"""What a run starts from: model, problems and benchmarks, loaded and checked before any GPU work.

A mistake dies here, in the first step. So does a machine on which answers cannot be verified:
every expert response is judged by the verifier that will judge the policy, and one that the
verifier refuses cannot say anything about solvability.
"""

from __future__ import annotations

import os
import random
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa

from rasft import plugins
from rasft.config.settings import BenchmarkConfig, Config
from rasft.data import problems
from rasft.data.rows import SourceUnavailable
from rasft.decoding import engine_choice
from rasft.errors import UserError
from rasft.ledger import Ledger, open_ledger
from rasft.machine import provenance
from rasft.models import folders, sources
from rasft.models.renderer import Renderer, open_renderer
from rasft.models.traits import context_tokens
from rasft.records import EXPERT, Dropped, Problem, Rollout, Status, Work
from rasft.stages import verify
from rasft.tables import from_table, stream, take, to_table

NO_BENCHMARK = "name at least one in evaluation.benchmarks"

Benchmark = tuple[BenchmarkConfig, list[Problem]]

JUDGED_AT_ONCE = 50_000  # expert responses in memory at once; each lot starts the verifiers anew


@dataclass(frozen=True)
class Prepared:
    """What a run starts from. `warmup` and `training` hold Problem rows, `dropped` Dropped rows."""

    warmup: pa.Table
    training: pa.Table
    dropped: pa.Table
    benchmarks: Mapping[str, pa.Table]  # Problem rows of each that can be evaluated here
    notes: tuple[str, ...]  # what a reader of the report must know
    provenance: Mapping[str, Any]
    work: pa.Table  # Work rows


def prepare(config: Config) -> Prepared:
    """Load and check everything a run needs.

    Raises UserError for a model or an engine that cannot be read, data that cannot be used, a
    verifier that cannot work here, or too few problems for the warm-up.
    """
    folder = sources.resolve(config.model)
    renderer = open_renderer(folder, config.prompts, config.chat)
    engine_choice.load(config.rollout.engine)
    found, notes = benchmarks(config)
    usable, dropped = problems.load_problems(config, data_dir(), _to_avoid(found))
    ledger = open_ledger(config.ledger)
    usable = _that_fit(usable, renderer, config.data.max_tokens, context_tokens(folder), dropped)
    usable = _that_verify(usable, config, ledger, dropped)
    warmup, training = _split(usable, config)
    return Prepared(
        warmup=warmup,
        training=training,
        dropped=to_table(dropped, Dropped),
        benchmarks=limited(found),
        notes=(*notes, *renderer.notes()),
        provenance=_provenance(config, folder, renderer, training),
        work=to_table(ledger.work("start"), Work),
    )


def data_dir() -> str | None:
    """The folder of local JSONL data, from RASFT_DATA_DIR."""
    return os.environ.get("RASFT_DATA_DIR") or None


def limited(found: Iterable[Benchmark]) -> dict[str, pa.Table]:
    """Problem rows of each benchmark, as many as are wanted."""
    return {wanted.name: to_table(islice(rows, wanted.limit), Problem) for wanted, rows in found}


def benchmarks(config: Config, whole: bool = True) -> tuple[list[Benchmark], list[str]]:
    """All sound problems of each benchmark, whatever its limit, and notes on what is left out.

    Not `whole` reads no more than the limit: training must see none of them, judging needs no
    other. Raises UserError where one is not here, unless it may be skipped, or where none is.
    """
    found: list[Benchmark] = []
    notes: list[str] = []
    skipped: dict[str, SourceUnavailable] = {}
    for wanted in config.evaluation.benchmarks:
        unlimited = wanted.model_copy(update={"limit": None})
        rows_there = problems.benchmark_rows(unlimited, data_dir(), config.seed)
        try:
            rows, faults = _sound(rows_there, None if whole else wanted.limit)
            found.append((wanted, rows))
            notes += [f"benchmark {wanted.name} leaves out {fault}" for fault in faults]
        except SourceUnavailable as error:
            if not config.evaluation.skip_unavailable:
                raise
            skipped[wanted.name] = error
    if skipped:
        first = next(iter(skipped.values()))
        notes.append(f"{len(skipped)} benchmarks were skipped: {', '.join(skipped)}; {first}")
    if not found:
        raise UserError(f"no benchmark can be evaluated here; {'; '.join(notes) or NO_BENCHMARK}")
    return found, notes


def _sound(rows: Iterable[Problem], most: int | None) -> tuple[list[Problem], list[str]]:
    """The first problems whose gold can be judged against, and the others with what is wrong."""
    kept: list[Problem] = []
    faults: list[str] = []
    for row in rows:
        if fault := _gold_fault(row):
            faults.append(f"{row.id}: {fault}")
        else:
            kept.append(row)
        if len(kept) == most:
            break
    return kept, faults


def _gold_fault(row: Problem) -> str:
    """Why nothing can be judged by the gold of a problem; "" where it is sound."""
    own = getattr(plugins.load("verifiers", row.verifier), "gold_fault", None)
    if own is not None:
        return str(own(row))
    from rasft.answers.golds import check_golds  # brings mpmath, which no other step needs

    return next((why for _, why in check_golds([row])), "")


def _to_avoid(benchmarks: Iterable[Benchmark]) -> list[list[Problem]]:
    """The benchmarks that training must not see; held-out splits are disjoint by construction."""
    return [
        rows
        for wanted, rows in benchmarks
        if not getattr(plugins.load("benchmarks", wanted.name), "HELD_OUT", False)
    ]


def _that_fit(
    rows: pa.Table, renderer: Renderer, max_tokens: int, context: int, dropped: list[Dropped]
) -> pa.Table:
    """Those that neither `data.max_tokens` nor the model's context cuts off."""
    limit = min(max_tokens, context)
    whose = "data.max_tokens" if max_tokens <= context else "the model's context"

    def too_long(row: Problem) -> Dropped | None:
        tokens = len(renderer.prompt_ids(row)) + len(renderer.response_ids(row.expert))
        if tokens <= limit:
            return None
        return Dropped(row.id, "too_long", f"{tokens} tokens, at most {limit} ({whose})")

    kept = to_table(problems.keep(stream(rows, Problem), too_long, dropped), Problem)
    if not kept.num_rows:
        raise UserError(
            f"all {rows.num_rows} usable training problems are longer than {whose} = {limit} "
            "tokens; raise data.max_tokens, or take a model that reads more"
        )
    return kept


def _that_verify(
    rows: pa.Table, config: Config, ledger: Ledger, dropped: list[Dropped]
) -> pa.Table:
    """The problems whose own expert response is judged correct; the refused go to `dropped`.

    The verifiers are started even if every verdict is known: the samples will need them.
    """
    verify.check(set(rows["verifier"].unique().to_pylist()), config.verification)
    before = len(dropped)
    parts = [
        _judged(rows.slice(start, JUDGED_AT_ONCE), config, ledger, dropped)
        for start in range(0, rows.num_rows, JUDGED_AT_ONCE)
    ]
    usable = pa.concat_tables([rows.schema.empty_table(), *parts])
    if not usable.num_rows:
        raise UserError(
            f"the verifier refuses the expert response of all {rows.num_rows} training problems, "
            f"the first with {dropped[before].detail}; check answers, tests and verification "
            "settings"
        )
    return usable


def _judged(part: pa.Table, config: Config, ledger: Ledger, dropped: list[Dropped]) -> pa.Table:
    rows = from_table(part, Problem)
    experts = [Rollout(row.id, EXPERT, 0, (), row.expert, "stop") for row in rows]
    verdicts = verify.judge(rows, experts, config.verification, ledger)
    kept = []
    for place, (row, verdict) in enumerate(zip(rows, verdicts, strict=True)):
        if verdict.status in (Status.CORRECT, Status.UNDECIDED):
            kept.append(place)
        else:
            detail = f"{verdict.status}: {verdict.answer!r} {verdict.detail}".strip()
            dropped.append(Dropped(row.id, "expert_refused", detail))
    return take(part, kept)


def _split(rows: pa.Table, config: Config) -> tuple[pa.Table, pa.Table]:
    """The warm-up's own problems and the round's: what was just taught would look solvable."""
    number = rows.num_rows
    shuffled = random.Random(config.seed).sample(range(number), number)
    taken = config.warmup.problems if config.warmup else 0
    if taken >= number:
        raise UserError(
            f"warmup.problems = {taken} leaves none of the {number} usable training problems "
            "for the round; take fewer, or raise a limit in data.datasets"
        )
    return take(rows, shuffled[:taken]), take(rows, shuffled[taken:])


def _provenance(
    config: Config, folder: Path, renderer: Renderer, training: pa.Table
) -> dict[str, Any]:
    return {
        "commit": provenance.commit(),
        "versions": provenance.versions(),
        "machine": provenance.machine(),
        "model": config.model.path,
        "model_revision": config.model.revision,
        "model_fingerprint": folders.fingerprint(folder),
        "template_fingerprint": renderer.fingerprint(),
        "data_fingerprint": problems.fingerprint(training),
        "training_problems": training.num_rows,
        "seed": config.seed,
    }
