"""A training on several machines at once, as Metaflow's @parallel gives them.

Each machine is a task with its own disk and its own processes, and lays out the same job; the first
one saves what comes of it.
"""

import os
import sys

from metaflow import card, checkpoint, current, parallel, step

from flows.cards import CURVE_SECONDS, TRAINING
from flows.stages import Supervised
from rasft.training.launch.nodes import Node, port_of


def _name_first_task(words):
    """Tell a local first node its own task, as Metaflow tells the others and every pod.

    Metaflow does so only after @checkpoint has asked, which names the nodes' checkpoints by it.
    """
    if "ubf_control" in words and "--task-id" in words:
        task = words[words.index("--task-id") + 1]
        os.environ.setdefault("MF_PARALLEL_CONTROL_TASK_ID", task)


_name_first_task(sys.argv)


class OnNodes(Supervised):
    """spread_nodes -> train on each of `training.nodes` machines -> join_nodes ->
    spread_benchmarks.

    A step that joins cannot fan out, so these are four where one machine needs one.
    """

    SEVERAL_NODES = True

    @step
    def spread_nodes(self):
        """Ask for the machines."""
        self.next(self.train, num_parallel=self.config.training.nodes)

    def node(self):
        """Which machine of its training this task is; a second try takes another port."""
        if not hasattr(current, "is_parallel"):  # the warm-up trains on one machine
            return super().node()
        gang = current.parallel
        attempt = f"{current.run_id}/{current.step_name}/{current.retry_count}"
        return Node(gang.node_index, gang.num_nodes, gang.main_ip, port_of(attempt))

    @checkpoint(load_policy="none", show_card=False)
    @card(type="blank", id=TRAINING, refresh_interval=CURVE_SECONDS)
    @parallel
    @step
    def train(self):
        """Train on the weighted examples, on every machine at once."""
        self.train_policy()
        self.next(self.join_nodes)

    @step
    def join_nodes(self, inputs):
        """What the first machine kept is the run's."""
        first = [branch for branch in inputs if hasattr(branch, "trained")]
        self.merge_artifacts(first)
        self.next(self.spread_benchmarks)

    @step
    def spread_benchmarks(self):
        """A branch for each benchmark."""
        self.next(self.evaluate, foreach="benchmarks")
