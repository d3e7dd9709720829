"""One tick of a schedule: is there new data, is the candidate better, and what is then recorded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Literal

import pyarrow as pa

from rasft.config.settings import Config
from rasft.errors import MachineError, UserError
from rasft.records import BenchmarkResult
from rasft.report.markdown import markdown_table
from rasft.report.reporting import Section
from rasft.retraining import champion, promotion
from rasft.retraining.champion import Champion, Refusal, Standing
from rasft.retraining.promotion import Decision
from rasft.tables import from_table

Tick = Literal["train", "idle"]


def standing(config: Config, provenance: Mapping[str, Any]) -> Standing:
    """What the pointer says. Raises UserError if the champion was trained from another base."""
    found = champion.read(champion.path(config))
    reigning, base = found.champion, provenance["model_fingerprint"]
    if reigning and reigning.base_fingerprint != base:
        raise UserError(
            f"the champion {reigning.run} was trained from {reigning.base} "
            f"({reigning.base_fingerprint[:12]}), and model.path = {config.model.path!r} is "
            f"another model ({base[:12]}); name that base, or another pointer in schedule.champion"
        )
    return found


def tick(config: Config, now: Standing, provenance: Mapping[str, Any]) -> tuple[Tick, str]:
    """Whether to train, and why."""
    data = provenance["data_fingerprint"]
    judged = [
        each for each in (now.champion, now.refused) if each and each.data_fingerprint == data
    ]
    if judged and config.schedule.only_new_data:
        return "idle", f"no new data since run {judged[0].run}"
    return "train", "the same data again" if judged else "the data is new"


def judge(config: Config, results: pa.Table, benchmarks: Sequence[str]) -> Decision:
    """The decision over the stored 0/1 matrices of champion and candidate."""
    rows = from_table(results, BenchmarkResult)
    return promotion.decide(rows, benchmarks, config.schedule, config.evaluation, config.seed)


def outcome(config: Config, decision: Decision, run: Any, name: str) -> Champion | Refusal:
    """What the pointer is to hold of a judged run, from its artifacts."""
    now = datetime.now(UTC).isoformat(timespec="seconds")
    data, reason = run.provenance["data_fingerprint"], "; ".join(decision.reasons)
    if not decision.promoted:
        return Refusal(name, data, reason, now)
    return Champion(
        run=name,
        model=dict(run.trained),
        base=config.model.path,
        base_fingerprint=run.provenance["model_fingerprint"],
        fingerprint=run.checkpoint["fingerprint"],
        data_fingerprint=data,
        metrics={change.benchmark: change.candidate for change in decision.changes},
        reason=reason,
        commit=run.provenance["commit"],
        promoted_at=now,
    )


def settle(config: Config, before: Standing, new: Champion | Refusal) -> None:
    """Record the outcome; a step that is tried again records it once.

    Raises MachineError if another run was promoted since `before`: the candidate was not compared
    with that one.
    """
    pointer = champion.path(config)
    now = champion.read(pointer)
    if isinstance(new, Refusal):
        champion.write(pointer, replace(now, refused=new))
        return
    reigning = now.champion.run if now.champion else None
    if reigning not in (before.champion.run if before.champion else None, new.run):
        raise MachineError(
            f"run {reigning} was promoted while {new.run} trained, which was compared with the "
            "champion before it; nothing was changed; run the next tick"
        )
    champion.write(pointer, Standing(champion=new))


def decision_section(decision: Decision, before: Standing) -> Section:
    """The decision with its figures."""
    rows = [
        (
            change.benchmark,
            change.problems,
            f"{100 * change.champion:.1f}",
            f"{100 * change.candidate:.1f}",
            f"{100 * change.margin:g}",
        )
        for change in decision.changes
    ]
    text = [
        f"**{'Promoted' if decision.promoted else 'Refused'}**: {'; '.join(decision.reasons)}.",
        f"The champion was {_name(before)}. Accuracies in percent over the problems that were "
        "decided for both; a margin is how far a benchmark may fall, in points.",
        markdown_table(["benchmark", "problems", "champion", "candidate", "margin"], rows),
    ]
    return Section("Decision", "\n\n".join(text))


def idle_section(now: Standing, reason: str) -> Section:
    """Why nothing was trained."""
    return Section("Decision", f"**Nothing trained**: {reason}. The champion is {_name(now)}.")


def _name(now: Standing) -> str:
    return f"run {now.champion.run}" if now.champion else "the base model: nothing was promoted yet"
