"""liger-kernel's own Triton kernels, by Triton's interpreter on a CPU: the same log-probs and
gradients as a float64 chain, and a training's gradient through them."""

from pathlib import Path

import pytest
import torch

from rasft.training.model import liger
from tests import tiny_model
from tests.programs import found_by

# In a process of its own: Triton reads its setting when it is first imported.
PROGRAM = """
import json, sys
from pathlib import Path
import torch
from rasft.training.model import forward
from rasft.training.model.liger import fits, liger_logps
from tests.training_jobs import counting, open_trainer

def gradients(logps, dtype):
    random = torch.Generator().manual_seed(1)
    hidden = torch.randn(37, 24, generator=random)
    weight = torch.randn(301, 24, generator=random)
    target = torch.randint(301, (37,), generator=random)
    above = torch.randn(37, generator=random)
    hidden, weight = (v.to(dtype).requires_grad_() for v in (hidden, weight))
    value = logps(hidden, weight, target)
    (value * above).sum().backward()
    return value.detach(), hidden.grad, weight.grad

def chain(hidden, weight, target):
    return (hidden @ weight.T).log_softmax(-1).gather(1, target[:, None])[:, 0]

def apart(mine, theirs):
    return [float((a.double() - b).norm() / b.norm()) for a, b in zip(mine, theirs, strict=True)]

folder, base = map(Path, sys.argv[1:])
rows = counting(base)
trainers = [open_trainer(folder / name, base, rows, micro_batch_tokens=150) for name in "ab"]
trainers[0].accumulate(0, trainers[0].order.step(0))
asked = []
def liger_for(head):
    asked.append(head)
    return liger_logps
forward.fused_for = liger_for  # as on a GPU
trainers[1].accumulate(0, trainers[1].order.step(0))
pairs = zip(*(trainer.model.parameters() for trainer in trainers), strict=True)
exact = gradients(chain, torch.float64)
print(json.dumps({
    "float32": apart(gradients(liger_logps, torch.float32), exact),
    "bfloat16": apart(gradients(liger_logps, torch.bfloat16), exact),
    "asked": len(asked),
    "fits": fits(torch.device("cpu"), torch.bfloat16),
    "training": max(float((a.grad - b.grad).norm() / a.grad.norm()) for a, b in pairs),
}))
"""


def test_ligers_head_has_the_gradient_of_every_token(tmp_path: Path) -> None:
    base = tiny_model.build(tmp_path / "base")
    found = found_by(PROGRAM, tmp_path, base, TRITON_INTERPRET="1")
    assert max(found["float32"]) < 2e-6
    assert 1e-5 < max(found["bfloat16"]) < 1e-2
    assert found["asked"] > 1
    assert found["fits"] is True
    assert found["training"] < 1e-5


def test_kernels_that_do_not_run_here_are_not_used(capsys: pytest.CaptureFixture[str]) -> None:
    """Without the interpreter Triton has no code for a CPU."""
    liger.fits.cache_clear()
    assert not liger.fits(torch.device("cpu"), torch.float32)
    assert "liger-kernel is not used: it fails here" in capsys.readouterr().out
