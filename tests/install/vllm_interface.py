"""Does the installed vllm have every argument, attribute and exception that this project uses?

Nothing is started: no GPU is needed.
"""

import ast
import dataclasses
import inspect
from pathlib import Path
from types import SimpleNamespace
from typing import Any, get_args

from trl.generation import vllm_generation
from vllm import LLM, EngineArgs, SamplingParams
from vllm.config import SchedulerConfig
from vllm.config.lora import MaxLoRARanks
from vllm.lora.request import LoRARequest
from vllm.model_executor.layers.quantization import QuantizationMethods
from vllm.outputs import CompletionOutput, RequestOutput
from vllm.sampling_params import RequestOutputKind
from vllm.v1.engine.core_client import EngineCoreClient
from vllm.v1.engine.exceptions import EngineDeadError
from vllm.v1.engine.llm_engine import LLMEngine
from vllm.v1.worker.gpu_model_runner import GPUModelRunner
from vllm.v1.worker.gpu_worker import Worker

from rasft.decoding.engine import EngineOptions, Request, Sampling
from rasft.engines import vllm as engine

METHODS = {
    LLM: ("enqueue", "collective_rpc", "reset_prefix_cache"),
    LLMEngine: ("has_unfinished_requests", "step", "abort_request"),
    EngineCoreClient: ("shutdown",),
    Worker: ("reload_weights",),
}


def parameters(function: Any) -> set[str]:
    return set(inspect.signature(function).parameters)


def keywords_of(path: Path, call: str) -> set[str]:
    """The keyword arguments that a file passes wherever it calls `call`."""
    calls = (node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call))
    named = (node for node in calls if getattr(node.func, "id", "") == call)
    return {keyword.arg for node in named for keyword in node.keywords if keyword.arg}


engine.torch.cuda.is_available = lambda: True  # what is asked for on a GPU
known = {field.name for field in dataclasses.fields(EngineArgs)}
options = EngineOptions(
    max_model_len=64, stop_token_ids=(1,), max_sequences=2, quantization="fp8", tensor_parallel=2
)
over_base = dataclasses.replace(options, quantization=None, base="base", adapter_rank=8)
wanted = {*engine._arguments("model", options), *engine._arguments("model", over_base)} | {
    "enable_chunked_prefill",
    "max_num_batched_tokens",
    "kv_cache_memory_bytes",
}
assert wanted <= known, f"LLM takes no {wanted - known}"
for owner, names in METHODS.items():
    missing = [name for name in names if not hasattr(owner, name)]
    assert not missing, f"{owner.__name__} has no {missing}"
assert {"prompts", "use_tqdm"} <= parameters(LLM.enqueue)
assert {"method", "kwargs"} <= parameters(LLM.collective_rpc)
assert "timeout" in parameters(EngineCoreClient.shutdown)
assert "weights_path" in parameters(GPUModelRunner.reload_weights)  # which Worker hands it to
assert issubclass(EngineDeadError, Exception)
drawn = engine.VllmEngine.parameters(
    SimpleNamespace(options=options), Request((1, 2), 0), Sampling(1.0, 1.0, 8)
)
assert isinstance(drawn, SamplingParams)
assert drawn.output_kind is RequestOutputKind.FINAL_ONLY
assert {"finish_reason", "token_ids", "logprobs"} <= parameters(CompletionOutput)
assert "max_num_seqs" in {field.name for field in dataclasses.fields(SchedulerConfig)}
assert {"lora_name", "lora_int_id", "lora_path"} <= set(LoRARequest.__struct_fields__)
assert "lora_request" in parameters(LLM.enqueue)
assert set(engine.RANKS) <= set(get_args(MaxLoRARanks))
assert options.quantization in get_args(QuantizationMethods)
assert {"request_id", "outputs", "finished"} <= parameters(RequestOutput)
source = Path(inspect.getfile(vllm_generation))
assert keywords_of(source, "LLM") - {"hf_overrides"} <= known, keywords_of(source, "LLM") - known
asked = keywords_of(source, "SamplingParams")
assert asked <= parameters(SamplingParams), asked - parameters(SamplingParams)
print("vllm has all that is asked of it")
