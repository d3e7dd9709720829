"""KL(reference || policy): equal to the dense formula, in memory that no logits fill."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from rasft.models.language_model import load_model
from rasft.records import TrainingExample
from rasft.training.model.batching import Batch, collate
from rasft.training.model.forward import CHUNK, ResponseLogps, loss_inputs, response_logps
from tests import tiny_model

VOCABULARY, HIDDEN = 259, 64  # of the tiny model


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A policy and a reference that differ."""
    root = tmp_path_factory.mktemp("models")
    return tiny_model.build(root / "policy", seed=1), tiny_model.build(root / "reference", seed=2)


@pytest.fixture(scope="module")
def batch() -> Batch:
    random = torch.Generator().manual_seed(3)
    ids = [torch.randint(3, 250, (size,), generator=random).tolist() for size in (90, 70, 20)]
    return collate(
        [TrainingExample(f"p{i}", -1, tuple(row), 4, 1.0, ()) for i, row in enumerate(ids)]
    )


def opened(folder: Path) -> ResponseLogps:
    return response_logps(load_model(folder), packed=True)


def dense(policy: Path, reference: Path, batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
    """The divergence by its definition in float64, and the gradient of its sum in the head."""

    def logps(folder: Path) -> tuple[Any, torch.Tensor]:
        model = load_model(folder).double()
        rows = torch.split(batch.input_ids_RS[0], list(batch.lengths))
        logits = torch.cat([model(input_ids=row[None]).logits[0] for row in rows])
        return model, logits[batch.source_N].log_softmax(-1)

    model, ours = logps(policy)
    theirs = logps(reference)[1].detach()
    kl_N = (theirs.exp() * (theirs - ours)).sum(-1)
    kl_N.sum().backward()
    return kl_N.detach(), model.get_input_embeddings().weight.grad


@pytest.mark.parametrize("chunk", [7, 512])
def test_equals_the_dense_formula(
    folders: tuple[Path, Path], batch: Batch, chunk: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(CHUNK, "cpu", chunk)
    policy, reference = map(opened, folders)
    kl_BT = loss_inputs(policy, batch, reference).kl_BT
    assert kl_BT is not None
    expected, gradient = dense(*folders, batch)
    assert expected.min() > 0.01
    torch.testing.assert_close(kl_BT[batch.mask_BT].double(), expected, rtol=1e-5, atol=1e-6)
    assert (kl_BT[~batch.mask_BT] == 0).all()
    kl_BT.sum().backward()
    embeddings = policy.model.get_input_embeddings().weight.grad
    torch.testing.assert_close(embeddings.double(), gradient, rtol=1e-4, atol=1e-5)
    assert all(parameter.grad is None for parameter in reference.parameters())


class MostPositions(TorchDispatchMode):
    """The most positions of any (..., vocabulary) tensor that an operation returns.

    The head's own weights and their gradients, (hidden, vocabulary), are no positions.
    """

    def __init__(self) -> None:
        super().__init__()
        self.positions = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        for leaf in tree_leaves(result):
            shape = leaf.shape if isinstance(leaf, torch.Tensor) else ()
            if shape[-1:] == (VOCABULARY,) and shape != (HIDDEN, VOCABULARY):
                self.positions = max(self.positions, leaf.numel() // VOCABULARY)
        return result


def test_no_tensor_of_all_positions_and_the_vocabulary(
    folders: tuple[Path, Path], batch: Batch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(CHUNK, "cpu", 8)
    policy, reference = map(opened, folders)
    with MostPositions() as chunked:
        kl_BT = loss_inputs(policy, batch, reference).kl_BT
        assert kl_BT is not None
        kl_BT.sum().backward()
    with MostPositions() as whole:
        dense(*folders, batch)
    assert chunked.positions == 8
    assert whole.positions >= len(batch.target_N) > 100


def test_a_model_is_at_no_distance_from_itself(folders: tuple[Path, Path], batch: Batch) -> None:
    policy = opened(folders[0])
    kl_BT = loss_inputs(policy, batch, opened(folders[0])).kl_BT
    assert kl_BT is not None
    assert kl_BT.abs().max() < 1e-6
