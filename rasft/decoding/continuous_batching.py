"""A decoding loop over a transformers model.

Sequences come and go one by one (continuous batching): a finished one makes room for the next
request at once. What all prompts share (system message, worked examples) is computed once, a
prompt that several samples share once for them all. Each row draws from a stream of its own, so a
sample depends on its own seed and prompt alone, up to rounding: how many rows are multiplied
together moves the last bits of the logits. In float32 that changes practically no token; in
bfloat16 samples of one seed drift apart after some dozens of tokens when the batches differ.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import takewhile
from typing import Any, Self

import psutil
import torch
import transformers

from rasft.decoding import own_cache, slots
from rasft.decoding.engine import Completion, EngineOptions, Request, Sampling, room
from rasft.decoding.sampling import draw, penalise
from rasft.decoding.uniforms import Uniforms
from rasft.errors import UserError
from rasft.models.language_model import own_attention, traits_of_model

REFILL = 8  # an eighth of the slots must be free before prompts are computed: several at once
PREFILL_TOKENS = {"cpu": 1024, "cuda": 8192}  # of one forward pass over prompts: what is fastest

# Where the options leave it open how many sequences are sampled side by side.
MOST = {"cpu": 128, "cuda": 512}  # more is hardly faster
FREE_SHARE = {"cpu": 0.4, "cuda": 0.8}  # of the free memory for their keys, values and logits
LOGITS = 6  # copies of a sequence's logits, fp32, that drawing a token holds


@dataclass
class Row:
    """A sequence being sampled."""

    index: int  # of its request
    prompt: tuple[int, ...]
    budget: int  # new tokens it may still write
    seed: int
    tokens: list[int] = field(default_factory=list)

    @property
    def position(self) -> int:
        """The column of its latest token, whose key is not in the cache yet."""
        return len(self.prompt) + len(self.tokens) - 1


class TransformersEngine:
    """A loaded model; leaving it frees the memory."""

    def __init__(self, model: str, options: EngineOptions):
        self.options = options
        self.steps = 0
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self.model = _load(model, _dtype(options.dtype, self.device)).to(self.device)
        self.alone = traits_of_model(self.model).samples_alone
        self.max_sequences = 1 if self.alone else options.max_sequences or self._fitting()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        del self.model
        gc.collect()
        if self.device.type == "cuda":
            torch.cuda.empty_cache()

    def generate(
        self, requests: Sequence[Request], sampling: Sampling
    ) -> Iterator[tuple[int, Completion]]:
        """Yield (index of the request, its completion) as they finish, each index once.

        Raises UserError for a prompt that leaves no room for a new token.
        """
        rows = [
            Row(
                index,
                request.prompt_ids,
                room(request, self.options, sampling),
                request.seed,
            )
            for index, request in enumerate(requests)
        ]
        if not rows:
            return
        stops = frozenset(self.options.stop_token_ids)
        if self.alone:
            yield from (self._alone(row, sampling, stops) for row in rows)
            return
        rows.sort(key=lambda row: (len(row.prompt), row.prompt), reverse=True)
        batch = Batch(self.model, rows, min(self.max_sequences, len(rows)), sampling)
        while batch.rows or batch.waiting:
            batch.admit()
            batch.step()
            self.steps += 1
            yield from batch.retire(stops)

    def _fitting(self) -> int:
        """How many whole sequences the free memory holds, at most `MOST`."""
        config = self.model.config.get_text_config()
        one = slots.bytes_of(config, self.options.max_model_len, self.model.dtype)
        one += LOGITS * 4 * config.vocab_size
        if self.device.type == "cuda":
            free = torch.cuda.mem_get_info()[0]
        else:
            free = psutil.virtual_memory().available
        return int(max(1, min(MOST[self.device.type], FREE_SHARE[self.device.type] * free // one)))

    def _alone(self, row: Row, sampling: Sampling, stops: frozenset[int]) -> tuple[int, Completion]:
        drawn = own_cache.Drawn(sampling, row.seed, self._count_step)
        row.tokens = own_cache.sample_tokens(
            self.model, row.prompt, row.budget, sorted(stops), drawn
        )
        return row.index, _completion(row, stops)

    def _count_step(self) -> None:
        self.steps += 1

    def reload(self, model: str) -> None:
        """Copy another folder's weights over the loaded ones."""
        fresh = _load(model, self.model.dtype)
        try:
            self.model.load_state_dict(fresh.state_dict())
        except RuntimeError as error:
            raise UserError(
                f"the weights of {model} do not fit the loaded model: {error}"
            ) from None


