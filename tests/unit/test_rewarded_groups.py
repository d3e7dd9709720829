"""Dynamic sampling: what teaches nothing is left out and counted."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count

from rasft.training.reinforcement.rewarded_groups import (
    RewardedGroup,
    RewardedResponse,
    Tally,
    dynamic,
)

REWARDS = {"right": (1.0, 1.0), "wrong": (0.0, 0.0), "mixed": (1.0, 0.0), "unknown": (None, None)}


def sample(problem_ids: Sequence[str]) -> list[RewardedGroup]:
    """A problem's name says how it goes."""
    return [
        RewardedGroup(
            name, tuple(RewardedResponse((1,), reward) for reward in REWARDS[name.split("-")[0]])
        )
        for name in problem_ids
    ]


def run(wanted: list[str], others: list[str], resamples: int) -> tuple[list[str], Tally]:
    tally = Tally()
    stream = iter(others)
    groups = dynamic(wanted, sample, stream, resamples, lambda lacking: lacking > 0, tally)
    return [group.problem_id for group in groups], tally


def test_groups_of_equal_rewards_make_room_for_others() -> None:
    chosen, tally = run(["right-1", "mixed-1", "wrong-1"], ["wrong-2", "mixed-2", "mixed-3"], 3)
    assert chosen == ["mixed-1", "mixed-2", "mixed-3"]
    assert (tally.groups, tally.mixed, tally.all_right, tally.all_wrong) == (6, 3, 1, 2)
    assert (tally.left_out, tally.steps_without_signal) == (3, 0)


def test_one_round_where_all_are_mixed() -> None:
    chosen, tally = run(["mixed-1", "mixed-2"], [], 3)
    assert chosen == ["mixed-1", "mixed-2"]
    assert tally.left_out == 0


def test_the_batch_stays_whole_where_nothing_is_mixed() -> None:
    chosen, tally = run(["wrong-1", "unknown-1"], ["wrong-2", "right-1"], 1)
    assert chosen == ["wrong-1", "unknown-1"]
    assert (tally.steps_without_signal, tally.undecided, tally.left_out) == (1, 1, 2)


def test_grpo_samples_once() -> None:
    chosen, tally = run(["wrong-1", "mixed-1"], [], 0)
    assert chosen == ["mixed-1", "wrong-1"]
    assert tally.steps_without_signal == 0


def test_every_process_goes_on_while_another_lacks_groups() -> None:
    asked = count()
    tally = Tally()
    dynamic(["mixed-1"], sample, iter(["mixed-2"]), 4, lambda lacking: next(asked) == 0, tally)
    assert (tally.groups, tally.left_out) == (2, 1)


def test_tallies_of_processes_add_up() -> None:
    total = sum([Tally(groups=2, mixed=1), Tally(groups=3, left_out=1)], Tally())
    assert total == Tally(groups=5, mixed=1, left_out=1)
