"""Train a candidate on the present data and promote it only if it beats the champion.

python flows/retrain_flow.py --config cfg FILE run                       one tick, here
python flows/retrain_flow.py --config cfg FILE argo-workflows create     on the config's schedule

The candidate starts from the base that the champion was trained from. A tick that fails, or whose
candidate is refused, leaves the champion in place.
"""

import bootstrap  # noqa: F401 isort: skip
from dataclasses import asdict

from metaflow import Run, card, current, namespace, step

from flows.base import EveryStep
from flows.cards import show
from flows.model_store import saved_model
from flows.rasft_flow import RasftFlow
from flows.schedule import Scheduled
from rasft.retraining import champion, promotion, tick


@Scheduled
@EveryStep
class RetrainFlow(RasftFlow):
    """The steps of RasftFlow, between the question whether to train and the decision."""

    @step
    def start(self):
        """Is there anything new to learn from?"""
        self.prepare()
        standing = tick.standing(self.config, self.provenance)
        self.tick, self.reason = tick.tick(self.config, standing, self.provenance)
        self.standing = asdict(standing)
        self.next({"train": self.warmup, "idle": self.idle}, condition="tick")

    @card(type="blank")
    @step
    def idle(self):
        """Nothing new: the champion stays."""
        self.verdict = "nothing trained"
        show([tick.idle_section(champion.from_plain(self.standing), self.reason)])
        self.next(self.end)

    def checkpoints(self):
        """What is compared: the champion, or the base before the first one, and the candidate."""
        reigning = champion.from_plain(self.standing).champion
        return {
            "champion": saved_model(reigning.model) if reigning else self.base_model(),
            "candidate": saved_model(self.trained),
        }

    @card(type="blank")
    @step
    def report(self, inputs):
        """The decision, above the report of the training."""
        self.join_results(inputs)
        decision = tick.judge(self.config, self.results, self.benchmarks)
        self.verdict = "promoted" if decision.promoted else "refused"
        self.reason, self.decision = "; ".join(decision.reasons), asdict(decision)
        self.show_report(tick.decision_section(decision, champion.from_plain(self.standing)))
        self.next(self.promote)

    @step
    def promote(self):
        """Point at the new champion, or keep the old one and note the refusal; tag the run."""
        name = f"{current.flow_name}/{current.run_id}"
        decision = promotion.from_plain(self.decision)
        outcome = tick.outcome(self.config, decision, self, name)
        tick.settle(self.config, champion.from_plain(self.standing), outcome)
        namespace(None)
        Run(name).add_tag(self.verdict)
        self.next(self.end)

    @step
    def end(self):
        """Say what came of it."""
        print(f"{self.verdict}: {self.reason}")


if __name__ == "__main__":
    RetrainFlow()
