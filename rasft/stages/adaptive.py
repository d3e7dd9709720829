"""The second stage of sampling: the first samples are judged where they were drawn, and problems
whose weights could still change (`posterior`) are sampled further while the engine is still loaded.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rasft.config.settings import Config
from rasft.ledger import Ledger
from rasft.method import aggregation, posterior
from rasft.method.posterior import Posterior, Stop
from rasft.method.routing import ROLLOUT
from rasft.records import Problem, Rollout, Route
from rasft.stages import verify


class Stages:
    """Decides on one shard's problems; `stops` holds the decisions once `further` was asked."""

    def __init__(
        self,
        config: Config,
        problems: Sequence[Problem],
        beliefs: Iterable[Posterior],
        ledger: Ledger,
    ):
        self.config = config
        self.ledger = ledger
        self.problems = problems
        self.beliefs = beliefs
        self.stops: list[Stop] = []

    def further(self, drawn: Sequence[Rollout]) -> list[Problem]:
        """The problems to sample further. Raises as `verify.judge` does."""
        settings = self.config.rollout
        if settings.adaptive is None:
            return []
        sampled = dict.fromkeys(row.problem_id for row in drawn)
        verdicts = verify.judge(self.problems, drawn, self.config.verification, self.ledger)
        routes = [Route(problem_id, ROLLOUT, True) for problem_id in sampled]
        groups = aggregation.build_groups(routes, drawn, verdicts, self.config)
        before = posterior.priors(sampled, self.beliefs, settings.posterior)
        self.stops = posterior.decide(groups, before, settings.adaptive, self.config.weighting)
        extended = {stop.problem_id for stop in self.stops if stop.extended}
        return [problem for problem in self.problems if problem.id in extended]
