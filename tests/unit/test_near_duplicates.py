"""Near-duplicates are the pairs that comparing all pairs finds, and the first of them stays."""

import os
import random

import pytest

from rasft.data import near_duplicates
from rasft.data.near_duplicates import Twin, find, shingles
from rasft.data.source import Source
from rasft.plugins import load

DATA = os.environ.get("RASFT_DATA_DIR")


def texts(number: int) -> list[str]:
    """Sentences of 30 words, half of them an earlier one with up to three words changed."""
    generator = random.Random(0)
    made: list[str] = []
    for i in range(number):
        words = [f"w{generator.randrange(5000)}" for _ in range(30)]
        if i % 2 and made:
            words = generator.choice(made).split()
            for _ in range(generator.randrange(4)):
                words[generator.randrange(30)] = "changed"
        made.append(" ".join(words))
    return made


def similarity(left: str, right: str) -> float:
    ours, theirs = shingles(left), shingles(right)
    return len(ours & theirs) / len(ours | theirs)


def exhaustive(rows: list[str], threshold: float) -> list[int]:
    kept: list[int] = []
    repeated = []
    for i, row in enumerate(rows):
        if any(similarity(row, rows[j]) >= threshold for j in kept):
            repeated.append(i)
        else:
            kept.append(i)
    return repeated


@pytest.mark.parametrize("threshold", [0.7, 0.8, 1.0])
def test_it_finds_what_comparing_all_pairs_finds(threshold: float) -> None:
    rows = texts(300)
    found = find(rows, threshold)
    assert [twin.row for twin in found] == exhaustive(rows, threshold)
    assert all(twin.of < twin.row for twin in found)
    assert all(twin.similarity == similarity(rows[twin.row], rows[twin.of]) for twin in found)


def test_the_first_stays_and_the_rest_point_to_it() -> None:
    assert find(["one two", "three", "One, two!", "one two"], 0.8) == [
        Twin(2, 0, 1.0),
        Twin(3, 0, 1.0),
    ]


def test_only_rows_of_equal_sameness_repeat_each_other() -> None:
    assert find(["a b", "a b", "a b"], 0.8, lambda row: row % 2) == [Twin(2, 0, 1.0)]


def test_the_batches_do_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = texts(100)
    whole = find(rows, 0.8)
    monkeypatch.setattr(near_duplicates, "AT_ONCE", 7)
    assert find(rows, 0.8) == whole


def test_nothing_repeats_nothing() -> None:
    assert find([], 0.8) == []
    assert find(["alone"], 0.8) == []
    assert find(["", ""], 0.8) == [Twin(1, 0, 1.0)]


@pytest.mark.skipif(not DATA, reason="RASFT_DATA_DIR is not set")
def test_what_repeats_itself_in_math() -> None:
    """Of 12,000 problems 103 nearly repeat an earlier one in words, 14 of them with its answer."""
    rows = list(load("datasets", "math_train").load(Source(DATA, options={"part": "all"})))
    prompts = [row.prompt for row in rows]
    assert len(find(prompts, 0.8)) == 103
    same = find(prompts, 0.8, lambda row: rows[row].answer)
    assert 14 <= len(same) <= 20
    assert all(rows[twin.row].answer == rows[twin.of].answer for twin in same)
