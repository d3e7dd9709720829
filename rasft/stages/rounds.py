"""Rounds: N runs, each from the checkpoint of the one before, as one long training.

Rollouts are on-policy for the policy that made them, so a run samples once and trains once; a
chain of runs refreshes them. The reference stays the first round's starting model. What a round
takes over, beside the weights, is the optimizer's state and the posteriors of solvability.

Each round shuffles, samples and routes with a seed of its own; problems, splits and benchmarks
follow from the config's seed in every round alike. The router's window stands at the share of the
rounds that are done, and the learning rate follows one schedule over all of them, which is exact
where every round has as many steps: set `training.max_steps`.

The authors' schedule (arXiv 2606.07006: refresh every 32 optimizer steps, quantile router, probe
pool) is `router: {kind: quantile_window}`, `training: {max_steps: 32}` and as many rounds as the
training has steps, divided by 32: configs/math_rounds.yaml. One difference stays: a round shuffles
all problems anew instead of going on in one epoch's order.
"""

from __future__ import annotations

import hashlib

import pyarrow as pa

from rasft.config.settings import Config
from rasft.method import posterior
from rasft.method.posterior import Posterior
from rasft.records import Group
from rasft.tables import from_table, to_table


def of_round(config: Config, number: int) -> Config:
    """The config of round `number`, counted from 0, for routing, sampling and training."""
    if config.rounds == 1:
        return config
    router = config.router.model_copy(update={"progress": number / config.rounds})
    return config.model_copy(update={"seed": seed_of(config.seed, number), "router": router})


def seed_of(seed: int, number: int) -> int:
    """The seed of one round, in [0, 2**31): the first round's is the run's own.

    >>> seed_of(7, 0), seed_of(7, 1)
    (7, 603973904)
    """
    if number == 0:
        return seed
    digest = hashlib.blake2b(f"{seed}:{number}".encode(), digest_size=4).digest()
    return int.from_bytes(digest, "big") >> 1


def first_beliefs() -> pa.Table:
    """The posteriors before any round: none."""
    return to_table([], Posterior)


def update_beliefs(config: Config, groups: pa.Table, beliefs: pa.Table) -> pa.Table:
    """The posteriors after this round, which the next one starts from: Posterior rows."""
    found = from_table(groups, Group)
    before = posterior.priors(
        (row.problem_id for row in found),
        from_table(beliefs, Posterior),
        config.rollout.posterior,
    )
    return to_table(posterior.posteriors(found, before), Posterior)
