"""How small a difference a design finds: against tables whose noise and difference are known."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import yaml
from stored_runs import run, runs, table

from rasft.commands.power import Asked, run_power
from rasft.config import files
from rasft.config.settings import Config
from rasft.errors import UserError
from rasft.report import planned_part
from rasft.results import comparison, pilot, power
from rasft.results.comparison import Column, Contrast, Interval
from rasft.results.pilot import Budget, Pilot, Times
from rasft.results.power import Components, Design
from rasft.stages import compare

PARTS = Components(seed=0.03, problem=0.1, both=0.15, sample=0.4)
SECONDS = [("start", 5.0), ("warmup", 10.0), ("warmup", 20.0), ("train", 8.0),
           ("evaluate", 2.0), ("evaluate", 4.0), ("report", 1.0)]  # fmt: skip
SMALL = Design(methods=4, seeds=6, problems=80, samples=2)


def noise(number: int, design: Design = SMALL) -> np.ndarray:
    return power._noise(np.random.default_rng(number), PARTS, design)


def test_the_components_are_those_that_tables_were_drawn_from() -> None:
    found = [power.components(noise(number), SMALL.samples, 0.4**2) for number in range(300)]
    squares = np.mean([[f.seed**2, f.problem**2, f.both**2] for f in found], axis=0)
    assert squares[1:] == pytest.approx([0.1**2, 0.15**2], rel=0.04)
    # the upper 80 % limit of what a seed changes lies above it in four tables of five
    assert np.mean([f.seed > PARTS.seed for f in found]) == pytest.approx(0.8, abs=0.07)


def test_what_all_methods_share_is_nobodys_noise() -> None:
    scores = noise(1)
    shared = scores + np.random.default_rng(2).normal(0, 0.3, (1, 6, 80))
    assert vars(power.components(shared, 2, 0.16)) == pytest.approx(
        vars(power.components(scores, 2, 0.16))
    )


def test_the_difference_is_found_as_often_as_said() -> None:
    finds = power.detectable(PARTS, SMALL)
    found, tables = 0, 200
    for number in range(tables):
        scores = noise(50_000 + number)
        scores[1] += finds
        rows = {f"m{k}": dict(enumerate(each)) for k, each in enumerate(scores)}
        contrasts = [Contrast("c", f"m{k}", "m0") for k in (1, 2, 3)]
        intervals = comparison.simultaneous([Column("c", {"c": rows})], contrasts, 1000)
        found += intervals[0].low > 0
    assert found / tables == pytest.approx(power.POWER, abs=0.06)  # 0.021 standard deviation


def test_more_of_anything_finds_less_and_more_comparisons_find_more() -> None:
    known = power.detectable(PARTS, SMALL)
    assert power.detectable(PARTS, SMALL) == known  # the same question, the same answer
    assert power.detectable(PARTS, replace(SMALL, seeds=18)) < known
    assert power.detectable(PARTS, replace(SMALL, columns=4)) > known
    assert power.detectable(PARTS, replace(SMALL, starts=6)) > known
    errors = [
        power.standard_error(PARTS, replace(SMALL, **more))
        for more in ({}, {"seeds": 7}, {"problems": 90}, {"samples": 3})
    ]
    assert max(errors) == errors[0]


def test_a_stored_comparison_is_a_pilot() -> None:
    stored = runs({"sft": 0.3, "dft": 0.4, "rasft": 0.5})
    known = pilot.pilot_of("CompareFlow/1", stored, SECONDS, "math500")
    assert known.design == Design(
        3, 3, 60, 4, columns=4, starts=1
    )  # math500, amc23, average, humaneval
    assert known.parts.sample == pytest.approx(0.5, abs=0.05)  # sqrt(p (1 - p))
    wrong_everywhere = [
        replace(each, results=[replace(row, correct=(False,) * 4) for row in each.results])
        for each in stored
    ]
    for wrong, message in (
        (
            (stored, SECONDS, "mth500"),
            "has no benchmark 'mth500'; it has: amc23, humaneval, math500",
        ),
        (([run("sft", 1, 0.3)], SECONDS, "amc23"), "fewer than two methods have all of its seeds"),
        (
            ([run("sft", 1, 0.3), run("dft", 1, 0.4)], SECONDS, "amc23"),
            "two methods, seeds and problems",
        ),
        ((wrong_everywhere, SECONDS, "amc23"), "all its methods score alike"),
    ):
        with pytest.raises(UserError, match=message):
            pilot.pilot_of("CompareFlow/1", *wrong)


def test_the_answer_is_a_table_of_designs_and_a_part_of_a_config(monkeypatch) -> None:
    """Of stored runs; that runs are read from the datastore is tested with a real one."""
    config = files.parse(f"{PLANNED.partition('  planned')[0]}  seeds: [1, 2]\n{AMC}")
    stored = runs({"sft": 0.3, "dft": 0.4})
    seconds = [("warmup", 60.0), ("train", 60.0), ("evaluate", 60.0)]
    monkeypatch.setattr("rasft.results.runs.find", lambda run: SimpleNamespace(pathspec=run))
    monkeypatch.setattr("rasft.results.runs.read", lambda ids: stored)
    monkeypatch.setattr("rasft.results.runs.seconds_of_tasks", lambda run: seconds)
    said = run_power(config, Asked("CompareFlow/7", hours=1.0, parallel=2))
    assert "Pilot CompareFlow/7, amc23: 2 methods, 3 seeds, 40 problems, 4 samples." in said
    assert "| the config's | 2 | 40 | 4 |" in said
    assert (
        "for all 8 differences of the table at once. Hours are the pilot's tasks, 2 at a time."
        in said
    )
    best = next(row.split(" | ") for row in said.splitlines() if "finds most" in row)
    stated = yaml.safe_load(said.partition("problems and samples:")[2])["comparison"]
    assert len(stated["seeds"]) == stated["planned"]["seeds"] == int(best[1])
    assert stated["planned"]["finds"] == float(best[5].strip(" |"))
    assert float(best[4]) <= 1
    with pytest.raises(UserError, match=r"in 0.01 h not even 2 seeds with 20 problems are done"):
        run_power(config, Asked("CompareFlow/7", hours=0.01, parallel=2))
    with pytest.raises(UserError, match="the config has no benchmark 'math500'; it has: amc23"):
        run_power(config, Asked("CompareFlow/7", benchmark="math500"))


def test_one_sample_a_problem_says_nothing_of_sampling() -> None:
    assert power.variance_of_a_sample([[(True,), (None, False)]]) == 0
    assert power.variance_of_a_sample([[(True, False), (True, True)]]) == pytest.approx(0.25)


def test_proposals_keep_to_the_hours() -> None:
    times = Times(run=60, seed=120, training=30, evaluation=20)
    known = Pilot("CompareFlow/1", "c", replace(SMALL, problems=100, samples=4), PARTS, times)
    found = pilot.proposals(known, SMALL, Budget(1.0, 2, 500), (2, 6, 12, 500), (1, 4))
    assert [design.seeds for design in found] == [2, 6, 12]  # 500 are never done
    assert all(20 <= design.problems <= 500 for design in found)
    assert all(known.hours(design, 2) <= 1 for design in found)
    assert found[0].problems == 500
    # tasks at a time help as long as there are tasks: five branches in each of two seeds
    two = replace(SMALL, seeds=2)
    assert known.hours(two, 2) > known.hours(two, 10) == known.hours(two, 50)


def test_times_are_the_means_of_the_tasks() -> None:
    assert pilot.times_of(SECONDS, 4) == Times(run=6, seed=15, training=8, evaluation=3)
    groups = [("prepare", 1.0), ("prepare", 1.0), *[("train", 8.0), ("evaluate", 2.0)] * 4]
    assert pilot.times_of(groups, 4) == Times(run=0, seed=1, training=4, evaluation=1)


def interval(mean: float, reach: float) -> Interval:
    return Interval(Contrast("c", "a", "b"), mean, mean - reach, mean + reach, 3, 60)


def test_an_interval_over_zero_means_what_the_plan_makes_of_it() -> None:
    assert planned_part.said(interval(0.05, 0.02), 0.03) == "better"
    assert planned_part.said(interval(-0.05, 0.02), 0.03) == "worse"
    assert planned_part.said(interval(0.005, 0.02), 0.03) == "no difference of 3 points"
    assert planned_part.said(interval(0.02, 0.025), 0.03) == "not told apart"


PLANNED = """
extends: compare
name: planned
comparison:
  planned: {pilot: CompareFlow/1, benchmark: heldout_sums, finds: 2, SIZES}
