"""SftFlow whose training runs on several machines: training.nodes of them.

python flows/sft_nodes_flow.py --config cfg FILE run                      here, as processes
python flows/sft_nodes_flow.py --config cfg FILE run --with kubernetes    needs JobSet there
"""

import bootstrap  # noqa: F401 isort: skip
from metaflow import step

from flows.base import EveryStep
from flows.nodes import OnNodes
from flows.sft_flow import SftFlow


@EveryStep
class SftNodesFlow(OnNodes, SftFlow):
    """... gather -> spread_nodes -> train on every node -> join_nodes -> ... evaluate."""

    @step
    def gather(self, inputs):
        """Each expert response is a training example."""
        self.weigh(inputs)
        self.next(self.spread_nodes)


if __name__ == "__main__":
    SftNodesFlow()
