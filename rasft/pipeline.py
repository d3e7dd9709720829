"""The stages of a run as functions: tables and model folders in, tables and folders out.

A flow's step calls one of these; nothing here knows of the orchestrator. Rows come in and go out as
Arrow tables of `records`, models as Hugging Face folders: what a run stores must be readable after
the project's classes have moved on.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa

from rasft import models, plugins, tables
from rasft.config import REINFORCEMENT, Config, TrainingConfig
from rasft.errors import UserError
from rasft.ledger import Ledger, open_ledger, trainings
from rasft.method import adaptive, aggregation, posterior, routing
from rasft.method.posterior import Posterior, Stop
from rasft.method.streaming import stream_groups
from rasft.prompts import open_renderer
from rasft.records import (
    EXPERT,
    BenchmarkResult,
    Checkpoint,
    Dropped,
    Group,
    Problem,
    Rollout,
    Route,
    SequenceScore,
    TrainingExample,
    Verdict,
    Work,
)
from rasft.results import accuracy
from rasft.results.accuracy import Accuracy, Difference
from rasft.shards import LostShard
from rasft.tables import from_table, shard_rows, to_table
from rasft.training import jobs, launcher
from rasft.training.jobs import ALONE, Place, TrainingJob
from rasft.training.launcher import NO_HOOKS, Hooks

# problem_id, sample_index, prompt token ids, response token ids
Response = tuple[str, int, tuple[int, ...], tuple[int, ...]]

REWARDS = "rewards"
FLOWS = {
    "expert": "sft_flow.py",
    "group": "rasft_flow.py",
    "own": "rasft_flow.py",
    "unsolved_expert": "rasft_flow.py",
    REWARDS: "rl_flow.py",
}


@dataclass(frozen=True)
class Trained:
    """A finished training: the model's folder and one TrainingStep row a step."""

    folder: Path
    checkpoint: Checkpoint
    curve: pa.Table
    summary: Mapping[str, Any]
    state: Path | None  # of the optimizer, where another round follows
    work: Sequence[Work]


class Sampled(NamedTuple):
    """One shard's rollouts, their scores under the reference, and what could not be sampled."""

    rollouts: pa.Table
    scores: pa.Table
    dropped: pa.Table
    sampler: str  # engine and version
    work: pa.Table  # Work rows
    stops: pa.Table  # Stop rows: which problems were sampled further; none unless adaptive


class Past(NamedTuple):
    """What earlier rounds left for this one's samples; the first round has neither."""

    beliefs: pa.Table | None = None  # Posterior rows: adaptive sampling starts from them
    reference: Path | None = None  # the frozen model, where it is not the policy


FIRST_ROUND = Past()


def check_method(config: Config, trains: Collection[str]) -> None:
    """Raise UserError unless the method trains on what this flow makes: a plugin's EXAMPLES, or
    rewards."""
    method = config.training.method
    if trains_on(method) not in trains:
        known = [*plugins.names("losses"), *REINFORCEMENT]
        fitting = [name for name in known if trains_on(name) in trains]
        raise UserError(
            f"training.method = {method!r} trains on {trains_on(method)!r}, which this flow does "
            f"not make: run flows/{FLOWS[trains_on(method)]}, or set one of: {', '.join(fitting)}"
        )


def trains_on(method: str) -> str:
    """What a method trains on: the EXAMPLES of its loss plugin, or "rewards"."""
    if method in REINFORCEMENT:
        return REWARDS
    return str(plugins.load("losses", method).EXAMPLES)


