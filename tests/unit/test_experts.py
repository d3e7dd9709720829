"""Several expert responses of one problem: who is left, what each weighs, what the router reads."""

from dataclasses import replace

import pytest

from rasft.config import files as config_files
from rasft.data.account import Account
from rasft.data.experts import keep_experts
from rasft.errors import UserError
from rasft.ledger.rows import problem_digest, problem_row, read_problem
from rasft.method import aggregation
from rasft.method.routing import UNVERIFIED
from rasft.records import (
    EXPERT,
    Dropped,
    Group,
    Problem,
    Rollout,
    Route,
    SequenceScore,
    Status,
    Verdict,
)
from rasft.stages import collect, experts, route, verify
from rasft.stages.training_method import check_verifiers
from rasft.tables import from_table, to_table
from rasft.verifiers import Submission, none

CONFIG = config_files.build(
    {"name": "t", "model": {"path": "m"}, "prompts": {"math": {}}, "verification": {}}
)
ONE = Problem("p", "2+2?", "math", "It is \\boxed{4}.", "4")
THREE = replace(ONE, id="q", experts=("So two and two are \\boxed{4}.", "Not \\boxed{5}."))
FREE = Problem("n", "Greet Ann.", "none", "Hello, Ann!")


def scored(problem_id, index, *logps):
    return SequenceScore(problem_id, index, tuple(range(len(logps))), logps)


def weights(kind, groups, scores):
    made = aggregation.build_examples(kind, groups, scores, lambda _: ())
    return [(row.problem_id, row.sample_index, row.weight) for row in made]


def test_experts_share_their_groups_weight():
    group = Group("q", "rollout", 4, 4, 0, 1, 2, 0.25, 2.5, 0.6, (2,), (0.01,), ())
    scores = [scored("q", index, -1.0) for index in (2, EXPERT, EXPERT - 2, EXPERT - 1)]
    shared = [("q", EXPERT - place, 0.6 / 3) for place in range(3)]
    assert weights("group", [group], scores) == [*shared, ("q", 2, 0.01)]
    assert [w for *_, w in weights("expert", [group], scores)] == [1 / 3] * 3
    assert [w for *_, w in weights("unsolved_expert", [group], scores)] == [0.75 / 3] * 3
    assert weights("own", [group], scores) == [("q", 2, 1.0)]
    assert weights("group", [group], [scores[0], scores[1]])[0] == ("q", EXPERT, 0.6)


def test_the_routers_loss_is_the_mean_and_unverified_problems_are_not_routed():
    quantiles = CONFIG.router.model_copy(update={"kind": "quantile_window"})
    config = CONFIG.model_copy(update={"router": quantiles})
    scores = to_table(
        [scored("q", -1, -1.0), scored("n", -1, -9.0), scored("q", -2, -3.0, -3.0)], SequenceScore
    )
    assert route.expert_losses(scores) == {"q": 2.0, "n": 9.0}
    rows = to_table([THREE, FREE], Problem)
    routed = from_table(route.route(config, rows, scores), Route)
    assert [each.problem_id for each in routed] == ["q", "n"]
    assert routed[1] == Route("n", UNVERIFIED, False)
    alone = to_table([scored("n", -1, -9.0)], SequenceScore)
    assert from_table(route.route(config, rows, alone), Route) == [routed[1]]
    (verified, free) = from_table(collect.expert_groups(config, rows), Group)
    assert (verified.bucket, free.bucket) == ("expert_only_other", UNVERIFIED)
    assert (free.expert_weight, free.solvability) == (1.0, None)


def test_a_repeated_expert_response_is_left_out_and_counted():
    text = "First two and two are four, then nothing is left to do: \\boxed{4}"
    rows = to_table(
        [replace(ONE, expert_response=text, experts=(text + ".", "Four.")), FREE], Problem
    )
    dropped = []
    kept = from_table(experts.distinct(rows, 0.82, dropped), Problem)
    assert [row.experts for row in kept] == [("Four.",), ()]
    assert dropped == [Dropped("p", "repeated_expert", "expert response 2 of 3: ")]
    plain = to_table([ONE], Problem)
    assert experts.distinct(plain, 0.82, []) is plain


def test_a_refused_expert_response_leaves_alone_and_the_last_takes_its_problem(monkeypatch):
    def judge(problems, rollouts, settings, ledger):
        assert {row.id for row in problems} == {"p", "q", "r"}  # never one without a verifier
        return [
            Verdict(row.problem_id, row.sample_index, "math", "", status(row)) for row in rollouts
        ]

    def status(row: Rollout) -> Status:
        return Status.INCORRECT if "5" in row.text else Status.CORRECT

    monkeypatch.setattr(verify, "judge", judge)
    asked = []
    monkeypatch.setattr(verify, "check", lambda names, settings: asked.append(names))
    wrong = replace(ONE, id="r", expert_response="It is \\boxed{5}.")
    rows = to_table([ONE, THREE, wrong, FREE], Problem)
    account = Account()
    experts.start_verifiers(rows, CONFIG)
    kept = from_table(experts.that_verify(rows, CONFIG, None, account), Problem)
    dropped = account.dropped
    assert kept == [ONE, replace(THREE, experts=THREE.experts[:1]), FREE]
    assert [(row.problem_id, row.reason) for row in dropped] == [
        ("q", "expert_refused"), ("r", "expert_refused"),
    ]  # fmt: skip
    assert dropped[0].detail.startswith("expert response 3 of 3: incorrect")
    assert asked == [{"math"}]


def test_a_further_expert_takes_the_place_of_a_first_that_leaves():
    dropped = []
    faults = {EXPERT: Dropped("q", "too_long")}
    (kept,) = keep_experts([THREE], lambda row: faults, dropped)
    assert (kept.expert, kept.experts) == (THREE.experts[0], THREE.experts[1:])
    assert dropped == [Dropped("q", "too_long")]


def test_experts_and_system_decide_no_verdict_and_come_back_from_the_ledger():
    own = replace(THREE, system="Be brief.")
    assert problem_digest(own) == problem_digest(ONE)
    assert read_problem(problem_row(own)) == own
    assert problem_row(own).key != problem_row(THREE).key


def test_methods_that_learn_from_verdicts_refuse_what_has_none():
    rows = to_table([ONE, FREE], Problem)
    for method in ("rft", "grpo", "dapo"):
        with pytest.raises(UserError, match=f"'{method}' trains on .*1 of 2 training problems"):
            check_verifiers(method, rows)
    for method in ("rasft", "sft", "osw_ft"):
        check_verifiers(method, rows)
    check_verifiers("grpo", to_table([ONE], Problem))


def test_no_verifier_says_undecided_of_everything():
    with none.build({}) as verifier:
        (said,) = verifier.judge([Submission(FREE, "Hello!")])
    assert (said.status, verifier.name, FREE.is_verifiable) == (Status.UNDECIDED, "none", False)
    with pytest.raises(UserError, match="unknown setting 'workers' of the verifier none"):
        none.build({"workers": 2})
