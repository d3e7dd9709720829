"""One problem of a run, with everything that became of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from statistics import fmean

from rasft.errors import UserError
from rasft.method.quality import similarity, trigrams
from rasft.method.solvability import Selection, select
from rasft.page.stored import RunTables
from rasft.page.weights import Derivation, derive, trained_weights
from rasft.records import EXPERT, Dropped, Group, Problem, Rollout, Verdict

EXPERT_FATE, TRAINED, SHAPES, UNDECIDED = "expert", "trained on", "shapes the group", "undecided"
CORRECT = "correct, not trained on"


@dataclass(frozen=True)
class ResponseView:
    """The expert response, or one rollout with its verdict."""

    sample_index: int  # EXPERT for the expert response
    text: str
    fate: str  # one of the names above, or why it was left out
    like: int | None  # of a near-duplicate: the earlier rollout that it repeats
    weight: float | None  # None where nothing trains on it
    steps: tuple[int, ...]  # the optimizer steps that trained on it
    token_ids: tuple[int, ...]  # () where it was not scored
    logps: tuple[float, ...]  # log pi_ref of each token, nats
    trained_logps: tuple[float, ...]  # under the trained model; () where it was not scored
    verdict: Verdict | None = None
    finish_reason: str = ""

    @property
    def change(self) -> float | None:
        """Mean of log pi_trained - log pi_ref over its tokens, nats."""
        if not self.logps or len(self.logps) != len(self.trained_logps):
            return None
        return fmean(self.trained_logps) - fmean(self.logps)


@dataclass(frozen=True)
class ProblemView:
    """A problem, its responses and its weights; of a dropped one at least the reason."""

    id: str
    problem: Problem | None  # None where it was dropped before training
    bucket: str
    group: Group | None
    derivation: Derivation | None
    posterior: tuple[float, float] | None  # alpha, beta
    responses: tuple[ResponseView, ...]
    dropped: tuple[Dropped, ...]  # what of it was left out, or why it was as a whole

    @property
    def expert_loss(self) -> float | None:
        """Mean negative log-likelihood of the expert response under the reference, nats."""
        return next((_loss(r) for r in self.responses if r.sample_index == EXPERT), None)

    @property
    def statuses(self) -> tuple[str, ...]:
        """The verdict on each rollout."""
        return tuple(str(each.verdict.status) for each in self.responses if each.verdict)


def ids_of(run: RunTables) -> list[str]:
    """Every problem of a run: those that were trained on, then those that were dropped."""
    return list(dict.fromkeys([*run.problems, *run.dropped]))


def view(run: RunTables, problem_id: str) -> ProblemView:
    """Everything about one problem. Raises UserError for an id that the run does not have."""
    problem = run.problems.get(problem_id)
    dropped = tuple(run.dropped.get(problem_id, ()))
    if problem is None and not dropped:
        raise UserError(
            f"run {run.id} has no problem {problem_id!r}; "
            f"`rasft show {run.id} --worst 5` names some"
        )
    group, belief = run.groups.get(problem_id), run.posteriors.get(problem_id)
    route = run.routes.get(problem_id)
    return ProblemView(
        id=problem_id,
        problem=problem,
        bucket=group.bucket if group else route.bucket if route else "",
        group=group,
        derivation=derive(group, run.config.weighting) if group else None,
        posterior=(belief.alpha, belief.beta) if belief else None,
        responses=tuple(_responses(run, problem, group)) if problem else (),
        dropped=dropped,
    )


def worst(run: RunTables, number: int) -> list[ProblemView]:
    """The problems that the policy solved least; of equals those of the highest expert loss."""

    def badness(name: str) -> tuple[bool, float, float]:
        group, score = run.groups.get(name), run.scores.get((name, EXPERT))
        solvability = group.solvability if group else None
        return solvability is None, solvability or 0.0, -(score.loss if score else 0.0)

    return [view(run, name) for name in sorted(run.problems, key=badness)[:number]]


def _loss(response: ResponseView) -> float | None:
    return -sum(response.logps) / len(response.logps) if response.logps else None


def _responses(run: RunTables, problem: Problem, group: Group | None) -> Iterable[ResponseView]:
    weights = trained_weights(group, run.config.training.method) if group else {}
    if problem.expert_response is not None:
        yield _response(run, problem.id, EXPERT, problem.expert, EXPERT_FATE, weights)
    rollouts = sorted(run.rollouts.get(problem.id, ()), key=lambda row: row.sample_index)
    judged = [row for row in rollouts if (problem.id, row.sample_index) in run.verdicts]
    verdicts = {row.sample_index: run.verdicts[problem.id, row.sample_index] for row in judged}
    keep = run.config.weighting.max_negative_keep
    selection = select(judged, verdicts, run.config.quality, keep)
    for rollout in judged:
        index = rollout.sample_index
        fate = _fate(index, selection, weights)
        yield _response(
            run, problem.id, index, rollout.text, fate, weights,
            like=_earlier(rollout, judged, selection) if fate == "duplicate" else None,
            verdict=verdicts[index], finish_reason=rollout.finish_reason,
        )  # fmt: skip


def _response(
    run: RunTables,
    problem_id: str,
    index: int,
    text: str,
    fate: str,
    weights: Mapping[int, float],
    *,
    like: int | None = None,
    verdict: Verdict | None = None,
    finish_reason: str = "",
) -> ResponseView:
    key = problem_id, index
    score, after = run.scores.get(key), run.trained_scores.get(key)
    return ResponseView(
        sample_index=index,
        text=text,
        fate=fate,
        like=like,
        weight=weights.get(index),
        steps=tuple(run.steps.get(key, ())),
        token_ids=score.token_ids if score else (),
        logps=score.reference_logps if score else (),
        trained_logps=after.reference_logps if after else (),
        verdict=verdict,
        finish_reason=finish_reason,
    )


def _fate(index: int, selection: Selection, weights: Mapping[int, float]) -> str:
    if index in selection.reasons:
        return selection.reasons[index]
    if index in selection.correct:
        return TRAINED if index in weights else CORRECT
    return SHAPES if index in selection.incorrect else UNDECIDED


def _earlier(rollout: Rollout, judged: Iterable[Rollout], selection: Selection) -> int | None:
    """The earlier kept rollout that a near-duplicate is most like."""
    grams = trigrams(rollout.text)
    kept = [
        other
        for other in judged
        if other.sample_index < rollout.sample_index
        and selection.reasons.get(other.sample_index) != "duplicate"
    ]
    nearest = max(kept, key=lambda o: similarity(grams, trigrams(o.text)), default=None)
    return nearest.sample_index if nearest else None
