"""From rollouts and verdicts to groups and examples, by hand-made cases."""

import pytest

from rasft.config.settings import Config, QualityConfig, WeightingConfig
from rasft.method import aggregation
from rasft.method.quality import fault, first_occurrences, repeats_phrase, similarity, trigrams
from rasft.method.routing import EASY, ROLLOUT, RouterConfig, route
from rasft.method.solvability import select
from rasft.records import EXPERT, Rollout, Route, SequenceScore, Status, Verdict

QUALITY = QualityConfig(min_characters=5, min_format_characters=10, shortcut_characters=12)
GOOD = "Tom has 3 apples and buys 4 more, so 3 + 4 = 7. The answer is \\boxed{7}."
OTHER = "Adding both numbers gives us 7 as the total, which means \\boxed{7} is right."
WRONG = "We multiply 3 by 4 which gives 12, therefore the answer must be \\boxed{12}."

TABLE = """
def f(a, b):
    if a == 1 and b == 'x':
        return [2, 'y']
    elif a == 3: return {4: 5}
    return None
"""


def rollout(index: int, text: str, finish: str = "stop") -> Rollout:
    return Rollout("p", index, index, (1, 2), text, finish)


def verdict(index: int, status: Status) -> Verdict:
    return Verdict("p", index, "math", "v1", status)


def chosen(*cases: tuple[str, Status], finish: str = "stop", keep: int = 3):
    rollouts = [rollout(i, text, finish) for i, (text, _) in enumerate(cases)]
    verdicts = {i: verdict(i, status) for i, (_, status) in enumerate(cases)}
    return select(rollouts, verdicts, QUALITY, keep)


def test_a_duplicate_leaves_the_denominator() -> None:
    group = chosen((GOOD, Status.CORRECT), (GOOD, Status.CORRECT), (WRONG, Status.INCORRECT))
    assert (group.sampled, group.unique, group.correct) == (3, 2, (0,))
    assert (group.solvability, group.dropped) == (0.5, ("duplicate",))


def test_filtered_text_stays_in_the_denominator() -> None:
    group = chosen((GOOD, Status.CORRECT), ("no box, so it has no answer", Status.NO_ANSWER))
    assert (group.unique, group.solvability, group.incorrect) == (2, 0.5, ())
    assert group.dropped == ("format",)


def test_undecided_is_not_wrong() -> None:
    group = chosen((GOOD, Status.CORRECT), (WRONG, Status.UNDECIDED))
    assert (group.undecided, group.unique, group.solvability) == (1, 1, 1.0)


def test_truncated_rollouts_are_never_trained_on() -> None:
    group = chosen((GOOD, Status.CORRECT), finish="length")
    assert (group.correct, group.solvability, group.dropped) == ((), 0.0, ("truncated",))


def test_surplus_incorrect_rollouts_are_counted() -> None:
    wrongs = [
        f"Attempt {w} goes astray {w * 3} because it gives \\boxed{{{n}}}."
        for n, w in enumerate(["alpha", "beta", "gamma", "delta"])
    ]
    group = chosen(*[(text, Status.INCORRECT) for text in wrongs], keep=2)
    assert (len(group.incorrect), group.unique) == (2, 4)
    assert group.dropped == ("surplus_incorrect",) * 2


def test_incorrect_that_nearly_equals_a_correct_one_is_left_out() -> None:
    settings = QUALITY.model_copy(update={"duplicate_similarity": 1.0})
    rollouts = [rollout(0, GOOD), rollout(1, GOOD + " ok"), rollout(2, WRONG)]
    statuses = [Status.CORRECT, Status.INCORRECT, Status.INCORRECT]
    verdicts = {i: verdict(i, status) for i, status in enumerate(statuses)}
    assert select(rollouts, verdicts, settings, 3).incorrect == (2,)


def test_a_lost_verdict_is_an_error() -> None:
    with pytest.raises(KeyError):
        select([rollout(0, GOOD)], {}, QUALITY, 3)


@pytest.mark.parametrize(
    ("text", "verifier", "reason"),
    [
        ("hi", "math", "too_short"),
        ("=+*&^%$#@!(){}[]<>", "math", "punctuation"),
        ("one two three four five six seven eight " * 3, "math", "loop"),
        (GOOD, "math", None),
        ("the answer 7 is not in any box here", "math", "format"),
        ("\\boxed{1234}", "math", "shortcut"),
        ("apples pears plums \\boxed{1234}", "math", "shortcut"),
        ("```python\ndef f(x):\n    return x\n```", "python", None),
        ("I do not know how to write this", "python", "format"),
        ("def f(x):\n    return {(x,): [x[0]]}[(x,)]", "python", None),
        ("```python\ndef f(x):\n    return 7\n```", "python", "shortcut"),
        ('def f(a, b):\n    """Adds."""\n    if a == 1 and b == 2: return 3', "python", None),
        (TABLE, "python", "shortcut"),
        ("def f(x):\n    if x == 0:\n        return 1\n    return x * f(x - 1)", "python", None),
        ("def answer():\n    return 42", "python", None),
        ("```python\nprint('no input is read')\n```", "python", "shortcut"),
        ("?!?!?!?!?!?!?!?!?!?! ```python\ndef f(x):\n    return x\n```", "python", "punctuation"),
    ],
)
def test_text_faults(text: str, verifier: str, reason: str | None) -> None:
    assert fault(text, verifier, QUALITY) == reason


