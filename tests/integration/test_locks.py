"""What `make check-locks` says of a lock that cannot be installed. It asks the public index."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from locks import resolve

ROOT = Path(__file__).parents[2]
CPU = next(target for target in resolve.TARGETS if target.lock.name == "cpu")


def test_an_impossible_pin_is_named_with_its_target(tmp_path: Path) -> None:
    text = re.sub(r"(?m)^metaflow==[^\s;]+", "metaflow==0.0.1", CPU.lock.path.read_text())
    (tmp_path / "cpu.txt").write_text(text)
    with pytest.raises(resolve.Unresolvable) as failure:
        resolve.check(CPU, tmp_path / "cpu.txt")
    assert str(failure.value).startswith(f"{CPU} does not resolve: ")
    assert "metaflow" in str(failure.value)


def test_a_package_that_the_lock_leaves_open_is_named(tmp_path: Path) -> None:
    lines = CPU.lock.path.read_text().splitlines()
    (tmp_path / "cpu.txt").write_text("\n".join(x for x in lines if not x.startswith("tqdm==")))
    with pytest.raises(resolve.Unresolvable, match=r"cpu\.txt does not pin tqdm \("):
        resolve.check(CPU, tmp_path / "cpu.txt")


def test_every_line_of_a_lock_pins_one_version() -> None:
    for lock in resolve.LOCKS:
        lines = [x for x in lock.path.read_text().splitlines() if not x.startswith("#")]
        assert len(lines) > 100
        assert [x for x in lines if not re.match(r"[\w.-]+==[\w.+!-]+( ; .+)?$", x)] == []


def test_users_have_one_torch() -> None:
    torch = {
        lock.name: {
            version for name, version in resolve.pins(lock.path.read_text()) if name == "torch"
        }
        for lock in resolve.LOCKS
    }
    assert len(torch["cpu"]) == 1
    assert torch["cpu"] == torch["cuda"]


def install(folder: Path, *words: str, **settings: str) -> subprocess.CompletedProcess[str]:
    command = ["sh", str(ROOT / "install.sh"), str(folder / "venv"), *words]
    return subprocess.run(
        command, capture_output=True, text=True, check=False, env={**os.environ, **settings}
    )


@pytest.mark.parametrize(
    ("words", "settings", "message"),
    [
        (["cdua"], {}, "there is no lock named cdua; the locks are cpu, cuda and test."),
        ([], {"PYTHON": "/bin/false"}, "none of these is one: /bin/false."),
    ],
)
def test_where_nothing_fits_one_sentence_says_what_was_looked_for(
    words: list[str], settings: dict[str, str], message: str, tmp_path: Path
) -> None:
    done = install(tmp_path, *words, **settings)
    assert done.returncode == 1
    assert message in done.stderr
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / "venv").exists()


def test_an_unknown_machine_is_told_which_are_known(tmp_path: Path) -> None:
    uname = tmp_path / "uname"
    uname.write_text("#!/bin/sh\ncase $1 in -s) echo Plan9 ;; *) echo mips ;; esac\n")
    uname.chmod(0o755)
    done = install(tmp_path, PATH=f"{tmp_path}:{os.environ['PATH']}")
    assert done.returncode == 1
    assert "Linux x86_64, Linux aarch64 and macOS arm64, and this is Plan9 mips." in done.stderr


def test_the_resolver_does_without_this_machines_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """An index that is named nowhere else would otherwise be asked, and could not be reached."""
    for name in ("UV_INDEX_URL", "UV_DEFAULT_INDEX", "PIP_INDEX_URL"):
        monkeypatch.setenv(name, "http://127.0.0.1:9/simple")
    monkeypatch.setenv("UV_CONSTRAINT", "/nowhere/constraints.txt")
    resolve.check(CPU)


def test_uv_is_found_or_asked_for(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(resolve.Unresolvable, match="uv is not installed"):
        resolve.check(CPU)
