"""A flow of which the work is known, for orchestration.py: its tasks sleep.

It has the project's own base, config and decorators.
"""

import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "flows"))

import bootstrap  # noqa: F401 isort: skip
from metaflow import Parameter, step

from flows.base import BaseFlow, EveryStep


@EveryStep
class KnownWorkFlow(BaseFlow):
    """`tasks` tasks, each of `seconds`."""

    tasks = Parameter("tasks", type=int, required=True)
    seconds = Parameter("seconds", type=float, required=True)

    @step
    def start(self):
        """Fan out."""
        self.shards = list(range(self.tasks))
        self.next(self.rollout, foreach="shards")

    @step
    def rollout(self):
        """The work."""
        time.sleep(self.seconds)
        self.next(self.collect)

    @step
    def collect(self, inputs):
        """Join."""
        self.next(self.end)

    @step
    def end(self):
        """Nothing more."""


if __name__ == "__main__":
    KnownWorkFlow()
