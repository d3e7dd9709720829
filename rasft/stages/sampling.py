"""Problems x engine -> rollouts.

Each sample has a seed of its own, made from (run seed, problem id, sample index) alone: neither
the order of the problems nor the number of shards changes it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cached_property
from pathlib import Path

from rasft.config.settings import Config, RolloutConfig
from rasft.decoding import determinism, layout, probe
from rasft.decoding.engine import Completion, Engine, Request, Sampling, room
from rasft.decoding.engine_group import EngineGroup
from rasft.decoding.hosted_engine import HostedEngine
from rasft.decoding.one_engine import OneEngine
from rasft.errors import MachineError
from rasft.ledger import Ledger
from rasft.ledger.rows import SampleRow, SampleSource, sample_key
from rasft.models.renderer import Renderer
from rasft.models.traits import context_tokens
from rasft.progress import track
from rasft.records import Dropped, Problem, Rollout
from rasft.stages.known_samples import KnownSamples, Name, Wanted
from rasft.stages.setup import Setup, choose

PROBED = 8  # problems whose samples tell what quantised weights do to log-probs


def draw_rollouts(
    config: Config,
    problems: Sequence[Problem],
    renderer: Renderer,
    policy: Path,
    ledger: Ledger,
    further: Callable[[list[Rollout]], list[Problem]],
) -> tuple[list[Rollout], list[Dropped], str]:
    """Sample K responses of each problem: rollouts by problem and index, what had no room, and
    which engine drew them. What the ledger holds is taken from there.

    With `rollout.adaptive`, K1 of each, and K2 more of the problems that `further` names after it
    has seen the first ones. A rollout's prompt and response share `data.max_tokens`: a longer one
    could not be trained on.
    """
    settings = config.rollout
    context = min(config.data.max_tokens, context_tokens(policy))
    fitting, dropped = split_by_room(problems, renderer, context)
    drawing = Sampling(
        settings.temperature,
        settings.top_p,
        settings.max_new_tokens,
        settings.repetition_penalty,
    )
    setup, chosen = choose(config, "rollout", renderer, policy, context, drawing)
    with OneEngine() as engine:
        source = Sampler(setup, renderer, ledger, engine)
        first, all_of_them = _stages(settings)
        drawn = source.draw(each(fitting, first))
        if len(first) < len(all_of_them):
            drawn += source.draw(each(further(drawn), all_of_them[len(first) :]))
        told = [chosen, determinism.statement(setup.options), *source.choices, *source.notes]
        return in_order(fitting, drawn), dropped, "; ".join(told)


class Sampler:
    """Samples of one policy: from the ledger, else from an engine that is started on first need."""

    def __init__(self, setup: Setup, renderer: Renderer, ledger: Ledger, engine: OneEngine):
        self.setup, self.renderer, self.ledger, self._engine = setup, renderer, ledger, engine
        self._used: HostedEngine | EngineGroup | None = None
        self._effect: list[str] = []  # of quantised weights

    @property
    def notes(self) -> list[str]:
        """What was not as it should be with the engine."""
        return [*self._effect, *self._used.notes] if self._used else []

    @property
    def choices(self) -> list[str]:
        """How the samples that are new were made, where the config left it open."""
        return [*layout.statement(self.setup.options), *self._used.choices] if self._used else []

    def draw(self, wanted: Sequence[Wanted]) -> list[Rollout]:
        """The wanted rollouts, in no particular order. Raises MachineError as `sample` does."""
        if not wanted:
            return []
        keys, known = self._keys(wanted), KnownSamples(self.ledger, self._source)
        return known.draw(keys, wanted, self.setup.run_seed, self._make, self._rollout)

    @cached_property
    def _source(self) -> SampleSource:
        return self.setup.source()

    def _make(self, missing: Sequence[Wanted]) -> Iterator[Rollout]:
        setup = self.setup
        engine = self._engine.over(setup.plugin, str(setup.policy), setup.options, setup.watch)
        self._used = engine
        if setup.options.quantization and not self._effect:
            self._effect = [self._measured(missing, engine)]
        yield from sample(missing, self.renderer, engine, setup.sampling, setup.run_seed)

    def _measured(self, missing: Sequence[Wanted], engine: Engine) -> str:
        """What quantised weights do to the log-probs of some samples: a clause for the report."""
        setup = self.setup
        some = {problem.id: (problem, index) for problem, index in missing[::-1]}.values()
        asked = [
            Request(self.renderer.prompt_ids(p), seed_of(setup.run_seed, p.id, index), logps=True)
            for p, index in list(some)[:PROBED]
        ]
        drawn = [(asked[place], done) for place, done in engine.generate(asked, setup.sampling)]
        tokens, mean, largest = probe.effect(str(setup.policy), drawn, setup.options.dtype)
        return (
            f"{setup.options.quantization} weights: the log-probs of {tokens} sampled tokens are "
            f"{mean:.2g} nats from the model's own in the mean, {largest:.2g} at most"
        )

    def _rollout(self, problem_id: str, row: SampleRow) -> Rollout:
        """A sample of the ledger. Its text may have been stored without the prompt's thinking."""
        text = self.renderer.decode(row.token_ids) if self.renderer.turn.thinking else row.text
        return Rollout(
            problem_id, row.sample_index, row.seed, row.token_ids, text, row.finish_reason
        )

    def _keys(self, wanted: Sequence[Wanted]) -> dict[Name, str]:
        """The ledger's key of each wanted sample."""
        prompts = {problem.id: self.renderer.prompt_ids(problem) for problem, _ in wanted}
        keys = {}
        for problem, index in wanted:
            request = Request(prompts[problem.id], seed_of(self.setup.run_seed, problem.id, index))
            tokens = room(request, self.setup.options, self.setup.sampling)
            keys[problem.id, index] = sample_key(request.prompt_ids, tokens, index, request.seed)
        return keys


