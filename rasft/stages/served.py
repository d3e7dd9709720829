"""Problems x a served model -> its responses, through the ledger as an engine's samples."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib import metadata
from typing import Any

from rasft.config.settings import Config
from rasft.decoding.chat_server import Address, ChatServer, Question, Reply
from rasft.decoding.engine import SIDE_BY_SIDE, Sampling
from rasft.ledger import Ledger
from rasft.ledger.rows import SampleSource, chat_key
from rasft.models.messages import messages
from rasft.progress import track
from rasft.records import Problem, Rollout
from rasft.stages.known_samples import KnownSamples, Name, Wanted
from rasft.stages.sampling import seed_of


@dataclass
class ServedSampler:
    """Samples of a model behind an address: from the ledger, else from the server."""

    address: Address
    config: Config
    sampling: Sampling
    ledger: Ledger
    notes: tuple[str, ...] = ()  # a server tells of nothing, as an engine does
    choices: tuple[str, ...] = ()

    def draw(self, wanted: Sequence[Wanted]) -> list[Rollout]:
        """The wanted responses, in no particular order. Raises as `ChatServer` does."""
        known = KnownSamples(self.ledger, self._source())
        return known.draw(self._keys(wanted), wanted, self.config.seed, self._make)

    def facts(self) -> dict[str, Any]:
        """What a manifest says of the model: nothing is known of its weights."""
        prompts = {name: prompt.model_dump() for name, prompt in self.config.prompts.items()}
        asked = json.dumps([prompts, self.config.chat.model_dump()], sort_keys=True)
        client = metadata.version("openai")
        return {
            "model_fingerprint": str(self.address),
            "template_fingerprint": hashlib.sha256(asked.encode()).hexdigest(),
            "engine": f"chat completions of {self.address.url}, openai {client}",
            "dtype": "the server's",
        }

    def _source(self) -> SampleSource:
        return SampleSource(
            checkpoint=str(self.address),
            engine="chat completions",
            dtype="the server's",
            temperature=self.sampling.temperature,
            top_p=self.sampling.top_p,
            repetition_penalty=self.sampling.repetition_penalty,
            stop_token_ids=(),
        )

    def _keys(self, wanted: Sequence[Wanted]) -> dict[Name, str]:
        room, switches = self.sampling.max_new_tokens, self.config.chat.switches
        return {
            (problem.id, index): chat_key(
                self._question(problem, index).messages,
                switches,
                room,
                index,
                self._seed(problem, index),
            )
            for problem, index in wanted
        }

    def _make(self, missing: Sequence[Wanted]) -> Iterator[Rollout]:
        questions = [self._question(problem, index) for problem, index in missing]
        with ChatServer(self.address, dict(self.config.chat.switches)) as server:
            at_once = self.config.rollout.max_sequences or SIDE_BY_SIDE
            replies = server.ask(questions, self.sampling, at_once)
            told = track(
                replies, len(questions), "sampling", "samples", tokens=lambda pair: pair[1].tokens
            )
            for number, reply in told:
                yield _rollout(*missing[number], questions[number].seed, reply)

    def _question(self, problem: Problem, index: int) -> Question:
        return Question(
            messages(problem, self.config.prompts, self.config.chat), self._seed(problem, index)
        )

    def _seed(self, problem: Problem, index: int) -> int:
        return seed_of(self.config.seed, problem.id, index)


def _rollout(problem: Problem, index: int, seed: int, reply: Reply) -> Rollout:
    return Rollout(problem.id, index, seed, (), reply.text, reply.finish_reason)
