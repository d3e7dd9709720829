"""Adapters: trained alone, saved, and merged into a model that says the same."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from peft import PeftModel

from rasft.config.settings import LoraSettings
from rasft.errors import MachineError, UserError
from rasft.models import adapters
from rasft.models.adapters import ADAPTER
from rasft.models.language_model import load_model
from rasft.records import TrainingExample
from rasft.training.launch.launcher import launch
from rasft.training.loop.saving import save_trained
from rasft.training.model.lora import load_quantized, merge_checked
from rasft.training.storage.jobs import MODEL, read_job
from tests.training_jobs import job, open_trainer, quiet

LORA = LoraSettings(rank=4, alpha=8)


@pytest.fixture(scope="module")
def trained(
    tmp_path_factory: pytest.TempPathFactory, base: Path, examples: list[TrainingExample]
) -> Path:
    folder = job(
        tmp_path_factory.mktemp("jobs") / "lora", base, examples, lora=LORA, learning_rate=1e-2
    )
    summary = launch(folder, read_job(folder).training, quiet)
    assert summary["final_nll"] < 5.4  # 5.6 before
    return folder


def test_merged_model_and_adapters_say_the_same(trained: Path, base: Path) -> None:
    ids = torch.arange(40, 60)[None]
    adapted = PeftModel.from_pretrained(load_model(base), trained / MODEL / ADAPTER).eval()
    with torch.no_grad():
        merged = load_model(trained / MODEL)(input_ids=ids).logits
        expected = adapted(input_ids=ids).logits
        untrained = load_model(base)(input_ids=ids).logits
    assert (merged - expected).abs().max() < 1e-4
    assert (merged - untrained).abs().max() > 0.1
    assert adapters.base_of(trained / MODEL, [trained / MODEL, base]) == base
    assert adapters.base_of(base, [base]) is None
    assert adapters.rank(trained / MODEL) == LORA.rank


def test_adapters_alone_are_trained(
    tmp_path: Path, base: Path, examples: list[TrainingExample]
) -> None:
    trainer = open_trainer(tmp_path, base, examples, lora=LORA)
    before = {name: p.detach().clone() for name, p in trainer.model.named_parameters()}
    trainer.step(0)
    moved = {
        name for name, p in trainer.model.named_parameters() if not torch.equal(p, before[name])
    }
    assert moved == {name for name in before if "lora_B" in name}  # A follows once B is not 0


def test_adapters_do_not_depend_on_the_process(
    tmp_path: Path, base: Path, examples: list[TrainingExample]
) -> None:
    drawn = []
    for seed in (1, 2):
        torch.manual_seed(seed)
        trainer = open_trainer(tmp_path / str(seed), base, examples, lora=LORA)
        drawn.append({n: p for n, p in trainer.model.named_parameters() if "lora_A" in n})
    assert all(torch.equal(drawn[0][name], drawn[1][name]) for name in drawn[0])


def test_merge_that_says_something_else_is_refused(
    tmp_path: Path, base: Path, examples: list[TrainingExample], monkeypatch: pytest.MonkeyPatch
) -> None:
    trainer = open_trainer(tmp_path, base, examples, lora=LORA)
    trainer.step(0)
    save_trained(trainer, read_job(tmp_path), tmp_path)
    monkeypatch.setattr("rasft.training.model.lora.TOLERANCE", -1.0)
    ids = torch.tensor([examples[0].input_ids])
    with pytest.raises(MachineError, match="merged model's logits differ by"):
        merge_checked(str(base), tmp_path / MODEL / ADAPTER, ids)


def test_unknown_modules_are_the_users(
    tmp_path: Path, base: Path, examples: list[TrainingExample]
) -> None:
    with pytest.raises(UserError, match="target_modules = \\['query'\\]"):
        open_trainer(tmp_path, base, examples, lora=LoraSettings(target_modules=("query",)))


@pytest.mark.skipif(torch.cuda.is_available(), reason="is about a machine without a GPU")
def test_quantised_weights_need_a_gpu(base: Path) -> None:
    with pytest.raises(UserError, match=r"quantize needs a GPU"):
        load_quantized(str(base), "bfloat16")
