"""What every engine must do: one suite for all of them, with a tiny model on the CPU."""

from __future__ import annotations

import math
import os
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM

from rasft import plugins
from rasft.config.chat import ChatConfig
from rasft.config.settings import PromptConfig
from rasft.decoding import probe
from rasft.decoding.chat_server import Address, ChatServer, Question
from rasft.decoding.engine import Completion, Engine, EngineOptions, Request, Sampling
from rasft.errors import UserError
from rasft.models.messages import messages
from rasft.models.renderer import open_renderer
from rasft.records import Problem
from tests import tiny_model, vllm_server

EOS = 2
OPTIONS = EngineOptions(
    dtype="float32", max_model_len=128, max_sequences=4, stop_token_ids=(EOS, 40, 41, 42)
)
PLAIN = Sampling(temperature=1.0, top_p=1.0, max_new_tokens=24)
GREEDY = replace(PLAIN, temperature=0.0)
VLLM = (
    pytest.mark.vllm,
    # Of vllm's own imports and of its sockets when it is closed.
    pytest.mark.filterwarnings("ignore:.torch.jit.script_method. is deprecated:DeprecationWarning"),
)


def load(folder: Path):
    return AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()


@pytest.fixture(scope="module")
def model_folder(tmp_path_factory) -> Path:
    return tiny_model.build_untied(tmp_path_factory.mktemp("model") / "tiny", seed=0)


@pytest.fixture(scope="module")
def model(model_folder):
    return load(model_folder)


@pytest.fixture(
    scope="module",
    params=[
        pytest.param(name, marks=() if name == "transformers" else VLLM)
        for name in plugins.names("engines")
    ],
)
def engine(request, model_folder, tmp_path_factory) -> Iterator[Engine]:
    plugin = plugins.load("engines", request.param)
    with ExitStack() as stack:
        if request.param == "openai":
            stack.enter_context(served(model_folder, tmp_path_factory.mktemp("server") / "log"))
        if obstacle := plugin.available():
            pytest.skip(obstacle)
        yield stack.enter_context(plugin.open_engine(str(model_folder), OPTIONS))


@contextmanager
def served(folder: Path, log: Path) -> Iterator[None]:
    """A real server of this model, where its address is looked for."""
    if obstacle := plugins.load("engines", "vllm").available():
        pytest.skip(obstacle)
    with (
        vllm_server.running(folder, log, OPTIONS.max_model_len) as address,
        pytest.MonkeyPatch.context() as environment,
    ):
        environment.setenv("RASFT_OPENAI_URL", address)
        yield


def prompts(count: int) -> list[tuple[int, ...]]:
    """Prompts of several lengths that begin alike, as chat prompts do."""
    generator = torch.Generator().manual_seed(0)
    lengths = torch.randint(1, 20, (count,), generator=generator).tolist()
    return [
        (1, 80, 81, *torch.randint(3, 250, (length,), generator=generator).tolist())
        for length in lengths
    ]


def run(engine: Engine, requests: list[Request], sampling: Sampling = PLAIN) -> list[Completion]:
    """Completions in the order of the requests; each index must come exactly once."""
    pairs = list(engine.generate(requests, sampling))
    assert sorted(index for index, _ in pairs) == list(range(len(requests)))
    by_index = dict(pairs)
    return [by_index[index] for index in range(len(requests))]


def next_logits(model, prompt: tuple[int, ...]) -> torch.Tensor:
    with torch.no_grad():
        return model(torch.tensor([prompt])).logits[0, -1]


def reference_greedy(model, prompt: tuple[int, ...], penalty: float = 1.0) -> tuple[int, ...]:
    written = model.generate(
        torch.tensor([prompt]),
        attention_mask=torch.ones(1, len(prompt)),
        do_sample=False,
        max_new_tokens=GREEDY.max_new_tokens,
        repetition_penalty=penalty,
        eos_token_id=list(OPTIONS.stop_token_ids),
        pad_token_id=0,
    )
    return tuple(written[0, len(prompt) :].tolist())


def test_more_requests_than_slots_are_all_answered(engine):
    completions = run(engine, [Request(p, seed) for seed, p in enumerate(prompts(15))])
    assert {completion.finish_reason for completion in completions} == {"stop", "length"}
    for completion in completions:
        stopped = [token in OPTIONS.stop_token_ids for token in completion.token_ids]
        assert not any(stopped[:-1])
        assert completion.finish_reason == ("stop" if stopped[-1] else "length")
        assert stopped[-1] or len(completion.token_ids) == PLAIN.max_new_tokens


