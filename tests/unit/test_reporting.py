"""A report shows what is in the tables, as text and as pictures that open."""

import io
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from matplotlib.image import imread

from rasft.config.files import load
from rasft.config.settings import EvaluationConfig
from rasft.method.posterior import Stop
from rasft.records import (
    EXPERT,
    BenchmarkResult,
    Dropped,
    Group,
    Status,
    TrainingExample,
    Verdict,
    Work,
)
from rasft.report import plots, reporting, training_part, upshot
from rasft.report.reporting import RunResults
from rasft.results import accuracy
from rasft.tables import to_table

SETTINGS = EvaluationConfig(bootstrap_samples=2000)


def matrix(checkpoint: str, share: float, benchmark: str = "math500") -> list[BenchmarkResult]:
    generator = np.random.default_rng(int(100 * share))
    rows = generator.random((60, 4)) < share
    return [
        BenchmarkResult(benchmark, checkpoint, f"p{i}", tuple(map(bool, row)), ("correct",) * 4)
        for i, row in enumerate(rows)
    ]


def group(name: str, correct: int, unique: int) -> Group:
    solved = correct / unique
    return Group(
        name, "rollout", unique, unique, 0, correct, 0, solved, 1.0, 0.5,
        tuple(range(correct)), (0.005,) * correct, (),
    )  # fmt: skip


@pytest.fixture
def results() -> RunResults:
    rows = matrix("base", 0.1) + matrix("trained", 0.6)
    groups = [group(f"p{i}", i % 5, 4) for i in range(40)]
    steps = [{"step": i, "nll": 1 / i, "loss": 0.1 / i} for i in range(1, 9)]
    return RunResults(
        config=load("configs/demo.yaml"),
        provenance={"commit": "abc", "versions": {"torch": "2"}},
        groups=groups,
        verdicts=[Verdict("p0", 0, "math", "v", Status.TIMED_OUT)],
        dropped=[Dropped("q", "too_long", "900 tokens")],
        warmup_curve=steps,
        curve=steps,
        accuracies=accuracy.accuracies(rows, SETTINGS, 0),
        differences=accuracy.differences(rows, SETTINGS, 0),
        notes=("benchmark aime24 was skipped: no data",),
        work=[Work("rollout", "samples", 3, 4, 1), Work("rollout", "samples", 2, 1, 1)],
        results=rows,
        examples=to_table(
            [TrainingExample("p0", EXPERT, (1, 2, 3, 4), 2, 1.0, (-0.1, -0.2))], TrainingExample
        ),
    )


def test_the_report_tells_what_adaptive_sampling_saved(results: RunResults, tmp_path: Path) -> None:
    stops = [
        Stop("p0", unique=2, correct=2, expected_change=0.04, extended=False, saved=2),
        Stop("p1", unique=2, correct=0, expected_change=0.30, extended=True, saved=0),
    ]
    parts = reporting.sections(replace(results, stops=stops))
    text = reporting.write(parts, tmp_path).read_text()
    assert "1 of 2 problems were sampled further, 2 samples were saved" in text
    assert "0.020 in the mean, 0.040 at most" in text


def test_the_report_tells_every_count(results: RunResults, tmp_path: Path) -> None:
    text = reporting.write(reporting.sections(results), tmp_path).read_text()
    for part in (
        "Solved: 8 never, 24 sometimes, 8 always",
        "| timed_out | 1 |",
        "| too_long | 1 |",
        "aime24 was skipped",
        "base → trained",
        "| commit | abc |",
        "| rollout | samples | 5 | 5 |",
        "not read: 1",
    ):
        assert part in text, part


def test_a_few_problems_get_no_interval(results: RunResults) -> None:
    few = (matrix("base", 0.1) + matrix("trained", 0.6))[58:62]
    results = replace(
        results,
        accuracies=accuracy.accuracies(few, SETTINGS, 0),
        differences=[],
    )
    upshot_text, text = (section.text for section in reporting.sections(results)[:2])
    assert "**math500**: 2 problems are too few to tell models apart." in upshot_text
    assert "too few for an interval" in text
    assert "[" not in text


def test_pictures_open_and_are_not_blank(results: RunResults) -> None:
    pictures = [part.picture for part in reporting.sections(results) if part.picture]
    assert len(pictures) == 8
    for picture in pictures:
        pixels = imread(io.BytesIO(picture))
        assert pixels.shape[1] == 960
        assert pixels.std() > 0.05


def test_a_real_difference_is_told_from_noise() -> None:
    rows = matrix("base", 0.1) + matrix("trained", 0.6)
    (found,) = accuracy.differences(rows, SETTINGS, 0)
    assert found.is_real
    assert found.mean == pytest.approx(0.5, abs=0.1)
    same = matrix("base", 0.3) + [
        BenchmarkResult("math500", "trained", r.problem_id, r.correct[::-1], r.statuses)
        for r in matrix("base", 0.3)
    ]
    (none,) = accuracy.differences(same, SETTINGS, 0)
    assert not none.is_real


def test_checkpoints_judged_on_different_problems_are_not_compared() -> None:
    with pytest.raises(ValueError, match="different problems"):
        accuracy.differences(matrix("base", 0.1) + matrix("trained", 0.6)[1:], SETTINGS, 0)


def test_undecided_samples_are_counted_and_left_out() -> None:
    row = BenchmarkResult("b", "base", "p", (True, None), ("correct", "undecided"))
    (found,) = accuracy.accuracies([row], SETTINGS, 0)
    assert (found.mean, found.undecided, found.samples) == (1.0, 1, 2)


def test_what_came_of_it_stands_first(results: RunResults) -> None:
    first, *_ = reporting.sections(results)
    assert first.title == "What came of it"
    sentence, looks, listed = first.text.split("\n\n")
    assert sentence.startswith("**math500**: the trained model is better than the base model (+")
    assert sentence.endswith("]).")
    assert looks == "To look at first:"
    assert listed.splitlines() == [
        "- 8 of 40 problems were never solved, and train on the expert alone: Solvability",
        "- of 1 rollouts 1 timed_out: Verdicts and dropped rows",
        "- of 1 dropped rows 1 too_long: Verdicts and dropped rows",
    ]


def test_worse_and_not_told_apart_are_said() -> None:
    rows = [
        *matrix("base", 0.6), *matrix("warmed_up", 0.104), *matrix("trained", 0.1),
        *matrix("base", 0.6, "few")[:4], *matrix("trained", 0.1, "few")[:4],
    ]  # fmt: skip
    told = upshot.sentences(
        accuracy.accuracies(rows, SETTINGS, 0), accuracy.differences(rows, SETTINGS, 0)
    )
    assert re.fullmatch(
        r"\*\*math500\*\*: the trained model is worse than the base model \(-[\d.]+ points "
        r"\[.*\]\) and not told apart from the warmed-up model \([-+][\d.]+ points \[.*\]\)\.",
        told[0],
    )
    assert told[1] == "**few**: 4 problems are too few to tell models apart."


def test_nll_of_expert_and_own_sequences_is_drawn_apart(results: RunResults) -> None:
    old = results.curve
    apart = [{**row, "expert_nll": 1.0, "own_nll": None if i % 2 else 0.1}
             for i, row in enumerate(old)]  # fmt: skip
    pictures = [plots.curve(steps, "Training") for steps in (old, apart)]
    assert pictures[0] != pictures[1]
    text, _ = training_part.of("rasft", apart)
    assert training_part.MIXED in text
    assert training_part.MIXED not in training_part.of("rasft", old)[0]
