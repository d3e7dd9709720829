"""The model card of a trained model: README.md in its folder, written from the run itself.

What a reader of the model must know and a hub can read: method, data, numbers with their
intervals, what preflight found, whose model it was, how to get it again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from huggingface_hub import EvalResult, ModelCard, ModelCardData

from rasft.config.settings import Config
from rasft.results.accuracy import Accuracy

CARD = "README.md"
TRAINED = "trained"  # the checkpoint whose accuracies are the model's


@dataclass(frozen=True)
class CardFacts:
    """What a card is written from. `checks` are preflight's, None where it was not run."""

    config: Config
    origin: str | None  # hub id of the base
    licence: str | None  # of the base
    provenance: Mapping[str, Any]
    summary: Mapping[str, Any]  # of the training
    checks: Sequence[Mapping[str, Any]] | None = None
    accuracies: Sequence[Accuracy] = ()


def write(folder: Path, facts: CardFacts) -> None:
    """Write the card into a model folder, over the one that is there."""
    card(facts).save(folder / CARD)


def card(facts: CardFacts) -> ModelCard:
    """The card: metadata for a hub, then text for a reader."""
    parts = [
        f"# {facts.config.name}",
        _origin(facts),
        "## Method",
        _method(facts),
        "## Data",
        _data(facts),
        "## Results",
        _results(facts),
        "## Checks before training",
        _checks(facts),
        "## How to reproduce",
        _reproduce(facts),
    ]
    return ModelCard(f"---\n{_metadata(facts).to_yaml()}\n---\n\n" + "\n\n".join(parts) + "\n")


def _metadata(facts: CardFacts) -> ModelCardData:
    names = [source.name for source in facts.config.data.datasets]
    return ModelCardData(
        model_name=facts.config.name,
        license=facts.licence,
        base_model=facts.origin,
        library_name="transformers",
        pipeline_tag="text-generation",
        tags=["rasft", facts.config.training.method, *names],
        eval_results=[
            EvalResult(
                task_type="text-generation",
                dataset_type=row.benchmark,
                dataset_name=row.benchmark,
                metric_type="accuracy",
                metric_value=round(row.mean, 4),
                metric_name=f"mean over {row.samples} samples",
            )
            for row in _own(facts)
        ]
        or None,
    )


def _origin(facts: CardFacts) -> str:
    base = facts.origin or facts.config.model.path
    licence = facts.licence or "not known: look it up before you share this model"
    return f"Trained from `{base}` (licence of the base: {licence})."


def _method(facts: CardFacts) -> str:
    settings, summary = facts.config.training, facts.summary
    how = f"adapters of rank {settings.lora.rank}, merged" if settings.lora else "all weights"
    return (
        f"`{settings.method}`, {how}: {summary['steps']} optimizer steps over "
        f"{summary['sequences']} sequences ({summary['tokens']} tokens, "
        f"{summary['response_tokens']} supervised), learning rate {settings.learning_rate:g}, "
        f"compute in {facts.config.model.dtype}, weights in float32. Plain negative "
        f"log-likelihood at the last step: {summary['final_nll']:.3f} nats a token."
    )


def _data(facts: CardFacts) -> str:
    rows = [
        f"- `{source.name}`" + (f", at most {source.limit} rows" if source.limit else "")
        for source in facts.config.data.datasets
    ]
    fingerprint = facts.provenance.get("data_fingerprint", "unknown")
    fingerprinted = f"Fingerprint of the training problems: `{fingerprint}`."
    return "\n".join([*rows, "", *_counts(facts.provenance), fingerprinted])


def _counts(provenance: Mapping[str, Any]) -> list[str]:
    """How many problems and expert responses; nothing for a run that did not count them."""
    if "expert_responses" not in provenance:
        return []
    problems, experts = provenance["training_problems"], provenance["expert_responses"]
    unverified = provenance["unverified_problems"]
    without = f", {unverified} of them without a verifier" if unverified else ""
    return [f"{problems} training problems{without}, with {experts} expert responses.", ""]


def _results(facts: CardFacts) -> str:
    if not (own := _own(facts)):
        return "Not evaluated when this card was written."
    level = f"{100 * facts.config.evaluation.confidence:g} %"
    lines = [
        f"| {row.benchmark} | {row.problems} x {row.samples} | "
        f"{100 * row.mean:.1f} [{100 * row.low:.1f}, {100 * row.high:.1f}] |"
        for row in own
    ]
    head = [f"| benchmark | problems x samples | accuracy, % [{level} interval] |", "|---|---|---|"]
    return "\n".join([*head, *lines])


def _own(facts: CardFacts) -> list[Accuracy]:
    return [row for row in facts.accuracies if row.checkpoint == TRAINED]


def _checks(facts: CardFacts) -> str:
    if facts.checks is None:
        return "Not run (`training.preflight` was off)."
    return "\n".join(
        f"- {'passed' if check['passed'] else 'FAILED'}: {check['name']} ({check['detail']})"
        for check in facts.checks
    )


def _reproduce(facts: CardFacts) -> str:
    commit = facts.provenance.get("commit", "unknown")
    values = facts.config.model_dump(mode="json", exclude_defaults=True)
    versions = ", ".join(f"{k} {v}" for k, v in facts.provenance.get("versions", {}).items())
    return "\n".join(
        [
            f"rasft at commit `{commit}`, seed {facts.config.seed}, with this config:",
            "",
            "```yaml",
            yaml.safe_dump(values, sort_keys=False).rstrip(),
            "```",
            "",
            "    python flows/rasft_flow.py --config cfg config.yaml run",
            "",
            f"Versions: {versions or 'unknown'}.",
        ]
    )
