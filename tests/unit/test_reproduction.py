"""A verdict on a published figure is right as often as it says, and the power it states is had."""

import numpy as np
import pytest

from rasft.records import BenchmarkResult
from rasft.results.cells import Cell, Source
from rasft.results.published import PublishedRow, Setting
from rasft.results.reproduction import Question, reproduce

SOURCE = Source("RasftFlow/1", 0, "c", "", "", "", "", {})
PROBLEMS = 200
DIFFICULTY = np.random.default_rng(0).beta(2, 2, PROBLEMS)


def cells(
    generator: np.random.Generator,
    seeds: int,
    samples: int,
    seed_spread: float,
    gain: float = 0.0,
    benchmark: str = "math500",
) -> list[Cell]:
    found = []
    for seed in range(seeds):
        right = measured(generator, samples, seed_spread, gain)
        rows = tuple(
            BenchmarkResult(benchmark, "trained", f"p{i}", tuple(map(bool, row)), ("",) * samples)
            for i, row in enumerate(right)
        )
        found.append(Cell("rasft", benchmark, seed, rows, SOURCE))
    return found


def measured(
    generator: np.random.Generator, samples: int, seed_spread: float, gain: float = 0.0
) -> np.ndarray:
    share = np.clip(DIFFICULTY + gain + generator.normal(0, seed_spread), 0, 1)
    return generator.random((PROBLEMS, samples)) < share[:, None]


def published(value: float, samples: int = 16, **columns: float) -> PublishedRow:
    setting = Setting(
        data="numina_math_cot", problems=1, benchmarks=["math500"], system="",
        samples=samples, temperature=1.0, top_p=1.0,
    )  # fmt: skip
    percent = {"math500": 100 * value} | columns
    return PublishedRow(source="s", model="m", method="rasft", setting=setting, percent=percent)


@pytest.mark.parametrize(("gain", "never"), [(0.0, "differs"), (0.10, "agrees")])
def test_the_wrong_verdict_is_rare(gain: float, never: str) -> None:
    """Equal models seldom differ, and ten points apart never agree, over 200 repetitions."""
    generator = np.random.default_rng(2)
    verdicts = []
    for _ in range(200):
        theirs = published(measured(generator, 16, 0.01).mean())
        ours = cells(generator, seeds=3, samples=16, seed_spread=0.01, gain=gain)
        (found,) = reproduce(theirs, ours, Question())
        verdicts.append(found.verdict)
    assert verdicts.count(never) / 200 <= 0.08


def test_a_clear_case_of_each_verdict() -> None:
    generator = np.random.default_rng(2)
    ours = cells(generator, seeds=4, samples=64, seed_spread=0.0)
    mean = np.mean([r.correct for cell in ours for r in cell.results])
    wide = Question(margin=0.05)
    assert reproduce(published(mean, 64), ours, wide)[0].verdict == "agrees"
    assert reproduce(published(mean + 0.2, 64), ours, wide)[0].verdict == "differs"
    few = cells(generator, seeds=2, samples=2, seed_spread=0.02)
    assert reproduce(published(mean, 64), few, wide)[0].verdict == "too noisy"


def test_the_samples_it_asks_for_decide_in_four_of_five() -> None:
    """Seeds alike, one sample a problem: too noisy; with what it asks for, decided."""
    generator = np.random.default_rng(3)
    question = Question(margin=0.03, seed_spread=0.0)
    truth = float(DIFFICULTY.mean())
    theirs = published(truth, samples=10_000)
    first = cells(generator, seeds=1, samples=4, seed_spread=0.0, gain=0.0)
    while abs(np.mean([r.correct for r in first[0].results]) - truth) > 0.002:
        first = cells(generator, seeds=1, samples=4, seed_spread=0.0)
    (noisy,) = reproduce(theirs, first, question)
    assert noisy.verdict == "too noisy"
    assert noisy.needed_samples is not None
    again = [
        reproduce(theirs, cells(generator, 1, noisy.needed_samples, 0.0), question)[0].verdict
        for _ in range(60)
    ]
    assert again.count("agrees") / 60 >= 0.6


def test_nothing_of_ours_decides_where_theirs_is_too_uncertain() -> None:
    ours = cells(np.random.default_rng(4), seeds=1, samples=4, seed_spread=0.0)
    theirs = published(float(DIFFICULTY.mean()), samples=4)
    (found,) = reproduce(theirs, ours, Question(margin=0.01, seed_spread=0.03))
    assert found.verdict == "too noisy"
    assert (found.needed_seeds, found.needed_samples) == (None, None)


def test_more_columns_ask_for_more() -> None:
    ours = cells(np.random.default_rng(5), seeds=3, samples=8, seed_spread=0.01)
    (alone,) = reproduce(published(0.5), ours, Question())
    both = [*ours, *cells(np.random.default_rng(6), 3, 8, 0.01, benchmark="amc23")]
    together, _ = reproduce(published(0.5, amc23=50.0), both, Question())
    assert together.high - together.low > alone.high - alone.low


def test_columns_that_we_did_not_evaluate_are_left_out() -> None:
    ours = cells(np.random.default_rng(7), seeds=1, samples=2, seed_spread=0.0)
    found = reproduce(published(0.5, aime24=3.0), ours, Question())
    assert [verdict.column for verdict in found] == ["math500"]
