"""LiveCodeBench, code generation: contest problems in the order of their dates (Jain et al. 2024).

The dataset states a Creative Commons licence without naming it. AtCoder's and Codeforces' problems
read standard input, LeetCode's ask for a method of the class `Solution`. There are no reference
solutions.

Options: `release`, v1 to v6, v6 by default; `from` and `until`, contest dates such as 2024-08-01,
both included; `tests_mb`, how many million characters of a problem's tests are kept, 4 by default:
a test that would pass beyond it is left out.

The published protocol is ten samples at temperature 0.2 and six seconds a test. Here a program has
60 seconds of CPU time for all its tests, and what it prints must be the expected lines, trailing
white space apart: 0.50 is not 0.5. As there, a method's program may use Python's usual modules
without importing them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from itertools import islice

from rasft.data import contests, rows
from rasft.data import livecodebench as lcb
from rasft.data.source import ByOption, Source
from rasft.errors import UserError
from rasft.records import Problem

KIND = "code"
NAME = "livecodebench"
# release: its problems, and the files of the hub that hold them, each release adding one
RELEASES = {"v6": 1_055, "v5": 880, "v4": 713, "v3": 612, "v2": 511, "v1": 400}
FILES = ("test.jsonl", *(f"test{number}.jsonl" for number in range(2, 7)))
ROWS = ByOption("release", RELEASES)
LOCATION = rows.Location(
    "code/livecodebench.jsonl",  # the hub's files, one after the other
    hub="livecodebench/code_generation_lite",
    split="test",
    revision="0fe84c3912ea0c4d4a78037083943e8f0c4dd505",
    files=FILES,
)
CPU_SECONDS = 60.0
MEMORY_MB = 1024  # AtCoder's limit
TESTS_MB = 4
CALLED = "Complete this class. Answer with the whole class in one code block."


def load(source: Source) -> Iterator[Problem]:
    """Yield the problems. Raises UserError."""
    rows.check_options(NAME, source, ("release", "from", "until", "tests_mb"))
    release = source.options.get("release", "v6")
    if release not in RELEASES:
        raise UserError(f"{NAME}: option release = {release!r}; known: {', '.join(RELEASES)}")
    first, last = _date(source, "from", "0001-01-01"), _date(source, "until", "9999-12-31")
    most = _tests_mb(source) * 1_000_000
    whole = replace(source, limit=RELEASES[release])
    location = replace(LOCATION, files=FILES[: int(release[1:])])
    released = rows.read(whole, location, _from_hub)
    dated = (row for row in released if first <= _day(row) <= last)
    for row in islice(dated, source.limit):
        yield _problem(row, most)


def _date(source: Source, option: str, default: str) -> date:
    value = source.options.get(option, default)
    try:
        return date.fromisoformat(value)
    except (TypeError, ValueError):
        raise UserError(f"{NAME}: option {option} = {value!r} is no date, as 2024-08-01") from None


def _tests_mb(source: Source) -> int:
    value = source.options.get("tests_mb", TESTS_MB)
    if type(value) is not int or not 1 <= value <= 30:
        raise UserError(f"{NAME}: option tests_mb = {value!r} must be a whole number from 1 to 30")
    return value


def _from_hub(fields: rows.Fields, index: int) -> rows.Fields:
    return {**fields, "contest_date": str(fields["contest_date"])}  # may come as a time


def _day(row: rows.Row) -> date:
    text = row.text("contest_date")
    try:
        return date.fromisoformat(text[:10])
    except ValueError:
        raise UserError(f"{row.where}: contest_date {text!r} is no date") from None


def _problem(row: rows.Row, most_characters: int) -> Problem:
    method, starter = lcb.method_of(row), row.optional("starter_code")
    question = row.text("question_content")
    return Problem(
        id=f"{NAME}/{row.text('question_id')}",
        prompt=f"{question}\n\n{_asked(starter) if method else contests.READS}",
        verifier="python",
        tests=_tests(row, method, most_characters),
        entry_point="Solution" if method else None,
        code_prefix=f"{contests.IMPORTS}\n\n\n{starter}" if method and starter else None,
        source=NAME,
        cpu_seconds=CPU_SECONDS,
        memory_mb=MEMORY_MB,
    )


def _asked(starter: str | None) -> str:
    return f"{CALLED}\n\n{rows.fenced(starter)}" if starter else CALLED


def _tests(row: rows.Row, method: str | None, most_characters: int) -> str:
    kept = contests.within(lcb.cases(row), most_characters)
    if not kept:
        raise UserError(f"{row.where}: no test is within tests_mb; raise it")
    try:
        return lcb.of_method(kept, method) if method else lcb.of_standard_input(kept)
    except ValueError as error:
        raise UserError(f"{row.where}: a test of {method} is no JSON: {error}") from None