def warm_up(
    config: Config, problems: pa.Table, base: Path, folder: Path, hooks: Hooks = NO_HOOKS
) -> Trained | None:
    """The expert stage before the round: plain supervised training on problems of its own."""
    if config.warmup is None:
        return None
    renderer = open_renderer(base, config.prompts)
    rows = from_table(problems, Problem)
    examples = [
        TrainingExample(
            problem_id=row.id,
            sample_index=EXPERT,
            input_ids=(*renderer.prompt_ids(row), *renderer.response_ids(row.expert)),
            prompt_tokens=len(renderer.prompt_ids(row)),
            weight=1.0,
            reference_logps=(),  # plain SFT reads no reference
        )
        for row in rows
    ]
    settings = config.training.model_copy(
        update={
            "method": "sft",
            "loss": {},
            "max_steps": None,
            **config.warmup.model_dump(exclude={"problems"}),
        }
    )
    rows_of = to_table(examples, TrainingExample)
    return _fit(config, settings, rows_of, base, folder, "warmup", hooks)


def score_experts(
    config: Config, rows: pa.Table, policy: Path, shard: int
) -> tuple[pa.Table, pa.Table]:
    """Expert log-probabilities of one shard under the policy: SequenceScore rows, Work rows.

    Under the starting policy they are the reference's, so one pass serves router and trainer.
    """
    renderer = open_renderer(policy, config.prompts)
    mine = from_table(shard_rows(rows, shard, config.data.score_shards), Problem)
    sequences = [
        (row.id, EXPERT, renderer.prompt_ids(row), renderer.response_ids(row.expert))
        for row in mine
    ]
    ledger = open_ledger(config.ledger)
    scores = _score(config, policy, sequences, ledger)
    return to_table(scores, SequenceScore), to_table(ledger.work("score"), Work)


def read_experts(
    config: Config, rows: pa.Table, policy: Path, shard: int
) -> tuple[pa.Table, pa.Table]:
    """As `score_experts`, but without log-probabilities for a method that reads none."""
    if plugins.load("losses", config.training.method).USES_REFERENCE:
        return score_experts(config, rows, policy, shard)
    renderer = open_renderer(policy, config.prompts)
    mine = from_table(shard_rows(rows, shard, config.data.score_shards), Problem)
    unscored = [SequenceScore(p.id, EXPERT, renderer.response_ids(p.expert), ()) for p in mine]
    return to_table(unscored, SequenceScore), to_table([], Work)


def route(config: Config, scores: pa.Table) -> pa.Table:
    """Each problem's bucket, and whether it is rolled out, from its expert loss: Route rows."""
    losses = {score.problem_id: score.loss for score in from_table(scores, SequenceScore)}
    return to_table(routing.route(losses, config.router, config.seed), Route)


def first_beliefs() -> pa.Table:
    """The posteriors before any round: none."""
    return to_table([], Posterior)


def roll_out(
    config: Config,
    rows: pa.Table,
    routes: pa.Table,
    policy: Path,
    shard: int,
    past: Past = FIRST_ROUND,
) -> Sampled:
    """Sample one shard's problems under the policy and score the samples under the reference."""
    from rasft import rollout

    renderer = open_renderer(policy, config.prompts)
    mine = _shard(config, rows, routes, shard)
    ledger = open_ledger(config.ledger)
    beliefs = first_beliefs() if past.beliefs is None else past.beliefs
    stages = adaptive.Stages(config, mine, from_table(beliefs, Posterior), ledger)
    drawn, dropped, sampler = rollout.roll_out(
        config, mine, renderer, policy, ledger, stages.further
    )
    prompts = {row.id: renderer.prompt_ids(row) for row in mine}
    sequences = [(r.problem_id, r.sample_index, prompts[r.problem_id], r.token_ids) for r in drawn]
    return Sampled(
        rollouts=to_table(drawn, Rollout),
        scores=to_table(_score(config, past.reference or policy, sequences, ledger), SequenceScore),
        dropped=to_table(dropped, Dropped),
        sampler=sampler,
        work=to_table(ledger.work("rollout"), Work),
        stops=to_table(stages.stops, Stop),
    )


def unmade_samples(
    config: Config, rows: pa.Table, routes: pa.Table, lost: Iterable[LostShard]
) -> pa.Table:
    """The problems of lost shards, which train on their experts alone: Dropped rows."""
    dropped = [
        Dropped(problem.id, "lost_shard", str(shard))
        for shard in lost
        for problem in _shard(config, rows, routes, int(shard.name))
    ]
    return to_table(dropped, Dropped)


