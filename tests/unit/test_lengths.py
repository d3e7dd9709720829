"""How long rows are, told in a few numbers."""

from __future__ import annotations

import numpy as np

from rasft.data.lengths import Spread, histogram, spread


def test_a_spread_is_made_of_lengths_that_are_there() -> None:
    assert spread(range(1, 101)) == Spread(least=1, median=50, most=95, longest=100)
    assert spread([7]) == Spread(7, 7, 7, 7)


def test_a_histogram_counts_each_length_once_and_none_beyond_the_limit() -> None:
    lengths = list(range(1, 130))
    counts = histogram(np.array(lengths), 120)
    assert list(counts) == [f"{low}-{low + 14}" for low in range(1, 121, 15)]
    assert list(counts.values()) == [15] * 8


def test_a_limit_below_the_number_of_ranges_leaves_out_the_empty_ones() -> None:
    assert sum(histogram([1, 2, 3], 3).values()) == 3
    assert all(int(a) <= int(b) for a, b in (name.split("-") for name in histogram([1], 3)))
