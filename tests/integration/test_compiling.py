"""Compiled layers: the same gradient, and one graph for batches of every size."""

from pathlib import Path

import pytest

from tests import tiny_model
from tests.programs import found_by

# In a process of its own, as training is: Metaflow changes `typing`, and torch's compiler cannot be
# imported after it.
GRADIENTS = """
import json, sys
from pathlib import Path
import torch
from tests.training_jobs import counting, open_trainer

folder, base = map(Path, sys.argv[1:])
rows = counting(base)
plain = open_trainer(folder / "plain", base, rows, micro_batch_tokens=150)
compiled = open_trainer(folder / "compiled", base, rows, micro_batch_tokens=150, compile=True)
graphs = [torch._dynamo.utils.counters["stats"]["unique_graphs"]]
for index in range(2):  # the second step's micro-batches have other lengths
    for trainer in (plain, compiled):
        trainer.accumulate(index, trainer.order.step(index))
    graphs.append(torch._dynamo.utils.counters["stats"]["unique_graphs"])
pairs = zip(plain.model.parameters(), compiled.model.parameters(), strict=True)
print(json.dumps({
    "graphs": graphs,
    "apart": max(float((a.grad - b.grad).abs().max()) for a, b in pairs),
}))
"""


@pytest.mark.whole
def test_compiled_layers_have_the_same_gradient(tmp_path: Path) -> None:
    base = tiny_model.build(tmp_path / "base")
    found = found_by(GRADIENTS, tmp_path, base)
    assert found["apart"] <= 2e-6
    assert found["graphs"][0] == 0
    assert 0 < found["graphs"][1] == found["graphs"][2]
