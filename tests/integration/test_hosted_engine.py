"""Real engine processes that hang, die or run out of memory: every sample still comes, once."""

from __future__ import annotations

import os
import resource
import signal
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
from transformers import AutoModelForCausalLM

from rasft import plugins
from rasft.config.settings import EngineWatchConfig
from rasft.decoding import probe
from rasft.decoding.engine import Completion, EngineOptions, Request, Sampling
from rasft.decoding.hosted_engine import HostedEngine
from rasft.decoding.one_engine import OneEngine
from rasft.errors import MachineError, UserError
from tests import tiny_model

PLUGIN = plugins.load("engines", "transformers")
OPTIONS = EngineOptions("float32", max_model_len=256, max_sequences=8, stop_token_ids=(2,))
SAMPLING = Sampling(temperature=1.0, top_p=1.0, max_new_tokens=120)
REQUESTS = [Request((1, 80, 81 + seed), seed) for seed in range(24)]
WATCH = EngineWatchConfig(start_seconds=120.0, silence_seconds=5.0, restarts=2)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_model.build_untied(tmp_path_factory.mktemp("model") / "tiny")


@pytest.fixture(scope="module")
def undisturbed(folder: Path) -> list[Completion]:
    with PLUGIN.open_engine(str(folder), OPTIONS) as engine:
        return collect(engine.generate(REQUESTS, SAMPLING))


@pytest.fixture(scope="module")
def engine(folder: Path) -> Iterator[HostedEngine]:
    """One engine for all tests: each fault leaves it usable for the next."""
    watch = WATCH.model_copy(update={"restarts": 20})
    with HostedEngine(PLUGIN, str(folder), OPTIONS, watch) as opened:
        yield opened


def collect(pairs: Iterator[tuple[int, Completion]]) -> list[Completion]:
    """Completions in the order of the requests; each index must come exactly once."""
    found = list(pairs)
    assert sorted(index for index, _ in found) == list(range(len(REQUESTS)))
    return [completion for _, completion in sorted(found, key=lambda pair: pair[0])]


def disturbed(engine: HostedEngine, fault: Callable[[int], None]) -> list[Completion]:
    """Sample, with the fault after the first completion."""
    process_id = engine.process_id
    pairs = engine.generate(REQUESTS, SAMPLING)
    first = next(pairs)
    fault(process_id)
    found = collect(iter([first, *pairs]))
    assert not psutil.pid_exists(process_id), "the broken process lives on"
    return found


@pytest.mark.parametrize(
    ("fault", "note"),
    [
        (lambda pid: os.kill(pid, signal.SIGKILL), "restarted: its process died with exit code -9"),
        (lambda pid: os.kill(pid, signal.SIGSTOP), "restarted: it hung: no step and no sample"),
    ],
    ids=["killed", "hung"],
)
def test_every_sample_comes_once_and_as_undisturbed(engine, undisturbed, fault, note) -> None:
    before = len(engine.notes)
    assert disturbed(engine, fault) == undisturbed
    (told,) = engine.notes[before:]
    assert note in told


def test_out_of_memory_goes_on_with_fewer_sequences(folder) -> None:
    """The kernel refuses the process what 256 long prompts need; the next one has no limit."""
    options = replace(OPTIONS, max_model_len=2048, max_sequences=256)
    long = [Request((1, *[80] * 1500), seed) for seed in range(256)]
    few = replace(SAMPLING, max_new_tokens=4)
    with PLUGIN.open_engine(str(folder), options) as plain:
        expected = dict(plain.generate(long, few))
    with HostedEngine(PLUGIN, str(folder), options, WATCH) as opened:
        used = psutil.Process(opened.process_id).memory_info().vms
        resource.prlimit(opened.process_id, resource.RLIMIT_AS, (used, used))
        found = list(opened.generate(long, few))
        assert len(found) == 256
        assert dict(found) == expected
        (note,) = opened.notes
        assert "out of memory" in note
        assert "max_sequences 256 -> 128" in note


def test_new_weights_are_swapped_in_place_and_probed(engine, folder, tmp_path) -> None:
    other = tiny_model.build_untied(tmp_path / "other", seed=1)
    process_id, before = engine.process_id, len(engine.notes)
    for model in (other, folder):
        engine.reload(str(model))
        ((_, written),) = engine.generate([probe.REQUEST], probe.GREEDY)
        assert probe.agrees(str(model), written.token_ids, "float32")
    assert engine.process_id == process_id
    assert engine.notes[before:] == []


def test_one_engine_serves_one_model_after_another(folder, tmp_path, undisturbed) -> None:
    """What it writes is what an engine of its own would; other options take another process."""
    other = str(tiny_model.build_untied(tmp_path / "other", seed=1))
    with PLUGIN.open_engine(other, OPTIONS) as alone:
        of_other = collect(alone.generate(REQUESTS, SAMPLING))
    with OneEngine() as kept:
        first = kept.over(PLUGIN, other, OPTIONS, WATCH)
        process_id = first.process_id
        assert collect(first.generate(REQUESTS, SAMPLING)) == of_other
        second = kept.over(PLUGIN, str(folder), OPTIONS, WATCH)
        assert collect(second.generate(REQUESTS, SAMPLING)) == undisturbed
        assert (second.process_id, second.notes) == (process_id, [])
        third = kept.over(PLUGIN, str(folder), replace(OPTIONS, max_sequences=4), WATCH)
        assert not psutil.pid_exists(process_id)
        process_id = third.process_id
    assert not psutil.pid_exists(process_id)


def test_weights_that_do_not_fit_open_the_engine_anew(engine, folder, tmp_path) -> None:
    wider = AutoModelForCausalLM.from_pretrained(folder)
    wider.resize_token_embeddings(300)
    wider.save_pretrained(tmp_path)
    process_id, before = engine.process_id, len(engine.notes)
    engine.reload(str(tmp_path))
    assert engine.process_id != process_id
    assert "do not fit" in engine.notes[before]
    engine.reload(str(folder))


def test_the_probe_knows_another_models_text(folder, tmp_path) -> None:
    other = tiny_model.build_untied(tmp_path / "other", seed=1)
    with PLUGIN.open_engine(str(other), OPTIONS) as opened:
        ((_, written),) = opened.generate([probe.REQUEST], probe.GREEDY)
    assert probe.agrees(str(other), written.token_ids, "float32")
    assert not probe.agrees(str(folder), written.token_ids, "float32")


def test_an_abandoned_call_leaves_no_process_and_a_usable_engine(engine, undisturbed) -> None:
    process_id = engine.process_id
    pairs = engine.generate(REQUESTS, SAMPLING)
    next(pairs)
    pairs.close()
    assert not psutil.pid_exists(process_id)
    assert collect(engine.generate(REQUESTS, SAMPLING)) == undisturbed


def test_the_users_mistake_is_told_at_once(folder) -> None:
    with (
        HostedEngine(PLUGIN, str(folder), OPTIONS, WATCH) as opened,
        pytest.raises(UserError, match="prompt of 300 tokens leaves no room"),
    ):
        list(opened.generate([Request((7,) * 300, 0)], SAMPLING))


def test_a_load_that_takes_too_long_is_given_up(folder) -> None:
    hasty = EngineWatchConfig(start_seconds=0.05, restarts=1)
    with pytest.raises(MachineError, match=r"failed 2 times.* more than 0\.05 s to load"):
        HostedEngine(PLUGIN, str(folder), OPTIONS, hasty).__enter__()
