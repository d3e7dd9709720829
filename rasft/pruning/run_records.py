"""What Metaflow's metadata tell of every stored run."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Collection, Iterator
from datetime import datetime
from typing import Any

from rasft.pruning.keeping import RunFacts
from rasft.results.runs import PRUNED

_RUN = re.compile(r"\b\w+/[\w-]*\d[\w-]*\b")  # Flow/run id
PARAMETERS = "_parameters"  # Metaflow's own first task, which holds the config


def facts() -> Iterator[RunFacts]:
    """Every run of every flow, whoever made it."""
    for run in _runs():
        tasks = [task for step in run for task in step]
        times = [run.created_at, *(time for task in tasks for time in _times(task))]
        ended = bool(run.finished)
        yield RunFacts(
            name=run.pathspec,
            active=max(times),
            ended=ended,
            tags=frozenset(run.user_tags),
            names=frozenset() if ended else frozenset(_named(run)),
        )


def code_packages(kept: Collection[str]) -> dict[str, set[str]]:
    """The blobs that hold the code of these runs, by flow."""
    found: dict[str, set[str]] = defaultdict(set)
    for run in _runs():
        if run.pathspec in kept:
            for task in (task for step in run for task in step):
                if package := task.metadata_dict.get("code-package"):
                    found[run.pathspec.partition("/")[0]].add(json.loads(package)["sha"])
    return found


def condemn(name: str) -> None:
    """Mark a run as removed: from here on it reads as gone, whatever is left of it."""
    from metaflow.client.core import Run

    Run(name).add_tag(PRUNED)


def _runs() -> Iterator[Any]:
    from metaflow.client.core import Metaflow, namespace

    namespace(None)  # whoever made the run
    for flow in Metaflow():
        yield from flow


def _times(task: Any) -> Iterator[datetime]:
    yield task.created_at
    if task.finished_at is not None:
        yield task.finished_at


def _named(run: Any) -> Iterator[str]:
    """The runs that a run's parameters and config name."""
    from metaflow.client.core import Step
    from metaflow.exception import MetaflowException

    try:
        task = Step(f"{run.pathspec}/{PARAMETERS}").task
    except MetaflowException:  # it has not come so far
        return
    for artifact in task or ():
        yield from _RUN.findall(str(artifact.data))
