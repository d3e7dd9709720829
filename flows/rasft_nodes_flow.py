"""RasftFlow whose training runs on several machines: training.nodes of them.

python flows/rasft_nodes_flow.py --config cfg FILE run                      here, as processes
python flows/rasft_nodes_flow.py --config cfg FILE run --with kubernetes    needs JobSet there
"""

import bootstrap  # noqa: F401 isort: skip
from metaflow import step

from flows.base import EveryStep
from flows.nodes import OnNodes
from flows.rasft_flow import RasftFlow


@EveryStep
class RasftNodesFlow(OnNodes, RasftFlow):
    """... collect -> spread_nodes -> train on every node -> join_nodes -> ... evaluate."""

    @step
    def collect(self, inputs):
        """Solvability, weights and training examples of all problems."""
        self.weigh(inputs)
        self.next(self.spread_nodes)


if __name__ == "__main__":
    RasftNodesFlow()
