"""Nothing that a config names runs code of its own: YAML, models, and where they come from."""

import json
import shutil
import sys
from pathlib import Path

import pytest
import tiny_model
from transformers import AutoConfig

from rasft import plugins
from rasft.config import files as config_files
from rasft.config.chat import ChatConfig
from rasft.config.settings import ModelConfig
from rasft.data import rows
from rasft.errors import UserError
from rasft.models import folders, sources
from rasft.models.renderer import open_renderer

EVIL = "from pathlib import Path\nPath({marker!r}).write_text('ran')\n"


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_model.build(tmp_path_factory.mktemp("tiny") / "model")


@pytest.mark.parametrize(
    "payload",
    [
        "!!python/object/apply:os.system ['touch {marker}']",
        "!!python/object/new:subprocess.Popen [['touch', '{marker}']]",
        "!!python/name:os.system",
        "!!python/module:antigravity",
    ],
)
def test_yaml_makes_no_objects(tmp_path: Path, payload: str) -> None:
    path, marker = tmp_path / "bad.yaml", tmp_path / "marker"
    path.write_text("extends: demo\nname: " + payload.format(marker=marker) + "\n")
    with pytest.raises(UserError, match=r"is not valid YAML.*could not determine a constructor"):
        config_files.load(path)
    assert not marker.exists()
    assert "antigravity" not in sys.modules


def with_code(tiny: Path, folder: Path, model_type: str) -> tuple[Path, Path]:
    """A copy of the tiny model whose config points at code beside it, and what that would write."""
    shutil.copytree(tiny, folder)
    marker = folder.parent / "marker"
    (folder / "evil.py").write_text(EVIL.format(marker=str(marker)))
    values = json.loads((folder / "config.json").read_text())
    values["model_type"] = model_type
    values["auto_map"] = {
        "AutoConfig": "evil.EvilConfig",
        "AutoModelForCausalLM": "evil.EvilForCausalLM",
    }
    (folder / "config.json").write_text(json.dumps(values))
    return folder, marker


def test_a_model_that_needs_its_own_code_is_refused(tiny: Path, tmp_path: Path) -> None:
    folder, marker = with_code(tiny, tmp_path / "model", "evil")
    with pytest.raises(UserError, match=r"brings its own code.*model_type 'evil'"):
        sources.resolve(ModelConfig(path=str(folder)))
    assert not marker.exists()


def test_the_code_beside_a_known_model_never_runs(tiny: Path, tmp_path: Path) -> None:
    folder, marker = with_code(tiny, tmp_path / "model", "llama")
    assert sources.resolve(ModelConfig(path=str(folder))) == folder
    from rasft.models import language_model

    assert type(AutoConfig.from_pretrained(folder)).__name__ == "LlamaConfig"
    assert type(language_model.load_model(folder)).__name__ == "LlamaForCausalLM"
    assert not marker.exists()


def test_code_is_not_even_fetched_from_the_hub(monkeypatch: pytest.MonkeyPatch, tiny: Path) -> None:
    asked = {}

    def snapshot(name: str, revision: str, allow_patterns: list[str]) -> str:
        asked.update(revision=revision, patterns=allow_patterns)
        return str(tiny)

    monkeypatch.setattr("huggingface_hub.snapshot_download", snapshot)
    for resolve in (sources.resolve, sources.resolve_tokenizer):
        resolve(ModelConfig(path="owner/model", revision="a" * 40))
        assert asked["revision"] == "a" * 40
        assert not any(Path("modeling_evil.py").match(pattern) for pattern in asked["patterns"])


def test_where_the_tokenizer_is_enough_no_weights_are_fetched(
    monkeypatch: pytest.MonkeyPatch, tiny: Path, tmp_path: Path
) -> None:
    def snapshot(name: str, revision: str, allow_patterns: list[str]) -> str:
        for path in tiny.iterdir():
            if any(path.match(pattern) for pattern in allow_patterns):
                shutil.copy(path, tmp_path)
        return str(tmp_path)

    monkeypatch.setattr("huggingface_hub.snapshot_download", snapshot)
    model = ModelConfig(path="owner/model")
    assert sources.resolve_tokenizer(model) == tmp_path
    assert not list(tmp_path.glob("*.safetensors"))
    open_renderer(tmp_path, {}, ChatConfig())
    with pytest.raises(UserError, match=r"has no .*safetensors file"):
        folders.check(tmp_path)
    assert sources.resolve(model) == tmp_path


def test_another_model_than_the_pinned_one_is_refused(tiny: Path) -> None:
    right = folders.fingerprint(tiny)
    assert sources.resolve(ModelConfig(path=str(tiny), fingerprint=right)) == tiny
    with pytest.raises(UserError, match=f"model.fingerprint is 0+, and the model .*{right}"):
        sources.resolve(ModelConfig(path=str(tiny), fingerprint="0" * 64))


# One of them says in its file why no commit could be checked.
UNPINNED = {"minerva_math"}


@pytest.mark.parametrize("kind", ["datasets", "benchmarks"])
def test_hub_data_is_read_at_a_pinned_commit(kind: plugins.Kind) -> None:
    for name in plugins.names(kind):
        place = getattr(plugins.load(kind, name), "LOCATION", None)
        if isinstance(place, rows.Location) and name not in UNPINNED:
            assert len(place.revision or "") == 40, f"{kind}/{name} follows a moving branch"
