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
import pyarrow.compute as pc

from rasft import plugins
from rasft.config.settings import BenchmarkConfig, Config
from rasft.data import problems
from rasft.data.account import Account
from rasft.data.rows import SourceUnavailable
from rasft.decoding import engine_choice
from rasft.errors import UserError
from rasft.ledger import open_ledger
from rasft.machine import provenance
from rasft.models import folders, sources
from rasft.models.renderer import Renderer, open_renderer
from rasft.models.traits import context_tokens
from rasft.records import NO_VERIFIER, Dropped, Problem, Work
from rasft.stages import experts, training_method
from rasft.tables import take, to_table

NO_BENCHMARK = "name at least one in evaluation.benchmarks"

Benchmark = tuple[BenchmarkConfig, list[Problem]]


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
    ledger, account = open_ledger(config.ledger), Account()
    usable = unjudged(config, found, renderer, limit(config, folder), account)
    # Even if every verdict is known: the samples will need the verifiers.
    experts.start_verifiers(usable, config)
    usable = experts.that_verify(usable, config, ledger, account)
    if own := warmup_config(config):
        taught = unjudged(own, found, renderer, limit(config, folder), account)
        taught = experts.that_verify(taught, own, ledger, account)
        warmup, training = split_off(taught, usable, own, account)
    else:
        warmup, training = split(usable, config)
    return Prepared(
        warmup=warmup,
        training=training,
        dropped=to_table(account.dropped, Dropped),
        benchmarks=limited(found),
        notes=(*notes, *account.notes, *_of_data(training), *renderer.notes()),
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


def unjudged(
    config: Config,
    found: Iterable[Benchmark],
    renderer: Renderer,
    limit: tuple[int, str],
    account: Account,
) -> pa.Table:
    """The training problems that can be used, but for what their verifiers say: Problem rows.

    `limit` is the most tokens of a row, and whose limit it is. Raises UserError for rows that
    cannot be read, a method that cannot train on them, and where none is left.
    """
    rows = problems.load_problems(config, data_dir(), _to_avoid(found), account).problems
    training_method.check_verifiers(config.training.method, rows)
    rows = experts.distinct(rows, config.quality.duplicate_similarity, account.dropped)
    return experts.that_fit(rows, renderer, limit, account)


def limit(config: Config, folder: Path) -> tuple[int, str]:
    """The most tokens of a prompt and its response, and whose limit that is."""
    context = context_tokens(folder)
    if config.data.max_tokens <= context:
        return config.data.max_tokens, "data.max_tokens"
    return context, "the model's context"


def _of_data(training: pa.Table) -> list[str]:
    """What a reader must know: of problems without a verifier, and of several experts for one."""
    counts = counted(training)
    notes = []
    if unverified := counts["unverified_problems"]:
        notes.append(
            f"{unverified} of {training.num_rows} training problems have the verifier "
            f"{NO_VERIFIER!r}: they are never rolled out, and train on their experts alone"
        )
    if (responses := counts["expert_responses"]) > training.num_rows:
        notes.append(
            f"{training.num_rows} training problems have {responses} expert responses, which share "
            "the expert's weight of their problem"
        )
    return notes


def counted(training: pa.Table) -> dict[str, int]:
    """How many expert responses the problems have, and how many problems have no verifier."""
    further = pc.sum(pc.list_value_length(training["experts"])).as_py() or 0
    unverified = pc.sum(pc.equal(training["verifier"], NO_VERIFIER)).as_py() or 0
    return {
        "expert_responses": training.num_rows + further,
        "unverified_problems": unverified,
    }


def warmup_config(config: Config) -> Config | None:
    """The config whose data are the warm-up's; None where it has no datasets of its own."""
    stage = config.warmup
    if stage is None or not stage.datasets:
        return None
    data = config.data.model_copy(update={"datasets": stage.datasets})
    seed = config.seed if stage.seed is None else stage.seed
    return config.model_copy(update={"data": data, "seed": seed})


def split(rows: pa.Table, config: Config) -> tuple[pa.Table, pa.Table]:
    """The warm-up's problems and the round's: what was just taught would look solvable."""
    taken = config.warmup.problems if config.warmup else 0
    shuffled = _shuffled(rows, config.seed)
    if taken >= rows.num_rows:
        raise UserError(
            f"warmup.problems = {taken} leaves none of the {rows.num_rows} usable training "
            "problems for the round; take fewer, or raise a limit in data.datasets"
        )
    return shuffled.slice(0, taken), shuffled.slice(taken)


def split_off(
    taught: pa.Table, rows: pa.Table, own: Config, account: Account
) -> tuple[pa.Table, pa.Table]:
    """As `split`, of a warm-up with datasets of its own, which `own` is the config of.

    A problem of the round that is among the warm-up's is dropped and counted.
    """
    wanted = own.warmup.problems if own.warmup else 0
    if wanted > taught.num_rows:
        raise UserError(
            f"warmup.problems = {wanted}, and warmup.datasets have {taught.num_rows} usable ones; "
            "take fewer, or raise a limit there"
        )
    warmup = _shuffled(taught, own.seed).slice(0, wanted)
    training = _shuffled(_unseen(rows, warmup, account), own.seed)
    if not training.num_rows:
        raise UserError(
            f"all {rows.num_rows} usable training problems are in warmup.datasets too: none is "
            "left for the round"
        )
    return warmup, training


def _shuffled(rows: pa.Table, seed: int) -> pa.Table:
    return take(rows, random.Random(seed).sample(range(rows.num_rows), rows.num_rows))


def _unseen(rows: pa.Table, warmup: pa.Table, account: Account) -> pa.Table:
    """The rows whose prompt the warm-up has not."""
    seen = pc.is_in(rows["prompt"], value_set=pc.unique(warmup["prompt"]))
    account.dropped += [
        Dropped(problem_id, "in_warmup", "a problem of warmup.datasets has the same prompt")
        for problem_id in rows.filter(seen)["id"].to_pylist()
    ]
    return rows.filter(pc.invert(seen))


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
        **counted(training),
        "seed": config.seed,
    }
