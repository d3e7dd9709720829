"""Every stored sample judged again by the verifiers of today: no model, no GPU.

What a verdict needs is in the ledger: the sample's text and its problem. The new verdicts go into
the ledger; those of the version before stay, and are what the new ones are compared with.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from rasft.config.settings import Config
from rasft.config.verification import VerificationConfig
from rasft.ledger import Ledger
from rasft.ledger.rows import (
    SampleRow,
    VerdictRow,
    problem_digest,
    read_problem,
    verdict_facts,
    verdict_key,
)
from rasft.ledger.table import LedgerTable
from rasft.method.aggregation import build_groups
from rasft.method.routing import ROLLOUT
from rasft.records import Group, Problem, Rollout, Route, Status, Verdict
from rasft.stages import verify
from rasft.stages.evaluate import stated


@dataclass(frozen=True)
class Graded:
    """One stored sample under one version of its problem, judged before (if it was) and now."""

    folder: str  # of the sample: its policy and its way of sampling
    problem: Problem
    sample: SampleRow
    before: Status | None
    now: Status


@dataclass(frozen=True)
class Reweighted:
    """A problem whose training weights differ under the new verdicts."""

    folder: str
    run_seed: int
    problem_id: str
    before: Group
    now: Group


def regrade(ledger: Ledger, config: Config) -> list[Graded]:
    """Judge every stored sample whose problem is stored, by the verifiers and settings of now.

    Problems without an expert response are evaluated ones: their answers may be stated in words.
    """
    if ledger.store is None:
        return []
    versions: dict[tuple[str, str], list[Problem]] = defaultdict(list)
    sampled: dict[str, Problem] = {}
    for row in ledger.problems().rows():
        problem = sampled[row.problem] = read_problem(row)
        versions[problem.id, problem.prompt].append(problem)
    graded: list[Graded] = []
    for folder in sorted(ledger.store.folders("samples")):
        pairs = [
            (version, row)
            for row in _samples(ledger, folder)
            if row.problem in sampled
            for version in versions[row.problem_id, sampled[row.problem].prompt]
        ]
        graded += _grade(ledger, folder, pairs, config.verification)
    return graded


def reweigh(graded: Iterable[Graded], config: Config) -> Iterator[Reweighted]:
    """The training problems whose weights the new verdicts change, under the config's settings.

    A sample that was never judged before is taken with its new verdict on both sides.
    """
    groups: dict[tuple[str, int, Problem], list[Graded]] = defaultdict(list)
    for each in graded:
        within = each.sample.sample_index < config.rollout.samples_per_problem
        if each.problem.expert_response is not None and within:
            groups[each.folder, each.sample.run_seed, each.problem].append(each)
    for (folder, run_seed, problem), members in groups.items():
        before, now = (_group(problem, members, config, old) for old in (True, False))
        if before != now:
            yield Reweighted(folder, run_seed, problem.id, before, now)


def _samples(ledger: Ledger, folder: str) -> Iterable[SampleRow]:
    stored: LedgerTable[SampleRow] = LedgerTable(
        ledger.store, "samples", {}, SampleRow, ledger.flush_seconds
    )
    stored.folder = folder
    return stored.rows()


def _grade(
    ledger: Ledger,
    folder: str,
    pairs: list[tuple[Problem, SampleRow]],
    settings: VerificationConfig,
) -> Iterator[Graded]:
    for trained, used in ((True, settings), (False, stated(settings))):
        chosen = [pair for pair in pairs if (pair[0].expert_response is not None) is trained]
        named = [_named(number, *pair) for number, pair in enumerate(chosen)]
        problems, rollouts = [problem for problem, _ in named], [row for _, row in named]
        old = _previous(ledger, chosen, used)
        verdicts = verify.judge(problems, rollouts, used, ledger)
        for (problem, row), verdict in zip(chosen, verdicts, strict=True):
            before = old.get(verdict_key(problem_digest(problem), row.text))
            yield Graded(folder, problem, row, before, verdict.status)


def _named(number: int, problem: Problem, row: SampleRow) -> tuple[Problem, Rollout]:
    """The pair under a name of its own: versions of a problem have the same id."""
    name = str(number)
    rollout = Rollout(name, row.sample_index, row.seed, row.token_ids, row.text, row.finish_reason)
    return replace(problem, id=name), rollout


def _previous(
    ledger: Ledger, pairs: list[tuple[Problem, SampleRow]], settings: VerificationConfig
) -> dict[str, Status]:
    """The statuses by verdict key of the newest other version of each verifier, as far as known."""
    assert ledger.store
    found: dict[str, Status] = {}
    folders = ledger.store.folders("verdicts")
    for name in {problem.verifier for problem, _ in pairs}:
        current = verify.version(name, settings)
        deciding = verify.deciding_settings(name, settings)
        keys = [verdict_key(problem_digest(p), row.text) for p, row in pairs if p.verifier == name]
        others = {
            folder: facts
            for folder, facts in folders.items()
            if facts == verdict_facts(name, facts.get("version", ""), deciding)
            and facts["version"] != current
        }
        for folder in sorted(others, key=ledger.store.age):  # the newest is first
            for key, row in _verdicts(ledger, others[folder]).find(keys).items():
                found.setdefault(key, Status(row.status))
    return found


def _verdicts(ledger: Ledger, facts: Mapping[str, object]) -> LedgerTable[VerdictRow]:
    return LedgerTable(ledger.store, "verdicts", facts, VerdictRow, ledger.flush_seconds)


def _group(problem: Problem, members: list[Graded], config: Config, old: bool) -> Group:
    rollouts = [
        Rollout(
            problem.id,
            each.sample.sample_index,
            each.sample.seed,
            (),
            each.sample.text,
            each.sample.finish_reason,
        )
        for each in members
    ]
    verdicts = [
        Verdict(
            problem.id,
            each.sample.sample_index,
            problem.verifier,
            "",
            (each.before if old else None) or each.now,
        )
        for each in members
    ]
    (group,) = build_groups([Route(problem.id, ROLLOUT, True)], rollouts, verdicts, config)
    return group
