"""Models behind an API: what is asked of it, what comes back, and each refusal in one message."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from rasft.config import files
from rasft.decoding import chat_server
from rasft.decoding.chat_server import Address, ChatServer, Question
from rasft.decoding.engine import Sampling
from rasft.errors import MachineError, UserError
from rasft.ledger import Ledger
from rasft.ledger.store import Store
from rasft.records import Problem
from rasft.stages.sampling import each, seed_of
from rasft.stages.served import ServedSampler
from tests import chat_api
from tests.chat_api import Api

SAMPLING = Sampling(0.7, 0.9, 16)
USER = [{"role": "user", "content": "hi"}]


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", chat_api.KEY)


@pytest.fixture
def api() -> Iterator[Api]:
    with chat_api.running() as started:
        yield started


def server(api: Api, model: str = "small", **rest: object) -> ChatServer:
    return ChatServer(Address(api.address, model), **rest)


def test_every_question_gets_its_reply_once(api: Api) -> None:
    questions = [Question([{"role": "user", "content": str(n)}], n) for n in range(20)]
    with server(api) as connected:
        replies = dict(connected.ask(questions, SAMPLING, at_once=4))
    assert {n: reply.text for n, reply in replies.items()} == {n: f"{n} {n}" for n in range(20)}
    asked = api.asked[0]
    assert {k: asked[k] for k in ("model", "temperature", "top_p", "max_tokens")} == {
        "model": "small", "temperature": 0.7, "top_p": 0.9, "max_tokens": 16,
    }  # fmt: skip
    assert "top_k" not in asked  # no part of the API: such services refuse what they do not know


def test_seeds_are_what_every_api_takes(api: Api) -> None:
    with server(api) as connected:
        ((_, reply),) = connected.ask([Question(USER, 2**62 + 5)], SAMPLING, 1)
    assert reply.text == "hi 5"


def test_the_first_model_that_is_listed_serves_where_none_is_named(api: Api) -> None:
    with server(api, "") as connected:
        assert connected.model == "large"


def test_a_model_that_knows_the_newer_limit_alone_is_asked_so() -> None:
    with chat_api.running(newer=True) as api, server(api) as connected:
        list(connected.ask([Question(USER, n) for n in range(2)], SAMPLING, 1))
    assert [("max_tokens" in asked) for asked in api.asked] == [True, False, False]


def test_switches_of_the_template_reach_the_server(api: Api) -> None:
    with server(api, switches={"enable_thinking": False}) as connected:
        list(connected.ask([Question(USER, 0)], SAMPLING, 1))
    assert api.asked[0]["chat_template_kwargs"] == {"enable_thinking": False}


def test_a_failure_on_the_way_is_asked_again() -> None:
    with chat_api.running(failures=2) as api, server(api) as connected:
        ((_, reply),) = connected.ask([Question(USER, 0)], SAMPLING, 1)
    assert reply.text == "hi 0"
    assert len(api.asked) == 3


def test_a_server_that_stays_down_ends_in_one_message(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chat_server, "RETRIES", 1)
    with (
        chat_api.running(failures=9) as api,
        server(api) as connected,
        pytest.raises(MachineError, match=r"small at http.* gave a request up: .*503"),
    ):
        list(connected.ask([Question(USER, 0)], SAMPLING, 1))


def test_a_wrong_key_and_a_wrong_name_say_what_to_do(api: Api, monkeypatch) -> None:
    with pytest.raises(UserError, match=r"serves no model 'smal'; name one as .*/v1#NAME: small"):
        server(api, "smal")
    with pytest.raises(UserError, match="refuses the key in the environment variable OTHER"):
        ChatServer(Address(api.address, "small", key="OTHER"))


def test_what_was_answered_is_not_asked_again(api: Api, tmp_path) -> None:
    config = files.load("eval")
    problems = [Problem(name, name, "math") for name in ("a", "long")]
    wanted = each(problems, range(2))

    def draw(sampling: Sampling = SAMPLING) -> list[tuple[str, str, str]]:
        ledger = Ledger(Store(str(tmp_path)))
        sampler = ServedSampler(Address(api.address, "small"), config, sampling, ledger)
        rollouts = sorted(sampler.draw(wanted), key=lambda r: (r.problem_id, r.sample_index))
        return [(row.problem_id, row.text, row.finish_reason) for row in rollouts]

    first = draw()
    seeds = [seed_of(config.seed, name, n) % 2**31 for name in ("a", "long") for n in range(2)]
    names, reasons = ("a", "a", "long", "long"), ("stop", "stop", "length", "length")
    assert first == [
        (name, f"{name} {seed}", reason)
        for name, seed, reason in zip(names, seeds, reasons, strict=True)
    ]
    assert len(api.asked) == 4
    assert [m["role"] for m in api.asked[0]["messages"]] == ["system", "user"]
    assert draw() == first
    assert len(api.asked) == 4
    draw(Sampling(0.7, 0.9, 17))  # another limit is another response
    assert len(api.asked) == 8
