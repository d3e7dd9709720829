"""Rollouts: seeds of their own, nothing lost, and what has no room said."""

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM

from rasft import plugins
from rasft.config import files as config_files
from rasft.config.settings import Config, EngineWatchConfig, PromptConfig
from rasft.decoding import engine_choice
from rasft.decoding.engine import Completion, EngineOptions, Request, Sampling
from rasft.decoding.hosted_engine import HostedEngine
from rasft.decoding.one_engine import OneEngine
from rasft.errors import MachineError, UserError
from rasft.ledger import Ledger
from rasft.ledger.store import Store
from rasft.models.language_model import load_tokenizer
from rasft.models.renderer import Renderer
from rasft.records import Problem, Rollout
from rasft.stages import sampling
from tests import tiny_model

PROBLEMS = [Problem(id=f"p{i}", prompt=f"What is {i} + 3?", verifier="math") for i in range(5)]
NO_LEDGER = Ledger(None)
OPTIONS = EngineOptions("float32", 128, max_sequences=4, stop_token_ids=(2,))
SAMPLING = Sampling(temperature=1.0, top_p=0.9, max_new_tokens=8)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_model.build(tmp_path_factory.mktemp("model") / "tiny")


@pytest.fixture(scope="module")
def renderer(folder: Path) -> Renderer:
    return Renderer(load_tokenizer(folder), {"math": PromptConfig()})


@pytest.fixture(scope="module")
def engine(folder: Path):
    plugin = plugins.load("engines", "transformers")
    options = EngineOptions("float32", 128, max_sequences=4, stop_token_ids=(2,))
    with plugin.open_engine(str(folder), options) as opened:
        yield opened


def configuration(folder: Path, **rollout_settings: object) -> Config:
    return config_files.build(
        {
            "name": "test",
            "model": {"path": str(folder), "dtype": "float32"},
            "data": {"datasets": [{"name": plugins.names("datasets")[0]}], "max_tokens": 64},
            "prompts": {"math": {}},
            "rollout": {"max_new_tokens": 8, "engine": "transformers", **rollout_settings},
        }
    )


class Faulty:
    """An engine that completes the requests of the given indices, in that order."""

    def __init__(self, indices: Sequence[int]):
        self.indices = indices

    def generate(
        self, requests: Sequence[Request], sampling: Sampling
    ) -> Iterator[tuple[int, Completion]]:
        yield from ((index, Completion((5, 2), "stop")) for index in self.indices)


def sample(
    problems: Sequence[Problem], renderer: Renderer, engine, samples: int = 3, run_seed: int = 1
) -> list[Rollout]:
    wanted = sampling.each(problems, range(samples))
    drawn = sampling.sample(wanted, renderer, engine, SAMPLING, run_seed)
    return sampling.in_order(problems, drawn)


def refuse(drawn: list[Rollout]) -> list[Problem]:
    raise AssertionError("there is no second stage")


def test_every_sample_of_every_problem_once_in_order(renderer, engine):
    rollouts = sample(PROBLEMS, renderer, engine)
    keys = [(row.problem_id, row.sample_index) for row in rollouts]
    assert keys == [(problem.id, index) for problem in PROBLEMS for index in range(3)]
    for row in rollouts:
        assert row.text == renderer.decode(row.token_ids)
        assert row.seed == sampling.seed_of(1, row.problem_id, row.sample_index)
        assert 1 <= len(row.token_ids) <= 8


def test_shards_and_order_change_no_sample(renderer, engine):
    whole = {(row.problem_id, row.sample_index): row for row in sample(PROBLEMS, renderer, engine)}
    for shard in (PROBLEMS[::2], PROBLEMS[1::2], PROBLEMS[::-1]):
        for row in sample(shard, renderer, engine):
            assert row == whole[row.problem_id, row.sample_index]


def test_more_samples_keep_the_first_ones(renderer, engine):
    few, many = (sample(PROBLEMS[:2], renderer, engine, samples=count) for count in (2, 4))
    assert few == [row for row in many if row.sample_index < 2]


def test_another_run_seed_draws_other_samples(renderer, engine):
    assert sample(PROBLEMS, renderer, engine) != sample(PROBLEMS, renderer, engine, run_seed=2)


def test_seeds_are_stable_and_do_not_collide():
    """Fixed values: a changed hash would silently change every stored rollout's key."""
    assert sampling.seed_of(7, "p1", 0) == 4015413321299787689
    seeds = {
        sampling.seed_of(s, p, k) for s in range(10) for p in ("1", "11", "1:1") for k in range(20)
    }
    assert len(seeds) == 600
    assert all(0 <= seed < 2**63 for seed in seeds)


