"""What `rasft doctor` says of the installed packages and of the GPU driver."""

import os
from pathlib import Path

import pytest
import torch

from rasft import extras
from rasft.errors import UserError
from rasft.machine import gpu, installed

SMI = "| NVIDIA-SMI 580.65   Driver Version: 580.65   CUDA Version: 13.0  |"


def test_pins_of_other_machines_do_not_count() -> None:
    text = (
        "# a comment\nTyping_Extensions==4.1\n"
        "numpy==1.0 ; python_full_version < '3.0'\nnumpy==2.0 ; python_full_version >= '3.0'\n"
    )
    assert installed.pins(text) == {"typing-extensions": "4.1", "numpy": "2.0"}


def test_the_tests_run_at_the_versions_of_their_lock() -> None:
    assert installed.differences(installed.lock_name()) == {}


def test_a_package_at_another_version_is_named_with_both(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    lock = tmp_path / f"{installed.lock_name()}.txt"
    lock.write_text("click==0.1\ntorch==" + torch.__version__.split("+")[0])
    monkeypatch.setattr(installed.paths, "folder", lambda name: tmp_path)
    (found,) = [check for check in installed.checks() if check.name == "versions"]
    assert "click" in found.detail
    assert "(lock: 0.1)" in found.detail
    assert "torch" not in found.detail


def test_an_absent_extra_says_what_it_brings_and_how(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extras, "installed", lambda name: False)
    details = {check.name: check.detail for check in installed.checks()}
    assert "for training.lora.quantize" in details["extra qlora (optional)"]
    assert "pip install -c locks/cuda.txt -e '.[qlora]'" in details["extra qlora (optional)"]
    with pytest.raises(UserError, match="rows needs the extra openai, which is not installed"):
        extras.require("openai", "rows")


@pytest.mark.parametrize(
    ("driver", "built", "message"),
    [
        ("12.4", "13.0", "the driver runs CUDA 12.4 at most, and torch is built for CUDA 13.0"),
        ("13.0", None, "torch is a build for the CPU"),
        ("13.0", "13.0", "torch finds no GPU; check nvidia-smi and CUDA_VISIBLE_DEVICES"),
    ],
)
def test_a_gpu_that_torch_cannot_use_says_why(
    driver: str, built: str | None, message: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """With a stand-in for nvidia-smi, which is all that this asks of a driver."""
    smi = tmp_path / "nvidia-smi"
    smi.write_text(f"#!/bin/sh\necho '{SMI.replace('13.0', driver)}'\n")
    smi.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    monkeypatch.setattr(torch.version, "cuda", built)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    (found,) = gpu.checks()
    assert not found.ok
    assert message in found.detail


def test_no_driver_is_no_fault(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    (found,) = gpu.checks()
    assert found.ok
