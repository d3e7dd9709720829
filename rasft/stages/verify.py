"""Rollouts x verifiers -> verdicts, in a table of their own.

A rollout is never changed by what a verifier says of it: a better verifier later judges the same
rollouts again. What a verifier could not judge stays `undecided`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import pyarrow as pa

from rasft import plugins
from rasft.config.settings import Config
from rasft.config.verification import VerificationConfig
from rasft.errors import MachineError, UserError
from rasft.ledger import Ledger, open_ledger
from rasft.ledger.rows import VerdictRow, problem_digest, verdict_key
from rasft.progress import track
from rasft.records import Problem, Rollout, Status, Verdict, Work
from rasft.stages.kept import KeptVerifiers, build, settings_of
from rasft.tables import from_table, to_table
from rasft.verifiers import Judgement, Submission, Verifier


def verify(config: Config, rows: pa.Table, rollouts: pa.Table) -> tuple[pa.Table, pa.Table]:
    """A verdict for each rollout: Verdict rows, Work rows."""
    ledger = open_ledger(config.ledger)
    verdicts = judge(
        from_table(rows, Problem), from_table(rollouts, Rollout), config.verification, ledger
    )
    return to_table(verdicts, Verdict), to_table(ledger.work("verify"), Work)


def judge(
    problems: Sequence[Problem],
    rollouts: Sequence[Rollout],
    settings: VerificationConfig,
    ledger: Ledger,
    kept: KeptVerifiers | None = None,
) -> list[Verdict]:
    """One verdict for each rollout, in their order; those that the ledger holds are taken from it.

    Verifiers that are started end with it, or with `kept`. Raises UserError for a rollout of a
    problem that is not there or an unknown verifier, and MachineError if a verifier ends before it
    has judged everything.
    """
    if kept is None:
        with KeptVerifiers() as own:
            return judge(problems, rollouts, settings, ledger, own)
    by_id = {problem.id: problem for problem in problems}
    if strangers := sorted({row.problem_id for row in rollouts} - by_id.keys()):
        raise UserError(f"rollouts of problems that are not in the table: {strangers[:3]}")
    verdicts: dict[int, Verdict] = {}
    for name in sorted({by_id[row.problem_id].verifier for row in rollouts}):
        chosen = {
            place: Submission(by_id[row.problem_id], row.text)
            for place, row in enumerate(rollouts)
            if by_id[row.problem_id].verifier == name
        }
        for place, (judgement, found) in _known_or_judged(name, chosen, settings, ledger, kept):
            verdicts[place] = _verdict(rollouts[place], name, found, judgement)
    return [verdicts[place] for place in range(len(rollouts))]


def check(names: Iterable[str], settings: VerificationConfig) -> None:
    """Start and leave each verifier. Raises UserError where one cannot work on this machine."""
    for name in sorted(names):
        with build(name, settings):
            pass


def deciding_settings(name: str, settings: VerificationConfig) -> dict[str, Any]:
    """The settings of a verifier that can change a verdict."""
    section = settings_of(name, settings)
    indifferent = getattr(plugins.load("verifiers", name), "INDIFFERENT", ())
    return {key: value for key, value in section.items() if key not in indifferent}


def version(name: str, settings: VerificationConfig) -> str:
    """The version of a verifier: what a verdict depends on beside the response."""
    return _version(name, build(name, settings))


def _known_or_judged(
    name: str,
    submissions: Mapping[int, Submission],
    settings: VerificationConfig,
    ledger: Ledger,
    kept: KeptVerifiers,
) -> Iterator[tuple[int, tuple[Judgement, str]]]:
    """The verdict of each submission; the verifier is started only if one is not in the ledger."""
    current = version(name, settings)
    problems = {each.problem.id: each.problem for each in submissions.values()}
    digests = {problem_id: problem_digest(problem) for problem_id, problem in problems.items()}
    keys = {
        place: verdict_key(digests[each.problem.id], each.response)
        for place, each in submissions.items()
    }
    with ledger.verdicts(name, current, deciding_settings(name, settings)) as stored:
        rows = stored.find(keys.values())
        missing = {place: each for place, each in submissions.items() if keys[place] not in rows}
        ledger.count("verdicts", reused=len(submissions) - len(missing), made=len(missing))
        for place in submissions.keys() - missing.keys():
            yield place, (_read(rows[keys[place]]), current)
        made = _judge_missing(name, missing, settings, kept) if missing else ()
        for place, (judgement, found) in made:
            if judgement.status.is_decided:  # else the machine failed: it is to be tried again
                stored.put(_row(keys[place], judgement))
            yield place, (judgement, found)


def _read(row: VerdictRow) -> Judgement:
    return Judgement(
        Status(row.status), row.answer, row.seconds, row.detail, row.stdout, row.stderr
    )


def _row(key: str, judgement: Judgement) -> VerdictRow:
    return VerdictRow(
        key=key,
        status=judgement.status,
        answer=judgement.answer,
        seconds=judgement.seconds,
        detail=judgement.detail,
        stdout=judgement.stdout,
        stderr=judgement.stderr,
    )


def _judge_missing(
    name: str,
    submissions: Mapping[int, Submission],
    settings: VerificationConfig,
    kept: KeptVerifiers,
) -> Iterator[tuple[int, tuple[Judgement, str]]]:
    judged = 0
    with kept.use(name, settings) as verifier:
        judgements = track(
            verifier.judge(submissions.values()),
            len(submissions),
            f"verifying ({name})",
            "responses",
        )
        for place, judgement in zip(submissions, judgements, strict=False):
            judged += 1
            yield place, (judgement, _version(name, verifier))
    if judged < len(submissions):
        raise MachineError(f"verifier {name!r} judged {judged} of {len(submissions)} responses")


def _version(name: str, verifier: Verifier) -> str:
    """What the verifier says, and of one of the user's own its source too."""
    own = plugins.digest(f"verifiers/{name}.py")
    return f"{verifier.version} {own}" if own else verifier.version


def _verdict(rollout: Rollout, name: str, version: str, judgement: Judgement) -> Verdict:
    return Verdict(
        problem_id=rollout.problem_id,
        sample_index=rollout.sample_index,
        verifier=name,
        verifier_version=version,
        status=judgement.status,
        answer=judgement.answer,
        seconds=judgement.seconds,
        detail=judgement.detail,
        stdout=judgement.stdout,
        stderr=judgement.stderr,
    )
