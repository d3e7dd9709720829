"""The model card says what the run was."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from huggingface_hub import ModelCard

from rasft.config import files as config_files
from rasft.report import model_card
from rasft.report.model_card import CardFacts
from rasft.results.accuracy import Accuracy

SUMMARY = {
    "steps": 12,
    "sequences": 96,
    "tokens": 4000,
    "response_tokens": 3000,
    "final_nll": 0.5,
}


def facts(**changes: Any) -> CardFacts:
    values: dict[str, Any] = {
        "config": config_files.load(config_files.CONFIGS / "demo.yaml"),
        "origin": "owner/base",
        "licence": "apache-2.0",
        "provenance": {"commit": "abc", "data_fingerprint": "f00d", "versions": {"torch": "2.13"}},
        "summary": SUMMARY,
    }
    return CardFacts(**{**values, **changes})


def test_card_holds_what_a_reader_needs(tmp_path: Path) -> None:
    checks = [{"name": "labels", "passed": True, "detail": "8 rows"}]
    model_card.write(tmp_path, facts(checks=checks))
    text = (tmp_path / "README.md").read_text()
    for wanted in ("`rasft`", "12 optimizer steps", "f00d", "owner/base", "passed: labels", "abc"):
        assert wanted in text
    assert "Not evaluated when this card was written." in text
    assert "path: embedded:smollm2-135m" in text  # the config to run again
    metadata = ModelCard.load(tmp_path / "README.md").data
    assert metadata.license == "apache-2.0"
    assert metadata.base_model == "owner/base"


def test_results_come_with_intervals_and_are_the_trained_models(tmp_path: Path) -> None:
    rows = [
        Accuracy("math500", name, 500, 16, 0, mean, mean - 0.02, mean + 0.02)
        for name, mean in (("base", 0.2), ("trained", 0.4))
    ]
    model_card.write(tmp_path, facts(accuracies=rows))
    text = (tmp_path / "README.md").read_text()
    assert "| math500 | 500 x 16 | 40.0 [38.0, 42.0] |" in text
    assert "20.0" not in text
    found = ModelCard.load(tmp_path / "README.md").data.eval_results
    assert [(row.dataset_name, row.metric_value) for row in found] == [("math500", 0.4)]


def test_the_card_counts_problems_and_experts() -> None:
    counts = {"training_problems": 8, "expert_responses": 9, "unverified_problems": 2}
    text = str(model_card.card(facts(provenance=counts)))
    assert "8 training problems, 2 of them without a verifier, with 9 expert responses." in text


def test_unknown_licence_is_said(tmp_path: Path) -> None:
    model_card.write(tmp_path, facts(origin=None, licence=None))
    text = (tmp_path / "README.md").read_text()
    assert "look it up before you share this model" in text
    assert "license:" not in text
