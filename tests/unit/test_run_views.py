"""A run to look into, as records and as text: what became of each sample, and why."""

from dataclasses import replace

import pytest
import tiny_model
from page_runs import CONFIG, synthetic

from rasft.data.source import Source
from rasft.datasets import generated_math
from rasft.errors import UserError
from rasft.method.weighting import group_weights
from rasft.models.renderer import Renderer, open_renderer
from rasft.page import data, text, token_weights, tokens, views
from rasft.page.changes import changes
from rasft.page.evaluation import evaluated
from rasft.page.stored import RunTables
from rasft.records import EXPERT, Verdict


@pytest.fixture(scope="module")
def renderer(tmp_path_factory: pytest.TempPathFactory) -> Renderer:
    return open_renderer(
        tiny_model.build(tmp_path_factory.mktemp("model")), CONFIG.prompts, CONFIG.chat
    )


@pytest.fixture(scope="module")
def run(renderer: Renderer) -> RunTables:
    return made(renderer, seed=0)


def made(renderer: Renderer, seed: int) -> RunTables:
    problems = list(generated_math.load(Source(limit=30)))
    return synthetic(f"RasftFlow/{seed}", problems, renderer, 6, seed)


def test_every_rollout_has_a_fate_and_the_groups_counts_agree(run: RunTables) -> None:
    for name in run.problems:
        found = views.view(run, name)
        fates = [r.fate for r in found.responses if r.sample_index != EXPERT]
        group = found.group
        assert group is not None
        assert len(fates) == group.sampled == 6
        assert fates.count(views.TRAINED) == group.correct
        assert fates.count(views.SHAPES) == group.incorrect_kept
        others = {views.TRAINED, views.SHAPES}
        assert sorted(fate for fate in fates if fate not in others) == sorted(group.dropped)
        for response in found.responses:
            trains = response.fate in (views.TRAINED, views.EXPERT_FATE)
            assert (response.weight is not None) == trains
            assert len(response.token_ids) == len(response.logps) > 0


def test_what_training_changed_is_the_mean_over_the_tokens(run: RunTables) -> None:
    *_, before_last, last = run.problems
    response = views.view(run, before_last).responses[0]
    key = before_last, response.sample_index
    after = run.trained_scores[key].reference_logps
    mean = sum(a - b for a, b in zip(after, response.logps, strict=True)) / len(after)
    assert response.change == pytest.approx(mean)
    assert f"{mean:+.3f} nats a token by training" in text.problem_text(
        views.view(run, before_last)
    )
    assert views.view(run, last).responses[0].change is None  # it was not scored again
    assert "by training" not in text.problem_text(views.view(run, last))


def test_a_response_of_which_nothing_is_known_yet_has_a_bare_heading(run: RunTables) -> None:
    early = replace(run, scores={}, trained_scores={}, groups={}, steps={}, rollouts={})
    assert "\n## Expert\n" in text.problem_text(views.view(early, next(iter(run.problems))))


def test_a_near_duplicate_names_the_one_that_it_repeats(run: RunTables) -> None:
    name = next(iter(run.problems))
    first = run.rollouts[name][0]
    again = [first, replace(first, sample_index=1), *run.rollouts[name][2:]]
    found = views.view(replace(run, rollouts={**run.rollouts, name: again}), name)
    (copy,) = [r for r in found.responses if r.sample_index == 1]
    assert (copy.fate, copy.like) == ("duplicate", 0)
    assert "duplicate, like rollout 0" in text.problem_text(found)


def test_the_derivation_is_that_of_the_weights(run: RunTables) -> None:
    for name, group in run.groups.items():
        steps = views.view(run, name).derivation
        assert steps is not None
        weights = group_weights(group.unique, group.correct, group.incorrect_kept, CONFIG.weighting)
        assert steps.expert_weight == group.expert_weight == weights.expert
        assert steps.share == 1 / (1 + group.correct)
        own = {steps.rollout_weight} if group.correct else set()
        assert set(group.rollout_weights) == own


def test_the_worst_are_those_solved_least(run: RunTables) -> None:
    found = views.worst(run, 5)
    solved = [view.group.solvability for view in found if view.group]
    assert solved == sorted(group.solvability or 0 for group in run.groups.values())[:5]
    losses = [view.expert_loss for view in found if view.group and not view.group.solvability]
    assert losses == sorted(losses, key=lambda loss: -(loss or 0))


