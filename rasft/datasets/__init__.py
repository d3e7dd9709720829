"""Dataset plugins: training problems, each with an expert response. One file each.

A plugin module defines `load(source) -> Iterator[Problem]`, which streams. It yields every row
it finds, usable or not: `rasft.data.problems` validates rows, and counts and reports what it drops.
For a row that can be no problem at all it yields a `Dropped` with the reason. With `source.limit` 0
it checks its options and reads nothing.

It may define `ROWS`, the published number of its rows, or a `ByOption` or `ByParts` of such
numbers: with it `rasft plan` needs no data; without it the rows are read to be counted.
"""
