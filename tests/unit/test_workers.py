"""Workers: deadlines, replacement, isolation. Each target is a function of the standard library."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from rasft.workers.pool import WorkerDied, WorkerFailed, WorkerPool, WorkerTimeout
from rasft.workers.process import WorkerLimits


def pool(target: str, workers: int = 1, deadline: float = 1.0, memory: int = 512) -> WorkerPool:
    return WorkerPool(target, workers, WorkerLimits(deadline, memory))


def test_a_request_past_its_deadline_is_killed_and_the_next_one_served():
    with pool("time:sleep", deadline=0.5) as sleepers:
        for _ in range(3):
            start = time.monotonic()
            with pytest.raises(WorkerTimeout):
                sleepers.run(60)
            assert time.monotonic() - start < 10
            assert sleepers.run(0)[0] is None


def test_a_busy_loop_that_never_yields_is_killed():
    with pool("builtins:sum", deadline=0.5) as adders, pytest.raises((WorkerTimeout, WorkerFailed)):
        adders.run(list(range(5_000_000)) * 2)


def test_an_exception_is_told_and_the_worker_lives_on():
    with pool("math:sqrt") as roots:
        before = set(roots.process_ids())
        with pytest.raises(WorkerFailed, match="ValueError"):
            roots.run(-1)
        assert roots.run(9)[0] == 3.0
        assert set(roots.process_ids()) == before


def test_a_worker_that_ends_is_replaced():
    with pool("os:_exit") as exits:
        with pytest.raises(WorkerDied, match="3"):
            exits.run(3)
        with pytest.raises(WorkerDied, match="4"):
            exits.run(4)


def test_memory_is_limited():
    with (
        pool("builtins:bytearray", memory=512) as arrays,
        pytest.raises((WorkerFailed, WorkerDied), match=r"MemoryError|exit code"),
    ):
        arrays.run(2_000_000_000)


@pytest.mark.parametrize(
    ("target", "command"), [("os:system", "rm {}"), ("os:remove", "{}"), ("os:unlink", "{}")]
)
def test_side_effects_are_refused(target, command, tmp_path):
    victim = tmp_path / "victim"
    victim.write_text("kept")
    with pool(target) as effects, pytest.raises(WorkerFailed, match="PermissionError"):
        effects.run(command.format(victim))
    assert victim.read_text() == "kept"


def test_lone_surrogates_and_nul_cross_the_pipe():
    with pool("builtins:str") as echoes:
        assert echoes.run("\ud800\x00é")[0] == "\ud800\x00é"


def test_many_threads_share_two_workers():
    results = []
    with pool("builtins:abs", workers=2, deadline=20) as workers:

        def ask(number: int) -> None:
            results.append((number, workers.run(-number)[0]))

        threads = [threading.Thread(target=ask, args=(n,)) for n in range(40)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sorted(results) == [(n, n) for n in range(40)]


def test_closing_leaves_no_process():
    with pool("builtins:abs", workers=2) as workers:
        ids = workers.process_ids()
        assert len(ids) == 3
    assert workers.process_ids() == []
    assert not any(Path(f"/proc/{process}").exists() for process in ids)
