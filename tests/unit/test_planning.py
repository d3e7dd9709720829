"""What a plan says: the work of a config, speeds of past tasks, and bands that narrow with them."""

import math
import os
import subprocess
import sys
from pathlib import Path

import pytest
from transformers import AutoModelForCausalLM

from rasft.commands import plan as command
from rasft.config import files as config_files
from rasft.config.settings import BenchmarkConfig, Config, DatasetConfig, LedgerConfig, ModelConfig
from rasft.data import rows
from rasft.data.sizes import Size, size_of
from rasft.errors import UserError
from rasft.machine.disk_plan import disk_plan
from rasft.machine.planning import Timing, estimate, total
from rasft.machine.step_plans import SAMPLED, StepPlan, steps
from rasft.machine.task_times import BAND, ONE_MEASUREMENT
from rasft.models.parameters import Parameters, known_parameters
from tests import tiny_model

DEMO = config_files.load(config_files.CONFIGS / "demo.yaml")
CONFIGS = sorted(config_files.CONFIGS.rglob("*.yaml"))
EXPERIMENTS = [path for path in CONFIGS if path.parent.name not in config_files.APART]
AUTHORS = config_files.CONFIGS / "math_authors.yaml"  # names a file that the tests do not have
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


def test_each_judged_model_has_a_task_on_each_benchmark() -> None:
    judged = config_files.load("eval")
    start, evaluate, report, end = steps(judged, 0, {"heldout_math": 32, "a": 8}, {"evaluate": 1})
    assert (evaluate.tasks, evaluate.gpus) == (4, 1)
    assert evaluate.work == (32 + 8) / 2 * 128 / 2
    assert [each.step for each in (start, report, end)] == ["start", "report", "end"]


def test_cells_of_a_comparison_have_a_task_each_or_share_one() -> None:
    compare = config_files.load("compare")  # 8 methods, 3 seeds
    apart, shared = (
        {each.step: each for each in steps(config, 2800, {"heldout_sums": 200}, {})}
        for config in (
            config_files.build(
                config_files.merge(
                    compare.model_dump(mode="json"), {"comparison": {"cells_per_task": cells}}
                )
            )
            for cells in (1, 9)
        )
    )
    assert [apart[name].tasks for name in ("warmup", "sample")] == [3, 3]
    assert [apart[name].tasks for name in ("train", "evaluate")] == [27, 27]
    assert [shared[name].tasks for name in ("train", "evaluate")] == [3, 3]
    assert apart["sample"].work == (2800 - 2400) * 8 * 40 / 2
    assert shared["evaluate"].work == (8 + 2) * 200 * 4 * 40 / 2
    for name in ("train", "evaluate"):
        assert 27 * apart[name].work == pytest.approx(3 * shared[name].work)


def test_rounds_of_a_cell_train_again_and_draw_again() -> None:
    compare = config_files.load("compare").model_dump(mode="json")
    rows = {"rasft": {}, "four": {"training": {"method": "rasft"}, "rounds": 4}}
    planned = {}
    for name, row in rows.items():
        only = {"comparison": {"methods": {name: row}, "seeds": [1], "cells_per_task": 2}}
        config = config_files.build(config_files.merge(compare | {"comparison": {}}, only))
        planned[name] = {each.step: each for each in steps(config, 2800, {"a": 1}, {})}["train"]
    drawn = (2800 - 2400) * 8 * 40 / 2
    assert planned["four"].work == pytest.approx(4 * planned["rasft"].work + 3 * drawn * SAMPLED)


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


def test_short_tasks_tell_the_start_and_long_ones_the_pace() -> None:
    """The true task: 25 seconds before its work begins, then 40 of it a second."""
    past = [timing(25 + work / 40, work=work) for work in (10.0, 20.0, 4000.0, 8000.0)]
    plans = [StepPlan("rollout", 1, work=work, kind="generate") for work in (1.0, 40_000.0)]
    short, long = estimate(plans, past)
    assert short.seconds.middle == pytest.approx(25, rel=0.1)
    assert long.seconds.middle == pytest.approx(25 + 1000, rel=0.1)
    assert short.measured == long.measured == 4


def test_tasks_that_only_began_do_not_tell_how_long_a_long_one_takes() -> None:
    """Thirty seconds for ten tokens are a start of thirty seconds, not three seconds a token."""
    long = StepPlan("rollout", 1, work=1_000_000.0, kind="generate")
    (known,), (guess,) = estimate([long], [timing(30.0, work=10.0)] * 5), estimate([long], [])
    assert known.seconds.middle == pytest.approx(guess.seconds.middle, rel=0.25)
    assert known.seconds.high / known.seconds.low > 50


