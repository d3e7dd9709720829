"""Which responses the trained model scores."""

from pathlib import Path

import pytest
import tiny_model

from rasft.config import files
from rasft.records import EXPERT, Problem, SequenceScore
from rasft.stages.rescoring import trained_scores
from rasft.tables import from_table, to_table

PROBLEMS = [
    Problem(f"p{i}", f"2+{i}", "math", f"\\boxed{{{2 + i}}}", str(2 + i)) for i in range(10)
]
RESPONSE = (5, 6, 7, 2)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_model.build(tmp_path_factory.mktemp("model"))


def rescored(model: Path, count: int) -> list[SequenceScore]:
    config = files.parse(f"extends: tiny\nname: again\nevaluation: {{rescored: {count}}}")
    rows = [SequenceScore(p.id, i, RESPONSE, ()) for p in PROBLEMS for i in (EXPERT, 0)]
    found = trained_scores(
        config, to_table(PROBLEMS, Problem), to_table(rows, SequenceScore), model
    )
    return from_table(found, SequenceScore)


@pytest.mark.parametrize(
    ("count", "names"),
    [(0, []), (3, ["p0", "p3", "p6"]), (64, [problem.id for problem in PROBLEMS])],
)
def test_all_responses_of_problems_from_end_to_end(
    model: Path, count: int, names: list[str]
) -> None:
    keys = [(row.problem_id, row.sample_index) for row in rescored(model, count)]
    assert keys == [(name, index) for name in names for index in (EXPERT, 0)]


def test_they_are_scored_by_the_model_that_is_given(model: Path, tmp_path: Path) -> None:
    other = tiny_model.build(tmp_path / "other", seed=1)
    (first, _), (second, _) = rescored(model, 1), rescored(other, 1)
    assert first.token_ids == second.token_ids == RESPONSE
    assert len(first.reference_logps) == len(RESPONSE)
    assert first.reference_logps != second.reference_logps
