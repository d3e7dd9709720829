"""What SmolLM2-135M learns of GSM8K: a warm-up, then SFT, DFT and RASFT from the same start.

All train on the same problems in the same order; RASFT also on its own correct samples, which are
drawn once under the warmed-up model. Judged on GSM8K's test problems, greedily and by samples;
differences are paired by problem, with intervals. Everything by the library's stages.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import pyarrow as pa

from bench.gpu.here import stages_here
from bench.gpu.part import NotAvailable, Part, main
from rasft import tables
from rasft.config import files as config_files
from rasft.config.settings import Config
from rasft.data.rows import SourceUnavailable
from rasft.errors import UserError
from rasft.models import sources
from rasft.records import Group
from rasft.results.accuracy import Accuracy, Difference
from rasft.stages import collect, evaluate, prepare, rollout, route, score, train, verify, warmup
from rasft.stages.prepare import Prepared
from rasft.tables import from_table

METHODS = ("sft", "dft", "rasft")
START = "warm-up"
SYSTEM = r"Please reason step by step, and put your final answer within \boxed{}."
FULL: dict[str, Any] = {
    "extends": "demo",
    "name": "gpu-check",
    "model": {"path": "embedded:smollm2-135m", "dtype": "bfloat16"},
    "data": {"datasets": [{"name": "gsm8k", "limit": 2048}], "near_duplicates": None},
    "prompts": {"math": {"system": SYSTEM}},
    "warmup": {"problems": 1024, "epochs": 2, "learning_rate": 1e-4, "batch_size": 16},
    "rollout": {"shards": 1, "samples_per_problem": 4, "max_new_tokens": 192, "max_sequences": 512},
    "training": {"batch_size": 32, "micro_batch_tokens": 16384, "trackers": []},
    "evaluation": {
        "samples_per_problem": 4,
        "max_new_tokens": 192,
        "benchmarks": [{"name": "gsm8k_test", "limit": 256}],
    },
    "ledger": {"enabled": False},
}
TOY: dict[str, Any] = {
    "extends": "tiny",
    "name": "gpu-check-rehearsal",
    "data": {"datasets": [{"name": "generated_sums", "limit": 48}], "near_duplicates": None},
    "warmup": {"problems": 32},
    "rollout": {"samples_per_problem": 2, "max_new_tokens": 6},
    "training": {"batch_size": 8, "epochs": 1, "trackers": []},
    "evaluation": {
        "samples_per_problem": 2,
        "max_new_tokens": 6,
        "benchmarks": [{"name": "heldout_sums", "limit": 8}],
    },
    "verification": {"math": {"workers": 1}},
    "ledger": {"enabled": False},
}


def measure(part: Part) -> None:
    """One seed after the other, as long as another one would end in time."""
    spent = 0.0
    for seed in count(1):
        start = time.monotonic()
        part.attempt(f"seed {seed}", partial(learn, part, config_of(part.rehearse, seed)))
        spent = max(spent, time.monotonic() - start)
        if part.rehearse or part.left < spent:
            return


def config_of(rehearse: bool, seed: int) -> Config:
    """What is learnt."""
    values = {**(TOY if rehearse else FULL), "seed": seed}
    return config_files.build(config_files.resolve(values, "bench.gpu.learning"))


def learn(part: Part, config: Config) -> None:
    """Warm up, draw, train by each method, judge."""
    with tempfile.TemporaryDirectory() as scratch, stages_here():
        try:
            prepared = prepare.prepare(config)
            base = sources.resolve(config.model)
        except SourceUnavailable as reason:
            raise NotAvailable(str(reason)) from None
        round_ = Round(part, config, prepared, Path(scratch))
        checkpoints = round_.train_all(base)
        for samples in (1, config.evaluation.samples_per_problem):
            what = "judging greedily" if samples == 1 else "judging by samples"
            part.attempt(what, partial(round_.judge, checkpoints, samples))


@dataclass(frozen=True)
class Round:
    """One seed's round of training."""

    part: Part
    config: Config
    prepared: Prepared
    folder: Path

    def add(self, what: str, value: float | str, unit: str = "") -> None:
        """A row of this seed."""
        self.part.add(f"seed {self.config.seed}: {what}", value, unit)

    def train_all(self, base: Path) -> dict[str, Path]:
        """The warmed-up model and what each method makes of it."""
        start = time.monotonic()
        warmed = warmup.warm_up(self.config, self.prepared.warmup, base, self.folder / START)
        if warmed is None:
            raise UserError("the config has no warm-up")
        self.add("warm-up", time.monotonic() - start, "s")
        groups, scores = self._groups(warmed.folder)
        checkpoints = {START: warmed.folder}
        for method in METHODS:
            what = f"training by {method}"
            self.part.attempt(
                what, partial(self._train, method, groups, scores, warmed.folder, checkpoints)
            )
        return checkpoints

    def _groups(self, policy: Path) -> tuple[pa.Table, pa.Table]:
        """Groups from the start's own samples, and all scores under it."""
        config, rows = self.config, self.prepared.training
        start = time.monotonic()
        experts, _ = score.score_experts(config, rows, policy, shard=0)
        routes = route.route(config, rows, experts)
        sampled = rollout.roll_out(config, rows, routes, policy, shard=0)
        verdicts, _ = verify.verify(config, rows, sampled.rollouts)
        groups = collect.group(config, routes, sampled.rollouts, verdicts)
        self.add("scoring, sampling and verifying", time.monotonic() - start, "s")
        found = [row.solvability for row in from_table(groups, Group)]
        solved = [value for value in found if value is not None]
        self.add("mean solvability of the start", sum(solved) / max(1, len(solved)))
        mixed = sum(0 < value < 1 for value in solved)
        self.add("problems sometimes solved", mixed / max(1, len(solved)), "of 1")
        return groups, tables.concat([experts, sampled.scores])

    def _train(
        self,
        method: str,
        groups: pa.Table,
        scores: pa.Table,
        start: Path,
        checkpoints: dict[str, Path],
    ) -> None:
        training = self.config.training.model_copy(update={"method": method})
        config = self.config.model_copy(update={"training": training})
        examples = collect.examples(config, self.prepared.training, groups, scores, start)
        begin = time.monotonic()
        trained = train.train(config, examples, start, self.folder / method)
        checkpoints[method] = trained.folder
        self.add(f"training by {method}, {examples.num_rows} rows", time.monotonic() - begin, "s")

    def judge(self, checkpoints: Mapping[str, Path], samples: int) -> None:
        """Accuracies, and each method's difference from the start and from SFT."""
        changes: dict[str, Any] = {"samples_per_problem": samples}
        changes |= {"temperature": 0.0} if samples == 1 else {}
        settings = self.config.evaluation.model_copy(update=changes)
        config = self.config.model_copy(update={"evaluation": settings})
        (name,) = self.prepared.benchmarks
        rows = self.prepared.benchmarks[name]
        results = evaluate.evaluate(config, name, rows, checkpoints).results
        accuracies, differences = evaluate.compare_checkpoints(config, results)
        way = "greedy" if samples == 1 else f"mean of {samples} samples"
        for row in from_table(accuracies, Accuracy):
            self.add(f"{row.checkpoint}, {way}", interval(row), f"of 1, {row.problems} problems")
        for row in from_table(differences, Difference):
            self.add(f"{row.after} less {row.before}, {way}", interval(row), "of 1")


def interval(row: Accuracy | Difference) -> str:
    """A mean with its interval."""
    return f"{row.mean:.3f} [{row.low:.3f}, {row.high:.3f}]"


if __name__ == "__main__":
    main("learning", measure, __doc__)
