"""Which problems the warm-up is taught, and which are left for the round."""

import pyarrow as pa
import pytest

from rasft.config import files
from rasft.config.settings import Config
from rasft.data.account import Account
from rasft.errors import UserError
from rasft.records import Problem
from rasft.stages import prepare
from rasft.tables import to_table

CONFIG = files.load(files.CONFIGS / "tiny.yaml")


def problems(*prompts: str) -> pa.Table:
    rows = [Problem(f"{i}/{prompt}", prompt, "math", "", "1") for i, prompt in enumerate(prompts)]
    return to_table(rows, Problem)


def config(seed: int = 7, warmup_seed: int | None = None) -> Config:
    datasets = [{"name": "generated_sums", "options": {"writing": "words"}}]
    warmup = {"problems": 2, "datasets": datasets, "seed": warmup_seed}
    over = {"seed": seed, "warmup": warmup}
    return files.build(files.merge(CONFIG.model_dump(mode="json"), over))


def own(settings: Config) -> Config:
    found = prepare.warmup_config(settings)
    assert found is not None
    return found


def test_a_warm_up_of_its_own_data_has_its_own_seed() -> None:
    assert prepare.warmup_config(CONFIG) is None
    assert [each.options for each in own(config()).data.datasets] == [{"writing": "words"}]
    assert [own(config(seed=7)).seed, own(config(seed=7, warmup_seed=3)).seed] == [7, 3]


def test_what_the_warm_up_teaches_is_not_in_the_round() -> None:
    account = Account()
    taught, rows = problems("a", "b"), problems("c", "b", "d")
    warmup, training = prepare.split_off(taught, rows, own(config()), account)
    assert sorted(warmup["prompt"].to_pylist()) == ["a", "b"]
    assert sorted(training["prompt"].to_pylist()) == ["c", "d"]
    assert [(each.problem_id, each.reason) for each in account.dropped] == [("1/b", "in_warmup")]


def test_a_fixed_seed_takes_the_same_problems_in_runs_of_other_seeds() -> None:
    def taken(*settings: Config) -> list[pa.Table]:
        taught, rows = problems(*"abcdefgh"), problems("z")
        return [prepare.split_off(taught, rows, own(each), Account())[0] for each in settings]

    first, second = taken(config(seed=1, warmup_seed=5), config(seed=2, warmup_seed=5))
    assert first == second
    first, second = taken(config(seed=1), config(seed=2))
    assert first != second


@pytest.mark.parametrize(
    ("taught", "rows", "message"),
    [
        ("a", "b", "warmup.problems = 2, and warmup.datasets have 1 usable ones"),
        ("ab", "ab", "all 2 usable training problems are in warmup.datasets too"),
    ],
)
def test_too_few_problems_are_one_message(taught: str, rows: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        prepare.split_off(problems(*taught), problems(*rows), own(config()), Account())
