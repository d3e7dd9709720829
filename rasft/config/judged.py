"""The models of an evaluation without training, each with the whole config it is judged by."""

from __future__ import annotations

from rasft.config.files import build, merge, over_protocol
from rasft.config.settings import Config
from rasft.errors import UserError

MAY_DIFFER = ("model", "prompts", "chat", "evaluation", "rollout")


def rows(config: Config) -> dict[str, Config]:
    """Row -> the config of its model. Raises UserError where there is none, or a wrong one.

    Benchmarks are the same for all: other problems would not compare.
    """
    if not config.models:
        raise UserError(f"config {config.name!r} judges no model: add a section 'models'")
    return {name: row(config, name) for name in config.models}


def row(config: Config, name: str) -> Config:
    """The whole config of one row. Raises UserError with one clear message."""
    over, where = config.models[name], f"models.{name}"
    if strangers := sorted(set(over) - set(MAY_DIFFER)):
        raise UserError(f"{where}: {strangers[0]!r} must be the same for all models; only "
                        f"{', '.join(MAY_DIFFER)} may differ")  # fmt: skip
    if "benchmarks" in over.get("evaluation", {}):
        raise UserError(f"{where}: evaluation.benchmarks must be the same for all models")
    shared = config.model_copy(update={"models": {}}).model_dump(mode="json")
    return build(merge(shared, over_protocol(over, where)), where)
