"""`rasft verify`: rows of JSON in, one judged row out for each, in the same order.

Rows stream in blocks, so memory is bounded, and every judged row is on disk before the next block
starts. Output rows match input rows by position, hence a second run goes on after the last whole
row of the output. A row that cannot be judged as written becomes a row with status `malformed`; so
does one with a gold that cannot be read, unless the answer has its very spelling.
"""

from __future__ import annotations

import itertools
import json
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rasft import plugins
from rasft.answers.comparing.rules import rules_named
from rasft.config.verification import VerificationConfig
from rasft.errors import UserError
from rasft.progress import track
from rasft.records import Problem, Status
from rasft.verifiers import Judgement, Submission, Verifier

BLOCK = 256  # rows read ahead; what a crash may have to judge again
MALFORMED_EXIT = 1
# texts of a row beside the response and the gold; a verifier that is not here may read any
_OPTIONAL = {
    "math": ("rules",),
    "python": ("prompt", "entry_point", "setup", "code_prefix"),
    "choice": (),
    "exact": (),
    "regex": (),
}
_ANY = ("prompt", "answer", "expert_response", "rules", "tests", "entry_point", "setup")
_LIMITS = ("cpu_seconds", "wall_seconds", "memory_mb")
_CORRECT = {Status.CORRECT: True, Status.UNDECIDED: None, Status.MALFORMED: None}
Limits = tuple[tuple[str, float], ...]


@dataclass(frozen=True)
class Row:
    """One input row: what to judge and by whom, or the reason why it cannot be judged."""

    line: int  # from 1
    id: Any
    verifier: str = ""
    submission: Submission | None = None
    limits: Limits = ()
    fault: str = ""


def run_verify(
    input_path: Path, output_path: Path, *, keep_output: bool, settings: VerificationConfig
) -> int:
    """Judge the rows that the output does not hold yet; 0, or 1 when any row was malformed.

    Raises UserError for files that cannot be used.
    """
    if not input_path.is_file():
        raise UserError(f"{input_path}: no such file; give the rows to judge as JSON lines")
    python = settings.python.model_copy(update={"keep_output": keep_output})
    settings = settings.model_copy(update={"python": python})
    done = _resume(input_path, output_path)
    malformed = sum(row["status"] == Status.MALFORMED for row in done)
    left = _count(input_path) - len(done)
    rows = itertools.islice(_rows(input_path), len(done), None)
    with output_path.open("a", encoding="utf-8") as output, _Verifiers(settings) as verifiers:
        judged = _judged(rows, verifiers)
        for row, judgement in track(judged, left, "verify", "rows"):
            malformed += judgement.status is Status.MALFORMED
            print(json.dumps(_record(row, judgement, keep_output)), file=output, flush=True)
    return MALFORMED_EXIT if malformed else 0


def _lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """(line number, line) of each line that is not blank."""
    with path.open("rb") as file:
        yield from ((number, line) for number, line in enumerate(file, start=1) if line.strip())


def _count(path: Path) -> int:
    return sum(1 for _ in _lines(path))


def _resume(input_path: Path, output_path: Path) -> list[dict[str, Any]]:
    """The finished rows of an earlier run; a half-written last line is cut off the file."""
    if not output_path.exists():
        output_path.parent.mkdir(parents=True, exist_ok=True)
        return []
    content = output_path.read_bytes()
    whole = content[: content.rfind(b"\n") + 1]
    if len(whole) < len(content):
        with output_path.open("r+b") as file:
            file.truncate(len(whole))
    done = [
        _finished(line, number, output_path)
        for number, line in enumerate(whole.splitlines(), start=1)
    ]
    rows = itertools.islice(_rows(input_path), len(done))
    matched = sum(row.id == record["id"] for row, record in zip(rows, done, strict=False))
    if matched != len(done):
        raise UserError(
            f"{output_path} holds results of another input than {input_path} (their ids differ at "
            f"row {matched + 1}); give another --output or delete it"
        )
    return done


def _finished(line: bytes, number: int, path: Path) -> dict[str, Any]:
    try:
        record = json.loads(line)
        if {"id", "status"} <= set(record):
            return dict(record)
    except (ValueError, TypeError):
        pass
    raise UserError(f"{path}:{number} is no result of this command; give another --output")


def _rows(path: Path) -> Iterator[Row]:
    for number, line in _lines(path):
        yield _row(line, number)


def _row(line: bytes, number: int) -> Row:
    try:
        fields = json.loads(line)
    except (ValueError, RecursionError) as error:
        return Row(number, None, fault=f"line {number} is not JSON: {error}")
    if not isinstance(fields, dict):
        return Row(number, None, fault=f"line {number} is not a JSON object")
    try:
        return _checked(fields, number)
    except UserError as error:
        return Row(number, fields.get("id"), fault=f"line {number}: {error}")


