"""A lost shard is tolerated only as far as the config says."""

import pytest

from rasft.errors import MachineError
from rasft.stages.shards import LostShard, check_tolerance, last_line

LOST = [LostShard("rollout", str(n), "killed") for n in range(3)]


@pytest.mark.parametrize(("lost", "tolerated"), [(0, 0), (1, 1), (1, 2), (2, 2)])
def test_within_the_tolerance_the_run_goes_on(lost: int, tolerated: int) -> None:
    check_tolerance(LOST[:lost], 4, tolerated, "rollout.max_failed_shards")


@pytest.mark.parametrize(("lost", "shards", "tolerated"), [(1, 4, 0), (3, 4, 2), (2, 2, 2)])
def test_beyond_it_every_lost_shard_is_named(lost: int, shards: int, tolerated: int) -> None:
    with pytest.raises(MachineError) as caught:
        check_tolerance(LOST[:lost], shards, tolerated, "rollout.max_failed_shards")
    message = str(caught.value)
    assert f"{lost} of {shards} shards were lost" in message
    assert f"rollout.max_failed_shards is {tolerated}" in message
    assert all(str(each) in message for each in LOST[:lost])
    assert "`resume rollout`" in message


def test_a_stored_exception_is_told_by_its_last_line() -> None:
    assert last_line("Traceback ...\n  File x\nValueError: no\n\n") == "ValueError: no"
    assert last_line("") == "no message"
