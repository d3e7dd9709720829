"""Plugin folders of the user's own: found, kept with the config, refused in one sentence."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from rasft import plugins
from rasft.config import files as config_files
from rasft.config.settings import VerificationConfig
from rasft.decoding import determinism
from rasft.decoding.engine import EngineOptions
from rasft.errors import UserError
from rasft.stages import training_method, verify

CONFIG = "extends: demo_sft\nname: own\nplugins: [mine]\ntraining: {method: focal}\n"
FOCAL = """from ..constants import POWER

USES_REFERENCE = False
EXAMPLES = "expert"


def token_loss(inputs, settings):
    return POWER
"""
YESNO = """class Verifier:
    version = "1"


def build(settings):
    return Verifier()
"""
ENGINE = """NAME = "plain"
MEMORY_RUNGS = ()
version = lambda: "plain 1"
available = lambda: None
open_engine = None
"""


@pytest.fixture(autouse=True)
def apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RASFT_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv(plugins.VARIABLE, "")


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A config beside a folder with a loss and a module that it imports."""
    write(tmp_path / "mine" / "losses" / "focal.py", FOCAL)
    write(tmp_path / "mine" / "constants.py", "POWER = 2\n")
    return write(tmp_path / "own.yaml", CONFIG)


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def test_a_folder_beside_the_config_adds_to_the_library(config: Path) -> None:
    assert config_files.load(config).training.method == "focal"
    assert "focal" in plugins.names("losses")
    assert "focal" not in plugins.library("losses")
    assert plugins.load("losses", "focal").token_loss(None, None) == 2
    assert plugins.user_module("constants").POWER == 2


def test_names_are_listed_without_an_import(config: Path, tmp_path: Path) -> None:
    write(tmp_path / "mine" / "losses" / "loud.py", "raise SystemExit('imported')\n")
    config_files.load(config)
    assert {"focal", "loud"} <= set(plugins.names("losses"))


def test_a_stored_config_needs_no_folder(config: Path, tmp_path: Path) -> None:
    """What a run keeps is read in another process, on another disk."""
    stored = config_files.load(config).model_dump(mode="json")
    (tmp_path / "mine").rename(tmp_path / "moved")
    code = (
        "import json, sys; from rasft import plugins; from rasft.config import files;"
        "files.build(json.load(sys.stdin));"
        "print(plugins.load('losses', 'focal').token_loss(None, None))"
    )
    elsewhere = {**os.environ, "RASFT_CACHE_DIR": str(tmp_path / "other"), plugins.VARIABLE: ""}
    done = subprocess.run(
        [sys.executable, "-c", code], input=json.dumps(stored), env=elsewhere, text=True,
        capture_output=True, check=True,
    )  # fmt: skip
    assert done.stdout == "2\n"


def test_a_process_that_this_one_starts_has_them(config: Path) -> None:
    config_files.load(config)
    code = "from rasft import plugins; print(plugins.load('losses', 'focal').EXAMPLES)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "expert\n"


def test_what_was_spoilt_in_the_cache_is_written_anew(config: Path) -> None:
    values = config_files.load(config)
    (kept,) = Path(os.environ[plugins.VARIABLE]).glob("losses/*.py")
    kept.write_text("EXAMPLES = 'group'\n")
    config_files.build(values.model_dump(mode="json"))
    assert kept.read_text() == FOCAL


def test_a_folder_of_the_extended_config_counts_too(config: Path, tmp_path: Path) -> None:
    write(tmp_path / "sub" / "more" / "losses" / "other.py", FOCAL)
    over = write(
        tmp_path / "sub" / "over.yaml",
        f"extends: {config}\nplugins: [more]\ntraining: {{method: other}}\n",
    )
    assert {"losses/focal.py", "losses/other.py"} <= set(config_files.load(over).plugins)


def test_a_changed_source_is_another_version(config: Path, tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    write(mine / "verifiers" / "yesno.py", YESNO)
    write(mine / "engines" / "plain.py", ENGINE)
    settings, options = VerificationConfig(), EngineOptions("float32")

    def versions() -> tuple[str | None, str, str]:
        config_files.load(config)
        return (
            plugins.digest("losses/focal.py"),
            verify.version("yesno", settings),
            determinism.version(plugins.load("engines", "plain"), options),
        )

    first = versions()
    assert versions() == first
    write(mine / "losses" / "focal.py", FOCAL + "# other\n")
    second = versions()
    assert [a == b for a, b in zip(first, second, strict=True)] == [False, True, True]
    write(mine / "constants.py", "POWER = 3\n")
    assert not set(versions()) & set(second)
    assert verify.version("choice", settings) == verify.version("choice", settings)
    assert plugins.digest("losses/sft.py") is None


@pytest.mark.parametrize(
    ("file", "text", "message"),
    [
        ("mine/losses/sft.py", FOCAL, "the library has a loss 'sft': give your losses/sft.py"),
        ("mine/loss/x.py", FOCAL, r"mine/loss is no kind of plugin \(did you mean 'losses'\?\)"),
        ("mine/losses/x.py", "def\n", r"mine/losses/x.py, line 1, does not import: SyntaxError"),
        ("mine/losses/a b.py", FOCAL, "'?.*a b.py is named as no module can be"),
        ("mine/big.py", "X = 1\n" * 20_000, "120.* bytes together, and a config takes 64000"),
        ("own.yaml", "extends: demo\nplugins: [yours]\n", "'yours', and there is no folder /"),
        ("own.yaml", "extends: demo\nplugins: mine\n", "'mine' is no list of folders"),
        ("own.yaml", "extends: demo\nplugins: [mine, mine]\n", "two folders of plugins have a"),
        ("own.yaml", "extends: demo\nplugins: {../x.py: ''}\n", "'../x.py' is no file of a plugin"),
        ("own.yaml", CONFIG.replace("focal", "fokal"), r"fokal' \(did you mean 'focal'\?\)"),
    ],
)
def test_a_mistake_is_one_sentence(
    config: Path, tmp_path: Path, file: str, text: str, message: str
) -> None:
    write(tmp_path / file, text)
    with pytest.raises(UserError, match=message) as caught:
        config_files.load(config)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("import nothing_like_it\n" + FOCAL, "focal.py, line 1, does not import: ModuleNotFound"),
        ("USES_REFERENCE = False\n", "losses/focal.py defines no token_loss, no EXAMPLES; of the"),
        (FOCAL.replace('"expert"', '"experts"'), "EXAMPLES = 'experts'; known: expert, group"),
    ],
)
def test_a_file_that_is_no_plugin_is_told_with_its_error(
    config: Path, tmp_path: Path, text: str, message: str
) -> None:
    write(tmp_path / "mine" / "losses" / "focal.py", text)
    read = config_files.load(config)
    with pytest.raises(UserError, match=message):
        training_method.check_method(read, ["expert"])


def test_an_engine_is_named_as_its_file(config: Path, tmp_path: Path) -> None:
    write(tmp_path / "mine" / "engines" / "mine.py", ENGINE)
    config_files.load(config)
    with pytest.raises(UserError, match="NAME = 'plain': name it as its file"):
        plugins.load("engines", "mine")


def test_a_module_that_is_not_there_is_named_with_those_that_are(config: Path) -> None:
    config_files.load(config)
    with pytest.raises(UserError, match=r"no module 'graders' in .*; known: constants"):
        plugins.user_module("graders")
