import io
import os
import subprocess
import sys

import pytest

from rasft import progress
from rasft.results import live_notes


def test_off_a_terminal_it_prints_whole_lines(capsys):
    items = ["ab", "cde", "f"]
    passed = list(progress.track(items, 3, "rollout", "samples", tokens=len))
    assert passed == items
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1  # far less than one line each few seconds: only the last one
    assert lines[0].startswith("rollout: 3/3 samples, ")
    assert "tokens/s, took 0 s" in lines[0]
    assert "\r" not in lines[0]


def test_on_a_terminal_it_draws_a_bar(monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    assert list(progress.track(range(3), 3, "judge", "answers")) == [0, 1, 2]
    assert "judge: 100%" in terminal.getvalue()
    assert "\r" in terminal.getvalue()


def test_time_left_is_told_from_the_speed_so_far():
    assert progress.line("x", done=25, total=100, seconds=30) == "x, 1 min 30 s left"


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.4, "0 s"), (59.4, "59 s"), (60, "1 min 0 s"), (3600, "1 h 0 min")]
)
def test_duration(seconds, text):
    assert progress.duration(seconds) == text


def test_the_last_line_is_left_for_who_watches_the_task(tmp_path, monkeypatch):
    monkeypatch.setenv("RASFT_CACHE_DIR", str(tmp_path))
    with live_notes.of_task("RasftFlow/12/rollout/7"):
        assert list(progress.track(range(3), 3, "sampling", "samples")) == [0, 1, 2]
        left = live_notes.line("RasftFlow/12", "rollout", "7")
        assert left.startswith("sampling: 3/3 samples, ")
        assert live_notes.is_scheduled("RasftFlow/12") is True
    assert live_notes.line("RasftFlow/12", "rollout", "7") == ""
    assert "RASFT_PROGRESS" not in os.environ


def test_a_scheduler_that_is_gone_is_told_from_one_elsewhere(tmp_path, monkeypatch):
    monkeypatch.setenv("RASFT_CACHE_DIR", str(tmp_path))
    code = """
import subprocess, sys
task = "from rasft.results import live_notes\\nwith live_notes.of_task('RasftFlow/9/train/1'): pass"
subprocess.run([sys.executable, "-c", task], check=True)
"""
    subprocess.run([sys.executable, "-c", code], check=True)
    assert live_notes.is_scheduled("RasftFlow/9") is False
    assert live_notes.is_scheduled("RasftFlow/10") is None
