"""Supervised fine-tuning on the expert responses alone, by any loss that needs no rollouts.

python flows/sft_flow.py run                                              the demo, by plain SFT
python flows/sft_flow.py --config cfg configs/variants/dft.yaml run       another loss
"""

import bootstrap  # noqa: F401 isort: skip
from metaflow import step

from flows.base import EveryStep, config_of
from flows.stages import Supervised
from rasft import tables
from rasft.stages import collect, score


@EveryStep
class SftFlow(Supervised):
    """score -> train -> evaluate, over problems."""

    TRAINS = ("expert",)
    cfg = config_of("demo_sft")

    @step
    def score(self):
        """The expert responses, with the reference's log-probs where the loss reads any."""
        self.expert_scores, self.score_work = score.read_experts(
            self.config, self.problems, self.policy(), self.input
        )
        self.next(self.gather)

    @step
    def gather(self, inputs):
        """Each expert response is a training example."""
        self.weigh(inputs)
        self.next(self.train)

    def weigh(self, inputs):
        """The training examples, as artifacts."""
        for table in ("expert_scores", "score_work"):
            setattr(self, table, tables.concat(getattr(branch, table) for branch in inputs))
        self.merge_artifacts(inputs)
        self.groups = collect.expert_groups(self.config, self.problems)
        self.examples = collect.examples(
            self.config, self.problems, self.groups, self.expert_scores, self.policy()
        )


if __name__ == "__main__":
    SftFlow()