def verify(config: Config, rows: pa.Table, rollouts: pa.Table) -> tuple[pa.Table, pa.Table]:
    """A verdict for each rollout: Verdict rows, Work rows."""
    from rasft import verification

    ledger = open_ledger(config.ledger)
    verdicts = verification.verify(
        from_table(rows, Problem), from_table(rollouts, Rollout), config.verification, ledger
    )
    return to_table(verdicts, Verdict), to_table(ledger.work("verify"), Work)


def group(config: Config, routes: pa.Table, rollouts: pa.Table, verdicts: pa.Table) -> pa.Table:
    """Solvability and weights of every problem: Group rows."""
    groups = stream_groups(from_table(routes, Route), rollouts, verdicts, config)
    return to_table(groups, Group)


def expert_groups(config: Config, rows: pa.Table) -> pa.Table:
    """Groups of problems that nobody rolls out: each trains on its expert alone. Group rows."""
    routes = [Route(problem.id, routing.OTHER, False) for problem in from_table(rows, Problem)]
    return to_table(aggregation.build_groups(routes, (), (), config), Group)


def update_beliefs(config: Config, groups: pa.Table, beliefs: pa.Table) -> pa.Table:
    """The posteriors after this round, which the next one starts from: Posterior rows."""
    found = from_table(groups, Group)
    before = posterior.priors(
        (row.problem_id for row in found),
        from_table(beliefs, Posterior),
        config.rollout.posterior,
    )
    return to_table(posterior.posteriors(found, before), Posterior)


def examples(
    config: Config, rows: pa.Table, groups: pa.Table, scores: pa.Table, policy: Path
) -> pa.Table:
    """The sequences that the configured method trains on: TrainingExample rows."""
    renderer = open_renderer(policy, config.prompts)
    by_id = {row.id: row for row in from_table(rows, Problem)}
    built = aggregation.build_examples(
        plugins.load("losses", config.training.method).EXAMPLES,
        from_table(groups, Group),
        from_table(scores, SequenceScore),
        lambda problem_id: renderer.prompt_ids(by_id[problem_id]),
    )
    return to_table(built, TrainingExample)


def checked(
    config: Config, rows: pa.Table, policy: Path, folder: Path
) -> list[dict[str, Any]] | None:
    """What `preflight` found; None where the config does not ask for it."""
    return preflight(config, rows, policy, folder) if config.training.preflight else None


def write_card(
    config: Config,
    trained: Trained,
    provenance: Mapping[str, Any],
    checks: Sequence[Mapping[str, Any]] | None,
) -> None:
    """The model card into the trained model's folder, as far as the run knows it by now."""
    from rasft.report import model_card

    origin, licence = models.origin_of(config.model, models.resolve(config.model))
    facts = model_card.CardFacts(config, origin, licence, provenance, trained.summary, checks)
    model_card.write(trained.folder, facts)


def preflight(config: Config, rows: pa.Table, policy: Path, folder: Path) -> list[dict[str, Any]]:
    """Check rows, gradients, engine and model before a training: a row of plain values a check.

    Raises UserError that names what failed.
    """
    from rasft import rollout
    from rasft.training import preflight as checking

    job = TrainingJob(str(policy), config.training, config.model.dtype, config.seed)
    jobs.write_job(folder, job, rows)
    engine, _ = rollout.choose(config.rollout.engine)
    checks = checking.preflight(folder, config.data.max_tokens, engine)
    for check in checks:
        print(check.line(), flush=True)
    checking.raise_if_failed(checks)
    return [vars(check) for check in checks]


def train(
    config: Config,
    rows: pa.Table,
    policy: Path,
    folder: Path,
    hooks: Hooks = NO_HOOKS,
    place: Place = ALONE,
) -> Trained:
    """Train the policy on weighted examples in a process group of its own."""
    return _fit(config, config.training, rows, policy, folder, "train", hooks, place)


