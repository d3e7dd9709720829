"""What a plan says: the work of a config, speeds of past tasks, and bands that narrow with them."""

import math
import os
import subprocess
import sys
from pathlib import Path

import pytest

from rasft import config_files
from rasft.commands.plan import check_budget
from rasft.errors import UserError
from rasft.machine.planning import BAND, ONE_MEASUREMENT, StepPlan, Timing, estimate, steps, total

DEMO = config_files.load(config_files.CONFIGS / "demo.yaml")
GENERATE = StepPlan("rollout", 4, work=1000.0, kind="generate")


def timing(seconds: float, work: float = 1000.0, gpus: int = 0) -> Timing:
    return Timing("rollout", work, gpus, seconds)


def test_the_work_of_the_demo() -> None:
    planned = {each.step: each for each in steps(DEMO, 192, {"heldout_math": 32}, {"train": 2})}
    assert planned["rollout"].tasks == 2
    assert planned["rollout"].work == (192 - 128) * 4 / 2 * 96 / 2
    assert planned["evaluate"].work == 32 * 2 * 3 * 96 / 2
    assert planned["train"].gpus == 2
    assert planned["gather"].gpus == planned["rollout"].gpus == 0


def test_nodes_share_the_training() -> None:
    training = DEMO.training.model_copy(update={"nodes": 4})
    together = DEMO.model_copy(update={"training": training})
    one, four = (
        {each.step: each for each in steps(config, 192, {"a": 1}, {"train": 8})}["train"]
        for config in (DEMO, together)
    )
    assert (four.tasks, four.gpus) == (4, 8)
    assert four.work == one.work / 4
    alone, shared = estimate([one, four], [])
    assert shared.wall_seconds(1).middle < alone.wall_seconds(1).middle


def test_more_work_is_never_less_time() -> None:
    small, large = (
        total(each.seconds for each in estimate(steps(DEMO, count, {"a": count}, {}), []))
        for count in (200, 2000)
    )
    assert small.middle < large.middle


def test_a_past_task_scales_with_the_work_but_not_its_start() -> None:
    (found,) = estimate([GENERATE], [timing(seconds=30.0, work=500.0)])
    assert found.seconds.middle == pytest.approx(10 + (30 - 10) * 2)
    assert found.measured == 1


def test_one_measurement_has_the_stated_band() -> None:
    (found,) = estimate([GENERATE], [timing(60.0)])
    factor = math.exp(BAND * ONE_MEASUREMENT)
    figures = (found.seconds.low, found.seconds.middle, found.seconds.high)
    assert figures == pytest.approx((60 / factor, 60, 60 * factor))


def test_the_band_narrows_with_measurements_and_widens_with_their_spread() -> None:
    def width(*seconds: float) -> float:
        (found,) = estimate([GENERATE], [timing(each) for each in seconds])
        return found.seconds.high / found.seconds.low

    assert width(60, 60, 60, 60) < width(60, 60) < width(60)
    assert width(20, 180, 20, 180) > width(60, 60, 60, 60)
    (guess,) = estimate([GENERATE], [])
    assert guess.measured == 0
    assert guess.seconds.high / guess.seconds.low > width(60)


def test_other_steps_and_other_gpus_tell_nothing() -> None:
    others = [timing(60.0, gpus=1), Timing("score", 1000.0, 0, 60.0)]
    assert estimate([GENERATE], others)[0].measured == 0


def test_tasks_share_the_machine() -> None:
    (found,) = estimate([GENERATE], [timing(60.0)] * 9)
    assert found.wall_seconds(parallel=4).middle == pytest.approx(60)
    assert found.wall_seconds(parallel=3).middle == pytest.approx(120)


def plan(tmp_path: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """The command where no run was made yet."""
    alone = {"METAFLOW_DATASTORE_SYSROOT_LOCAL": str(tmp_path), "HF_HUB_OFFLINE": "1"}
    environment = {k: v for k, v in os.environ.items() if k != "RASFT_DATA_DIR"} | alone
    command = [sys.executable, "-m", "rasft.cli", "plan", "--gpus", "1", *words]
    return subprocess.run(command, env=environment, capture_output=True, text=True)


def test_the_command_prints_every_step_and_its_sums(tmp_path: Path) -> None:
    done = plan(tmp_path, "--gpu-price", "2", "--budget", "1000")
    assert done.returncode == 0, done.stderr
    for part in ("| rollout | 2 |", "an assumption", "GPU-hours", "wall time", "at $2.00 a GPU"):
        assert part in done.stdout


def test_a_run_above_the_budget_is_refused(tmp_path: Path) -> None:
    done = plan(tmp_path, "--gpu-price", "1000", "--budget", "0.01")
    assert done.returncode != 0
    assert "above the budget of $0.01" in done.stderr
    estimates = estimate([GENERATE], [])
    with pytest.raises(UserError, match="add --gpu-price"):
        check_budget(estimates, None, 1.0)
