"""Groups of sampled responses with their rewards, and DAPO's dynamic sampling of them.

A group teaches a policy only if it holds both right and wrong responses: otherwise all advantages
are 0. Dynamic sampling (arXiv 2503.14476, section 3.2) leaves such groups out and samples other
problems in their place.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class RewardedResponse:
    """One sampled response with its reward: 1 or 0, None where the machine could not judge it."""

    token_ids: tuple[int, ...]
    reward: float | None
    logps: tuple[float, ...] | None = None  # of the sampler, nats; None where it gives none


@dataclass(frozen=True)
class RewardedGroup:
    """The responses to one problem."""

    problem_id: str
    responses: tuple[RewardedResponse, ...]

    @property
    def rewards(self) -> tuple[float, ...]:
        """Those that were judged."""
        return tuple(e.reward for e in self.responses if e.reward is not None)

    @property
    def is_mixed(self) -> bool:
        """Whether it holds right and wrong responses."""
        return len(set(self.rewards)) > 1


@dataclass
class Tally:
    """What was sampled, and what of it could teach anything; counts of groups but for `steps`."""

    groups: int = 0
    mixed: int = 0
    all_right: int = 0
    all_wrong: int = 0
    undecided: int = 0  # groups of which nothing could be judged
    left_out: int = 0  # sampled, but not trained on
    steps_without_signal: int = 0  # every group of the step had equal rewards

    def count(self, groups: Sequence[RewardedGroup]) -> None:
        """Add what was sampled."""
        for group in groups:
            self.groups += 1
            self.mixed += group.is_mixed
            self.all_right += not group.is_mixed and 1.0 in group.rewards
            self.all_wrong += not group.is_mixed and 0.0 in group.rewards
            self.undecided += not group.rewards

    def __add__(self, other: Tally) -> Tally:
        pairs = zip(asdict(self).items(), asdict(other).values(), strict=True)
        return Tally(**{name: mine + theirs for (name, mine), theirs in pairs})


Sampler = Callable[[Sequence[str]], list[RewardedGroup]]  # problem ids -> a group each


def dynamic(
    wanted: Sequence[str],
    sample: Sampler,
    others: Iterator[str],
    resamples: int,
    anyone_lacks: Callable[[int], bool],
    tally: Tally,
) -> list[RewardedGroup]:
    """As many mixed groups as problems are wanted, if `resamples` more rounds can find them.

    `others` gives further problems. Places that stay open go to groups that are not mixed, which
    train nothing but keep the batch whole. All processes sample equally often, since sharded
    models talk while they do: `anyone_lacks` tells whether any process lacks groups.
    """
    found = sample(wanted)
    tally.count(found)
    mixed = [group for group in found if group.is_mixed]
    rest = [group for group in found if not group.is_mixed]
    for _ in range(resamples):
        if not anyone_lacks(len(wanted) - len(mixed)):
            break
        fresh = sample([next(others) for _ in wanted])
        tally.count(fresh)
        mixed += [group for group in fresh if group.is_mixed]
        rest += [group for group in fresh if not group.is_mixed]
    chosen = [*mixed, *rest][: len(wanted)]
    tally.left_out += len(mixed) + len(rest) - len(chosen)
    tally.steps_without_signal += not mixed
    return chosen
