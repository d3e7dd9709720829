"""The champion's pointer is there whole, or the old one is."""

import dataclasses
import os
from pathlib import Path

import pytest
from click.testing import CliRunner

from rasft import cli
from rasft.errors import MachineError, UserError
from rasft.retraining import champion
from rasft.retraining.champion import Champion, Refusal, Standing

FIRST = Standing(
    champion=Champion(
        run="RetrainFlow/17",
        model={"key": "mf.models/17"},
        base="embedded:smollm2-135m",
        base_fingerprint="b" * 64,
        fingerprint="f" * 64,
        data_fingerprint="d" * 64,
        metrics={"math500": 0.25},
        reason="the average rises by +3.1 [+1.0, +5.2]",
        commit="c" * 40,
        promoted_at="2026-01-02T03:04:05+00:00",
    ),
    refused=Refusal("RetrainFlow/18", "e" * 64, "no real difference", "2026-02-01T00:00:00+00:00"),
)
CONFIG = """
name: tiny
model: {path: somewhere}
data: {datasets: [{name: gsm8k}]}
prompts: {math: {system: Think.}}
"""


@pytest.fixture(params=["local", "memory"])
def pointer(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    local = str(tmp_path / "champions" / "tiny.json")
    return local if request.param == "local" else f"memory://{tmp_path.name}/tiny.json"


def test_the_pointer_comes_back(pointer: str) -> None:
    assert champion.read(pointer) == Standing()
    champion.write(pointer, FIRST)
    assert champion.read(pointer) == FIRST
    second = dataclasses.replace(FIRST, refused=Refusal("RetrainFlow/18", "d", "no", "now"))
    champion.write(pointer, second)
    assert champion.read(pointer) == second


def test_nothing_half_written_stays(tmp_path: Path) -> None:
    pointer = tmp_path / "tiny.json"
    champion.write(str(pointer), FIRST)
    assert os.listdir(tmp_path) == ["tiny.json"]
    pointer.write_text(pointer.read_text()[:40])
    with pytest.raises(UserError, match="is broken"):
        champion.read(str(pointer))


def test_a_place_that_cannot_be_written_is_the_machines(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(MachineError, match=r"cannot write the champion's pointer .*schedule\.ch"):
        champion.write(str(tmp_path / "file" / "tiny.json"), FIRST)


def test_the_command_prints_it(tmp_path: Path) -> None:
    pointer, config = tmp_path / "tiny.json", tmp_path / "tiny.yaml"
    config.write_text(f"{CONFIG}schedule: {{champion: {pointer}}}\n")
    before = CliRunner().invoke(cli.main, ["champion", str(config)])
    assert "none yet; somewhere is the model in use" in before.stdout
    champion.write(str(pointer), FIRST)
    text = CliRunner().invoke(cli.main, ["champion", str(config)]).stdout
    for fact in (
        "RetrainFlow/17",
        "mf.models/17",
        "math500 25.0",
        "2026-01-02",
        "+3.1",
        "RetrainFlow/18 at",
    ):
        assert fact in text