def test_no_requests_give_no_completions(engine):
    assert list(engine.generate([], PLAIN)) == []


def test_same_seed_same_tokens(engine):
    requests = [Request(prompt, 7 * seed) for seed, prompt in enumerate(prompts(9))]
    assert run(engine, requests) == run(engine, requests)


def test_a_sample_does_not_depend_on_the_others(engine):
    """A request alone, in another order and beside other requests draws the same tokens."""
    requests = [Request(prompt, 100 + seed) for seed, prompt in enumerate(prompts(9))]
    together = run(engine, requests)
    assert run(engine, requests[::-1]) == together[::-1]
    assert run(engine, requests[3:5]) == together[3:5]


def test_different_seeds_differ(engine):
    requests = [Request(prompts(1)[0], seed) for seed in range(12)]
    assert len({completion.token_ids for completion in run(engine, requests)}) == 12


def test_large_seeds_are_taken(engine):
    (one, other) = run(engine, [Request(prompts(1)[0], 2**63 - 1 - i) for i in range(2)])
    assert one.token_ids != other.token_ids


def test_greedy_is_the_models_own_greedy(engine, model):
    asked = prompts(9)
    completions = run(engine, [Request(prompt, 0) for prompt in asked], GREEDY)
    assert [c.token_ids for c in completions] == [reference_greedy(model, p) for p in asked]


def test_repetition_penalty_is_the_models_own(engine, model):
    asked = prompts(5)
    sampling = replace(GREEDY, repetition_penalty=1.3)
    completions = run(engine, [Request(prompt, 0) for prompt in asked], sampling)
    expected = [reference_greedy(model, prompt, penalty=1.3) for prompt in asked]
    assert [completion.token_ids for completion in completions] == expected
    assert expected != [reference_greedy(model, prompt) for prompt in asked]


def test_sampling_follows_the_softmax(engine, model):
    """Chi-square of 1,500 first tokens at temperature 0.8: within 4 sigma of its mean."""
    prompt, draws = prompts(3)[2], 1500
    sampling = replace(PLAIN, temperature=0.8, max_new_tokens=1)
    requests = [Request(prompt, seed) for seed in range(draws)]
    counts = Counter(completion.token_ids[0] for completion in run(engine, requests, sampling))
    expected = draws * torch.softmax(next_logits(model, prompt) / 0.8, dim=-1).double()
    common = (expected >= 5).nonzero()[:, 0].tolist()
    cells = [(counts[token], expected[token].item()) for token in common]
    rare = draws - sum(seen for seen, _ in cells)
    cells.append((rare, draws - sum(wanted for _, wanted in cells)))
    statistic = sum((seen - wanted) ** 2 / wanted for seen, wanted in cells)
    freedom = len(cells) - 1
    assert freedom > 10
    assert abs(statistic - freedom) < 4 * math.sqrt(2 * freedom)


def test_top_p_keeps_the_nucleus_alone(engine, model):
    """At top-p 0.5 every first token lies in the nucleus, and all of the nucleus is drawn."""
    prompt = prompts(3)[2]
    probabilities = torch.softmax(next_logits(model, prompt), dim=-1)
    ordered = probabilities.sort(descending=True)
    nucleus = set(ordered.indices[: int((ordered.values.cumsum(0) < 0.5).sum()) + 1].tolist())
    sampling = replace(PLAIN, top_p=0.5, max_new_tokens=1)
    completions = run(engine, [Request(prompt, seed) for seed in range(800)], sampling)
    drawn = {completion.token_ids[0] for completion in completions}
    assert 3 <= len(nucleus) <= 60
    assert drawn <= nucleus
    assert len(drawn) >= 0.9 * len(nucleus)


def test_log_probs_are_the_models_own_where_the_engine_says_them(engine, model_folder, tmp_path):
    """Whatever was asked of the drawing: they are those of the whole softmax."""
    asked = [Request(prompt, seed, logps=True) for seed, prompt in enumerate(prompts(5))]
    drawing = replace(PLAIN, temperature=0.8, top_p=0.9, repetition_penalty=1.2)
    drawn = list(zip(asked, run(engine, asked, drawing), strict=True))
    if not drawn[0][1].logps:
        with pytest.raises(UserError, match="does not say the log-probs"):
            probe.effect(str(model_folder), drawn, "float32")
        return
    tokens, mean, largest = probe.effect(str(model_folder), drawn, "float32")
    assert tokens == sum(len(completion.token_ids) for _, completion in drawn)
    assert mean <= largest < 1e-3
    other = tiny_model.build_untied(tmp_path / "other", seed=1)
    assert probe.effect(str(other), drawn, "float32")[1] > 0.5


