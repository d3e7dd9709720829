"""`rasft eval`: a run of flows/eval_flow.py in one line."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from rasft import paths
from rasft.config import files as config_files
from rasft.config import judged
from rasft.config.settings import Config
from rasft.decoding.chat_server import is_address
from rasft.errors import UserError
from rasft.stages import judge

FLOW = paths.PACKAGE.parent / "flows" / "eval_flow.py"


@dataclass(frozen=True)
class Wanted:
    """What the command line says; None and nothing leave what the config says."""

    models: Sequence[str]
    benchmarks: Sequence[str] = ()
    limit: int | None = None
    samples: int | None = None
    max_new_tokens: int | None = None
    protocol: str | None = None


def configure(base: Config, wanted: Wanted) -> Config:
    """The config of the run. Raises UserError with one clear message, also for a model that is not
    there: the flow would say it amid its log.
    """
    evaluation = {
        "protocol": wanted.protocol,
        "samples_per_problem": wanted.samples,
        "max_new_tokens": wanted.max_new_tokens,
    }
    said = {name: value for name, value in evaluation.items() if value is not None}
    values = config_files.merge(
        base.model_dump(mode="json"), config_files.over_protocol({"evaluation": said}, "rasft eval")
    )
    values["evaluation"]["benchmarks"] = list(_benchmarks(base, wanted))
    values["models"] = dict(zip(_rows(wanted.models), _models(wanted.models), strict=True))
    config = config_files.build(values, "rasft eval")
    for row in judged.rows(config).values():
        judge.check(row.model)
    return config


def run(config: Config, tags: Sequence[str]) -> str:
    """Run the flow, whose log goes to stderr; returns the run's name. Raises UserError."""
    if not FLOW.is_file():
        raise UserError(
            f"there is no {FLOW}: run this from a checkout, whose flows a wheel has not"
        )
    with tempfile.TemporaryDirectory(prefix="rasft-eval-") as folder:
        place = Path(folder) / "run"
        words = ["--config-value", "cfg", config.model_dump_json(), "run"]
        words += ["--run-id-file", str(place), *(f"--tag={tag}" for tag in tags)]
        done = subprocess.run([sys.executable, str(FLOW), *words], stdout=sys.stderr)
        if done.returncode:
            raise UserError("the evaluation failed: the reason stands above")
        return f"EvalFlow/{place.read_text().strip()}"


def _benchmarks(base: Config, wanted: Wanted) -> Iterator[dict[str, Any]]:
    """Those named, else the config's; the limit holds for each."""
    known = {each.name: each.model_dump(mode="json") for each in base.evaluation.benchmarks}
    for name in wanted.benchmarks or known:
        own = known.get(name, {"name": name})
        yield {**own, "limit": wanted.limit or own.get("limit")}


def _models(paths: Sequence[str]) -> list[Mapping[str, Any]]:
    return [{"model": {"path": path}} for path in paths]


def _rows(paths: Sequence[str]) -> list[str]:
    """A name for each model: short, and no two alike."""
    short = [_short(path) for path in paths]
    return [
        path if short.count(name) > 1 else name for path, name in zip(paths, short, strict=True)
    ]


def _short(path: str) -> str:
    """A row's name of a model.

    >>> _short("Qwen/Qwen3-8B"), _short("RasftFlow/12"), _short("https://host/v1#big")
    ('Qwen3-8B', 'RasftFlow/12', 'big')
    """
    if is_address(path):
        return path.partition("#")[2] or urlsplit(path).netloc
    if path.startswith("champion:") or path.partition("/")[0].endswith("Flow"):
        return path
    return path.rstrip("/").rpartition("/")[2].removeprefix("embedded:")
