"""Which devices sample: chosen from the task's, or stated; what cannot be is one sentence."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from rasft.config.settings import RolloutConfig
from rasft.decoding import layout
from rasft.decoding.engine import EngineOptions
from rasft.decoding.engine_group import pieces
from rasft.decoding.layout import Devices
from rasft.errors import UserError
from rasft.models import memory
from tests import tiny_model

PLAIN = EngineOptions("bfloat16")
EIGHT = Devices(8, are_gpus=True, memory=80 * 2**30)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_model.build(tmp_path_factory.mktemp("model") / "tiny")


@pytest.fixture
def large(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A model with the heads of Qwen2.5-72B, whose weights take 144 GB in bfloat16."""
    stated = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(
        json.dumps(stated | {"num_attention_heads": 64, "num_key_value_heads": 8})
    )
    monkeypatch.setattr(memory, "weight_bytes", lambda *_: 144 * 10**9)
    return folder


def chosen(model: Path, here: Devices, engine: str = "vllm", **stated: int) -> tuple[int, int]:
    options = layout.lay_out(PLAIN, RolloutConfig(**stated), engine, model, here)
    return options.tensor_parallel, options.data_parallel


def test_a_model_that_fits_one_gpu_has_an_engine_on_each(folder: Path) -> None:
    assert chosen(folder, EIGHT) == (1, 8)
    assert chosen(folder, EIGHT, "transformers") == (1, 8)
    assert chosen(folder, EIGHT, "openai") == (1, 1)
    assert chosen(folder, Devices(2, are_gpus=False)) == (1, 1)


def test_a_model_that_does_not_fit_has_as_few_gpus_as_hold_it(large: Path) -> None:
    """144 GB in shares of at most 0.9 x 0.8 x 80 GiB: three would do, but 64 heads take four."""
    assert chosen(large, EIGHT) == (4, 2)
    assert chosen(large, Devices(6, are_gpus=True, memory=EIGHT.memory)) == (4, 1)
    with pytest.raises(UserError, match=r"take 134 GiB, and this step's 2 GPUs of 80 GiB cannot"):
        chosen(large, Devices(2, are_gpus=True, memory=EIGHT.memory))


def test_what_is_stated_holds(large: Path) -> None:
    assert chosen(large, EIGHT, tensor_parallel=8) == (8, 1)
    assert chosen(large, EIGHT, data_parallel=1) == (4, 1)
    assert chosen(large, Devices(4, are_gpus=False), tensor_parallel=2, data_parallel=2) == (2, 2)


@pytest.mark.parametrize(
    ("engine", "stated", "message"),
    [
        ("vllm", {"tensor_parallel": 4, "data_parallel": 4}, "takes 16 devices, .* has 8 GPUs"),
        ("transformers", {"tensor_parallel": 2}, "needs the engine vllm, and transformers samples"),
    ],
)
def test_what_cannot_be_is_one_sentence(
    folder: Path, engine: str, stated: dict[str, int], message: str
) -> None:
    with pytest.raises(UserError, match=message):
        chosen(folder, EIGHT, engine, **stated)


def test_each_engine_sees_its_own_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,5,6,7")
    pairs = EngineOptions(tensor_parallel=2, data_parallel=2)
    seen = [own["CUDA_VISIBLE_DEVICES"] for own in layout.environments(pairs)]
    assert seen == ["4,5", "6,7"]
    assert layout.environments(PLAIN) == [{}]


def test_engines_on_a_cpu_share_its_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    monkeypatch.setattr(layout, "cores", lambda: [0, 1, 4, 5])
    first, second = layout.environments(EngineOptions(tensor_parallel=2, data_parallel=2))
    assert first == {"OMP_NUM_THREADS": "1", "VLLM_CPU_OMP_THREADS_BIND": "0|1"}
    assert second["VLLM_CPU_OMP_THREADS_BIND"] == "4|5"
    (alone,) = layout.environments(EngineOptions(tensor_parallel=2))
    assert alone == {"OMP_NUM_THREADS": "2", "VLLM_CPU_OMP_THREADS_BIND": "0,1|4,5"}


def test_the_task_has_what_its_step_asks_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("torch.cuda.device_count", lambda: 4)
    monkeypatch.setattr(
        "torch.cuda.get_device_properties", lambda _: type("Card", (), {"total_memory": 2**36})
    )
    assert layout.devices(0) == Devices(4, are_gpus=True, memory=2**36)
    assert layout.devices(2).words == "2 GPUs"
    assert layout.devices(1) == Devices(1, are_gpus=True)


def test_pieces_are_whole_and_none_starves() -> None:
    requests = list(enumerate(range(1000)))  # type: ignore[var-annotated]
    cut = pieces(requests, engines=4, at_once=16)  # type: ignore[arg-type]
    assert [pair for piece in cut for pair in piece] == requests
    assert {len(piece) for piece in cut} == {63, 55}
    assert [len(piece) for piece in pieces(requests[:10], 4, 64)] == [3, 3, 3, 1]  # type: ignore[arg-type]
