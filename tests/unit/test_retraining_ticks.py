"""One tick: when it trains, what it records, and what it never overwrites."""

import dataclasses
from pathlib import Path

import pytest

from rasft.config import files as config_files
from rasft.config.settings import Config
from rasft.errors import MachineError, UserError
from rasft.records import BenchmarkResult
from rasft.retraining import champion, promotion, tick
from rasft.retraining.champion import Champion, Refusal, Standing
from rasft.retraining.promotion import decide

FIRST = Champion(
    run="RetrainFlow/1",
    model={"key": "k"},
    base="embedded:smollm2-135m",
    base_fingerprint="base",
    fingerprint="f",
    data_fingerprint="old data",
    metrics={"a": 0.5},
    reason="better",
    commit="c",
    promoted_at="then",
)
SECOND = dataclasses.replace(FIRST, run="RetrainFlow/2")
NO = Refusal("RetrainFlow/3", "newer data", "no real difference", "then")


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return config_files.parse(
        f"extends: demo\nschedule: {{champion: {tmp_path}/champion.json, min_problems: 2}}"
    )


def provenance(data: str, base: str = "base") -> dict[str, str]:
    return {"data_fingerprint": data, "model_fingerprint": base, "commit": "c"}


def test_new_data_trains_and_old_data_does_not(config: Config) -> None:
    now = Standing(FIRST, NO)
    assert tick.tick(config, Standing(), provenance("x")) == ("train", "the data is new")
    assert tick.tick(config, now, provenance("x"))[0] == "train"
    idle = tick.tick(config, now, provenance("old data"))
    assert idle == ("idle", "no new data since run RetrainFlow/1")
    refused = tick.tick(config, now, provenance("newer data"))
    assert refused == ("idle", "no new data since run RetrainFlow/3")


def test_the_same_data_trains_where_the_config_says_so(config: Config) -> None:
    always = config.schedule.model_copy(update={"only_new_data": False})
    again = config.model_copy(update={"schedule": always})
    found = tick.tick(again, Standing(FIRST), provenance("old data"))
    assert found == ("train", "the same data again")


def test_a_champion_of_another_base_stops_the_tick(config: Config) -> None:
    champion.write(champion.path(config), Standing(FIRST))
    assert tick.standing(config, provenance("x")) == Standing(FIRST)
    with pytest.raises(UserError, match=r"was trained from embedded:smollm2-135m \(base\)"):
        tick.standing(config, provenance("x", base="another"))


def test_a_promotion_replaces_the_champion_and_forgets_the_refusal(config: Config) -> None:
    before = Standing(FIRST, NO)
    champion.write(champion.path(config), before)
    tick.settle(config, before, SECOND)
    tick.settle(config, before, SECOND)  # the step was tried again
    assert champion.read(champion.path(config)) == Standing(SECOND)


def test_a_refusal_keeps_the_champion(config: Config) -> None:
    champion.write(champion.path(config), Standing(FIRST))
    tick.settle(config, Standing(FIRST), NO)
    assert champion.read(champion.path(config)) == Standing(FIRST, NO)


def test_a_champion_promoted_meanwhile_is_not_overwritten(config: Config) -> None:
    champion.write(champion.path(config), Standing(SECOND))
    third = dataclasses.replace(FIRST, run="RetrainFlow/4")
    with pytest.raises(MachineError, match="run RetrainFlow/2 was promoted while RetrainFlow/4"):
        tick.settle(config, Standing(FIRST), third)
    assert champion.read(champion.path(config)) == Standing(SECOND)


def test_every_decision_is_written_out(config: Config) -> None:
    rows = [
        BenchmarkResult("a", checkpoint, f"p{n}", (checkpoint == "candidate",), ("x",))
        for checkpoint in ("champion", "candidate")
        for n in range(9)
    ]
    decision = decide(rows, ["a"], config.schedule, config.evaluation, 0)
    text = tick.decision_section(decision, Standing(FIRST)).text
    assert text.startswith("**Promoted**: the average rises by +100.0")
    assert "The champion was run RetrainFlow/1." in text
    assert "| a | 9 | 0.0 | 100.0 | 2 |" in text
    assert promotion.from_plain(dataclasses.asdict(decision)) == decision
    refused = decide(rows, ["a", "b"], config.schedule, config.evaluation, 0)
    text = tick.decision_section(refused, Standing()).text
    assert text.startswith("**Refused**: benchmark b was not judged for both.")
    assert "nothing was promoted yet" in text