@pytest.mark.timeout(20)
@pytest.mark.parametrize(
    ("repeated", "reason"),
    [
        ("a == 1 and ", "loop"),
        ("1,", None),
        ("('", None),
        ("return ", "loop"),
        ("if x == 1: ", "loop"),
    ],
)
def test_no_code_takes_long_to_judge(repeated: str, reason: str | None) -> None:
    """Texts that make a careless pattern try every way to read them."""
    assert fault(f"def f(a):\n  if {repeated * 5000}b:", "python", QUALITY) == reason


def test_similarity_is_jaccard_of_word_trigrams() -> None:
    assert similarity(trigrams("a b c d"), trigrams("a b c e")) == pytest.approx(1 / 3)
    texts = map(trigrams, ["a b c d", "A  b c d", "x y z"])
    assert first_occurrences(texts, 0.82) == [True, False, True]
    assert repeats_phrase("a b " * 3, 2, 3)
    assert not repeats_phrase("a b " * 3, 2, 4)


def config() -> Config:
    return Config.model_construct(quality=QUALITY, weighting=WeightingConfig())


def test_examples_carry_weights_and_reference() -> None:
    routes = [Route("p", ROLLOUT, True), Route("q", EASY, False)]
    rollouts = [rollout(0, GOOD), rollout(1, WRONG)]
    verdicts = [verdict(0, Status.CORRECT), verdict(1, Status.INCORRECT)]
    groups = aggregation.build_groups(routes, rollouts, verdicts, config())
    assert [(g.problem_id, g.solvability) for g in groups] == [("p", 0.5), ("q", None)]
    scores = [
        SequenceScore(p, i, (7, 8), (-0.5, -0.1))
        for p, i in [("p", EXPERT), ("p", 0), ("q", EXPERT)]
    ]
    examples = list(aggregation.build_examples("group", groups, scores, lambda _: (1, 2, 3)))
    assert [(e.problem_id, e.sample_index) for e in examples] == [("p", -1), ("p", 0), ("q", -1)]
    assert examples[0].input_ids == (1, 2, 3, 7, 8)
    assert examples[0].weight == pytest.approx(0.2270674, abs=1e-6)
    assert examples[1].weight == pytest.approx(0.25 * 0.02)
    assert examples[2].weight == 1.0
    kinds = {
        kind: [
            (e.sample_index, e.weight)
            for e in aggregation.build_examples(kind, groups, scores, lambda _: ())
        ]
        for kind in ("expert", "own", "unsolved_expert")
    }
    assert kinds["expert"] == [(-1, 1.0), (-1, 1.0)]
    assert kinds["own"] == [(0, 1.0)]
    assert kinds["unsolved_expert"] == [(-1, 0.5), (-1, 1.0)]


def test_a_solved_group_of_the_reference_variant_trains_on_its_expert_alone() -> None:
    settings = config().model_copy(update={"weighting": WeightingConfig(variant="reference")})
    rollouts = [rollout(0, GOOD), rollout(1, OTHER)]
    verdicts = [verdict(index, Status.CORRECT) for index in range(2)]
    (group,) = aggregation.build_groups([Route("p", ROLLOUT, True)], rollouts, verdicts, settings)
    assert (group.correct, group.rollout_weights) == (2, ())
    assert aggregation.WEIGHTS["group"](group) == [(EXPERT, 1.0)]
    assert aggregation.WEIGHTS["own"](group) == [(0, 1.0), (1, 1.0)]


def test_of_more_samples_than_are_used_the_first_count() -> None:
    settings = config().model_copy(update={"weighting": WeightingConfig(samples=1)})
    rollouts = [rollout(1, OTHER), rollout(0, WRONG)]
    verdicts = [verdict(0, Status.INCORRECT), verdict(1, Status.CORRECT)]
    (group,) = aggregation.build_groups([Route("p", ROLLOUT, True)], rollouts, verdicts, settings)
    assert (group.sampled, group.correct, group.solvability) == (1, 0, 0.0)


def test_routes_follow_the_seed_and_nothing_else() -> None:
    losses = {f"p{i}": i / 100 for i in range(100)}
    settings = RouterConfig(kind="quantile_window")
    routes = route(losses, settings, seed=3)
    shuffled = route(dict(reversed(losses.items())), settings, seed=3)
    assert sorted(shuffled, key=str) == sorted(routes, key=str)
    in_window = [r for r in routes if r.bucket == ROLLOUT]
    assert sum(r.rolled_out for r in in_window) == round(0.35 * len(in_window))
    assert route(losses, settings, seed=4) != routes