def _checked(fields: dict[str, Any], number: int) -> Row:
    if not isinstance(fields.get("id"), str | int):
        raise UserError("`id` must be a string or an integer")
    verifier = fields.get("verifier")
    if verifier not in plugins.names("verifiers"):
        known = ", ".join(plugins.names("verifiers"))
        raise UserError(f"`verifier` is {verifier!r}; known: {known}")
    gold = getattr(plugins.load("verifiers", verifier), "GOLD", "answer")
    texts = {name: _text(fields, name, required=False) for name in _OPTIONAL.get(verifier, _ANY)}
    for name in filter(None, ("response", gold)):
        texts[name] = _text(fields, name, required=True)
    rules_named(texts.get("rules"))
    response = texts.pop("response") or ""
    problem = Problem(
        id=str(fields["id"]),
        verifier=verifier,
        prompt=texts.pop("prompt", None) or "",
        tolerance=_number(fields, "tolerance"),
        choices=() if verifier in ("math", "python") else _texts(fields, "choices"),
        **texts,  # type: ignore[arg-type]
    )
    limits = _limits(fields.get("limits"))
    return Row(number, fields["id"], verifier, Submission(problem, response), limits)


def _text(fields: dict[str, Any], name: str, *, required: bool) -> str | None:
    value = fields.get(name)
    if value is None and not required:
        return None
    if not isinstance(value, str):
        found = "missing" if name not in fields else f"of type {type(value).__name__}"
        raise UserError(f"`{name}` must be a string; it is {found}")
    return value


def _texts(fields: dict[str, Any], name: str) -> tuple[str, ...]:
    value = fields.get(name) or []
    if not isinstance(value, list) or not all(isinstance(text, str) for text in value):
        raise UserError(f"`{name}` must be a list of strings; it is {value!r:.60}")
    return tuple(value)


def _number(fields: dict[str, Any], name: str) -> float | None:
    value = fields.get(name)
    if value is not None and (isinstance(value, bool) or not isinstance(value, int | float)):
        raise UserError(f"`{name}` must be a number; it is {value!r}")
    return value


def _limits(value: Any) -> Limits:
    if value is None:
        return ()
    if not isinstance(value, dict) or not set(value) <= set(_LIMITS):
        raise UserError(f"`limits` must be an object with keys among {', '.join(_LIMITS)}")
    numbers = {name: _number(value, name) for name in value}
    if any(number is None or not number > 0 for number in numbers.values()):
        raise UserError("`limits` must be positive numbers")
    return tuple(sorted((name, number) for name, number in numbers.items() if number is not None))


class _Verifiers:
    """The verifiers in use, built on first need; the least recently used one is closed."""

    MOST_OPEN = 4

    def __init__(self, settings: VerificationConfig) -> None:
        self._settings = settings
        self._open: OrderedDict[tuple[str, Limits], tuple[Verifier, ExitStack]] = OrderedDict()

    def __enter__(self) -> _Verifiers:
        return self

    def __exit__(self, *_: object) -> None:
        while self._open:
            self._open.popitem()[1][1].close()

    def of(self, row: Row) -> Verifier:
        """The verifier for a row under the row's limits."""
        key = row.verifier, row.limits
        if key not in self._open:
            stack = ExitStack()
            verifier = plugins.load("verifiers", row.verifier).build(self._lowered(row))
            self._open[key] = stack.enter_context(verifier), stack
        self._open.move_to_end(key)
        return self._open[key][0]

    def trim(self) -> None:
        """Close the least recently used verifiers beyond the limit; none may be judging."""
        while len(self._open) > self.MOST_OPEN:
            self._open.popitem(last=False)[1][1].close()

    def _lowered(self, row: Row) -> dict[str, Any]:
        """The config's settings; a row's limits may lower them and never raise them."""
        section = getattr(self._settings, row.verifier, None)
        settings: dict[str, Any] = section.model_dump() if section else {}
        for name, limit in row.limits:
            if name in settings:
                settings[name] = type(settings[name])(min(settings[name], limit))
        return settings


def _judged(rows: Iterator[Row], verifiers: _Verifiers) -> Iterator[tuple[Row, Judgement]]:
    """Rows with their judgements in order; within a block each verifier gets its rows at once."""
    while block := list(itertools.islice(rows, BLOCK)):
        verifiers.trim()
        streams: dict[tuple[str, Limits], Iterator[Judgement]] = {}
        for row in block:
            if row.submission is None:
                yield row, Judgement(Status.MALFORMED, detail=row.fault)
                continue
            key = row.verifier, row.limits
            if key not in streams:
                same = [r.submission for r in block if (r.verifier, r.limits) == key]
                streams[key] = verifiers.of(row).judge(s for s in same if s is not None)
            yield row, _unless_the_gold_is_at_fault(row, next(streams[key]))


def _unless_the_gold_is_at_fault(row: Row, judgement: Judgement) -> Judgement:
    """An answer that does not meet a gold which nothing could meet is no wrong answer."""
    if row.verifier != "math" or row.submission is None or judgement.status is Status.CORRECT:
        return judgement
    from rasft.answers.golds import unreadable  # brings mpmath, which programs do not need

    fault = unreadable(row.submission.problem.answer)
    if not fault:
        return judgement
    return replace(judgement, status=Status.MALFORMED, detail=f"line {row.line}: `answer`: {fault}")


def _record(row: Row, judgement: Judgement, keep_output: bool) -> dict[str, Any]:
    record: dict[str, Any] = {
        "id": row.id,
        "status": judgement.status.value,
        "correct": _CORRECT.get(judgement.status, False),
        "answer": judgement.answer,
        "seconds": round(judgement.seconds, 6),
        "detail": judgement.detail,
    }
    if keep_output:
        record |= {"stdout": judgement.stdout, "stderr": judgement.stderr}
    return record