def work_of(trained: Trained | None) -> pa.Table:
    """Whether a training was found or made: Work rows."""
    return to_table(trained.work if trained else (), Work)


def reinforce(config: Config, rows: pa.Table, policy: Path, folder: Path) -> Trained:
    """Train the policy on the rewards of its own responses to these problems."""
    from rasft.training import reinforcement_jobs

    job = reinforcement_jobs.ReinforcementJob(str(policy), config)
    job.shape(rows.num_rows, launcher.world_size(config.training))
    reinforcement_jobs.write_job(folder, job, rows)
    summary = launcher.launch(folder, config.training, module="rasft.training.reinforcement")
    return _trained(policy, folder, summary, work=())


def evaluate(
    config: Config, name: str, rows: pa.Table, checkpoints: Mapping[str, Path]
) -> tuple[pa.Table, list[dict[str, Any]], pa.Table]:
    """One benchmark under each checkpoint: BenchmarkResult rows, a manifest for each, Work rows."""
    from rasft import evaluation

    ledger = open_ledger(config.ledger)

    results: list[BenchmarkResult] = []
    manifests = []
    for checkpoint, folder in checkpoints.items():
        found, manifest = evaluation.evaluate(
            config, name, from_table(rows, Problem), checkpoint, folder, ledger
        )
        results += found
        manifests.append(manifest)
    work = to_table(ledger.work("evaluate"), Work)
    return to_table(results, BenchmarkResult), manifests, work


def compare(config: Config, results: pa.Table) -> tuple[pa.Table, pa.Table]:
    """Accuracy rows and paired Difference rows, from the stored 0/1 matrices."""
    rows = from_table(results, BenchmarkResult)
    settings = config.evaluation
    return (
        to_table(accuracy.accuracies(rows, settings, config.seed), Accuracy),
        to_table(accuracy.differences(rows, settings, config.seed), Difference),
    )


def concat(parts: Iterable[pa.Table]) -> pa.Table:
    """The rows of several tables of one schema."""
    return pa.concat_tables(parts).combine_chunks()


def _shard(config: Config, rows: pa.Table, routes: pa.Table, shard: int) -> list[Problem]:
    """The problems that one shard samples."""
    wanted = {route.problem_id for route in from_table(routes, Route) if route.rolled_out}
    chosen = [row for row in from_table(rows, Problem) if row.id in wanted]
    return chosen[shard :: config.rollout.shards]


def _fit(
    config: Config,
    settings: TrainingConfig,
    rows: pa.Table,
    model: Path,
    folder: Path,
    stage: str,
    hooks: Hooks,
    place: Place = ALONE,
) -> Trained:
    """Train, or take the same training from the ledger."""
    job = TrainingJob(str(model), settings, config.model.dtype, config.seed, place)
    jobs.write_job(folder, job, rows)
    ledger = open_ledger(config.ledger)
    summary = trainings.train_once(
        ledger, job, folder, lambda: launcher.launch_kept(folder, settings, hooks)
    )
    return _trained(model, folder, summary, ledger.work(stage))


def _trained(
    model: Path, folder: Path, summary: Mapping[str, Any], work: Sequence[Work]
) -> Trained:
    checkpoint = Checkpoint(
        base_fingerprint=models.fingerprint(model),
        fingerprint=models.fingerprint(folder / jobs.MODEL),
        steps=summary["steps"],
    )
    curve = tables.read(folder / jobs.CURVE)
    state = folder / jobs.STATE if (folder / jobs.STATE).is_dir() else None
    return Trained(folder / jobs.MODEL, checkpoint, curve, summary, state, work)


def _score(
    config: Config, folder: Path, sequences: Sequence[Response], ledger: Ledger
) -> list[SequenceScore]:
    from rasft import scoring

    tokens = config.training.micro_batch_tokens
    return scoring.score_or_find(str(folder), sequences, config.model.dtype, tokens, ledger)
