"""rasft export: a folder that others can load, and one sentence where it cannot be."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from click.testing import CliRunner
from transformers import AutoModelForCausalLM, AutoTokenizer

from rasft.cli import main
from tests import tiny_model


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tiny_model.build(tmp_path_factory.mktemp("model") / "tiny")
    (folder / "README.md").write_text("---\nlicense: mit\n---\n\n# tiny\n")
    return folder


def test_exported_folder_loads_and_says_the_same(model: Path, tmp_path: Path) -> None:
    done = CliRunner().invoke(main, ["export", str(model), "--to", str(tmp_path / "new" / "out")])
    assert done.exit_code == 0, done.output
    folder = tmp_path / "new" / "out"
    ids = AutoTokenizer.from_pretrained(folder)("one plus two", return_tensors="pt").input_ids
    with torch.no_grad():
        logits = AutoModelForCausalLM.from_pretrained(folder)(ids).logits
        expected = AutoModelForCausalLM.from_pretrained(model)(ids).logits
    assert torch.equal(logits, expected)
    assert (folder / "README.md").read_text() == (model / "README.md").read_text()
    assert (folder / "generation_config.json").is_file()
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["out"]


def test_folder_with_something_in_it_is_left_alone(model: Path, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    done = CliRunner().invoke(main, ["export", str(model), "--to", str(tmp_path)])
    assert done.exit_code == 1
    assert "is there already: name a new or an empty folder" in done.output
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_hub_that_cannot_be_reached_is_one_sentence(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setattr("huggingface_hub.hf_api.ENDPOINT", "http://127.0.0.1:9", raising=False)
    line = ["export", str(model), "--to", str(tmp_path / "out"), "--push", "owner/name"]
    done = CliRunner().invoke(main, line)
    assert done.exit_code == 1
    assert "cannot push" in done.output
    assert "Traceback" not in done.output
    assert (tmp_path / "out" / "config.json").is_file()