@pytest.mark.parametrize(
    ("indices", "message"), [([0, 2], "gave 2 of 3 samples"), ([0, 1, 1], "sample 1 twice")]
)
def test_an_engine_that_loses_or_repeats_a_sample_fails_loudly(renderer, indices, message):
    with pytest.raises(MachineError, match=message):
        sample(PROBLEMS[:1], renderer, Faulty(indices))


def test_a_prompt_without_room_is_dropped_and_said(renderer):
    long = Problem(id="long", prompt="x" * 300, verifier="math")
    fitting, dropped = sampling.split_by_room([PROBLEMS[0], long], renderer, 128)
    assert fitting == [PROBLEMS[0]]
    (row,) = dropped
    tokens = len(renderer.prompt_ids(long))
    assert (row.problem_id, row.reason) == ("long", "no_room")
    assert row.detail == f"its prompt has {tokens} tokens, the context 128"


def test_roll_out_keeps_to_the_token_limit(renderer, folder):
    """data.max_tokens = 64 with prompts of about 50 bytes: responses end at the limit."""
    long = Problem(id="long", prompt="x" * 300, verifier="math")
    settings = configuration(folder, samples_per_problem=2, max_new_tokens=1000)
    problems = [*PROBLEMS, long]
    rollouts, dropped, sampler = sampling.draw_rollouts(
        settings, problems, renderer, folder, NO_LEDGER, refuse
    )
    assert [row.problem_id for row in dropped] == ["long"]
    assert len(rollouts) == 10
    lengths = [len(renderer.prompt_ids(PROBLEMS[0])) + len(row.token_ids) for row in rollouts]
    assert max(lengths) == 64
    assert sampler.startswith("transformers 5.")


def test_a_second_stage_draws_what_full_k_would_have(renderer, folder):
    """Two of four samples first, then two more of the problems that are asked for."""
    full, _, _ = sampling.draw_rollouts(
        configuration(folder, samples_per_problem=4), PROBLEMS, renderer, folder, NO_LEDGER, refuse
    )
    staged = configuration(folder, samples_per_problem=4, adaptive={"first": 2, "more": 2})
    seen = []

    def further(drawn: list[Rollout]) -> list[Problem]:
        seen.extend(sorted((row.problem_id, row.sample_index) for row in drawn))
        return PROBLEMS[1:3]

    rows, _, _ = sampling.draw_rollouts(staged, PROBLEMS, renderer, folder, NO_LEDGER, further)
    assert seen == [(problem.id, index) for problem in PROBLEMS for index in range(2)]
    wanted = [row for row in full if row.sample_index < 2 or row.problem_id in ("p1", "p2")]
    assert rows == wanted


def test_nothing_to_roll_out_starts_no_engine(renderer, folder):
    settings = configuration(folder)
    rollouts, dropped, _ = sampling.draw_rollouts(settings, [], renderer, folder, NO_LEDGER, refuse)
    assert (rollouts, dropped) == ([], [])


class NoEngine(OneEngine):
    """In the place of an engine that nobody may need."""

    def over(self, *asked: object) -> HostedEngine:
        raise AssertionError("an engine was asked for")


def sampler(folder: Path, renderer: Renderer, root: Path, engine: OneEngine, **over):
    plugin = plugins.load("engines", "transformers")
    setup = sampling.Setup(plugin, folder, OPTIONS, SAMPLING, run_seed=1, watch=EngineWatchConfig())
    return sampling.Sampler(replace(setup, **over), renderer, Ledger(Store(str(root))), engine)


@pytest.fixture(scope="module")
def drawn(renderer, folder, tmp_path_factory):
    """A ledger that holds two samples of each problem, and they."""
    root = tmp_path_factory.mktemp("ledger")
    with OneEngine() as engine:
        source = sampler(folder, renderer, root, engine)
        rows = source.draw(sampling.each(PROBLEMS, range(2)))
    return root, sampling.in_order(PROBLEMS, rows)