def test_a_problem_as_text_tells_everything(run: RunTables) -> None:
    name = next(name for name, group in run.groups.items() if group.correct)
    said = text.problem_text(views.view(run, name))
    for part in (
        f"# {name}", run.problems[name].prompt, "Gold answer:", "posterior Beta(",
        "solvability         s   =", "## Expert: weight", "## Rollout 5:", "trained on",
        "trained in step 1",
    ):  # fmt: skip
        assert part in said
    assert "Dropped: no_gold. the row has no answer" in text.problem_text(views.view(run, "left/1"))


def test_an_unknown_problem_is_one_sentence(run: RunTables) -> None:
    with pytest.raises(UserError, match=r"RasftFlow/0 has no problem 'x'; `rasft show"):
        views.view(run, "x")


def test_rollouts_of_a_verdict_are_listed(run: RunTables) -> None:
    wanted = [v for v in run.verdicts.values() if v.status == "no_answer"]
    first, *lines = text.listing(run, "no_answer").splitlines()
    assert first == f"{len(wanted)} of {len(run.verdicts)} rollouts of RasftFlow/0 are no_answer."
    assert [line.split()[0] for line in lines] == [verdict.problem_id for verdict in wanted]


def test_two_runs_differ_where_solvability_or_verdicts_do(
    run: RunTables, renderer: Renderer
) -> None:
    assert changes(run, run) == []
    other = made(renderer, seed=1)
    found = changes(run, other)
    differ = {
        name
        for name in run.problems
        if run.groups[name].solvability != other.groups[name].solvability
        or counts(run, name) != counts(other, name)
    }
    assert {change.problem_id for change in found} == differ
    assert text.changes_text(run, other, found).startswith(f"{len(differ)} of 30 problems of")


def counts(run: RunTables, name: str) -> list[str]:
    return sorted(row.status for row in run.verdicts.values() if row.problem_id == name)


def test_a_benchmarks_problem_is_fixed_broken_or_unchanged(run: RunTables) -> None:
    for found in evaluated(run):
        base, trained = found.answered[0].share, found.answered[-1].share
        assert found.change == (
            "fixed" if trained > base else "broken" if trained < base else "unchanged"
        )
        assert [len(each.responses) for each in found.answered] == [1, 1, 1]


def test_an_older_run_shows_without_what_it_did_not_keep(run: RunTables) -> None:
    older = replace(run, responses=[], steps={}, posteriors={}, scores={})
    packed = data.pack(older, None)
    assert len(packed.index["problems"]) == 31
    assert packed.index["evaluation"][0]["place"] is not None
    assert text.problem_text(views.view(older, next(iter(run.problems))))


def test_a_problem_that_was_not_judged_has_no_rollouts(run: RunTables) -> None:
    none: dict[tuple[str, int], Verdict] = {}
    found = views.view(replace(run, verdicts=none), next(iter(run.problems)))
    assert [response.sample_index for response in found.responses] == [EXPERT]


def test_tokens_are_cut_whole_characters_and_packed_without_loss(renderer: Renderer) -> None:
    said = 'naïve → 𝄞 "x" \\ ok'
    pieces = tokens.Pieces(lambda ids: str(renderer.tokenizer.decode(ids)))
    cut = pieces.pieces(renderer.response_ids(said))
    assert "".join(cut).startswith(said)
    assert "�" not in "".join(cut)
    assert unpacked(tokens.pack_lengths(cut)) == [len(piece) for piece in cut]


def unpacked(letters: str) -> list[int]:
    """As web/src/tokens.js reads lengths."""
    found, total = [], 0
    for letter in letters:
        value = ord(letter) - tokens.FIRST
        total += value
        if value < tokens.BASE - 1:
            found.append(total)
            total = 0
    return found


@pytest.mark.parametrize(
    ("method", "expected"),
    [
        ("sft", lambda p: 1.0),
        ("dft", lambda p: p),
        ("rasft", lambda p: p),
        ("prift", lambda p: p),
        ("profit", lambda p: float(p > 0.1)),
        ("psft", lambda p: 1.0),
    ],
)
def test_a_tokens_factor_is_the_derivative_of_the_methods_loss(method, expected) -> None:
    """At a training's first step, where the policy is the reference."""
    found = token_weights.factors(method, {})
    for level in (0, 25, 100, 700):
        p = 2.718281828459045 ** (-level / 100)
        assert found[level] == pytest.approx(expected(p), rel=1e-3)
