"""A problem of a run, its responses and two runs' differences as text for a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from rasft.page.changes import Change
from rasft.page.stored import RunTables
from rasft.page.views import ProblemView, ResponseView
from rasft.page.weights import Derivation
from rasft.records import EXPERT, Problem


def problem_text(found: ProblemView) -> str:
    """Everything about one problem."""
    parts = [f"# {found.id}", _head(found)]
    parts += [f"Dropped: {row.reason}. {row.detail}".rstrip() for row in found.dropped]
    if found.problem:
        parts += ["## Prompt", found.problem.prompt.strip(), *_gold(found.problem)]
    if found.derivation:
        parts += ["## Weights", "\n".join(derivation_lines(found.derivation))]
    parts += [_response_text(response) for response in found.responses]
    return "\n\n".join(part for part in parts if part)


def listing(run: RunTables, status: str) -> str:
    """The rollouts with this verdict, a line each: problem, sample, answer, detail."""
    rows = [
        f"{row.problem_id}  sample {row.sample_index}  {_cell(row.answer)}  {_cell(row.detail)}"
        for row in run.verdicts.values()
        if row.status == status
    ]
    total = f"{len(rows)} of {len(run.verdicts)} rollouts of {run.id} are {status}."
    return "\n".join([total, *(row.rstrip() for row in rows)])


def changes_text(first: RunTables, second: RunTables, found: Sequence[Change]) -> str:
    """The problems that differ between two runs, a line each."""
    shared = len(first.problems.keys() & second.problems.keys())
    lines = [f"{len(found)} of {shared} problems of {first.id} and {second.id} differ."]
    for change in found:
        solved = f"{_number(change.before)} -> {_number(change.after)}"
        verdicts = f"{_counts(change.verdicts_before)} -> {_counts(change.verdicts_after)}"
        lines.append(f"{change.problem_id}  solvability {solved}  {verdicts}")
    return "\n".join(lines)


def derivation_lines(found: Derivation) -> Iterator[str]:
    """The weights' derivation, a line a symbol."""
    for name, symbol, value in (
        ("solvability", "s", found.solvability),
        ("expert reward", "r_E", found.expert_reward),
        ("expert advantage", "A", found.expert_advantage),
        ("correct advantage", "A", found.rollout_advantage),
        ("incorrect advantage", "A", found.incorrect_advantage),
        ("share", "c", found.share),
        ("expert weight", "w", found.expert_weight),
        ("own weight, each", "w", found.rollout_weight),
    ):
        if value is not None:
            yield f"{name:<20}{symbol:<3} = {_number(value)}"


def _head(found: ProblemView) -> str:
    facts = [f"bucket {found.bucket}"] if found.bucket else []
    if found.group and found.group.solvability is not None:
        group = found.group
        facts.append(f"{group.correct} of {group.unique} unique rollouts correct")
    if found.posterior:
        alpha, beta = found.posterior
        facts.append(f"posterior Beta({alpha:g}, {beta:g})")
    if found.expert_loss is not None:
        facts.append(f"expert loss {found.expert_loss:.3f} nats a token")
    return "; ".join(facts)


def _gold(problem: Problem) -> Iterator[str]:
    if problem.answer is not None:
        yield f"Gold answer: {problem.answer}"
    if problem.choices:
        named = zip("ABCDEFGHIJKLMNOPQRSTUVWXYZ", problem.choices, strict=False)
        yield "\n".join(f"{letter}. {choice}" for letter, choice in named)
    if problem.tests:
        yield f"## Tests\n\n{problem.tests.strip()}"


def _response_text(response: ResponseView) -> str:
    name = "Expert" if response.sample_index == EXPERT else f"Rollout {response.sample_index}"
    heading = ": ".join(part for part in (f"## {name}", ", ".join(_facts(response))) if part)
    parts = [heading, response.text.strip()]
    verdict = response.verdict
    if verdict:
        parts += _said("Answer read", verdict.answer if verdict.verifier != "python" else None)
        parts += _said("Detail", verdict.detail)
        parts += _said("Printed", verdict.stdout)
        parts += _said("Printed to stderr", verdict.stderr)
    return "\n\n".join(part for part in parts if part)


def _facts(response: ResponseView) -> Iterator[str]:
    if response.verdict:
        yield str(response.verdict.status)
        yield response.fate
    if response.like is not None:
        yield f"like rollout {response.like}"
    if response.weight is not None:
        yield f"weight {_number(response.weight)}"
    if response.steps:
        yield f"trained in step {', '.join(map(str, response.steps))}"
    if response.finish_reason == "length":
        yield "cut at the token limit"
    if response.token_ids:
        yield f"{len(response.token_ids)} tokens"
    if response.change is not None:
        yield f"{response.change:+.3f} nats a token by training"


def _said(name: str, value: str | None) -> Iterable[str]:
    return [f"{name}: {value.strip()}"] if value and value.strip() else []


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.4g}"


def _counts(verdicts: dict[str, int]) -> str:
    return ", ".join(f"{count} {status}" for status, count in sorted(verdicts.items())) or "none"


def _cell(value: str | None) -> str:
    return " ".join((value or "").split())[:100]
