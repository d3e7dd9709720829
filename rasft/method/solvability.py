"""One problem's rollouts and verdicts -> who is in its group, and how solvable it is.

solvability = correct / unique, where `unique` counts the judged rollouts left after near-duplicate
removal, before any text filter (arXiv 2606.07006). A rollout that the machine could not judge is
in neither number.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rasft.config.settings import QualityConfig
from rasft.method.quality import Grams, fault, first_occurrences, similarity, trigrams
from rasft.records import Rollout, Status, Verdict


@dataclass(frozen=True)
class Selection:
    """The usable rollouts of one problem, by sample_index."""

    sampled: int
    undecided: int
    unique: int
    correct: tuple[int, ...]
    incorrect: tuple[int, ...]
    reasons: Mapping[int, str]  # why each rollout left out is, duplicates first

    @property
    def dropped(self) -> tuple[str, ...]:
        """One reason for each rollout left out."""
        return tuple(self.reasons.values())

    @property
    def solvability(self) -> float:
        """Share of the unique rollouts that are correct and usable; 0 where there are none."""
        return len(self.correct) / self.unique if self.unique else 0.0


def select(
    rollouts: Sequence[Rollout],
    verdicts: Mapping[int, Verdict],
    settings: QualityConfig,
    max_negative_keep: int,
) -> Selection:
    """Choose the group of one problem from its rollouts and their verdicts by sample_index.

    Raises KeyError for a rollout without a verdict: a lost verdict is no wrong answer.
    """
    ordered = sorted(rollouts, key=lambda rollout: rollout.sample_index)
    judged = [r for r in ordered if verdicts[r.sample_index].status.is_decided]
    grams = {r.sample_index: trigrams(r.text) for r in judged}
    new = first_occurrences(grams.values(), settings.duplicate_similarity)
    unique = [rollout for rollout, is_new in zip(judged, new, strict=True) if is_new]
    faults = {r.sample_index: _fault(r, verdicts, grams, settings) for r in unique}
    usable = [r for r in unique if faults[r.sample_index] is None]
    correct = [r for r in usable if verdicts[r.sample_index].status is Status.CORRECT]
    wrong = [r for r in usable if verdicts[r.sample_index].status is not Status.CORRECT]
    incorrect = informative(wrong, correct, grams, settings, max_negative_keep)
    shaping = {r.sample_index for r in incorrect}
    repeated = (r for r, is_new in zip(judged, new, strict=True) if not is_new)
    reasons = {r.sample_index: "duplicate" for r in repeated}
    reasons |= {index: reason for index, reason in faults.items() if reason}
    surplus = (r.sample_index for r in wrong if r.sample_index not in shaping)
    reasons |= dict.fromkeys(surplus, "surplus_incorrect")
    return Selection(
        sampled=len(ordered),
        undecided=len(ordered) - len(judged),
        unique=len(unique),
        correct=tuple(r.sample_index for r in correct),
        incorrect=tuple(r.sample_index for r in incorrect),
        reasons=reasons,
    )


def informative(
    wrong: Sequence[Rollout],
    correct: Sequence[Rollout],
    grams: Mapping[int, Grams],
    settings: QualityConfig,
    keep: int,
) -> list[Rollout]:
    """The incorrect rollouts that shape a group's statistics, best first, at most `keep`.

    One that nearly equals a correct rollout is left out; of the rest, those whose largest
    similarity to a correct one is nearest the target come first.
    """
    others = [grams[response.sample_index] for response in correct]
    nearness = [_nearest(grams[response.sample_index], others) for response in wrong]
    allowed = [i for i, near in enumerate(nearness) if near < settings.negative_similarity]
    allowed.sort(key=lambda i: abs(nearness[i] - settings.negative_target_similarity))
    return [wrong[i] for i in allowed[:keep]]


def _nearest(grams: Grams, others: Sequence[Grams]) -> float:
    return max((similarity(grams, other) for other in others), default=0.0)


def _fault(
    rollout: Rollout,
    verdicts: Mapping[int, Verdict],
    grams: Mapping[int, Grams],
    settings: QualityConfig,
) -> str | None:
    if rollout.finish_reason == "length":
        return "truncated"  # without its EOS it would teach the policy never to stop
    index = rollout.sample_index
    return fault(rollout.text, verdicts[index].verifier, settings, grams[index])