def test_the_context_bounds_the_response(engine):
    """A prompt of 125 tokens in a context of 128 leaves room for three tokens."""
    (completion,) = run(engine, [Request((7,) * 125, 0)], GREEDY)
    assert len(completion.token_ids) <= 3
    assert len(completion.token_ids) == 3 or completion.finish_reason == "stop"


@pytest.mark.parametrize("length", [0, 128, 200])
def test_a_prompt_with_no_room_is_refused(engine, length):
    with pytest.raises(UserError, match=f"prompt of {length} tokens leaves no room .* of 128"):
        list(engine.generate([Request((7,) * length, 0)], PLAIN))


def test_an_abandoned_call_leaves_the_engine_usable(engine):
    requests = [Request(prompt, seed) for seed, prompt in enumerate(prompts(9))]
    expected = run(engine, requests)
    calls = engine.generate(requests, PLAIN)
    next(calls)
    calls.close()
    assert run(engine, requests) == expected


def test_reloaded_weights_are_the_ones_that_sample(engine, model_folder, model, tmp_path):
    """Greedy after the swap is the other model's, with nothing cached from the first; and back."""
    asked = prompts(5)
    requests = [Request(prompt, 0) for prompt in asked]
    other = tiny_model.build_untied(tmp_path / "other", seed=1)
    try:
        for folder, behind in ((other, load(other)), (model_folder, model)):
            engine.reload(str(folder))
            completions = run(engine, requests, GREEDY)
            assert [c.token_ids for c in completions] == [
                reference_greedy(behind, p) for p in asked
            ]
    finally:
        engine.reload(str(model_folder))


@pytest.mark.parametrize("name", plugins.names("engines"))
def test_every_engine_names_itself(name):
    plugin = plugins.load("engines", name)
    assert name == plugin.NAME
    assert name in plugin.version()


def test_weights_that_do_not_fit_are_refused(model_folder, tmp_path):
    other = load(model_folder)
    other.resize_token_embeddings(100)
    other.save_pretrained(tmp_path)
    plugin = plugins.load("engines", "transformers")
    with (
        plugin.open_engine(str(model_folder), OPTIONS) as opened,
        pytest.raises(UserError, match="do not fit the loaded model"),
    ):
        opened.reload(str(tmp_path))


def test_a_folder_that_is_no_model_is_the_users_to_mend(tmp_path):
    with pytest.raises(UserError, match="cannot load the model"):
        plugins.load("engines", "transformers").open_engine(str(tmp_path), OPTIONS)


def test_a_server_that_is_not_there_is_named(monkeypatch):
    plugin = plugins.load("engines", "openai")
    monkeypatch.delenv("RASFT_OPENAI_URL", raising=False)
    assert "RASFT_OPENAI_URL is not set" in plugin.available()
    monkeypatch.setenv("RASFT_OPENAI_URL", "http://127.0.0.1:9/v1")
    assert "no vLLM server answers" in plugin.available()


@pytest.mark.parametrize("engine", [pytest.param("openai", marks=VLLM)], indirect=True)
def test_a_vllm_server_asked_by_messages_reads_the_prompt_that_the_renderer_writes(
    engine, model_folder
) -> None:
    problem = Problem("p", "What is 2 + 3?", "math")
    prompts = {"math": PromptConfig(system="Think.")}
    renderer = open_renderer(model_folder, prompts, ChatConfig())
    (written,) = run(engine, [Request(renderer.prompt_ids(problem), 0)], GREEDY)
    asked = [Question(messages(problem, prompts, ChatConfig()), seed) for seed in range(4)]
    with ChatServer(Address(os.environ["RASFT_OPENAI_URL"])) as server:
        assert server.owner == "vllm"
        greedy = [reply.text for _, reply in server.ask(asked, GREEDY, 4)]
        drawn = [dict(server.ask(asked, PLAIN, 4)) for _ in range(2)]
    assert len(set(greedy)) == 1
    assert greedy[0]
    # a server keeps back bytes that are no whole character
    assert renderer.decode(written.token_ids).startswith(greedy[0])
    assert drawn[0] == drawn[1]
    assert len({reply.text for reply in drawn[0].values()}) > 1
    assert {reply.finish_reason for reply in drawn[0].values()} <= {"stop", "length"}
