"""A task whose work is all in the ledger does without the libraries that would make it."""

from pathlib import Path

from tests import tiny_model
from tests.programs import found_by

# The stages before training in one process: what they counted, and whether torch was imported.
STAGES = """
import json, sys
from pathlib import Path
from rasft import tables
from rasft.config import files
from rasft.records import Problem
from rasft.stages import collect, rollout, route, score, verify
from rasft.tables import to_table

model = Path(sys.argv[1])
config = files.build({
    "name": "known",
    "model": {"path": str(model), "dtype": "float32"},
    "data": {"datasets": [{"name": "generated_sums"}]},
    "prompts": {"math": {}},
    "rollout": {"engine": "transformers", "samples_per_problem": 2, "max_new_tokens": 4},
    "ledger": {"path": sys.argv[2]},
})
problem = Problem("sum", "2+3=?", "math", "\\\\boxed{5}", answer="5")
rows = to_table([problem], Problem)
scores, scored = score.score_experts(config, rows, model, 0)
routes = route.route(config, rows, scores)
sampled = rollout.roll_out(config, rows, routes, model, 0)
verdicts, verified = verify.verify(config, rows, sampled.rollouts)
groups = collect.group(config, routes, sampled.rollouts, verdicts)
every = tables.concat([scores, sampled.scores])
examples = collect.examples(config, rows, groups, every, model)
work = tables.concat([scored, sampled.work, verified]).to_pylist()
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
