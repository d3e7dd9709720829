"""Stored runs made up for tests: three methods on three benchmarks, with known accuracies."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from rasft.config.files import load
from rasft.records import BenchmarkResult
from rasft.results import result_table
from rasft.results.cells import StoredRun
from rasft.results.result_table import ResultTable

CONFIG = load("configs/demo.yaml").model_dump(mode="json")
SIZES = {"math500": 60, "amc23": 40, "humaneval": 30}


def matrix(benchmark: str, checkpoint: str, share: float, seed: int) -> list[BenchmarkResult]:
    """Four samples of each problem; problems share their difficulty over all runs."""
    hard = np.random.default_rng(0).normal(0, 0.1, SIZES[benchmark])
    drawn = np.random.default_rng([seed, int(1000 * share)]).random((SIZES[benchmark], 4))
    return [
        BenchmarkResult(
            benchmark, checkpoint, f"{benchmark}/{i}", tuple(map(bool, right)),
            tuple("correct" if value else "incorrect" for value in right),
            tuple("5" if value else str(100 + k) for k, value in enumerate(right)),
        )
        for i, right in enumerate(drawn < np.clip(share + hard, 0, 1)[:, None])
    ]  # fmt: skip


def manifest(benchmark: str, checkpoint: str, model: str) -> dict:
    return {
        "benchmark": benchmark, "checkpoint": checkpoint, "model_fingerprint": model,
        "data_fingerprint": f"{benchmark} data", "template_fingerprint": "t", "engine": "e",
        "dtype": "bfloat16", "samples": 4, "seed": 0, "verifiers": {"math": "1"},
        "sampling": {"temperature": 1.0, "top_p": 1.0, "max_new_tokens": 96}, "engine_notes": [],
    }  # fmt: skip


def run(method: str, seed: int, share: float, **config: object) -> StoredRun:
    models = {"base": ("base model", 0.2), "trained": (f"{method} {seed}", share)}
    return StoredRun(
        id=f"RasftFlow/{method}{seed}",
        config={**CONFIG, "seed": seed, "training": CONFIG["training"] | {"method": method}}
        | config,
        provenance={"commit": "c" * 40, "data_fingerprint": "d" * 64, "training_problems": 100},
        results=[
            row for name in SIZES for key, (_, s) in models.items()
            for row in matrix(name, key, s, seed + (100 if key == "trained" else 0))
        ],
        manifests=[manifest(name, key, m) for name in SIZES for key, (m, _) in models.items()],
        curve=[],
    )  # fmt: skip


def runs(shares: Mapping[str, float], seeds: int = 3) -> list[StoredRun]:
    return [run(method, seed, share) for method, share in shares.items() for seed in range(seeds)]


def table(found: list[StoredRun], **how: object) -> ResultTable:
    plan = replace(result_table.plan(found), draws=1000, **how)
    return result_table.build(found, plan)
