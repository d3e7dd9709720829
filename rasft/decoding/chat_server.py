"""A model behind an OpenAI-compatible API, asked by messages: texts come back, no token ids.

So such a model can be judged, and neither trained nor scored. The client library repeats requests
that fail on the way. Of a vLLM server the model's own generation config is switched off, as with
the engines; other servers are sent what the API itself has.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from typing import Any, Self

from rasft import extras
from rasft.decoding.engine import Sampling
from rasft.errors import MachineError, UserError
from rasft.models.chat_template import Message

SCHEMES = ("http://", "https://")
RETRIES = 5  # of one request, by the client library
REQUEST_SECONDS = 1800.0  # a long thinking takes its time
SEEDS = 2**31  # what every such API takes
VLLM = "vllm"  # who a vLLM server says that its models are owned by


@dataclass(frozen=True)
class Address:
    """Where a model is served, and its name there; "" takes the first that the server lists."""

    url: str
    model: str = ""
    key: str = "OPENAI_API_KEY"  # the environment variable that holds the key, if one is asked for

    def __str__(self) -> str:
        return f"{self.model} at {self.url}" if self.model else self.url


def is_address(path: str) -> bool:
    """Whether a model's path is one."""
    return path.startswith(SCHEMES)


def address(path: str, key: str) -> Address:
    """The address in a path of the form URL#MODEL.

    >>> str(address("http://127.0.0.1:8000/v1#small", "KEY"))
    'small at http://127.0.0.1:8000/v1'
    """
    url, _, model = path.partition("#")
    return Address(url.rstrip("/"), model, key)


@dataclass(frozen=True)
class Question:
    """One response to ask for."""

    messages: Sequence[Message]
    seed: int


@dataclass(frozen=True)
class Reply:
    """One response; `finish_reason` is the server's: "stop", "length", "content_filter"."""

    text: str
    finish_reason: str
    tokens: int  # as the server counts them; 0 where it does not


@dataclass
class ChatServer:
    """A connection. Raises UserError where nothing answers, or the model is not served there."""

    address: Address
    switches: dict[str, Any] = field(default_factory=dict)  # of the server's chat template

    def __post_init__(self) -> None:
        extras.require("openai", f"the model {self.address}")
        from openai import OpenAI

        key = os.environ.get(self.address.key) or "none"
        self._client = OpenAI(
            base_url=self.address.url, api_key=key, max_retries=RETRIES, timeout=REQUEST_SECONDS
        )
        self.model, self.owner = self._find()
        self._limit = "max_tokens"  # what this server calls the most new tokens

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def ask(
        self, questions: Sequence[Question], sampling: Sampling, at_once: int
    ) -> Iterator[tuple[int, Reply]]:
        """Yield (index of the question, its reply) as they finish, each index once.

        Raises MachineError if the server gives a request up, UserError if it refuses the key.
        """
        pool = ThreadPoolExecutor(at_once)
        try:
            asked = {
                pool.submit(self._reply, question, sampling): index
                for index, question in enumerate(questions)
            }
            for done in as_completed(asked):
                yield asked[done], done.result()
        finally:
            pool.shutdown(cancel_futures=True)  # also when the caller leaves early

    def _find(self) -> tuple[str, str]:
        """The model's name, and whose it is. A server that lists none is believed."""
        from openai import APIStatusError, OpenAIError

        try:
            listed = {model.id: model.owned_by for model in self._client.models.list()}
        except APIStatusError as error:
            if error.status_code in (401, 403):
                raise self._refused(error) from None
            listed = {}
        except OpenAIError as error:
            raise UserError(f"no model server answers at {self.address.url}: {error}") from None
        wanted = self.address.model or next(iter(listed), "")
        if wanted and (wanted in listed or not listed):
            return wanted, str(listed.get(wanted, ""))
        near = difflib.get_close_matches(wanted, listed, n=5, cutoff=0.3) or list(listed)[:5]
        raise UserError(
            f"{self.address.url} serves no model {wanted!r}; name one as {self.address.url}#NAME: "
            f"{', '.join(near) or 'it lists none'}"
        )

    def _refused(self, error: Exception) -> UserError:
        return UserError(
            f"{self.address.url} refuses the key in the environment variable {self.address.key}: "
            f"{error}; set it, or name another one in model.key"
        )

    def _reply(self, question: Question, sampling: Sampling) -> Reply:
        from openai import APIStatusError, OpenAIError

        try:
            reply = self._complete(question, sampling)
        except APIStatusError as error:
            if error.status_code in (401, 403):
                raise self._refused(error) from None
            raise MachineError(f"{self.address} gave a request up: {error}") from None
        except OpenAIError as error:
            raise MachineError(f"{self.address} gave a request up: {error}") from None
        choice, used = reply.choices[0], reply.usage
        tokens = used.completion_tokens if used else 0
        return Reply(choice.message.content or "", str(choice.finish_reason), tokens)

    def _complete(self, question: Question, sampling: Sampling) -> Any:
        """One request; newer models of some servers know the limit by another name only."""
        from openai import BadRequestError

        try:
            return self._send(question, sampling)
        except BadRequestError as error:
            if self._limit in str(error) and "max_completion_tokens" in str(error):
                self._limit = "max_completion_tokens"
                return self._send(question, sampling)
            raise

    def _send(self, question: Question, sampling: Sampling) -> Any:
        extra: dict[str, Any] = {}
        if self.owner == VLLM:
            extra |= {"top_k": 0, "min_p": 0.0, "repetition_penalty": 1.0}
        if self.switches:
            extra["chat_template_kwargs"] = self.switches
        request: dict[str, Any] = {
            "model": self.model,
            "messages": list(question.messages),
            "temperature": sampling.temperature,
            "top_p": sampling.top_p,
            "seed": question.seed % SEEDS,
            self._limit: sampling.max_new_tokens,
            "extra_body": extra or None,
        }
        return self._client.chat.completions.create(**request)
