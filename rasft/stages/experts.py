"""The expert responses that a run trains on: no repetition, none too long, none that is refused.

Each leaves alone and is counted alone; a problem leaves with its last one.
"""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from rasft.config.settings import Config
from rasft.data.account import Account
from rasft.data.experts import keep_experts
from rasft.errors import UserError
from rasft.ledger import Ledger
from rasft.method.quality import first_occurrences, trigrams
from rasft.models.renderer import Renderer
from rasft.progress import track
from rasft.records import NO_VERIFIER, Dropped, Problem, Rollout, Status, Verdict
from rasft.stages import verify
from rasft.stages.expert_examples import expert_examples
from rasft.tables import from_table, stream, to_table

JUDGED_AT_ONCE = 50_000  # problems in memory at once; each lot starts the verifiers anew


def distinct(rows: pa.Table, threshold: float, dropped: list[Dropped]) -> pa.Table:
    """The problems without an expert response that nearly repeats an earlier one of its problem.

    `threshold` is the 3-gram similarity from which on rollouts repeat each other too.
    """
    if not pc.max(pc.list_value_length(rows["experts"])).as_py():
        return rows

    def repeated(row: Problem) -> dict[int, Dropped]:
        new = first_occurrences([trigrams(text) for _, text in row.expert_sequences], threshold)
        return {
            index: Dropped(row.id, "repeated_expert", _which(row, index))
            for (index, _), is_new in zip(row.expert_sequences, new, strict=True)
            if not is_new
        }

    return to_table(keep_experts(stream(rows, Problem), repeated, dropped), Problem)


def that_fit(
    rows: pa.Table, renderer: Renderer, limit: tuple[int, str], account: Account
) -> pa.Table:
    """Those that are not cut off at `limit`: its tokens, and whose limit it is."""
    most, whose = limit

    def too_long(row: Problem) -> dict[int, Dropped]:
        """Its responses beyond the limit, by index; the lengths of all are counted."""
        examples = expert_examples(row, renderer)
        for each in examples:
            account.measure(each.prompt_tokens, len(each.input_ids) - each.prompt_tokens)
        lengths = {each.sample_index: len(each.input_ids) for each in examples}
        return {
            index: Dropped(
                row.id, "too_long", f"{_which(row, index)}{tokens} tokens, at most {most} ({whose})"
            )
            for index, tokens in lengths.items()
            if tokens > most
        }

    measured = track(stream(rows, Problem), rows.num_rows, "tokens counted", "problems")
    kept = to_table(keep_experts(measured, too_long, account.dropped), Problem)
    if not kept.num_rows:
        raise UserError(
            f"all {rows.num_rows} usable training problems are longer than {whose} = {most} "
            "tokens; raise data.max_tokens, or take a model that reads more"
        )
    return kept


def start_verifiers(rows: pa.Table, config: Config) -> None:
    """Start and leave each verifier. Raises UserError where one cannot work on this machine."""
    named = set(rows["verifier"].unique().to_pylist())
    verify.check(named - {NO_VERIFIER}, config.verification)


def that_verify(rows: pa.Table, config: Config, ledger: Ledger, account: Account) -> pa.Table:
    """Those that their problem's verifier judges correct; without a verifier all are kept."""
    before = len(account.dropped)
    parts = [
        _judged(rows.slice(start, JUDGED_AT_ONCE), config, ledger, account)
        for start in range(0, rows.num_rows, JUDGED_AT_ONCE)
    ]
    usable = pa.concat_tables([rows.schema.empty_table(), *parts])
    if not usable.num_rows:
        raise UserError(
            f"the verifier refuses the expert response of all {rows.num_rows} training problems, "
            f"the first with {account.dropped[before].detail}; check answers, tests and "
            "verification settings"
        )
    return usable


def _judged(part: pa.Table, config: Config, ledger: Ledger, account: Account) -> pa.Table:
    rows = from_table(part, Problem)
    judged = [row for row in rows if row.is_verifiable]
    experts = [
        Rollout(row.id, index, 0, (), text, "stop")
        for row in judged
        for index, text in row.expert_sequences
    ]
    verdicts = verify.judge(judged, experts, config.verification, ledger)
    account.judge(verdicts)
    refused = {
        (verdict.problem_id, verdict.sample_index): verdict
        for verdict in verdicts
        if verdict.status not in (Status.CORRECT, Status.UNDECIDED)
    }

    def faults(row: Problem) -> dict[int, Dropped]:
        found = {
            index: _refusal(row, refused[row.id, index])
            for index, _ in row.expert_sequences
            if (row.id, index) in refused
        }
        account.refuse(row.verifier, found.values())
        return found

    return to_table(keep_experts(rows, faults, account.dropped), Problem)


def _refusal(row: Problem, verdict: Verdict) -> Dropped:
    said = f"{verdict.status}: {verdict.answer!r} {verdict.detail}".strip()
    return Dropped(row.id, "expert_refused", _which(row, verdict.sample_index) + said)


def _which(row: Problem, index: int) -> str:
    """Which of several expert responses is meant."""
    return f"expert response {-index} of {1 + len(row.experts)}: " if row.experts else ""
