"""The dataset card of exported samples: README.md in their folder, written from the run itself."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
from huggingface_hub import DatasetCard, DatasetCardData

from rasft.config.settings import Config

CARD = "README.md"
SAMPLES = "samples"  # the table that a reader gets who names none


@dataclass(frozen=True)
class SampleFacts:
    """What a card of samples is written from; the tables by the names of their Parquet files."""

    run: str
    config: Config
    provenance: Mapping[str, Any]
    sampler: str  # the engine and its version
    tables: Mapping[str, pa.Table]


def card(facts: SampleFacts) -> DatasetCard:
    """The card: which file is which table for a hub, then text for a reader."""
    parts = [
        f"# Samples of {facts.config.name}",
        f"Responses sampled by `{facts.run}`, with what a verifier says of each and the weight "
        "that its training sequence got.",
        "## Contents",
        _contents(facts.tables),
        "## Verdicts",
        _verdicts(facts.tables[SAMPLES]),
        "## How they were made",
        _origin(facts),
        "## Licence",
        "The prompts, expert responses, answers and tests are the texts of others: the licence of "
        f"each dataset holds for them ({_datasets(facts.config)}), and the licence of the model "
        "for what it wrote. Look them up before you share this folder.",
        *(_columns(name, table) for name, table in facts.tables.items()),
    ]
    return DatasetCard(f"---\n{_metadata(facts).to_yaml()}\n---\n\n" + "\n\n".join(parts) + "\n")


def _metadata(facts: SampleFacts) -> DatasetCardData:
    files = [
        {"config_name": name, "data_files": f"{name}.parquet", "default": name == SAMPLES}
        for name in facts.tables
    ]
    return DatasetCardData(
        pretty_name=f"Samples of {facts.config.name}",
        license="other",
        task_categories=["text-generation"],
        tags=sorted({"rasft", "rollouts", facts.config.training.method}),
        configs=files,
    )


def _contents(tables: Mapping[str, pa.Table]) -> str:
    lines = [f"| `{name}` | {table.num_rows} |" for name, table in tables.items()]
    return "\n".join(["| configuration | rows |", "|---|---|", *lines])


def _verdicts(samples: pa.Table) -> str:
    counts = Counter(status or "not judged" for status in samples["status"].to_pylist())
    lines = [f"| {status} | {count} |" for status, count in counts.most_common()]
    return "\n".join(["| verdict | samples |", "|---|---|", *lines])


def _origin(facts: SampleFacts) -> str:
    settings, known = facts.config.rollout, facts.provenance
    rows = {
        "model": f"`{facts.config.model.path}`, after the warm-up where there is one",
        "fingerprint of the model": f"`{known.get('model_fingerprint', 'unknown')}`",
        "method": f"`{facts.config.training.method}`",
        "sampling": f"temperature {settings.temperature:g}, top-p {settings.top_p:g}, "
        f"repetition penalty {settings.repetition_penalty:g}, "
        f"at most {settings.max_new_tokens} new tokens",
        "engine": facts.sampler,
        "datasets": _datasets(facts.config),
        "fingerprint of the problems": f"`{known.get('data_fingerprint', 'unknown')}`",
        "seed": facts.config.seed,
        "rasft": f"commit `{known.get('commit', 'unknown')}`",
    }
    return "\n".join(f"- {name}: {value}" for name, value in rows.items())


def _datasets(config: Config) -> str:
    return ", ".join(f"`{source.name}`" for source in config.data.datasets) or "none is named"


def _columns(name: str, table: pa.Table) -> str:
    lines = [f"| `{field.name}` | {field.type} |" for field in table.schema]
    return "\n".join([f"## Columns of {name}", "", "| column | type |", "|---|---|", *lines])
