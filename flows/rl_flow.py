"""Reinforcement learning from verified answers, by GRPO or DAPO: the baselines beside RASFT.

python flows/rl_flow.py run                                              the demo, by GRPO
python flows/rl_flow.py --config cfg configs/variants/dapo.yaml run      the paper's setting
"""

import bootstrap  # noqa: F401 isort: skip
from metaflow import card, step

from flows.base import EveryStep, config_of
from flows.cards import CURVE_SECONDS, TRAINING
from flows.stages import Ends
from rasft.stages import reinforce, training_method


@EveryStep
class RlFlow(Ends):
    """warmup -> train on rewards -> evaluate."""

    TRAINS = (training_method.REWARDS,)
    cfg = config_of("demo_grpo")

    @card(type="blank", id=TRAINING, refresh_interval=CURVE_SECONDS)
    @step
    def warmup(self):
        """A short expert stage, where configured: its model is then the policy."""
        self.warm_up()
        self.next(self.train)

    @step
    def train(self):
        """Sample, verify and train, over and over; the result is reloaded before it counts."""
        with self.work_folder() as folder:
            self.keep(reinforce.reinforce(self.config, self.problems, self.policy(), folder))
        self.notes = (*self.notes, *self.training_summary["notes"])
        self.next(self.evaluate, foreach="benchmarks")


if __name__ == "__main__":
    RlFlow()
