"""Pictures open, show every row, and are drawn the same way each time."""

import io
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
from matplotlib.image import imread
from stored_runs import run, runs, table

from rasft.records import EXPERT, TrainingExample
from rasft.report import comparison_plots, example_plots
from rasft.report.canvas import spread
from rasft.results import cells
from rasft.tables import to_table

CURVE = [{"step": step, "nll": 1 / step} for step in range(1, 9)]


def pixels(picture: bytes | None) -> np.ndarray:
    assert picture
    return imread(io.BytesIO(picture))


def test_a_comparison_gives_five_pictures_the_same_each_time() -> None:
    found = [
        replace(each, curve=CURVE, drift=0.1 * each.seed)
        for each in runs({"sft": 0.3, "rasft": 0.4}, seeds=2)
    ]
    drawn = [comparison_plots.pictures(table(found), cells.cells(found), found) for _ in range(2)]
    assert drawn[0] == drawn[1]
    assert list(drawn[0]) == [
        "accuracy.png",
        "problems-solved.png",
        "accuracy-by-solvability.png",
        "drift-and-accuracy.png",
        "training-curves.png",
    ]
    for picture in drawn[0].values():
        assert pixels(picture).std() > 0.05


def test_what_is_not_there_is_not_drawn() -> None:
    """No curve, no drift, and one seed."""
    found = [run("sft", 0, 0.3)]
    drawn = comparison_plots.pictures(table(found), cells.cells(found), found)
    assert not {"training-curves.png", "drift-and-accuracy.png"} & drawn.keys()
    assert comparison_plots.by_bucket({"base": {("b", "p", 0): 0.5}}) is None


def test_shares_leave_out_what_is_undecided() -> None:
    (first, *_) = run("sft", 0, 0.3).results
    undecided = type(first)("b", "base", "p", (None, None), ("undecided",) * 2)
    half = type(first)("b", "base", "q", (True, False, None), ("",) * 3)
    assert comparison_plots.shares([undecided, half], 3) == {("b", "q", 3): 0.5}


@pytest.fixture
def examples() -> pa.Table:
    rows = [
        TrainingExample(f"p{i}", EXPERT if i % 3 else 0, tuple(range(20 + i)), 10, 0.5,
                        tuple(-0.1 * t for t in range(10 + i)))
        for i in range(30)
    ]  # fmt: skip
    return to_table(rows, TrainingExample)


def test_lengths_and_token_weights_of_examples(examples: pa.Table) -> None:
    for picture in (example_plots.lengths(examples), example_plots.token_weights(examples)):
        assert pixels(picture).std() > 0.05


def test_without_reference_probabilities_there_are_no_token_weights(examples: pa.Table) -> None:
    bare = [TrainingExample("p", EXPERT, (1, 2, 3), 1, 1.0, ())]
    assert example_plots.token_weights(to_table(bare, TrainingExample)) is None


@pytest.mark.parametrize("values", [[0.5, 0.5, 0.5], [0.1, 0.9], [0.3, 0.31, 0.32, 0.9], [1.0]])
def test_labels_keep_their_distance_and_their_order(values: list[float]) -> None:
    placed = spread(values, 0.1)
    assert np.diff(sorted(placed)).min(initial=1) >= 0.1 - 1e-9
    assert sorted(range(len(values)), key=values.__getitem__) == sorted(
        range(len(values)), key=placed.__getitem__
    )


def test_no_label_lies_below_the_lowest_place() -> None:
    assert spread([0.0, 0.01, 0.02, 0.9], 0.1, lowest=0.0) == [0.0, 0.1, 0.2, 0.9]