class Batch:
    """The sequences in flight: row i of `rows` lives in slot i of the cache."""

    def __init__(self, model: Any, waiting: list[Row], size: int, sampling: Sampling):
        self.model, self.sampling, self.size = model, sampling, size
        self.waiting = waiting
        self.rows: list[Row] = []
        config = model.config.get_text_config()
        columns = max(len(row.prompt) + row.budget for row in waiting)
        self.cache = slots.Slots(config.num_hidden_layers, size, columns)
        self.history = torch.zeros(size, columns, dtype=torch.long, device=model.device)
        self.uniforms = Uniforms(size)
        self.shared = shared_prefix([row.prompt[:-1] for row in waiting])
        if self.shared:
            self._compute([0], [waiting[0].prompt[: self.shared]], start=0)
            self.cache.spread(self.shared)

    def admit(self) -> None:
        """Move waiting requests into free slots, with the keys of their prompts."""
        free = min(self.size - len(self.rows), len(self.waiting))
        if not free or free < min(self.size // REFILL, len(self.waiting)):
            return
        owner = {row.prompt: slot for slot, row in enumerate(self.rows)}
        fresh: list[int] = []
        copies: list[tuple[int, int]] = []
        for slot in range(len(self.rows), len(self.rows) + free):
            row = self.waiting.pop()
            self.rows.append(row)
            self.uniforms.start(slot, row.seed)
            self.history[slot] = row.prompt[0]
            self.history[slot, : len(row.prompt)] = self._tensor(row.prompt)
            if owner.setdefault(row.prompt, slot) == slot:
                fresh.append(slot)
            else:
                copies.append((owner[row.prompt], slot))
        self._prefill(fresh)
        if copies:
            sources, targets = zip(*copies, strict=True)
            width = max(len(self.rows[slot].prompt) for slot in targets)
            self.cache.copy(list(sources), list(targets), width)

    def step(self) -> None:
        """Sample one token for every row."""
        rows = torch.arange(len(self.rows), device=self.model.device)
        places = [row.position for row in self.rows]
        positions, width = self._tensor(places), max(places) + 1  # a GPU is not waited for
        logits = self._logits(positions, self.history[rows, positions], width)
        if self.sampling.repetition_penalty != 1:
            seen = self.history[: len(self.rows), :width]
            logits = penalise(logits, seen, self.sampling.repetition_penalty)
        tokens = draw(logits, self.sampling.temperature, self.sampling.top_p, self.uniforms)
        for row, token in zip(self.rows, tokens.tolist(), strict=True):
            row.tokens.append(token)
        self.history[rows, positions + 1] = tokens

    def retire(self, stops: frozenset[int]) -> list[tuple[int, Completion]]:
        """Take out the finished rows; the last rows move into the slots they leave."""
        ended = [row.tokens[-1] in stops or len(row.tokens) == row.budget for row in self.rows]
        done = [row for row, end in zip(self.rows, ended, strict=True) if end]
        left = len(self.rows) - len(done)
        holes = [slot for slot in range(left) if ended[slot]]
        movers = [slot for slot in range(left, len(self.rows)) if not ended[slot]]
        if holes:
            width = max(self.rows[slot].position for slot in movers) + 1
            self.cache.copy(movers, holes, width)
            self.history[holes] = self.history[movers]
            self.uniforms.move(movers, holes)
        for hole, mover in zip(holes, movers, strict=True):
            self.rows[hole] = self.rows[mover]
        del self.rows[left:]
        return [(row.index, _completion(row, stops)) for row in done]

    def _prefill(self, fresh: list[int]) -> None:
        """Compute the keys of whole prompts but for their last token, which `step` reads."""
        longest = max((len(self.rows[slot].prompt) for slot in fresh), default=0) - 1 - self.shared
        if longest <= 0:
            return
        together = max(1, PREFILL_TOKENS[self.model.device.type] // longest)
        for begin in range(0, len(fresh), together):
            some = fresh[begin : begin + together]
            self._compute(some, [self.rows[s].prompt[self.shared : -1] for s in some], self.shared)

    @torch.no_grad()
    def _compute(self, rows: list[int], prompts: Sequence[Sequence[int]], start: int) -> None:
        """Write the keys of these tokens into slots `rows`, from column `start` on.

        Shorter ones are padded on the right: what that writes is overwritten before it is read.
        """
        longest = max(map(len, prompts))
        padded = [[*prompt, *[0] * (longest - len(prompt))] for prompt in prompts]
        columns = torch.arange(start, start + longest, device=self.model.device)
        width = start + longest
        mask = torch.arange(width, device=self.model.device) <= columns[:, None]
        self.cache.open(slots.Window(self._tensor(rows), columns.expand(len(rows), -1), width))
        self._forward(self._tensor(padded), columns[None], mask[None, None])

    @torch.no_grad()
    def _logits(self, positions: torch.Tensor, tokens: torch.Tensor, width: int) -> torch.Tensor:
        """Logits (rows, vocabulary) after the latest token of every row, in the first columns."""
        mask = torch.arange(width, device=positions.device) <= positions[:, None]
        self.cache.open(slots.Window(slice(0, len(positions)), positions[:, None], width))
        return self._forward(tokens[:, None], positions[:, None], mask[:, None, None])

    def _forward(
        self, tokens: torch.Tensor, positions: torch.Tensor, mask: torch.Tensor
    ) -> torch.Tensor:
        output = self.model(
            input_ids=tokens,
            position_ids=positions,
            attention_mask=mask,
            past_key_values=self.cache,
            use_cache=True,
            logits_to_keep=1,
        )
        logits: torch.Tensor = output.logits[:, -1].float()
        return logits

    def _tensor(self, values: Any) -> torch.Tensor:
        return torch.tensor(values, device=self.model.device)


def shared_prefix(prompts: Sequence[tuple[int, ...]]) -> int:
    """How many tokens all of these begin with in common.

    >>> shared_prefix([(1, 2, 3), (1, 2, 4, 5)])
    2
    """
    first, last = min(prompts), max(prompts)
    return sum(
        1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(first, last, strict=False))
    )


def _completion(row: Row, stops: frozenset[int]) -> Completion:
    return Completion(tuple(row.tokens), "stop" if row.tokens[-1] in stops else "length")


def _dtype(name: str, device: torch.device) -> torch.dtype:
    """`auto` is the fast one of the device."""
    if name == "auto":
        return torch.bfloat16 if device.type == "cuda" else torch.float32
    dtype: torch.dtype = getattr(torch, name)
    return dtype


def _load(model: str, dtype: torch.dtype) -> Any:
    try:
        loaded: Any = transformers.AutoModelForCausalLM.from_pretrained(
            model, dtype=dtype, attn_implementation=own_attention(model)
        )
    except (OSError, ValueError, RuntimeError) as error:
        raise UserError(f"cannot load the model {model}: {error}") from None
    loaded.eval()
    # Only the run says how to sample.
    loaded.generation_config = transformers.GenerationConfig()  # type: ignore[no-untyped-call]
    if not traits_of_model(loaded).samples_alone:
        loaded.set_attn_implementation(slots.ATTENTION)
    return loaded
