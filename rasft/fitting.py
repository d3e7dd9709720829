"""The stages that train: examples, problems or rewards in, a model's folder out.

Like those of `pipeline`, a flow's step calls one of these, and nothing here knows of the
orchestrator.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from rasft import models, plugins, tables
from rasft.config import REINFORCEMENT, Config, TrainingConfig
from rasft.errors import UserError
from rasft.ledger import open_ledger, trainings
from rasft.prompts import Renderer, open_renderer
from rasft.records import EXPERT, Checkpoint, Problem, TrainingExample, Work
from rasft.tables import from_table, to_table
from rasft.training import jobs, launcher
from rasft.training.command_line import launcher_file, world_size
from rasft.training.jobs import ALONE, Place, Served, TrainingJob
from rasft.training.launcher import PLAIN, Host

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


def check_launch(training: TrainingConfig, several: bool) -> None:
    """Raise UserError unless the training can be launched by a flow for one machine, or several."""
    launcher_file(training)
    if several != (training.nodes > 1):
        raise UserError(
            f"training.nodes is {training.nodes}, and this flow trains on "
            f"{'several machines' if several else 'one'}; flows/rasft_nodes_flow.py and "
            "flows/sft_nodes_flow.py are for several"
        )


def trains_on(method: str) -> str:
    """What a method trains on: the EXAMPLES of its loss plugin, or "rewards"."""
    if method in REINFORCEMENT:
        return REWARDS
    return str(plugins.load("losses", method).EXAMPLES)


def warm_up(
    config: Config, problems: pa.Table, base: Path, folder: Path, host: Host = PLAIN
) -> Trained | None:
    """The expert stage before the round: plain supervised training on problems of its own."""
    if config.warmup is None:
        return None
    renderer = open_renderer(base, config.prompts, config.chat)
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
            "nodes": 1,
            **config.warmup.model_dump(exclude={"problems"}),
        }
    )
    rows_of = to_table(examples, TrainingExample)
    return _fit(config, settings, rows_of, base, folder, "warmup", host)


def checked(
    config: Config, rows: pa.Table, policy: Path, folder: Path
) -> list[dict[str, Any]] | None:
    """What `preflight` found; None where the config does not ask for it."""
    return preflight(config, rows, policy, folder) if config.training.preflight else None


def preflight(config: Config, rows: pa.Table, policy: Path, folder: Path) -> list[dict[str, Any]]:
    """Check rows, gradients, engine and model before a training: a row of plain values a check.

    Raises UserError that names what failed.
    """
    from rasft.decoding import engine_choice
    from rasft.training import preflight as checking
    from rasft.training.preflight.rendering import rendering

    renderer = open_renderer(policy, config.prompts, config.chat)
    dtype, served = config.model.dtype, _served(renderer)
    job = TrainingJob(str(policy), config.training, dtype, config.seed, served=served)
    jobs.write_job(folder, job, rows)
    engine, _ = engine_choice.choose(config.rollout.engine)
    checks = [*rendering(renderer), *checking.preflight(folder, config.data.max_tokens, engine)]
    for check in checks:
        print(check.line(), flush=True)
    checking.raise_if_failed(checks)
    return [vars(check) for check in checks]


def train(
    config: Config,
    rows: pa.Table,
    policy: Path,
    folder: Path,
    host: Host = PLAIN,
    place: Place = ALONE,
) -> Trained:
    """Train the policy on weighted examples in a process group of its own, or of several nodes."""
    return _fit(config, config.training, rows, policy, folder, "train", host, place)


def assist(
    config: Config, rows: pa.Table, policy: Path, folder: Path, host: Host, place: Place = ALONE
) -> None:
    """Take part in the same training as a node that is not the first, which keeps the result."""
    jobs.write_job(folder, _job(config, config.training, policy, host, place), rows)
    launcher.launch_kept(folder, config.training, host)


def reinforce(config: Config, rows: pa.Table, policy: Path, folder: Path) -> Trained:
    """Train the policy on the rewards of its own responses to these problems."""
    from rasft.training import reinforcement_jobs

    job = reinforcement_jobs.ReinforcementJob(str(policy), config)
    job.shape(rows.num_rows, world_size(config.training))
    reinforcement_jobs.write_job(folder, job, rows)
    summary = launcher.launch(folder, config.training, module="rasft.training.reinforcement")
    return _trained(policy, folder, summary, work=())


def work_of(trained: Trained | None) -> pa.Table:
    """Whether a training was found or made: Work rows."""
    return to_table(trained.work if trained else (), Work)


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


def _fit(
    config: Config,
    settings: TrainingConfig,
    rows: pa.Table,
    model: Path,
    folder: Path,
    stage: str,
    host: Host,
    place: Place = ALONE,
) -> Trained:
    """Train, or take the same training from the ledger.

    Several nodes do not ask the ledger: they might not find the same in it.
    """
    job = _job(config, settings, model, host, place)
    jobs.write_job(folder, job, rows)
    ledger = open_ledger(config.ledger)

    def launch() -> Mapping[str, Any]:
        return launcher.launch_kept(folder, settings, host)

    alone = settings.nodes == 1
    summary = trainings.train_once(ledger, job, folder, launch) if alone else launch()
    return _trained(model, folder, summary, ledger.work(stage))


def _job(
    config: Config, settings: TrainingConfig, model: Path, host: Host, place: Place
) -> TrainingJob:
    if settings.nodes != host.node.count:
        raise UserError(f"training.nodes is {settings.nodes}, and here are {host.node.count}")
    served = _served(open_renderer(model, config.prompts, config.chat))
    return TrainingJob(str(model), settings, config.model.dtype, config.seed, place, served)


def _served(renderer: Renderer) -> Served:
    return Served(renderer.stop_token_ids, renderer.template.added)


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
