"""Rollout-adaptive supervised fine-tuning as one workflow.

python flows/rasft_flow.py run                                     the embedded demo
python flows/rasft_flow.py --config cfg configs/math.yaml run      the paper's setting
python flows/rasft_flow.py --config cfg configs/math.yaml run --with kubernetes
"""

import bootstrap  # noqa: F401 isort: skip
from metaflow import step

from flows.base import EveryStep
from flows.chained import Chained
from flows.recovery import UNMERGED, is_lost, whole_and_lost
from rasft import tables
from rasft.stages import collect, rollout, rounds, route, score, verify

# Tables of the rollout shards.
SHARDED = ("rollouts", "rollout_scores", "verdicts", "unsampled", "stops")


@EveryStep
class RasftFlow(Chained):
    """score -> rollout -> verify -> collect -> train -> evaluate, over problems and shards."""

    TRAINS = ("group", "expert", "own", "unsolved_expert")

    @step
    def score(self):
        """Expert log-probabilities under the reference, and under the policy where it has moved."""
        self.expert_scores, self.score_work = score.score_experts(
            self.config, self.problems, self.reference(), self.input
        )
        self.policy_scores = self.expert_scores
        if self.started_from:
            self.policy_scores, _ = score.score_experts(
                self.config, self.problems, self.policy(), self.input
            )
        self.next(self.gather)

    @step
    def gather(self, inputs):
        """Join the shards' scores."""
        for table in ("expert_scores", "policy_scores", "score_work"):
            setattr(self, table, tables.concat(getattr(branch, table) for branch in inputs))
        self.merge_artifacts(inputs)
        self.next(self.route)

    @step
    def route(self):
        """Choose the problems that get rollouts."""
        self.routes = route.route(self.round_config, self.problems, self.policy_scores)
        self.rollout_shards = list(range(self.config.rollout.shards))
        self.next(self.rollout, foreach="rollout_shards")

    @step
    def rollout(self):
        """Sample from the policy, and score the samples under the reference."""
        config, policy = self.round_config, self.policy()
        sampled = rollout.roll_out(
            config, self.problems, self.routes, policy, self.input, self.earlier
        )
        self.rollouts, self.rollout_scores = sampled.rollouts, sampled.scores
        self.unsampled, self.sampler = sampled.dropped, sampled.sampler
        self.rollout_work, self.stops = sampled.work, sampled.stops
        self.next(self.verify)

    @step
    def verify(self):
        """Judge the samples: a step of its own, so a mended verifier runs again with no GPU."""
        if not is_lost(self):
            self.verdicts, self.verify_work = verify.verify(
                self.config, self.problems, self.rollouts
            )
        self.next(self.collect)

    @step
    def collect(self, inputs):
        """Solvability, weights and training examples of all problems."""
        self.weigh(inputs)
        self.next(self.train)

    def weigh(self, inputs):
        """Solvability, weights and training examples, as artifacts."""
        whole, lost = whole_and_lost(inputs, "rollout", self.config)
        for table in (*SHARDED, "rollout_work", "verify_work"):
            setattr(self, table, tables.concat(getattr(branch, table) for branch in whole))
        self.sampler = "; ".join(dict.fromkeys(branch.sampler for branch in whole))
        self.merge_artifacts(inputs, exclude=UNMERGED)
        unmade = rollout.unmade_samples(self.config, self.problems, self.routes, lost)
        self.unsampled = tables.concat([self.unsampled, unmade])
        self.notes = (*self.notes, *(f"the run lost {shard}" for shard in lost))
        self.groups = collect.group(self.config, self.routes, self.rollouts, self.verdicts)
        self.posteriors = rounds.update_beliefs(self.config, self.groups, self.beliefs)
        scores = tables.concat([self.expert_scores, self.rollout_scores])
        self.examples = collect.examples(
            self.config, self.problems, self.groups, scores, self.policy()
        )


if __name__ == "__main__":
    RasftFlow()
