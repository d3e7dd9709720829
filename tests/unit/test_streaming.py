"""Groups from tables are those from records, whatever the order of the rows and the processes."""

import itertools
import random

import pytest

from rasft.config.files import load
from rasft.config.settings import Config, QualityConfig
from rasft.method import aggregation, streaming
from rasft.method.quality import (
    alike,
    fault,
    punctuation_share,
    repeats_phrase,
    similarity,
    trigrams,
)
from rasft.records import EXPERT, Rollout, Route, SequenceScore, Status, Verdict
from rasft.tables import take, to_table

PHRASE = "so we add the two numbers and get = then step each 3 4 7 because x"
WORDS = (*PHRASE.split(), "\\boxed{7}")


@pytest.fixture(scope="module")
def config() -> Config:
    return load("configs/demo.yaml")


def rows(problems: int) -> tuple[list[Route], list[Rollout], list[Verdict]]:
    """Problems with 0 to 5 rollouts of random text, some of it repeated."""
    chance = random.Random(1)
    routes = [Route(f"p{i}", "rollout", True) for i in range(problems)]
    rollouts, verdicts = [], []
    for route in routes:
        for index in range(chance.randrange(6)):
            text = " ".join(chance.choices(WORDS, k=chance.randrange(5, 40)))
            if rollouts and chance.random() < 0.3:
                text = rollouts[-1].text + chance.choice(["", " so", "\\boxed{7}"])
            finish = chance.choice(["stop", "stop", "length"])
            status = chance.choice([Status.CORRECT] * 9 + list(Status))
            rollouts.append(Rollout(route.problem_id, index, 0, (1, 2), text, finish))
            verdicts.append(Verdict(route.problem_id, index, "math", "v", status))
    return routes, rollouts, verdicts


@pytest.mark.parametrize("at_a_time", [1, 7, 1000])
def test_the_groups_are_the_same(config: Config, monkeypatch, at_a_time: int) -> None:
    monkeypatch.setattr(streaming, "PROBLEMS_AT_A_TIME", at_a_time)
    routes, rollouts, verdicts = rows(80)
    expected = aggregation.build_groups(routes, rollouts, verdicts, config)
    shuffled = random.Random(2).sample(range(len(rollouts)), len(rollouts))
    found = streaming.stream_groups(
        routes,
        take(to_table(rollouts, Rollout), shuffled),
        to_table(verdicts[::-1], Verdict),
        config,
    )
    assert list(found) == expected
    assert len({group.expert_weight for group in expected}) > 3


@pytest.mark.parametrize("at_a_time", [1, 7, 1000])
def test_the_examples_are_the_same(config: Config, monkeypatch, at_a_time: int) -> None:
    monkeypatch.setattr(streaming, "PROBLEMS_AT_A_TIME", at_a_time)
    routes, rollouts, verdicts = rows(80)
    groups = aggregation.build_groups(routes, rollouts, verdicts, config)
    scores = [SequenceScore(route.problem_id, EXPERT, (3, 4), (-0.5, -1.0)) for route in routes]
    scores += [SequenceScore(r.problem_id, r.sample_index, (5,), (-2.0,)) for r in rollouts]
    expected = list(aggregation.build_examples("group", groups, scores, lambda name: (len(name),)))
    table = to_table(random.Random(4).sample(scores, len(scores)), SequenceScore)
    found = streaming.stream_examples("group", groups, table, lambda name: (len(name),))
    assert list(found) == expected
    assert len(expected) > len(groups)


def test_a_sequence_without_a_score_is_named(config: Config) -> None:
    groups = aggregation.build_groups(*rows(3), config)
    with pytest.raises(KeyError, match="p0"):
        list(streaming.stream_examples("expert", groups, to_table([], SequenceScore), len))


def test_processes_give_the_same_groups(config: Config, monkeypatch) -> None:
    routes, rollouts, verdicts = rows(40)
    monkeypatch.setattr(streaming, "WORTH_PROCESSES", 1)
    monkeypatch.setattr(streaming, "PROBLEMS_AT_A_TIME", 9)
    monkeypatch.setattr("os.sched_getaffinity", lambda process: {0, 1})
    tables = (to_table(rollouts, Rollout), to_table(verdicts, Verdict))
    found = list(streaming.stream_groups(routes, *tables, config))
    assert found == aggregation.build_groups(routes, rollouts, verdicts, config)


def test_the_quick_ways_agree_with_the_plain_ones() -> None:
    chance = random.Random(3)
    alphabet = "aB1 é²٣_.,=\\\t\n​İß"
    for _ in range(500):
        text = "".join(chance.choices(alphabet, k=chance.randrange(30)))
        visible = [c for c in text if not c.isspace()]
        plain = sum(not c.isalnum() for c in visible) / len(visible) if visible else 0.0
        assert punctuation_share(text) == plain, text
        words = chance.choices("abc", k=chance.randrange(20))
        windows = list(itertools.pairwise(words))
        often = any(windows.count(window) >= 4 for window in windows)
        assert repeats_phrase(" ".join(words), 2, 4) == often, words
        grams = [trigrams(" ".join(chance.choices("ab", k=n))) for n in (5, 9)]
        settings = QualityConfig(loop_words=3, loop_repeats=2, min_characters=0)
        phrase = " ".join(words)
        assert fault(phrase, "math", settings) == fault(phrase, "math", settings, trigrams(phrase))
        assert alike(*grams, 0.5) == (similarity(*grams) >= 0.5)