def test_one_measurement_moves_the_estimate_and_its_band() -> None:
    (found,), (guess,) = estimate([GENERATE], [timing(60.0)]), estimate([GENERATE], [])
    assert guess.seconds.middle < found.seconds.middle < 60
    factor = math.exp(BAND * ONE_MEASUREMENT)
    assert found.seconds.low * factor**0.8 < found.seconds.middle < found.seconds.low * factor**1.1


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
    one = found.seconds.middle
    assert one == pytest.approx(60, rel=0.05)
    assert found.wall_seconds(parallel=4).middle == one
    assert found.wall_seconds(parallel=3).middle == 2 * one


def test_the_disk_that_the_demo_takes() -> None:
    found = disk_plan(DEMO, parameters=135e6)
    assert found.told() == (
        "2.2 GB stay: models of 0.5, 2 in the datastore and 2 in the ledger; "
        "checkpoints take 3.2 while one trains"
    )
    without = DEMO.model_copy(update={"warmup": None, "ledger": LedgerConfig(trainings=False)})
    found = disk_plan(without, parameters=135e6)
    assert (found.stored, found.known) == (1, 0)


def test_a_comparison_keeps_each_cells_model_and_a_warm_up_that_seeds_share_once() -> None:
    parts = config_files.load("study/parts")  # one of its cells has four rounds
    seeds, cells = len(parts.comparison.seeds), len(parts.comparison.methods)
    found = disk_plan(parts, parameters=1e6)
    assert found.stored == seeds * (cells + 1)
    assert found.known == seeds * (cells + 3) + 1


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
        command.check_budget(estimates, None, 1.0)


@pytest.mark.parametrize(
    ("path", "parameters"),
    [
        ("Qwen/Qwen2.5-Math-1.5B", 1.5e9),
        ("meta-llama/Llama-3.2-1B-Instruct", 1e9),
        ("HuggingFaceTB/SmolLM2-135M-Instruct", 135e6),
        ("embedded:smollm2-135m", 135e6),
        ("some/model-4bit", None),
        ("7B/model", None),
        ("https://a-server/v1", None),
    ],
)
def test_the_size_of_a_model_that_is_not_here_is_in_its_name(
    path: str, parameters: float | None
) -> None:
    found = parameters and Parameters(parameters, parameters)
    assert known_parameters(ModelConfig(path=path)) == found


def test_of_a_mixture_a_token_goes_through_a_part() -> None:
    mixture = ModelConfig(path="Qwen/Qwen3-30B-A3B")
    assert known_parameters(mixture) == Parameters(total=30e9, active=3e9)


def test_the_size_of_a_model_that_is_here_is_counted(tmp_path: Path) -> None:
    folder = tiny_model.build(tmp_path / "model-7B")
    model = AutoModelForCausalLM.from_pretrained(folder)
    count = model.num_parameters()
    assert known_parameters(ModelConfig(path=str(folder))) == Parameters(count, count)


def test_a_larger_model_is_assumed_to_be_slower() -> None:
    train = StepPlan("train", 1, work=1e8, kind="train", gpus=1)
    verify = StepPlan("verify", 1, work=1e4, kind="verify")
    small, large = (estimate([train, verify], [], size) for size in (1.5e9, 7.5e9))
    assert large[0].seconds.middle == pytest.approx(5 * small[0].seconds.middle, rel=0.01)
    assert large[1] == small[1]
    (unknown,), (tiny,) = estimate([train], []), estimate([train], [], 1e5)
    assert unknown == small[0]
    assert tiny.seconds.middle > small[0].seconds.middle / 31


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    """No local data, no past run, and a hub that must not be asked."""

    def stream(place: rows.Location, local: Path | None) -> None:
        pytest.fail(f"{place.hub} was asked")

    monkeypatch.delenv("RASFT_DATA_DIR", raising=False)
    monkeypatch.setattr(rows, "_stream", stream)
    monkeypatch.setattr(command.runs, "past", lambda model: [])


def assumed(config: Config) -> list[str]:
    """The lines of a plan that say what was assumed."""
    text = command.render(command.plan(config, gpus=1), parallel=1, gpu_price=None, budget=None)
    return [line for line in text.splitlines() if line.startswith("assumed")]


@pytest.mark.usefixtures("offline")
@pytest.mark.parametrize("path", EXPERIMENTS, ids=lambda path: path.stem)
def test_every_config_is_planned_offline(path: Path) -> None:
    config = config_files.load(path)
    if path == AUTHORS:
        with pytest.raises(UserError, match=r"set RASFT_DATA_DIR .*; .* set its limit in"):
            command.plan(config, gpus=1)
        return
    found = command.plan(config, gpus=1)
    work = {each.plan.step: each.plan.work for each in found.estimates}
    sampled = ("sample", "train") if config.comparison else ("score", "rollout", "train")
    assert all(work[step] > 0 for step in (() if config.models else sampled))
    assert work["evaluate"] > 0


@pytest.mark.usefixtures("offline")
def test_published_numbers_are_named() -> None:
    assert assumed(config_files.load(config_files.CONFIGS / "math.yaml")) == [
        "assumed     numina_math_cot 10,000 of 859,494 problems, math500 500, minerva_math 272, "
        "olympiadbench 675, aime24 30, aime25 30, amc23 40, humaneval 164, mbpp 500 "
        "(as published; nothing of them was loaded)",
        "assumed     speeds of a model of 1.5 billion parameters",
    ]