def test_more_samples_and_other_shards_reuse_what_exists(renderer, folder, drawn, tmp_path):
    root, first = drawn
    wanted = sampling.each(PROBLEMS, range(2))
    spread = replace(OPTIONS, max_sequences=None, tensor_parallel=4, data_parallel=2)
    shard = sampler(folder, renderer, root, NoEngine(), options=spread)  # changes no sample
    assert sampling.in_order(PROBLEMS, shard.draw(wanted[1::2])) == first[1::2]
    shutil.copytree(root, tmp_path, dirs_exist_ok=True)
    with OneEngine() as engine:
        larger = sampler(folder, renderer, tmp_path, engine)
        more = sampling.in_order(PROBLEMS, larger.draw(sampling.each(PROBLEMS, range(3))))
    assert [row for row in more if row.sample_index < 2] == first
    (work,) = larger.ledger.work("rollout")
    assert (work.reused, work.made) == (10, 5)


@pytest.mark.parametrize(
    "change",
    [
        {"run_seed": 2},
        {"sampling": replace(SAMPLING, temperature=0.5)},
        {"sampling": replace(SAMPLING, max_new_tokens=9)},
        {"options": EngineOptions("bfloat16", 128, max_sequences=4, stop_token_ids=(2,))},
        {"options": replace(OPTIONS, quantization="fp8")},
    ],
    ids=str,
)
def test_what_changes_a_sample_finds_none(renderer, folder, drawn, change):
    sample = [(PROBLEMS[0], 0)]
    assert sampler(folder, renderer, drawn[0], NoEngine()).draw(sample)
    with pytest.raises(AssertionError, match="an engine was asked for"):
        sampler(folder, renderer, drawn[0], NoEngine(), **change).draw(sample)


class Shifted:
    """An engine whose log-probs are a quarter of a nat above those of the model."""

    def __init__(self, engine, folder: Path):
        self.engine, self.model = engine, AutoModelForCausalLM.from_pretrained(folder)

    def generate(
        self, requests: Sequence[Request], sampling: Sampling
    ) -> Iterator[tuple[int, Completion]]:
        for index, done in self.engine.generate(requests, sampling):
            prompt, written = requests[index].prompt_ids, torch.tensor(done.token_ids)
            with torch.no_grad():
                logits = self.model(torch.tensor([[*prompt, *done.token_ids]])).logits[0]
            logps = logits[len(prompt) - 1 : -1].float().log_softmax(dim=1)
            own = logps.gather(1, written[:, None])[:, 0] + 0.25
            yield index, replace(done, logps=tuple(own.tolist()))


def test_what_quantised_weights_change_is_measured_and_said(renderer, folder, engine, tmp_path):
    options = EngineOptions("float32", 128, stop_token_ids=(2,), quantization="fp8")
    source = sampler(folder, renderer, tmp_path, NoEngine(), options=options)
    said = source._measured(sampling.each(PROBLEMS, range(2)), Shifted(engine, folder))
    assert said.startswith("fp8 weights: the log-probs of ")
    assert said.endswith(" nats from the model's own in the mean, 0.25 at most")
    assert "are 0.25 nats" in said


class TestChoice:
    @pytest.fixture
    def gpu(self, monkeypatch):
        monkeypatch.setattr("torch.cuda.is_available", lambda: True)

    def test_auto_takes_vllm_on_a_gpu_where_it_can_run(self, monkeypatch, gpu):
        monkeypatch.setattr(plugins.load("engines", "vllm"), "available", lambda: None)
        plugin, reason = engine_choice.choose("auto")
        assert plugin.NAME == "vllm"
        assert "auto: it can run here" in reason

    def test_auto_falls_back_and_says_why(self, monkeypatch, gpu):
        monkeypatch.setattr(plugins.load("engines", "vllm"), "available", lambda: "not installed")
        plugin, reason = engine_choice.choose("auto")
        assert plugin.NAME == "transformers"
        assert "auto: not installed" in reason

    def test_auto_takes_transformers_on_a_cpu(self, monkeypatch):
        monkeypatch.setattr("torch.cuda.is_available", lambda: False)
        plugin, reason = engine_choice.choose("auto")
        assert plugin.NAME == "transformers"
        assert "auto: there is no GPU" in reason

    def test_a_named_engine_that_cannot_run_is_refused(self, monkeypatch):
        monkeypatch.setattr(plugins.load("engines", "vllm"), "available", lambda: "no GPU")
        with pytest.raises(UserError, match=r"'vllm' cannot run here: no GPU; .*auto"):
            engine_choice.choose("vllm")

    def test_an_unknown_engine_is_named(self):
        with pytest.raises(UserError, match="unknown engine 'vlm'"):
            engine_choice.choose("vlm")
