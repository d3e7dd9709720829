"""One cell of a comparison: its training by its method, from what the cells of its seed share.

Methods that train on the same rows see them in the same order. A cell of several rounds trains on
the shared rollouts first, then in each round on those of the model that the last one left.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from rasft import tables
from rasft.config.settings import Config
from rasft.stages import collect, reinforce, rounds, shared, train, training_method
from rasft.stages.rollout import EarlierRounds
from rasft.stages.shared import Shared
from rasft.stages.train import Trained
from rasft.stages.training_method import trains_on
from rasft.training.launch.launcher import STANDALONE, LaunchContext
from rasft.training.storage.jobs import ONLY_ROUND, RoundPosition

SUMMED = ("steps", "sequences", "tokens", "response_tokens", "step_seconds", "seconds")


def train_cell(
    config: Config,
    given: Shared,
    policy: Path,
    folder: Path,
    context: LaunchContext = STANDALONE,
) -> Trained:
    """Train one cell by its method."""
    kind = trains_on(config.training.method)
    if kind == training_method.REWARDS:
        return reinforce.reinforce(config, given.problems, policy, folder, context)
    if config.rounds > 1:
        return _train_rounds(config, given, policy, folder, context)
    if kind == "expert" or given.rollouts is None:
        groups = collect.expert_groups(config, given.problems)
    else:
        groups = _groups(config, given)
    return _train(config, given, groups, policy, folder, context)


def _train_rounds(
    config: Config, given: Shared, start: Path, folder: Path, context: LaunchContext
) -> Trained:
    """Rounds as `stages.rounds` has them; the start stays the reference."""
    done: list[Trained] = []
    beliefs, policy, drawn = rounds.first_beliefs(), start, given
    for number in range(config.rounds):
        print(f"round {number + 1} of {config.rounds}", flush=True)
        here = rounds.of_round(config, number)
        if number:
            drawn = shared.refresh(here, given, policy, EarlierRounds(beliefs, start))
        groups = _groups(config, drawn)
        beliefs = rounds.update_beliefs(config, groups, beliefs)
        position = _position(config, number, start, done)
        own = folder / f"round_{number}"
        own.mkdir()
        done.append(_train(here, drawn, groups, policy, own, context, position))
        policy = done[-1].folder
    return _joined(done)


def _position(config: Config, number: int, start: Path, done: Sequence[Trained]) -> RoundPosition:
    state = done[-1].state if done else None
    return RoundPosition(number, config.rounds, str(state) if state else None, str(start))


def _groups(config: Config, given: Shared) -> pa.Table:
    return collect.group(config, given.routes, given.rollouts, given.verdicts)


def _train(
    config: Config,
    given: Shared,
    groups: pa.Table,
    policy: Path,
    folder: Path,
    context: LaunchContext,
    position: RoundPosition = ONLY_ROUND,
) -> Trained:
    known = [given.expert_scores, given.rollout_scores]
    scores = tables.concat([table for table in known if table is not None])
    rows = collect.examples(config, given.problems, groups, scores, policy)
    return train.train(config, rows, policy, folder, context, position)


def _joined(done: Sequence[Trained]) -> Trained:
    """The last round's model, with the steps of all rounds one after the other."""
    first, last = done[0], done[-1]
    summed = {name: sum(each.summary[name] for each in done) for name in SUMMED}
    origin = first.checkpoint.base_fingerprint
    return replace(
        last,
        checkpoint=replace(last.checkpoint, base_fingerprint=origin, steps=summed["steps"]),
        curve=_counted_on([each.curve for each in done]),
        consumed=None,
        summary={**last.summary, **summed},
        work=[row for each in done for row in each.work],
    )


def _counted_on(curves: Sequence[pa.Table]) -> pa.Table:
    """One curve, whose steps go on where the last round's ended."""
    joined, before = [], 0
    for curve in curves:
        place = curve.column_names.index("step")
        joined.append(curve.set_column(place, "step", pc.add(curve["step"], before)))
        before += curve.num_rows
    return tables.concat(joined)
