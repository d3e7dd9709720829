"""What changes from round to round, and what must not."""

from rasft.config import files as config_files
from rasft.config.settings import Config
from rasft.stages import rounds


def config(count: int) -> Config:
    base = config_files.load(config_files.CONFIGS / "math_rounds.yaml")
    return base.model_copy(update={"rounds": count})


def test_a_single_run_is_the_config_itself():
    alone = config(1)
    assert rounds.of_round(alone, 0) is alone


def test_the_window_moves_and_the_seeds_differ():
    chain = config(4)
    each = [rounds.of_round(chain, number) for number in range(4)]
    assert [round_.router.progress for round_ in each] == [0, 0.25, 0.5, 0.75]
    assert len({round_.seed for round_ in each}) == 4
    assert each[0].seed == chain.seed


def test_nothing_else_changes():
    chain = config(4)
    last = rounds.of_round(chain, 3)
    same = last.model_copy(update={"seed": chain.seed, "router": chain.router})
    assert same == chain


def test_the_authors_schedule_refreshes_every_32_steps():
    chain = config_files.load(config_files.CONFIGS / "math_rounds.yaml")
    assert (chain.router.kind, chain.training.max_steps) == ("quantile_window", 32)
    assert chain.rounds > 1
