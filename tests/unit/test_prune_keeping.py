"""Which runs a pruning keeps, and why."""

from datetime import datetime, timedelta

from rasft.pruning.keeping import RunFacts, Wishes, reasons

NOW = datetime(2026, 11, 30)
OLD = NOW - timedelta(days=40)


def run(number: int, active: datetime = OLD, ended: bool = True, *tags: str) -> RunFacts:
    return RunFacts(f"RasftFlow/{number}", active, ended, frozenset(tags))


def test_young_tagged_named_and_champions_are_kept() -> None:
    runs = [
        run(1),
        run(2, NOW - timedelta(days=29)),
        run(3, OLD, True, "paper:table1"),
        run(4),
        run(5),
        run(6, OLD, False),
        run(7, OLD, True, "refused"),
    ]
    wishes = Wishes(NOW, 30, runs=("RasftFlow/4",), champions=("RasftFlow/5",))
    assert reasons(runs, wishes) == {
        "RasftFlow/2": "active in the last 30 days",
        "RasftFlow/3": "tagged paper:table1",
        "RasftFlow/4": "named by --keep",
        "RasftFlow/5": "a champion",
    }


def test_what_a_run_starts_from_is_kept_while_it_goes_on() -> None:
    young = NOW - timedelta(days=1)
    going = RunFacts("RasftFlow/9", young, False, frozenset(), frozenset({"RasftFlow/1"}))
    ended = RunFacts("RasftFlow/9", young, True, frozenset(), frozenset({"RasftFlow/1"}))
    assert reasons([run(1), going], Wishes(NOW, 30)) == {
        "RasftFlow/1": "a run that has not ended starts from it",
        "RasftFlow/9": "not ended, and active in the last 30 days",
    }
    assert "RasftFlow/1" not in reasons([run(1), ended], Wishes(NOW, 30))


def test_a_removal_that_was_begun_is_gone_on_with() -> None:
    assert reasons([run(1, NOW, True, "pruned", "mine")], Wishes(NOW, 30)) == {}
