"""A task whose work is all in the ledger does without the libraries that would make it."""

from pathlib import Path

from tests import tiny_model
from tests.programs import found_by

# The stages before training in one process: what they counted, and whether torch was imported.
STAGES = """
import json, sys
from pathlib import Path
from rasft import config_files, pipeline
from rasft.records import Problem
from rasft.tables import to_table

model = Path(sys.argv[1])
config = config_files.build({
    "name": "known",
    "model": {"path": str(model), "dtype": "float32"},
    "data": {"datasets": [{"name": "generated_sums"}]},
    "prompts": {"math": {}},
    "rollout": {"engine": "transformers", "samples_per_problem": 2, "max_new_tokens": 4},
    "ledger": {"path": sys.argv[2]},
})
problem = Problem("sum", "2+3=?", "math", "\\\\boxed{5}", answer="5")
rows = to_table([problem], Problem)
scores, scored = pipeline.score_experts(config, rows, model, 0)
routes = pipeline.route(config, scores)
sampled = pipeline.roll_out(config, rows, routes, model, 0)
verdicts, verified = pipeline.verify(config, rows, sampled.rollouts)
groups = pipeline.group(config, routes, sampled.rollouts, verdicts)
every = pipeline.concat([scores, sampled.scores])
examples = pipeline.examples(config, rows, groups, every, model)
work = pipeline.concat([scored, sampled.work, verified]).to_pylist()
print(json.dumps({
    "counts": {f"{row['stage']} {row['kind']}": [row["reused"], row["made"]] for row in work},
    "examples": examples.num_rows,
    "torch": "torch" in sys.modules,
}))
"""


def test_a_second_run_imports_no_torch(tmp_path: Path) -> None:
    model = tiny_model.build(tmp_path / "tiny")
    first, second = (found_by(STAGES, model, tmp_path / "ledger") for _ in range(2))
    assert first["torch"]
    assert not second["torch"]
    assert first["examples"] == second["examples"] > 0
    assert second["counts"] == {
        kind: [reused + made, 0] for kind, (reused, made) in first["counts"].items()
    }
    assert {made for _, made in first["counts"].values()} == {1, 2}
