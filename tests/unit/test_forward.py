"""The response-only, chunked, packed forward pass equals the model's own logits."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from rasft.errors import UserError
from rasft.models.language_model import load_model
from rasft.records import TrainingExample
from rasft.training.model.batching import collate
from rasft.training.model.forward import CHUNK, ResponseLogps, response_logps
from rasft.training.scoring import score
from tests import tiny_model


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_model.build(tmp_path_factory.mktemp("model") / "tiny")


@pytest.fixture(scope="module")
def examples() -> list[TrainingExample]:
    random = torch.Generator().manual_seed(1)
    sizes = [(40, 11), (25, 3), (90, 30), (12, 11)]
    return [
        TrainingExample(
            f"p{i}",
            -1,
            tuple(torch.randint(3, 250, (size,), generator=random).tolist()),
            prompt,
            1.0 + i,
            (),
        )
        for i, (size, prompt) in enumerate(sizes)
    ]


def full_logits_logps(model: torch.nn.Module, examples: list[TrainingExample]) -> torch.Tensor:
    """log-probs of all response tokens from the model's own logits, one sequence at a time."""
    parts = []
    for row in examples:
        ids = torch.tensor([row.input_ids])
        logps = model(input_ids=ids).logits[0, :-1].log_softmax(-1)
        taken = logps.gather(1, ids[0, 1:, None])[:, 0]
        parts.append(taken[row.prompt_tokens - 1 :])
    return torch.cat(parts)


def gradients(model: torch.nn.Module, logps: torch.Tensor) -> list[torch.Tensor]:
    model.zero_grad()
    (logps * torch.linspace(0.1, 1.0, len(logps))).sum().backward()
    return [p.grad.clone() for p in model.parameters() if p.grad is not None]


def test_head_may_be_any_module(folder: Path, examples: list[TrainingExample]) -> None:
    model = load_model(folder)
    expected = full_logits_logps(model, examples)
    model.set_output_embeddings(torch.nn.Sequential(model.get_output_embeddings()))
    batch = collate(examples)
    found = response_logps(model, packed=True)(batch)[batch.mask_BT]
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize("chunk", [7, 512])
def test_equals_the_models_own_logits(
    folder: Path,
    examples: list[TrainingExample],
    packed: bool,
    chunk: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(CHUNK, "cpu", chunk)
    own = load_model(folder)
    expected = full_logits_logps(own, examples)
    module = response_logps(load_model(folder), packed)
    batch = collate(examples, packed)
    logp_BT = module(batch)
    assert (logp_BT[~batch.mask_BT] == 0).all()
    torch.testing.assert_close(logp_BT[batch.mask_BT], expected, rtol=0, atol=1e-6)
    for mine, theirs in zip(
        gradients(module.model, logp_BT[batch.mask_BT]), gradients(own, expected), strict=True
    ):
        torch.testing.assert_close(mine, theirs, rtol=1e-5, atol=1e-5)


def test_packed_sequences_do_not_see_each_other(
    folder: Path, examples: list[TrainingExample]
) -> None:
    module = response_logps(load_model(folder), packed=True)
    with torch.no_grad():
        alone = module(collate(examples[1:2]))[0, :22]
        behind = module(collate(examples))[1, :22]
    torch.testing.assert_close(alone, behind, rtol=0, atol=1e-6)


def test_scores_are_the_log_probs_of_training(
    folder: Path, examples: list[TrainingExample]
) -> None:
    sequences = [
        (
            e.problem_id,
            e.sample_index,
            e.input_ids[: e.prompt_tokens],
            e.input_ids[e.prompt_tokens :],
        )
        for e in examples
    ]
    scores = score(str(folder), sequences, "float32", micro_batch_tokens=100)
    module = response_logps(load_model(folder), packed=True)
    assert [s.problem_id for s in scores] == [e.problem_id for e in examples]
    for row, example in zip(scores, examples, strict=True):
        trained = module(collate([example]))[0].tolist()
        assert row.token_ids == example.input_ids[example.prompt_tokens :]
        assert row.reference_logps == pytest.approx(trained, abs=1e-6)


def test_a_head_that_is_not_a_plain_one_is_refused(folder: Path) -> None:
    model = load_model(folder)
    own_forward = model.forward

    def scaled(**inputs: torch.Tensor) -> object:
        output = own_forward(**inputs)
        output.logits = output.logits * 2
        return output

    model.forward = scaled
    with pytest.raises(UserError, match=r"differ by .* its head is not a plain one"):
        response_logps(model, packed=False)


def test_attention_of_an_unknown_kind_is_refused_when_packed(
    folder: Path, examples: list[TrainingExample]
) -> None:
    module = response_logps(load_model(folder), packed=True)
    attention = module.model.base_model.layers[0].self_attn
    own_forward = attention.forward
    attention.forward = lambda *args, **options: own_forward(*args, **options, position_bias=1)
    with pytest.raises(UserError, match=r"position_bias.*set training.packing to false"):
        module(collate(examples))


def test_empty_batch_gives_zero_gradients(folder: Path) -> None:
    module: ResponseLogps = response_logps(load_model(folder), packed=True)
    module(collate([])).sum().backward()
    grads = [p.grad for p in module.parameters()]
    assert all(grad is not None and (grad == 0).all() for grad in grads)