@pytest.mark.usefixtures("offline")
def test_a_benchmark_that_a_run_may_skip_is_planned() -> None:
    published, available, speeds = assumed(DEMO)
    assert "heldout" not in published
    assert "math500 1 of 500 problems, minerva_math 1 of 272" in published
    assert available == "assumed     every benchmark is there; a run skips one that it cannot load"
    assert speeds == "assumed     speeds of a model of 135 million parameters"
    (evaluate,) = (e for e in command.plan(DEMO, gpus=1).estimates if e.plan.step == "evaluate")
    assert evaluate.plan.tasks == len(DEMO.evaluation.benchmarks)


@pytest.mark.usefixtures("offline")
def test_what_is_counted_is_not_assumed() -> None:
    (speeds,) = assumed(config_files.load(config_files.CONFIGS / "tiny.yaml"))
    assert speeds.startswith("assumed     speeds of a model of 0.")


@pytest.mark.usefixtures("offline")
def test_models_that_are_judged_are_assumed_to_be_of_the_common_sizes() -> None:
    assert assumed(config_files.load("eval"))[-1] == (
        "assumed     speeds of a model of 1.5 billion parameters on a GPU, "
        "of 135 million on two cores"
    )


@pytest.mark.usefixtures("offline")
def test_a_plan_is_the_same_where_the_data_lies(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = config_files.load(config_files.CONFIGS / "math.yaml")
    alone = command.plan(config, gpus=1)
    (tmp_path / "math").mkdir()
    (tmp_path / "math" / "math500.jsonl").write_text("a sample, not the whole\n")
    monkeypatch.setenv("RASFT_DATA_DIR", str(tmp_path))
    assert command.plan(config, gpus=1) == alone


def dataset(name: str, limit: int | None = None, **options: object) -> Size:
    return size_of("datasets", DatasetConfig(name=name, limit=limit, options=options), None, 0)


@pytest.mark.usefixtures("offline")
def test_a_limit_bounds_the_published_number() -> None:
    assert dataset("gsm8k") == Size("gsm8k", 7_473, published=7_473)
    assert dataset("gsm8k", 100) == Size("gsm8k", 100, published=7_473)
    assert dataset("gsm8k", 10_000) == Size("gsm8k", 7_473, published=7_473)


@pytest.mark.usefixtures("offline")
def test_an_option_may_change_the_published_number() -> None:
    assert dataset("math_train").problems == 7_500
    assert dataset("math_train", part="all").problems == 12_000
    with pytest.raises(UserError, match="option part = 'most' must be 'train' or 'all'"):
        dataset("math_train", part="most")
    with pytest.raises(UserError, match="math500: unknown option 'level'"):
        size_of("benchmarks", BenchmarkConfig(name="math500", options={"level": 5}), None, 0)


@pytest.mark.usefixtures("offline")
def test_generated_problems_are_counted() -> None:
    assert dataset("generated_sums") == Size("generated_sums", 1_000, counted=True)
    assert dataset("generated_sums", 20) == Size("generated_sums", 20, counted=True)


@pytest.mark.usefixtures("offline")
def test_the_rows_of_a_file_are_counted(tmp_path: Path) -> None:
    path = tmp_path / "own.jsonl"
    path.write_text('{"prompt": "1+1?", "verifier": "math"}\n' * 3)
    assert dataset("jsonl", path=str(path)) == Size("jsonl", 3, counted=True)
    assert dataset("jsonl", 2, path=str(path)) == Size("jsonl", 2, counted=True)
    assert dataset("jsonl", 9, path=str(path)) == Size("jsonl", 3, counted=True)


@pytest.mark.usefixtures("offline")
def test_a_limit_stands_for_a_file_that_is_not_there() -> None:
    assert dataset("jsonl", 9, path="none.jsonl") == Size("jsonl", 9)
    authors = config_files.load(AUTHORS)
    (wanted,) = authors.data.datasets
    limited = authors.data.model_copy(
        update={"datasets": (wanted.model_copy(update={"limit": 10_000}),)}
    )
    lines = assumed(authors.model_copy(update={"data": limited}))
    assert "assumed     files 10,000 problems (its limit; the rows are not here)" in lines


def test_the_command_plans_without_data(tmp_path: Path) -> None:
    done = plan(tmp_path, str(config_files.CONFIGS / "math.yaml"))
    assert done.returncode == 0, done.stderr
    assert "\nassumed     numina_math_cot 10,000 of 859,494 problems, math500 500" in done.stdout
    done = plan(tmp_path, str(AUTHORS))
    assert done.returncode != 0
    assert len(done.stderr.strip().splitlines()) == 1
    assert "set its limit in the config" in done.stderr
