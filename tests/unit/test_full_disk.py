"""A full disk is one message, whoever reports it; nothing else is taken for one."""

from collections import namedtuple
from collections.abc import Callable
from pathlib import Path

import click
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from rasft.cli import Commands
from rasft.errors import MachineError, UserError
from rasft.machine import disks
from rasft.machine.full_disk import ADVICE, message_of

FULL = "/dev/full"  # the kernel's own: every write to it finds no room
Usage = namedtuple("Usage", "total used free")


def write_text() -> None:
    with open(FULL, "w") as file:
        file.write("x" * 100_000)


def write_table() -> None:
    # to an open file: where it is given a path, it removes what it could not write whole
    with pa.OSFile(FULL, "wb") as stream:
        pq.write_table(pa.table({"a": list(range(100_000))}), stream)


def write_and_wrap() -> None:
    try:
        write_text()
    except OSError:
        raise RuntimeError("the results could not be kept") from None


def raised(work: Callable[[], None]) -> Exception:
    with pytest.raises(Exception) as caught:  # noqa: PT011 - each library has its own
        work()
    return caught.value


@pytest.mark.parametrize("work", [write_text, write_table, write_and_wrap])
def test_a_full_disk_is_told_with_what_to_do(work: Callable[[], None]) -> None:
    error = raised(work)
    assert message_of(error) == f"{error}: {ADVICE}"


def test_so_is_one_that_another_process_met() -> None:
    said = "the program failed with exit code 1; it said:\nOSError: No space left on device."
    assert message_of(MachineError(said)) == f"{said[:-1]}: {ADVICE}"


def test_other_errors_stay_what_they_are() -> None:
    assert message_of(UserError("no such file")) == "no such file"
    assert message_of(raised(lambda: open("/nowhere").close())) is None
    assert message_of(ZeroDivisionError()) is None


def test_a_command_ends_with_the_message() -> None:
    @click.group(cls=Commands)
    def main() -> None: ...

    main.add_command(click.Command("write", callback=write_text))
    done = CliRunner().invoke(main, ["write"])
    assert done.exit_code == 1
    assert done.output == f"Error: [Errno 28] No space left on device: {ADVICE}\n"


def test_one_check_tells_of_one_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    runs = disks.Place("runs", tmp_path / "not" / "there", "RUNS", needed=10)
    scratch = disks.Place("scratch", tmp_path, "TMPDIR", needed=5)
    devices = disks.Place("devices", Path("/dev/shm"), "DEVICES", needed=5)
    monkeypatch.setattr("shutil.disk_usage", lambda folder: Usage(100e9, 93e9, 7e9))
    (both,) = disks.checks([runs, scratch])
    assert not both.ok
    assert f"7 GB free for runs ({tmp_path}/not/there), scratch ({tmp_path})" in both.detail
    assert "at least 10 GB" in both.detail
    assert both.detail.endswith("or set RUNS or TMPDIR")
    (alone,) = disks.checks([scratch])
    assert alone.ok
    assert alone.detail == f"7 GB free for scratch ({tmp_path})"
    assert len(list(disks.checks([runs, devices, scratch]))) == 2
