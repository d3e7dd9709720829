"""Scorer, engine, disk and trainer see the same model: the same log-probs for the same tokens."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from rasft.decoding.engine import EngineOptions, Request, Sampling
from rasft.models.language_model import attend_plainly, load_model, save_checked
from rasft.records import TrainingExample
from rasft.training.model.batching import collate
from rasft.training.model.forward import ResponseLogps, attend
from rasft.training.preflight.checks import Check
from rasft.training.storage.jobs import TrainingJob

# Nats. The reference is a mean over tokens; a greedy token may fall behind the trainer's best by
# what rounding of the compute dtype moves a log-prob.
REFERENCE_TOLERANCE = {"float32": 1e-3, "bfloat16": 0.1, "float16": 0.05}
GREEDY_TOLERANCE = {"float32": 1e-2, "bfloat16": 0.3, "float16": 0.1}
NEW_TOKENS = 24  # that the engine writes for each prompt
PROMPTS = 4


def references_agree(
    job: TrainingJob, module: ResponseLogps, rows: Sequence[TrainingExample]
) -> Check:
    """The stored reference log-probs are those of the starting model."""
    name = "stored reference log-probs are the starting model's"
    scored = [row for row in rows if row.reference_logps]
    if not scored:
        return Check(name, True, "none stored; the method needs none", {"rows": 0})
    batch = collate(scored, job.training.packing)
    attend(module.model, job.training.packing)
    with torch.no_grad():
        difference = (module(batch) - batch.reference_logp_BT)[batch.mask_BT].abs()
    limit, mean = REFERENCE_TOLERANCE[job.dtype], difference.mean().item()
    detail = f"mean difference {mean:.1e} nats, at most {limit}; largest {difference.max():.1e}"
    numbers = {"rows": len(scored), "mean": mean, "largest": difference.max().item()}
    return Check(name, mean <= limit, detail, numbers)


def engine_agrees(
    job: TrainingJob,
    module: ResponseLogps,
    rows: Sequence[TrainingExample],
    engine: Any,
) -> Check:
    """What the engine plugin writes greedily is what the trainer finds most likely.

    Each token's log-prob under the trainer is compared with that of the trainer's own best token:
    another template, position, weight or precision in the engine shows as a gap.
    """
    written = _written(job, rows[:PROMPTS], engine)
    attend_plainly(module.model)
    gaps = torch.cat([_gaps(module.model, row) for row in written])
    limit, largest = GREEDY_TOLERANCE[job.dtype], gaps.max().item()
    return Check(
        f"the {engine.NAME} engine's greedy tokens are the trainer's most likely",
        largest <= limit,
        f"{len(gaps)} tokens, mean gap {gaps.mean():.1e} nats, largest {largest:.1e}, "
        f"at most {limit}",
        {"tokens": len(gaps), "mean": gaps.mean().item(), "largest": largest},
    )


def reload_agrees(
    model: Any, tokenizer: Any, rows: Sequence[TrainingExample], scratch: Path
) -> Check:
    """The model saved as it will be at the end, loaded again, gives the same logits."""
    ids = torch.tensor([rows[0].input_ids])
    attend_plainly(model)
    with tempfile.TemporaryDirectory(dir=scratch) as folder, torch.no_grad():
        save_checked(model, model.state_dict(), tokenizer, Path(folder) / "model")
        again = load_model(Path(folder) / "model")
        difference = (model(ids).logits - again(ids).logits).abs().max().item()
    detail = f"largest difference of the logits {difference:.1e}, at most 0"
    return Check("saved and loaded again, same logits", difference == 0, detail)


def _written(
    job: TrainingJob, rows: Sequence[TrainingExample], engine: Any
) -> list[tuple[tuple[int, ...], tuple[int, ...]]]:
    """(prompt ids, greedy response ids) of each row's prompt."""
    prompts = [row.input_ids[: row.prompt_tokens] for row in rows]
    options = EngineOptions(
        dtype=job.dtype,
        max_model_len=max(len(prompt) for prompt in prompts) + NEW_TOKENS,
        stop_token_ids=job.served.stop_token_ids,
    )
    greedy = Sampling(temperature=0.0, top_p=1.0, max_new_tokens=NEW_TOKENS)
    requests = [Request(prompt, seed=0) for prompt in prompts]
    with engine.open_engine(job.model, options) as opened:
        done = dict(opened.generate(requests, greedy))
    return [(prompt, done[place].token_ids) for place, prompt in enumerate(prompts)]


@torch.no_grad()
def _gaps(model: Any, written: tuple[tuple[int, ...], tuple[int, ...]]) -> torch.Tensor:
    """Of each response token: how far its log-prob is below the best one's, nats."""
    prompt, response = written
    ids = torch.tensor([[*prompt, *response]])
    logits = model(input_ids=ids, use_cache=False).logits[0, len(prompt) - 1 : -1].float()
    chosen = logits.gather(1, ids[0, len(prompt) :, None])[:, 0]
    gaps: torch.Tensor = logits.max(dim=1).values - chosen
    return gaps
