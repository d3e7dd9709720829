"""What the engine asks of vLLM is what the installed vLLM takes, read from its source: no start."""

from __future__ import annotations

import ast
import importlib.util
from dataclasses import replace
from pathlib import Path

import pytest

from rasft.decoding.engine import EngineOptions
from rasft.engines import vllm as engine
from tests import tiny_model

WHOLE = EngineOptions(
    "bfloat16", max_model_len=64, max_sequences=2, quantization="fp8", tensor_parallel=2
)


@pytest.fixture(scope="module")
def source() -> Path:
    found = importlib.util.find_spec("vllm")
    if found is None or found.origin is None:
        pytest.skip("vllm is not installed")
    return Path(found.origin).parent


def fields(file: Path, name: str) -> set[str]:
    """The annotated fields of a class, which is not imported."""
    tree = ast.walk(ast.parse(file.read_text()))
    classes = (node for node in tree if isinstance(node, ast.ClassDef))
    (found,) = (each for each in classes if each.name == name)
    stated = (node for node in found.body if isinstance(node, ast.AnnAssign))
    return {node.target.id for node in stated if isinstance(node.target, ast.Name)}


@pytest.mark.parametrize("gpu", [True, False])
def test_vllm_takes_every_argument(
    source: Path, gpu: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: gpu)
    folder = tiny_model.build(tmp_path / "tiny")
    arguments = engine._arguments(str(folder), WHOLE)
    assert set(arguments) <= fields(source / "engine" / "arg_utils.py", "EngineArgs")
    assert arguments["tensor_parallel_size"] == 2
    assert arguments["quantization"] == "fp8"
    assert "logprobs" in fields(source / "sampling_params.py", "SamplingParams")
    assert "logprobs" in fields(source / "outputs.py", "CompletionOutput")


def test_vllm_has_room_for_the_adapters(source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    over_base = replace(WHOLE, quantization=None, base="base", adapter_rank=12)
    arguments = engine._arguments("merged", over_base)
    assert set(arguments) <= fields(source / "engine" / "arg_utils.py", "EngineArgs")
    assert (arguments["model"], arguments["max_lora_rank"]) == ("base", 16)
    known = fields(source / "lora" / "request.py", "LoRARequest")
    assert known >= {"lora_name", "lora_int_id", "lora_path"}
    (ranks,) = (
        node.value for node in ast.parse((source / "config" / "lora.py").read_text()).body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "MaxLoRARanks"
    )  # fmt: skip
    assert ast.unparse(ranks) == f"Literal[1, {', '.join(map(str, engine.RANKS))}]"


def test_a_gpu_decides_how_many_sequences_it_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    open_number = replace(WHOLE, max_sequences=None)
    assert "max_num_seqs" not in engine._arguments("model", open_number)
    assert engine._arguments("model", WHOLE)["max_num_seqs"] == 2


def test_several_devices_share_the_cache_of_the_cpu(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two layers of one group of 32 numbers, fp32: 512 bytes a token, of three times 128 tokens."""
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    folder = str(tiny_model.build(tmp_path / "tiny"))
    plain = replace(WHOLE, dtype="float32", quantization=None, tensor_parallel=1)
    alone = engine._arguments(folder, plain)["kv_cache_memory_bytes"]
    assert alone == 512 * 128 * 3
    shared = engine._arguments(folder, replace(plain, tensor_parallel=2))
    assert shared["kv_cache_memory_bytes"] == alone  # one group is copied
