"""Every family of models: scoring, packing, sampling and training give what the model means.

The models are tiny and random; what differs between families (rotary positions, windows, capped
scores, sinks, states, experts, dropout) is theirs. Rows are longer than windows and chunks.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
import torch
from torch import Tensor, nn
from transformers import GenerationConfig

from rasft.config.settings import LoraSettings
from rasft.decoding.continuous_batching import TransformersEngine
from rasft.decoding.engine import EngineOptions, Request, Sampling
from rasft.errors import UserError
from rasft.models.language_model import load_model, traits_of_model
from rasft.models.traits import Traits, context_tokens
from rasft.records import TrainingExample
from rasft.training.model.batching import collate
from rasft.training.model.forward import attend, response_logps
from rasft.training.scoring import score
from tests.families import FAMILIES, VOCABULARY, build
from tests.training_jobs import open_trainer

SIZES = ((40, 25), (22, 5), (13, 9))  # tokens of a row, and of its prompt
NATS = 1e-4


class Family(NamedTuple):
    name: str
    folder: Path
    traits: Traits
    rows: list[TrainingExample]

    @property
    def packed(self) -> bool:
        return self.traits.packs


@pytest.fixture(scope="module", params=FAMILIES)
def family(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Family:
    folder = build(request.param, tmp_path_factory.mktemp("family") / "model")
    traits = traits_of_model(load_model(folder))
    return Family(request.param, folder, traits, list(scored(folder, traits.packs)))


def scored(folder: Path, packed: bool) -> Iterator[TrainingExample]:
    """Random rows with their log-probs under the model, as the step `score` makes them."""
    random = torch.Generator().manual_seed(1)
    drawn = [torch.randint(3, VOCABULARY, (size,), generator=random).tolist() for size, _ in SIZES]
    sequences = [
        (f"p{i}", -1, tuple(ids[:prompt]), tuple(ids[prompt:]))
        for i, (ids, (_, prompt)) in enumerate(zip(drawn, SIZES, strict=True))
    ]
    for each, (name, index, prompt, response) in zip(
        score(str(folder), sequences, "float32", 64, packed), sequences, strict=True
    ):
        logps = each.reference_logps
        yield TrainingExample(name, index, prompt + response, len(prompt), 1.0, logps)


def attend_eagerly(model: torch.nn.Module) -> None:
    """The plainest attention of a model that can be told which to take."""
    if model._supports_attention_backend:
        model.set_attn_implementation("eager")


def own_logps(model: torch.nn.Module, row: TrainingExample) -> Tensor:
    ids = torch.tensor([row.input_ids])
    with torch.no_grad():
        logits = model(input_ids=ids, use_cache=False).logits[0, row.prompt_tokens - 1 : -1]
    return logits.float().log_softmax(-1).gather(1, ids[0, row.prompt_tokens :, None])[:, 0]


def test_scores_are_those_of_a_plain_forward_pass(family: Family) -> None:
    model = load_model(family.folder)
    attend_eagerly(model)
    for row in family.rows:
        torch.testing.assert_close(
            torch.tensor(row.reference_logps), own_logps(model, row), atol=NATS, rtol=0
        )


def test_packed_and_padded_rows_give_the_same_gradient(family: Family) -> None:
    model = load_model(family.folder)
    if not family.packed:
        with pytest.raises(UserError, match=r"set training\.packing to false"):
            response_logps(model, packed=True)
        return
    module = response_logps(model, packed=True, longest=max(size for size, _ in SIZES))
    gradients = []
    for packed in (True, False):
        attend(model, packed)
        module.zero_grad()
        module(collate(family.rows, packed)).sum().backward()
        grads = [p.grad.flatten() for p in module.parameters() if p.grad is not None]
        gradients.append(torch.cat(grads).clone())
    assert (gradients[0] - gradients[1]).norm() < 1e-4 * gradients[1].norm()


def test_greedy_samples_are_those_of_generate(family: Family) -> None:
    model = load_model(family.folder)
    attend_eagerly(model)
    prompts = [row.input_ids[: row.prompt_tokens] for row in family.rows]
    options = EngineOptions("float32", 40, max_sequences=2, stop_token_ids=(2,))
    with TransformersEngine(str(family.folder), options) as engine:
        requests = [Request(prompt, seed) for seed, prompt in enumerate(prompts)]
        drawn = dict(engine.generate(requests, Sampling(0.0, 1.0, 10)))
    for place, prompt in enumerate(prompts):
        ids = torch.tensor([prompt])
        written = model.generate(
            ids, attention_mask=torch.ones_like(ids), max_new_tokens=10, do_sample=False,
            eos_token_id=2, pad_token_id=0,
        )  # fmt: skip
        assert drawn[place].token_ids == tuple(written[0, len(prompt) :].tolist())


def test_a_training_starts_at_the_reference_moves_and_reloads(
    family: Family, tmp_path: Path
) -> None:
    changes = {"packing": family.packed, "batch_size": 3, "epochs": 2.0, "warmup_steps": 0}
    trainer = open_trainer(tmp_path / "job", family.folder, family.rows, **changes)
    batch = collate(family.rows, family.packed)
    with torch.no_grad():
        apart = (trainer.module(batch) - batch.reference_logp_BT)[batch.mask_BT].abs().max()
    assert apart < NATS
    before = [weight.clone() for weight in trainer.model.parameters()]
    losses = [trainer.step(index).loss for index in range(2)]
    assert all(torch.isfinite(torch.tensor(losses)))
    assert any(
        not torch.equal(*pair) for pair in zip(before, trainer.model.parameters(), strict=True)
    )
    trainer.model.save_pretrained(tmp_path / "trained")
    again = load_model(tmp_path / "trained").state_dict()
    for name, weight in trainer.model.state_dict().items():
        assert torch.equal(weight, again[name]), name


def test_dropout_is_the_models_own_where_it_is_asked_for(tmp_path: Path) -> None:
    folder = build("GPT-2", tmp_path / "model")
    rows = list(scored(folder, packed=True))
    batch = collate(rows)
    apart = {}
    for dropout in (False, True):
        trainer = open_trainer(tmp_path / str(dropout), folder, rows, dropout=dropout)
        with torch.no_grad():
            difference = (trainer.module(batch) - batch.reference_logp_BT)[batch.mask_BT].abs()
        apart[dropout] = float(difference.max())
    assert apart[False] < NATS
    assert apart[True] > 100 * NATS


def test_only_the_run_says_how_to_sample(tmp_path: Path) -> None:
    """A penalty or an EOS in the model's generation config is no setting of the run."""
    folder = build("Qwen3.5", tmp_path / "model")
    prompt = tuple(range(3, 20))

    def drawn() -> tuple[int, ...]:
        with TransformersEngine(str(folder), EngineOptions("float32", 40)) as engine:
            ((_, written),) = engine.generate([Request(prompt, 0)], Sampling(0.0, 1.0, 12))
            return written.token_ids

    before = drawn()
    settings = GenerationConfig(repetition_penalty=3.0, eos_token_id=before[2])
    settings.save_pretrained(folder)
    assert drawn() == before
    assert len(before) == 12


