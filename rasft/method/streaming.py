"""Groups and examples from tables of any size: a few problems' rows are read at a time.

What it holds beside the tables is one integer a row and the problems in flight. What comes out is
that of `aggregation.build_groups` and `build_examples`, in the same order.
"""

from __future__ import annotations

import multiprocessing
import os
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from rasft.config.settings import Config
from rasft.method.aggregation import Examples, PromptIds, build_examples, build_groups
from rasft.records import Group, Rollout, Route, SequenceScore, Status, TrainingExample, Verdict
from rasft.tables import from_table, take

PROBLEMS_AT_A_TIME = 1000
WORTH_PROCESSES = 10_000  # problems; with fewer, starting processes takes longer than it saves
_OF_ROLLOUTS = ["problem_id", "sample_index", "text", "finish_reason"]
_OF_VERDICTS = ["problem_id", "sample_index", "verifier", "status"]

Part = tuple[list[Route], pa.Table, pa.Table]  # some problems with their rollouts and verdicts


def stream_groups(
    routes: Sequence[Route], rollouts: pa.Table, verdicts: pa.Table, config: Config
) -> Iterator[Group]:
    """One group for each routed problem, from Rollout and Verdict rows; token ids are not read.

    Of many problems the groups are made on every core.
    """
    parts = _parts(routes, rollouts.select(_OF_ROLLOUTS), verdicts.select(_OF_VERDICTS))
    cores = len(os.sched_getaffinity(0))
    if cores == 1 or len(routes) < WORTH_PROCESSES:
        for part in parts:
            yield from _groups(part, config)
        return
    with ProcessPoolExecutor(cores, multiprocessing.get_context("forkserver")) as pool:
        running: deque[Future[list[Group]]] = deque()
        for part in parts:
            running.append(pool.submit(_groups, part, config))
            if len(running) > 2 * cores:
                yield from running.popleft().result()
        for future in running:
            yield from future.result()


def stream_examples(
    kind: Examples, groups: Sequence[Group], scores: pa.Table, prompt_ids: PromptIds
) -> Iterator[TrainingExample]:
    """The examples of these groups, from SequenceScore rows; raises KeyError for one that lacks."""
    scored = _ByProblem(scores, pa.array([group.problem_id for group in groups], pa.string()))
    for start in range(0, len(groups), PROBLEMS_AT_A_TIME):
        some = groups[start : start + PROBLEMS_AT_A_TIME]
        rows = from_table(scored.rows(start, start + len(some)), SequenceScore)
        yield from build_examples(kind, some, rows, prompt_ids)


def _parts(routes: Sequence[Route], rollouts: pa.Table, verdicts: pa.Table) -> Iterator[Part]:
    ids = pa.array([route.problem_id for route in routes], pa.string())
    sampled, judged = _ByProblem(rollouts, ids), _ByProblem(verdicts, ids)
    for start in range(0, len(routes), PROBLEMS_AT_A_TIME):
        some = list(routes[start : start + PROBLEMS_AT_A_TIME])
        end = start + len(some)
        yield some, sampled.rows(start, end), judged.rows(start, end)


class _ByProblem:
    """A table whose rows are found by their problem's place in `ids`; the table stays as it is."""

    def __init__(self, table: pa.Table, ids: pa.Array):
        self.table = table
        places = pc.index_in(table["problem_id"], ids).fill_null(-1).to_numpy()
        self.order = np.argsort(places, kind="stable")
        self.bounds = np.searchsorted(places, np.arange(len(ids) + 1), sorter=self.order)

    def rows(self, start: int, end: int) -> pa.Table:
        """A copy of the rows of the problems at places from `start` to before `end`."""
        return take(self.table, self.order[self.bounds[start] : self.bounds[end]])


def _groups(part: Part, config: Config) -> list[Group]:
    routes, rollouts, verdicts = part
    sampled = [
        Rollout(name, index, 0, (), text, finish) for name, index, text, finish in _tuples(rollouts)
    ]
    judged = [
        Verdict(name, index, verifier, "", Status(status))
        for name, index, verifier, status in _tuples(verdicts)
    ]
    return build_groups(routes, sampled, judged, config)


def _tuples(table: pa.Table) -> Iterator[tuple[Any, ...]]:
    return zip(*(column.to_pylist() for column in table.columns), strict=True)
