"""All checks of a job, on a few rows spread over the lengths."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rasft.errors import UserError
from rasft.models.language_model import load_model, load_tokenizer
from rasft.training.model.forward import response_logps
from rasft.training.preflight.agreement import engine_agrees, references_agree, reload_agrees
from rasft.training.preflight.checks import Check
from rasft.training.preflight.gradients import cuts_agree
from rasft.training.preflight.labels import labels_are_right, lengths_of
from rasft.training.preflight.ranks import ranks_agree
from rasft.training.preflight.reading import how_rows_are_read
from rasft.training.storage.example_store import ExampleStore
from rasft.training.storage.jobs import EXAMPLES, read_job

ROWS = 8  # that are trained on, in several cuts


def preflight(job_dir: Path, max_tokens: int, engine: Any) -> list[Check]:
    """All checks of a job that `jobs.write_job` laid out, with the engine plugin that samples.

    Raises MachineError where two processes cannot be started.
    """
    job, store = read_job(job_dir), ExampleStore(job_dir / EXAMPLES)
    tokenizer = load_tokenizer(job.model)
    rows = store.take(spread(store, ROWS))
    longest = int(store.lengths.max())
    module = response_logps(load_model(job.model), packed=False, longest=longest)
    cuts, gradient = cuts_agree(job, module, rows)
    return [
        labels_are_right(store, job.served.stop_token_ids),
        lengths_of(store, max_tokens),
        *how_rows_are_read(job, module.model.config.to_dict(), longest),
        *cuts,
        ranks_agree(job, rows, gradient, job_dir),
        references_agree(job, module, rows),
        engine_agrees(job, module, rows, engine),
        reload_agrees(module.model, tokenizer, rows, job_dir),
    ]


def spread(store: ExampleStore, count: int) -> list[int]:
    """Up to `count` rows from the shortest to the longest."""
    by_length = sorted(range(len(store)), key=lambda row: int(store.lengths[row]))
    step = max(1, (len(by_length) - 1) / max(1, count - 1))
    picked = {round(i * step) for i in range(count)}
    return [by_length[place] for place in sorted(picked) if place < len(by_length)]


def raise_if_failed(checks: Sequence[Check]) -> None:
    """Raise UserError that names each check that failed."""
    if failed := [f"{check.name}: {check.detail}" for check in checks if not check.passed]:
        raise UserError(f"preflight failed: {'; '.join(failed)}")