@pytest.mark.parametrize("gradient_checkpointing", [False, True])
def test_noise_is_off_where_layers_are_recomputed_too(
    gradient_checkpointing: bool, tmp_path: Path
) -> None:
    folder = build("GPT-2", tmp_path / "model")
    rows = list(scored(folder, packed=True))
    changes = {"gradient_checkpointing": gradient_checkpointing}
    trainer = open_trainer(tmp_path / "job", folder, rows, **changes)
    batch = collate(rows)
    apart = (trainer.module(batch) - batch.reference_logp_BT)[batch.mask_BT].abs().max()
    assert apart < NATS


def test_adapters_keep_their_own_dropout(tmp_path: Path) -> None:
    folder = build("Qwen3", tmp_path / "model")
    lora = LoraSettings(rank=2, dropout=0.3)
    trainer = open_trainer(tmp_path / "job", folder, list(scored(folder, True)), lora=lora)
    dropping = [m for m in trainer.model.modules() if isinstance(m, nn.Dropout) and m.training]
    assert dropping
    assert all(module.p == 0.3 for module in dropping)


def test_positions_that_hold_to_a_length_are_the_models_context(tmp_path: Path) -> None:
    """Beyond it the longest neighbour in a batch would decide a row's factors."""
    assert context_tokens(build("Phi-3", tmp_path / "longrope")) == 48
    assert context_tokens(build("Llama 3.2", tmp_path / "plain")) == 128