def _stages(settings: RolloutConfig) -> tuple[range, range]:
    """The sample indices of the first stage, and those of both."""
    whole = range(settings.samples_per_problem)
    return whole[: settings.adaptive.first] if settings.adaptive else whole, whole


def split_by_room(
    problems: Sequence[Problem], renderer: Renderer, context: int
) -> tuple[list[Problem], list[Dropped]]:
    """Problems whose prompt leaves room for a new token in `context` tokens, and the others."""
    fitting, dropped = [], []
    for problem in problems:
        tokens = len(renderer.prompt_ids(problem))
        if tokens < context:
            fitting.append(problem)
        else:
            detail = f"its prompt has {tokens} tokens, the context {context}"
            dropped.append(Dropped(problem.id, "no_room", detail))
    return fitting, dropped


def each(problems: Sequence[Problem], indices: Sequence[int]) -> list[Wanted]:
    """The samples of these indices of every problem."""
    return [(problem, index) for problem in problems for index in indices]


def sample(
    wanted: Sequence[Wanted],
    renderer: Renderer,
    engine: Engine,
    sampling: Sampling,
    run_seed: int,
) -> Iterator[Rollout]:
    """Yield the wanted rollouts as they finish.

    Raises MachineError if the engine ends before every sample is there.
    """
    prompts = {problem.id: renderer.prompt_ids(problem) for problem, _ in wanted}
    requests = [Request(prompts[p.id], seed_of(run_seed, p.id, index)) for p, index in wanted]
    completions = track(
        _whole(engine.generate(requests, sampling), len(requests)),
        len(requests),
        "sampling",
        "samples",
        tokens=lambda pair: len(pair[1].token_ids),
    )
    for number, completion in completions:
        problem, index = wanted[number]
        yield Rollout(
            problem_id=problem.id,
            sample_index=index,
            seed=requests[number].seed,
            token_ids=completion.token_ids,
            text=renderer.decode(completion.token_ids),
            finish_reason=completion.finish_reason,
        )


def in_order(problems: Sequence[Problem], rollouts: Iterable[Rollout]) -> list[Rollout]:
    """Rollouts in the order of the problems, then of the sample index."""
    place = {problem.id: number for number, problem in enumerate(problems)}
    return sorted(rollouts, key=lambda rollout: (place[rollout.problem_id], rollout.sample_index))


def seed_of(run_seed: int, problem_id: str, sample_index: int) -> int:
    """The seed of one sample, in [0, 2**63): the same on every machine and for every layout.

    >>> seed_of(7, "p1", 0)
    4015413321299787689
    """
    key = f"{run_seed}:{sample_index}:{problem_id}".encode()
    return int.from_bytes(hashlib.blake2b(key, digest_size=8).digest(), "big") >> 1


def _whole(
    completions: Iterator[tuple[int, Completion]], total: int
) -> Iterator[tuple[int, Completion]]:
    """Pass completions through, and raise MachineError unless each index came exactly once."""
    missing = set(range(total))
    for number, completion in completions:
        if number not in missing:
            raise MachineError(f"the engine gave sample {number} twice, or was never asked for it")
        missing.discard(number)
        yield number, completion
    if missing:
        raise MachineError(f"the engine gave {total - len(missing)} of {total} samples")
