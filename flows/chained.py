"""A run that may be one round of a chain, and what it takes over from the round before."""

from metaflow import Parameter, Run, namespace

from flows.model_store import save_model, saved_model
from flows.stages import Supervised
from rasft.errors import UserError
from rasft.stages import rounds, train
from rasft.stages.rollout import EarlierRounds
from rasft.training.storage.jobs import RoundPosition


class Chained(Supervised):
    """The first round starts from the base or warmed-up model, which stays the reference.

    Artifacts: `round_number` from 0; `started_from`, the model of the round before; `beliefs`, its
    posteriors; `carried_state`, its optimizer's state.
    """

    previous = Parameter(
        "previous",
        default="",
        help="the run of the round before, as RasftFlow/ID; this run goes on from it",
    )

    @property
    def round_config(self):
        """The config of this round, for routing, sampling and training."""
        return rounds.of_round(self.config, self.round_number)

    @property
    def position(self):
        """Where in its chain this round's training stands."""
        state = saved_model(self.carried_state)
        return RoundPosition(
            number=self.round_number,
            rounds=self.config.rounds,
            state=str(state) if state else None,
            reference=str(self.reference()),
        )

    @property
    def earlier(self):
        """What earlier rounds left for this one's samples."""
        return EarlierRounds(self.beliefs, self.reference())

    def prepare(self):
        """As every flow, and what the round before left."""
        super().prepare()
        before = finished(self.previous).data if self.previous else None
        self.round_number = before.round_number + 1 if before else 0
        self.started_from = before and before.trained
        self.carried_state = before and before.optimizer_state
        self.first_model = before and before.warmed_up
        self.beliefs = before.posteriors if before else rounds.first_beliefs()

    def warm_up(self):
        """Only the first round warms up; later ones keep its model as the reference."""
        if self.round_number == 0:
            super().warm_up()
            return
        self.warmed_up, self.warmup_curve = self.first_model, None
        self.warmup_work = train.work_of(None)

    def reference(self):
        """The folder of the first round's starting model."""
        return super().policy()

    def policy(self):
        """The folder of this round's starting model."""
        return saved_model(self.started_from) or self.reference()

    def keep(self, trained):
        """As every flow; the optimizer's state too, if another round follows."""
        super().keep(trained)
        state = trained.state
        self.optimizer_state = state and save_model(state, "optimizer")


def finished(pathspec):
    """The run of that name. Raises UserError unless it has finished well."""
    namespace(None)
    run = Run(pathspec)
    if not run.successful:
        raise UserError(f"the round before, {pathspec}, has not finished: resume it first")
    return run
