"""The cells of a comparison, a method under a seed each: the whole config of every one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rasft.config.files import build, merge
from rasft.config.settings import Config
from rasft.errors import UserError

MAY_DIFFER = ("training", "reinforcement", "weighting", "quality", "rounds")
START = ""  # the cell of the models that a seed starts from
ROWS = {"base": "base", "warmed_up": "warm-up"}  # their rows, by checkpoint


@dataclass(frozen=True)
class Sizes:
    """How much a comparison draws on one benchmark."""

    seeds: int
    problems: int | None  # None: all that there are
    samples: int  # a problem


def sizes(config: Config, benchmark: str) -> Sizes:
    """Of a config that compares. Raises UserError for a benchmark that is not in it."""
    named = {each.name: each for each in config.evaluation.benchmarks}
    if benchmark not in named:
        raise UserError(f"the config has no benchmark {benchmark!r}; it has: {', '.join(named)}")
    chosen = named[benchmark]
    return Sizes(
        seeds=len(config.comparison.seeds) if config.comparison else 0,
        problems=chosen.limit,
        samples=chosen.samples or config.evaluation.samples_per_problem,
    )


def seeded(config: Config, seed: int) -> Config:
    """What holds for all cells of a seed."""
    data = config.data.model_copy(update={"score_shards": 1})
    rollout = config.rollout.model_copy(update={"shards": 1})
    shared = {"seed": seed, "data": data, "rollout": rollout, "comparison": None}
    return config.model_copy(update=shared)


def cell(config: Config, method: str, seed: int) -> Config:
    """The whole config of one cell, named after its row. Raises UserError with one clear message.

    Only what belongs to the method may differ: the rest is what makes cells comparable.
    """
    comparison = config.comparison
    over: Mapping[str, Any] = comparison.methods[method] if comparison else {}
    where = f"comparison.methods.{method}"
    if method in ROWS.values() or not method:
        raise UserError(f"{where}: this name is taken by a model that the methods start from")
    if strangers := sorted(set(over) - set(MAY_DIFFER)):
        raise UserError(f"{where}: {strangers[0]!r} must be the same for all methods; only "
                        f"{', '.join(MAY_DIFFER)} may differ")  # fmt: skip
    named = merge({"name": method, "training": {"method": method}}, over)
    return build(merge(seeded(config, seed).model_dump(mode="json"), named), where)
