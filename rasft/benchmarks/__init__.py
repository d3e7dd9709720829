"""Benchmark plugins: evaluation problems, no expert response needed. One file each.

A plugin module defines `load(source: rasft.data.source.Source) -> Iterator[Problem]`, and
`KIND`, "math", "code" or "choice": what its answers are; programs do not vote. `HELD_OUT = True`
marks the project's own generated splits, which stay out of the published averages. It may define
`ROWS`, the published number of its problems, as a dataset does (`rasft.datasets`).
"""