"""
SIZES = "seeds: 3, problems: 200, samples: 4"


AMC = "evaluation: {benchmarks: [{name: amc23, samples: 4}]}"


def planned(sizes: str = SIZES, benchmark: str = "heldout_sums") -> Config:
    return files.parse(PLANNED.replace("SIZES", sizes).replace("heldout_sums", benchmark))


def test_the_report_says_what_was_planned_and_what_was_looked_at_afterwards() -> None:
    comparison_of = compare.of(planned()).planned
    assert comparison_of is not None
    asked = comparison_of.model_copy(update={"benchmark": "amc23", "finds": 60.0})
    found = table(runs({"sft": 0.3, "dft": 0.3, "rasft": 0.9}))
    said = planned_part.text(asked, found)
    assert "from the pilot CompareFlow/1: seeds 3, problems 200 and samples 4 on amc23" in said
    assert "Ran: seeds 3, problems 40; not as planned" in said
    assert "| rasft | +60" in said and "| better |" in said  # noqa: PT018
    assert "| no difference of 60 points |" in said
    assert "| base |" not in said
    assert "afterwards, since the plan says nothing of them: math500, " in said


@pytest.mark.parametrize(
    ("sizes", "benchmark", "message"),
    [
        ("seeds: 20, problems: 200, samples: 4", "heldout_sums",
         "planned.seeds = 20, but the config has 3"),
        ("seeds: 3, problems: 100, samples: 4", "heldout_sums",
         "planned.problems = 100, but the config has 200"),
        ("seeds: 3, problems: 200, samples: 8", "heldout_sums",
         "planned.samples = 8, but the config has 4"),
        (SIZES, "heldout_math", "the config has no benchmark 'heldout_math'; it has: heldout_sums"),
    ],
)  # fmt: skip
def test_a_run_is_held_to_its_plan(sizes: str, benchmark: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        compare.of(planned(sizes, benchmark))
