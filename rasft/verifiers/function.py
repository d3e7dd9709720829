"""The verifier of the user's own: a function in a file beside the config's plugins.

`verification.function.call: "graders:judge"` names the function `judge` in `graders.py` of a folder
that the config's `plugins` lists. It is called as `judge(response, problem)`, where `problem` is a
mapping with a Problem's fields, less those that decide no verdict: its id, source, system text and
expert responses. It returns True or False, or one of them with a text that says why. It runs in
worker processes with a deadline and a limit of memory, where it starts no program, opens no socket
and writes no file; what it prints is dropped. The file is trusted, as all plugins are; the response
is text and should stay so.

What the function cannot judge is `undecided`, never wrong: it raised, took too long, or returned
something else. The first such fault is told on stderr with its line; where it meets all of the
first MOST_FAULTS responses, the run ends. Verdicts are kept for as long as the plugins are the
same.
"""

from __future__ import annotations

import hashlib
import io
import sys
import traceback
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import redirect_stdout
from dataclasses import asdict
from pathlib import Path
from typing import Any, Self

from rasft import plugins
from rasft.errors import UserError
from rasft.paths import PACKAGE
from rasft.records import Problem, Status
from rasft.verifiers import Judgement, Submission
from rasft.workers.ordered import OrderedWorkers, Reply
from rasft.workers.process import WorkerLimits

GOLD = None  # the function alone knows what it judges by
INDIFFERENT = ("workers",)  # settings that change no verdict
MOST_FAULTS = 10  # responses in a row, from the first, before the function counts as broken
MOST_DETAIL = 500  # characters of what a function says
_DEFAULTS: dict[str, Any] = {
    "call": None,
    "workers": None,  # None: one for each core
    "deadline_seconds": 2.0,
    "memory_mb": 1024,
}
# Stored verdicts do not depend on them.
UNSEEN = ("id", "source", "system", "expert_response", "experts")
DECIDING = (
    *(PACKAGE / "workers" / f"{name}.py" for name in ("ordered", "pool", "process")),
    PACKAGE / "verifiers" / "function.py",
)
Grader = Callable[[str, Mapping[str, Any]], Any]


def build(settings: Mapping[str, Any]) -> FunctionVerifier:
    """The verifier from the config section `verification.function`.

    Raises UserError for a setting that it does not have and a function that is not there.
    """
    if unknown := sorted(set(settings) - set(_DEFAULTS)):
        raise UserError(
            f"unknown setting {unknown[0]!r} of the function verifier; "
            f"known: {', '.join(_DEFAULTS)}"
        )
    chosen = _DEFAULTS | dict(settings)
    if float(chosen["deadline_seconds"]) <= 0 or int(chosen["memory_mb"]) < 128:
        raise UserError("the function verifier needs deadline_seconds > 0 and memory_mb >= 128")
    return FunctionVerifier(chosen)


def find(call: object) -> Grader:
    """The function that `verification.function.call` names. Raises UserError."""
    module, _, name = call.partition(":") if isinstance(call, str) else ("", "", "")
    if not (module.isidentifier() and name.isidentifier()):
        raise UserError(
            f"verification.function.call = {call!r} must name a function in a file beside the "
            'plugins: "graders:judge" is judge in graders.py'
        )
    function = getattr(plugins.user_module(module), name, None)
    if not callable(function):
        raise UserError(
            f"verification.function.call = {call!r}: {module}.py has no function {name}"
        )
    return function  # type: ignore[no-any-return]


def __getattr__(name: str) -> Callable[[Mapping[str, Any]], list[Any]]:
    """What a worker serves: its target is `rasft.verifiers.function:graders:judge`."""
    if ":" not in name:
        raise AttributeError(name)
    function = find(name)
    file = plugins.user_module(name.partition(":")[0]).__file__ or ""
    return lambda request: judged(function, request, file)


def seen(problem: Problem) -> dict[str, Any]:
    """What the function is told of a problem."""
    return {name: value for name, value in asdict(problem).items() if name not in UNSEEN}


def judged(function: Grader, request: Mapping[str, Any], file: str) -> list[Any]:
    """[True, False or None where it cannot be told, why]; runs in a worker."""
    try:
        with redirect_stdout(io.StringIO()):  # a worker writes to no file, and stdout may be one
            found = function(request["response"], request["problem"])
    except Exception as error:  # whatever the user's own function raises
        return [None, _where(error, file)]
    verdict, detail = found if isinstance(found, tuple) and len(found) == 2 else (found, "")
    if not isinstance(verdict, bool):
        text = f"it returned {verdict!r:.60}, which is neither True nor False"
        return [None, text]
    return [verdict, str(detail)[:MOST_DETAIL]]


def _where(error: Exception, file: str) -> str:
    """The line of the user's file that raised, and what."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if frame.filename == file] or frames
    return (
        f"{Path(own[-1].filename).name} line {own[-1].lineno}: "
        f"{type(error).__name__}: {str(error)[:200]}"
    )


class FunctionVerifier:
    """Asks the user's function in worker processes; safe to use from several threads at once."""

    name = "function"

    def __init__(self, settings: Mapping[str, Any]) -> None:
        find(settings["call"])
        self._call = str(settings["call"])
        self.version = deciding_version(self._call)
        limits = WorkerLimits(float(settings["deadline_seconds"]), int(settings["memory_mb"]))
        target = f"{__name__}:{self._call}"
        self._workers = OrderedWorkers(target, settings["workers"], limits)

    def __enter__(self) -> Self:
        self._workers.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._workers.__exit__()

    def process_ids(self) -> list[int]:
        """The worker processes alive now."""
        return self._workers.process_ids()

    def judge(self, submissions: Iterable[Submission]) -> Iterator[Judgement]:
        """Yield a judgement for each submission, in order, with several in flight.

        Raises UserError where the function fails on each of the first responses.
        """
        ids: deque[str] = deque()

        def requests() -> Iterator[dict[str, Any]]:
            for submission in submissions:
                ids.append(submission.problem.id)
                yield {"response": submission.response, "problem": seen(submission.problem)}

        faults = 0
        for asked, reply in enumerate(self._workers.ask(requests()), start=1):
            judgement, problem_id = _judgement(reply or Reply()), ids.popleft()
            faults += judgement.status is Status.UNDECIDED
            if judgement.status is Status.UNDECIDED:
                self._tell(faults, asked, problem_id, judgement.detail)
            yield judgement

    def _tell(self, faults: int, asked: int, problem_id: str, detail: str) -> None:
        if faults == 1:
            print(
                f"verification.function {self._call}: problem {problem_id!r} is undecided: "
                f"{detail}; later ones are only counted",
                file=sys.stderr,
            )
        if faults == asked == MOST_FAULTS:
            raise UserError(
                f"verification.function.call = {self._call!r} fails on each of the first "
                f"{MOST_FAULTS} responses, the last with: {detail}"
            )


def _judgement(reply: Reply) -> Judgement:
    verdict, detail = reply.value if isinstance(reply.value, list) else (None, reply.failure)
    if verdict is None:
        return Judgement(Status.UNDECIDED, None, reply.seconds, detail)
    status = Status.CORRECT if verdict is True else Status.INCORRECT
    return Judgement(status, None, reply.seconds, detail)


def deciding_version(call: str) -> str:
    """A hash of every source that a verdict depends on, the user's own among them."""
    digest = hashlib.sha256(str(plugins.digest(f"{call.partition(':')[0]}.py")).encode())
    for source in DECIDING:
        digest.update(source.name.encode() + source.read_bytes())
    return digest.hexdigest()[:16]
