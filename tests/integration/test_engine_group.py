"""Real engines side by side: the samples are those of one, also when engines break."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
from transformers import PreTrainedModel

from rasft import plugins
from rasft.config.settings import EngineWatchConfig
from rasft.decoding import memory_ladder, probe
from rasft.decoding.engine import Completion, EngineOptions, Request, Sampling
from rasft.decoding.engine_group import EngineGroup
from rasft.decoding.one_engine import OneEngine
from rasft.errors import MachineError, UserError
from tests import tiny_model

PLUGIN = plugins.load("engines", "transformers")
ALONE = EngineOptions("float32", max_model_len=256, stop_token_ids=(2,))
PAIR = replace(ALONE, data_parallel=2)
SAMPLING = Sampling(temperature=1.0, top_p=1.0, max_new_tokens=60)
REQUESTS = [Request((1, 80, 81 + seed), seed) for seed in range(24)]
WATCH = EngineWatchConfig(start_seconds=300.0, silence_seconds=60.0, restarts=0)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_model.build_untied(tmp_path_factory.mktemp("model") / "tiny")


@pytest.fixture(scope="module")
def alone(folder: Path) -> list[Completion]:
    with PLUGIN.open_engine(str(folder), ALONE) as engine:
        return collect(engine.generate(REQUESTS, SAMPLING))


def collect(pairs: Iterator[tuple[int, Completion]]) -> list[Completion]:
    """Completions in the order of the requests; each index must come exactly once."""
    found = list(pairs)
    assert sorted(index for index, _ in found) == list(range(len(REQUESTS)))
    return [completion for _, completion in sorted(found, key=lambda pair: pair[0])]


def test_two_engines_draw_what_one_does_and_outlive_one_another(
    folder: Path, alone: list[Completion], tmp_path: Path
) -> None:
    """Sampled, new weights sampled, a mistake of the user's, one engine lost for good, both."""
    with OneEngine() as kept:
        group = kept.over(PLUGIN, str(folder), PAIR, WATCH)
        assert isinstance(group, EngineGroup)
        assert collect(group.generate(REQUESTS, SAMPLING)) == alone
        assert (group.notes, group.choices) == ([], ["max_sequences 128"])

        other = tiny_model.build_untied(tmp_path / "other", seed=1)
        assert kept.over(PLUGIN, str(other), PAIR, WATCH) is group
        ((_, written),) = group.generate([probe.REQUEST], probe.GREEDY)
        assert probe.agrees(str(other), written.token_ids, "float32")
        group.reload(str(folder))

        first, second = (engine.process_id for engine in group._living)
        pairs = group.generate(REQUESTS, SAMPLING)
        came = next(pairs)
        os.kill(first, signal.SIGKILL)
        assert collect(iter([came, *pairs])) == alone
        (lost,) = group.notes
        assert "an engine was given up" in lost
        assert "exit code -9" in lost

        with pytest.raises(UserError, match="prompt of 300 tokens leaves no room"):
            list(group.generate([Request((7,) * 300, 0)], SAMPLING))
        assert not psutil.pid_exists(second)


def test_engines_that_are_probed_at_once_leave_later_models_tied(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ties = PreTrainedModel.tie_weights
    monkeypatch.setattr(PreTrainedModel, "tie_weights", ties)  # is put back in any case
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: probe.agrees(str(folder), (5, 6), "float32"), range(40)))
    assert PreTrainedModel.tie_weights is ties


def test_no_engine_is_left_to_give_up(folder: Path) -> None:
    hasty = WATCH.model_copy(update={"start_seconds": 0.05})
    with pytest.raises(MachineError, match=r"more than 0\.05 s to load"):
        EngineGroup(PLUGIN, str(folder), PAIR, hasty).__enter__()


def test_an_abandoned_call_leaves_no_process(folder: Path) -> None:
    with EngineGroup(PLUGIN, str(folder), PAIR, WATCH) as group:
        processes = [engine.process_id for engine in group._living]
        pairs = group.generate(REQUESTS, SAMPLING)
        next(pairs)
        pairs.close()  # type: ignore[attr-defined]
        assert not any(map(psutil.pid_exists, processes))


def test_where_the_memory_decides_the_ladder_still_halves(folder: Path) -> None:
    opened = PLUGIN.open_engine(str(folder), replace(ALONE, max_model_len=2**22))
    assert 1 <= opened.max_sequences < 128  # 2 GiB of keys and values each
    known = replace(ALONE, max_sequences=opened.max_sequences)
    halved, said = memory_ladder.climb_down(known, "sequences")
    assert halved.max_sequences == max(1, opened.max_sequences // 2)
    assert said or opened.max_sequences == 1
    assert memory_ladder.climb_down(ALONE, "sequences")[1] == "max_sequences None -> 64"
