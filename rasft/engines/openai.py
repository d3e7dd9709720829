"""A vLLM server that already runs: completions over HTTP, by its OpenAI-compatible API.

    RASFT_OPENAI_URL=http://host:8000/v1      where it is (OPENAI_API_KEY, if it asks for one)

Prompts go as token ids and responses come back as such (`return_token_ids`), each with a seed of
its own, `max_sequences` at a time. The server must have the very weights that are asked for: that
is tried by a greedy probe, and where it has others it is told to load them, which it does only in
its development mode (VLLM_SERVER_DEV_MODE=1) and if it sees the model's folder. The client library
repeats requests that fail on the way.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from importlib import metadata
from typing import Any, Self

from rasft import extras
from rasft.decoding import probe
from rasft.decoding.engine import (
    SIDE_BY_SIDE,
    Completion,
    EngineOptions,
    Request,
    Sampling,
    room,
)
from rasft.errors import MachineError, UserError

NAME = "openai"
MEMORY_RUNGS = ()  # its memory is the server's affair
ADDRESS = "RASFT_OPENAI_URL"
RETRIES = 5  # of one request, by the client library
REQUEST_SECONDS = 600.0
ASK_SECONDS = 5.0  # for the server's version


def version() -> str:
    """The server's version, which decides which tokens are drawn."""
    return f"openai {_installed()}, server vllm {_server_version() or 'out of reach'}"


def available() -> str | None:
    """None where a server answers, else what is missing."""
    if not extras.installed("openai"):
        return f"the extra openai is not installed: {extras.advice('openai')}"
    if not os.environ.get(ADDRESS):
        return f"{ADDRESS} is not set: the server's address, such as http://127.0.0.1:8000/v1"
    if _server_version() is None:
        return f"no vLLM server answers at {ADDRESS}={os.environ[ADDRESS]}"
    return None


def open_engine(model: str, options: EngineOptions) -> OpenAIEngine:
    """Connect to the server and make sure that it has this model.

    Raises UserError if it serves another one and cannot be told to load this.
    """
    return OpenAIEngine(model, options)


class OpenAIEngine:
    """A connection to the server; leaving it leaves the server as it is."""

    def __init__(self, model: str, options: EngineOptions):
        from openai import OpenAI

        self.options = options
        self.steps = 0
        self.max_sequences = options.max_sequences or SIDE_BY_SIDE
        address = os.environ[ADDRESS]
        key = os.environ.get("OPENAI_API_KEY", "none")
        self.client = OpenAI(
            base_url=address, api_key=key, max_retries=RETRIES, timeout=REQUEST_SECONDS
        )
        self.served = self.client.models.list().data[0].id
        if not self._has(model):
            self.reload(model)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.client.close()

    def generate(
        self, requests: Sequence[Request], sampling: Sampling
    ) -> Iterator[tuple[int, Completion]]:
        """Yield (index of the request, its completion) as they finish, each index once.

        Raises UserError for a prompt that leaves no room, and MachineError if the server gives a
        request up.
        """
        rooms = [room(request, self.options, sampling) for request in requests]
        pool = ThreadPoolExecutor(self.max_sequences)
        try:
            asked = {
                pool.submit(self._complete, request, sampling, tokens): index
                for index, (request, tokens) in enumerate(zip(requests, rooms, strict=True))
            }
            for done in as_completed(asked):
                self.steps += 1
                yield asked[done], done.result()
        finally:
            pool.shutdown(cancel_futures=True)  # also when the caller leaves early

    def reload(self, model: str) -> None:
        """Have the server read another folder's weights. Raises UserError if it does not."""
        import httpx

        root = _root()
        order = {"method": "reload_weights", "kwargs": {"weights_path": model}}
        replies = [
            httpx.post(f"{root}/collective_rpc", json=order, timeout=REQUEST_SECONDS),
            httpx.post(f"{root}/reset_prefix_cache", timeout=REQUEST_SECONDS),
        ]
        if any(reply.is_error for reply in replies) or not self._has(model):
            raise UserError(
                f"the server at {root} has not the weights of {model} and cannot load them: start "
                "it with that model, or with VLLM_SERVER_DEV_MODE=1 where it sees the folder"
            )

    def _has(self, model: str) -> bool:
        """Whether the server writes what this checkpoint would."""
        ((_, written),) = self.generate([probe.REQUEST], probe.GREEDY)
        dtype = "bfloat16" if self.options.dtype == "auto" else self.options.dtype
        return probe.agrees(model, written.token_ids, dtype)

    def _complete(self, request: Request, sampling: Sampling, tokens: int) -> Completion:
        """One request. Nothing of the model's own generation config enters."""
        from openai import OpenAIError

        try:
            reply: Any = self.client.completions.create(
                model=self.served,
                prompt=list(request.prompt_ids),
                max_tokens=tokens,
                temperature=sampling.temperature,
                top_p=sampling.top_p,
                seed=request.seed,
                extra_body={
                    "repetition_penalty": sampling.repetition_penalty,
                    "top_k": 0,
                    "min_p": 0.0,
                    "stop_token_ids": list(self.options.stop_token_ids),
                    "ignore_eos": True,
                    "return_token_ids": True,
                },
            )
        except OpenAIError as error:
            raise MachineError(f"the server gave a request up: {error}") from error
        choice = reply.choices[0]
        if choice.finish_reason not in ("stop", "length"):
            raise MachineError(f"the server gave a request up: {choice.finish_reason}")
        return Completion(tuple(choice.token_ids), choice.finish_reason)


def _root() -> str:
    """The server's address without the API's /v1."""
    return os.environ[ADDRESS].rstrip("/").removesuffix("/v1")


def _server_version() -> str | None:
    if not os.environ.get(ADDRESS) or not extras.installed("openai"):
        return None
    import httpx

    try:
        reply = httpx.get(f"{_root()}/version", timeout=ASK_SECONDS)
        return str(reply.raise_for_status().json()["version"])
    except (httpx.HTTPError, KeyError, ValueError):
        return None


def _installed() -> str:
    try:
        return metadata.version("openai")
    except metadata.PackageNotFoundError:
        return "not installed"
